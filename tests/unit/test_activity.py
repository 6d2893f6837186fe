"""What a simulation recorded: which layer computes when, and how long each takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.isa.instructions import Compute, Opcode
from cnnaccel.isa.program import Note, Program
from cnnaccel.report.activity import Stretch, from_json, recorded
from cnnaccel.runtime.simulator import EVENTS, Activity

LOAD, COMPUTE, STORE = 0, 1, 2
ONE = Compute(opcode=Opcode.MAC)
PROGRAM = Program(
    digest=1,
    once=(ONE,),
    body=(ONE,) * 4,
    notes=tuple(Note(layer, "") for layer in ("start", "a", "a", "b", "end")),
)
ITERATION = ((0, 1), (10, 2), (30, 3), (37, 4))
"""Cycle and index of what compute begins."""


def activity(iterations: int, starts: tuple[int, ...] = (100, 140, 180)) -> Activity:
    """A record of an instruction of section once, then of iterations; others work beside."""
    rows = [(5, COMPUTE, 0), (6, LOAD, 1)]
    for start in starts[:iterations]:
        rows += [(start + at, COMPUTE, index) for at, index in ITERATION]
        rows.append((start + 38, STORE, 3))
    found = Activity(0, 10, 50, 64)
    found._instructions[: len(rows)] = rows
    found._struct.begun = len(rows)
    found.counts[:25, 0] = 10
    found.counts[:25, 1] = 4
    return found


@pytest.mark.parametrize(
    ("begun", "iterations", "words"),
    [(3, 8, "iteration 2 of 8"), (2, 2, "iteration 1 of 2")],
)
def test_a_whole_iteration(begun: int, iterations: int, words: str) -> None:
    found = recorded(activity(begun), PROGRAM, iterations, 250)
    assert words in found.iteration
    assert found.layer_cycles == {"a": 30, "b": 7, "end": 3}


def test_the_only_iteration_ends_with_the_run() -> None:
    found = recorded(activity(1), PROGRAM, 1, 200)
    assert "only iteration" in found.iteration
    assert found.layer_cycles == {"a": 30, "b": 7, "end": 63}


@pytest.mark.parametrize("begun", [0, 1])
def test_a_record_that_ends_too_early_says_nothing(begun: int) -> None:
    found = recorded(activity(begun), PROGRAM, 5, 200)
    assert found.iteration == "" and found.layer_cycles == {}


def test_iterations_of_a_single_instruction() -> None:
    program = Program(digest=1, body=(ONE,), notes=(Note("a", ""),))
    found = Activity(0, 10, 50, 64)
    found._instructions[:3] = [(5, COMPUTE, 0), (25, COMPUTE, 0), (46, COMPUTE, 0)]
    found._struct.begun = 3
    assert recorded(found, program, 9, 200).layer_cycles == {"a": 21}


def test_stretches_join_what_follows_itself() -> None:
    found = recorded(activity(2), PROGRAM, 2, 250)
    assert found.stretches[:4] == (
        Stretch("start", 5, 100),
        Stretch("a", 100, 130),
        Stretch("b", 130, 137),
        Stretch("end", 137, 140),
    )
    assert found.stretches[-1].end == 250


def test_shares_end_with_the_record(tmp_path: Path) -> None:
    found = recorded(activity(2), PROGRAM, 2, 250)
    shares = found.shares
    assert set(shares) == set(EVENTS)
    assert shares["cycles"] == [1.0] * 25 and shares["steps"] == [0.4] * 25
    found.write(tmp_path)
    assert from_json(json.loads((tmp_path / "activity.json").read_text())) == found


def test_nothing_recorded() -> None:
    found = recorded(Activity(0, 10, 50, 64), PROGRAM, 1, 0)
    assert found.stretches == () and found.layer_cycles == {}
    assert np.sum(found.shares["cycles"]) == 0
