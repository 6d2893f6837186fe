"""The token counters against a model of a few lines."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from cnnaccel.isa.instructions import TOKEN_BITS
from cnnaccel.isa.latency import STUCK_CYCLES
from cnnaccel.tools.verilate import build, lint
from tests.support.load_store import HW, tiny
from tests.support.modules import TOKENS

LOAD, COMPUTE, STORE = UNITS = range(3)
MOST = (1 << TOKEN_BITS) - 1


class _Inputs(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_uint32)
            for name in ("reset", "valid", "take", "give", "busy", "fetch_still")
        ),
        ("wait_for", ctypes.c_uint32 * 3),
        ("signal_to", ctypes.c_uint32 * 3),
    )


class _Outputs(ctypes.Structure):
    _fields_ = (
        ("grant", ctypes.c_uint32),
        ("error", ctypes.c_uint32),
        ("missing", ctypes.c_uint32 * 3),
    )


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(build("tokens", TOKENS, tiny(), HW / "tb" / "tokens_tb.cpp")))
    library.bench_open.restype = ctypes.c_void_p
    return library


class Bench:
    """Inputs stay until changed."""

    def __init__(self) -> None:
        self.handle = ctypes.c_void_p(_library().bench_open())
        self.inputs, self.outputs = _Inputs(), _Outputs()
        self.cycle(reset=1)
        self.cycle(reset=0)

    def cycle(self, **values: int) -> _Outputs:
        """Sets inputs, and gives what `tokens` says before the end of the cycle."""
        for name, value in values.items():
            setattr(self.inputs, name, value)
        failed = _library().bench_cycle(
            self.handle, ctypes.byref(self.inputs), ctypes.byref(self.outputs)
        )
        assert not failed
        return self.outputs

    def instruction(self, unit: int, wait_for: int = 0, signal_to: int = 0) -> None:
        self.inputs.wait_for[unit] = wait_for
        self.inputs.signal_to[unit] = signal_to


@pytest.fixture
def bench() -> Iterator[Bench]:
    opened = Bench()
    yield opened
    _library().bench_close(opened.handle)


def test_random_traffic(bench: Bench, rng: np.random.Generator) -> None:
    counts = np.zeros((3, 3), int)  # [giver, taker]
    waiting = 0
    for _ in range(20_000):
        for unit in UNITS:
            bench.instruction(unit, int(rng.integers(8)), int(rng.integers(8)))
        valid, take = int(rng.integers(8)), int(rng.integers(8))
        give = int(rng.integers(8) & rng.integers(8))
        give = give if counts.max() < MOST else 0
        found = bench.cycle(valid=valid, take=take, give=give, busy=1)
        assert not found.error
        after = counts.copy()
        for unit in UNITS:
            others = [other for other in UNITS if other != unit]
            needed = [o for o in others if bench.inputs.wait_for[unit] >> o & 1]
            missing = [o for o in needed if not counts[o, unit]]
            assert found.missing[unit] == sum(1 << o for o in missing)
            assert found.grant >> unit & 1 == (not missing)
            waiting += len(missing)
            if valid & take & found.grant & 1 << unit:
                after[needed, unit] -= 1
            if give >> unit & 1:
                after[unit, [o for o in others if bench.inputs.signal_to[unit] >> o & 1]] += 1
        counts = after
    assert waiting > 1000


@pytest.mark.parametrize("giver", UNITS)
@pytest.mark.parametrize("taker", UNITS)
def test_overflow(bench: Bench, giver: int, taker: int) -> None:
    bench.instruction(giver, signal_to=1 << taker)
    for _ in range(MOST):
        assert not bench.cycle(give=1 << giver).error
    if giver != taker:  # one comes as one goes
        bench.instruction(taker, wait_for=1 << giver)
        bench.cycle(valid=1 << taker, take=1 << taker)
    bench.cycle(give=0, valid=0)
    assert not bench.cycle().error
    bench.cycle(give=1 << giver)
    assert bench.cycle(give=0).error == (giver != taker)
    bench.cycle(reset=1)
    assert not bench.cycle(reset=0).error


def test_units_wait_for_one_another(bench: Bench) -> None:
    """An error only if nothing else can happen."""
    for unit in UNITS:
        bench.instruction(unit, wait_for=1 << (unit + 1) % 3, signal_to=1 << (unit + 1) % 3)
    patience = 4 * STUCK_CYCLES
    for valid, busy, still in ((7, 1, 1), (7, 4, 1), (7, 0, 0), (0, 0, 1)):
        for _ in range(patience):
            assert not bench.cycle(valid=valid, busy=busy, fetch_still=still).error
    for _ in range(5):  # in time
        for _ in range(STUCK_CYCLES - 4):
            assert not bench.cycle(valid=6, busy=0, fetch_still=1).error
        bench.cycle(give=1 << STORE)
        bench.cycle(give=0)
    bench.instruction(LOAD)  # can start
    for _ in range(patience):
        assert not bench.cycle(valid=7, fetch_still=1).error
    for _ in range(patience):
        bench.cycle(valid=2)  # one waits, the program is over
    assert bench.cycle().error


def test_lint() -> None:
    lint("tokens", TOKENS, tiny())
