"""How test images are judged in every stage: by the task of the configuration, or its metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnnaccel.figures import Figure
from cnnaccel.pipeline.job import Job
from cnnaccel.pipeline.weights import stage_of

if TYPE_CHECKING:
    from torch import nn

    from cnnaccel.api.evaluation import Evaluation
    from cnnaccel.api.quantized import QuantizedNetwork
    from cnnaccel.nn.tasks import Outputs

_SHOWN = 20


def score_of(job: Job, network: QuantizedNetwork) -> Evaluation:
    """The figures of a network on the test images, by the golden executor."""
    config, test = job.config, job.dataset.test
    return network.evaluate(
        test.images,
        test.targets,
        task=config.task,
        metric=config.metric,
        goal=config.metric_goal,
        progress=job.console,
    )


def float_model(job: Job) -> nn.Module | None:
    """The float network, where figures of int8 are of little worth without it; else None."""
    from cnnaccel.nn.checkpoint import load_weights
    from cnnaccel.nn.reproduce import choose_device

    plain = job.config.task == "classify" and job.config.metric is None
    if plain and job.dataset.test.targets is not None:
        return None
    model = job.model()
    load_weights(model, stage_of(job, "train").folder / "model.pt")
    return model.eval().to(choose_device(job.config.train.device))


def figure_of_outputs(job: Job, outputs: Outputs, rows: npt.NDArray[np.int64]) -> Figure | None:
    """The figure of outputs for test images in these rows; None where those have no targets."""
    from cnnaccel.nn.picture_files import rows_of
    from cnnaccel.nn.tasks import Judge, configured_task

    task, test = configured_task(job.config, len(job.dataset.classes)), job.dataset.test
    if task.name == "features" or (task.wants_targets and test.targets is None):
        return None
    judge = Judge(task)
    judge.add(outputs, None if test.targets is None else rows_of(test.targets, rows)[:])
    return judge.figures()[0]


def segmented(
    job: Job, run: Callable[[npt.NDArray[np.uint8]], Outputs]
) -> npt.NDArray[np.uint8] | None:
    """uint8[N, 3, H, W] of the first test images with their masks and those that `run` gives.

    None where that is not the task, or where images have no masks.
    """
    from cnnaccel.nn.tasks import classes_of
    from cnnaccel.report.masks import side_by_side

    test = job.dataset.test
    if job.config.task != "segment" or test.targets is None:
        return None
    images = np.asarray(test.images[:_SHOWN])
    maps: Any = run(images)[0]
    wanted = np.asarray(test.targets[:_SHOWN], np.int64)
    return side_by_side(images, wanted, classes_of(maps, maps[:, 0].shape))
