"""Docstrings stand by themselves: an editor shows one without what is around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cnnaccel"
FLOORS = ("nn", "quant", "ir", "report")
LEANING = ("Of", "What", "By", "That", "Likewise", "In", "From", "For", "With", "It", "Those", "As")
"""First words of a docstring that goes on from something that an editor does not show."""


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string that stands by itself in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, str(node.value.value)


@pytest.mark.parametrize("floor", FLOORS)
def test_first_words(floor: str) -> None:
    leaning = [
        f"{path.name}:{line}: {text.splitlines()[0]}"
        for path in sorted((PACKAGE / floor).rglob("*.py"))
        for line, text in docstrings(path)
        if text.split(maxsplit=1)[0] in LEANING
    ]
    assert not leaning
