"""Instructions at random: they read no word that they write, and leave nothing out."""

from __future__ import annotations

import dataclasses

import numpy as np

from cnnaccel.hardware import PAR_BYTES
from cnnaccel.isa.execute import execute
from cnnaccel.isa.instructions import Compute, Opcode
from cnnaccel.isa.random_instruction import (
    count,
    free,
    fresh,
    garbage,
    par_bytes,
    separate,
    synchronised,
    touched,
    unfold_fields,
    wgt_bytes,
)
from tests.support.hardware import SMALL


def test_scratchpads_with_anything_in_them() -> None:
    first, again, other = fresh(SMALL, 1), fresh(SMALL, 1), fresh(SMALL, 2)
    assert np.array_equal(first.act, again.act) and not np.array_equal(first.act, other.act)
    pads = garbage(SMALL, np.random.default_rng(0))
    assert pads.act.std() > 50 and pads.wgt.std() > 50 and pads.bias.std() > 0
    assert wgt_bytes(pads).nbytes == pads.wgt.nbytes
    assert par_bytes(pads).nbytes == pads.bias.size * PAR_BYTES


def test_free_instructions_are_legal_and_differ() -> None:
    rng = np.random.default_rng(3)
    pads = garbage(SMALL, rng)
    made = [free(SMALL, rng, pads) for _ in range(60)]
    for one in made:
        one.check()
        assert separate(pads, one) and Compute.unpack(one.pack()) == one
        read, written = touched(pads, one)
        assert not (read & written).any()
    assert {one.opcode for one in made} == {Opcode.MAC, Opcode.MAX}
    assert {one.drain for one in made} == {True, False} == {one.clear for one in made}
    assert len({one.bounds for one in made}) > 30


def test_an_instruction_that_reads_what_it_writes_is_found() -> None:
    rng = np.random.default_rng(7)
    pads = garbage(SMALL, rng)
    found = 0
    for _ in range(40):
        one = free(SMALL, rng, pads)
        near = dataclasses.replace(one, o_init=one.a_init, interleave_out=one.interleave_in)
        read, written = touched(pads, near)
        found += bool((read & written).any())
        assert separate(pads, near) == (not (read & written).any())
    assert found > 3


def test_what_an_instruction_touches_is_what_it_changes() -> None:
    rng = np.random.default_rng(4)
    sums = np.zeros((SMALL.pixel_lanes, SMALL.output_lanes), np.int64)
    for _ in range(20):
        pads = garbage(SMALL, rng)
        one = free(SMALL, rng, pads)
        before, (_, written) = pads.act.copy(), touched(pads, one)
        execute(pads, one, sums)
        assert np.array_equal(before[~written], pads.act[~written])


def test_synchronised_instructions_wait_where_they_must() -> None:
    """One that reads what the one before writes waits for its drain."""
    rng = np.random.default_rng(5)
    pads = garbage(SMALL, rng)
    for _ in range(20):
        pair = synchronised(pads, [free(SMALL, rng, pads) for _ in range(2)])
        (_, written), (read, _) = touched(pads, pair[0]), touched(pads, pair[1])
        if (written & read).any():
            assert pair[1].wait_drain


def test_numbers() -> None:
    rng = np.random.default_rng(6)
    assert {count(rng, 3) for _ in range(100)} == {1, 2, 3}
    for _ in range(50):
        fields = unfold_fields(rng, SMALL.input_lanes)
        assert fields["kernel_w"] * fields["pixel_bytes"] <= 64
