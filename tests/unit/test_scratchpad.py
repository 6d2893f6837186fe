"""Where a word of act lies: banks, interleaved, wrapping."""

from __future__ import annotations

import numpy as np
import pytest

from cnnaccel.isa.scratchpad import Scratchpads
from tests.support.hardware import SMALL, TINY


def test_sizes() -> None:
    pads = Scratchpads.empty(SMALL)
    assert pads.act.shape == (2, 1024, 4), "8 KiB of words of 4 bytes, in 2 banks"
    assert pads.wgt.shape == (128, 8, 4)
    assert pads.bias.shape == pads.multiplier.shape == pads.shift.shape == (16, 8)


def test_neighbours_by_interleave() -> None:
    pads = Scratchpads.empty(SMALL)
    at = np.arange(8)
    for interleave, banks, rows in (
        (1, [0, 1, 0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2, 3, 3]),
        (2, [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 0, 1, 2, 3, 2, 3]),
        (4, [0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 0, 1, 2, 3]),
    ):
        bank, row = pads.locate(at, interleave)
        assert (bank.tolist(), row.tolist()) == (banks, rows)


@pytest.mark.parametrize("interleave", [1, 2, 4])
def test_every_word_has_a_place_of_its_own(interleave: int) -> None:
    pads = Scratchpads.empty(TINY)
    at = np.arange(TINY.act_words)
    words = np.arange(TINY.act_words * 4, dtype=np.int64).astype(np.uint8).reshape(-1, 4)
    pads.write(at, interleave, words)
    assert np.array_equal(pads.read(at, interleave), words)
    assert len(set(zip(*map(np.ndarray.tolist, pads.locate(at, interleave)), strict=True))) == len(
        at
    )
    wrapped = at + TINY.act_words
    assert np.array_equal(pads.read(wrapped, interleave), words), "addresses wrap"
