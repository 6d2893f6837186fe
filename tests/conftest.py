"""What all tests share: how hypothesis draws, a seeded generator, golden files, the real data.

`make test` runs them in a process for each core. What is costly to make is made once for all of
them: built engines by the cache, which locks; `shared` folders; a module's own fixtures by keeping
the tests of its file in one process.
"""

import fcntl
import gc
import os
import shutil
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from torch import nn

pytest.register_assert_rewrite("tests.support")

# The everyday run draws the same cases each time; the sweeps marked slow draw new ones.
settings.register_profile("everyday", derandomize=True, deadline=None, max_examples=35)
settings.register_profile("sweep", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("everyday")

# In the background of a script SIGINT is ignored, by children too; tests of Ctrl-C send it to them.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Files with a fixture of their module go to one process each, which makes it once; all other
    tests go wherever there is room. (--dist loadgroup would do, but not with pytest 9.)"""
    from xdist.scheduler import LoadScopeScheduling

    class ByFixture(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if _has_module_fixture(config.rootpath / file) else nodeid

    return ByFixture(config, log)


@cache
def _has_module_fixture(path: Path) -> bool:
    return 'scope="module"' in path.read_text(encoding="utf-8")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let Python look for garbage seldom: among the objects of torch that takes a quarter of the
    time of tests that trace networks."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """shared(name, make): a folder that make(folder) fills once for all processes of a run."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has a base of its own, in that of the run
        root = root.parent

    def get(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / f"shared-{name}", root / f"shared-{name}.done"
        with (root / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def learned(shared: Callable[..., Path]) -> "Callable[[str], nn.Module]":
    """learned(name): a copy of a network of `support.trained`, trained once for all processes."""
    import torch

    from tests.support import trained

    def get(name: str) -> "nn.Module":
        def make(folder: Path) -> None:
            torch.save(trained.trained(name).state_dict(), folder / "weights.pt")

        model = trained.MAKERS[name][0]()
        model.load_state_dict(torch.load(shared(f"trained-{name}", make) / "weights.pt"))
        return model.eval()

    return get


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator that depends on the test's name alone."""
    seed = sum(request.node.name.encode())
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real FashionMNIST, which is read and never copied."""
    folder = os.environ.get("CNNACCEL_DATA", "")
    if not (Path(folder) / "FashionMNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip(
            f"no FashionMNIST/raw in CNNACCEL_DATA, which is '{folder}': set it to a folder with it"
        )
    return Path(folder)


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
