"""Progress: a terminal shows it in place, anything else gets plain lines, the first at once.

A pipe, a file, or a terminal that cannot move its cursor then hears every few seconds that work
goes on, from a thread, for what works may not come to say so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

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

_SOON_SECONDS, _LATER_SECONDS = 10.0, 60.0
"""Between lines of the same step: in its first minute, and then."""


def silent() -> Console:
    """A console that shows nothing, for work that somebody else reports."""
    return Console(quiet=True, force_interactive=False)


def say(console: Console, text: str) -> None:
    """A line for the user."""
    console.print(escape(text))


@contextmanager
def working(console: Console, what: str) -> Iterator[None]:
    """A step of which nobody knows how far it is."""
    if console.is_interactive:
        with console.status(escape(what)):
            yield
        return
    with _lines(console, lambda: what):
        yield


class Counted(Protocol):
    """The progress that a `counter` is told."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Tell that so many are done; of `total` in all, where that shows only now."""


@contextmanager
def counter(console: Console, what: str, total: int | None) -> Iterator[Counted]:
    """A bar from 0 to `total`; the value yielded is told how much is done."""
    if not console.is_interactive:
        reached = _Reached(what, total)
        with _lines(console, reached.text):
            yield reached
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done, total=None: progress.update(task, completed=done, total=total)


@dataclass
class _Reached:
    """The last figures a `counter` was told; implements `Counted`."""

    what: str
    total: int | None
    done: int = 0

    def __call__(self, done: int, total: int | None = None) -> None:
        self.done, self.total = done, self.total if total is None else total

    def text(self) -> str:
        if self.total is None:
            return self.what
        return f"{self.what}: {self.done:,} of {self.total:,}"


@contextmanager
def _lines(console: Console, text: Callable[[], str]) -> Iterator[None]:
    """Lines of `text`, now and again every few seconds, with the time, until the block ends."""
    started, ended = time.perf_counter(), threading.Event()

    def tell() -> None:
        while True:
            seconds = time.perf_counter() - started
            if ended.wait(_SOON_SECONDS if seconds < _LATER_SECONDS else _LATER_SECONDS):
                return
            seconds = time.perf_counter() - started
            console.print(escape(f"{text()}, {duration(seconds)} so far"))

    console.print(escape(text()))
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class TrainingProgress:
    """Shows a training run: implements `nn.train.TrainObserver`. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.fields[shown]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self.task: TaskID | None = None
        self.epochs = self.steps_per_epoch = 0
        self.told = time.perf_counter()

    def __enter__(self) -> TrainingProgress:
        if self.console.is_interactive:
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_interactive:  # elsewhere it would leave an empty line
            self.progress.stop()

    def on_start(self, epochs: int, steps_per_epoch: int, start_epoch: int) -> None:
        """Training begins with `start_epoch`, counted from 1."""
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        done = start_epoch - 1
        if done:
            self.console.print(f"resuming after epoch {done} of {epochs}")
        elif not self.console.is_interactive:
            self.console.print(f"training for {epochs} epochs of {steps_per_epoch} steps")
        self.task = self.progress.add_task(
            "", total=epochs * steps_per_epoch, completed=done * steps_per_epoch,
            epoch=f"{done}/{epochs}", shown=_shown(0.0, 0.0),
        )  # fmt: skip

    def on_step(self, epoch: int, step: int, loss: float, accuracy: float | None) -> None:
        """A few steps further, `epoch` and `step` counted from 1."""
        assert self.task is not None
        done = (epoch - 1) * self.steps_per_epoch + step
        shown = _shown(loss, accuracy)
        self.progress.update(self.task, completed=done, epoch=f"{epoch}/{self.epochs}", shown=shown)
        now = time.perf_counter()
        if not self.console.is_interactive and now - self.told > _LATER_SECONDS:
            self.told = now
            self.console.print(
                f"epoch {epoch:>3}/{self.epochs}  step {step:,} of {self.steps_per_epoch:,}  "
                f"{shown}"
            )

    def on_epoch(self, metrics: Any) -> None:
        """An epoch is over; `metrics` are its `nn.train.EpochMetrics`."""
        self.told = time.perf_counter()
        self.console.print(
            f"epoch {metrics.epoch:>3}/{self.epochs}  "
            f"{_shown(metrics.train_loss, metrics.train_accuracy)}  "
            f"validation {metrics.validation.text}  {metrics.seconds:.1f} s"
        )


def _shown(loss: float, accuracy: float | None) -> str:
    """Loss and accuracy of a training so far; tasks that count no classes have the loss alone."""
    return f"loss {loss:.4f}" + ("" if accuracy is None else f"  accuracy {accuracy:.2%}")


@contextmanager
def step(console: Console, name: str, log: str) -> Iterator[Callable[[str], None]]:
    """One step of a long build; the value yielded is told what it does now.

    A terminal shows name, time, what it does and where its log is; anything else gets a line for
    each message.
    """
    started = time.perf_counter()
    if not console.is_interactive:
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
    """A time in words, as `3 s`, `2 min 10 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
