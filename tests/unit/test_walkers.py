"""Jumps of a walker: added up step by step they give what strides say."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cnnaccel.isa.instructions import LEVELS
from cnnaccel.isa.walkers import jumps, strides

small = st.integers(1, 3)


@given(st.tuples(*[small] * 9), st.tuples(*[st.integers(-9, 9)] * 9))
def test_added_up_they_give_the_strides(bounds: tuple[int, ...], steps: tuple[int, ...]) -> None:
    """An address after every step of the nest, by the jump of the outermost level that changes."""
    named = dict(zip(LEVELS, bounds, strict=True))
    moves = jumps(named, dict(zip(LEVELS, steps, strict=True)), len(LEVELS))
    counters = list(itertools.product(*map(range, bounds)))
    at = 0
    for before, now in itertools.pairwise(counters):
        changed = next(level for level in range(9) if before[level] != now[level])
        at += moves[changed]
        assert at == sum(counter * step for counter, step in zip(now, steps, strict=True))
    kept = tuple(step if bound > 1 else 0 for step, bound in zip(steps, bounds, strict=True))
    assert strides(bounds, moves) == kept, "and back"


def test_only_the_first_levels() -> None:
    named = dict.fromkeys(LEVELS, 2)
    assert jumps(named, {"co": 10, "oy": 3, "ox": 1}, 2) == (10 - 3 - 1, 3 - 1)
