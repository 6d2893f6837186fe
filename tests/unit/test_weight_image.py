"""The buffer WEIGHTS: each piece packed once, loads that name its bytes."""

from __future__ import annotations

import numpy as np

from cnnaccel.compiler.emit.tokens import Op
from cnnaccel.compiler.emit.weights import WeightImage
from cnnaccel.isa.instructions import Load, Memory, Opcode
from tests.support.hardware import SMALL
from tests.support.tasks import task_of

TASK = task_of("strided")
WHOLE = TASK.work.whole
GROUPS = range(TASK.work.channels.groups)


def load_of(ops: list[Op]) -> Load:
    (op,) = ops
    assert isinstance(op.instruction, Load)
    return op.instruction


def test_a_piece_is_packed_once() -> None:
    image = WeightImage(SMALL)
    first = load_of(image.load_wgt(TASK, range(1), WHOLE, True, 5))
    size = len(image.data)
    second = load_of(image.load_wgt(TASK, range(1, 2), WHOLE, True, 9))
    again = load_of(image.load_wgt(TASK, range(1), WHOLE, True, 13))
    assert len(image.data) == 2 * size
    assert (first.dram_offset, second.dram_offset, again.dram_offset) == (0, size, 0)
    assert (first.address, again.address) == (5, 13)
    assert first.run_words == size // SMALL.wgt_word_bytes
    assert bytes(image.data[:size]) == TASK.work.weight_words(range(1), WHOLE).tobytes()


def test_weights_and_parameters_of_all() -> None:
    image = WeightImage(SMALL)
    wgt, par = image.load_all(TASK, (WHOLE,), 3, 1)
    assert isinstance(wgt.instruction, Load) and isinstance(par.instruction, Load)
    assert (wgt.instruction.opcode, par.instruction.opcode) == (Opcode.LOAD_WGT, Opcode.LOAD_PAR)
    assert par.instruction.run_words == len(GROUPS)
    assert par.instruction.dram_offset == len(TASK.work.weight_words(GROUPS, WHOLE).tobytes())
    (cells,) = wgt.writes
    assert cells.memory is Memory.WGT
    assert cells.columns == slice(3, 3 + wgt.instruction.run_words)
    parameters = np.frombuffer(image.data[par.instruction.dram_offset :], np.uint8)
    assert parameters.tobytes() == TASK.work.parameter_words(GROUPS)


def test_in_parts_each_group_has_its_parts_together() -> None:
    parts = tuple(
        type(WHOLE)(WHOLE.rows, WHOLE.columns, range(word, word + 1)) for word in WHOLE.words
    )
    assert len(parts) > 1
    image = WeightImage(SMALL)
    image.load_all(TASK, parts, 0, 0)
    expected = b"".join(
        TASK.work.weight_words(range(group, group + 1), part).tobytes()
        for group in GROUPS
        for part in parts
    )
    assert bytes(image.data[: len(expected)]) == expected


def test_a_maximum_has_no_weights() -> None:
    pool = task_of("pool")
    image = WeightImage(SMALL)
    groups = range(pool.work.channels.groups)
    assert image.load_wgt(pool, groups, pool.work.whole, True, 0) == []
    assert load_of(image.load_par(pool, groups, 0)).opcode is Opcode.LOAD_PAR
