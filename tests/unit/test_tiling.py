"""Lengths, ranges and parts that tasks are cut into: they cover all, once."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cnnaccel.compiler.lower.mapping import Part
from cnnaccel.compiler.plan.tiling import (
    Moved,
    lengths,
    parts,
    region_unit,
    round_up,
    sizes,
    split,
    unfold_cycles,
)
from cnnaccel.isa.instructions import Compute, Load
from tests.support.hardware import PYNQ

counts = st.integers(1, 300)


@given(counts, counts)
def test_ranges_cover_all_once(total: int, most: int) -> None:
    ranges = split(total, most)
    assert list(itertools.chain(*ranges)) == list(range(total))
    found = [len(one) for one in ranges]
    assert max(found) <= most and len(found) == -(-total // most)
    assert found == [length for length, count in sizes(total, most) for _ in range(count)]


@given(counts, counts)
def test_lengths_from_all_to_the_least(total: int, least: int) -> None:
    found = lengths(total, least)
    assert found[0] == total and found[-1] == min(least, total)
    assert found == sorted(set(found), reverse=True)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 20), st.integers(1, 200))
def test_parts_of_a_reduction(rows: int, columns: int, words: int, most: int) -> None:
    whole = Part(range(rows), range(columns), range(words))
    found = parts(whole, most)
    steps = [
        step for part in found for step in itertools.product(part.rows, part.columns, part.words)
    ]
    everything = itertools.product(range(rows), range(columns), range(words))
    assert sorted(steps) == sorted(everything)
    sizes_of = [len(one.rows) * len(one.columns) * len(one.words) for one in found]
    assert max(sizes_of) <= most
    assert (len(found) == 1) == (most >= rows * columns * words)


def test_units_of_regions() -> None:
    assert region_unit(PYNQ) == 16
    assert [round_up(words, 16) for words in (0, 1, 16, 17)] == [0, 16, 16, 32]


def test_unfolding_takes_a_pixel_or_a_word_a_cycle() -> None:
    assert unfold_cycles(1, 5, 1, 3, 1) == 3 + 4 + 1, "7 pixels"
    assert unfold_cycles(1, 5, 1, 3, 2) == 3 + 8 + 1, "11 pixels"
    assert unfold_cycles(4, 5, 3, 3, 1) == 4 * (3 + 4 * 3 + 1), "three words a column"


def test_what_is_moved_adds_up() -> None:
    moved = Moved(1000, 200, 3, 5)
    assert moved.instruction_bytes == 3 * Compute.BYTES + 5 * Load.BYTES == 3 * 128 + 5 * 64
    assert moved.dram_bytes == 1200 + moved.instruction_bytes
    assert moved * 4 == Moved(4000, 800, 12, 20)
