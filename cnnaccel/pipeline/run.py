"""All stages in their order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.markup import escape

from cnnaccel.errors import ConfigError, ToolError
from cnnaccel.pipeline.compile import compile_program
from cnnaccel.pipeline.deploy import deploy
from cnnaccel.pipeline.identity import inputs_of
from cnnaccel.pipeline.job import Job, headline_of, say_memory
from cnnaccel.pipeline.quantize import evaluate, quantize
from cnnaccel.pipeline.train import train_or_resume
from cnnaccel.pipeline.weights import stage_of
from cnnaccel.report.tables import table
from cnnaccel.tools.simulation import require_simulator


@dataclass(frozen=True)
class StageSpec:
    """A stage, and what makes it."""

    name: str
    build: Callable[[Job], None]


STAGES = (
    StageSpec("train", train_or_resume),
    StageSpec("quantize", quantize),
    StageSpec("evaluate", evaluate),
    StageSpec("compile", compile_program),
    StageSpec("deploy", deploy),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)


def run(job: Job, first: str | None = None, last: str | None = None) -> None:
    """Every stage that is stale, up to `last`; those from `first` on whether stale or not.

    Raises:
        ToolError: the last stage needs the simulated board, and that lacks something.
    """
    begin = STAGE_NAMES.index(first) if first else len(STAGES)
    end = STAGE_NAMES.index(last) + 1 if last else len(STAGES)
    if first and begin >= end:
        order = " -> ".join(STAGE_NAMES)
        raise ConfigError(f"--from {first} comes after --until {last}; stages: {order}")
    if end == len(STAGES):
        _require_last()
    rows = []
    for number, spec in enumerate(STAGES[:end]):
        stage = stage_of(job, spec.name)
        stage.finish_swap()
        reason = "asked for" if number >= begin else stage.why_stale(inputs_of(job, spec.name))
        started = time.perf_counter()
        if reason:
            job.console.rule(f"{spec.name} ({escape(reason)})", align="left")
            spec.build(job)
        seconds = f"{time.perf_counter() - started:.1f} s" if reason else ""
        rows.append([spec.name, reason or "up to date", seconds, headline_of(stage.folder)])
    title = f"{job.config.name} in {job.workspace.folder}"
    job.console.print(table(title, ["stage", "why it ran", "time", "result"], rows))
    if STAGE_NAMES.index("compile") < end:
        say_memory(job, job.workspace.stage("compile").folder)


def _require_last() -> None:
    """What the last stage runs on must be there before the first one begins.

    Raises:
        ToolError: it is not; what brings it, and how to do without.
    """
    try:
        require_simulator()
    except ToolError as error:
        raise ToolError(f"{error}; `--until compile` does without") from None
