"""The notebooks of the documentation run, and print what is stored in them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.notebooks import FOLDER, executed, pictures, texts

NOTEBOOKS = [
    "quick-start.ipynb",
    pytest.param("own-network.ipynb", marks=pytest.mark.slow),
]


def test_all_of_them_are_here() -> None:
    found = {path.name for path in FOLDER.glob("*.ipynb")}
    assert found == {getattr(one, "values", (one,))[0] for one in NOTEBOOKS}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_and_prints_what_is_stored(name: str, tmp_path: Path) -> None:
    """Refresh with `python -m tests.notebooks`."""
    stored = nbformat.read(FOLDER / name, as_version=4)
    nbformat.validate(stored)
    found = executed(FOLDER / name, tmp_path)
    for before, after in zip(stored.cells, found.cells, strict=True):
        if "varies" not in before.metadata.get("tags", []):
            assert texts(after) == texts(before), before.source
        assert bool(texts(after)) == bool(texts(before)), before.source
    assert pictures(found) == pictures(stored) >= 4
