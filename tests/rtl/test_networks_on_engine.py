"""Real networks on the engine: golden's numbers, the promised cycles, what was predicted.

P = 4, C = 8, K = 8, DRAM 40 cycles away at 80 % of its bus, cycles as the engine counts them from
start to done, weights loaded within them. With -rP each run prints its row of the table

    network | images | cycles per image, predicted | measured | error | share of peak | DRAM MB

where error is that of the prediction, and DRAM what an image moves, instructions included.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import Compiled, choose, compile_graph, compile_schedule
from cnnaccel.compiler.plan.schedule import Schedule
from cnnaccel.config import DataConfig
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.program import Program
from cnnaccel.nn.data import load_dataset
from cnnaccel.predict.estimate import estimate
from tests.support import imagenet
from tests.support.engine import Engine
from tests.support.networks import pixels, quantized

PYNQ = load_hardware("pynq_z1")
COUNTERS = ("cycles", "steps", "read_bytes", "written_bytes", "load_busy", "store_busy")
MEMORY = 1 << 24
LARGE = 1 << 28


@dataclass(frozen=True)
class Run:
    """What a run of an engine on some images took."""

    engine: Engine
    places: dict[Base, range]
    cycles: int
    share: float
    """Useful MACs, of what the array could do; those of depthwise layers are not."""

    def bytes_of(self, base: Base) -> np.ndarray:
        return self.engine.memory[self.places[base].start : self.places[base].stop]


def run(graph: Graph, compiled: Compiled, images: np.ndarray, memory_bytes: int = MEMORY) -> Run:
    """Its results are golden's, its cycles within 5 % of the prediction."""
    iterations = -(-len(images) // compiled.ports.images)
    engine = Engine(PYNQ, memory_bytes)
    places = engine.put(compiled.program, compiled.ports.pack(images), iterations)
    engine.start(1 << 40)
    assert engine.done, (engine.error, engine.read("failing_instruction"))
    predicted = estimate(compiled, 1).run_cycles(iterations)
    found = finished(compiled, engine, places, len(images), predicted)
    out = compiled.ports.unpack(found.bytes_of(Base.OUTPUT), len(images))
    assert np.array_equal(out, golden.run(graph, images))
    return found


def finished(
    compiled: Compiled, engine: Engine, places: dict[Base, range], count: int, predicted: int
) -> Run:
    """Prints the row of the table."""
    cycles = engine.read("cycles")
    useful = sum(task.macs for task in compiled.schedule.network.tasks) * count
    share = useful / (cycles * PYNQ.peak_macs)
    moved = (engine.read("read_bytes") + engine.read("written_bytes")) / count / 1e6
    error = predicted / cycles - 1
    print(
        f"{compiled.name} | {count:,} | {predicted / count:,.0f} | {cycles / count:,.0f} | "
        f"{error:+.1%} | {share:.1%} | {moved:.3f}"
    )
    assert abs(error) < 0.05
    return Run(engine, places, cycles, share)


def again(engine: Engine, program: Program) -> None:
    """The starts to come find the weights on the chip, and load none."""
    every, rest = (sum(one.BYTES for one in part) for part in (program.once, program.again))
    engine.write("program_address", engine.read("program_address") + every - rest)
    engine.write("once_bytes", rest)


# -- small networks: all weights on the chip -------------------------------------------------------


def test_lenet_on_a_thousand_real_images(data_dir: Path) -> None:
    images = load_dataset(DataConfig(), data_dir).test.images[:1000]
    graph = quantized("lenet")
    found = run(graph, compile_graph(graph, PYNQ), images)
    assert found.cycles <= 1950 * 1000 and found.share >= 0.49


def test_lenet_alone_and_the_same_every_time() -> None:
    """One image from start to done, weights on the chip; the first run has to load them."""
    graph = quantized("lenet")
    compiled = compile_graph(graph, PYNQ, 1)
    images = pixels(graph.input.shape, 1, seed=5)
    cold = run(graph, compiled, images)
    engine, output = cold.engine, cold.bytes_of(Base.OUTPUT)
    first, expected = [engine.read(name) for name in COUNTERS], output.copy()
    again(engine, compiled.program)
    seen = set()
    for _ in range(200):
        output[:] = 0x55
        engine.start()
        assert engine.done and np.array_equal(output, expected)
        seen.add(tuple(engine.read(name) for name in COUNTERS))
    assert len(seen) == 1
    alone = estimate(compiled, 1).alone_cycles
    assert finished(compiled, engine, cold.places, 1, alone).cycles <= 3800
    engine.put(compiled.program, compiled.ports.pack(images), 1)
    engine.start()
    assert [engine.read(name) for name in COUNTERS] == first


@pytest.mark.parametrize(
    ("name", "count", "most_cycles"),
    [("lenet_caffe", 64, 14_000), ("resnet8", 20, 60_000), ("dscnn", 20, 30_000)],
)
def test_small_networks(name: str, count: int, most_cycles: int) -> None:
    graph = quantized(name)
    found = run(graph, compile_graph(graph, PYNQ), pixels(graph.input.shape, count, seed=5))
    assert found.cycles <= most_cycles * count


# -- large ones ------------------------------------------------------------------------------------


def spread(chosen: Schedule) -> Schedule:
    """Every tensor of SCRATCH in a place of its own, so that it is still there at the end."""
    tensors, width = chosen.network.tensors, chosen.hardware.input_lanes
    dram, end = dict(chosen.dram), 0
    for name in dram:
        if tensors[name].base is Base.SCRATCH:
            dram[name], end = end, end + tensors[name].size * width
    return dataclasses.replace(chosen, dram=dram, scratch_bytes=end)


def assert_scratch_is_golden(graph: Graph, compiled: Compiled, images: np.ndarray) -> int:
    """All tensors that reach DRAM; returns how many there are."""
    found = run(graph, compiled, images, LARGE)
    scratch, chosen = found.bytes_of(Base.SCRATCH), compiled.schedule
    stored = [
        tensor
        for name, tensor in chosen.network.tensors.items()
        if name in chosen.dram and tensor.base is Base.SCRATCH
    ]
    expected = golden.trace(graph, images, tuple(tensor.name for tensor in stored))
    for tensor in stored:
        at = chosen.dram[tensor.name]
        words = scratch[at : at + tensor.size * PYNQ.input_lanes]
        laid = words.reshape(tensor.words, tensor.rows, tensor.columns, PYNQ.input_lanes)
        values = laid.transpose(0, 3, 1, 2).reshape(-1, tensor.rows, tensor.columns)
        wanted = expected[tensor.name][0]
        assert np.array_equal(values.view(wanted.dtype), wanted), tensor.name
    return len(stored)


@pytest.mark.slow
def test_resnet18() -> None:
    graph = quantized("resnet18", 224)
    images = pixels(graph.input.shape, 1, seed=5)
    found = run(graph, compile_graph(graph, PYNQ, 1), images, LARGE)
    assert found.share >= 0.85
    apart = compile_schedule(graph, spread(choose(graph, PYNQ, 1)))
    assert apart.program.scratch_bytes > 1 << 20
    assert assert_scratch_is_golden(graph, apart, images) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [lambda: quantized("mobilenet_v2", 224), imagenet.alexnet, imagenet.resnet50, imagenet.vgg16],
    ids=["mobilenet_v2", "alexnet", "resnet50", "vgg16"],
)
def test_imagenet(make: Callable[[], Graph]) -> None:
    graph = make()
    images = pixels(graph.input.shape, 1, seed=5)
    run(graph, compile_graph(graph, PYNQ, 1), images, LARGE)


@pytest.mark.slow
def test_speed_of_the_simulation() -> None:
    """Cycles in a second of one core, the best of five: others may use it too."""
    graph = quantized("lenet")
    compiled = compile_graph(graph, PYNQ)
    engine = Engine(PYNQ)
    images = pixels(graph.input.shape, 10 * compiled.ports.images)
    engine.put(compiled.program, compiled.ports.pack(images), 10)
    speeds = []
    for _ in range(5):
        started = time.process_time()
        engine.start()
        speeds.append(engine.read("cycles") / (time.process_time() - started))
    print(f"{max(speeds) / 1e3:,.0f} k cycles/s")
    assert max(speeds) >= 400e3
