"""The stage deploy: the test images on a board, which may be a simulated one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from cnnaccel.api.board import Place
from cnnaccel.api.deployment import Deployment, run_deployed, run_simulated
from cnnaccel.api.evaluation import real_outputs
from cnnaccel.api.selftest import LAYER_IMAGES, write_layers
from cnnaccel.figures import stored
from cnnaccel.ir.graph import Graph
from cnnaccel.pipeline.export import exported
from cnnaccel.pipeline.identity import deploy_inputs, stored_graph
from cnnaccel.pipeline.job import Job, draw, say_memory, write_results
from cnnaccel.pipeline.own_images import OwnImages, read_own
from cnnaccel.pipeline.score import figure_of_outputs
from cnnaccel.pipeline.selftest import selftest_file
from cnnaccel.report.measured import counters_table, speed_lines
from cnnaccel.runtime.board import ALWAYS, FIRST
from cnnaccel.tools.simulation import require_simulator

_LOGITS = "logits.npz"
_SHOWN = 40
"""Images in the picture of predictions."""


def deploy(
    job: Job,
    place: Place | None = None,
    images: int | None = None,
    self_test: str = FIRST,
    layers: bool = False,
    named: Sequence[str] = (),
) -> None:
    """Run the test images, or a sample of them, on a board; every value must be golden's.

    place: of a board; else a simulated one is used, and the results go to `deploy`, not `board`.
    self_test: when, as `runtime.board` has it; on the simulated board only always. layers: whether
    each layer by itself is compared on a few images. named: files of images in the place of the
    test images; what they are taken for is printed, and stored results stay as they were.

    Raises:
        MismatchError: one is not, or a test fails; the results of an earlier run are as they were.
        EngineError: the engine stopped, or does not go on; the board is not reached, or is wrong.
        ToolError: the simulated board lacks pynq, verilator or g++.
    """
    if place is None:
        require_simulator()
    if named:
        _deploy_own(job, place, read_own(job, named), self_test, layers)
        return
    graph, test = stored_graph(job), job.dataset.test
    rows = test.sample(images)
    pixels = test.images[rows]
    program = job.workspace.stage("compile").folder
    say_memory(job, program)
    inputs = deploy_inputs(job)
    if place is not None:
        inputs = {"target": place.target.text, **inputs}
    some = test.images[test.sample(images or LAYER_IMAGES)] if layers else None
    ran = _run(job, place, graph, pixels, self_test, some)
    measured = ran.measured
    figure = figure_of_outputs(job, real_outputs(graph, ran.results), rows)
    judged = "" if figure is None else f" {figure.text} of"
    headline = (
        f"engine{judged} {len(pixels):,} test images, equal to golden; "
        f"{measured.frames_per_second:,.0f} frames/s at {measured.hardware.clock_mhz:g} MHz"
    )
    stage = job.workspace.stage("deploy" if place is None else "board")
    with stage.write(inputs if images is None else inputs | {"images": images}) as folder:
        np.savez_compressed(folder / _LOGITS, logits=ran.results, rows=rows)
        if job.config.task == "classify" and test.targets is not None:
            shown = pixels[:_SHOWN], test.labels[rows][:_SHOWN], ran.predictions[:_SHOWN]
            draw("predictions", *shown, job.dataset.classes, folder / "predictions.png")
        found = {} if figure is None else stored(figure)
        write_results(folder, headline, **found, **ran.values, **measured.figures())
    job.console.print(counters_table(f"{graph.name} on {ran.where}", measured))
    job.say(ran.remark)
    job.say(speed_lines(measured, ran.host))
    if ran.tail_line:
        job.say(ran.tail_line)
    drawn = stage.folder / "predictions.png"
    job.say(f"{headline}; {drawn if drawn.exists() else stage.folder}")


def _deploy_own(
    job: Job, place: Place | None, own: OwnImages, self_test: str, layers: bool
) -> None:
    """Run images of a user's, and say what they are taken for."""
    graph = stored_graph(job)
    say_memory(job, job.workspace.stage("compile").folder)
    some = own.pixels[:LAYER_IMAGES] if layers else None
    ran = _run(job, place, graph, own.pixels, self_test, some)
    own.say(job, ran.results)
    job.console.print(counters_table(f"{graph.name} on {ran.where}", ran.measured))
    job.say(speed_lines(ran.measured, ran.host))
    if ran.tail_line:
        job.say(ran.tail_line)
    job.say(f"{len(own.names):,} images, equal to golden")


def _run(
    job: Job,
    place: Place | None,
    graph: Graph,
    images: npt.NDArray[np.uint8],
    self_test: str,
    layers: npt.NDArray[np.uint8] | None,
) -> Deployment:
    """Images on a board; every result is golden's. layers: images for a test of each layer."""
    with TemporaryDirectory() as name:
        file = None
        if layers is not None:
            program = job.workspace.stage("compile").folder
            file = write_layers(Path(name), job.hardware, graph, program, layers, job.console)
        ran = _on_board(job, place, graph, images, self_test, file)
    ran.require_golden(graph, images, job.console)
    return ran


def _on_board(
    job: Job,
    place: Place | None,
    graph: Graph,
    images: npt.NDArray[np.uint8],
    self_test: str,
    layers: Path | None,
) -> Deployment:
    if place is not None:
        folder, name = exported(job).folder, job.workspace.folder.name
        return run_deployed(
            graph, job.hardware, place, name, folder, images, self_test, layers, job.console
        )
    tests = {"self-test": selftest_file(job)} if self_test == ALWAYS else {}
    tests |= {"layer by layer": layers} if layers else {}
    program = job.workspace.stage("compile").folder
    return run_simulated(graph, job.hardware, program, images, tests, job.console)
