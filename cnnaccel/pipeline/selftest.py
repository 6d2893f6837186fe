"""The self-test of an engine: its file, made once for a program, and what came of running it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler import cases
from cnnaccel.errors import MismatchError, WorkspaceError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.pipeline.identity import Inputs, selftest_inputs, stored_graph
from cnnaccel.pipeline.job import Job, write_results
from cnnaccel.render.params import render_params_svh
from cnnaccel.report.progress import working
from cnnaccel.report.selftest import outcomes_table
from cnnaccel.runtime.board import SELF_TEST
from cnnaccel.runtime.network import load_network
from cnnaccel.runtime.selftest import case_count, first_differences, summary
from cnnaccel.tools.verilate import cache_folder, digest_of, making
from cnnaccel.workspace import Stage

STAGE = "self-test"
LAYERS = "layers.npz"
"""The file of a comparison layer by layer, on images of the user's."""
LAYER_IMAGES = 4
"""In that, unless the user says how many."""
_PROGRAMS, _LENGTH = 12, 60
"""Random programs, and instructions in the body of each."""
_MOST_WEIGHTS = 1 << 20
"""Bytes of a layer's weights in the file of a self-test: a layer with more is cut."""
_SEED = 12


def selftest_file(job: Job) -> Path:
    """The file for the program of the configuration, made if it is not there yet."""
    graph = _graph(job)
    inputs = selftest_inputs(job) | {"layers": graph is not None}
    stage = job.workspace.stage(STAGE)
    stage.finish_swap()
    if stage.why_stale(inputs):
        _write(job, stage, inputs, graph)
    return stage.folder / SELF_TEST


def layers_file(job: Job, graph: Graph, images: npt.NDArray[np.uint8], folder: Path) -> Path:
    """A file, in a folder, of each layer and the network on these images."""
    with working(job.console, f"compiling each layer, golden on {len(images):,} images"):
        ports = load_network(job.workspace.stage("compile").folder).ports
        layers = cases.layer_cases(graph, job.hardware, images)
        cases.to_file([*layers, cases.network_case(graph, ports, images)], folder / LAYERS)
    return folder / LAYERS


def require_passed(job: Job, what: str, where: str, outcomes: list[dict[str, Any]]) -> str:
    """Show what came of a test on an engine; its summary.

    Raises:
        MismatchError: something differs; where first.
    """
    job.console.print(outcomes_table(f"{what} on {where}", outcomes))
    line = f"{what}: {summary(outcomes)}"
    job.say(line)
    if found := first_differences(outcomes):
        differences = "\n".join(found)
        raise MismatchError(
            f"{where}: {what}: {differences}\nThe engine there does not compute what its program "
            "means; docs/deploy.md says what a pattern of differences points to"
        )
    return line


def _write(job: Job, stage: Stage, inputs: Inputs, graph: Graph | None) -> None:
    made: list[cases.Case] = []
    with working(job.console, "making the self-test: random programs, each layer by itself"):
        random = _random_file(job.hardware)
        if graph is not None:
            ports = load_network(job.workspace.stage("compile").folder).ports
            shape = (2 * ports.images, *graph.input.shape)
            images = np.random.default_rng(_SEED).integers(0, 256, shape, np.uint8)
            made += cases.layer_cases(graph, job.hardware, images[:1], _MOST_WEIGHTS)
            made.append(cases.network_case(graph, ports, images))
    with stage.write(inputs) as folder:
        cases.to_file(made, folder / SELF_TEST, random)
        count, size = case_count(folder / SELF_TEST), (folder / SELF_TEST).stat().st_size
        write_results(folder, f"{count} cases, {size:,} bytes", cases=count)
    if graph is None:
        job.say("the self-test has random programs alone: the graph of this program is gone")


def _random_file(hardware: HardwareConfig) -> Path:
    """Of the random programs of an engine; kept in the cache, for it takes seconds to make."""
    sources = sorted(Path(cases.__file__).parent.glob("*.py"))
    texts = [path.read_bytes() for path in (*sources, Path(__file__))]
    key = digest_of([render_params_svh(hardware).encode(), *texts])
    path = cache_folder() / STAGE / f"{key}.npz"
    with making(path):
        if not path.is_file():
            made = path.with_suffix(".partial.npz")
            cases.to_file(cases.random_cases(hardware, range(_PROGRAMS), _LENGTH), made)
            os.replace(made, path)
    return path


def _graph(job: Job) -> Graph | None:
    """None where --stored lets a program be used whose graph is gone."""
    try:
        return stored_graph(job)
    except WorkspaceError:
        if not job.stored:
            raise
        return None
