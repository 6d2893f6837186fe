"""Another Verilator gives the same bytes: what only one simulator makes of the sources would be no
meaning of theirs. It is the distribution's, installed or not: Debian 12 has 5.006, of 2023."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cnnaccel.isa.random_program import draw
from cnnaccel.runtime.simulator import Timing
from cnnaccel.tools import verilate
from cnnaccel.tools.tool import run_tool
from tests.support.engine import STALLS, Engine, check
from tests.support.hardware import TINY


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VERILATOR_ROOT of the distribution's package."""
    usr = Path("/usr")
    if not (usr / "bin" / "verilator_bin").is_file():
        usr = _unpacked() / "usr"
    root = tmp_path_factory.mktemp("verilator")
    (root / "bin").symlink_to(usr / "bin")
    (root / "include").symlink_to(usr / "share" / "verilator" / "include")
    return root


def _unpacked() -> Path:
    """The package's files, in the cache."""
    folder = verilate.cache_folder() / "verilator-apt"
    if folder.is_dir():
        return folder
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}, so no second Verilator")
    with verilate.making(folder):
        if folder.is_dir():
            return folder
        made = folder.with_suffix(".partial")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        run_tool(["apt-get", "download", "verilator"], timeout_seconds=300, folder=made)
        run_tool(["dpkg-deb", "-x", *made.glob("*.deb"), made], timeout_seconds=60)
        made.rename(folder)
    return folder


def version() -> str:
    return run_tool([*verilate._verilator(), "--version"], timeout_seconds=10)


def test_the_same_bytes(other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = version()
    monkeypatch.setenv("VERILATOR_ROOT", str(other))
    print(usual, version())
    assert version() != usual
    for stall in STALLS:
        engine = Engine(TINY, timing=Timing(stall_permille=stall))
        for seed in range(stall, stall + 3):
            check(engine, draw(TINY, seed, 100), seed)
