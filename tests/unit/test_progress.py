"""What a long step shows: on a terminal in place, else line by line."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import cnnaccel
from cnnaccel.report.progress import TrainingProgress, counter, duration, step, working


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3725, "1 h 2 min"), (36000, "10 h 0 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_step_line_by_line() -> None:
    out = io.StringIO()
    with step(Console(file=out, width=100), "2/6 design", "a/design.log") as tell:
        tell("cells [0]")
        tell("validating")
    assert out.getvalue() == "2/6 design 0 s: cells [0]\n2/6 design 0 s: validating\n"


def test_a_step_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None)
    with step(console, "2/6 design", "a/[x]/design.log") as tell:
        tell("cells [0]")
    shown = out.getvalue()
    assert "2/6 design" in shown and "cells [0]" in shown and "a/[x]/design.log" in shown
    assert "0:00:00" in shown


def terminal(out: io.StringIO) -> Console:
    return Console(file=out, width=100, force_terminal=True, color_system=None)


def dumb() -> Console:
    """A terminal that cannot move its cursor, as an editor's shell, and shows no moving line."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    console.is_interactive = False
    return console


@pytest.mark.parametrize("console", [Console(file=io.StringIO(), width=100), dumb()])
def test_work_shows_at_once_in_a_pipe(console: Console) -> None:
    """Before it is done, that is, and one short line is all that short work shows."""
    out = console.file
    assert isinstance(out, io.StringIO)
    with working(console, "building [x]"):
        assert out.getvalue() == "building [x]\n"
    with counter(console, "golden", 10_000) as progress:
        progress(10_000)
    with counter(console, "predicting", None) as progress:
        progress(2, 3)
    assert out.getvalue() == "building [x]\ngolden: 0 of 10,000\npredicting\n"


def test_long_work_shows_again_and_again_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where what works never comes to say so."""
    monkeypatch.setattr("cnnaccel.report.progress._SOON_SECONDS", 0.01)
    out = io.StringIO()
    with counter(Console(file=out, width=100), "engine", 1_600) as progress:
        progress(800)
        wait_for(lambda: out.getvalue().count("\n") > 3)
    lines = out.getvalue().splitlines()
    assert lines[0] == "engine: 0 of 1,600"
    assert lines[-1] == "engine: 800 of 1,600, 0 s so far"
    with working(Console(file=out, width=100), "compiling"):
        wait_for(lambda: "compiling, 0 s so far" in out.getvalue())
    ended = out.getvalue()
    time.sleep(0.05)
    assert out.getvalue() == ended


def test_lines_end_with_work_that_fails() -> None:
    out = io.StringIO()
    before = threading.active_count()
    with pytest.raises(OSError, match="disk"), working(Console(file=out), "compiling"):
        raise OSError("disk")
    assert threading.active_count() == before


def test_work_on_a_terminal_leaves_nothing() -> None:
    """It moves in place, and only there."""
    out = io.StringIO()
    with working(terminal(out), "building [x]"), counter(terminal(out), "golden", 3) as progress:
        progress(2)
    shown = out.getvalue()
    assert "building [x]" in shown and "golden" in shown and "so far" not in shown
    assert shown.endswith("\x1b[2K")  # the line is erased


def test_an_epoch_that_takes_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnaccel.report.progress._LATER_SECONDS", 0.0)
    out = io.StringIO()
    with TrainingProgress(Console(file=out, width=100)) as progress:
        progress.on_start(5, 430, 1)
        progress.on_step(1, 50, 0.5, 0.75)
    assert out.getvalue().splitlines() == [
        "training for 5 epochs of 430 steps",
        "epoch   1/5  step 50 of 430  loss 0.5000  accuracy 75.00%",
    ]


def test_nothing_shows_progress_but_this_module() -> None:
    """What moves on a terminal alone is silence in a pipe."""
    package = Path(cnnaccel.__file__).parent
    moving = re.compile(r"\.status\(|rich\.(progress|live|status)|transient")
    others = [path for path in package.rglob("*.py") if path.name != "progress.py"]
    assert [str(path) for path in others if moving.search(path.read_text(encoding="utf-8"))] == []


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)
