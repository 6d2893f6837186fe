"""The performance counters: sums of what happened, beyond 32 bits."""

from __future__ import annotations

import ctypes

import numpy as np

from cnnaccel.tools.verilate import build, lint
from tests.support.load_store import HW, tiny
from tests.support.modules import EVENT_COUNTERS

TOP = "event_counters_tb"
COUNT = 8
MOST = (1 << 24) - 1


def test_sums(rng: np.random.Generator) -> None:
    library = ctypes.CDLL(str(build(TOP, EVENT_COUNTERS, tiny(), HW / "tb" / f"{TOP}.cpp")))
    library.bench_open.restype = ctypes.c_void_p
    bench = ctypes.c_void_p(library.bench_open())
    counters = (ctypes.c_uint64 * COUNT)()

    def cycles(amounts: list[int], events: int, count: int, reset: int = 0, clear: int = 0) -> None:
        words = (ctypes.c_uint32 * COUNT)(*amounts)
        library.bench_cycles(bench, reset, clear, events, words, count, counters)

    amounts = [1, 1, 1, 1, 4, 8, 16, MOST]
    cycles(amounts, 255, 3, reset=1)
    expected = np.zeros(COUNT, np.uint64)
    for _ in range(200):
        events, count = int(rng.integers(256)), int(rng.integers(1, 50))
        cycles(amounts, events, count)
        happened = np.array([events >> i & 1 for i in range(COUNT)])
        expected += (happened * amounts * count).astype(np.uint64)
        cycles(amounts, 0, 2)
        assert list(counters) == expected.tolist()
    cycles(amounts, 255, 2, clear=1)
    assert list(counters) == [0] * COUNT
    long = (1 << 32) // MOST + 100
    cycles([MOST] * COUNT, 1 << 7, long)
    cycles(amounts, 0, 2)
    assert list(counters) == [0] * 7 + [long * MOST]
    library.bench_close(bench)


def test_lint() -> None:
    lint("event_counters", EVENT_COUNTERS[:1], tiny())
