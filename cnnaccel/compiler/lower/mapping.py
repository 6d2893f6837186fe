"""A layer as the engine's work: its window, its channel words, the words of wgt and par.

Knows the graph and the nests. Where tensors lie, and in which pieces a layer is done, `nest` is
told. A concatenation is no instruction: its inputs are written next to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.loopnest import Channels, Operands, Pair, Pool, Window, add, slide
from cnnaccel.compiler.lower.place import Place
from cnnaccel.hardware import PAR_BYTES, HardwareConfig
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
from cnnaccel.isa.instructions import Compute, Opcode

ONE = Requant(np.ones(1, np.uint16), np.zeros(1, np.uint8), -128, 255)
"""Leaves values as they are."""
Parameters = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Part:
    """Some of a reduction: ranges of ky, kx and ci."""

    rows: range
    columns: range
    words: range


@dataclass(frozen=True, eq=False)
class Work:
    """A layer on words of the engine, wherever its tensors lie."""

    opcode: Opcode
    window: Window | None
    """The window; None for an addition, whose two taps are its operands."""
    channels: Channels
    limits: Pair
    """Least and greatest result."""
    weights: npt.NDArray[np.int8]
    """[groups, ky, kx, ci, K, C]; [1, ...] where all groups share them, as in an average."""
    parameters: Parameters
    """bias, multiplier, shift: [groups, K] each; [1, K] where all groups share them."""

    one_weight: bool = False
    """A single wgt word, or none, serves every step."""

    @cached_property
    def whole(self) -> Part:
        """The whole reduction as one part."""
        kernel_y, kernel_x = self.window.kernel if self.window else (2, 1)
        return Part(range(kernel_y), range(kernel_x), range(self.channels.reduction))

    def input_words(self, groups: range, part: Part) -> range:
        """The words of the input, or of each operand, that some groups read."""
        first = groups.start * self.channels.advance
        last = (groups.stop - 1) * self.channels.advance
        return range(first + part.words.start, last + part.words.stop)

    def output_words(self, groups: range) -> range:
        """The words of the output that some groups make."""
        per_group = self.channels.words
        end = groups.stop * per_group
        if groups.stop == self.channels.groups:
            end += self.channels.words_last - per_group
        return range(groups.start * per_group, end)

    def weight_count(self, groups: int, part: Part) -> int:
        """The wgt words that so many groups need for a part."""
        if self.window is None or self.one_weight:
            return self.weights.size // int(np.prod(self.weights.shape[-2:]))
        return groups * len(part.rows) * len(part.columns) * len(part.words)

    def weight_words(self, groups: range, part: Part) -> npt.NDArray[np.int8]:
        """int8[words, K, C]: what wgt holds while some groups do a part."""
        held = self.weights
        if self.window is not None and not self.one_weight:
            y, x, words = (slice(r.start, r.stop) for r in (part.rows, part.columns, part.words))
            held = held[groups.start : groups.stop, y, x, words]
        return held.reshape(-1, *held.shape[-2:])

    @property
    def one_parameter(self) -> bool:
        """A single par word serves all groups."""
        return len(self.parameters["bias"]) == 1

    def parameter_words(self, groups: range) -> bytes:
        """Parameters of some groups, as they lie in DRAM."""
        of = slice(None) if self.one_parameter else slice(groups.start, groups.stop)
        bias, multiplier, shift = (
            self.parameters[name][of] for name in ("bias", "multiplier", "shift")
        )
        packed = np.zeros((*bias.shape, PAR_BYTES), np.uint8)
        packed[..., :4] = bias.astype("<i4")[..., None].view(np.uint8)
        packed[..., 4:6] = multiplier.astype("<u2")[..., None].view(np.uint8)
        packed[..., 6] = shift
        return packed.tobytes()


def work_of(hardware: HardwareConfig, layer: AnyLayer, lanes: Sequence[pack.Lanes]) -> Work:
    """A layer as work. lanes: the channel in each lane of each source, then of the target."""
    target_lanes, width = lanes[-1], hardware.input_lanes
    channels = Channels.each(len(target_lanes) // width)
    if isinstance(layer, MaxPool2d):
        none = np.zeros((0, 1, 1, 1, hardware.output_lanes, width), np.int8)
        parameters = _unbiased(hardware, ONE, target_lanes)
        limits = layer.output.range
        return Work(Opcode.MAX, _window(layer), channels, limits, none, parameters, one_weight=True)
    match layer:
        case Conv2d():
            channels, weights = _grouped(hardware, layer, lanes[0], target_lanes)
            axes = (channels.groups, *layer.kernel)
            parameters = pack.parameter_words(
                hardware, layer.bias, layer.requant, target_lanes, hardware.output_lanes
            )
        case Depthwise():
            weights = pack.depthwise_words(hardware, layer.weight, target_lanes)
            axes = (channels.groups, *layer.kernel)
            parameters = pack.parameter_words(
                hardware, layer.bias, layer.requant, target_lanes, width
            )
        case AvgPool2d():
            weights = pack.diagonal_words(hardware, np.ones((1, width), np.int8))
            axes = (1, 1, 1)
            parameters = _unbiased(hardware, layer.requant, target_lanes)
        case Add():
            taps = np.array(layer.weights, np.int8)[:, None].repeat(width, axis=1)
            weights = pack.diagonal_words(hardware, taps)
            axes = (1, 2, 1)
            parameters = _unbiased(hardware, layer.requant, target_lanes)
        case Concat():
            raise AssertionError("a concatenation is no instruction")
    return Work(
        Opcode.MAC,
        None if isinstance(layer, Add) else _window(layer),
        channels,
        (layer.requant.low, layer.requant.high),
        weights.reshape(*axes, -1, *weights.shape[1:]),
        parameters,
        one_weight=isinstance(layer, AvgPool2d),
    )


def nest(
    hardware: HardwareConfig,
    work: Work,
    sources: Sequence[Place],
    target: Place,
    *,
    groups: range | None = None,
    part: Part | None = None,
    pool: Pool | None = None,
    rows: range | None = None,
    columns: range | None = None,
    w_init: int = 0,
    par_init: int = 0,
    clear: bool = True,
    drain: bool = True,
) -> Compute:
    """The instruction in which some groups do a part of the reduction for a block of pixels.

    sources, target: places of the words that these groups read and write, no more. pool: a max
    pool that is done before writing; `target` is then the pooled tensor. w_init, par_init: first
    words of wgt and par. clear, drain: sums begin at 0; they are written.

    Raises:
        ProgramError: no such nest for these places; see `loopnest`.
    """
    groups = range(work.channels.groups) if groups is None else groups
    part = part or work.whole
    operands = Operands(w_init, par_init, work.one_weight, work.one_parameter, clear, drain)
    if work.window is None:
        first, second = sources
        return add(
            hardware, first, second, target, work.limits,
            rows=rows, columns=columns, operands=operands,
        )  # fmt: skip
    (top, left), (dy, dx) = work.window.padding, work.window.dilation
    window = replace(
        work.window,
        kernel=(len(part.rows), len(part.columns)),
        padding=(top - part.rows.start * dy, left - part.columns.start * dx),
    )
    made = work.output_words(groups)
    channels = Channels(
        len(groups),
        len(part.words),
        work.channels.advance,
        work.channels.words,
        len(made) - (len(groups) - 1) * work.channels.words,
    )
    return slide(
        hardware, sources[0], target, window, channels, work.limits, opcode=work.opcode,
        pool=pool, rows=rows, columns=columns, operands=operands,
    )  # fmt: skip


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
    """Channel words of a grouped convolution, and its weights with zeros between groups.

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
