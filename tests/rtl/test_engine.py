"""The whole engine on whole programs: every byte it writes is the interpreter's.

Stalls on every AXI channel, soft reset in the middle, errors that stop it; the same cycles in every
run.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.config import QuantizeConfig
from cnnaccel.hardware import FORMAT_VERSION, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import MAGIC, Base, Compute, Error, Instruction, Load, Unit
from cnnaccel.isa.program import Program
from cnnaccel.predict.estimate import estimate
from cnnaccel.quant.ptq import quantize
from cnnaccel.render.sources import ENGINE, engine_sources
from cnnaccel.runtime.simulator import Timing
from cnnaccel.tools.verilate import lint
from tests.support import graphs
from tests.support.engine import ORIGIN, Engine, run
from tests.support.graphs import images_for, small_network, spilling
from tests.support.hardware import SMALL
from tests.support.networks import network, pixels


def quantized(name: str) -> Graph:
    model, shape = network(name)
    return quantize(model, name, pixels(shape, 4, seed=1), QuantizeConfig()).graph


@pytest.mark.parametrize("board", ["tiny", "pynq_z1", "pynq_z1_512", "zcu104"])
def test_lint(board: str) -> None:
    lint(ENGINE, engine_sources(), load_hardware(board))


@pytest.mark.parametrize("stall", [0, 300, 900])
@pytest.mark.parametrize("make", [small_network, graphs.every_kind, spilling])
def test_programs_with_stalls(make: object, stall: int) -> None:
    graph = make()  # type: ignore[operator]
    images = images_for(graph, 5)
    for at_a_time in (1, None):
        compiled = compile_graph(graph, SMALL, at_a_time)
        engine = Engine(SMALL, timing=Timing(stall_permille=stall, seed=stall))
        assert np.array_equal(run(engine, compiled, images), golden.run(graph, images))
        assert (compiled.program.scratch_bytes > 0) == (make is spilling)


@pytest.mark.slow
def test_512_macs_of_which_some_are_luts() -> None:
    board = load_hardware("pynq_z1_512")
    assert board.array_dsp < board.array_products
    for graph in (small_network(), quantized("lenet")):
        images = images_for(graph, 3)
        compiled = compile_graph(graph, board, None)
        assert np.array_equal(run(Engine(board), compiled, images), golden.run(graph, images))


def test_a_network_larger_than_the_chip_and_the_prediction() -> None:
    """LeNet's 81 KB of weights through 4 KiB; the prediction is good to 10 % even there."""
    graph = quantized("lenet")
    images = images_for(graph, 2)
    compiled = compile_graph(graph, SMALL, 1)
    engine = Engine(SMALL)
    assert np.array_equal(run(engine, compiled, images), golden.run(graph, images))
    predicted = estimate(compiled, 1)
    total = predicted.start_cycles + predicted.first_cycles + predicted.cycles
    measured = engine.read("cycles")
    print(f"predicted {total}, measured {measured}")
    assert abs(total / measured - 1) < 0.1


def test_the_same_bytes_and_cycles_every_time() -> None:
    """Again, and after a reset in the middle of a run."""
    graph = small_network()
    compiled = compile_graph(graph, SMALL, 1)
    images = images_for(graph, 3)
    engine = Engine(SMALL)
    names = ("cycles", "steps", "read_bytes", "written_bytes", "load_busy", "store_busy")
    seen = set()
    for cycles in (0, 0, 100, 1000, 3000):
        if cycles:
            engine.write("control", 1)
            engine.step(cycles)
            assert engine.read("status") == 1
            engine.reset()
        out = run(engine, compiled, images)
        seen.add((out.tobytes(), *(engine.read(name) for name in names)))
    assert len(seen) == 1


def test_engines_end_in_any_order() -> None:
    """And those that are left work on. It used to hang, so it runs where it can be stopped."""
    code = (
        "from tests.support.engine import Engine; from tests.support.hardware import SMALL\n"
        "first, second, third = (Engine(SMALL) for _ in range(3))\n"
        "del third\n"
        "del first\n"
        "print(second.read('version'))\n"
    )
    Engine(SMALL)  # the library is built here
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          cwd=Path(__file__).parents[2], check=True)  # fmt: skip
    assert int(done.stdout) == FORMAT_VERSION


def test_counters() -> None:
    graph = small_network()
    compiled = compile_graph(graph, SMALL, 1)
    engine = Engine(SMALL)
    run(engine, compiled, images_for(graph, 1))
    computes = [one for one in compiled.program.body if isinstance(one, Compute)]
    once = [one for one in compiled.program.once if isinstance(one, Compute)]
    steps = sum(int(np.prod(one.bounds)) for one in (*once, *computes))
    assert engine.read("steps") == steps
    assert engine.read("written_bytes") == compiled.program.output_stride
    assert engine.read("cycles") > steps


def test_registers() -> None:
    """What a driver looks at first, and what it wrote, comes back."""
    compiled = compile_graph(small_network(), SMALL, 1)
    engine = Engine(SMALL)
    places = engine.put(compiled.program, compiled.ports.pack(images_for(small_network(), 1)), 1)
    assert (engine.read("id"), engine.read("version")) == (MAGIC, FORMAT_VERSION)
    assert engine.read("digest") == SMALL.digest == compiled.program.digest
    assert engine.read("control") == engine.read("status") == 0
    for base, place in places.items():
        assert engine.read(f"{base.name.lower()}_address") == ORIGIN + place.start
        assert engine.read(f"{base.name.lower()}_bytes") == len(place)
    for enable, pending in ((0, 1), (3, 1)):
        engine.write("interrupt_enable", enable)
        assert engine.read("interrupt_enable") == enable
        engine.write("control", 1)
        engine.step(100_000)
        assert engine.read("interrupt_status") == pending
        engine.write("interrupt_status", 3)
        assert engine.read("interrupt_status") == 0 and engine.done


# -- what goes wrong -------------------------------------------------------------------------------


def broken(program: Program, at: int, instruction: Instruction) -> Program:
    body = list(program.body)
    body[at] = instruction
    return dataclasses.replace(program, body=tuple(body))


def fails(engine: Engine, program: Program, images: np.ndarray) -> tuple[Error, int]:
    """Why it stops, and at which instruction of once and body; after a reset it works again."""
    places = engine.put(program, images, 1)
    put = engine.memory.copy()
    engine.start(200_000)
    assert engine.read("status") == 4
    found = engine.error, engine.read("failing_instruction")
    outside = np.ones(engine.memory_bytes, bool)
    for base in (Base.OUTPUT, Base.SCRATCH):
        outside[places[base].start : places[base].stop] = False
    assert np.array_equal(engine.memory[outside], put[outside]), "wrote outside its buffers"
    engine.write("control", 1)  # ignored until reset
    engine.step(50)
    assert engine.read("status") == 4
    engine.reset()
    assert engine.error is Error.NONE
    return found


def test_errors_stop_it_and_reset_mends_it() -> None:
    graph = small_network()
    compiled = compile_graph(graph, SMALL, 1)
    images = images_for(graph, 1)
    packed = compiled.ports.pack(images)
    program, once = compiled.program, len(compiled.program.once)
    engine = Engine(SMALL)
    loads = [at for at, one in enumerate(program.body) if isinstance(one, Load)]
    load = program.body[loads[2]]
    assert isinstance(load, Load)
    far = dataclasses.replace(load, dram_offset=1 << 20)
    assert fails(engine, broken(program, loads[2], far), packed) == (
        Error.ADDRESS, once + loads[2],
    )  # fmt: skip
    waiting = [at for at, one in enumerate(program.body) if Unit.LOAD in one.wait_for]
    first = program.body[waiting[0]]
    greedy = dataclasses.replace(first, wait_for=first.wait_for | Unit.STORE)
    assert fails(engine, broken(program, waiting[0], greedy), packed)[0] is Error.TOKEN
    assert np.array_equal(run(engine, compiled, images), golden.run(graph, images))


def test_an_unknown_opcode_and_an_address_that_does_not_answer() -> None:
    graph = small_network()
    compiled = compile_graph(graph, SMALL, 1)
    images = images_for(graph, 1)
    engine = Engine(SMALL)
    engine.put(compiled.program, compiled.ports.pack(images), 1)
    once = sum(one.BYTES for one in compiled.program.once)
    first = engine.read("program_address") - ORIGIN
    engine.memory[first + once] = 0x1F  # the first instruction of body
    engine.start(200_000)
    assert (engine.read("status"), engine.error) == (4, Error.OPCODE)
    assert engine.read("failing_instruction") == len(compiled.program.once)
    engine.reset()
    engine.put(compiled.program, compiled.ports.pack(images), 1)
    engine.write("weights_address", 0x7000_0000)
    engine.start(200_000)
    assert (engine.read("status"), engine.error) == (4, Error.READ)
    engine.reset()
    engine.put(compiled.program, compiled.ports.pack(images), 1)
    engine.write("output_address", 0x7000_0000)
    engine.start(200_000)
    assert (engine.read("status"), engine.error) == (4, Error.WRITE)
    engine.reset()
    assert np.array_equal(run(engine, compiled, images), golden.run(graph, images))


def test_no_iterations() -> None:
    """Section once alone."""
    compiled = compile_graph(small_network(), SMALL, 1)
    engine = Engine(SMALL)
    engine.put(compiled.program, compiled.ports.pack(images_for(small_network(), 1)), 0)
    engine.start(10_000)
    assert engine.done and engine.read("iteration") == 0
