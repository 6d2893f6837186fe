"""Whole networks as programs: every layer, real images, larger than the chip; equal to golden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.config import DataConfig
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph, up_to
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.interpreter import Order, run_program
from cnnaccel.nn.data import load_dataset
from tests.support.hardware import OTHER, PYNQ, SMALLEST
from tests.support.networks import pixels, quantized


def compare(
    hw: HardwareConfig,
    graph: Graph,
    images: np.ndarray,
    at_a_time: int | None = None,
    order: Order = "random",
) -> Compiled:
    """All values of the result are golden's."""
    compiled = compile_graph(graph, hw, at_a_time)
    count = -(-len(images) // compiled.ports.images)
    packed = compiled.ports.pack(images)
    output = run_program(hw, compiled.program, packed, count, order, seed=len(images))[Base.OUTPUT]
    expected = golden.run(graph, images)
    assert np.array_equal(compiled.ports.unpack(output, len(images)), expected)
    return compiled


@pytest.mark.parametrize("at_a_time", [pytest.param(1, marks=pytest.mark.slow), None])
def test_lenet_on_a_thousand_real_images(data_dir: Path, at_a_time: int | None) -> None:
    images = load_dataset(DataConfig(), data_dir).test.images[:1000]
    assert images.shape == (1000, 1, 28, 28)
    compare(PYNQ, quantized("lenet"), images, at_a_time)


SMALL = [("lenet", 7), ("lenet_caffe", 6), ("resnet8", 14), ("dscnn", 11)]


@pytest.mark.parametrize(("name", "layers"), SMALL)
@pytest.mark.parametrize(
    "hw",
    [PYNQ, SMALLEST, pytest.param(OTHER, marks=pytest.mark.slow)],
    ids=["pynq", "smallest", "other"],
)
def test_every_layer(name: str, layers: int, hw: HardwareConfig) -> None:
    graph = quantized(name)
    assert len(graph.layers) == layers
    images = pixels(graph.input.shape, 1 if hw == SMALLEST else 3, seed=7)
    step = 2 if hw == SMALLEST else 1
    for layer in sorted({*range(0, layers, step), layers - 1}):
        compare(hw, up_to(graph, graph.layers[layer]), images)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_larger_than_the_chip(name: str) -> None:
    """Weights of megabytes through 128 KiB; every fifth layer, and the logits."""
    graph = quantized(name)
    images = pixels(graph.input.shape, 1, seed=7)
    for layer in range(0, len(graph.layers) - 1, 5):
        compare(PYNQ, up_to(graph, graph.layers[layer]), images, 1)
    compiled = compare(PYNQ, graph, images, 1)
    assert len(compiled.program.weights) > 2e6 > 10 * PYNQ.wgt_kib * 1024


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
@pytest.mark.parametrize("hw", [PYNQ, OTHER], ids=["pynq", "other"])
def test_every_layer_larger_than_the_chip(name: str, hw: HardwareConfig) -> None:
    graph = quantized(name)
    images = pixels(graph.input.shape, 2, seed=8)
    for layer in range(len(graph.layers)):
        compare(hw, up_to(graph, graph.layers[layer]), images, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_a_batch_larger_than_the_chip(name: str) -> None:
    graph = quantized(name)
    compare(PYNQ, graph, pixels(graph.input.shape, 6, seed=9), 4)
