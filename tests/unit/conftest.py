"""What the unit tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real FashionMNIST, which is read and never copied."""
    folder = Path(os.environ.get("CNNACCEL_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "FashionMNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip(f"no FashionMNIST/raw in {folder}; set CNNACCEL_DATA to a folder that has it")
    return folder
