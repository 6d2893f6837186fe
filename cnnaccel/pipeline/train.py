"""The stage train: weights from training, or imported from a file."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from cnnaccel.errors import CheckpointError
from cnnaccel.figures import ACCURACY, Figure, stored
from cnnaccel.pipeline.identity import import_inputs, train_inputs
from cnnaccel.pipeline.job import Job, draw, write_results
from cnnaccel.pipeline.weights import INSTEAD, NAMED_BY, brought_weights, weights_stage
from cnnaccel.report.progress import TrainingProgress, working

if TYPE_CHECKING:
    from torch import nn


def train_anew(job: Job, resume: bool) -> None:
    """Train, whatever weights the configuration names: later commands use those of this training.

    Weights that an option of an earlier command brought are used no longer.
    """
    from cnnaccel.nn.ranks import ranks_from_environment

    first = ranks_from_environment().first
    if job.weights is not None:
        if resume and not _is_interrupted(job):
            raise CheckpointError(f"nothing to resume: the weights are those of {job.weights}")
        if first:
            job.say(f"training, in place of the weights in {job.weights}")
    train(job, resume)
    imported = job.workspace.stage("import").folder
    if first and (imported.exists() or job.weights is not None):
        other = imported if imported.exists() else job.weights
        job.say(f"weights of this training are used from now on, not those in {other}")
        shutil.rmtree(imported, ignore_errors=True)


def import_weights(job: Job) -> None:
    """Take over weights from a file, in place of training.

    Raises:
        CheckpointError: the file is missing or cannot be read, or the weights do not fit the model.
        ModelError: the engine cannot run the network.
    """
    from cnnaccel.nn.checkpoint import load_weights, save_checkpoint
    from cnnaccel.nn.ranks import ranks_from_environment
    from cnnaccel.nn.train import MODEL

    if not ranks_from_environment().first:
        return
    path, model = brought_weights(job), job.model()
    for note in load_weights(model, path).notes:
        job.say(note)
    check_engine(job, model)
    figure = _validated(job, model)
    by_option = job.by_option or path != job.weights
    headline = f"imported {path.name}"
    if figure is not None:
        headline += f", {figure.text} on validation images"
    stage = job.workspace.stage("import")
    with stage.write(import_inputs(job)) as folder:
        content = {"model": job.config.model, "weights": dict(model.state_dict())}
        save_checkpoint(folder / MODEL, content)
        write_results(
            folder, headline, source=str(path.absolute()), **_stored(figure),
            **{NAMED_BY: "--checkpoint" if by_option else "weights", INSTEAD: job.config.weights},
        )  # fmt: skip
    job.say(f"{headline}; {stage.folder / MODEL}")


def _validated(job: Job, model: nn.Module) -> Figure | None:
    """The figure of the validation images; None where they have nothing to measure it by."""
    from cnnaccel.nn.evaluate import judged
    from cnnaccel.nn.reproduce import choose_device
    from cnnaccel.nn.tasks import configured_task

    data = job.dataset
    task = configured_task(job.config, len(data.classes))
    if task.name == "features" or (task.wants_targets and data.validation.targets is None):
        return None
    figures = judged(model.to(choose_device(job.config.train.device)), data.validation, task)
    model.cpu()
    return figures[0]


def _stored(figure: Figure | None) -> dict[str, Any]:
    """The figure of the validation images as entries of a stage's results."""
    if figure is None:
        return {}
    return {
        "validation_accuracy" if key == ACCURACY else key: value
        for key, value in stored(figure).items()
    }


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

    training.require_trainable(job.config, job.dataset)
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
        headline = f"epoch {result.epoch}, {result.validation.text} on validation images"
        found = {"epoch": result.epoch, **_stored(result.validation)}
        write_results(folder, headline, **found, **{INSTEAD: job.config.weights})
    job.say(f"trained {job.config.name}: {headline}; {stage.folder / training.MODEL}")


def train_or_resume(job: Job) -> None:
    """Import weights, or train, from an interrupted run's checkpoint if it is of these settings."""
    if weights_stage(job) == "import":
        if _is_interrupted(job):
            job.say("an interrupted training is left as it is; `cnnaccel train --resume` ends it")
        return import_weights(job)

    if _is_interrupted(job):
        try:
            return train(job, resume=True)
        except CheckpointError as error:
            job.say(f"starting over: {error}")
    return train(job)


def _is_interrupted(job: Job) -> bool:
    """Whether there is a training to resume."""
    from cnnaccel.nn.train import CHECKPOINT

    return (job.workspace.stage("train").partial / CHECKPOINT).exists()
