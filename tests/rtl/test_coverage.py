"""The report of coverage: what it counts, what it refuses; all of it is slow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cnnaccel.tools.tool import run_tool
from tests.rtl import coverage
from tests.rtl.coverage import RTL, Point, complaints, explained, points, table


def name(**values: object) -> str:
    parts = "".join(f"\x01{key}\x02{value}" for key, value in values.items())
    return f"C '{parts}'"


def found(count: int) -> dict[str, int]:
    """A line in two instances, one of which runs so often, and one edge of a bit."""
    line = {"f": RTL / "fifo.sv", "l": 3, "n": 5, "page": "v_line/fifo__W8", "o": "block"}
    bit = {"f": RTL / "fifo.sv", "l": 20, "n": 1, "page": "v_toggle/fifo", "o": "x[3]:0->1"}
    return {name(**line, h="a"): 0, name(**line, h="b"): count, name(**bit, h="a"): 0}


def test_instances_are_summed() -> None:
    counted = points(found(7))
    assert counted == {
        Point("fifo", 3, "v_line", "5 block"): 7,
        Point("fifo", 20, "v_toggle", "x[3]:0->1"): 0,
    }
    assert "| fifo | 1 of 1 | 0 of 1 |" in list(table(counted))


def test_what_never_ran_needs_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(coverage, "EXPLAINED", tmp_path / "reasons.txt")
    text = coverage.text_of(Point("fifo", 3, "v_line", "5 block"))
    coverage.EXPLAINED.write_text("# none\n")
    assert list(complaints(points(found(1)))) == []
    assert list(complaints(points(found(0)))) == [f"never ran: fifo.sv:3 5 block: {text}"]
    coverage.EXPLAINED.write_text(f"fifo | {text} | why\n")
    assert list(complaints(points(found(0)))) == []
    assert len(list(complaints(points(found(1))))) == 1


def test_explained_lines_are_there() -> None:
    for (module, text), reason in explained().items():
        lines = (RTL / f"{module}.sv").read_text(encoding="utf-8").splitlines()
        assert [line.strip() for line in lines].count(text) == 1, (module, text)
        assert reason


@pytest.mark.slow
def test_every_line_runs_or_is_explained() -> None:
    command = [sys.executable, "-m", "tests.rtl.coverage"]
    print(run_tool(command, timeout_seconds=3600, folder=Path(__file__).parents[2]))
