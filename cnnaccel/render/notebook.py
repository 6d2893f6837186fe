"""Notebooks of Jupyter, from scripts whose cells are divided by `# %%`."""

from __future__ import annotations

import json
from typing import Any

_CELL, _WORDS = "# %%", "# %% [markdown]"


def notebook_of(script: str) -> str:
    """An `.ipynb` without outputs. `# %%` begins a cell of code; after `# %% [markdown]` stand
    comments, which are its words."""
    cells: list[tuple[str, list[str]]] = []
    for line in script.splitlines():
        if line in (_CELL, _WORDS):
            cells.append(("markdown" if line == _WORDS else "code", []))
        elif cells:
            words = cells[-1][0] == "markdown"
            cells[-1][1].append(line.removeprefix("#").removeprefix(" ") if words else line)
    values = {
        "cells": [_cell(number, *cell) for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, kind: str, lines: list[str]) -> dict[str, Any]:
    text = "\n".join(lines).strip("\n")
    source = text.splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell | {"source": source}
