"""The stage self-test: its file, made once for a program."""

from __future__ import annotations

from pathlib import Path

from cnnaccel.api.selftest import STAGE, write_selftest
from cnnaccel.errors import WorkspaceError
from cnnaccel.ir.graph import Graph
from cnnaccel.pipeline.identity import selftest_inputs, stored_graph
from cnnaccel.pipeline.job import Job, write_results
from cnnaccel.runtime.board import SELF_TEST
from cnnaccel.runtime.selftest import case_count


def selftest_file(job: Job) -> Path:
    """The file for the program of the configuration, made if it is not there yet."""
    graph = _graph(job)
    inputs = selftest_inputs(job) | {"layers": graph is not None}
    stage = job.workspace.stage(STAGE)
    stage.finish_swap()
    if stage.why_stale(inputs):
        program = job.workspace.stage("compile").folder
        with stage.write(inputs) as folder:
            write_selftest(folder, job.hardware, graph, program, job.console)
            path = folder / SELF_TEST
            count, size = case_count(path), path.stat().st_size
            write_results(folder, f"{count} cases, {size:,} bytes", cases=count)
        if graph is None:
            job.say("the self-test has random programs alone: the graph of this program is gone")
    return stage.folder / SELF_TEST


def _graph(job: Job) -> Graph | None:
    """The graph; None where --stored lets a program be used whose graph is gone."""
    try:
        return stored_graph(job)
    except WorkspaceError:
        if not job.stored:
            raise
        return None
