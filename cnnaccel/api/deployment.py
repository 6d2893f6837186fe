"""Images on a board, which may be a simulated one: what came back, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from cnnaccel.api.board import Place, run_on_board
from cnnaccel.api.engine import SimulatedEngine, measure
from cnnaccel.api.results import Outcome
from cnnaccel.api.selftest import require_passed
from cnnaccel.compiler.verify import require_equal
from cnnaccel.errors import MismatchError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.report import notebook
from cnnaccel.report.findings import SIMULATED
from cnnaccel.report.measured import Measured, counters_table, speed_lines
from cnnaccel.report.progress import counter, working
from cnnaccel.report.tables import text_of
from cnnaccel.runtime.selftest import case_count, run_cases


@dataclass(frozen=True, eq=False, repr=False)
class Deployment(Outcome):
    """Results of a board for some images, and figures of the run."""

    where: str
    """The board, in words."""
    measured: Measured
    """Figures of the run, from the engine's own counters."""
    host: str
    """Whose time `measured.host_seconds` is, in words."""
    remark: str
    """A further remark on the run, in a line."""
    values: Mapping[str, Any]
    """Further findings, by name."""

    def require_golden(self, graph: Graph, images: npt.NDArray[np.uint8], console: Console) -> None:
        """Compare every value with golden's.

        Raises:
            MismatchError: one differs; where, and what says more.
        """
        with working(console, f"golden on {len(images):,} images"):
            expected = golden.run(graph, images)
        try:
            require_equal("engine", self.results, expected)
        except MismatchError as error:
            raise MismatchError(f"{error}; `--layers` says which layer differs") from None

    def __str__(self) -> str:
        table = text_of(counters_table(self._title, self.measured))
        lines = [table, self.remark, speed_lines(self.measured, self.host), self.tail_line]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        return notebook.deployment(self._title, self.measured, self.host, self.remark)

    @property
    def _title(self) -> str:
        return f"{self.network} on {self.where}"


def run_simulated(
    graph: Graph,
    hardware: HardwareConfig,
    program: Path,
    images: npt.NDArray[np.uint8],
    tests: Mapping[str, Path],
    console: Console,
) -> Deployment:
    """Images on the simulated board. program: the folder of the program. tests: files by what they
    are, which run before.

    Raises:
        MismatchError: a test fails.
        ToolError: pynq, verilator or g++ is missing.
    """
    engine = SimulatedEngine(hardware, console)
    for what, path in tests.items():
        with counter(console, f"{what}, on the simulated board", case_count(path)) as progress:
            outcomes = run_cases(engine.accelerator, path, program, progress)
        require_passed(console, what, "the simulated board", outcomes)
    with counter(console, "engine", len(images)) as progress:
        results = engine.run(program, images, progress)
    return Deployment(
        graph,
        results,
        "the simulated board",
        engine.measured(graph, len(images)),
        "this machine",
        f"simulated memory: {engine.memory}",
        {"target": SIMULATED, "memory": engine.memory},
    )


def run_deployed(
    graph: Graph,
    hardware: HardwareConfig,
    place: Place,
    name: str,
    exported: Path,
    images: npt.NDArray[np.uint8],
    self_test: str,
    layers: Path | None,
    console: Console,
) -> Deployment:
    """Images on a board; the arguments are those of `run_on_board`.

    Raises:
        EngineError: the board is not reached, lacks something, or fails.
        MismatchError: a test fails.
    """
    results, board = run_on_board(place, name, exported, images, console, self_test, layers)
    clocked = replace(hardware, clock_mhz=board.clock_mhz)
    measured = measure(clocked, graph, len(images), board.counters, board.host_seconds)
    line = (
        f"on the board's own clock: {board.run_seconds:.2f} s for {len(images):,} images, "
        f"{len(images) / board.run_seconds:,.1f} frames/s"
    )
    values = {"target": place.target.text, **asdict(board)}
    del values["counters"], values["host_seconds"]  # those of any run: `measured` has them
    return Deployment(
        graph,
        results,
        place.target.text,
        measured,
        "the board",
        line,
        values,
    )
