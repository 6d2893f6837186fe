"""The stage train."""

from __future__ import annotations

import dataclasses

from cnnaccel.errors import CheckpointError
from cnnaccel.pipeline.job import Job, data_inputs, draw, write_results
from cnnaccel.report.progress import TrainingProgress
from cnnaccel.workspace import sha256_of, sha256_of_value


def train_inputs(job: Job) -> dict[str, str]:
    """Digests that a trained model depends on."""
    from cnnaccel.nn.models import model_source

    config = job.config
    source = model_source(config.model)
    return {
        "model": sha256_of_value([config.model, config.model_args]),
        "model source": "" if source is None else sha256_of(source),
        **data_inputs(job),
        "train settings": sha256_of_value(dataclasses.asdict(config.train)),
    }


def train(job: Job, resume: bool = False) -> None:
    """Train the network, once it is known that the engine can run it."""
    from cnnaccel.nn import train as training
    from cnnaccel.nn.ranks import ranks_from_environment
    from cnnaccel.quant.ptq import check_supported

    model = job.model()
    check_supported(model, job.dataset.shape)
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
    """Train, from an interrupted run's checkpoint where it is of these very settings."""
    from cnnaccel.nn.train import CHECKPOINT

    if (job.workspace.stage("train").partial / CHECKPOINT).exists():
        try:
            return train(job, resume=True)
        except CheckpointError as error:
            job.say(f"starting over: {error}")
    return train(job)
