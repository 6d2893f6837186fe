"""The epochs of a training: their figures, and who is told of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cnnaccel.figures import ACCURACY, Figure
from cnnaccel.workspace import write_atomic


@dataclass(frozen=True)
class EpochMetrics:
    """An epoch. Accuracies are shares; training ones are of augmented images."""

    epoch: int
    train_loss: float
    train_accuracy: float | None
    """None of a task that counts no classes."""
    validation_loss: float | None
    """None where a loss of the user's own takes what the model returns in training alone."""
    figures: tuple[Figure, ...]
    """Figures of the validation images."""
    learning_rate: float
    """Learning rate of the epoch's last step."""
    seconds: float

    @property
    def validation(self) -> Figure:
        """The figure by which the best epoch is chosen."""
        return self.figures[0]

    def line(self) -> dict[str, Any]:
        """A line of metrics.jsonl: figures by their names."""
        found: dict[str, Any] = {}
        for key, value in dataclasses.asdict(self).items():
            if key == "figures":
                found |= {f"validation_{one.key}": one.value for one in self.figures}
            elif value is not None:
                found[key] = value
        return found

    @staticmethod
    def stored(values: Mapping[str, Any]) -> EpochMetrics:
        """An epoch as a checkpoint holds it; older ones know the accuracy alone."""
        rest = dict(values)
        old = [{"name": ACCURACY, "value": rest.pop("validation_accuracy", 0.0), "form": "share"}]
        figures = tuple(Figure(**one) for one in rest.pop("figures", old))
        return EpochMetrics(**rest, figures=figures)


@dataclass(frozen=True)
class TrainResult:
    """The chosen epoch, the first of those with the best figure of the validation images."""

    epoch: int
    validation: Figure
    history: tuple[EpochMetrics, ...]
    model: Path
    checkpoint: Path


class TrainObserver(Protocol):
    """Whoever wants to know how the training goes; called in the first process only."""

    def on_start(self, epochs: int, steps_per_epoch: int, start_epoch: int) -> None:
        """Before the first step; epochs count from 1."""

    def on_step(self, epoch: int, step: int, loss: float, accuracy: float | None) -> None:
        """After some of the steps; means over the epoch so far."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """After each epoch, its checkpoint written."""


def write_metrics(path: Path, history: Sequence[EpochMetrics]) -> None:
    """Write `metrics.jsonl`, a line for each epoch."""
    lines = [json.dumps(metrics.line()) + "\n" for metrics in history]
    write_atomic(path, "".join(lines).encode())
