"""The pieces of a task cover its results once, and what each reads is what its outputs lie over."""

from __future__ import annotations

import itertools

import pytest

from cnnaccel.compiler.plan.blocks import (
    RUN,
    SPREAD,
    Reading,
    apart,
    in_one_transfer,
    pieces,
    span,
    spread,
    unfolded_pixels,
)
from tests.support.tasks import TASKS, cuts, network, task_of


@pytest.mark.parametrize("name", TASKS)
def test_pieces_cover_the_results_once(name: str) -> None:
    task = task_of(name)
    for cut in cuts(task):
        found = [
            pixel
            for piece in pieces(task, cut)
            for pixel in itertools.product(piece.rows, piece.columns, piece.groups)
        ]
        everything = itertools.product(
            range(task.rows), range(task.columns), range(task.work.channels.groups)
        )
        assert sorted(found) == sorted(everything)
        order = [(piece.rows.start, piece.columns.start) for piece in pieces(task, cut)]
        assert not cut.blocks_outer or order == sorted(order)


@pytest.mark.parametrize("name", TASKS)
def test_a_block_is_what_the_outputs_lie_over(name: str) -> None:
    """Rows by the definition of a window; a whole width brings all columns."""
    task = task_of(name)
    tensor = network().tensors[task.reads[0].tensor]
    window = task.work.window
    for cut in cuts(task):
        reading = Reading(task, 0, tensor, cut)
        for piece in pieces(task, cut):
            block = reading.block(piece)
            if window is None:
                assert (block.rows, block.columns) == (piece.rows, piece.columns)
                continue
            rows = {
                y * window.stride[0] - window.padding[0] + k * window.dilation[0]
                for y in piece.rows
                for k in range(window.kernel[0])
            } & set(range(tensor.rows))
            assert block.rows == range(min(rows), max(rows) + 1)
            if len(piece.columns) == task.columns:
                assert block.columns == range(tensor.columns)
            else:
                assert 0 < len(block.columns) <= tensor.columns
            assert len(block.words) <= tensor.words


def test_pixels_that_columns_are_unfolded_from() -> None:
    """Kernel 3, stride 1, one column of padding on a row of 13 pixels."""
    tensor = network().tensors["image"]
    assert unfolded_pixels(tensor, range(0, 13)) == (1, 0, 13)
    assert unfolded_pixels(tensor, range(0, 1)) == (1, 0, 2)
    assert unfolded_pixels(tensor, range(4, 6)) == (0, 3, 4)
    assert unfolded_pixels(tensor, range(12, 13)) == (0, 11, 2)


def test_transfers_of_a_block() -> None:
    tensor = network().tensors["first"]
    assert in_one_transfer(tensor, 3, tensor.columns)
    assert not in_one_transfer(tensor, 3, tensor.columns - 1)
    assert not in_one_transfer(tensor, RUN // tensor.columns + 1, tensor.columns)
    assert spread(10, 1) == [range(10)]
    assert [len(one) for one in spread(10, 3)] == [4, 4, 2]
    assert len(spread(100, 50)) <= SPREAD and sum(map(len, spread(100, 50))) == 100


def test_small_words() -> None:
    assert (span(range(3, 7)), span(range(3, 4))) == ("3..6", "3")
    assert apart([True, False], 2) and not apart([True, False], 1) and not apart([True, True], 2)
