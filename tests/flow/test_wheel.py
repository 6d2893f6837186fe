"""The built wheel in a fresh environment, away from the checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.own_board import BOARDS, write_examples


@pytest.fixture(scope="module", params=["alone", pytest.param("asks", marks=pytest.mark.slow)])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment that has the wheel.

    alone: packages are those of this environment; asks: what the wheel asks for is installed too.
    """
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, tracked.stdout.split("\0")):  # build/ of a checkout is not ours to use
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, source],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    if request.param == "alone":
        install.append("--no-deps")
        (packages,) = folder.glob("venv/lib/*/site-packages")
        here = sysconfig.get_path("purelib")  # its .pth files, ours among them, are not followed
        (packages / "packages.pth").write_text(f"{here}\n", encoding="utf-8")
    subprocess.run([*install, f"{wheel}[sim]"], check=True)
    return programs


def run(programs: Path, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [programs / "cnnaccel", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_works_as_a_checkout_does(installed: Path, tmp_path: Path) -> None:
    assert "Usage: cnnaccel" in run(installed, "--help", folder=tmp_path)
    assert "torchao" in run(installed, "doctor", folder=tmp_path)
    assert "int8" in run(installed, "run", "tiny", folder=tmp_path)
    assert (tmp_path / "build/tiny/quantize/report.md").is_file()
    code = "import cnnaccel; print(cnnaccel.__file__)"
    where = subprocess.run(
        [installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert where.stdout.startswith(str(installed.parent))


def test_wheel_carries_what_lies_beside_the_package(installed: Path) -> None:
    (package,) = installed.parent.glob("lib/*/site-packages/cnnaccel")
    for folder in ("configs", "templates", "hw"):
        here = {p.name for p in (ROOT / folder).rglob("*") if p.is_file()}
        assert here == {p.name for p in (package / folder).rglob("*") if p.is_file()}


@pytest.mark.slow
def test_wheel_builds_for_a_board_of_a_user(installed: Path, tmp_path: Path) -> None:
    write_examples(tmp_path)
    (mock,) = installed.parent.glob("lib/*/site-packages/cnnaccel/hw/tcl/mock/vivado")
    mock.chmod(0o755)  # pip leaves out that it is a program
    for board in BOARDS:
        options = ("--set", f"hardware.board={board}", "--vivado", str(mock), "--until", "package")
        assert "ended after package" in run(
            installed, "build-hw", "tiny", *options, folder=tmp_path
        )
