"""The drawings in docs/pictures are those that `python -m tests.pictures` writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.pictures.__main__ import FOLDER, PICTURES


@pytest.mark.parametrize("name", PICTURES)
def test_drawing(name: str, golden: Callable[[Path, str], None]) -> None:
    text = PICTURES[name]().svg()
    ElementTree.fromstring(text)
    golden(FOLDER / f"{name}.svg", text)


def test_no_other_drawings() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(PICTURES)
