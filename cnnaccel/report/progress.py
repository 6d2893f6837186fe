"""Progress on the terminal; on anything else, plain lines, one per epoch or message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def counter(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar from 0 to `total`; the value yielded is told how much is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


class TrainingProgress:
    """Shows a training run: implements `nn.train.TrainObserver`. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.2%}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self.task: TaskID | None = None
        self.epochs = self.steps_per_epoch = 0

    def __enter__(self) -> TrainingProgress:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def on_start(self, epochs: int, steps_per_epoch: int, start_epoch: int) -> None:
        """Training begins with `start_epoch`, counted from 1."""
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        done = start_epoch - 1
        if done:
            self.console.print(f"resuming after epoch {done} of {epochs}")
        self.task = self.progress.add_task(
            "", total=epochs * steps_per_epoch, completed=done * steps_per_epoch,
            epoch=f"{done}/{epochs}", loss=0.0, accuracy=0.0,
        )  # fmt: skip

    def on_step(self, epoch: int, step: int, loss: float, accuracy: float) -> None:
        """A few steps further, `epoch` and `step` counted from 1."""
        assert self.task is not None
        done = (epoch - 1) * self.steps_per_epoch + step
        self.progress.update(
            self.task, completed=done, epoch=f"{epoch}/{self.epochs}", loss=loss, accuracy=accuracy
        )

    def on_epoch(self, metrics: Any) -> None:
        """An epoch is over; `metrics` are its `nn.train.EpochMetrics`."""
        self.console.print(
            f"epoch {metrics.epoch:>3}/{self.epochs}  loss {metrics.train_loss:.4f}  "
            f"accuracy {metrics.train_accuracy:.2%}  "
            f"validation {metrics.validation_accuracy:.2%}  {metrics.seconds:.1f} s"
        )


@contextmanager
def step(console: Console, name: str, log: str) -> Iterator[Callable[[str], None]]:
    """One step of a long build; the value yielded is told what it does now.

    A terminal shows name, time, what it does and where its log is; anything else gets a line for
    each message.
    """
    started = time.perf_counter()
    if not console.is_terminal:
        yield lambda what: console.print(
            escape(f"{name} {duration(time.perf_counter() - started)}: {what}")
        )
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        TextColumn("{task.fields[log]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(name, total=None, what="", log=log)
        yield lambda what: progress.update(task, what=what)


def duration(seconds: float) -> str:
    """As `3 s`, `2 min 10 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
