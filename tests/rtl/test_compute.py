"""`compute` in simulation equals `execute()`, in every byte of act, in the cycles of the law."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.lower.loopnest import Pool
from cnnaccel.compiler.plan.schedule import TooSmallError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir.graph import Add, Concat, Graph
from cnnaccel.isa.instructions import Compute, Opcode, Unit
from cnnaccel.isa.random_instruction import free, garbage, synchronised
from cnnaccel.tools.verilate import lint
from tests.support import graphs
from tests.support.bench import COMPUTE, TESTBENCH, Bench, check, engine, name_of
from tests.support.instructions import anywhere
from tests.support.nests import CORNERS, convolution, parts_of, work_alone
from tests.support.random_graphs import networks

GAPS = (0.0, 0.3, 0.9)
TRANSFERS = 300
LONGEST = 6
"""Instructions in a sequence."""


TINY, Z1 = load_hardware("tiny"), load_hardware("pynq_z1")
# Half of the products of the first are made of LUTs.
EVERYDAY = (engine(2, 4, 4, dsp_budget=16), engine(1, 4, 16))
SLOW = (
    engine(4, 8, 8),
    engine(2, 8, 16), engine(8, 4, 4), engine(4, 16, 16), engine(8, 4, 16),
    engine(1, 16, 16), engine(4, 8, 8, dsp_packing=False, dsp_budget=100),
    engine(4, 8, 16, dsp_budget=200),
)  # fmt: skip


engines = pytest.mark.parametrize(
    "hw",
    [*EVERYDAY, *(pytest.param(hw, marks=pytest.mark.slow) for hw in SLOW)],
    ids=name_of,
)
few = settings(max_examples=40, suppress_health_check=list(HealthCheck))


def run(
    hw: HardwareConfig, rng: np.random.Generator, instructions: list[Compute], gap: float
) -> None:
    """In sequences, on garbage, with transfers on the side if there are gaps."""
    for at in range(0, len(instructions), LONGEST):
        pads = garbage(hw, rng)
        some = synchronised(pads, instructions[at : at + LONGEST])
        check(hw, pads, some, rng, gap=gap, traffic=TRANSFERS if gap else 0)


@pytest.mark.parametrize("hw", [TINY, Z1, *EVERYDAY[1:], *SLOW], ids=name_of)
@pytest.mark.parametrize("top", ["compute", "compute_tb"])
def test_lint(top: str, hw: HardwareConfig) -> None:
    lint(top, COMPUTE if top == "compute" else [*COMPUTE, TESTBENCH], hw)


@engines
@few
@given(graphs.seeds, st.integers(1, LONGEST), st.sampled_from(GAPS))
def test_free_instructions(hw: HardwareConfig, seed: int, count: int, gap: float) -> None:
    rng = np.random.default_rng(seed)
    pads = garbage(hw, rng)
    made = [free(hw, rng, pads) for _ in range(count)]
    made[0] = dataclasses.replace(made[0], clear=True)
    run(hw, rng, made, gap)


CASES = st.one_of(
    graphs.conv2d_cases(), graphs.depthwise_cases(), graphs.max_pool_cases(),
    graphs.avg_pool_cases(), graphs.add_cases(),
)  # fmt: skip


@engines
@few
@given(st.lists(CASES, min_size=1, max_size=LONGEST), graphs.seeds, st.sampled_from(GAPS))
def test_layers(hw: HardwareConfig, cases: list[graphs.Case], seed: int, gap: float) -> None:
    rng = np.random.default_rng(seed)
    made = []
    for layer, inputs in cases:
        if not isinstance(layer, Add | Concat):
            columns = layer.stride[1]
            assume(hw.pixel_lanes == 1 or (columns & -columns) <= 4)
        place = anywhere(hw, rng, layer, [x[0] for x in inputs])
        assume(place.fits)
        made.append(place.nest(hw, rng))
    note(f"{hw} {gap}")
    run(hw, rng, made, gap)


@engines
def test_corners(hw: HardwareConfig, rng: np.random.Generator) -> None:
    made = []
    for shape, out, kernel, rest in CORNERS.values():
        layer, x = convolution(rng, shape, out, kernel, **rest)
        made.append(anywhere(hw, rng, layer, [x]).nest(hw, rng))
    for gap in GAPS:
        run(hw, rng, made, gap)


@engines
@pytest.mark.parametrize("by", ["lanes", "window"])
def test_pooling(hw: HardwareConfig, by: Any, rng: np.random.Generator) -> None:
    layer, x = convolution(rng, (6, 9, 13), 10, (3, 3), padding=(1, 1, 1, 1))
    made = []
    sizes: tuple[tuple[int, int], ...] = ((2, 2), (2, 4), (1, 2), (3, 3))
    for size in sizes:
        if by == "lanes" and (hw.pixel_lanes % size[1] or size[1] == 3):
            continue
        pool = Pool(size, by)
        pooled = graphs.max_pool(layer.output, size, stride=size)
        made.append(anywhere(hw, rng, layer, [x], pool, pooled).nest(hw, rng, pool=pool))
    if made:
        run(hw, rng, made, 0.0)
        run(hw, rng, made, 0.3)


@engines
def test_parts_of_a_reduction(hw: HardwareConfig, rng: np.random.Generator) -> None:
    """Sums stay from one instruction to the next, others' drains go on meanwhile."""
    layer, x = convolution(rng, (35, 3, 2 * hw.pixel_lanes), 4, (3, 3), stride=(1, 2),
                           padding=(1, 0, 2, 1))  # fmt: skip
    place = anywhere(hw, rng, layer, [x])
    rows, columns = range(1), range(min(hw.pixel_lanes, layer.output.shape[2]))
    for size in ((1, 9, 9), (9, 1, 9), (2, 2, 2)):
        parts = parts_of(work_alone(hw, layer, 35), *size)[:LONGEST]
        made = [
            place.nest(
                hw, rng, part, rows=rows, columns=columns, clear=number == 0,
                drain=number == len(parts) - 1,
            )
            for number, part in enumerate(parts)
        ]  # fmt: skip
        for gap in GAPS:
            run(hw, rng, made, gap)


@engines
def test_maxima_begin_anew(hw: HardwareConfig, rng: np.random.Generator) -> None:
    """Whatever sums there are, and whatever `clear` says."""
    pads = garbage(hw, rng)
    for _ in range(10):
        first, second = (free(hw, rng, pads, single=1) for _ in range(2))
        made = [
            dataclasses.replace(first, opcode=Opcode.MAC, clear=True, drain=False),
            dataclasses.replace(
                second, opcode=Opcode.MAX, clear=False, drain=True, out_w=131071, low=-128, high=255
            ),
        ]
        pads.multiplier[:], pads.shift[:], pads.bias[:] = 1, 0, 0
        check(hw, pads, synchronised(pads, made), rng)


@engines
def test_requantization(hw: HardwareConfig, rng: np.random.Generator) -> None:
    """Every shift, multipliers and biases at their ends, ties: one layer per group of par."""
    layer, x = convolution(rng, (4, 5, 9), 4, (1, 1), "int8")
    place = anywhere(hw, rng, layer, [x])
    ends = np.array([-(2**31), -(2**31) + 1, -(2**15), -1, 0, 1, 2**15, 2**31 - 2**19, 2**31 - 1])
    every = itertools.product(range(48), (0, 1, 3, 2**15, 2**16 - 1), ends)
    values = rng.permutation(np.array(list(every)))
    pads = garbage(hw, rng)
    shape, size = pads.shift.shape, pads.shift.size
    fields: tuple[Any, ...] = (pads.shift, pads.multiplier, pads.bias)
    for at in range(0, len(values), size):
        chosen = np.resize(values[at : at + size], (*shape, 3))
        for number, field in enumerate(fields):
            field[...] = chosen[..., number]
        made = [
            dataclasses.replace(
                place.nest(hw, rng), par_init=group, low=low, high=high, lanes_per_slot=1
            )
            for group, (low, high) in zip(
                range(shape[0]), itertools.cycle(((-128, 127), (0, 255), (-100, 200)))
            )
        ]
        check(hw, pads, synchronised(pads, made), rng)


@engines
@few
@given(networks(), graphs.seeds, st.sampled_from(GAPS))
def test_programs(hw: HardwareConfig, graph: Graph, seed: int, gap: float) -> None:
    """What the compiler makes of networks, without the loads and stores between: the next one
    waits where it takes a token."""
    rng = np.random.default_rng(seed)
    try:
        program = compile_graph(graph, hw, 1).program
    except TooSmallError:
        assume(False)
    made = [
        dataclasses.replace(one, wait_drain=one.wait_drain or one.wait_for != Unit(0))
        for one in program.body
        if isinstance(one, Compute)
    ]
    check(hw, garbage(hw, rng), made, rng, gap=gap)


@engines
def test_reset_at_any_time(hw: HardwareConfig, rng: np.random.Generator) -> None:
    bench = Bench(hw)
    for cycles in (1, 2, 3, 5, 8, 13, 16, 17, 18, 19, 20, 25, 31, 33, 40, 60):
        pads = garbage(hw, rng)
        layer, x = convolution(rng, (4, 6, 9), 9, (3, 3), padding=(1, 1, 1, 1))
        made = [anywhere(hw, rng, layer, [x]).nest(hw, rng) for _ in range(2)]
        bench.interrupt(made, cycles)
        check(hw, pads, synchronised(pads, made), rng, bench=bench)
