"""Every layer kind as a loop nest, executed, equal to golden: whole tensors, and nothing beside."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.loopnest import Channels, Pool, Window, interleave_for, phases, slide
from cnnaccel.compiler.lower.mapping import nest, work_of
from cnnaccel.compiler.lower.place import Place
from cnnaccel.compiler.plan.tiling import split
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Add, AnyLayer, Concat, Conv2d
from cnnaccel.isa.execute import cost, reads
from cnnaccel.isa.instructions import LEVELS, Memory
from cnnaccel.isa.random_instruction import fresh
from cnnaccel.isa.walkers import jumps, strides
from tests.support import graphs
from tests.support.nests import (
    CORNERS,
    GRID,
    Holds,
    Mapped,
    Pieces,
    addresses,
    align,
    convolution,
    fill,
    get,
    in_pieces,
    map_layer,
    on_engine,
    par_bytes,
    parts_of,
    put,
    run,
    run_checked,
    take,
    wanted_interleave,
    work_alone,
)
from tests.support.reference import reference_layer

hardware = st.sampled_from(GRID)
PYNQ = HardwareConfig()


def name_of(hw: HardwareConfig) -> str:
    """4x8x8: the id of an engine."""
    return "x".join(map(str, hw.lanes))


@given(hardware, st.one_of(
    graphs.conv2d_cases(), graphs.depthwise_cases(), graphs.max_pool_cases(),
    graphs.avg_pool_cases(), graphs.add_cases(),
))  # fmt: skip
def test_any_layer_equals_golden(hw: HardwareConfig, case: graphs.Case) -> None:
    layer, inputs = case
    note(f"{hw.lanes} {layer}")
    if not isinstance(layer, Add | Concat):
        columns = layer.stride[1]
        assume(hw.pixel_lanes == 1 or (columns & -columns) <= 4)
        assume(max(layer.padding) < 64)
    images = [tensor[0] for tensor in inputs]
    expected = golden.run_layer(layer, [tensor[:1] for tensor in inputs])[0]
    assert np.array_equal(on_engine(hw, layer, images), expected)


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("hw", GRID, ids=name_of)
def test_convolution_corners(hw: HardwareConfig, corner: str, rng: np.random.Generator) -> None:
    shape, out, kernel, rest = CORNERS[corner]
    layer, x = convolution(rng, shape, out, kernel, **rest)
    expected = reference_layer(layer, [x[None]])[0]
    assert expected.std() > 0
    assert np.array_equal(on_engine(hw, layer, [x]), expected)


@pytest.mark.parametrize("strips", [2, 3])
@pytest.mark.parametrize("interleave", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("hw", GRID[::4], ids=name_of)
def test_strips_interleave_and_phases(
    hw: HardwareConfig, stride: int, interleave: int, strips: int, rng: np.random.Generator
) -> None:
    """Readers whose stride is less than L take their columns in phases; more has no mapping."""
    layer, x = convolution(
        rng, (6, 13, 14), 10, (3, 3), stride=(stride, stride), padding=(1, 1, 1, 1)
    )
    if hw.pixel_lanes > 1 and stride > interleave:
        with pytest.raises(ProgramError, match="meet in one bank"):
            on_engine(hw, layer, [x], interleave=interleave)
        return
    out = on_engine(
        hw, layer, [x], interleave=interleave, interleave_out=5 - interleave & 6 or 1, strips=strips
    )
    assert np.array_equal(out, golden.run_layer(layer, [x[None]])[0])


@pytest.mark.parametrize("by", ["lanes", "window"])
@pytest.mark.parametrize("size", [(2, 2), (3, 3), (2, 4), (1, 2)])
@pytest.mark.parametrize("hw", GRID[::3], ids=name_of)
def test_fused_pooling(hw: HardwareConfig, size: Any, by: Any, rng: np.random.Generator) -> None:
    layer, x = convolution(rng, (6, 9, 13), 10, (3, 3), padding=(1, 1, 1, 1))
    pooled = graphs.max_pool(layer.output, size, stride=size)
    fits = hw.pixel_lanes % size[1] == 0 and size[1] in (2, 4)
    if by == "lanes" and not fits:
        with pytest.raises(ProgramError):
            on_engine(hw, layer, [x], pool=Pool(size, by), pooled=pooled)
        return
    out = on_engine(hw, layer, [x], pool=Pool(size, by), pooled=pooled)
    unpooled = golden.run_layer(layer, [x[None]])
    assert np.array_equal(out, golden.run_layer(pooled, [unpooled])[0])


@pytest.mark.parametrize("hw", GRID, ids=name_of)
@pytest.mark.parametrize("times", [1, 2])
def test_dense_with_images_in_lanes(
    hw: HardwareConfig, times: int, rng: np.random.Generator
) -> None:
    """A convolution writes its output flattened, images side by side; to a dense layer these are
    the columns of one row, whose channels are the elements."""
    images, width = times * hw.pixel_lanes, hw.input_lanes
    layer, _ = convolution(rng, (5, 5, 6), 10, (2, 2), out="uint8")
    dense, _ = convolution(rng, layer.output.shape, 13, layer.output.shape[1:])
    pads, pixels = fresh(hw), 4 * 5
    lanes = pack.in_order(10, width)
    words, middle = len(lanes) // width, align(hw, 2000)
    expected = []
    for n in range(images):
        x = graphs.numbers(rng, "random", (5, 5, 6), "uint8")
        source = Place(0, -(-5 // width), 5, 6, False)
        put(pads, source, x, pack.in_order(5, width))
        target = Place(middle + n, words, 4, 5, False, step=images)
        mapped = map_layer(hw, layer, [source], target, [pack.in_order(5, width), lanes])
        fill(pads, mapped)
        run_checked(hw, pads, mapped.instruction, addresses(target), 1)
        hidden = golden.run_layer(layer, [x[None]])
        expected.append(golden.run_layer(dense, [hidden])[0, :, 0])
    elements = Place(middle, words * pixels, 1, images, False)
    by_word = lanes.reshape(words, 1, width)
    flat = np.where(by_word >= 0, by_word * pixels + np.arange(pixels)[:, None], -1).reshape(-1)
    out_lanes = pack.in_order(13, width)
    result = Place(align(hw, middle + elements.size), len(out_lanes) // width, 1, images, True)
    as_1x1 = dataclasses.replace(dense, weight=dense.weight.reshape(13, -1, 1, 1))
    mapped = map_layer(hw, as_1x1, [elements], result, [flat, out_lanes])
    fill(pads, mapped)
    run_checked(hw, pads, mapped.instruction, addresses(result), 1)
    found = get(pads, result, out_lanes, "int8")
    assert np.array_equal(found, np.stack(expected, axis=2))
    assert found.std() > 20


def test_concat_writes_next_to_each_other(rng: np.random.Generator) -> None:
    """24 channels in a group of K = 16 do not spill into their neighbour's 8."""
    for hw in GRID:
        pads, width = fresh(hw), hw.input_lanes
        x = graphs.numbers(rng, "random", (8, 5, 6), "uint8")
        source = Place(0, -(-8 // width), 5, 6, False)
        put(pads, source, x, pack.in_order(8, width))
        base, places, expected = align(hw, 400), [], []
        for channels in (24, 8):
            lanes = pack.in_order(channels, width)
            places.append((Place(base, len(lanes) // width, 5, 6, True), lanes))
            base += places[-1][0].size
        for place, lanes in reversed(places):
            layer, _ = convolution(rng, (8, 5, 6), lanes.max() + 1, (3, 3), padding=(1, 1, 1, 1))
            mapped = map_layer(hw, layer, [source], place, [pack.in_order(8, width), lanes])
            fill(pads, mapped)
            run(hw, pads, mapped.instruction)
            expected.append(golden.run_layer(layer, [x[None]])[0])
        for (place, lanes), tensor in zip(reversed(places), expected, strict=True):
            assert np.array_equal(get(pads, place, lanes, "int8"), tensor)


# -- pieces ----------------------------------------------------------------------------------------


def check_pieces(
    hw: HardwareConfig, layer: AnyLayer, x: np.ndarray, cut: Pieces, **how: Any
) -> np.ndarray:
    """In pieces it is golden's tensor."""
    expected = golden.run_layer(layer, [x[None]])[0]
    found = in_pieces(hw, layer, x, cut, **how)
    assert np.array_equal(found, expected)
    return expected


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("hw", GRID, ids=name_of)
def test_blocks_of_corners(hw: HardwareConfig, corner: str, rng: np.random.Generator) -> None:
    """Blocks of rows and columns, some groups at a time; each finds only what it needs."""
    shape, out, kernel, rest = CORNERS[corner]
    layer, x = convolution(rng, shape, out, kernel, **rest)
    _, rows, columns = layer.output.shape
    cut = Pieces(-(-rows // 2), -(-columns // 3), int(rng.integers(1, 4)))
    assert check_pieces(hw, layer, x, cut).std() > 0


@st.composite
def cuts(draw: st.DrawFn) -> Pieces:
    """Without parts of a reduction."""
    whole_or_block: Any = st.sampled_from(("whole", "block"))
    rows, columns, groups = (draw(st.integers(1, most)) for most in (6, 9, 4))
    return Pieces(rows, columns, groups, None, draw(whole_or_block), draw(whole_or_block))


def interleaves(hw: HardwareConfig, layer: AnyLayer) -> list[int]:
    """Every L from which lanes can read a layer's columns."""
    wanted = wanted_interleave(hw, layer)
    found = []
    for interleave in (1, 2, 4):
        try:
            phases(hw, cast(Conv2d, layer).stride[1], interleave)
            found.append(interleave)
        except ProgramError:
            assert interleave != wanted
    return found


@given(hardware, st.data(), cuts(), st.one_of(
    graphs.conv2d_cases(), graphs.depthwise_cases(), graphs.max_pool_cases(),
    graphs.avg_pool_cases(),
))  # fmt: skip
def test_any_layer_in_blocks(
    hw: HardwareConfig, data: st.DataObject, cut: Pieces, case: graphs.Case
) -> None:
    layer, inputs = case
    interleave = data.draw(st.sampled_from(interleaves(hw, layer)))
    note(f"{hw.lanes} {layer} L {interleave}")
    how: dict[str, Any] = {
        "interleave": interleave,
        "interleave_out": data.draw(st.sampled_from((1, 2, 4))),
    }
    check_pieces(hw, layer, inputs[0][0], cut, **how)


@pytest.mark.parametrize("columns", [2, 5])
@pytest.mark.parametrize("interleave", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("hw", GRID[::4], ids=name_of)
def test_blocks_interleave_and_phases(
    hw: HardwareConfig, stride: int, interleave: int, columns: int, rng: np.random.Generator
) -> None:
    """A block begins at any column of a region of interleave L, and in any bank."""
    layer, x = convolution(
        rng, (6, 9, 22), 10, (3, 3), stride=(stride, stride), padding=(1, 1, 1, 1)
    )
    how: dict[str, Any] = {"interleave": interleave, "interleave_out": 5 - interleave & 6 or 1}
    holds: tuple[Holds, Holds] = ("whole", "block")
    for source in holds:
        cut = Pieces(3, columns, source=source, target=holds[source == "whole"])
        if hw.pixel_lanes > 1 and stride > interleave:
            with pytest.raises(ProgramError, match="meet in one bank"):
                in_pieces(hw, layer, x, cut, **how)
        else:
            check_pieces(hw, layer, x, cut, **how)


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("hw", GRID[::4], ids=name_of)
def test_single_columns_are_read_from_any_banks(
    hw: HardwareConfig, stride: int, rng: np.random.Generator
) -> None:
    """Strides for which there is no L are done column by column."""
    layer, x = convolution(
        rng, (6, 9, 50), 10, (3, 3), stride=(stride, stride), padding=(1, 1, 1, 1)
    )
    check_pieces(hw, layer, x, Pieces(2, 1), interleave=1)
    if hw.pixel_lanes > 1:
        with pytest.raises(ProgramError, match="meet in one bank"):
            in_pieces(hw, layer, x, Pieces(2, 2), interleave=1)


@pytest.mark.parametrize("by", ["lanes", "window"])
@pytest.mark.parametrize("size", [(2, 2), (3, 3), (2, 4), (1, 2)])
@pytest.mark.parametrize("hw", GRID[::3], ids=name_of)
def test_fused_pooling_in_blocks(
    hw: HardwareConfig, size: Any, by: Any, rng: np.random.Generator
) -> None:
    """The halo is that of a pool's windows."""
    if by == "lanes" and (hw.pixel_lanes % size[1] or size[1] == 3):
        by = "window"
    stride = 2 if by == "window" and size[1] == 3 else 1
    layer, x = convolution(rng, (6, 13, 19), 10, (3, 3), stride=(stride, stride),
                           padding=(1, 1, 1, 1))  # fmt: skip
    pooled = graphs.max_pool(layer.output, size, stride=size)
    expected = golden.run_layer(pooled, [golden.run_layer(layer, [x[None]])])[0]
    for cut in (Pieces(2, 3, 1), Pieces(1, 4, 2, None, "whole", "whole")):
        found = in_pieces(hw, layer, x, cut, pool=Pool(size, by), pooled=pooled)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("size", "source"),
    [((1, 9, 9), "whole"), ((9, 1, 9), "part"), ((9, 9, 1), "part"), ((2, 2, 2), "block")],
)
@pytest.mark.parametrize("hw", GRID, ids=name_of)
def test_parts_of_a_reduction(
    hw: HardwareConfig, size: tuple[int, int, int], source: Holds, rng: np.random.Generator
) -> None:
    """ky, kx, ci in parts: single tiles, whose sums stay from one instruction to the next."""
    layer, x = convolution(
        rng, (35, 3, 7), 11, (3, 3), stride=(1, 2), padding=(1, 0, 2, 1), dilation=(1, 2)
    )
    parts = parts_of(work_alone(hw, layer, 35), *size)
    assert len(parts) > 1
    cut = Pieces(1, hw.pixel_lanes, 1, parts[::-1] if source == "block" else parts, source)
    assert check_pieces(hw, layer, x, cut).std() > 20


@given(
    hardware,
    st.tuples(*[st.integers(1, 3)] * 3),
    st.sampled_from(("part", "block", "whole")),
    st.one_of(graphs.conv2d_cases(), graphs.depthwise_cases(), graphs.avg_pool_cases()),
)
def test_any_reduction_in_parts(
    hw: HardwareConfig, size: tuple[int, int, int], source: Any, case: graphs.Case
) -> None:
    layer, inputs = case
    x = inputs[0][0]
    note(f"{hw.lanes} {layer}")
    parts = parts_of(work_alone(hw, layer, len(x)), *size)
    check_pieces(hw, layer, x, Pieces(1, hw.pixel_lanes, 1, parts, source))


def test_parts_need_their_sums(rng: np.random.Generator) -> None:
    """Without what the parts before have left, the result is another."""
    layer, x = convolution(rng, (24, 1, 1), 8, (1, 1))
    parts = parts_of(work_alone(PYNQ, layer, 24), 1, 1, 2)
    check_pieces(PYNQ, layer, x, Pieces(1, 4, 1, parts))
    for wrong in (parts[1:], parts[:1], (*parts, parts[0])):
        assert not np.array_equal(
            in_pieces(PYNQ, layer, x, Pieces(1, 4, 1, wrong)), golden.run_layer(layer, [x[None]])[0]
        )


@given(hardware, st.data(), st.one_of(
    graphs.conv2d_cases(), graphs.depthwise_cases(), graphs.max_pool_cases(),
    graphs.avg_pool_cases(),
))  # fmt: skip
def test_groups_of_work(hw: HardwareConfig, data: st.DataObject, case: graphs.Case) -> None:
    """The words of some groups: none left out, and as many as are said."""
    layer, inputs = case
    work = work_alone(hw, layer, inputs[0].shape[1])
    width = hw.input_lanes
    made: list[int] = []
    for groups in split(work.channels.groups, data.draw(st.integers(1, 4))):
        made += work.output_words(groups)
        read = work.input_words(groups, work.whole)
        assert 0 <= read.start < read.stop <= -(-inputs[0].shape[1] // width)
        weights = work.weight_words(groups, work.whole)
        assert len(weights) == work.weight_count(len(groups), work.whole)
        some = slice(None) if work.one_parameter else slice(groups.start, groups.stop)
        parameters = {name: values[some] for name, values in work.parameters.items()}
        assert work.parameter_words(groups) == par_bytes(parameters)
    assert made == list(range(-(-layer.output.shape[0] // width)))


# -- rows without gaps -----------------------------------------------------------------------------


@pytest.mark.parametrize("hw", GRID, ids=name_of)
def test_merged_rows_in_strips(hw: HardwareConfig, rng: np.random.Generator) -> None:
    """Rows of a 1x1 layer are one long row, in a strip of a larger place as well."""
    layer, x = convolution(rng, (20, 7, 7), 19, (1, 1))
    expected = golden.run_layer(layer, [x[None]])[0]
    width, lanes = hw.input_lanes, [pack.in_order(n, hw.input_lanes) for n in (20, 19)]
    words = [len(own) // width for own in lanes]
    source = Place(align(hw, 1), words[0] + 2, 7, 7, False, first_row=1, held_rows=6)
    source = source.part(range(1, 1 + words[0]))  # other words lie before and behind
    base = align(hw, source.base + (words[0] + 2) * 49)
    target = Place(base, words[1] + 1, 7, 7, True).part(range(1, words[1] + 1))
    out = np.zeros(expected.shape, np.int8)
    for rows in (range(1, 4), range(4, 6), range(6, 7)):
        pads = fresh(hw, rows.start)
        put(pads, source, x, lanes[0])
        mapped = map_layer(hw, layer, [source], target, lanes, rows=rows)
        bounds = dict(zip(LEVELS, mapped.instruction.bounds, strict=True))
        assert bounds["oy"] == 1
        assert bounds["ox"] == -(-len(rows) * 7 // hw.pixel_lanes)
        fill(pads, mapped)
        run_checked(hw, pads, mapped.instruction, addresses(target, rows), 1)
        take(out, pads, target, lanes[1], rows, range(7))
    assert np.array_equal(out[:, 1:], expected[:, 1:])


def test_seven_by_seven_is_thirteen_tiles(rng: np.random.Generator) -> None:
    """Not 14: unless columns are left out, at the source or the target."""
    layer, _ = convolution(rng, (8, 7, 7), 8, (1, 1))
    lanes = [pack.in_order(8, 8)] * 2
    whole = Place(0, 1, 7, 7, False)
    wide = dataclasses.replace(whole, held_columns=6)

    def steps(source: Place, target: Place, **block: range) -> int:
        mapped = map_layer(PYNQ, layer, [source], target, lanes, **cast(Any, block))
        return cost(4, mapped.instruction).steps

    assert steps(whole, whole) == 13
    assert steps(whole, whole, rows=range(3, 6)) == 6
    assert steps(whole, whole, columns=range(6)) == 14
    assert steps(wide, whole, columns=range(6)) == 14
    assert steps(whole, wide, columns=range(6)) == 14


@pytest.mark.parametrize("padding", [(0, 1, 0, 0), (0, 3, 0, 0), (0, 0, 0, 2), (0, 2, 0, 1)])
@pytest.mark.parametrize("hw", GRID[::4], ids=name_of)
def test_padding_below_a_1x1_kernel(
    hw: HardwareConfig, padding: Any, rng: np.random.Generator
) -> None:
    """Rows beyond the input are padding, even where there are none above."""
    layer, x = convolution(rng, (6, 4, 5), 10, (1, 1), padding=padding)
    expected = golden.run_layer(layer, [x[None]])[0]
    assert np.array_equal(on_engine(hw, layer, [x]), expected)
    sources: tuple[Holds, ...] = ("whole", "block")
    for columns, source in itertools.product((expected.shape[2], 4), sources):
        check_pieces(hw, layer, x, Pieces(2, columns, source=source))


@pytest.mark.parametrize("hw", GRID[::4], ids=name_of)
def test_padding_below_a_1x1_part(hw: HardwareConfig, rng: np.random.Generator) -> None:
    """The last kernel row is a 1x1 kernel, and its last output row is under padding."""
    layer, x = convolution(rng, (6, 4, hw.pixel_lanes), 10, (2, 1), padding=(1, 1, 0, 0))
    parts = parts_of(work_alone(hw, layer, 6), 1, 1, 9)
    sources: tuple[Holds, ...] = ("whole", "block", "part")
    for source in sources:
        check_pieces(hw, layer, x, Pieces(1, hw.pixel_lanes, 1, parts, source))


# -- additions -------------------------------------------------------------------------------------


def addition(
    rng: np.random.Generator, shape: Any, one_parameter: bool
) -> tuple[Add, list[np.ndarray]]:
    """An addition of a signed and an unsigned tensor, with results all over the range."""
    a, b = graphs.spec("a", shape, "int8"), graphs.spec("b", shape, "uint8")
    channels = 1 if one_parameter else shape[0]
    requant = graphs.requant(
        rng.integers(2**14, 2**16, channels), rng.integers(21, 23, channels), "int8"
    )
    layer = graphs.add(a, b, (77, -128), requant=requant, dtype="int8")
    return layer, [graphs.numbers(rng, "random", shape, spec.dtype) for spec in (a, b)]


def added(
    hw: HardwareConfig,
    layer: Add,
    inputs: list[np.ndarray],
    block: tuple[int, int],
    holds: tuple[Holds, Holds, Holds],
    *,
    interleave: int = 1,
    interleave_out: int = 1,
    by_word: bool = False,
) -> np.ndarray:
    """The sum [C, H, W], block by block. holds: what is in act of the operands and of the sum."""
    channels, rows, columns = layer.output.shape
    lanes = pack.in_order(channels, hw.input_lanes)
    width, words = hw.input_lanes, len(lanes) // hw.input_lanes
    work = work_of(hw, layer, [lanes] * 3)
    signed, every = (True, False, True), range(words)
    out = np.zeros(layer.output.shape, np.int8)
    blocks = itertools.product(split(rows, block[0]), split(columns, block[1]))
    for seed, (y, x) in enumerate(blocks):
        pads, base, places = fresh(hw, seed), align(hw, 9), []
        for number, hold in enumerate(holds):
            place = Place(base, words, rows, columns, signed[number],
                          interleave_out if number == 2 else interleave)  # fmt: skip
            if hold == "block":
                place = dataclasses.replace(
                    place, first_row=y.start, held_rows=len(y), first_column=x.start,
                    held_columns=len(x),
                )  # fmt: skip
            places.append(place)
            base = align(hw, base + place.size)
        assert base + 64 <= hw.act_words, "too large for this test"
        first, second, target = places
        put(pads, first, inputs[0], lanes)
        put(pads, second, inputs[1], lanes)
        pads.wgt[5:7] = work.weight_words(every, work.whole)
        for name, values in work.parameters.items():
            getattr(pads, name)[6 : 6 + len(values)] = values
        for some in split(words, 1) if by_word else [every]:
            at = 0 if work.one_parameter else some.start
            instruction = nest(
                hw, work, [first.part(some), second.part(some)], target.part(some), groups=some,
                rows=y, columns=x, w_init=5, par_init=6 + at,
            )  # fmt: skip
            written = addresses(target.part(some), y, x)
            run_checked(hw, pads, instruction, written, interleave_out)
            own = lanes[some.start * width : some.stop * width]
            take(out, pads, target.part(some), own, y, x)
    return out


BLOCKS = {
    "whole": (5, 7),
    "strips": (2, 7),
    "columns": (5, 4),
    "blocks": (2, 5),
    "single columns": (2, 1),
}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("hw", GRID, ids=name_of)
def test_additions_in_blocks(hw: HardwareConfig, block: str, rng: np.random.Generator) -> None:
    """Both operands whole, or both held for a block; read in phases; written whole, or not."""
    ways: list[tuple[bool, bool, Holds, Holds, int, int]] = [
        (True, False, "whole", "block", 2, 1),
        (False, True, "block", "whole", 4, 2),
        (list(BLOCKS).index(block) % 2 == 0, False, "block", "block", 1, 4),
    ]
    for one_parameter, by_word, operands, target, interleave, interleave_out in ways:
        layer, inputs = addition(rng, (21, 5, 7), one_parameter)
        expected = golden.run_layer(layer, [tensor[None] for tensor in inputs])[0]
        assert expected.std() > 20
        found = added(
            hw, layer, inputs, BLOCKS[block], (operands, operands, target), by_word=by_word,
            interleave=interleave, interleave_out=interleave_out,
        )  # fmt: skip
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("one_parameter", [True, False])
@pytest.mark.parametrize("hw", GRID[::4], ids=name_of)
def test_additions_of_blocks_of_different_shape(
    hw: HardwareConfig, one_parameter: bool, rng: np.random.Generator
) -> None:
    """A strip and a whole tensor are added word by word; of columns, besides, row by row."""
    layer, inputs = addition(rng, (21, 7, 9), one_parameter)
    expected = golden.run_layer(layer, [tensor[None] for tensor in inputs])[0]
    sides: tuple[Holds, ...] = ("whole", "block")
    for operands in (sides, sides[::-1]):
        holds: tuple[Holds, Holds, Holds] = (operands[0], operands[1], "block")
        for block in ((3, 9), (1, 4)):
            found = added(hw, layer, inputs, block, holds, by_word=True, interleave=2)
            assert np.array_equal(found, expected)
        for block, by_word in (((3, 9), False), ((3, 4), True)):
            with pytest.raises(ProgramError, match="blocks of different shape"):
                added(hw, layer, inputs, block, holds, by_word=by_word)


def test_additions_of_different_interleave() -> None:
    layer, _ = addition(np.random.default_rng(0), (8, 3, 4), True)
    places = [Place(64 * n, 1, 3, 4, True, 1 + n % 2) for n in range(3)]
    with pytest.raises(ProgramError, match="regions of different interleave"):
        map_layer(PYNQ, layer, places[:2], places[2], [pack.in_order(8, 8)] * 3)


def test_additions_are_one_long_row_where_they_can_be() -> None:
    """3 words of 7x7: 37 tiles with one parameter for all, else 13 for each word."""
    rng = np.random.default_rng(0)
    lanes = [pack.in_order(24, 8)] * 3
    whole = [Place(256 * n, 3, 7, 7, True) for n in range(3)]
    apart = [dataclasses.replace(place, pitch=50) for place in whole]

    def steps(one_parameter: bool, places: list[Place], rows: range | None = None) -> int:
        layer, _ = addition(rng, (24, 7, 7), one_parameter)
        mapped = map_layer(PYNQ, layer, places[:2], places[2], lanes, rows=rows)
        return cost(4, mapped.instruction).steps

    assert steps(True, whole) == 2 * 37
    assert steps(False, whole) == 2 * 3 * 13
    assert steps(True, apart) == steps(True, [*whole[:2], apart[2]]) == 2 * 3 * 13
    assert steps(True, whole, range(3, 6)) == 2 * 3 * 6


# -- what a nest is made of ------------------------------------------------------------------------


@given(st.lists(st.integers(1, 5), min_size=9, max_size=9), st.data())
def test_strides_are_the_inverse_of_jumps(bounds: list[int], data: st.DataObject) -> None:
    moves = {name: data.draw(st.integers(-50, 50)) for name in LEVELS}
    named = dict(zip(LEVELS, bounds, strict=True))
    back = strides(tuple(bounds), jumps(named, moves, 9))
    assert back == tuple(moves[n] if named[n] > 1 else 0 for n in LEVELS)


@pytest.mark.parametrize(
    ("columns", "interleave", "expected"),
    [(1, 1, 1), (3, 1, 1), (2, 2, 1), (6, 2, 1), (1, 2, 2), (1, 4, 4), (2, 4, 2), (4, 4, 1)],
)
def test_phases(columns: int, interleave: int, expected: int) -> None:
    assert phases(PYNQ, columns, interleave) == expected


def test_known_cycles(rng: np.random.Generator) -> None:
    """Steps and cycles of LeNet's convolutions on 4x8x8, as counted in the trial of the core."""
    pool = Pool((2, 2), "lanes")
    conv2, _ = convolution(rng, (6, 14, 14), 16, (3, 3))
    lanes = [pack.in_order(6, 8), pack.in_order(16, 8)]
    source, target = Place(0, 1, 14, 14, False), Place(400, 2, 6, 6, True)
    mapped = map_layer(PYNQ, conv2, [source], target, lanes, pool=pool)
    assert cost(4, mapped.instruction).steps == 648
    deep, _ = convolution(rng, (64, 14, 14), 64, (3, 3), padding=(1, 1, 1, 1))
    lanes = [pack.in_order(64, 8)] * 2
    source, target = Place(0, 8, 14, 14, False), Place(2000, 8, 14, 14, True)
    mapped = map_layer(PYNQ, deep, [source], target, lanes)
    assert cost(4, mapped.instruction).cycles == 32256 + 4


def unfold(
    hw: HardwareConfig, image: np.ndarray, kernel: int, stride: int, left: int, columns: int
) -> np.ndarray:
    """uint8[words*C, H, columns] of an image [C, H, W]: what `load` makes of its rows."""
    depth, height, width = image.shape
    words = -(-depth * kernel // hw.input_lanes)
    out = np.zeros((words * hw.input_lanes, height, columns), np.uint8)
    padded = np.zeros((depth, height, left + width + columns * stride + kernel), np.uint8)
    padded[:, :, left : left + width] = image
    for column in range(columns):
        under = padded[:, :, column * stride : column * stride + kernel]  # [C, H, S]
        bytes_in_order = under.transpose(2, 0, 1).reshape(-1, height)
        out[: len(bytes_in_order), :, column] = bytes_in_order[::-1]
    return out


@pytest.mark.parametrize("hw", GRID, ids=name_of)
@pytest.mark.parametrize(
    ("depth", "size", "kernel", "stride", "padding"),
    [(1, (10, 11), 3, 1, 1), (1, (9, 12), 5, 1, 0), (3, (8, 9), 3, 1, 1), (3, (13, 15), 7, 2, 3),
     (3, (23, 23), 11, 4, 2)],
)  # fmt: skip
def test_unfolded_first_layer(
    hw: HardwareConfig,
    depth: int,
    size: Any,
    kernel: int,
    stride: int,
    padding: int,
    rng: np.random.Generator,
) -> None:
    layer, image = convolution(
        rng, (depth, *size), 11, (kernel, kernel), stride=(stride, stride), padding=(padding,) * 4
    )
    _, rows, columns = layer.output.shape
    words = unfold(hw, image, kernel, stride, padding, columns)
    pads = fresh(hw)
    source = Place(0, len(words) // hw.input_lanes, size[0], columns, False)
    put(pads, source, words, np.arange(len(words)))
    lanes = pack.in_order(11, hw.input_lanes)
    target = Place(align(hw, source.size), len(lanes) // hw.input_lanes, rows, columns, True)
    weight = pack.unfolded_kernel(hw, layer.weight)
    channels = Channels.full(hw, source.words, target.words)
    window = Window((kernel, 1), (stride, 1), (padding, 0))
    instruction = slide(hw, source, target, window, channels, (-128, 127))
    packed = pack.kernel_words(hw, weight, np.arange(len(words)), lanes)
    parameters = pack.parameter_words(hw, layer.bias, layer.requant, lanes, hw.output_lanes)
    fill(pads, Mapped(instruction, packed, parameters))
    run(hw, pads, instruction)
    assert np.array_equal(
        get(pads, target, lanes, "int8"), golden.run_layer(layer, [image[None]])[0]
    )


def convolutions(network: str) -> list[tuple[Any, Any, Any]]:
    """(module, input shape, output shape) of a torchvision network's convolutions at 224x224."""
    import torch

    from cnnaccel.nn.models import build_model

    model = build_model(f"torchvision.models:{network}", {"weights": None}).eval()
    seen: list[tuple[Any, Any, Any]] = []
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda m, x, y: seen.append((m, x[0].shape[1:], y.shape[1:]))
            )
    with torch.no_grad():
        model(torch.zeros(1, 3, 224, 224))
    return seen


@pytest.mark.parametrize(
    ("network", "least"), [("vgg16", 0.98), ("alexnet", 0.85), ("resnet50", 0.945)]
)
def test_share_of_peak_over_the_convolutions(network: str, least: float) -> None:
    """Useful MACs per cycle and lane on 4x8x8, by the cost of the nests alone."""
    hw, cycles, useful = PYNQ, 0, 0
    for module, (depth, height, width), (outputs, rows, columns) in convolutions(network):
        (kernel_y, kernel_x), (stride, _), (top, left) = (
            module.kernel_size, module.stride, module.padding,
        )  # fmt: skip
        useful += outputs * rows * columns * depth * kernel_y * kernel_x
        target = Place(0, -(-outputs // 8), rows, columns, False)
        if depth == 3:
            source = Place(0, -(-depth * kernel_x // 8), height, columns, False)
            window = Window((kernel_y, 1), (stride, 1), (top, 0))
        else:
            source = Place(0, -(-depth // 8), height, width, False, interleave_for(hw, stride))
            window = Window((kernel_y, kernel_x), (stride, stride), (top, left))
        channels = Channels.full(hw, source.words, target.words)
        nest = slide(hw, source, target, window, channels, (0, 255))
        cycles += cost(4, nest).cycles
    share = useful / (cycles * hw.peak_macs)
    print(f"{network}: {share:.4f}")
    assert least <= share < 1


def test_lenet_in_a_batch_takes_1749_cycles_an_image() -> None:
    """conv1 unfolded, both pools by lanes, dense layers with P images in the lanes."""
    lanes = PYNQ.pixel_lanes
    by_lanes = Pool((2, 2), "lanes")

    def conv(words: int, out: int, size: int, kernel: Any, padding: Any, columns: int) -> int:
        source = Place(0, words, size, columns, False)
        rows = (size + 2 * padding[0] - kernel[0] + 1) // 2
        wide = (columns + 2 * padding[1] - kernel[1] + 1) // 2
        target = Place(0, out, rows, wide, False)
        window = Window(kernel, (1, 1), padding)
        channels = Channels.full(PYNQ, words, out)
        nest = slide(PYNQ, source, target, window, channels, (0, 255), pool=by_lanes)
        return cost(lanes, nest).cycles

    def fully(elements: int, out: int) -> int:
        """To a dense layer, images are the columns of one row."""
        source = Place(0, elements, 1, lanes, False)
        target = Place(0, out, 1, lanes, False)
        channels = Channels.full(PYNQ, elements, out)
        return cost(lanes, slide(PYNQ, source, target, Window(), channels, (0, 255))).cycles

    convolutions = [
        conv(1, 1, 28, (3, 1), (1, 0), 28),
        conv(1, 2, 14, (3, 3), (0, 0), 14),
    ]
    batched = [fully(2 * 36, 15), fully(15, 11), fully(11, 2)]
    # each instruction's last drain, P words, hides behind the next one's steps
    assert [cycles - lanes for cycles in convolutions] == [783, 648]
    assert sum(cycles - lanes for cycles in batched) == 1267
    assert 783 + 648 + 1267 / lanes < 1749


@pytest.mark.parametrize("rewind", [0, 1, 5])
def test_weights_that_move_from_tile_to_tile(rewind: int, rng: np.random.Generator) -> None:
    """No layer needs it, but it is what the walker says: wgt words counted one step at a time."""
    layer, x = convolution(rng, (16, 3, 9), 16, (2, 1))
    lanes = [pack.in_order(16, 8)] * 2
    source, target = Place(0, 2, 3, 9, False), Place(320, 2, 2, 9, True)
    whole = map_layer(PYNQ, layer, [source], target, lanes).instruction
    moved = dataclasses.replace(whole, w_rewind=rewind)
    steps, tiles = 4, 2 * 3
    word, expected = moved.w_init, []
    for group in range(2):
        word += moved.w_co if group else 0
        for tile in range(tiles):
            word -= rewind if tile else 0
            expected.append([(word + step) % PYNQ.wgt_words for step in range(steps)])
            word += steps - 1
    pads = fresh(PYNQ)
    put(pads, source, x, lanes[0])
    assert set(reads(pads, moved)[Memory.WGT].tolist()) == set(np.ravel(expected).tolist())
    pads.bias[:], pads.multiplier[:], pads.shift[:] = 0, 1, 0
    run(PYNQ, pads, moved)
    ungrouped = get(pads, target, lanes[1], "int8").reshape(2, 8, 2, 9)
    for tile, words in enumerate(expected):
        group, row, column = tile // tiles, tile % tiles // 3, tile % 3 * 4
        seen = x[:, row : row + 2, column : column + 4].astype(np.int64).reshape(2, 8, 2, -1)
        weights = pads.wgt[words].astype(np.int64).reshape(2, 2, 8, 8)  # [ky, ci, K, C]
        acc = np.einsum("yikc,icyp->kp", weights, seen)
        out = ungrouped[group, :, row, column : column + 4]
        assert np.array_equal(out, np.clip(acc, -128, 127))
