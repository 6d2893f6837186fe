"""Golden, interpreter and engine on the same images: equal, or where they differ."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy.typing as npt

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.compiler.verify import interpret
from cnnaccel.errors import MismatchError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph, macs, up_to
from cnnaccel.isa.program import Program
from cnnaccel.pipeline.engine import SimulatedEngine
from cnnaccel.pipeline.identity import simulate_inputs, stored_graph
from cnnaccel.pipeline.job import Job, draw, write_results
from cnnaccel.pipeline.memory import say_memory
from cnnaccel.predict.estimate import Estimate, estimate
from cnnaccel.report.activity import Recorded, recorded
from cnnaccel.report.measured import (
    counters_table,
    error_line,
    layers_table,
    levels_table,
    speed_lines,
)
from cnnaccel.report.progress import counter, working
from cnnaccel.runtime.compare import difference
from cnnaccel.runtime.simulator import Activity, Simulator
from cnnaccel.tools.verilate import best_trace

Array = npt.NDArray[Any]
STALLED = "simulate-stalls"
"""The stage of a run in which chance holds handshakes up."""
_BINS = 1200
"""Points in time of the picture of activity."""
_ITERATIONS = 2
"""Shown in it, after section once."""
_ROOM = 1 << 16
"""Instructions that are noted for it."""


def simulate(
    job: Job, images: int, layers: bool = False, trace: range | None = None, stalls: float = 0.0
) -> None:
    """Compare them on the first test images; trace: cycles, from the start, whose waves to write.

    A run with `stalls` is a stage of its own, so that it replaces no run without.

    Raises:
        MismatchError: they differ; says in which layer first.
    """
    graph, hardware = stored_graph(job), job.hardware
    some = job.dataset.test.images[:images]
    with working(job.console, "compiling"):
        compiled = compile_graph(graph, hardware, job.config.compile.images)
        predicted = estimate(compiled, 2 * sum(map(macs, graph.layers)))
    with working(job.console, "interpreting the program"):
        interpreted = interpret(hardware, compiled.program, compiled.ports, some)
    waves = best_trace() if trace is not None else None
    engine = SimulatedEngine(job, stalls, waves)
    with working(job.console, f"golden on {len(some):,} images"):
        expected = golden.run(graph, some)
    inputs = simulate_inputs(job)
    stage = job.workspace.stage(STALLED if stalls else "simulate")
    with stage.write(inputs) as folder:
        watch = _Watch(predicted, folder / f"waves.{waves}", trace)
        engine.device.on_start = watch.begin
        results = _run(job, engine, compiled, folder / "program", some)
        watch.end(engine.device.running())
        measured = engine.measured(graph, len(some))
        differences = {
            "interpreter": difference(interpreted, expected),
            "engine": difference(results, expected),
        }
        iterations = -(-len(some) // compiled.ports.images)
        cycles = predicted.run_cycles(iterations)
        error = error_line(measured, cycles)
        activity = watch.recorded(compiled.program, iterations, measured.cycles)
        activity.write(folder)
        draw("activity", graph.name, activity, folder / "activity.png")
        write_results(
            folder, error, memory=engine.memory, stalls=stalls, predicted_cycles=cycles,
            differences=differences, **measured.figures(),
        )  # fmt: skip
    job.console.print(levels_table(f"{graph.name}, {len(some):,} test images", differences))
    job.console.print(counters_table(f"{graph.name} on the engine", measured))
    job.say(f"simulated memory: {engine.memory}")
    job.say(speed_lines(measured))
    job.say(error)
    say_memory(job, stage.folder / "program")
    job.say(f"what the units did: {stage.folder / 'activity.png'}")
    if trace is not None:
        job.say(f"waves of cycles {trace.start}:{trace.stop}: {stage.folder / f'waves.{waves}'}")
    wrong = " and ".join(f"{level}: {found}" for level, found in differences.items() if found)
    if layers or wrong:
        _compare_layers(job, engine, graph, some)
    if wrong:
        raise MismatchError(f"{wrong}. Every layer alone, as above, is equal")


def _run(
    job: Job, engine: SimulatedEngine, compiled: Compiled, folder: Path, images: Array
) -> Array:
    """[N, K, P, Q] of the engine, by the files of a program."""
    folder.mkdir(exist_ok=True)
    compiled.to_files(folder)
    with counter(job.console, "engine", len(images)) as progress:
        return engine.run(folder, images, progress)


def _compare_layers(job: Job, engine: SimulatedEngine, graph: Graph, images: Array) -> None:
    """Every layer as the end of a program of its own, to the first that differs.

    Raises:
        MismatchError: which one does, and where.
    """
    engine.device.on_start = _nothing
    golden_tensors = golden.trace(graph, images)
    rows, wrong = [], ""
    with TemporaryDirectory() as folder:
        for layer in graph.layers:
            compiled = compile_graph(up_to(graph, layer), engine.hardware)
            results = _run(job, engine, compiled, Path(folder), images)
            wrong = difference(results, golden_tensors[layer.output.name])
            shape = "x".join(map(str, layer.output.shape))
            cycles = engine.accelerator.counters["cycles"]
            rows.append((layer.name, shape, results.size, cycles, wrong))
            if wrong:
                break
    job.console.print(layers_table(f"{graph.name}, layer by layer", rows))
    if wrong:
        raise MismatchError(f"engine: layer '{rows[-1][0]}', {wrong}")


class _Watch:
    """Records the beginning of the first run of an engine, and writes waves of it."""

    def __init__(self, predicted: Estimate, waves: Path, trace: range | None) -> None:
        shown = 1.05 * predicted.run_cycles(_ITERATIONS)
        self.bin_cycles = max(1, round(shown / _BINS))
        self.waves, self.trace = waves, trace
        self.activity: Activity | None = None

    def begin(self, simulator: Simulator) -> None:
        """What `SimDevice.on_start` calls."""
        if self.activity is not None:
            simulator.record(None)  # more images than one start takes
            return
        self.activity = Activity(simulator.now, self.bin_cycles, _BINS, _ROOM)
        simulator.record(self.activity)
        if self.trace is not None:
            first = simulator.now
            simulator.trace(self.waves, first + self.trace.start, first + self.trace.stop)

    def recorded(self, program: Program, iterations: int, cycles: int) -> Recorded:
        """What there is to show, once it has ended."""
        assert self.activity is not None
        return recorded(self.activity, program, iterations, cycles)

    def end(self, simulator: Simulator) -> None:
        """Complete the files."""
        simulator.record(None)
        if self.trace is not None:
            simulator.end_trace()


def _nothing(_: Simulator) -> None:
    """To be done at a start."""
