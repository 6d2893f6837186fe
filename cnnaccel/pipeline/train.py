"""The stage train: weights from training, or imported from a file of the user's."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cnnaccel.errors import CheckpointError
from cnnaccel.pipeline.identity import (
    brought_weights,
    import_inputs,
    train_inputs,
    weights_stage,
)
from cnnaccel.pipeline.job import Job, draw, write_results
from cnnaccel.report.progress import TrainingProgress, working

if TYPE_CHECKING:
    from torch import nn


def train_anew(job: Job, resume: bool) -> None:
    """Train, unless the configuration names weights: then import those.

    Weights that an option of an earlier command brought are used no longer.
    """
    from cnnaccel.nn.ranks import ranks_from_environment

    if job.weights is not None:
        if resume:
            raise CheckpointError(f"nothing to resume: the weights are those of {job.weights}")
        return import_weights(job)
    train(job, resume)
    imported = job.workspace.stage("import").folder
    if imported.exists() and ranks_from_environment().first:
        job.say(f"weights of this training are used from now on, not those in {imported}")
        shutil.rmtree(imported)


def import_weights(job: Job) -> None:
    """Take over the user's own weights, in place of training.

    Raises:
        CheckpointError: the file is missing or cannot be read, or the weights do not fit the model.
        ModelError: the engine cannot run the network.
    """
    from cnnaccel.nn.checkpoint import load_weights, save_checkpoint
    from cnnaccel.nn.evaluate import accuracy
    from cnnaccel.nn.ranks import ranks_from_environment
    from cnnaccel.nn.train import MODEL

    if not ranks_from_environment().first:
        return
    path, model = brought_weights(job), job.model()
    for note in load_weights(model, path).notes:
        job.say(note)
    check_engine(job, model)
    right = accuracy(model, job.dataset.validation)
    named_by = "--checkpoint" if job.by_option or job.weights is None else "weights"
    headline = f"imported {path.name}, {right:.2%} on validation images"
    stage = job.workspace.stage("import")
    with stage.write(import_inputs(job)) as folder:
        content = {"model": job.config.model, "weights": dict(model.state_dict())}
        save_checkpoint(folder / MODEL, content)
        write_results(
            folder, headline, source=str(path.absolute()), validation_accuracy=right,
            **{"named by": named_by},
        )  # fmt: skip
    job.say(f"{headline}; {stage.folder / MODEL}")


def check_engine(job: Job, model: nn.Module) -> None:
    """Refuse, before any work, a network that the configuration's engine cannot run.

    Raises:
        ModelError, GraphError, ProgramError: as `check_supported`; each names the layer.
    """
    from cnnaccel.nn.ranks import ranks_from_environment
    from cnnaccel.quant.ptq import check_supported

    if job.checked.get("engine"):
        return
    first = ranks_from_environment().first
    what = "looking whether the engine can run every layer"
    with working(job.console, what) if first else nullcontext():
        check_supported(model, job.dataset.shape, job.hardware, job.config.compile.images)
    job.checked["engine"] = True


def train(job: Job, resume: bool = False) -> None:
    """Train the network, once it is known that the engine can run it."""
    from cnnaccel.nn import train as training
    from cnnaccel.nn.ranks import ranks_from_environment

    model = job.model()
    check_engine(job, model)
    stage = job.workspace.stage("train")
    stage.finish_swap()
    progress = TrainingProgress(job.console)
    if not ranks_from_environment().first:
        training.train(job.config, model, job.dataset, stage.partial, resume, progress)
        return
    if resume and not (stage.partial / training.CHECKPOINT).exists():
        raise CheckpointError(
            f"{stage.partial / training.CHECKPOINT}: nothing to resume; "
            f"{'training has finished' if stage.manifest() else 'train without --resume'}"
        )
    with stage.write(train_inputs(job), resume=resume, resumable=True) as folder:
        with progress:
            result = training.train(job.config, model, job.dataset, folder, resume, progress)
        draw("curves", result.history, folder / "curves.png")
        headline = f"epoch {result.epoch}, {result.validation_accuracy:.2%} on validation images"
        write_results(
            folder, headline, epoch=result.epoch, validation_accuracy=result.validation_accuracy
        )
    job.say(f"trained {job.config.name}: {headline}; {stage.folder / training.MODEL}")


def train_or_resume(job: Job) -> None:
    """Import weights, or train, from an interrupted run's checkpoint if it is of these settings."""
    from cnnaccel.nn.train import CHECKPOINT

    if weights_stage(job) == "import":
        return import_weights(job)

    if (job.workspace.stage("train").partial / CHECKPOINT).exists():
        try:
            return train(job, resume=True)
        except CheckpointError as error:
            job.say(f"starting over: {error}")
    return train(job)
