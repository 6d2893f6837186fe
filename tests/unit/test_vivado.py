"""Vivado found, asked for its version, and run: what a step says when it fails; how it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from cnnaccel.errors import ToolError
from cnnaccel.tools import vivado
from cnnaccel.tools.doctor import TOOLS, examine
from cnnaccel.tools.vivado import Vivado, find_vivado, run_step
from tests.support.processes import alive

VERSION = 'test "$1" = -version && echo "{}" && exit\n'


def program(folder: Path, body: str, version: str = "Vivado v2023.2 (64-bit)") -> Path:
    """A stand-in for Vivado."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "vivado"
    path.write_text("#!/bin/sh\n" + VERSION.format(version) + body, encoding="utf-8")
    path.chmod(0o755)
    return path


def gone(pid: Path) -> bool:
    """Whether the process of which a file has the number ends soon."""
    until = time.monotonic() + 60
    while alive(int(pid.read_text())) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(int(pid.read_text()))


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No Vivado on PATH nor in a usual place, which is the folder returned."""
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    monkeypatch.setattr(vivado, "_PLACES", (str(tmp_path / "tools"),))
    return tmp_path / "tools"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Vivado v2020.1 (64-bit)", "2020.1"),
        ("****** Vivado v2022.1.1 (64-bit)", "2022.1.1"),
        ("vivado v2024.2 (64-bit)", "2024.2"),
        ("Vivado v2023.2 (mock)", "2023.2 (mock)"),
    ],
)
def test_version(tmp_path: Path, nowhere: Path, said: str, version: str) -> None:
    path = program(tmp_path / "bin", "", said)
    found = find_vivado(path)
    assert found == Vivado(path, version) and found.name == f"Vivado {version}"
    assert find_vivado(tmp_path) == find_vivado(tmp_path / "bin") == found


def test_the_newest_of_the_usual_places_unless_one_is_on_path(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_vivado() is None
    program(nowhere / "Vivado" / "2020.2" / "bin", "")
    newest = program(nowhere / "2025.1" / "Vivado" / "bin", "")
    program(nowhere / "Vivado" / "2023.2" / "bin", "")
    found = find_vivado()
    assert found is not None and found.command == newest
    on_path = program(tmp_path / "mine", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'mine'}:/bin:/usr/bin")
    found = find_vivado()
    assert found is not None and found.command == on_path


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Vivado v2019.2 (64-bit)", "2020.1 or later is needed"),
        ("hello", "tells no version: hello"),
    ],
)
def test_a_version_that_does_not_serve(tmp_path: Path, said: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        find_vivado(program(tmp_path, "", said))


def test_none_at_the_path_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no vivado there"):
        find_vivado(tmp_path)


def test_doctor_looks_where_a_build_does(nowhere: Path) -> None:
    (tool,) = (tool for tool in TOOLS if tool.name == "vivado")
    absent = examine(tool)
    assert not absent.serves and "Vivado ML Standard" in absent.advice
    program(nowhere / "Vivado" / "2023.2" / "bin", "")
    found = examine(tool)
    assert found.version == "2023.2" and found.serves and not found.advice
    program(nowhere / "Vivado" / "2023.2" / "bin", "", "Vivado v2019.2 (64-bit)")
    old = examine(tool)
    assert not old.serves and "2020.1 or later is needed" in old.advice
    assert old.version == "there"


def run(folder: Path, body: str, silent_seconds: float = 60) -> list[str]:
    """What a step that does `body` tells."""
    told: list[str] = []
    stand_in = Vivado(program(folder, body), "2023.2")
    run_step(stand_in, "synthesize", folder, 2, told.append, silent_seconds)
    return told


def test_a_step_tells_what_it_does_and_gets_what_it_needs(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        'echo "INFO: x"; echo "cnnaccel: synthesize: opening"; printf "%s " "$@" > arguments;'
        'echo "Phase 2 Global Placement"; echo "Phase 2.1 Floorplanning";'
        'echo "Phase 2 Global Placement | Checksum: 1a2b";'
        ' printf "cnnaccel: synthesize: done"',
    )
    assert told == ["opening", "Phase 2 Global Placement", "done"]
    arguments = (tmp_path / "arguments").read_text(encoding="utf-8").split()
    assert arguments[:6] == ["-mode", "batch", "-nojournal", "-notrace", "-log", "synthesize.log"]
    assert arguments[-3:] == ["-tclargs", "config.tcl", "2"]
    assert Path(arguments[-4]).is_file() and Path(arguments[-4]).name == "synthesize.tcl"
    assert "INFO: x" in (tmp_path / "synthesize.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (
            'for i in 1 2 3 4 5; do echo "ERROR: [Synth 8-$i] no"; done; exit 1',
            ["[Synth 8-1] no; ERROR: [Synth 8-2] no; ERROR: [Synth 8-3] no; and 2 more"],
        ),
        (
            "echo \"ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis'\";"
            "exit 1",
            ["Vivado has no licence"],
        ),
        ('echo "ERROR: could not write: No space left on device"; exit 1', ["The disk is full"]),
        ('echo "working"; kill -KILL $$', ["killed by signal 9", "working", "fewer --jobs"]),
        ('echo "Abnormal program termination (11)"; exit 139', ["ended with code 139", "(11)"]),
        ("exit 1", ["it printed nothing"]),
        (
            'mkdir -p runs; echo "ERROR: [Place 30-640] too few RAMB36" > runs/runme.log;'
            "echo \"ERROR: [cnnaccel] synthesize: run impl_1 ended with 'place_design ERROR';"
            ' its log is $PWD/runs/runme.log"; echo "INFO: [Common 17-206] Exiting Vivado"; exit 1',
            ["[Place 30-640] too few RAMB36", "its log is"],
        ),
    ],
)
def test_a_step_that_fails(tmp_path: Path, body: str, parts: list[str]) -> None:
    with pytest.raises(ToolError) as raised:
        run(tmp_path, body)
    message = str(raised.value)
    assert message.startswith("synthesize: ") and "\n" not in message
    assert str(tmp_path / "synthesize.log") in message
    for part in parts:
        assert part in message


def test_a_step_that_falls_silent(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="said nothing for"):
        run(tmp_path, "echo hello; echo $$ > pid; sleep 100", silent_seconds=0.6)
    assert gone(tmp_path / "pid")


def test_a_step_that_leaves_a_process_behind_with_its_output_open(tmp_path: Path) -> None:
    """Who waited for the end of the output would hear nothing of it for too long."""
    assert run(tmp_path, "sleep 100 & echo $! > pid; exit 0", silent_seconds=60) == []
    assert gone(tmp_path / "pid")


def test_a_step_that_closes_its_output_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="said nothing for"):
        run(tmp_path, "echo $$ > pid; exec >&- 2>&-; sleep 100", silent_seconds=0.6)
    assert gone(tmp_path / "pid")


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_asks_us_to_end_ends_vivado(tmp_path: Path, kind: int) -> None:
    pid = tmp_path / "pid"

    def ask() -> None:
        while not (pid.is_file() and pid.read_text().endswith("\n")):
            time.sleep(0.01)
        os.kill(os.getpid(), kind)

    before = signal.getsignal(kind)
    threading.Thread(target=ask).start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "sleep 100 & echo $! > pid; wait")
    assert signal.getsignal(kind) == before
    assert gone(pid)
