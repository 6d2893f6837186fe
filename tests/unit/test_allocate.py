"""Addresses: nothing that lives together overlaps, and what cannot fit is named."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnaccel.compiler.plan.allocate import DoesNotFitError, Region, allocate
from cnnaccel.errors import ProgramError


@st.composite
def demands(draw: st.DrawFn) -> list[Region]:
    regions = []
    for index in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, 9))
        last = first + draw(st.integers(0, 4))
        regions.append(Region(f"t{index}", draw(st.integers(1, 100)), first, last))
    return regions


@given(demands(), st.sampled_from((1, 4, 16, 32)))
def test_what_lives_together_lies_apart(regions: list[Region], unit: int) -> None:
    bases = allocate(regions, 10**6, unit)
    ends = {r.name: bases[r.name] + -(-r.words // unit) * unit for r in regions}
    assert all(base % unit == 0 for base in bases.values())
    for a, b in itertools.combinations(regions, 2):
        if a.meets(b):
            assert ends[a.name] <= bases[b.name] or ends[b.name] <= bases[a.name]
    most = max(ends.values(), default=0)
    assert allocate(regions, most, unit) == bases
    if most:
        with pytest.raises(DoesNotFitError, match="does not fit"):
            allocate(regions, most - 1, unit)


def test_words_are_used_again() -> None:
    chain = [Region(f"t{step}", 64, step, step + 1) for step in range(10)]
    assert set(allocate(chain, 128, 16).values()) == {0, 64}


def test_the_one_that_is_too_large_is_named() -> None:
    large, small = Region("large", 65, 0, 0), Region("small", 8, 0, 1)
    message = "'large' \\(65 words\\) does not fit: 64 words"
    with pytest.raises(DoesNotFitError, match=message) as caught:
        allocate([small, large], 64, 1)
    assert isinstance(caught.value, ProgramError)
    assert caught.value.region == large


def test_what_is_free_behind_the_others_is_said() -> None:
    regions = [Region("a", 40, 0, 3), Region("b", 20, 2, 4), Region("c", 40, 4, 5)]
    message = "'b' \\(20 words\\) does not fit: 48 words, of which 8 are free behind"
    with pytest.raises(DoesNotFitError, match=message):
        allocate(regions, 48, 4)
    assert set(allocate(regions, 60, 4)) == {"a", "b", "c"}
