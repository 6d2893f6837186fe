"""Whole networks as programs: pixels in, logits out, equal to golden in any order of the units."""

from __future__ import annotations

import numpy as np
import pytest

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.config import QuantizeConfig
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.interpreter import ORDERS, Order, run_program
from cnnaccel.quant.ptq import quantize
from tests.support.networks import network, pixels

PYNQ = HardwareConfig()
NETWORKS = ("lenet", "lenet_caffe", "resnet8", "dscnn")
ENGINES = {
    "1x8x8": HardwareConfig(pixel_lanes=1),
    "1x4x16": HardwareConfig(pixel_lanes=1, input_lanes=4, output_lanes=16, act_kib=64),
    "2x4x4": HardwareConfig(pixel_lanes=2, input_lanes=4, output_lanes=4, act_kib=64),
    "4x8x32": HardwareConfig(output_lanes=32),
    "8x16x64": HardwareConfig(pixel_lanes=8, input_lanes=16, output_lanes=64),
    "small act": HardwareConfig(act_kib=4, par_groups=16),
    "small wgt": HardwareConfig(act_kib=64, wgt_kib=4, par_groups=16),
    "small": HardwareConfig(act_kib=8, wgt_kib=8, par_groups=16),
    "small 1x4x16": HardwareConfig(
        pixel_lanes=1, input_lanes=4, output_lanes=16, act_kib=16, wgt_kib=4, par_groups=16
    ),
    "small 8x8x16": HardwareConfig(
        pixel_lanes=8, output_lanes=16, act_kib=16, wgt_kib=16, par_groups=16
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def graph(request: pytest.FixtureRequest) -> Graph:
    model, shape = network(request.param)
    return quantize(model, request.param, pixels(shape, 4, seed=1), QuantizeConfig()).graph


@pytest.fixture(scope="module", params=[1, None], ids=["one image", "best"])
def compiled(request: pytest.FixtureRequest, graph: Graph) -> Compiled:
    """For the default engine."""
    return compile_graph(graph, PYNQ, request.param)


@pytest.mark.parametrize("order", ORDERS)
def test_from_pixels_to_logits(graph: Graph, compiled: Compiled, order: Order) -> None:
    """At least two iterations, the last one with images missing."""
    check(PYNQ, graph, compiled, order, images=compiled.ports.images + 2)


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "small 1x4x16" else name
        for name in ENGINES
    ],
)
def test_other_engines(graph: Graph, engine: str) -> None:
    hw = ENGINES[engine]
    check(hw, graph, compile_graph(graph, hw, 1), "random", images=2)


@pytest.mark.parametrize("engine", ["1x4x16", "8x16x64", "small"])
def test_other_engines_with_the_best_number_of_images(graph: Graph, engine: str) -> None:
    hw = ENGINES[engine]
    compiled = compile_graph(graph, hw)
    check(hw, graph, compiled, "load first", images=compiled.ports.images + 1)


def test_dense_layers_take_several_images_at_once(graph: Graph, compiled: Compiled) -> None:
    """Where a network ends in them, as LeNets do, this is what is best."""
    chosen = compiled.ports.images
    assert compiled.program.images_per_iteration == chosen
    if compiled.schedule.network.together:
        assert graph.name.startswith("lenet") and chosen > 1 and chosen % PYNQ.pixel_lanes == 0
    else:
        assert chosen == 1
    if graph.name.startswith("lenet"):
        assert compile_graph(graph, PYNQ).ports.images > 1


def check(hw: HardwareConfig, graph: Graph, compiled: Compiled, order: Order, images: int) -> None:
    ports = compiled.ports
    batch = pixels(graph.input.shape, images, seed=3)
    expected = golden.run(graph, batch)
    assert expected.std() > 0
    count = -(-images // ports.images)
    packed = ports.pack(batch)
    dram = run_program(hw, compiled.program, packed, count=count, order=order, seed=images)
    found = ports.unpack(dram[Base.OUTPUT], images)
    assert np.array_equal(found, expected)
    assert len(np.unique(expected.reshape(images, -1), axis=0)) > 1, "all images give the same"
