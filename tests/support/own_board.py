"""The boards of a user's own that docs/build-hw.md shows, as files."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.commands import ROOT

BOARDS = ("arty_z7_10.yaml", "own_board.yaml")


def write_examples(folder: Path) -> None:
    """The files that the page shows, each a block that begins with its name."""
    page = (ROOT / "docs/build-hw.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^    .*\n)+", page, re.MULTILINE)
    for block in blocks:
        text = re.sub(r"^    ", "", block, flags=re.MULTILINE)
        if named := re.match(r"# (\w+\.(?:yaml|tcl))\n", text):
            (folder / named[1]).write_text(text, encoding="utf-8")
    assert {path.name for path in folder.iterdir() if path.is_file()} == {*BOARDS, "own_board.tcl"}
