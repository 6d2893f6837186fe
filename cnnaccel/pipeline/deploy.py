"""The stage deploy: the test images on a board, which may be a simulated one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.verify import require_equal
from cnnaccel.errors import MismatchError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.pipeline.board import Place, run_on_board
from cnnaccel.pipeline.engine import SimulatedEngine, measure
from cnnaccel.pipeline.identity import deploy_inputs, stored_graph
from cnnaccel.pipeline.job import Job, draw, write_results
from cnnaccel.pipeline.memory import say_memory
from cnnaccel.pipeline.selftest import LAYER_IMAGES, layers_file, require_passed, selftest_file
from cnnaccel.report.measured import Measured, counters_table, speed_lines
from cnnaccel.report.progress import counter, working
from cnnaccel.runtime.board import ALWAYS, FIRST
from cnnaccel.runtime.selftest import case_count, run_cases

SIMULATED = "sim"
_LOGITS = "logits.npz"
_SHOWN = 40
"""Images in the picture of predictions."""


def deploy(
    job: Job,
    place: Place | None = None,
    images: int | None = None,
    self_test: str = FIRST,
    layers: bool = False,
) -> None:
    """Run the test images, or the first of them, on a board; every value must be golden's.

    place: of a board; else a simulated one is used, and the results go to `deploy`, not `board`.
    self_test: when, as `runtime.board` has it; on the simulated board only always. layers: whether
    each layer by itself is compared on the first images.

    Raises:
        MismatchError: one is not, or a test fails; the results of an earlier run are as they were.
        EngineError: the engine stopped, or does not go on; the board is not reached, or is wrong.
    """
    graph, test = stored_graph(job), job.dataset.test
    pixels = test.images[:images]
    say_memory(job, job.workspace.stage("compile").folder)
    inputs = deploy_inputs(job)
    with TemporaryDirectory() as name:
        file = None
        if layers:
            file = layers_file(job, graph, pixels[: images or LAYER_IMAGES], Path(name))
        if place is None:
            ran = _simulated(job, graph, pixels, self_test, file)
        else:
            inputs = {"target": place.target.text, **inputs}
            ran = _on_board(job, place, graph, pixels, self_test, file)
    with working(job.console, f"golden on {len(pixels):,} images"):
        expected = golden.run(graph, pixels)
    try:
        require_equal("engine", ran.results, expected)
    except MismatchError as error:
        raise MismatchError(f"{error}; `--layers` says which layer differs") from None
    predictions, labels = golden.predictions(ran.results), test.labels[:images]
    accuracy, measured = float((predictions == labels).mean()), ran.measured
    headline = (
        f"engine {accuracy:.2%} of {len(pixels):,} test images, equal to golden; "
        f"{measured.frames_per_second:,.0f} frames/s at {measured.hardware.clock_mhz:g} MHz"
    )
    stage = job.workspace.stage("deploy" if place is None else "board")
    with stage.write(inputs if images is None else inputs | {"images": images}) as folder:
        np.savez_compressed(folder / _LOGITS, logits=ran.results)
        shown = pixels[:_SHOWN], labels[:_SHOWN], predictions[:_SHOWN]
        draw("predictions", *shown, job.dataset.classes, folder / "predictions.png")
        write_results(folder, headline, accuracy=accuracy, **ran.values, **measured.figures())
    job.console.print(counters_table(f"{graph.name} on {ran.where}", measured))
    job.say(ran.line)
    job.say(speed_lines(measured, ran.host))
    job.say(f"{headline}; {stage.folder / 'predictions.png'}")


@dataclass(frozen=True)
class _Ran:
    """What a board made of the images."""

    where: str
    results: npt.NDArray[Any]
    measured: Measured
    host: str
    line: str
    """For the user."""
    values: Mapping[str, Any]
    """For `results.json`."""


def _simulated(
    job: Job, graph: Graph, images: npt.NDArray[np.uint8], self_test: str, layers: Path | None
) -> _Ran:
    engine = SimulatedEngine(job)
    program = job.workspace.stage("compile").folder
    files = {"self-test": selftest_file(job)} if self_test == ALWAYS else {}
    files |= {"layer by layer": layers} if layers else {}
    for what, path in files.items():
        with counter(job.console, f"{what}, on the simulated board", case_count(path)) as progress:
            outcomes = run_cases(engine.accelerator, path, program, progress)
        require_passed(job, what, "the simulated board", outcomes)
    with counter(job.console, "engine", len(images)) as progress:
        results = engine.run(program, images, progress)
    return _Ran(
        "the simulated board", results, engine.measured(graph, len(images)), "this machine",
        f"simulated memory: {engine.memory}",
        {"target": SIMULATED, "memory": engine.memory},
    )  # fmt: skip


def _on_board(
    job: Job,
    place: Place,
    graph: Graph,
    images: npt.NDArray[np.uint8],
    self_test: str,
    layers: Path | None,
) -> _Ran:
    results, board = run_on_board(job, place, images, self_test, layers)
    hardware = replace(job.hardware, clock_mhz=board.clock_mhz)
    measured = measure(hardware, graph, len(images), board.counters, board.host_seconds)
    line = (
        f"on the board's own clock: {board.run_seconds:.2f} s for {len(images):,} images, "
        f"{len(images) / board.run_seconds:,.1f} frames/s"
    )
    values = {"target": place.target.text, **asdict(board)}
    del values["counters"], values["host_seconds"]  # as those of any run
    return _Ran(place.target.text, results, measured, "the board", line, values)
