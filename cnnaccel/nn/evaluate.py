"""Answers and accuracy of a model on images, without changing the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from cnnaccel.nn.data import Split


def to_input(images: Tensor) -> Tensor:
    """uint8 pixels as the float32 in [0, 1] that models take."""
    return images.float().div_(255)


def device_of(model: nn.Module) -> torch.device:
    """The device that a model's parameters are on."""
    return next((one.device for one in model.parameters()), torch.device("cpu"))


def predict_logits(
    model: nn.Module, images: npt.NDArray[np.uint8], batch: int = 512
) -> npt.NDArray[np.float32]:
    """Logits [N, classes] of images [N, C, H, W], in evaluation mode."""
    device = device_of(model)
    with _evaluating(model), torch.no_grad():
        parts = [
            model(to_input(torch.from_numpy(images[start : start + batch]).to(device))).cpu()
            for start in range(0, len(images), batch)
        ]
    logits: npt.NDArray[np.float32] = torch.cat(parts).numpy()
    return logits


def predict_outputs(
    model: nn.Module, images: npt.NDArray[np.uint8], batch: int = 512
) -> tuple[npt.NDArray[Any], ...]:
    """All that a model returns for images [N, C, H, W], in evaluation mode: [N, ...] each."""
    device, parts = device_of(model), []
    with _evaluating(model), torch.no_grad():
        for start in range(0, len(images), batch):
            pixels = torch.from_numpy(images[start : start + batch]).to(device)
            parts.append([one.cpu().numpy() for one in tree_leaves(model(to_input(pixels)))])
    return tuple(np.concatenate(one) for one in zip(*parts, strict=True))


def accuracy(model: nn.Module, split: Split, batch: int = 512) -> float:
    """Share of the images whose largest logit is their label's."""
    _, correct = score(model, split, batch)
    return correct / len(split)


def score(model: nn.Module, split: Split, batch: int = 512) -> tuple[float, int]:
    """Cross entropy summed over the images, and how many are classified correctly."""
    logits = torch.from_numpy(predict_logits(model, split.images, batch))
    labels = torch.from_numpy(split.labels)
    loss = F.cross_entropy(logits, labels, reduction="sum")
    return float(loss), int((logits.argmax(1) == labels).sum())


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
