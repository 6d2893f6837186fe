"""A layer of the graph as an instruction of the engine, with the words that go into wgt and par.

Knows the graph and the nests; where tensors lie, and in which pieces a layer is done, it is told.
A concatenation is no instruction: its inputs are written next to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler import pack
from cnnaccel.compiler.isa import Compute, Opcode
from cnnaccel.compiler.loopnest import Channels, Place, Pool, Window, add, merged, slide
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    AvgPool2d,
    Concat,
    Conv2d,
    Depthwise,
    MaxPool2d,
    Requant,
)

ONE = Requant(np.ones(1, np.uint16), np.zeros(1, np.uint8), -128, 255)
"""Leaves values as they are."""


@dataclass(frozen=True)
class Mapped:
    """One instruction, and what it expects from its first wgt and par word on."""

    instruction: Compute
    weights: npt.NDArray[np.int8]
    """[words, K, C]"""
    parameters: dict[str, npt.NDArray[Any]]
    """bias, multiplier, shift: [groups, K] each"""


def map_layer(
    hardware: HardwareConfig,
    layer: AnyLayer,
    sources: Sequence[Place],
    target: Place,
    lanes: Sequence[pack.Lanes],
    *,
    pool: Pool | None = None,
    rows: range | None = None,
    w_init: int = 0,
    par_init: int = 0,
) -> Mapped:
    """The instruction that computes the rows `rows` of a layer's output.

    lanes: the channel in each lane of each source, then of the target. pool: a max pool that
    follows and is done before writing; `target` is then the pooled tensor.

    Raises:
        ProgramError: no such nest for these places; see `loopnest`.
    """
    where = {"w_init": w_init, "par_init": par_init}
    target_lanes, width = lanes[-1], hardware.input_lanes
    match layer:
        case Conv2d():
            channels, weights = _grouped(hardware, layer, lanes[0], target_lanes)
            parameters = pack.parameter_words(
                hardware, layer.bias, layer.requant, target_lanes, hardware.output_lanes
            )
        case Depthwise():
            channels = Channels.each(target.words)
            weights = pack.depthwise_words(hardware, layer.weight, target_lanes)
            parameters = pack.parameter_words(
                hardware, layer.bias, layer.requant, target_lanes, width
            )
        case AvgPool2d():
            channels = Channels.each(target.words)
            weights = pack.diagonal_words(hardware, np.ones((1, width), np.int8))
            parameters = _unbiased(hardware, layer.requant, target_lanes)
        case MaxPool2d():
            channels = Channels.each(target.words)
            weights = np.zeros((0, hardware.output_lanes, width), np.int8)
            parameters = _unbiased(hardware, ONE, target_lanes)
        case Add():
            taps = np.array(layer.weights, np.int8)[:, None].repeat(width, axis=1)
            weights = pack.diagonal_words(hardware, taps)
            instruction = add(
                hardware, sources[0], sources[1], target, (layer.requant.low, layer.requant.high),
                one_parameter=len(layer.requant.multiplier) == len(layer.requant.shift) == 1,
                **where,
            )  # fmt: skip
            return Mapped(instruction, weights, _unbiased(hardware, layer.requant, target_lanes))
        case Concat():
            raise AssertionError("a concatenation is no instruction")
    source, window = sources[0], _window(layer)
    if window == Window() and pool is None and rows is None and source.step == target.step == 1:
        source, target = merged(source), merged(target)
    instruction = slide(
        hardware,
        source,
        target,
        window,
        channels,
        layer.output.range
        if isinstance(layer, MaxPool2d)
        else (layer.requant.low, layer.requant.high),
        opcode=Opcode.MAX if isinstance(layer, MaxPool2d) else Opcode.MAC,
        pool=pool,
        rows=rows,
        one_weight=isinstance(layer, MaxPool2d | AvgPool2d),
        one_parameter=len(parameters["bias"]) == 1,
        **where,
    )
    return Mapped(instruction, weights, parameters)


def _window(layer: Conv2d | Depthwise | AvgPool2d | MaxPool2d) -> Window:
    top, _, left, _ = layer.padding
    return Window(layer.kernel, layer.stride, (top, left), layer.dilation)


def _unbiased(
    hardware: HardwareConfig, requant: Requant, lanes: pack.Lanes
) -> dict[str, npt.NDArray[Any]]:
    """Parameters of a layer whose groups make one word; a single word where it has one for all."""
    if len(requant.multiplier) == len(requant.shift) == 1:
        lanes = range(hardware.input_lanes)
    bias = np.zeros(max(lanes) + 1, np.int32)
    return pack.parameter_words(hardware, bias, requant, lanes, hardware.input_lanes)


def _grouped(
    hardware: HardwareConfig, layer: Conv2d, inputs: pack.Lanes, outputs: pack.Lanes
) -> tuple[Channels, npt.NDArray[np.int8]]:
    """How words meet in a convolution of any groups, and its weights with zeros between groups.

    Where every group of K output lanes reads equally many words, equally far apart, it reads no
    more than those; otherwise all.
    """
    _, c, k = hardware.lanes
    words_in, words_out = len(inputs) // c, len(outputs) // c
    full = Channels.full(hardware, words_in, words_out)
    weight = _ungrouped(layer)
    if layer.groups > 1:
        spans = _spans(layer, np.asarray(inputs), np.asarray(outputs), c, k)
        first = np.array([span.start for span in spans])
        reduction = max(span.stop - span.start for span in spans)
        advance = int(first[1] - first[0]) if len(first) > 1 else 0
        regular = (first == first[0] + advance * np.arange(len(first))).all() and first[0] == 0
        if regular and first[-1] + reduction <= words_in:
            channels = Channels(full.groups, reduction, advance, full.words, full.words_last)
            parts = [
                pack.kernel_words(
                    hardware,
                    weight,
                    np.asarray(inputs)[start * c : (start + reduction) * c],
                    np.asarray(outputs)[group * k : (group + 1) * k],
                )
                for group, start in enumerate(first.tolist())
            ]
            return channels, np.concatenate(parts)
    return full, pack.kernel_words(hardware, weight, inputs, outputs)


def _ungrouped(layer: Conv2d) -> npt.NDArray[np.int8]:
    """int8[K, C, R, S] with zeros where a group does not read."""
    if layer.groups == 1:
        return layer.weight
    outputs, depth = layer.weight.shape[:2]
    per_group = outputs // layer.groups
    whole = np.zeros((outputs, depth * layer.groups, *layer.kernel), np.int8)
    for group in range(layer.groups):
        of = slice(group * per_group, (group + 1) * per_group)
        whole[of, group * depth : (group + 1) * depth] = layer.weight[of]
    return whole


def _spans(
    layer: Conv2d,
    inputs: npt.NDArray[np.int64],
    outputs: npt.NDArray[np.int64],
    width: int,
    group_lanes: int,
) -> list[range]:
    """The input words that each group of output lanes reads."""
    depth = layer.weight.shape[1]
    per_group = len(layer.weight) // layer.groups
    spans = []
    for start in range(0, len(outputs), group_lanes):
        made = outputs[start : start + group_lanes]
        groups = np.unique(made[made >= 0] // per_group)
        read = np.flatnonzero(np.isin(inputs // depth, groups) & (inputs >= 0)) // width
        spans.append(range(int(read.min()), int(read.max()) + 1))
    return spans
