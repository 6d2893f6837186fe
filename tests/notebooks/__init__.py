"""The notebooks of the documentation, run as a reader runs them.

`python -m tests.notebooks` runs them and stores what they print and draw; `test_notebooks.py` runs
them and holds the texts against what is stored, but for those of cells with the tag `varies`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
_JAVASCRIPT = "application/javascript"


def executed(path: Path, folder: Path) -> Any:
    """The notebook with its outputs, after a run in a folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails; it has the cell and the traceback.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if (
            "outputs" in cell
        ):  # pynq, when it is imported, asks Jupyter for a highlighting of Verilog
            cell.outputs = [one for one in cell.outputs if _JAVASCRIPT not in one.get("data", {})]
    return notebook


def texts(cell: Any) -> str:
    """All that a cell printed or gives as plain text."""
    found = []
    for output in cell.get("outputs", []):
        found.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "".join(found)


def pictures(notebook: Any) -> int:
    """The number of outputs that are drawn: images and pages of HTML."""
    kinds = ("image/png", "image/svg+xml", "text/html")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum(any(kind in output.get("data", {}) for kind in kinds) for output in outputs)
