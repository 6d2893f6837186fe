"""Layers and small networks at random, on engines at random, as programs: equal to golden.

Whole tensors, in an order of the units at random. Scratchpads begin at 4 KiB, so that the same
layer is done whole, in strips, in blocks of columns, in chunks, and one tile and part at a time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Add, Concat, Graph
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.interpreter import Order, run_program
from tests.support import graphs
from tests.support.random_graphs import CORNERS, LANES, SINGLE, alone, networks, with_table

EVERYDAY, SWEEP = 50, 3000


@st.composite
def engines(draw: Any) -> HardwareConfig:
    """The smallest scratchpads come most often."""
    p, c, k = draw(st.sampled_from(LANES))
    return HardwareConfig(
        pixel_lanes=p,
        input_lanes=c,
        output_lanes=k,
        act_kib=draw(st.sampled_from((4, 4, 8, 16, 64))),
        wgt_kib=draw(st.sampled_from((4, 4, 8, 64))),
        par_groups=draw(st.sampled_from((16, 64))),
    )


def check(hw: HardwareConfig, graph: Graph, images: int | None, count: int, seed: int) -> Compiled:
    """The program gives what golden gives, for `count` images."""
    compiled = compile_graph(graph, hw, images)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *graph.input.shape), np.uint8)
    expected = golden.run(graph, pixels)
    ports = compiled.ports
    iterations = -(-count // ports.images)
    packed = ports.pack(pixels)
    orders: tuple[Order, ...] = ("random", "load first", "compute first", "store first")
    found = run_program(hw, compiled.program, packed, iterations, orders[seed % 4], seed)[
        Base.OUTPUT
    ]
    assert np.array_equal(ports.unpack(found, count), expected)
    return compiled


# -- single layers -------------------------------------------------------------------------------


def single_layer(hw: HardwareConfig, case: graphs.Case, seed: int) -> None:
    layer, inputs = case
    note(f"{hw} {layer}")
    if not isinstance(layer, Add | Concat):
        assume(max(layer.padding) < 64)
    check(hw, alone(layer, inputs), 1, 1, seed)


@settings(max_examples=EVERYDAY)
@given(engines(), SINGLE, graphs.seeds)
def test_any_layer(hw: HardwareConfig, case: graphs.Case, seed: int) -> None:
    single_layer(hw, case, seed)


@pytest.mark.slow
@settings(settings.get_profile("sweep"), max_examples=SWEEP)
@given(engines(), SINGLE, graphs.seeds)
def test_any_layer_sweep(hw: HardwareConfig, case: graphs.Case, seed: int) -> None:
    single_layer(hw, case, seed)


ENGINES = [
    HardwareConfig(pixel_lanes=p, input_lanes=c, output_lanes=k, act_kib=a, wgt_kib=w, par_groups=g)
    for (p, c, k), (a, w, g) in zip(
        LANES, [(4, 4, 16), (64, 64, 64), (8, 4, 16)] * 12, strict=True
    )
]  # fmt: skip


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("hw", ENGINES, ids=lambda hw: "x".join(map(str, (*hw.lanes, hw.act_kib))))
def test_convolution_corners(hw: HardwareConfig, corner: str) -> None:
    shape, outputs, kernel, window = CORNERS[corner]
    rng = np.random.default_rng(len(corner))
    source = graphs.spec("x", shape, "int8" if len(corner) % 2 else "uint8")
    groups = window.get("groups", 1)
    weight = rng.integers(-128, 128, (outputs, shape[0] // groups, *kernel))
    reduction = math.prod(weight.shape[1:])
    shift = 22 + max(0, int(math.log2(reduction) / 2))
    layer = graphs.conv2d(
        source, weight, bias=rng.integers(-999, 999, outputs), dtype="int8",
        requant=graphs.requant(rng.integers(2**14, 2**16, outputs), shift, "int8"), **window,
    )  # fmt: skip
    check(hw, with_table("corner", source, (layer,)), None, 2, len(corner))


# -- networks ------------------------------------------------------------------------------------


def network(hw: HardwareConfig, graph: Graph, each: bool, seed: int) -> None:
    note(f"{hw} each {each} seed {seed}\n" + "\n".join(
        f"{type(layer).__name__} {layer.inputs} -> {layer.output}" for layer in graph.layers
    ))  # fmt: skip
    check(hw, graph, 1 if each else None, 3, seed)


@settings(max_examples=EVERYDAY)
@given(engines(), networks(), st.booleans(), graphs.seeds)
def test_any_network(hw: HardwareConfig, graph: Graph, each: bool, seed: int) -> None:
    network(hw, graph, each, seed)


@pytest.mark.slow
@settings(settings.get_profile("sweep"), max_examples=SWEEP)
@given(engines(), networks(), st.booleans(), graphs.seeds)
def test_any_network_sweep(hw: HardwareConfig, graph: Graph, each: bool, seed: int) -> None:
    network(hw, graph, each, seed)
