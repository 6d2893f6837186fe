"""Commands as a user types them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnaccel.cli import main
from tests.support.commands import Cnnaccel, Result


@pytest.fixture
def cnnaccel(capsys: pytest.CaptureFixture[str]) -> Cnnaccel:
    """Run one command in this process; an exception that is not handled fails the test."""

    def run(*arguments: str | Path) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        code = ended.value.code
        return Result(code if isinstance(code, int) else 0, out, err)

    return run


@pytest.fixture(scope="session")
def tiny_build(shared: Callable[..., Path]) -> Path:
    """A build folder in which `run tiny` has ended, with the self-test that exports take; to be
    read alone."""

    def make(folder: Path) -> None:
        for command in ("run", "export"):
            with pytest.raises(SystemExit) as ended:
                main([command, "tiny", "--build-dir", str(folder)])
            assert ended.value.code in (0, None)
        shutil.rmtree(folder / "tiny/export")

    return shared("tiny", make)


@pytest.fixture
def tiny(tiny_build: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_build` that a test may spoil."""
    return Path(shutil.copytree(tiny_build, tmp_path / "build"))
