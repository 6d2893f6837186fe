"""The table of boards: every shipped one, with figures that its file and its device give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from cnnaccel.errors import ConfigError
from cnnaccel.hardware import load_hardware, shipped_boards
from cnnaccel.report.boards import COLUMNS, board_row, boards_table, render_boards_page

ROOT = Path(__file__).parents[2]


def row(board: str | Path) -> dict[str, str]:
    return dict(zip(COLUMNS, board_row(load_hardware(board)), strict=True))


def test_the_page_has_every_board(golden: Callable[[Path, str], None]) -> None:
    boards = [load_hardware(name) for name in shipped_boards()]
    page = render_boards_page(boards)
    golden(ROOT / "docs/boards.md", page)
    listed = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")]
    assert listed[2:] == list(shipped_boards())
    assert [found for found in boards if found.on_silicon] == [], "none of us had a board"


def test_figures_of_a_row() -> None:
    assert row("kv260") == {
        "board": "kv260",
        "part": "xck26-sfvc784-2LV-c",
        "P x C x K = MACs": "8x16x16 = 2,048",
        "act + wgt, KiB": "256 + 256",
        "MHz": "150",
        "DSP": "85%",
        "BRAM36": "91%",
        "LUT": "51%",
        "seen": "simulated, mock-built",
    }
    assert row("zcu104")["MHz"] == "187.5"


def test_a_board_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("part: xc7z010\npixel_lanes: 1\n", encoding="utf-8")
    assert (row(path)["board"], row(path)["seen"]) == ("mine", "")
    path.write_text("part: xc7z010\non_silicon: LeNet, by me\n", encoding="utf-8")
    assert row(path)["seen"] == "on silicon: LeNet, by me"


def test_the_table_fits_a_line_per_board() -> None:
    console = Console(width=150, record=True)
    console.print(boards_table(map(load_hardware, shipped_boards())))
    lines = console.export_text().splitlines()
    assert all(any(f" {name} " in line for line in lines) for name in shipped_boards())
    assert len(lines) == len(shipped_boards()) + 5, "a title, three rules, a heading"


def test_an_unknown_board_says_where_to_look() -> None:
    with pytest.raises(ConfigError, match=r"kv26: no such board; .* kv260, .*`cnnaccel boards`"):
        load_hardware("kv26")
