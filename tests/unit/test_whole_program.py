"""A whole network as one program: raw pixels in, logits out, equal to golden in any order of units.

The simplest schedule there is: weights resident, tensors whole, one image per iteration. First
layers are unfolded by `load`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cnnaccel.compiler import pack
from cnnaccel.compiler.fuse import fuse
from cnnaccel.compiler.interpreter import ORDERS, Order, run_program
from cnnaccel.compiler.isa import Base, Instruction, Load, Opcode, Store, Unit
from cnnaccel.compiler.loopnest import Channels, Place, Pool, Window, slide
from cnnaccel.compiler.mapping import Mapped, map_layer
from cnnaccel.compiler.program import Program
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d, Graph
from cnnaccel.nn.models import build_model
from tests.unit.test_fuse import places, quantized
from tests.unit.test_interpreter import from_words
from tests.unit.test_program import NOTHING, par_bytes


def program_of(hw: HardwareConfig, graph: Graph, images: int) -> Program:
    """The program of a network whose first layer is a convolution that alone reads the image."""
    width = hw.input_lanes
    fused = fuse(graph, width)
    where = dict(places(hw, graph, fused))
    lanes = {name: layout.lanes for name, layout in fused.layouts.items()}
    first = fused.steps[0].layer
    assert isinstance(first, Conv2d)
    depth, rows, columns = graph.input.shape
    words = -(-depth * first.kernel[1] // width)
    across = first.output.shape[2]
    unit = 4 * hw.pixel_lanes
    end = -(-max(place.base + place.size for place in where.values()) // unit) * unit
    unfolded = Place(end, words, rows, across, False)  # behind everything else
    weights, par, body = b"", b"", list[Instruction]()
    w_words = par_words = 0
    for number, step in enumerate(fused.steps):
        pool = None
        if step.pool is not None:
            by_lanes = hw.pixel_lanes % step.pool.kernel[1] == 0
            pool = Pool(step.pool.kernel, "lanes" if by_lanes else "window")
        target = where[step.output.name]
        at = {"w_init": w_words, "par_init": par_words}
        if number == 0:
            kernel = pack.unfolded_kernel(hw, first.weight)
            window = Window((first.kernel[0], 1), (first.stride[0], 1), (first.padding[0], 0))
            limits = (first.requant.low, first.requant.high)
            channels = Channels.full(hw, words, target.words)
            nest = slide(hw, unfolded, target, window, channels, limits, pool=pool, **at)
            own = lanes[step.output.name]
            mapped = Mapped(
                nest,
                pack.kernel_words(hw, kernel, np.arange(words * width), own),
                pack.parameter_words(hw, first.bias, first.requant, own, hw.output_lanes),
            )
        else:
            names = (*step.layer.inputs, step.output.name)
            sources = [where[name] for name in step.layer.inputs]
            mapped = map_layer(
                hw, step.layer, sources, target, [lanes[n] for n in names], pool=pool, **at
            )
        weights += mapped.weights.tobytes()
        par += par_bytes(mapped.parameters)
        w_words += len(mapped.weights)
        par_words += len(mapped.parameters["bias"])
        body.append(dataclasses.replace(mapped.instruction, wait_drain=number > 0))
    body[0] = dataclasses.replace(body[0], wait_for=Unit.LOAD, signal_to=Unit.LOAD)
    body[-1] = dataclasses.replace(body[-1], signal_to=Unit.STORE)
    out = where[graph.output.name]
    row_bytes = columns * depth
    assert first.kernel[1] * depth <= 64
    load = Load(
        opcode=Opcode.UNFOLD, base=Base.INPUT, advances=True, dram_stride=row_bytes, runs=rows,
        run_words=1, address=unfolded.base, stride=across, plane=unfolded.plane,
        pixel_bytes=depth, row_pixels=columns, columns=across, kernel_w=first.kernel[1],
        stride_x=first.stride[1], pad_left=first.padding[2], column_words=words,
        wait_for=Unit.COMPUTE, signal_to=Unit.COMPUTE,
    )  # fmt: skip
    store = Store(
        base=Base.OUTPUT, advances=True, run_words=out.size, address=out.base,
        interleave=out.interleave, wait_for=Unit.COMPUTE, signal_to=Unit.COMPUTE,
    )  # fmt: skip
    once = (
        Load(opcode=Opcode.LOAD_WGT, run_words=w_words),
        Load(opcode=Opcode.LOAD_PAR, dram_offset=len(weights), run_words=par_words),
        dataclasses.replace(NOTHING, signal_to=Unit.LOAD),
    )
    stored = dataclasses.replace(NOTHING, wait_for=Unit.STORE)  # before the next image's results
    return Program(
        digest=hw.digest, once=once, body=(load, *body, store, stored), weights=weights + par,
        count=images, input_stride=rows * row_bytes, output_stride=out.size * width,
    )  # fmt: skip


@pytest.fixture(scope="module")
def lenet() -> Graph:
    return quantized(build_model("lenet", {}), (1, 28, 28))


@pytest.mark.parametrize("order", ORDERS)
def test_lenet_from_pixels_to_logits(lenet: Graph, order: Order) -> None:
    check(HardwareConfig(), lenet, order, images=6)


@pytest.mark.parametrize("lanes", [(1, 4, 16), (2, 8, 8), (8, 16, 16)])
def test_lenet_on_other_engines(lenet: Graph, lanes: tuple[int, int, int]) -> None:
    p, c, k = lanes
    hw = HardwareConfig(pixel_lanes=p, input_lanes=c, output_lanes=k, act_kib=64)
    check(hw, lenet, "round robin", images=3)


def test_resnet8_from_pixels_to_logits() -> None:
    """Residual additions, shortcuts of stride 2, three channels unfolded."""
    graph = quantized(build_model("resnet8", {}), (3, 32, 32))
    check(HardwareConfig(), graph, "random", images=2)


def check(hw: HardwareConfig, graph: Graph, order: Order, images: int) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (images, *graph.input.shape), dtype=np.uint8)
    expected = golden.run(graph, pixels)
    program = program_of(hw, graph, images)
    raw = pixels.transpose(0, 2, 3, 1).tobytes()  # as a camera gives them: rows, columns, channels
    words = run_program(hw, program, raw, order=order)[Base.OUTPUT]
    found = from_words(words, graph.output.shape, hw.input_lanes)
    assert expected.std() > 0
    assert np.array_equal(found, expected)
