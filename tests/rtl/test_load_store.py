"""load, store and their AXI masters against `transfer()`, with stalls on every handshake."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.plan.tiling import unfold_cycles
from cnnaccel.hardware import PAR_BYTES, HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.ir.intmath import SHIFT_MAX
from cnnaccel.isa.instructions import Base, Error, Load, Opcode, Store
from cnnaccel.isa.latency import LOAD_CYCLES, LOAD_TO_DONE_CYCLES
from cnnaccel.isa.random_instruction import count, drawn, place, unfold_fields
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.tools.verilate import lint
from tests.support import graphs
from tests.support.load_store import (
    BUFFER_BYTES,
    HW,
    MODULES,
    OTHER_BYTES,
    SOURCES,
    TOP,
    Case,
    Outcome,
    Step,
    expected,
    simulate,
    tiny,
)
from tests.support.styles import ORDERS

LANES = ((2, 4, 4), (2, 16, 64), (4, 8, 8), (1, 4, 4))
WIDE = dataclasses.replace(tiny((2, 16, 64)), address_bits=40)
"""The engine of these lanes, in all tests: its addresses are as long as those of a ZCU104."""
STALLS = (0.0, 0.3, 0.9)
LOADS = (Opcode.LOAD_ACT, Opcode.LOAD_WGT, Opcode.LOAD_PAR, Opcode.UNFOLD)
lanes_and_stalls = pytest.mark.parametrize("stall", STALLS)


# the last two are of the kind of the first, K = C: only the sweep takes them, and every day whole
# networks run on 4x8x8
@pytest.fixture(
    params=[*LANES[:2], *(pytest.param(lanes, marks=pytest.mark.slow) for lanes in LANES[2:])],
    ids=lambda lanes: "x".join(map(str, lanes)),
)
def hardware(request: pytest.FixtureRequest) -> HardwareConfig:
    return WIDE if request.param == (2, 16, 64) else tiny(request.param)


# -- random instructions -------------------------------------------------------------------------


def random_step(
    rng: np.random.Generator, hardware: HardwareConfig, opcode: Opcode, size: int
) -> Step:
    """A legal instruction; scratchpad addresses are anything, they wrap."""
    width = hardware.input_lanes
    kind = Store if opcode is Opcode.STORE else Load
    values = drawn(rng, kind) | {"opcode": opcode, "runs": count(rng, 6)}
    word = {Opcode.LOAD_WGT: width * hardware.output_lanes,
            Opcode.LOAD_PAR: PAR_BYTES * hardware.output_lanes}.get(opcode, width)  # fmt: skip
    unit = width
    if opcode is Opcode.UNFOLD:
        values |= unfold_fields(rng, width) | {"base": Base.INPUT}
        length, unit = values["row_pixels"] * values["pixel_bytes"], 1
    else:
        values["run_words"] = count(rng, 7 if word > width else 60)
        length = values["run_words"] * word
        values["base"] = Base.WEIGHTS if opcode is Opcode.LOAD_PAR else Base.SCRATCH
        if rng.random() < 0.5 and opcode is not Opcode.LOAD_PAR:
            values["base"] = Base.OUTPUT
    offset, values["dram_stride"] = place(rng, values["runs"], length, unit, size)
    advance = int(rng.integers(0, offset // unit, endpoint=True)) * unit
    if rng.random() < 0.5:  # close together, as layouts are
        values |= {"distance": 1, "address": count(rng, 64), "stride": count(rng, 64)}
    return Step(kind(**values | {"dram_offset": offset - advance}), advance)


def random_case(
    rng: np.random.Generator, hardware: HardwareConfig, steps: int, **rest: Any
) -> Case:
    """INPUT begins at any byte; WEIGHTS has bytes that are shifts everywhere."""
    width = hardware.input_lanes
    size = BUFFER_BYTES - 64
    base = {each: each * BUFFER_BYTES + width * int(rng.integers(1, 3)) for each in Base}
    base[Base.INPUT] += int(rng.integers(0, width))
    memory = rng.integers(0, 256, 4 * BUFFER_BYTES + OTHER_BYTES).astype(np.uint8)
    memory[:BUFFER_BYTES] %= SHIFT_MAX + 1
    pads = Scratchpads.empty(hardware)
    pads.act[:] = rng.integers(0, 256, pads.act.shape)
    pads.wgt[:] = rng.integers(-128, 128, pads.wgt.shape)
    opcodes = rng.choice(np.array([*LOADS, Opcode.STORE, Opcode.STORE]), steps)
    program = [random_step(rng, hardware, Opcode(int(opcode)), size) for opcode in opcodes]
    return Case(
        hardware, program, memory, pads, base, dict.fromkeys(Base, size),
        seed=int(rng.integers(1 << 31)), **rest,
    )  # fmt: skip


def assert_same(case: Case, found: Outcome) -> None:
    wanted = expected(case)
    assert not found.complaint, found.complaint
    assert found.done == wanted.done
    assert found.errors == wanted.errors
    for name in ("memory", "act", "wgt", "par"):
        got, want = getattr(found, name), getattr(wanted, name)
        wrong = np.argwhere(got != want)
        at = tuple(wrong[0]) if len(wrong) else ()
        assert not len(wrong), (
            f"{name}{list(map(int, at))}: got {got[at]}, expected {want[at]}; {len(wrong)} differ; "
            f"{[step.instruction for step in case.steps]}"
        )


@lanes_and_stalls
def test_random_instructions(
    hardware: HardwareConfig, stall: float, rng: np.random.Generator
) -> None:
    beats = 0
    for round_ in range(4 if stall == 0.9 else 12):
        case = random_case(
            rng, hardware, 16, stall=stall, style=ORDERS[round_ % len(ORDERS)],
            latency=int(rng.integers(1, 40)), act_latency=int(rng.integers(1, 6)),
            other=(4 * BUFFER_BYTES, OTHER_BYTES) if round_ % 2 else (0, 0),
        )  # fmt: skip
        found = simulate(case)
        assert_same(case, found)
        assert (found.other_beats > 0) == (round_ % 2 == 1)
        beats += found.read_beats + found.write_beats
    assert beats > 1000


@pytest.mark.parametrize("opcode", [*LOADS, Opcode.STORE], ids=lambda opcode: opcode.name)
def test_one_after_the_other(
    hardware: HardwareConfig, opcode: Opcode, rng: np.random.Generator
) -> None:
    """Of one kind, without a stall: nothing of one instruction stays for the next."""
    for _ in range(6):
        case = random_case(rng, hardware, 0, latency=1)
        size = case.size[Base.INPUT]
        case.steps = [random_step(rng, hardware, opcode, size) for _ in range(12)]
        assert_same(case, simulate(case))


@pytest.mark.slow
def test_large_act(rng: np.random.Generator) -> None:
    """Addresses and distances of all their bits."""
    hardware = dataclasses.replace(tiny(), act_kib=1024)
    for _ in range(4):
        case = random_case(rng, hardware, 16)
        assert_same(case, simulate(case))


def test_wide_addresses(rng: np.random.Generator) -> None:
    """Offsets have 32 bits, addresses as many as the bus."""
    for origin in (0xFFFF_8000, 0xAB_0000_0000):  # the first one is passed by a buffer
        case = random_case(rng, WIDE, 24, origin=origin, other=(4 * BUFFER_BYTES, OTHER_BYTES))
        assert_same(case, simulate(case))


@pytest.mark.slow
def test_many_random_instructions(hardware: HardwareConfig) -> None:
    for seed in range(300):
        style = ORDERS[seed % len(ORDERS)]
        rng = np.random.default_rng(seed)
        stall = float(rng.choice([0.0, 0.1, 0.3, 0.6]))
        case = random_case(
            rng, hardware, 20, stall=stall, style=style,
            latency=int(rng.integers(1, 80)), act_latency=int(rng.integers(1, 6)),
            other=(4 * BUFFER_BYTES, OTHER_BYTES),
        )  # fmt: skip
        print(f"seed {seed}")
        assert_same(case, simulate(case))


# -- programs of the compiler --------------------------------------------------------------------


def network(rng: np.random.Generator) -> Graph:
    """A raw image, unfolded; words of two groups; spills where act is small."""
    image = graphs.spec("image", (3, 19, 17))
    first = graphs.conv2d(image, rng.integers(-9, 9, (6, 3, 5, 5)), "first", padding=(2,) * 4,
                          stride=(2, 2), requant=graphs.requant(3, 8))  # fmt: skip
    second = graphs.conv2d(first.output, rng.integers(-9, 9, (20, 6, 3, 3)), "second",
                           padding=(1,) * 4, requant=graphs.requant(3, 8))  # fmt: skip
    return Graph("small", image, (first, second))


@lanes_and_stalls
def test_compiled_program(hardware: HardwareConfig, stall: float, rng: np.random.Generator) -> None:
    """All loads and stores of a program, for two iterations, with nothing computed between them."""
    program = compile_graph(network(rng), hardware).program
    count_ = 2
    strides = {Base.INPUT: program.input_stride, Base.OUTPUT: program.output_stride}
    steps = []
    for iteration, section in enumerate((program.once, *[program.body] * count_), start=-1):
        for instruction in section:
            if isinstance(instruction, Load | Store):
                by = strides.get(instruction.base, 0) if instruction.advances else 0
                steps.append(Step(instruction, max(0, iteration) * by))
    size = {
        Base.WEIGHTS: len(program.weights),
        Base.INPUT: count_ * program.input_stride,
        Base.OUTPUT: count_ * program.output_stride,
        Base.SCRATCH: program.scratch_bytes,
    }
    ends = np.cumsum([-(-size[each] // 64) * 64 + 64 for each in Base])
    base = dict(zip(Base, [0, *map(int, ends[:-1])], strict=True))
    memory = rng.integers(0, 256, int(ends[-1])).astype(np.uint8)
    memory[: len(program.weights)] = np.frombuffer(program.weights, np.uint8)
    case = Case(
        hardware, steps, memory, Scratchpads.empty(hardware), base, size,
        seed=int(rng.integers(1 << 31)), stall=stall,
    )  # fmt: skip
    kinds = {step.instruction.opcode for step in steps}
    assert kinds >= {Opcode.UNFOLD, Opcode.LOAD_WGT, Opcode.LOAD_PAR, Opcode.STORE}
    assert_same(case, simulate(case))


# -- speed ---------------------------------------------------------------------------------------


LATENCY = 50
"""Cycles of memory."""
TO_END = LATENCY + LOAD_CYCLES + LOAD_TO_DONE_CYCLES
"""Cycles of a load, beside those of its words."""


def timed(hardware: HardwareConfig, steps: list[Load | Store], rng: np.random.Generator) -> Outcome:
    case = random_case(rng, hardware, 0, latency=LATENCY)
    case.steps = [Step(step) for step in steps]
    found = simulate(case)
    assert_same(case, found)
    return found


@pytest.mark.parametrize("opcode", LOADS[:3], ids=lambda opcode: opcode.name)
def test_latency(hardware: HardwareConfig, opcode: Opcode, rng: np.random.Generator) -> None:
    """From taking an instruction of one word to its end."""
    base = Base.WEIGHTS if opcode is Opcode.LOAD_PAR else Base.SCRATCH
    found = timed(hardware, [Load(opcode=opcode, base=base)], rng)
    beats = found.read_beats - 1  # behind the first
    assert found.cycles - 1 == TO_END + beats


def test_loads_hide_the_latency(hardware: HardwareConfig, rng: np.random.Generator) -> None:
    """Words arrive one each cycle, over the boundaries of runs and instructions."""
    load = Load(base=Base.SCRATCH, run_words=16, runs=4, dram_stride=16 * hardware.input_lanes,
                stride=16)  # fmt: skip
    found = timed(hardware, [load] * 8, rng)
    assert found.read_beats == 8 * 64
    assert found.cycles <= 8 * (64 + 3) + TO_END


def test_unfold_takes_a_pixel_each_cycle(
    hardware: HardwareConfig, rng: np.random.Generator
) -> None:
    """Or a word, with no more between rows than the compiler thinks."""
    load = Load(opcode=Opcode.UNFOLD, base=Base.INPUT, runs=6, pixel_bytes=3, row_pixels=40,
                dram_stride=120, columns=40, kernel_w=1, stride=40)  # fmt: skip
    narrow = unfold_cycles(6, 40, 1, 1, 1)
    assert narrow - 6 < timed(hardware, [load], rng).cycles - 1 <= narrow + TO_END
    wide = dataclasses.replace(load, kernel_w=5, pad_left=2, plane=40,
                               column_words=-(-15 // hardware.input_lanes))  # fmt: skip
    longer = unfold_cycles(6, 40, wide.column_words, 5, 1)
    assert longer - 6 < timed(hardware, [wide], rng).cycles - 1 <= longer + TO_END


def test_unfold_drops_a_beat_each_cycle(hardware: HardwareConfig, rng: np.random.Generator) -> None:
    """What is left of a row behind its last column goes as fast as it comes."""
    load = Load(
        opcode=Opcode.UNFOLD,
        base=Base.INPUT,
        runs=6,
        pixel_bytes=1,
        row_pixels=1000,
        dram_stride=1000,
        columns=4,
        kernel_w=3,
        stride=4,
    )
    found = timed(hardware, [load], rng)
    assert found.cycles <= found.read_beats + 6 * (8 + 4) + TO_END


def test_stores_hide_the_latency(hardware: HardwareConfig, rng: np.random.Generator) -> None:
    store = Store(base=Base.SCRATCH, run_words=16, runs=8, dram_stride=16 * hardware.input_lanes,
                  stride=16)  # fmt: skip
    found = timed(hardware, [store] * 4, rng)
    assert found.write_beats == 4 * 128
    assert found.cycles <= 4 * (128 + 6) + 50 + 50 + 15


# -- errors --------------------------------------------------------------------------------------


def bad_places(width: int, size: int) -> list[dict[str, int]]:
    """Runs of four words, three of them, that leave a buffer or lie askew."""
    last = size - 4 * width
    return [
        {"dram_offset": last + width, "dram_stride": 0},
        {"dram_offset": last, "dram_stride": width},
        {"dram_offset": last - width, "dram_stride": width},  # the third run alone
        {"dram_offset": width, "dram_stride": -width},
        {"dram_offset": (1 << 32) - width, "dram_stride": 0},
        {"dram_offset": 0, "dram_stride": -(1 << 31)},
        {"dram_offset": 0, "dram_stride": (1 << 31) - width},
        {"dram_offset": width // 2, "dram_stride": 0},
        {"dram_offset": 0, "dram_stride": width + 1},
    ]


@pytest.mark.parametrize("kind", [Load, Store])
def test_address_outside(
    hardware: HardwareConfig, kind: type[Any], rng: np.random.Generator
) -> None:
    for values in bad_places(hardware.input_lanes, BUFFER_BYTES - 64):
        for stall in (0.0, 0.3):
            case = random_case(rng, hardware, 0, stall=stall)
            good = kind(base=Base.SCRATCH, run_words=9)
            bad = kind(base=Base.OUTPUT, run_words=4, runs=3, **values)
            case.steps = [Step(good), Step(bad), Step(good), Step(good)]
            found = simulate(case)
            assert not found.complaint, found.complaint
            unit = kind is Store
            assert found.errors[unit] is Error.ADDRESS
            assert found.error_index[unit] == 1001
            assert found.done[unit] <= 1
            assert_only_buffers(case, found)


def test_advance_beyond_32_bits(hardware: HardwareConfig, rng: np.random.Generator) -> None:
    case = random_case(rng, hardware, 0)
    for kind in (Load, Store):
        case.steps = [Step(kind(base=Base.OUTPUT, dram_offset=64), (1 << 32) - 1)]
        found = simulate(case)
        assert not found.complaint, found.complaint
        assert Error.ADDRESS in found.errors


def assert_only_buffers(case: Case, found: Outcome) -> None:
    """Memory outside of what stores may write is as it was."""
    same = case.memory == found.memory
    for base in (Base.OUTPUT, Base.SCRATCH):
        same[case.base[base] : case.base[base] + case.size[base]] = True
    assert same.all()


@lanes_and_stalls
def test_error_responses(hardware: HardwareConfig, stall: float, rng: np.random.Generator) -> None:
    """An instruction whose response is an error is named, it and later ones are never done."""
    width = hardware.input_lanes
    for which in (0, 7, 8, 39, 79):
        for kind in (Load, Store):
            case = random_case(rng, hardware, 0, stall=stall)
            case.base[Base.SCRATCH] -= case.base[Base.SCRATCH] % (16 * width)
            runs = [kind(base=Base.SCRATCH, run_words=8, address=8 * i) for i in range(10)]
            case.steps = [Step(run) for run in runs]
            if kind is Load:
                case.read_error, failing = which, which // 8
            else:
                case.write_error = failing = which // 8
            found = simulate(case)
            assert not found.complaint, found.complaint
            unit = kind is Store
            assert found.errors[unit] is (Error.WRITE if unit else Error.READ)
            assert found.error_index[unit] == 1000 + failing
            assert found.done[unit] <= failing
            if stall == 0:
                assert found.done[unit] == failing


@lanes_and_stalls
def test_soft_reset(hardware: HardwareConfig, stall: float, rng: np.random.Generator) -> None:
    """In any cycle: bursts come to their end, nothing else is written, and then all is quiet."""
    stopped = 0
    for round_ in range(30):
        case = random_case(
            rng, hardware, 10, stall=stall, style=ORDERS[round_ % len(ORDERS)],
            latency=int(rng.integers(1, 60)), flush_at=int(rng.integers(4, 600)),
            other=(4 * BUFFER_BYTES, OTHER_BYTES),
        )  # fmt: skip
        case.ordered = bool(rng.integers(2))
        found = simulate(case)
        assert not found.complaint, found.complaint
        assert_only_buffers(case, found)
        stopped += sum(found.done) < len(case.steps)
    assert stopped > 5


@lanes_and_stalls
def test_soft_reset_tears_no_word(
    hardware: HardwareConfig, stall: float, rng: np.random.Generator
) -> None:
    """Of a store that is stopped every byte is there as it should be, or as it was."""
    torn = 0
    latest = 900 if stall == 0.9 else 150
    for round_ in range(40):
        flush_at = int(rng.integers(10, latest))
        style = ORDERS[round_ % len(ORDERS)]
        case = random_case(rng, hardware, 0, stall=stall, style=style, flush_at=flush_at)
        case.steps = [Step(Store(base=Base.SCRATCH, run_words=100, stride=7))]
        found, wanted = simulate(case).memory, expected(case).memory
        assert ((found == case.memory) | (found == wanted)).all()
        torn += not np.array_equal(found, case.memory) and not np.array_equal(found, wanted)
    assert torn > 5


# -- lint ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_lint(module: str) -> None:
    for lanes in LANES:
        lint(module, SOURCES, tiny(lanes))


def test_lint_bench() -> None:
    lint(TOP, (*SOURCES, HW / "tb" / f"{TOP}.sv"), tiny())
