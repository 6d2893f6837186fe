"""What all tests share: how hypothesis draws, a seeded generator, golden files, the real data."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# The everyday run draws the same cases each time; the sweeps marked slow draw new ones.
settings.register_profile("everyday", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("sweep", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("everyday")

# In the background of a script SIGINT is ignored, by children too; tests of Ctrl-C send it to them.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator that depends on the test's name alone."""
    seed = sum(request.node.name.encode())
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real FashionMNIST, which is read and never copied."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CNNACCEL_DATA") or beside)
    if not (folder / "FashionMNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip(f"no FashionMNIST/raw in {folder}; set CNNACCEL_DATA to a folder that has it")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden files instead of comparing"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """golden(path, text): the file holds exactly this text, or is made to by --update-golden."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing; write it with --update-golden"
        assert path.read_text(encoding="utf-8") == text, f"{path} differs; see --update-golden"

    return compare
