"""Runs layers on scratchpads, whole or in pieces, and hands back whole tensors.

What an instruction may not touch is garbage before it and must be the same garbage after it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.loopnest import Pool, interleave_for
from cnnaccel.compiler.lower.mapping import Part, Work, nest, work_of
from cnnaccel.compiler.lower.place import Place
from cnnaccel.compiler.plan.tiling import extent, split
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Add, AnyLayer, Concat, Conv2d, MaxPool2d
from cnnaccel.isa.execute import execute
from cnnaccel.isa.instructions import Compute, Par
from cnnaccel.isa.random_instruction import fresh
from cnnaccel.isa.scratchpad import Scratchpads
from tests.support import graphs

GRID = [
    HardwareConfig(pixel_lanes=p, input_lanes=c, output_lanes=c * times, act_kib=64, wgt_kib=256)
    for p in (1, 2, 4, 8)
    for c, times in ((4, 1), (4, 2), (4, 4), (8, 1), (8, 2), (8, 4), (16, 1), (16, 2), (16, 4))
]
W_INIT, PAR_INIT = 3, 2
"""Where weights and parameters begin, unless a test says otherwise: not where memories do."""

# -- scratchpads -----------------------------------------------------------------------------------


def align(hw: HardwareConfig, address: int) -> int:
    """The next address at which a region may begin."""
    step = 4 * hw.pixel_lanes
    return -(-address // step) * step


def held(place: Place) -> tuple[range, range]:
    """The rows and columns of a tensor that are in act."""
    rows = place.rows if place.held_rows is None else place.held_rows
    columns = place.columns if place.held_columns is None else place.held_columns
    return (
        range(place.first_row, place.first_row + rows),
        range(place.first_column, place.first_column + columns),
    )


def addresses(place: Place, rows: range | None = None, columns: range | None = None) -> np.ndarray:
    """int64[words, rows, columns]: where some pixels lie; all that are held if not said."""
    every = held(place)
    y = np.array(every[0] if rows is None else rows, np.int64) - place.first_row
    x = np.array(every[1] if columns is None else columns, np.int64) - place.first_column
    g = np.arange(place.words)[:, None, None]
    return np.asarray(place.base + g * place.plane + y[:, None] * place.row + x * place.step)


def put(pads: Scratchpads, place: Place, tensor: np.ndarray, lanes: Any) -> None:
    """Write what a place holds of [C, H, W] into act; lanes without a channel keep garbage."""
    (rows, columns), lanes = held(place), np.asarray(lanes)
    part = tensor[:, rows.start : rows.stop, columns.start : columns.stop]
    if part.size == 0:  # all padding
        return
    words = pads.read(addresses(place), place.interleave)
    flat = words.transpose(0, 3, 1, 2).reshape(len(lanes), *part.shape[1:])
    flat[lanes >= 0] = part.view(np.uint8)[lanes[lanes >= 0]]
    laid = flat.reshape(place.words, -1, *part.shape[1:]).transpose(0, 2, 3, 1)
    pads.write(addresses(place), place.interleave, laid)


def take(
    out: np.ndarray, pads: Scratchpads, place: Place, lanes: Any, rows: range, columns: range
) -> None:
    """Copy a block out of act into [C, H, W]; lanes: the channel in each lane of the place."""
    words = pads.read(addresses(place, rows, columns), place.interleave).transpose(0, 3, 1, 2)
    flat, lanes = words.reshape(-1, len(rows), len(columns)), np.asarray(lanes)
    block = out[:, rows.start : rows.stop, columns.start : columns.stop]
    block[lanes[lanes >= 0]] = flat[lanes >= 0].view(out.dtype)


def get(pads: Scratchpads, place: Place, lanes: Any, dtype: Any) -> np.ndarray:
    """[C, H, W] out of act, of a place that holds all of it."""
    out = np.zeros((np.asarray(lanes).max() + 1, place.rows, place.columns), dtype)
    take(out, pads, place, lanes, *held(place))
    return out


def run(
    hw: HardwareConfig, pads: Scratchpads, instruction: Compute, sums: np.ndarray | None = None
) -> np.ndarray:
    """Through its bytes, as the engine would get it. The sums it leaves, given those it finds."""
    if sums is None:
        sums = np.full((hw.pixel_lanes, hw.output_lanes), 12345, np.int64)
    return execute(pads, Compute.unpack(instruction.pack()), sums)


def run_checked(
    hw: HardwareConfig,
    pads: Scratchpads,
    instruction: Compute,
    written: np.ndarray,
    interleave: int,
    sums: np.ndarray | None = None,
) -> np.ndarray:
    """`run`, which changes nothing in act but the words at these addresses."""
    before = pads.act.copy()
    after = run(hw, pads, instruction, sums)
    before[pads.locate(written, interleave)] = pads.read(written, interleave)
    assert np.array_equal(before, pads.act), "wrote beside its tensor"
    return after


# -- layers ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mapped:
    """One instruction, and what it expects from its first wgt and par word on."""

    instruction: Compute
    weights: np.ndarray
    """int8[words, K, C]"""
    parameters: dict[str, np.ndarray]
    """bias, multiplier, shift: [groups, K] each."""


def map_layer(
    hw: HardwareConfig,
    layer: AnyLayer,
    sources: Sequence[Place],
    target: Place,
    lanes: Sequence[pack.Lanes],
    *,
    pool: Pool | None = None,
    rows: range | None = None,
    columns: range | None = None,
    w_init: int = 0,
    par_init: int = 0,
) -> Mapped:
    """A layer with all of its groups and its reduction in one instruction."""
    work = work_of(hw, layer, lanes)
    instruction = nest(
        hw, work, sources, target, pool=pool, rows=rows, columns=columns,
        w_init=w_init, par_init=par_init,
    )  # fmt: skip
    every = range(work.channels.groups)
    return Mapped(instruction, work.weight_words(every, work.whole), work.parameters)


def par_bytes(parameters: dict[str, Any]) -> bytes:
    """bias, multiplier, shift as they lie in DRAM."""
    fields = zip(*(parameters[n].reshape(-1).tolist() for n in parameters), strict=True)
    return b"".join(Par(**dict(zip(parameters, values, strict=True))).pack() for values in fields)


def fill(pads: Scratchpads, mapped: Mapped) -> None:
    """Put an instruction's weights and parameters where it expects them."""
    at = mapped.instruction.w_init
    assert at + len(mapped.weights) <= len(pads.wgt)
    pads.wgt[at : at + len(mapped.weights)] = mapped.weights
    at = mapped.instruction.par_init
    for name, values in mapped.parameters.items():
        getattr(pads, name)[at : at + len(values)] = values


def wanted_interleave(hw: HardwareConfig, layer: AnyLayer, pool: Pool | None = None) -> int:
    """The L with which a layer reads its input in one phase."""
    if isinstance(layer, Add | Concat):
        return 1
    across = layer.stride[1] * (pool.size[1] if pool and pool.by == "window" else 1)
    return interleave_for(hw, across)


def on_engine(
    hw: HardwareConfig,
    layer: AnyLayer,
    inputs: list[np.ndarray],
    *,
    pool: Pool | None = None,
    pooled: MaxPool2d | None = None,
    interleave: int | None = None,
    interleave_out: int = 1,
    strips: int = 1,
) -> np.ndarray:
    """The layer's output [K, P, Q] for inputs [C, H, W] that lie whole in act.

    pooled: the max pool that is done before writing, by `pool`.
    """
    pads, width = fresh(hw), hw.input_lanes
    if interleave is None:
        interleave = wanted_interleave(hw, layer, pool)
    base, sources, lanes = 0, [], []
    for tensor in inputs:
        lanes.append(pack.in_order(len(tensor), width))
        words = len(lanes[-1]) // width
        _, rows, columns = tensor.shape
        place = Place(base, words, rows, columns, tensor.dtype == np.int8, interleave)
        sources.append(place)
        put(pads, place, tensor, lanes[-1])
        base = align(hw, base + place.size)
    output = layer.output if pooled is None else pooled.output
    channels, rows, columns = output.shape
    lanes.append(pack.in_order(channels, width))
    words, signed = len(lanes[-1]) // width, output.dtype == "int8"
    target = Place(base, words, rows, columns, signed, interleave_out)
    assert align(hw, base + target.size) + 64 <= hw.act_words, "too large for this test"
    edges = np.linspace(0, rows, strips + 1).astype(int).tolist()
    for first, last in itertools.pairwise(edges):
        if first < last:
            some = None if strips == 1 else range(first, last)
            mapped = map_layer(hw, layer, sources, target, lanes, pool=pool, rows=some,
                               w_init=W_INIT, par_init=PAR_INIT)  # fmt: skip
            fill(pads, mapped)
            run_checked(hw, pads, mapped.instruction, addresses(target, some), interleave_out)
    return get(pads, target, lanes[-1], output.dtype)


Holds = Literal["whole", "block", "part"]
"""What of a tensor is in act: all, what a block of outputs needs, or what a part of its
reduction does."""


@dataclass(frozen=True)
class Pieces:
    """How a layer is cut, as in `tiling.Cut`, and what lies in act while a piece is done."""

    rows: int
    columns: int
    groups: int | None = None
    """None for all."""
    parts: tuple[Part, ...] | None = None
    """None for the whole reduction."""
    source: Holds = "block"
    target: Holds = "block"


def in_pieces(
    hw: HardwareConfig,
    layer: AnyLayer,
    x: np.ndarray,
    cut: Pieces,
    *,
    pool: Pool | None = None,
    pooled: MaxPool2d | None = None,
    interleave: int | None = None,
    interleave_out: int = 1,
) -> np.ndarray:
    """The output [K, P, Q] of a layer of one input [C, H, W].

    Each instruction finds the input it needs, and nothing else: act, wgt and par are garbage anew.
    """
    if interleave is None:
        interleave = wanted_interleave(hw, layer, pool)
    width = hw.input_lanes
    output = layer.output if pooled is None else pooled.output
    lanes = [pack.in_order(len(x), width), pack.in_order(output.shape[0], width)]
    work = work_of(hw, layer, lanes)
    in_words, out_words = (len(own) // width for own in lanes)
    source = Place(align(hw, 17), in_words, x.shape[1], x.shape[2], x.dtype == np.int8, interleave)
    _, rows_out, columns_out = output.shape
    base, signed = align(hw, source.base + source.size), output.dtype == "int8"
    target = Place(base, out_words, rows_out, columns_out, signed, interleave_out)
    assert target.base + target.size + 64 <= hw.act_words, "too large for this test"
    out = np.zeros(output.shape, output.dtype)
    blocks = itertools.product(
        split(target.rows, cut.rows),
        split(target.columns, cut.columns),
        split(work.channels.groups, cut.groups or work.channels.groups),
    )
    for seed, (rows, columns, groups) in enumerate(blocks):
        made = work.output_words(groups)
        there = target.part(made) if cut.target == "whole" else _only(target, made, rows, columns)
        pads = _piece(hw, work, cut, x, lanes[0], source, there, rows, columns, groups, pool, seed)
        own = lanes[1][made.start * width : made.stop * width]
        take(out, pads, there, own, rows, columns)
    return out


def _only(place: Place, words: range, rows: range, columns: range) -> Place:
    """A place that holds just a block of a tensor."""
    return dataclasses.replace(
        place, words=len(words), first_row=rows.start, held_rows=len(rows),
        first_column=columns.start, held_columns=len(columns),
    )  # fmt: skip


def _piece(
    hw: HardwareConfig,
    work: Work,
    cut: Pieces,
    x: np.ndarray,
    lanes: np.ndarray,
    source: Place,
    target: Place,
    rows: range,
    columns: range,
    groups: range,
    pool: Pool | None,
    seed: int,
) -> Scratchpads:
    """Do some groups of a block; the scratchpads that its results are in."""
    parts = cut.parts or (work.whole,)
    pool_y, pool_x = pool.size if pool else (1, 1)
    sums, width = None, hw.input_lanes
    for number, part in enumerate(parts):
        pads = fresh(hw, 100 * seed + number)
        words = work.input_words(groups, part)
        place = source.part(words)
        if cut.source != "whole":
            need = part if cut.source == "part" else work.whole
            under = extent(work, rows, need.rows, source.rows, 0, pool_y)
            across = extent(work, columns, need.columns, source.columns, 1, pool_x)
            place = _only(source, words, under, across)
        put(pads, place, x, lanes[words.start * width : words.stop * width])
        last = number == len(parts) - 1
        instruction = nest(
            hw, work, [place], target, groups=groups, part=part, pool=pool, rows=rows,
            columns=columns, w_init=W_INIT, par_init=PAR_INIT, clear=number == 0, drain=last,
        )  # fmt: skip
        weights = work.weight_words(groups, part)
        assert len(weights) == work.weight_count(len(groups), part)
        some = slice(None) if work.one_parameter else slice(groups.start, groups.stop)
        parameters = {name: values[some] for name, values in work.parameters.items()}
        fill(pads, Mapped(instruction, weights, parameters))
        written = addresses(target, rows, columns) if last else np.zeros(0, np.int64)
        sums = run_checked(hw, pads, instruction, written, target.interleave, sums)
    return pads


def convolution(
    rng: np.random.Generator,
    shape: Any,
    channels: int,
    kernel: Any,
    dtype: Any = "uint8",
    **rest: Any,
) -> tuple[Conv2d, np.ndarray]:
    """A convolution with random weights whose outputs use the whole range, and an input."""
    x = graphs.spec("x", shape, dtype)
    groups = rest.get("groups", 1)
    weight = rng.integers(-128, 128, (channels, shape[0] // groups, *kernel)).astype(np.int8)
    requant = graphs.requant(
        rng.integers(2**14, 2**16, channels),
        rng.integers(22, 26, channels),
        rest.get("out", "int8"),
    )
    rest["dtype"] = rest.pop("out", "int8")
    bias = rng.integers(-5000, 5000, channels)
    layer = graphs.conv2d(x, weight, bias=bias, requant=requant, **rest)
    return layer, graphs.numbers(rng, "random", shape, dtype)


CORNERS: dict[str, tuple[Any, int, Any, dict[str, Any]]] = {
    "one channel": ((1, 6, 9), 5, (3, 3), {"padding": (1, 1, 1, 1)}),
    "1x1": ((20, 5, 7), 9, (1, 1), {}),
    "even kernel": ((5, 6, 7), 6, (2, 4), {"padding": (1, 0, 2, 1)}),
    "kernel = input": ((6, 4, 3), 11, (4, 3), {}),
    "stride > kernel": ((5, 9, 11), 7, (2, 2), {"stride": (3, 5)}),
    "stride 4, kernel 11": ((3, 23, 31), 9, (11, 11), {"stride": (4, 4), "padding": (2, 2, 2, 2)}),
    "stride 3": ((4, 9, 10), 8, (3, 3), {"stride": (3, 3), "padding": (1, 1, 1, 1)}),
    "stride 6": ((4, 13, 15), 8, (3, 3), {"stride": (6, 6), "padding": (1, 1, 1, 1)}),
    "dilation": ((4, 9, 10), 8, (3, 3), {"dilation": (2, 3), "padding": (2, 2, 3, 3)}),
    "large groups": ((32, 4, 5), 32, (3, 3), {"groups": 2, "padding": (1, 1, 1, 1)}),
    "small groups": ((32, 4, 5), 32, (3, 3), {"groups": 8, "padding": (1, 1, 1, 1)}),
    "odd groups": ((18, 4, 5), 30, (3, 1), {"groups": 6, "padding": (1, 1, 0, 0)}),
    "unsigned out": ((9, 4, 5), 17, (3, 3), {"out": "uint8"}),
    "signed in": ((9, 4, 5), 17, (3, 3), {"dtype": "int8", "padding": (1, 1, 1, 1)}),
}


def parts_of(work: Work, rows: int, columns: int, words: int) -> tuple[Part, ...]:
    """A reduction cut into parts of so many kernel rows, kernel columns and words."""
    whole = work.whole
    cut = (split(len(whole.rows), rows), split(len(whole.columns), columns),
           split(len(whole.words), words))  # fmt: skip
    return tuple(Part(*part) for part in itertools.product(*cut))


def work_alone(hw: HardwareConfig, layer: AnyLayer, channels: int) -> Work:
    """The work of a layer whose tensors have their channels in order."""
    counts = (channels, layer.output.shape[0])
    return work_of(hw, layer, [pack.in_order(count, hw.input_lanes) for count in counts])
