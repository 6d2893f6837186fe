"""Where the weights of a network come from: a training here, or a file that somebody names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cnnaccel.errors import CheckpointError
from cnnaccel.pipeline.job import Job
from cnnaccel.workspace import RESULTS, Stage

NAMED_BY = "named by"
"""Key of the results of the stage import: `--checkpoint`, or `weights` of the configuration."""
INSTEAD = "instead of"
"""Key of the results of a training and an import: the weights that the configuration named."""


def weights_stage(job: Job) -> Literal["train", "import"]:
    """Where the weights come from: training here, or a file."""
    return "train" if weights_file(job) is None else "import"


def weights_file(job: Job) -> Path | None:
    """The file that weights are imported from; None where they are trained here.

    A file that an option names, and a training, go before the one that CONFIG names. They are used
    by all later commands, until another is asked for or CONFIG names other weights.
    """
    if job.by_option:
        return job.weights
    imported, named = results_of(job, "import"), job.config.weights
    if imported.get(NAMED_BY) == "--checkpoint" and imported.get(INSTEAD) == named:
        return Path(str(imported.get("source", "")))
    if named is not None and results_of(job, "train").get(INSTEAD) == named:
        return None
    return job.weights


def stage_of(job: Job, name: str) -> Stage:
    """The folder of a stage; that of `train` is where the weights come from."""
    return job.workspace.stage(weights_stage(job) if name == "train" else name)


def brought_weights(job: Job) -> Path:
    """The file that the stage import reads.

    Raises:
        CheckpointError: it was named in an earlier command, and is no longer there.
    """
    path = weights_file(job) or Path()
    if path != job.weights and not path.is_file():
        raise CheckpointError(
            f"{path} is no longer there, and its weights must be imported again; name it with "
            "--checkpoint, or train with `cnnaccel train`"
        )
    return path


def results_of(job: Job, stage: str) -> Mapping[str, Any]:
    """What a stage says of the weights that it holds; empty where it has not run."""
    folder = job.workspace.stage(stage)
    if folder.manifest() is None:
        return {}
    try:
        found = json.loads((folder.folder / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
