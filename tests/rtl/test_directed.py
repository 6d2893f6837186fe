"""Chosen cases on the whole engine: layers that are easily wrong, and the cycles of overlap."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import Compute, Load, Opcode, Unit
from cnnaccel.isa.program import Program
from cnnaccel.runtime.simulator import Timing
from tests.support import graphs
from tests.support.bench import law
from tests.support.engine import Engine, run
from tests.support.graphs import images_for
from tests.support.hardware import SMALL

BOARD = load_hardware("tiny")


def convolved(name: str, shape: tuple[int, int, int], outputs: int, side: int, step: int) -> Graph:
    """One convolution of images, int8 out."""
    rng = np.random.default_rng(outputs)
    x = graphs.spec("image", shape)
    weight = rng.integers(-128, 128, (outputs, shape[0], side, side))
    reduction = weight[0].size
    scale = graphs.requant(
        rng.integers(2**14, 2**15, outputs), 21 + reduction.bit_length() // 2, "int8"
    )
    layer = graphs.conv2d(x, weight, name, 77, scale, "int8", stride=(step, step))
    return Graph(name, x, (layer,))


def signed_maximum() -> Graph:
    graph = convolved("before", (3, 9, 11), 9, 3, 1)
    pool = graphs.max_pool(graph.layers[-1].output, (3, 3), "pool", stride=(2, 2),
                           padding=(1, 1, 1, 1))  # fmt: skip
    return dataclasses.replace(graph, layers=(*graph.layers, pool))


CASES: dict[str, tuple[Callable[[], Graph], Callable[[Compute], bool]]] = {
    "signed MAX": (
        signed_maximum, lambda one: one.opcode is Opcode.MAX and one.signed_first,
    ),
    "stride 3": (lambda: convolved("three", (3, 13, 20), 9, 3, 3), lambda one: True),
    "stride 6": (lambda: convolved("six", (3, 20, 32), 5, 7, 6), lambda one: True),
    "split reduction": (
        lambda: convolved("deep", (300, 4, 5), 10, 3, 1), lambda one: not one.clear,
    ),
    "K > C": (
        lambda: convolved("wide", (5, 6, 7), 20, 3, 1),
        lambda one: one.words == 2 and one.words_last == 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("stall", [0, 300])
@pytest.mark.parametrize("name", CASES)
def test_layers(name: str, stall: int) -> None:
    make, is_meant = CASES[name]
    graph = make()
    images = images_for(graph, 2)
    compiled = compile_graph(graph, SMALL, 1)
    computes = [one for one in compiled.program.body if isinstance(one, Compute)]
    assert any(map(is_meant, computes))
    out = run(Engine(SMALL, timing=Timing(stall_permille=stall)), compiled, images)
    assert len(np.unique(out)) > 20
    assert np.array_equal(out, golden.run(graph, images))


# -- overlap -------------------------------------------------------------------------------------


def cycles_of(*body: Load | Compute) -> int:
    """Of a program, from memory that keeps up."""
    engine = Engine(BOARD, timing=Timing(latency=0, bus_permille=1000))
    program = Program(digest=BOARD.digest, body=body, weights=bytes(4096))
    engine.put(program, np.zeros(0, np.uint8), 1)
    engine.start()
    assert engine.done
    return engine.read("cycles")


LONG = Compute(bounds=(1, 1, 1, 1, 1, 1, 1, 1, 90))
OVERLAPS = {
    "a tile of many steps": (LONG, 91),
    "tiles that wait for the drain": (Compute(bounds=(1, 1, 40, 1, 1, 1, 1, 1, 1)), 80),
    "tiles of as many steps as drains": (Compute(bounds=(1, 1, 40, 1, 1, 1, 1, 1, 2)), 81),
    "sums that go on": (dataclasses.replace(LONG, drain=False), 91),
    "wait_drain": (dataclasses.replace(LONG, wait_drain=True), None),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_instructions_follow_at_once(name: str) -> None:
    """The engine takes as much longer for each more as the law says: a cycle but for the drain."""
    one, each = OVERLAPS[name]
    few, many = 6, 16
    more = cycles_of(*[one] * many) - cycles_of(*[one] * few)
    _, done = law(BOARD, [one] * many)
    assert more == done[many - 1] - done[few - 1]
    print(f"{more / (many - few)} cycles each")
    if each is not None:
        assert more == each * (many - few)
    else:
        assert more > 100 * (many - few)


def test_loads_run_beside_the_array() -> None:
    """Steps and transfers of the same length take little more than one of them."""
    load = Load(opcode=Opcode.LOAD_ACT, run_words=800)
    step = Compute(bounds=(1, 1, 1, 1, 1, 1, 1, 1, 900), a_init=0)
    alone, both = cycles_of(load), cycles_of(load, step)
    after = dataclasses.replace(step, wait_for=Unit.LOAD)
    one_by_one = cycles_of(dataclasses.replace(load, signal_to=Unit.COMPUTE), after)
    assert both < 1.25 * alone and one_by_one > 1.8 * alone
