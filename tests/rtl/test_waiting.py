"""Register `waiting` on the engine: who waits for whom while memory answers nothing."""

from __future__ import annotations

import dataclasses
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from cnnaccel.hardware import load_hardware
from cnnaccel.isa.instructions import Base, Compute, Instruction, Load, Opcode, Store, Unit
from cnnaccel.isa.program import Program
from cnnaccel.runtime.simulator import Timing
from tests.support.engine import Engine

HARDWARE = load_hardware("tiny")
WORD = HARDWARE.input_lanes
SILENT = Timing(bus_permille=0)
NO_IMAGE = np.zeros(64, np.uint8)
SHORT: dict[Unit, Instruction] = {
    Unit.LOAD: Load(), Unit.COMPUTE: Compute(), Unit.STORE: Store(base=Base.OUTPUT),
}  # fmt: skip


def program(*body: Instruction) -> Program:
    return Program(
        digest=HARDWARE.digest, body=body, input_stride=64, output_stride=64, weights=bytes(1 << 15)
    )


def started(*body: Instruction) -> Engine:
    """Running it, from fast memory."""
    engine = Engine(HARDWARE, timing=Timing(latency=0, bus_permille=1000))
    engine.put(program(*body), NO_IMAGE, 1)
    assert engine.waiting() == set()
    engine.write("control", 1)
    return engine


def silenced(engine: Engine) -> set[str]:
    """What it waits for a while after memory fell silent; then memory goes on to the end."""
    engine.slow(SILENT)
    engine.step(300)
    assert engine.read("status") == 1
    found = engine.waiting()
    engine.step(300)
    assert engine.waiting() == found
    engine.slow(Timing())
    engine.wait(100_000)
    assert engine.done and engine.waiting() == set()
    return found


LONG_LOAD = Load(opcode=Opcode.LOAD_ACT, run_words=512)
LONG_STORE = Store(base=Base.OUTPUT, runs=512, stride=1)  # to one word, again and again
LONG_COMPUTE = Compute(bounds=(1, 200, 1, 1, 1, 1, 1, 1, 10))


def test_instructions() -> None:
    engine = started(LONG_LOAD)
    engine.step(60)
    assert engine.read("waiting") != 0
    engine.slow(SILENT)
    engine.write("control", 2)
    engine.write("control", 1)  # ignored
    engine.step(300)
    assert engine.read("status") == 1 and engine.waiting() == {"end_dram"}
    engine.slow(Timing())
    engine.step(300)
    assert engine.read("status") == 0 and engine.waiting() == set()
    engine.slow(SILENT)
    engine.write("control", 1)
    assert silenced(engine) == {"fetch_dram"}


def test_room_in_a_queue() -> None:
    first = _with(dataclasses.replace(LONG_STORE, runs=2000), signal_to=Unit.LOAD)
    second = _with(SHORT[Unit.LOAD], wait_for=Unit.STORE)
    engine = started(first, second, *[SHORT[Unit.LOAD]] * 20)
    engine.step(1000)
    assert silenced(engine) == {"fetch_queue", "load_store", "store_busy", "store_dram"}


@pytest.mark.parametrize(("giver", "taker"), [*permutations(Unit, 2)])
def test_tokens(giver: Unit, taker: Unit) -> None:
    """The giver waits for memory, or for one of the third unit that does."""
    busy = giver
    if giver is Unit.COMPUTE:
        busy = next(unit for unit in Unit if unit not in (giver, taker))
    long = LONG_LOAD if busy is Unit.LOAD else LONG_STORE
    body = [_with(long, signal_to=taker if busy is giver else giver)]
    expected = {f"{_name(busy)}_busy", f"{_name(busy)}_dram", f"{_name(taker)}_{_name(giver)}"}
    if busy is not giver:
        body.append(_with(SHORT[giver], wait_for=busy, signal_to=taker))
        expected.add(f"{_name(giver)}_{_name(busy)}")
    body.append(_with(SHORT[taker], wait_for=giver))
    engine = started(*body)
    engine.step(150)
    assert silenced(engine) == expected


def _name(unit: Unit) -> str:
    return str(unit.name).lower()


def _with(instruction: Instruction, **changes: Any) -> Instruction:
    return dataclasses.replace(instruction, **changes)


def test_compute_at_work() -> None:
    engine = started(LONG_COMPUTE)
    engine.step(300)
    assert engine.waiting() == {"compute_busy"}
    engine.wait(100_000)
    assert engine.done
