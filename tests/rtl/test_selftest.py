"""The self-test finds faults of the RTL, and says where they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnaccel.compiler.cases import layer_cases, network_case, random_cases, to_file
from cnnaccel.compiler.compile import compile_graph
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import load_hardware
from cnnaccel.ir.graph import Add, AnyLayer, Conv2d, MaxPool2d
from cnnaccel.runtime.board import SELF_TEST
from cnnaccel.runtime.device import SimDevice
from cnnaccel.runtime.driver import Accelerator
from cnnaccel.runtime.selftest import (
    LAYER,
    NETWORK,
    RANDOM,
    contiguous_needed,
    first_differences,
    run_cases,
    summary,
)
from cnnaccel.runtime.simulator import Timing
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support import faulty
from tests.support.graphs import small_network

TINY = load_hardware("tiny")
GRAPH = small_network()
PROGRAMS = 4
Outcomes = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network's program, and its self-test."""
    made = tmp_path_factory.mktemp("self-test")
    compiled = compile_graph(GRAPH, TINY, 4)
    compiled.to_files(made)
    images = np.random.default_rng(2).integers(0, 256, (8, *GRAPH.input.shape), np.uint8)
    cases = [
        *random_cases(TINY, range(PROGRAMS), 60),
        *layer_cases(GRAPH, TINY, images[:1]),
        network_case(GRAPH, compiled.ports, images),
    ]
    to_file(cases, made / SELF_TEST)
    return made


@pytest.fixture(scope="module")
def bitstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faulty.faulty_bitstream(TINY, tmp_path_factory.mktemp("faulty"))


Run = Callable[[int], Outcomes]


@pytest.fixture
def run(folder: Path, bitstream: Path) -> Run:
    """The self-test on an engine with a fault."""

    def test(fault: int) -> Outcomes:
        faulty.choose(bitstream, fault)
        engine = Accelerator(bitstream, SimDevice(memory_bytes=8 << 20), timeout_seconds=0.5)
        return run_cases(engine, folder / SELF_TEST, folder)

    return test


def named(outcomes: Outcomes, kind: str) -> dict[str, str]:
    """What was found, by name; of those that differ."""
    return {o["name"]: o["found"] for o in outcomes if o["kind"] == kind and o["found"]}


def channels(found: str) -> set[int]:
    """In which all values that differ are."""
    said = re.search(r"all in channels? ([\d, ]+)$", found)
    assert said, found
    return set(map(int, said[1].split(", ")))


def test_nothing_is_found_where_nothing_is_wrong(run: Run, folder: Path) -> None:
    told: list[tuple[int, int]] = []
    outcomes = run(faulty.NONE)
    assert not any(outcome["found"] or outcome["wrong"] for outcome in outcomes)
    assert first_differences(outcomes) == []
    count = len(GRAPH.layers)
    said = f"{PROGRAMS} random programs, {count} layers, the network: equal, in "
    assert summary(outcomes).startswith(said)
    assert [o["kind"] for o in outcomes] == [RANDOM] * PROGRAMS + [LAYER] * count + [NETWORK]
    assert all(outcome["values"] for outcome in outcomes)
    board = SimDevice(memory_bytes=contiguous_needed(folder / SELF_TEST, folder) + (64 << 10))
    board.cycles_per_poll = 500
    engine = Accelerator(simulated_bitstream(TINY), board, timeout_seconds=0.5)
    run_cases(engine, folder / SELF_TEST, folder, lambda *done: told.append(done))
    assert told == sorted(told) and len(told) > 2 * len(outcomes)  # also while one runs
    assert {*told} == {(done, len(outcomes)) for done in range(len(outcomes) + 1)}


def test_a_stuck_bit_of_a_weight(run: Run) -> None:
    """Of a word that only one layer has so many weights for; its channel is named."""
    four = next(layer for layer in GRAPH.layers if layer.name == "four")
    assert isinstance(four, Conv2d)
    steps = four.weight[0].size // TINY.input_lanes
    group, step = divmod(faulty.STUCK_WORD, steps)
    channel = group * TINY.output_lanes + faulty.STUCK_LANE
    outcomes = run(faulty.STUCK_BIT)
    found = named(outcomes, LAYER)
    assert [*found] == ["four"] and channels(found["four"]) == {channel}, (found, step)
    assert "layer 'four' (1 of 8 layers differ): image 0, channel 10, y " in "\n".join(
        first_differences(outcomes)
    )


def test_a_dead_lane(run: Run) -> None:
    """Every layer is wrong, each in the channels of this lane."""
    outcomes = run(faulty.DEAD_LANE)
    found = named(outcomes, LAYER)
    assert len(found) == len(GRAPH.layers)
    for where in found.values():
        assert {channel % TINY.output_lanes for channel in channels(where)} == {faulty.LANE}
    assert len(named(outcomes, RANDOM)) == PROGRAMS
    assert any(
        f"leaves lane {faulty.LANE} of word" in one for one in named(outcomes, RANDOM).values()
    )


def shift_of(layer: AnyLayer) -> int:
    """That of a layer, or of what a pool is done with."""
    if isinstance(layer, MaxPool2d):
        layer = next(one for one in GRAPH.layers if one.output.name == layer.inputs[0])
    (shift,) = set(layer.requant.shift.tolist())  # type: ignore[union-attr]
    return int(shift)


def test_a_wrong_shift(run: Run) -> None:
    """A bit that is always 1 spoils the layers whose shift has it 0, no others; and an addition,
    whose inputs are picked out of one image, with shift 0."""
    found = named(run(faulty.WRONG_SHIFT), LAYER)
    layers = GRAPH.layers
    wrong = [one.name for one in layers if shift_of(one) % 2 == 0 or isinstance(one, Add)]
    assert [*found] == wrong and 0 < len(wrong) < len(layers)


def test_a_memory_that_drops_a_beat(run: Run) -> None:
    """Whole words are wrong, one of 128, and a random program names the STORE that wrote them."""
    outcomes = run(faulty.DROPPED_BEAT)
    assert named(outcomes, LAYER) and named(outcomes, RANDOM)
    for outcome in outcomes:
        if outcome["kind"] == RANDOM:
            words = outcome["values"] / TINY.input_lanes
            assert outcome["wrong"] <= TINY.input_lanes * (2 * words / 128 + 2)
            assert not outcome["found"] or "(random: STORE)" in outcome["found"]


def test_an_engine_that_hangs_ends_the_test(folder: Path, bitstream: Path) -> None:
    faulty.choose(bitstream, faulty.NONE)
    board = SimDevice(memory_bytes=8 << 20)
    engine = Accelerator(bitstream, board, timeout_seconds=0.3)
    board.on_start = lambda simulator: simulator.slow(Timing(bus_permille=0))
    outcomes = run_cases(engine, folder / SELF_TEST, folder)
    assert len(outcomes) == 1 and outcomes[0]["stopped"]
    assert "the engine has done nothing for 0.3 s" in first_differences(outcomes)[0]
    assert "1 of 1 differ" in summary(outcomes)


@pytest.mark.parametrize("damaged", [b"", b"PK\3\4 no archive", None])
def test_a_file_that_is_damaged(
    folder: Path, bitstream: Path, tmp_path: Path, damaged: bytes | None
) -> None:
    engine = Accelerator(bitstream, SimDevice(memory_bytes=8 << 20))
    path = tmp_path / SELF_TEST
    if damaged is None:
        data = bytearray((folder / SELF_TEST).read_bytes())
        data[len(data) // 2] ^= 255
        damaged = bytes(data)
    path.write_bytes(damaged)
    with pytest.raises(ProgramError, match="no file of a self-test, or damaged"):
        run_cases(engine, path, folder)
