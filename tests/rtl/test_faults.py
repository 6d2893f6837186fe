"""What goes wrong on the engine: a code and an instruction, nothing written outside the buffers,
and the next program is right. Faults are put into random programs, memories of all styles."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from itertools import permutations

import numpy as np
import pytest

from cnnaccel.isa.execute import dram_runs
from cnnaccel.isa.instructions import (
    TOKEN_BITS,
    Base,
    Compute,
    Error,
    Header,
    Instruction,
    Load,
    Opcode,
    Store,
    Unit,
)
from cnnaccel.isa.program import Program
from cnnaccel.isa.random_program import Drawn, draw
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.runtime.simulator import Style, Timing
from tests.support.engine import ORIGIN, STALLS, Engine, check
from tests.support.hardware import TINY
from tests.support.styles import EVERY, SINGLE, mixed

LENGTH = 30
WORD = TINY.input_lanes
WORD_BYTES = {Opcode.LOAD_WGT: TINY.wgt_word_bytes, Opcode.LOAD_PAR: TINY.par_word_bytes}
stalls = pytest.mark.parametrize("stall", STALLS)


@cache
def another() -> Drawn:
    """The program that runs after one that has failed."""
    return draw(TINY, 5, LENGTH)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    parameters = getattr(request.node, "callspec", None)
    stall = parameters.params.get("stall", 0) if parameters else 0
    return Engine(TINY, timing=Timing(stall_permille=stall, seed=1))


def every(program: Program) -> tuple[Instruction, ...]:
    return (*program.once, *program.body)


def replaced(program: Program, index: int, **changes: object) -> Program:
    """With other fields in one instruction."""
    made = [*every(program)]
    made[index] = dataclasses.replace(made[index], **changes)  # type: ignore[arg-type]
    split = len(program.once)
    return dataclasses.replace(program, once=tuple(made[:split]), body=tuple(made[split:]))


def to_rest(engine: Engine) -> None:
    """Soft reset, until the engine is at rest."""
    engine.write("control", 2)
    engine.write("interrupt_status", 3)  # of a program that had ended, which would stop each step
    for _ in range(100):
        engine.step(100)
        if engine.read("status") == 0:
            break
    assert engine.read("status") == 0 and engine.waiting() == set()
    assert engine.error is Error.NONE


def stops(
    engine: Engine,
    before: np.ndarray,
    places: dict[Base, range],
    then: bool = True,
    style: Style | None = None,
) -> tuple[Error, int]:
    """The code and the instruction with which a program that was put stops. Then another runs.

    style: of memory; if none, the cycle chooses one, the same in every run of a test.
    """
    if style is None:
        style = mixed(engine.simulator.now, engine.timing.stall_permille)
    engine.style(style)
    engine.start(5_000_000)
    assert engine.read("status") == 4, f"{engine.read('status')} waiting {engine.waiting()}"
    found = engine.error, engine.read("failing_instruction")
    untouched(engine, before, places)
    engine.write("control", 1)  # ignored until reset
    engine.step(50)
    assert engine.read("status") == 4
    if then:
        to_rest(engine)
        check(engine, another(), 5)
    return found


def untouched(engine: Engine, before: np.ndarray, places: dict[Base, range]) -> None:
    """Nothing was written but to OUTPUT and SCRATCH."""
    outside = np.ones(engine.memory_bytes, bool)
    for base in (Base.OUTPUT, Base.SCRATCH):
        outside[places[base].start : places[base].stop] = False
    assert np.array_equal(engine.memory[outside], before[outside]), "wrote outside its buffers"


def put_and_stop(engine: Engine, drawn: Drawn, program: Program) -> tuple[Error, int]:
    places = engine.put(program, drawn.images, drawn.count)
    return stops(engine, engine.memory.copy(), places)


def transfers(program: Program, *opcodes: Opcode) -> list[int]:
    return [at for at, one in enumerate(every(program)) if one.opcode in opcodes]


# -- addresses -----------------------------------------------------------------------------------


def bad_places(drawn: Drawn, one: Load | Store) -> Iterator[dict[str, int]]:
    """Within a word; the last bytes behind the buffer; far behind it; a run before its begin."""
    program = drawn.program
    size = {
        Base.WEIGHTS: len(program.weights), Base.INPUT: drawn.images.size,
        Base.OUTPUT: drawn.count * program.output_stride, Base.SCRATCH: program.scratch_bytes,
    }[one.base]  # fmt: skip
    length = one.run_words * WORD_BYTES.get(one.opcode, WORD)
    if isinstance(one, Load) and one.opcode is Opcode.UNFOLD:
        length = one.row_pixels * one.pixel_bytes
        yield {"dram_offset": size - length + 1, "dram_stride": 0}
    else:
        yield {"dram_offset": one.dram_offset + 1}
        yield {"dram_offset": size - length + WORD, "dram_stride": 0}
        yield {"dram_stride": one.dram_stride + 1, "runs": max(2, one.runs)}
    yield {"dram_offset": 2**32 - WORD}
    yield {"dram_offset": 0, "dram_stride": -WORD, "runs": 2}


@pytest.mark.parametrize("stall", [0, 900])
def test_addresses(engine: Engine, stall: int) -> None:
    rng = np.random.default_rng(stall)
    kinds = (Opcode.LOAD_ACT, Opcode.LOAD_WGT, Opcode.LOAD_PAR, Opcode.UNFOLD, Opcode.STORE)
    for opcode in kinds:
        drawn = draw(TINY, int(rng.integers(1 << 30)), 2 * LENGTH)
        at = int(rng.choice(transfers(drawn.program, opcode)))
        one = every(drawn.program)[at]
        assert isinstance(one, Load | Store)
        for bad in bad_places(drawn, one):
            program = replaced(drawn.program, at, advances=False, **bad)
            assert put_and_stop(engine, drawn, program) == (Error.ADDRESS, at), (opcode, bad)


@pytest.mark.parametrize("opcode", [Opcode.LOAD_ACT, Opcode.UNFOLD, Opcode.STORE])
@pytest.mark.parametrize(("stride", "fails_in"), [(0, 1), (2, 3), (1 << 29, 2), ((1 << 30) - 1, 2)])
def test_advances_beyond_the_buffer(
    engine: Engine, opcode: Opcode, stride: int, fails_in: int
) -> None:
    """stride: in words. Iterations before the one that fails are done, as memory is not slow."""
    if opcode is Opcode.STORE:
        one: Load | Store = Store(base=Base.OUTPUT, advances=True, run_words=2)
    else:
        one = Load(opcode=opcode, base=Base.INPUT, advances=True, run_words=2,
                   row_pixels=2 * WORD)  # fmt: skip
    program = Program(digest=TINY.digest, body=(one,), output_stride=64)
    places = engine.put(program, np.zeros(64, np.uint8), 4)
    name = one.base.name.lower()
    engine.write(f"{name}_stride", stride * WORD)
    engine.write(f"{name}_bytes", 2 * WORD * min(2, fails_in - 1))
    found = stops(engine, engine.memory.copy(), places, then=False, style=Style.PLAIN)
    assert found == (Error.ADDRESS, 0)
    if opcode is Opcode.STORE:
        assert engine.read("written_bytes") == 2 * WORD * (fails_in - 1)
    assert engine.read("iteration") >= fails_in
    to_rest(engine)
    check(engine, another(), 5)


# -- what DRAM answers ---------------------------------------------------------------------------


def touches(one: Instruction, base: Base, beyond: int) -> bool:
    """Whether it moves bytes of a buffer from some byte on, in the first iteration."""
    if not isinstance(one, Load | Store) or one.base is not base:
        return False
    return bool((dram_runs(Scratchpads.empty(TINY), one, one.dram_offset) >= beyond).any())


@stalls
@pytest.mark.parametrize("base", list(Base), ids=lambda base: base.name)
def test_error_responses(engine: Engine, base: Base, stall: int) -> None:
    """Memory ends within a buffer: the first instruction that goes there fails."""
    rng = np.random.default_rng(int(base))
    for _ in range(4):
        drawn = draw(TINY, int(rng.integers(1 << 30)), LENGTH)
        drawn = dataclasses.replace(drawn, count=1)
        places = engine.put(drawn.program, drawn.images, 1)
        size = len(places[base])
        there = int(rng.integers(0, size // WORD)) * WORD
        failing = next(
            (at for at, one in enumerate(every(drawn.program)) if touches(one, base, there)), None
        )
        if failing is None:
            continue
        tail = engine.memory_bytes - there
        start = places[base].start
        engine.memory[tail:] = engine.memory[start : start + there]
        engine.write(f"{base.name.lower()}_address", ORIGIN + tail)
        places[base] = range(tail, engine.memory_bytes)
        code, found = stops(engine, engine.memory.copy(), places)
        first = every(drawn.program)[failing]
        assert code is (Error.WRITE if isinstance(first, Store) else Error.READ)
        assert found == failing


@stalls
def test_an_error_response_to_an_instruction(engine: Engine, stall: int) -> None:
    drawn = draw(TINY, 11, LENGTH)
    packed = np.frombuffer(drawn.program.pack()[Header.BYTES :], np.uint8)
    ends = np.cumsum([one.BYTES for one in every(drawn.program)])
    for there in (0, WORD, 64, 1000, 1024, packed.size - WORD):
        there -= there % WORD
        places = engine.put(drawn.program, drawn.images, drawn.count)
        tail = engine.memory_bytes - there
        engine.memory[tail:] = packed[:there]
        engine.write("program_address", ORIGIN + tail)
        failing = int(np.flatnonzero(ends > there)[0])
        assert stops(engine, engine.memory.copy(), places) == (Error.READ, failing)


# -- instructions --------------------------------------------------------------------------------


def test_unknown_opcodes(engine: Engine) -> None:
    drawn = draw(TINY, 12, LENGTH)
    starts = np.cumsum([0, *(one.BYTES for one in every(drawn.program))])
    rng = np.random.default_rng(0)
    for opcode in sorted(set(range(32)) - set(Opcode)):
        at = int(rng.integers(len(every(drawn.program))))
        places = engine.put(drawn.program, drawn.images, drawn.count)
        byte = engine.read("program_address") - ORIGIN + starts[at]
        engine.memory[byte] = engine.memory[byte] & 0xE0 | opcode
        assert stops(engine, engine.memory.copy(), places) == (Error.OPCODE, at)


@pytest.mark.parametrize(("giver", "taker"), [*permutations(Unit, 2)])
def test_tokens_that_never_come(engine: Engine, giver: Unit, taker: Unit) -> None:
    """The barrier's tokens, which body leaves for its next iteration, are enough for one."""
    drawn = draw(TINY, 13, LENGTH)
    short: dict[Unit, Instruction] = {
        Unit.LOAD: Load(), Unit.COMPUTE: Compute(), Unit.STORE: Store(base=Base.OUTPUT),
    }  # fmt: skip
    last = dataclasses.replace(short[taker], wait_for=giver)
    more = 2 if giver is Unit.COMPUTE else 1
    program = dataclasses.replace(drawn.program, body=(*drawn.program.body, *[last] * more))
    found = put_and_stop(engine, dataclasses.replace(drawn, count=1), program)
    assert found == (Error.TOKEN, len(every(program)) - 1)


def test_more_tokens_than_a_counter_holds(engine: Engine) -> None:
    one = Compute(opcode=Opcode.MAX, drain=False, out_w=0, signal_to=Unit.STORE)
    most = (1 << TOKEN_BITS) - 1
    images = np.zeros(64, np.uint8)
    engine.put(Program(digest=TINY.digest, body=(one,)), images, most)
    engine.start(100_000)
    assert engine.done
    places = engine.put(Program(digest=TINY.digest, body=(one,)), images, most + 1)
    assert stops(engine, engine.memory.copy(), places)[0] is Error.TOKEN


def test_empty_programs(engine: Engine) -> None:
    """Nothing at all; no iteration; no body; no once."""
    drawn = draw(TINY, 14, LENGTH)
    for once, body, count in ((0, 0, 3), (0, 1, 0), (1, 1, 0), (1, 0, 3), (1, 0, 2**32 - 1)):
        program = dataclasses.replace(
            drawn.program,
            once=drawn.program.once * once,
            body=drawn.program.body * body,
        )
        places = engine.put(program, drawn.images, drawn.count)
        engine.write("count", count)
        before = engine.memory.copy()
        engine.start(100_000)
        assert engine.done and engine.read("iteration") == 0
        untouched(engine, before, places)
        for counter in ("read_bytes", "written_bytes", "steps"):
            assert (engine.read(counter) == 0) == (once == 0), counter
    check(engine, drawn, 14)


# -- start and reset -----------------------------------------------------------------------------


def test_start_while_busy(engine: Engine) -> None:
    drawn = draw(TINY, 15, LENGTH)
    check(engine, drawn, 15)
    cycles = engine.read("cycles")
    for gap in (1, 10, 100, 500):
        engine.put(drawn.program, drawn.images, drawn.count)
        engine.write("control", 1)
        for _ in range(20):
            engine.step(gap)
            if engine.read("status") == 1:
                engine.write("control", 1)
        engine.wait(1_000_000)
        assert engine.done and engine.read("cycles") == cycles, gap
    check(engine, drawn, 15)


@stalls
def test_reset_at_any_time(engine: Engine, stall: int) -> None:
    rng = np.random.default_rng(stall)
    drawn = draw(TINY, 16, LENGTH)
    check(engine, drawn, 16)
    cycles = engine.read("cycles")
    moments = [*range(8), *rng.integers(0, cycles, 24).tolist()]
    for number, moment in enumerate(moments):
        engine.style(SINGLE[number % len(SINGLE)])
        places = engine.put(drawn.program, drawn.images, drawn.count)
        before = engine.memory.copy()
        engine.write("control", 1)
        engine.step(moment)
        to_rest(engine)
        untouched(engine, before, places)
        if number % 4 == 3:
            engine.style(Style.PLAIN)
            check(engine, drawn, 16)
            assert stall or engine.read("cycles") == cycles


@pytest.mark.slow
@pytest.mark.parametrize("style", EVERY, ids=int)
def test_reset_in_every_style(style: Style) -> None:
    rng = np.random.default_rng(int(style))
    for stall in (0, 300):
        engine = Engine(TINY, timing=Timing(stall_permille=stall, seed=1, style=style))
        for seed in (40, 41):
            drawn = draw(TINY, seed, LENGTH)
            check(engine, drawn, seed)
            cycles = engine.read("cycles")
            for moment in rng.integers(0, cycles, 6).tolist():
                places = engine.put(drawn.program, drawn.images, drawn.count)
                before = engine.memory.copy()
                engine.write("control", 1)
                engine.step(moment)
                to_rest(engine)
                untouched(engine, before, places)
            check(engine, drawn, seed)


@stalls
def test_memory_that_answers_late(engine: Engine, stall: int) -> None:
    """It stays busy, reset or not, until what it asked for has ended: AXI takes nothing back."""
    rng = np.random.default_rng(stall)
    drawn = draw(TINY, 17, LENGTH)
    check(engine, drawn, 17)
    cycles = engine.read("cycles")
    ended = 0
    for number, moment in enumerate(rng.integers(50, cycles, 16).tolist()):
        engine.style(mixed(number, stall))
        places = engine.put(drawn.program, drawn.images, drawn.count)
        before = engine.memory.copy()
        engine.write("control", 1)
        engine.step(moment)
        engine.slow(dataclasses.replace(engine.timing, bus_permille=0))
        engine.step(5000)
        assert engine.read("status") == 1 and engine.waiting()
        engine.write("control", 2)
        engine.step(200)
        if engine.read("status") == 1:
            ended += 1
            assert engine.waiting() == {"end_dram"}
            engine.write("control", 1)  # ignored
            engine.step(200)
            assert engine.waiting() == {"end_dram"}
        engine.slow(engine.timing)
        to_rest(engine)
        untouched(engine, before, places)
        if number % 4 == 3:
            check(engine, drawn, 17)
    assert ended
