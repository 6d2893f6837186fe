"""Run the notebooks of the documentation and store their outputs in them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from tests.notebooks import FOLDER, executed

for path in sorted(FOLDER.glob("*.ipynb")):
    with TemporaryDirectory() as folder:
        nbformat.write(executed(path, Path(folder)), path)
    print(path.name)
