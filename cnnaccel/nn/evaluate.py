"""Outputs of a model on images, without changing the model, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cnnaccel.errors import DataError, ModelError
from cnnaccel.figures import Figure
from cnnaccel.nn.data import Split
from cnnaccel.nn.tasks import Classify, Judge, Outputs, Task

BATCH = 512
"""Images at a time."""


def to_input(images: Tensor) -> Tensor:
    """uint8 pixels as the float32 in [0, 1] that models take."""
    return images.float().div_(255)


def device_of(model: nn.Module) -> torch.device:
    """The device that a model's parameters are on."""
    return next((one.device for one in model.parameters()), torch.device("cpu"))


def raw_outputs(
    model: nn.Module, images: npt.NDArray[np.uint8], batch: int = BATCH
) -> Iterator[tuple[slice, Any]]:
    """Everything that a model returns in evaluation mode, for some images at a time."""
    device = device_of(model)
    for start in range(0, len(images), batch):
        chunk = slice(start, min(start + batch, len(images)))
        with _evaluating(model), torch.no_grad():
            made = model(to_input(torch.from_numpy(images[chunk]).to(device)))
        yield chunk, made


def outputs_of(raw: Any) -> Outputs:
    """All tensors that a model returned, in its order, as float32 arrays.

    Raises:
        ModelError: it returned something else, or nothing.
    """
    tensors = list(_tensors(raw))
    if not tensors:
        raise ModelError(f"the model returns a {type(raw).__name__} without a tensor in it")
    return tuple(one.detach().float().cpu().numpy() for one in tensors)


def predict(
    model: nn.Module, images: npt.NDArray[np.uint8], batch: int = BATCH
) -> Iterator[tuple[slice, Outputs]]:
    """The outputs of a model for some images at a time, and for which."""
    for chunk, made in raw_outputs(model, images, batch):
        yield chunk, outputs_of(made)


def predict_logits(
    model: nn.Module, images: npt.NDArray[np.uint8], batch: int = BATCH
) -> npt.NDArray[np.float32]:
    """Logits [N, classes] of images [N, C, H, W], in evaluation mode."""
    return np.concatenate([outputs[0] for _, outputs in predict(model, images, batch)])


def judged(model: nn.Module, split: Split, task: Task) -> tuple[Figure, ...]:
    """The figures of a model on a split, the one that counts first.

    Raises:
        DataError: the task needs targets, and the split has none; or they do not fit.
        ModelError: outputs do not fit the task.
    """
    judge, targets = Judge(task), targets_for(task, split)
    for chunk, outputs in predict(model, split.images):
        judge.add(outputs, None if targets is None else targets[chunk])
    return judge.figures()


def targets_for(task: Task, split: Split) -> npt.NDArray[Any] | None:
    """The targets of a split, which a task may need."""
    if task.wants_targets and split.targets is None:
        raise DataError(
            f"task {task.name} is judged by labels, and these images have none; task: features "
            "sets int8 beside float without them"
        )
    return split.targets


def accuracy(model: nn.Module, split: Split) -> float:
    """Share of the images whose largest logit is their label's."""
    classes = len(predict_logits(model, split.images[:1])[0])
    return judged(model, split, Classify(classes))[0].value


def _tensors(raw: Any) -> Iterator[Tensor]:
    if isinstance(raw, Tensor):
        yield raw
    elif isinstance(raw, Mapping):
        for value in raw.values():
            yield from _tensors(value)
    elif isinstance(raw, list | tuple):
        for value in raw:
            yield from _tensors(value)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
