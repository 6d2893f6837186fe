"""What a cut moves, summed axis by axis, is what walking its pieces one by one finds."""

from __future__ import annotations

import itertools

import pytest

from cnnaccel.compiler.lower.network import Task
from cnnaccel.compiler.plan.blocks import (
    Reading,
    in_one_transfer,
    pieces,
    spread,
    unfolded_pixels,
)
from cnnaccel.compiler.plan.tiling import Cut, unfold_cycles
from cnnaccel.compiler.plan.traffic import Flow, Sources, results_flow, weights_flow
from cnnaccel.isa.latency import ISSUE_CYCLES
from tests.support.hardware import SMALL
from tests.support.tasks import TASKS, cuts, network, task_of


def counts(task: Task, cut: Cut) -> tuple[int, int]:
    """Blocks and chunks of a cut."""
    blocks = -(-task.rows // cut.rows) * -(-task.columns // cut.columns)
    return blocks, -(-task.work.channels.groups // cut.groups)


def walked(task: Task, cut: Cut) -> Flow:
    """Loads of the first source, block by block: one that is there already is not loaded again."""
    tensor = network().tensors[task.reads[0].tensor]
    reading = Reading(task, 0, tensor, cut)
    every = [reading.block(piece) for piece in pieces(task, cut)]
    blocks = [block for block, _ in itertools.groupby(every)]
    served, how = len(every) // len(blocks), tensor.unfold
    moved = transfers = cycles = 0
    for block in blocks:
        pixels = len(block.rows) * len(block.columns)
        if pixels == 0:
            continue
        if how is not None:
            moved += len(block.rows) * unfolded_pixels(tensor, block.columns)[2] * how.pixel_bytes
            cycles += unfold_cycles(
                len(block.rows), len(block.columns), tensor.words, how.kernel_w, how.stride_x
            )
            transfers += 1
            continue
        moved += len(block.words) * pixels * SMALL.input_lanes
        together = in_one_transfer(tensor, len(block.rows), len(block.columns))
        words = len(block.words)
        transfers += len(spread(words, served)) if together else words
    return Flow(len(blocks), moved, transfers, cycles)


@pytest.mark.parametrize("name", TASKS)
def test_sources(name: str) -> None:
    task = task_of(name)
    sources = Sources(SMALL, task, 0, network().tensors[task.reads[0].tensor])
    for cut in cuts(task):
        assert sources.flow(cut, *counts(task, cut)) == walked(task, cut), cut


@pytest.mark.parametrize("name", TASKS)
def test_results_are_stored_once(name: str) -> None:
    task = task_of(name)
    target = network().tensors[task.target.tensor]
    for cut in cuts(task):
        blocks, chunks = counts(task, cut)
        flow = results_flow(SMALL, task, target, cut, chunks)
        assert flow.dram_bytes == task.rows * task.columns * task.words * SMALL.input_lanes
        assert flow.runs == blocks * chunks
        rows_whole = cut.columns == task.columns
        assert flow.transfers == (blocks * chunks if rows_whole else blocks * task.words)


def test_weights_come_once_or_with_every_block() -> None:
    """Chunks inside blocks bring all weights for each block; blocks inside chunks only once."""
    task, bytes_once = task_of("strided"), 0
    groups, words = (
        task.work.channels.groups,
        len(task.work.weight_words(range(task.work.channels.groups), task.work.whole)),
    )
    bytes_once = words * SMALL.wgt_word_bytes + groups * SMALL.par_word_bytes
    for outer, times in ((False, 1), (True, task.rows)):
        cut = Cut(1, task.columns, 1, (task.work.whole,), outer)
        blocks, chunks = counts(task, cut)
        assert (blocks, chunks) == (task.rows, groups) and groups > 1
        flow = weights_flow(SMALL, task, cut, blocks, chunks)
        assert flow.dram_bytes == bytes_once * times
        assert flow.transfers == 2 * chunks * times and flow.runs == chunks * times


def test_cycles_of_a_flow() -> None:
    assert Flow(2, 800, 5).cycles(4.0) == 200 + 5 * ISSUE_CYCLES
    assert Flow(2, 800, 5, 1000).cycles(4.0) == 1000, "unfolding takes longer"
