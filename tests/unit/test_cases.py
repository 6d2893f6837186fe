"""What a self-test runs: its programs give what it says must come out, in the interpreter too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.cases import Case, layer_cases, random_cases, to_file
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa import interpreter
from cnnaccel.isa.instructions import Base, Memory, Unit
from cnnaccel.isa.interpreter import run_program
from cnnaccel.isa.program import Program, unpack_program
from cnnaccel.isa.random_program import draw, last_writers
from cnnaccel.runtime.ports import read_ports
from cnnaccel.runtime.selftest import case_count
from tests.support import graphs
from tests.support.graphs import small_network

TINY = load_hardware("tiny")


def of_int8() -> Graph:
    """Layers that read int8, one of them by two names, and an addition of the image itself."""
    rng = np.random.default_rng(3)
    x = graphs.spec("image", (5, 7, 9))
    scaled = graphs.requant(40_000, 22, "int8")
    one = graphs.conv2d(x, rng.integers(-99, 99, (5, 5, 1, 1)), "one", 5, scaled, "int8")
    two = graphs.add(one.output, x, (90, -80), "two", graphs.requant(40_000, 22))
    three = graphs.add(two.output, two.output, (70, 50), "three", scaled, "int8")
    four = graphs.max_pool(three.output, (3, 2), "four", stride=(2, 1))
    return Graph("of int8", x, (one, two, three, four))


GRAPHS: dict[str, Callable[[], Graph]] = {
    "every kind": graphs.every_kind,
    "small": small_network,
    "int8": of_int8,
}


def interpreted(case: Case, hardware: HardwareConfig) -> np.ndarray:
    """What the interpreter makes of the program and INPUT of a layer."""
    packed, weights = (case.arrays[name].tobytes() for name in ("program", "weights"))
    program = unpack_program(packed, weights, hardware)
    expected = case.arrays["expected"]
    output = run_program(hardware, program, case.arrays["input"], len(expected))[Base.OUTPUT]
    return read_ports(case.description["ports"]).unpack(output, len(expected))


@pytest.mark.parametrize("name", GRAPHS)
def test_each_layer_by_itself_gives_goldens_values(name: str) -> None:
    graph = GRAPHS[name]()
    images = np.random.default_rng(2).integers(0, 256, (2, *graph.input.shape), np.uint8)
    values = golden.trace(graph, images)
    cases = {case.name: case for case in layer_cases(graph, TINY, images)}
    assert [*cases] == [layer.name for layer in graph.layers]
    ran = 0
    for layer in graph.layers:
        case = cases[layer.name]
        if not case.arrays:
            assert "nothing to compute" in case.remark
            continue
        assert np.array_equal(case.arrays["expected"], values[layer.output.name])
        assert np.array_equal(interpreted(case, TINY), values[layer.output.name]), layer.name
        ran += 1
    assert ran >= len(graph.layers) - 1


def test_a_pool_runs_behind_its_layer() -> None:
    graph = small_network()
    images = np.zeros((1, *graph.input.shape), np.uint8)
    cases = {case.name: case for case in layer_cases(graph, TINY, images)}
    assert cases["pool"].remark == "behind one" and cases["one"].remark == ""


def test_a_layer_with_many_weights_is_cut() -> None:
    graph = small_network()
    images = np.random.default_rng(2).integers(0, 256, (1, *graph.input.shape), np.uint8)
    values = golden.trace(graph, images)
    cases = {case.name: case for case in layer_cases(graph, TINY, images, most_weights=200)}
    one, pool = cases["one"], cases["pool"]
    assert one.remark == "channels 0 to 3 of 20" and pool.remark == f"behind one, {one.remark}"
    for case in (one, pool):
        assert np.array_equal(case.arrays["expected"], values[case.name][:, :4])
        assert np.array_equal(interpreted(case, TINY), case.arrays["expected"])


def test_a_layer_whose_results_are_all_the_same_gets_other_inputs() -> None:
    """Else a fault might go unseen; layers behind it have golden's values all the same."""
    x = graphs.spec("image", (3, 5, 5))
    rng = np.random.default_rng(3)
    scaled = graphs.requant(40_000, 22, "int8")
    one = graphs.conv2d(x, rng.integers(-99, 99, (4, 3, 3, 3)), "one", 0, scaled, "int8")
    two = graphs.conv2d(one.output, rng.integers(-99, 99, (4, 4, 1, 1)), "two", 9, scaled, "int8")
    two = dataclasses.replace(two, bias=np.arange(0, 4_000, 1_000, dtype=np.int32))
    cases = [*layer_cases(Graph("dull", x, (one, two)), TINY, np.zeros((1, 3, 5, 5), np.uint8))]
    assert [case.remark for case in cases] == ["random inputs, golden's give 0 everywhere", ""]
    for case in cases:
        assert len(np.unique(case.arrays["expected"])) > 1
        assert np.array_equal(interpreted(case, TINY), case.arrays["expected"])


def test_a_layer_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ProgramError("too small")

    monkeypatch.setattr("cnnaccel.compiler.cases.compile_graph", refuse)
    graph = small_network()
    cases = [*layer_cases(graph, TINY, np.zeros((1, *graph.input.shape), np.uint8))]
    assert {case.remark for case in cases} == {"not by itself: too small"}
    assert not any(case.arrays for case in cases)


def name_of(program: Program, order: int) -> str:
    """How the interpreter calls the instruction that runs as number `order`."""
    if order < len(program.once):
        return program.name_of("once", order)
    iteration, at = divmod(order - len(program.once), len(program.body))
    return f"{program.name_of('body', at)} of iteration {iteration}"


@pytest.mark.parametrize("seed", range(3))
def test_who_wrote_each_word_last(seed: int) -> None:
    """As the interpreter noted it while it ran: what body's last STORE has put behind half of
    SCRATCH is what others wrote into act."""
    drawn = draw(TINY, seed, 40)
    machine = interpreter._Machine(TINY, drawn.program, drawn.images, drawn.count)
    while machine.unfinished():
        machine.step(next(unit for unit in Unit if machine.ready(unit)))
    writers = last_writers(TINY, drawn)
    noted = {
        name: [machine.log[t][at] for t, at in zip(memory.writer, memory.written, strict=True)]
        for name, memory in machine.memories.items()
    }
    found = {base: [name_of(drawn.program, order) for order in writers[base]] for base in writers}
    half = TINY.act_words
    assert found[Base.OUTPUT] == noted[Base.OUTPUT]
    assert found[Base.SCRATCH] == noted[Base.SCRATCH][:half] + noted[Memory.ACT]
    assert len(set(found[Base.SCRATCH])) > 9


def test_the_same_bytes_and_each_array_once(tmp_path: Path) -> None:
    cases = [*random_cases(TINY, range(2), 20)]
    for name in ("one.npz", "two.npz"):
        to_file(cases, tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    to_file(
        [dataclasses.replace(cases[0], name="again")], tmp_path / "all.npz", tmp_path / "one.npz"
    )
    assert case_count(tmp_path / "all.npz") == 3
    with np.load(tmp_path / "all.npz") as file:
        # program, input, output, scratch, writers of two, what they share, index
        assert len(file.files) == 2 * 5 + 1 + 1
