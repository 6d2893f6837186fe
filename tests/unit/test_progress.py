"""What a long step shows: on a terminal in place, else line by line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cnnaccel.report.progress import duration, step


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
