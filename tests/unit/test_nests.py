"""Every layer kind as a loop nest, executed, equal to golden: whole tensors, and nothing beside."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from cnnaccel.compiler import pack
from cnnaccel.compiler.execute import cost, execute, reads
from cnnaccel.compiler.isa import LEVELS, Compute
from cnnaccel.compiler.loopnest import (
    Channels,
    Place,
    Pool,
    Window,
    dense,
    interleave_for,
    jumps,
    merged,
    phases,
    slide,
    strides,
)
from cnnaccel.compiler.mapping import Mapped, map_layer
from cnnaccel.compiler.scratchpad import Scratchpads
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Add, AnyLayer, Concat, Conv2d, MaxPool2d
from tests.unit import graphs
from tests.unit.reference import reference_layer

GRID = [
    HardwareConfig(pixel_lanes=p, input_lanes=c, output_lanes=c * times, act_kib=256, wgt_kib=256)
    for p in (1, 2, 4, 8)
    for c, times in ((4, 1), (4, 2), (4, 4), (8, 1), (8, 2), (8, 4), (16, 1), (16, 2), (16, 4))
]
hardware = st.sampled_from(GRID)
PYNQ = HardwareConfig()


def fresh(hw: HardwareConfig, seed: int = 0) -> Scratchpads:
    """Scratchpads full of garbage."""
    pads = Scratchpads.empty(hw)
    rng = np.random.default_rng(seed)
    pads.act[:] = rng.integers(0, 256, pads.act.shape)
    pads.wgt[:] = rng.integers(-128, 128, pads.wgt.shape)
    return pads


def addresses(place: Place) -> np.ndarray:
    """int64[words, rows, columns]: where the words of a tensor lie."""
    g, y, x = np.ogrid[: place.words, : place.rows, : place.columns]
    return np.asarray(place.base + g * place.plane + y * place.row + x * place.step)


def put(pads: Scratchpads, place: Place, tensor: np.ndarray, lanes: Any) -> None:
    """Write [C, H, W] into act; lanes without a channel keep garbage."""
    width = pads.act.shape[2]
    words = pads.read(addresses(place), place.interleave)
    flat = words.transpose(0, 3, 1, 2).reshape(-1, *tensor.shape[1:])
    held = np.asarray(lanes) >= 0
    flat[held] = tensor.view(np.uint8)[np.asarray(lanes)[held]]
    laid = flat.reshape(place.words, width, *tensor.shape[1:]).transpose(0, 2, 3, 1)
    pads.write(addresses(place), place.interleave, laid)


def get(pads: Scratchpads, place: Place, lanes: Any, dtype: Any) -> np.ndarray:
    """[C, H, W] out of act."""
    words = pads.read(addresses(place), place.interleave).transpose(0, 3, 1, 2)
    flat = words.reshape(-1, place.rows, place.columns)
    channels = np.asarray(lanes)
    order = [int(np.flatnonzero(channels == c)[0]) for c in range(channels.max() + 1)]
    return flat[order].view(dtype)


def fill(pads: Scratchpads, mapped: Mapped) -> None:
    """Put an instruction's weights and parameters where it expects them."""
    at = mapped.instruction.w_init
    assert len(mapped.weights) <= len(pads.wgt)
    pads.wgt[at : at + len(mapped.weights)] = mapped.weights
    at = mapped.instruction.par_init
    for name, values in mapped.parameters.items():
        getattr(pads, name)[at : at + len(values)] = values


def run(hw: HardwareConfig, pads: Scratchpads, instruction: Compute) -> None:
    """Through its bytes, as the engine would get it."""
    sums = np.zeros((hw.pixel_lanes, hw.output_lanes), np.int64)
    execute(pads, Compute.unpack(instruction.pack()), sums)


def align(hw: HardwareConfig, address: int) -> int:
    step = 4 * hw.pixel_lanes
    return -(-address // step) * step


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
    """The layer's output [K, P, Q] for inputs [C, H, W], computed by its instructions."""
    pads = fresh(hw)
    width = hw.input_lanes
    if interleave is None:
        windowed = not isinstance(layer, Add | Concat)
        interleave = interleave_for(hw, layer.stride[1]) if windowed else 1
        if pool is not None and pool.by == "window":
            interleave = interleave_for(hw, layer.stride[1] * pool.size[1])
    base, sources, lanes = 0, [], []
    for tensor in inputs:
        channels, rows, columns = tensor.shape
        words = -(-channels // width)
        place = Place(base, words, rows, columns, tensor.dtype == np.int8, interleave)
        sources.append(place)
        lanes.append(pack.in_order(channels, width))
        put(pads, place, tensor, lanes[-1])
        base = align(hw, base + place.size)
    output = pooled.output if pooled is not None else layer.output
    channels, rows, columns = output.shape
    target_lanes = pack.in_order(channels, width)
    target = Place(
        base, len(target_lanes) // width, rows, columns, output.dtype == "int8", interleave_out
    )
    assert align(hw, base + target.size) + 64 <= hw.act_words, "too large for this test"
    before = pads.act.copy()
    edges = np.linspace(0, rows, strips + 1).astype(int)
    for first, last in itertools.pairwise(edges):
        if first == last:
            continue
        mapped = map_layer(
            hw, layer, sources, target, [*lanes, target_lanes], pool=pool, w_init=3, par_init=2,
            rows=None if strips == 1 else range(int(first), int(last)),
        )  # fmt: skip
        fill(pads, mapped)
        run(hw, pads, mapped.instruction)
    written = np.zeros(pads.act.shape[:2], bool)
    written[pads.locate(addresses(target), interleave_out)] = True
    assert (pads.act[~written] == before[~written]).all(), "wrote beside its tensor"
    return get(pads, target, target_lanes, output.dtype)


@given(hardware, st.one_of(
    graphs.conv2d_cases(), graphs.depthwise_cases(), graphs.max_pool_cases(),
    graphs.avg_pool_cases(), graphs.add_cases(),
))  # fmt: skip
def test_any_layer_equals_golden(hw: HardwareConfig, case: graphs.Case) -> None:
    layer, inputs = case
    note(f"{hw.lanes} {layer}")
    if not isinstance(layer, Add):
        columns = layer.stride[1]
        assume(hw.pixel_lanes == 1 or (columns & -columns) <= 4)
        assume(max(layer.padding) < 64)
    images = [tensor[0] for tensor in inputs]
    expected = golden.run_layer(layer, [tensor[:1] for tensor in inputs])[0]
    assert np.array_equal(on_engine(hw, layer, images), expected)


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


CORNERS = {
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


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("hw", GRID, ids=lambda hw: "x".join(map(str, hw.lanes)))
def test_convolution_corners(hw: HardwareConfig, corner: str, rng: np.random.Generator) -> None:
    shape, out, kernel, rest = CORNERS[corner]
    layer, x = convolution(rng, shape, out, kernel, **rest)
    expected = reference_layer(layer, [x[None]])[0]
    assert expected.std() > 0
    assert np.array_equal(on_engine(hw, layer, [x]), expected)


@pytest.mark.parametrize("strips", [2, 3])
@pytest.mark.parametrize("interleave", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("hw", GRID[:36:4], ids=lambda hw: "x".join(map(str, hw.lanes)))
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
@pytest.mark.parametrize("hw", GRID[:36:3], ids=lambda hw: "x".join(map(str, hw.lanes)))
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


@pytest.mark.parametrize("hw", GRID, ids=lambda hw: "x".join(map(str, hw.lanes)))
@pytest.mark.parametrize("times", [1, 2])
def test_dense_with_images_in_lanes(
    hw: HardwareConfig, times: int, rng: np.random.Generator
) -> None:
    """A convolution writes its output flattened, images side by side; a dense layer reads them."""
    images, width = times * hw.pixel_lanes, hw.input_lanes
    layer, _ = convolution(rng, (5, 5, 6), 10, (2, 2), out="uint8")
    flat, _ = convolution(rng, layer.output.shape, 13, layer.output.shape[1:])
    pads = fresh(hw)
    lanes = pack.in_order(10, width)
    middle = align(hw, 2000)
    expected = []
    for n in range(images):
        x = graphs.numbers(rng, "random", (5, 5, 6), "uint8")
        source = Place(0, -(-5 // width), 5, 6, False)
        put(pads, source, x, pack.in_order(5, width))
        target = Place(middle + n, len(lanes) // width, 4, 5, False, step=images)
        mapped = map_layer(hw, layer, [source], target, [pack.in_order(5, width), lanes])
        fill(pads, mapped)
        run(hw, pads, mapped.instruction)
        hidden = golden.run_layer(layer, [x[None]])
        expected.append(golden.run_layer(flat, [hidden])[0, :, 0, 0])
    elements = Place(middle, len(lanes) // width, 20, 1, False, step=images)
    out_lanes = pack.in_order(13, width)
    result = Place(align(hw, middle + elements.size), len(out_lanes) // width, 1, 1, True,
                   step=images)  # fmt: skip
    instruction = dense(hw, elements, result, (-128, 127))
    weights = pack.dense_words(hw, flat.weight, lanes, out_lanes)
    parameters = pack.parameter_words(hw, flat.bias, flat.requant, out_lanes, hw.output_lanes)
    fill(pads, Mapped(instruction, weights, parameters))
    run(hw, pads, instruction)
    for n in range(images):
        place = Place(result.base + n, result.words, 1, 1, True, step=images)
        assert np.array_equal(get(pads, place, out_lanes, "int8")[:, 0, 0], expected[n])


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


def test_split_reduction_keeps_its_sums(rng: np.random.Generator) -> None:
    layer, x = convolution(rng, (24, 1, 1), 8, (1, 1))
    pads = fresh(PYNQ)
    source, target = Place(0, 3, 1, 1, False), Place(64, 1, 1, 1, True)
    put(pads, source, x, pack.in_order(24, 8))
    mapped = map_layer(PYNQ, layer, [source], target, [pack.in_order(24, 8), pack.in_order(8, 8)])
    fill(pads, mapped)
    whole = mapped.instruction

    parts = [
        dataclasses.replace(whole, bounds=(*whole.bounds[:8], 2), drain=False),
        dataclasses.replace(whole, bounds=(*whole.bounds[:8], 1), clear=False,
                            a_init=whole.a_init + 2, w_init=whole.w_init + 2),
    ]  # fmt: skip
    sums = rng.integers(-(2**20), 2**20, (4, 8))
    for part in parts:
        sums = execute(pads, part, sums)
    assert np.array_equal(
        get(pads, target, pack.in_order(8, 8), "int8"), golden.run_layer(layer, [x[None]])[0]
    )


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


@pytest.mark.parametrize("hw", GRID, ids=lambda hw: "x".join(map(str, hw.lanes)))
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
        if window == Window():
            source, target = merged(source), merged(target)
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
        source = Place(0, 1, elements, 1, False, step=lanes)
        target = Place(0, out, 1, 1, False, step=lanes)
        return cost(lanes, dense(PYNQ, source, target, (0, 255))).cycles

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
    assert set(reads(pads, moved)["wgt"].tolist()) == set(np.ravel(expected).tolist())
    pads.multiplier[:] = 1
    run(PYNQ, pads, moved)
    ungrouped = get(pads, target, lanes[1], "int8").reshape(2, 8, 2, 9)
    for tile, words in enumerate(expected):
        group, row, column = tile // tiles, tile % tiles // 3, tile % 3 * 4
        seen = x[:, row : row + 2, column : column + 4].astype(np.int64).reshape(2, 8, 2, -1)
        weights = pads.wgt[words].astype(np.int64).reshape(2, 2, 8, 8)  # [ky, ci, K, C]
        acc = np.einsum("yikc,icyp->kp", weights, seen)
        out = ungrouped[group, :, row, column : column + 4]
        assert np.array_equal(out, np.clip(acc, -128, 127))
