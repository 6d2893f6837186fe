"""Blocks between DRAM and act: the bytes that operations move are those of the block, all once."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cnnaccel.compiler.compile import choose
from cnnaccel.compiler.emit.tokens import InDram, Op
from cnnaccel.compiler.emit.transfers import act_cells, move, place_cells, transfer_bytes, unfold
from cnnaccel.compiler.lower.network import Tensor
from cnnaccel.compiler.lower.place import Place
from cnnaccel.compiler.plan.blocks import Block
from cnnaccel.compiler.plan.schedule import Schedule
from cnnaccel.isa.instructions import Base, Load, Memory, Opcode, Store
from tests.support import graphs
from tests.support.hardware import TINY

WIDTH = TINY.input_lanes


@cache
def schedule() -> Schedule:
    return choose(graphs.spilling(), TINY, 1)


def tensor(name: str) -> Tensor:
    return schedule().network.tensors[name]


def loads(ops: list[Op]) -> list[Load | Store]:
    found = [op.instruction for op in ops]
    return [one for one in found if isinstance(one, Load | Store)]


def bytes_of_dram(ops: list[Op]) -> list[int]:
    """The offset of every byte that is moved."""
    found: list[int] = []
    for one in loads(ops):
        for run in range(one.runs):
            start = one.dram_offset + run * one.dram_stride
            found += range(start, start + one.run_words * WIDTH)
    return found


def words_of_act(ops: list[Op], place: Place) -> list[int]:
    """The word of `place` that each word of DRAM goes to, in the order of DRAM."""
    found: list[int] = []
    for one in loads(ops):
        for run in range(one.runs):
            start = one.address + run * one.stride
            found += range(start, start + one.run_words)
    return [word - place.base for word in found]


BLOCKS = {
    "whole": Block(range(4), range(20), range(19)),
    "rows": Block(range(4), range(3, 9), range(19)),
    "words": Block(range(1, 3), range(20), range(19)),
    "columns": Block(range(4), range(3, 9), range(5, 12)),
}


@pytest.mark.parametrize("kind", [Load, Store])
@pytest.mark.parametrize("name", BLOCKS)
def test_every_byte_of_a_block_once(name: str, kind: type[Load] | type[Store]) -> None:
    one, block = tensor("one"), BLOCKS[name]
    assert (one.words, one.rows, one.columns) == (4, 20, 19)
    shape = len(block.words), len(block.rows), len(block.columns)
    place = Place(32, shape[0], shape[1], shape[2], True)
    ops = move(schedule(), kind, one, block, place, "layer")
    start = schedule().dram["one"]
    moved = bytes_of_dram(ops)
    plane = np.arange(4 * 20 * 19 * WIDTH).reshape(4, 20, 19, WIDTH)
    inside = plane[block.words.start : block.words.stop, block.rows.start : block.rows.stop]
    inside = inside[:, :, block.columns.start : block.columns.stop]
    assert sorted(moved) == (start + np.sort(inside, axis=None)).tolist()
    assert words_of_act(ops, place) == list(range(place.size))
    assert sum(transfer_bytes(TINY, one) for one in loads(ops)) == inside.size
    assert len(ops) == (4 if name == "columns" else 1)
    for op in ops:
        watched = InDram("one"), Memory.ACT
        reads, writes = watched if kind is Load else watched[::-1]
        assert [cells.memory for cells in op.reads] == [reads]
        assert [cells.memory for cells in op.writes] == [writes]


def test_images_lie_one_after_another() -> None:
    image = tensor("image")
    block = Block(range(image.words), range(2, 6), range(image.columns))
    place = Place(0, image.words, 4, image.columns, False)
    first, second = (unfold(schedule(), image, block, place, "one", at)[0] for at in (0, 1))
    (a, b) = first.instruction, second.instruction
    assert isinstance(a, Load) and isinstance(b, Load)
    assert b.dram_offset - a.dram_offset == schedule().network.image_bytes == 3 * 20 * 19
    assert a.opcode is Opcode.UNFOLD and a.base is Base.INPUT and a.advances
    assert (a.runs, a.dram_offset, a.row_pixels) == (4, 2 * 19 * 3, 19)
    assert transfer_bytes(TINY, a) == 4 * 19 * 3


def test_units_of_act() -> None:
    """A unit is 4*P words, and one that is touched is touched whole."""
    assert act_cells(TINY, 8, 17).columns == slice(1, 3)
    assert place_cells(TINY, Place(16, 1, 2, 8, False)).columns == slice(2, 4)
    one = Load(opcode=Opcode.LOAD_WGT, run_words=3, runs=2)
    assert transfer_bytes(TINY, one) == 6 * TINY.wgt_word_bytes == 6 * 4 * 4
