"""Legal `Compute` instructions of layers between tensors that lie anywhere.

Scratchpads are garbage, so weights and inputs need not be laid out for a layer.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.loopnest import Pool
from cnnaccel.compiler.lower.mapping import Part, Work, nest, work_of
from cnnaccel.compiler.lower.place import Place
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import AnyLayer
from cnnaccel.isa.instructions import Compute
from tests.support.nests import align, wanted_interleave


@dataclasses.dataclass(frozen=True)
class Anywhere:
    """A layer, and where its tensors lie: also across the end of act."""

    work: Work
    sources: list[Place]
    target: Place
    fits: bool
    """Else they overlap."""

    def nest(
        self, hw: HardwareConfig, rng: np.random.Generator, part: Part | None = None, **rest: Any
    ) -> Compute:
        """An instruction with weights and parameters from anywhere."""
        words = range(self.work.channels.reduction)
        if part is not None:
            words = self.work.input_words(range(self.work.channels.groups), part)
        sources = self.sources if part is None else [self.sources[0].part(words)]
        w_init = int(rng.integers(0, hw.wgt_words))
        par_init = int(rng.integers(0, hw.par_groups))
        return nest(
            hw, self.work, sources, self.target, part=part, w_init=w_init, par_init=par_init, **rest
        )


def anywhere(
    hw: HardwareConfig,
    rng: np.random.Generator,
    layer: AnyLayer,
    inputs: list[np.ndarray],
    pool: Pool | None = None,
    pooled: AnyLayer | None = None,
) -> Anywhere:
    """Inputs are [C, H, W], one after another; then comes the output."""
    lanes = [pack.in_order(len(x), hw.input_lanes) for x in inputs]
    interleave = wanted_interleave(hw, layer, pool)
    base = align(hw, int(rng.integers(0, hw.act_words)))
    places = []
    for x, own in zip(inputs, lanes, strict=True):
        words, (_, rows, columns) = len(own) // hw.input_lanes, x.shape
        places.append(Place(base, words, rows, columns, x.dtype == np.int8, interleave))
        base = align(hw, base + places[-1].size)
    output = layer.output if pooled is None else pooled.output
    lanes.append(pack.in_order(output.shape[0], hw.input_lanes))
    words, (_, rows, columns) = len(lanes[-1]) // hw.input_lanes, output.shape
    base %= hw.act_words
    signed, interleave_out = output.dtype == "int8", int(rng.choice((1, 2, 4)))
    target = Place(base, words, rows, columns, signed, interleave_out)
    used = sum(align(hw, place.size) for place in (*places, target))
    fits = used < hw.act_words - 8 * hw.pixel_lanes
    return Anywhere(work_of(hw, layer, lanes), places, target, fits)
