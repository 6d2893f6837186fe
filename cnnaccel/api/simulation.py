"""Golden, interpreter and simulated engine on the same images: equal, or where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy.typing as npt
from rich.console import Console

from cnnaccel.api.engine import SimulatedEngine
from cnnaccel.api.results import Outcome
from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.compiler.verify import interpret
from cnnaccel.errors import MismatchError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph, up_to
from cnnaccel.predict.estimate import Estimate
from cnnaccel.report import notebook
from cnnaccel.report.activity import Recorded, recorded
from cnnaccel.report.measured import Measured, error_line, levels_table, speed_lines
from cnnaccel.report.progress import counter, silent, working
from cnnaccel.report.tables import text_of
from cnnaccel.runtime.compare import difference
from cnnaccel.runtime.simulator import Activity, Simulator
from cnnaccel.tools.verilate import best_trace

Array = npt.NDArray[Any]
_BINS = 1200
"""Points in time of the picture of activity."""
_ITERATIONS = 2
"""Iterations shown in it, after section once."""
_ROOM = 1 << 16
"""Instructions that are noted for it."""


@dataclass(frozen=True)
class Waves:
    """Waves to be written of a simulation: a file, and cycles counted from the start of the run."""

    path: Path
    cycles: range


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Outcome):
    """Images that went through golden, the interpreter and the simulated engine."""

    differences: Mapping[str, str]
    """Where a level first differs from golden, by its name; an empty text where it is equal."""
    measured: Measured
    """Figures of the run, from the engine's own counters."""
    predicted_cycles: int
    """Cycles that the compiler predicted for the same run."""
    recorded: Recorded
    """Activity of the units over time, at the beginning of the run."""
    memory: str
    """The simulated memory, in words."""

    @property
    def equal(self) -> bool:
        """Whether every value of every level is golden's."""
        return not any(self.differences.values())

    def require_equal(self) -> None:
        """Raise an error where a level is not equal to golden.

        Raises:
            MismatchError: it says which level, and where it first differs.
        """
        if not self.equal:
            raise MismatchError(self.mismatch)

    @property
    def mismatch(self) -> str:
        """The levels that differ from golden and where, in a sentence; empty where none does."""
        found = [f"{level}: {text}" for level, text in self.differences.items() if text]
        return " and ".join(found)

    @property
    def error(self) -> str:
        """The predicted cycles beside those measured, in a sentence."""
        return error_line(self.measured, self.predicted_cycles)

    def __str__(self) -> str:
        lines = [text_of(levels_table(self._title, self.differences))]
        lines += [speed_lines(self.measured), self.error, self.tail_line]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        return notebook.simulation(
            self._title, self.differences, self.measured, self.recorded, self.error
        )

    @property
    def _title(self) -> str:
        return f"{self.network}, {self.measured.images:,} images"


def simulate(
    graph: Graph,
    compiled: Compiled,
    predicted: Estimate,
    images: Array,
    *,
    folder: Path,
    console: Console | None = None,
    stalls: float = 0.0,
    waves: Waves | None = None,
) -> tuple[Simulation, SimulatedEngine]:
    """Run a program on images uint8[N, C, H, W] at all levels; what came of it, and the engine.

    folder: takes the files of the program. stalls: share of the handshakes with memory that chance
    holds up.

    Raises:
        ToolError: pynq, verilator or g++ is missing.
        EngineError: the engine stopped with an error, or does not go on.
    """
    console = console or silent()
    with working(console, "interpreting the program"):
        ports = compiled.ports
        interpreted = interpret(predicted.hardware, compiled.program, ports, images)
    trace = best_trace() if waves is not None else None
    engine = SimulatedEngine(predicted.hardware, console, stalls, trace)
    with working(console, f"golden on {len(images):,} images"):
        expected = golden.run(graph, images)
    watch = _Watch(predicted, waves)
    engine.device.on_start = watch.begin
    results = run_program(engine, compiled, folder, images, console)
    watch.end(engine.device.running())
    engine.device.on_start = _nothing
    measured = engine.measured(graph, len(images))
    iterations = -(-len(images) // ports.images)
    found = Simulation(
        graph,
        results,
        {
            "interpreter": difference(interpreted, expected),
            "engine": difference(results, expected),
        },
        measured,
        predicted.run_cycles(iterations),
        watch.recorded(compiled, iterations, measured.cycles),
        engine.memory,
    )
    return found, engine


def run_program(
    engine: SimulatedEngine, compiled: Compiled, folder: Path, images: Array, console: Console
) -> Array:
    """Results [N, K, P, Q] of a program, by its files, which are written into the folder."""
    folder.mkdir(exist_ok=True)
    compiled.to_files(folder)
    with counter(console, "engine", len(images)) as progress:
        return engine.run(folder, images, progress)


class LayerRun(NamedTuple):
    """A layer as the end of a program of its own."""

    layer: str
    shape: str
    values: int
    cycles: int
    difference: str
    """Where its values first differ from golden's; empty where all are equal."""


def layer_by_layer(
    engine: SimulatedEngine, graph: Graph, images: Array, console: Console
) -> Sequence[LayerRun]:
    """Every layer as the end of a program of its own, up to the first that differs."""
    golden_tensors = golden.trace(graph, images)
    rows = []
    with TemporaryDirectory() as folder:
        for layer in graph.layers:
            compiled = compile_graph(up_to(graph, layer), engine.hardware)
            results = run_program(engine, compiled, Path(folder), images, console)
            wrong = difference(results, golden_tensors[layer.output.name])
            shape = "x".join(map(str, layer.output.shape))
            cycles = engine.accelerator.counters["cycles"]
            rows.append(LayerRun(layer.name, shape, results.size, cycles, wrong))
            if wrong:
                break
    return rows


class _Watch:
    """Records the beginning of the first run of an engine, and writes waves of it."""

    def __init__(self, predicted: Estimate, waves: Waves | None) -> None:
        shown = 1.05 * predicted.run_cycles(_ITERATIONS)
        self.bin_cycles = max(1, round(shown / _BINS))
        self.waves = waves
        self.activity: Activity | None = None

    def begin(self, simulator: Simulator) -> None:
        """Begin to record; what `SimDevice.on_start` calls."""
        if self.activity is not None:
            simulator.record(None)  # more images than one start takes
            return
        self.activity = Activity(simulator.now, self.bin_cycles, _BINS, _ROOM)
        simulator.record(self.activity)
        if self.waves is not None:
            first, cycles = simulator.now, self.waves.cycles
            simulator.trace(self.waves.path, first + cycles.start, first + cycles.stop)

    def recorded(self, compiled: Compiled, iterations: int, cycles: int) -> Recorded:
        """The record, once the run has ended."""
        assert self.activity is not None
        return recorded(self.activity, compiled.program, iterations, cycles)

    def end(self, simulator: Simulator) -> None:
        """Complete the files."""
        simulator.record(None)
        if self.waves is not None:
            simulator.end_trace()


def _nothing(_: Simulator) -> None:
    """To be done at a start."""
