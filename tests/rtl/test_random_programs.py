"""Random legal programs on the whole engine: memory is the interpreter's, byte for byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest

from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.execute import execute, writes
from cnnaccel.isa.instructions import (
    LEVELS,
    Base,
    Compute,
    Instruction,
    Load,
    Memory,
    Opcode,
    Store,
    Unit,
)
from cnnaccel.isa.random_instruction import garbage
from cnnaccel.isa.random_program import draw
from cnnaccel.isa.record import layout
from cnnaccel.runtime.simulator import Style, Timing
from tests.support.bench import engine as sized
from tests.support.bench import name_of
from tests.support.engine import STALLS, Engine, check
from tests.support.hardware import TINY
from tests.support.styles import EVERY, SINGLE, mixed

LENGTH = 100
"""Instructions in body; with section once, and body repeated, about twice as many run."""
SOME = [sized(1, 8, 8), sized(4, 4, 16)]
GRID = [sized(p, c, c * times) for p in (1, 2, 4, 8) for c in (4, 8, 16) for times in (1, 2, 4)]


def sweep(hw: HardwareConfig, stall: int, seeds: range, length: int = LENGTH) -> None:
    """Every second program in memory of the plain style, the others in any mixed one."""
    engine = Engine(hw, timing=Timing(stall_permille=stall, seed=seeds.start))
    for seed in seeds:
        engine.style(mixed(seed // 2, stall) if seed % 2 else Style.PLAIN)
        check(engine, draw(hw, seed, length), seed)


@pytest.mark.parametrize("stall", [0, pytest.param(300, marks=pytest.mark.slow), 900])
def test_tiny(stall: int) -> None:
    sweep(TINY, stall, range(stall, stall + 20))


def test_styles_of_memory() -> None:
    """Each alone, without a stall and with."""
    drawn = draw(TINY, 1, 30)
    for stall in (0, 300):
        engine = Engine(TINY, timing=Timing(stall_permille=stall, seed=1))
        for style in SINGLE:
            engine.style(style)
            check(engine, drawn, 1)


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0, 300])
@pytest.mark.parametrize("hw", [TINY, *SOME], ids=name_of)
def test_every_style_of_memory(hw: HardwareConfig, stall: int) -> None:
    for number, style in enumerate(EVERY):
        engine = Engine(hw, timing=Timing(stall_permille=stall, seed=number, style=style))
        for seed in range(2 * number, 2 * number + 2):
            check(engine, draw(hw, seed, 60), seed)


@pytest.mark.slow
@pytest.mark.parametrize("hw", SOME, ids=name_of)
def test_some_engines(hw: HardwareConfig) -> None:
    for stall in STALLS:
        sweep(hw, stall, range(stall, stall + 3))


@pytest.mark.slow
@pytest.mark.parametrize("hw", GRID, ids=name_of)
def test_grid(hw: HardwareConfig) -> None:
    for stall in STALLS:
        sweep(hw, stall, range(1000 + stall, 1010 + stall), 2 * LENGTH)


# -- what is drawn -------------------------------------------------------------------------------


def flags_of(one: Instruction) -> Iterator[str]:
    """Every field of one or two bits with its value, each level that counts, each buffer."""
    for field in layout(type(one)):
        if field.width <= 2 or field.name in ("words", "words_last", "wait_for", "signal_to"):
            yield f"{one.opcode.name} {field.name} {getattr(one, field.name)}"
    if isinstance(one, Compute):
        bounds = zip(LEVELS, one.bounds, strict=True)
        yield from (f"{one.opcode.name} {level}" for level, bound in bounds if bound > 1)
    if isinstance(one, Compute) and one.words_last < one.words:
        yield "fewer words in the last group"


def test_nothing_is_left_out() -> None:
    """Each opcode often, each flag both ways with each, all levels, tokens of all pairs."""
    hw = SOME[1]
    programs = [draw(hw, seed, LENGTH).program for seed in range(30)]
    every = [one for program in programs for one in (*program.once, *program.body)]
    seen = Counter(name for one in every for name in flags_of(one))
    share = Counter(one.opcode for one in every)
    print(len(every), {code.name: f"{n / len(every):.1%}" for code, n in share.items()})
    print(dict(sorted(seen.items())))
    assert all(share[opcode] > len(every) / 25 for opcode in Opcode)
    expected = {f"{code} {level}" for code in ("MAC", "MAX") for level in LEVELS}
    for code in Opcode:
        for field in layout({Unit.COMPUTE: Compute, Unit.LOAD: Load, Unit.STORE: Store}[code.unit]):
            if field.kind is bool:
                expected |= {f"{code.name} {field.name} {value}" for value in (False, True)}
            elif field.stored == "log2":
                powers = (1 << n for n in range(field.high.bit_length()))
                expected |= {f"{code.name} {field.name} {value}" for value in powers}
    expected |= {f"MAC {name} {n}" for name in ("words", "words_last") for n in range(1, 5)}
    for name in ("LOAD_ACT", "LOAD_WGT", "UNFOLD"):
        expected |= {f"{name} base {int(base)}" for base in Base}
    expected |= {f"STORE base {int(base)}" for base in (Base.OUTPUT, Base.SCRATCH)}
    expected.add("fewer words in the last group")
    assert not {name for name in expected if seen[name] < 3}
    for giver, taker in permutations(Unit, 2):
        passed = sum(giver in one.wait_for for one in every if one.UNIT is taker)
        assert passed > len(every) / 50, (giver, taker)


def test_results_are_no_constants() -> None:
    """Most bytes that MAC and MAX write are between the limits, and many are different."""
    rng = np.random.default_rng(7)
    between, total, values = 0, 0, Counter[int]()
    for seed in range(10):
        for one in draw(TINY, seed, LENGTH).program.body:
            if not isinstance(one, Compute) or not one.drain:
                continue
            pads = garbage(TINY, rng)
            execute(pads, one, np.zeros((TINY.pixel_lanes, TINY.output_lanes), np.int64))
            written = pads.read(writes(pads, one)[Memory.ACT], one.interleave_out).reshape(-1)
            ends = [one.low & 255, one.high & 255, 0]
            total += written.size
            between += int((~np.isin(written, ends)).sum())
            values.update(written.tolist())
    print(f"{total} bytes, {between / total:.1%} between the limits")
    assert total > 10_000 and between > total / 4
    assert len(values) == 256
