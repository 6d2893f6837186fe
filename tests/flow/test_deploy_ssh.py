"""`deploy` to a board over a real ssh, and everything that may go wrong on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.api import board as stage
from cnnaccel.hardware import load_hardware
from cnnaccel.remote import ssh as remote
from tests.support import faulty
from tests.support.commands import ROOT, Cnnaccel, Result, digests
from tests.support.loopback import SSHD, Loopback, faulty_build, lines, loopback, put_bitstream

pytestmark = pytest.mark.skipif(SSHD is None, reason="no sshd; apt install openssh-server")
TINY = load_hardware("tiny")
SLOW = {"cycles_per_poll": 100}
"""A run of all images takes many seconds."""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Loopback]:
    with loopback(tmp_path / "board") as made:
        yield made


@pytest.fixture
def build(tiny: Path) -> Path:
    put_bitstream(tiny)
    return tiny


Deploy = Callable[..., Result]


@pytest.fixture
def deploy(build: Path, board: Loopback, cnnaccel: Cnnaccel) -> Deploy:
    """`deploy tiny` to the board, on 4 images and without a self-test unless told."""

    def run(*more: str | Path, images: int | None = 4, new: bool = False) -> Result:
        some = ["--images", str(images)] if images else []
        some += [] if new else ["--no-self-test"]
        return cnnaccel("deploy", "tiny", "--build-dir", build, *board.client, *some, *more)

    return run


def copied(build: Path) -> set[str]:
    return set(json.loads((build / "tiny/board/results.json").read_text())["copied"])


# -- what goes well -------------------------------------------------------------------------------


def test_from_a_clean_state_and_again(build: Path, board: Loopback, deploy: Deploy) -> None:
    simulated = digests(build / "tiny/deploy")
    first = deploy(images=None)
    assert first.code == 0, first.err
    assert "of 80 test images, equal to golden" in first.out and "on the board's own" in first.out
    assert "export" in first.out and "with the host's" in first.out
    assert {"cnnaccel.bit", "weights.bin", "manifest.json"} < copied(build)
    assert board.downloads == 1 and board.idle()
    # the code that ran there is the code that was sent
    assert (board.home / ".cache/cnnaccel/tiny/cnnaccel/runtime/__pycache__").is_dir()
    results = json.loads((build / "tiny/board/results.json").read_text())
    assert results["target"] == board.target and results["clock_mhz"] == 100
    assert results["checks"]["pynq"] == "3.1.2" and results["counters"]["steps"] > 0
    logits = [np.load(build / f"tiny/{name}/logits.npz")["logits"] for name in ("board", "deploy")]
    assert np.array_equal(*logits)
    assert digests(build / "tiny/deploy") == simulated  # of the simulated board, as they were
    again = deploy()
    assert again.code == 0, again.err
    assert "nothing to copy" in again.out and "loaded already" in again.out
    assert copied(build) == set() and board.downloads == 1


@pytest.mark.slow
def test_changed_weights(build: Path, board: Loopback, deploy: Deploy, cnnaccel: Cnnaccel) -> None:
    """They alone are copied, and the overlay stays."""
    assert deploy().code == 0
    change = "--set", "quantize.weights=per_tensor"
    assert cnnaccel("run", "tiny", "--build-dir", build, "--until", "compile", *change).code == 0
    again = deploy(*change)
    assert again.code == 0, again.err
    assert "weights.bin" in copied(build) and board.downloads == 1
    assert copied(build) <= {
        "weights.bin",
        "program.bin",
        "model.h",
        "network.json",
        "samples.npz",
        "self-test.npz",
        "manifest.json",
    }
    assert "program and weights loaded in" in again.out and "loaded already" in again.out


@pytest.mark.slow
def test_another_overlay_in_between(board: Loopback, deploy: Deploy) -> None:
    """Somebody loads another one, or the logic is lost: ours is loaded again."""
    assert deploy().code == 0
    state = board.home / "loaded.json"
    name, _, system = json.loads(state.read_text())
    state.write_text(json.dumps([name, "another day", system]))
    assert deploy().code == 0 and board.downloads == 2
    board.be(dead=True)
    assert deploy().code == 0 and board.downloads == 3


def test_fpga_that_lost_its_bitstream(board: Loopback, deploy: Deploy) -> None:
    """Where pynq and the stamp still know it, the kernel does not: no register is touched before
    it is loaded, and none if that does not help."""
    assert deploy().code == 0
    (board.home / "fpga/state").write_text("unknown")
    result = deploy()
    assert result.code == 0 and board.downloads == 2, result.err
    assert "│ FPGA │ unknown: holds no bitstream yet │ ok" in lines(result.out)
    (board.home / "fpga/state").write_text("unknown")
    board.be(state="write error")
    result = deploy()
    assert result.code == 1 and board.downloads == 3
    assert "the kernel's FPGA manager says 'write error', not 'operating'" in lines(result.err)
    assert "`dmesg` on the board says why" in lines(result.err)


def test_copying_goes_on_where_it_ended(build: Path, board: Loopback, deploy: Deploy) -> None:
    data = (build / "tiny/build-hw/cnnaccel.bit").read_bytes()
    cache = board.home / ".cache/cnnaccel/tiny"
    cache.mkdir(parents=True)
    digest = digests(build / "tiny/build-hw")["cnnaccel.bit"]
    partial = cache / f"cnnaccel.bit.{digest[:16]}.partial"
    partial.write_bytes(b"other bytes" + data[11:1000])
    wrong = deploy()
    assert wrong.code == 1 and "cnnaccel.bit: what arrived has another sha256" in lines(wrong.err)
    partial.write_bytes(data[:300_000])
    result = deploy()
    assert result.code == 0, result.err
    assert "300,000 were there" in lines(result.out)
    assert (cache / "cnnaccel.bit").read_bytes() == data and not list(cache.glob("*.partial"))


def test_to_another_folder(board: Loopback, deploy: Deploy, tmp_path: Path) -> None:
    place = tmp_path / "a folder; $(touch x) 'of' its own"
    result = deploy("--remote-dir", place)
    assert result.code == 0, result.err
    assert (place / "weights.bin").is_file() and not (board.home / ".cache").exists()


def test_this_machine_is_the_board(
    build: Path, board: Loopback, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(board.home))
    monkeypatch.setenv("PYTHONPATH", f"{board.home}/hook")
    monkeypatch.setenv("PATH", f"{board.home}/bin", prepend=os.pathsep)
    result = cnnaccel("deploy", "tiny", "--build-dir", build, "--target", "local", "--images", "4")
    assert result.code == 0, result.err
    assert "│ reached │ local" in result.out and board.downloads == 1


# -- tests on the board ---------------------------------------------------------------------------


def test_a_bitstream_that_is_new_is_tested_first(
    build: Path, board: Loopback, deploy: Deploy
) -> None:
    """Once, and again when there is another."""
    said = "self-test: 12 random programs, 7 layers, the network: equal, in "
    first = deploy(new=True)
    assert first.code == 0, first.err
    out = lines(first.out)
    assert "this bitstream is new there, so it is tested first" in out and said in out
    assert f"{board.target}: self-test: 0 of 20" in out
    results = json.loads((build / "tiny/board/results.json").read_text())
    assert results["tests"][0].startswith(said)
    again = deploy("--layers", new=True)
    assert again.code == 0 and "self-test" not in again.out, again.out + again.err
    assert "layer by layer: 7 layers, the network: equal, in " in lines(again.out)
    path = build / "tiny/build-hw/cnnaccel.bit"
    path.write_bytes(path.read_bytes() + b"built again")
    assert said in lines(deploy(new=True).out)


def test_a_faulty_bitstream(build: Path, board: Loopback, deploy: Deploy, tmp_path: Path) -> None:
    """The network does not run on it, and it is tested again until it passes."""
    faulty_build(build, tmp_path / "rtl")
    profile = board.home / ".profile"
    right = profile.read_text()
    profile.write_text(f"{right}\nexport {faulty.VARIABLE}={faulty.DEAD_LANE}\n")
    result = deploy(new=True)
    assert result.code == 1 and not (build / "tiny/board").exists(), result.out
    error = lines(result.err)
    assert f"{board.target}: self-test: random program 'seed 0' (12 of 12 random programs" in error
    assert re.search(r"layer 'conv1' \(\d of 7 layers differ\): image 0, channel [15], y ", error)
    assert "all in channel" in error and "network 'tiny': image 0" in error
    assert board.idle()
    profile.write_text(right)
    result = deploy(new=True)
    assert result.code == 0 and "is tested first" in lines(result.out), result.err


# -- who may come in ------------------------------------------------------------------------------


def test_unknown_host_key(build: Path, board: Loopback, deploy: Deploy) -> None:
    (board.folder / "known_hosts").write_text("")
    result = deploy()
    assert result.code == 1 and "Host key verification failed" in result.err
    assert "ssh -p" in result.err and not (board.home / ".cache").exists()
    assert (board.folder / "known_hosts").read_text() == ""


def test_a_key_that_the_board_does_not_know(board: Loopback, deploy: Deploy) -> None:
    config = board.folder / "client"
    config.write_text(config.read_text().replace("/user\n", "/stranger\n", 1))
    result = deploy()
    assert result.code == 1 and "Permission denied (publickey)" in lines(result.err)


def test_nobody_listens(build: Path, board: Loopback, cnnaccel: Cnnaccel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = cnnaccel("deploy", "tiny", "--build-dir", build, "--target", f"root@127.0.0.1:{port}",
                      "--ssh-config", board.folder / "client")  # fmt: skip
    assert result.code == 1 and "is not reached" in result.err and "refused" in result.err


SUDO = """#!/bin/sh
# As sudo -S does: prompts on standard error, reads a line, three times at most.
echo "$*" >> {home}/sudo.log
if [ "$1" = -n ]; then shift; [ -e {home}/free ] && exec "$@"; exit 1; fi
[ "$1" = -S ] && [ "$2" = -p ] || exit 99
prompt=$3; shift 3
for try in 1 2 3; do
  printf %s "$prompt" >&2
  IFS= read -r word || exit 98
  [ "$word" = 'open sesame' ] && exec "$@"
  echo 'Sorry, try again.' >&2
done
echo 'sudo: 3 incorrect password attempts' >&2
exit 1
"""


@pytest.fixture
def user(board: Loopback) -> Loopback:
    """The board, whose user is not root and has a sudo: a stand-in, for a real one would have to
    be configured for the machine that runs the test."""
    for name, text in (("sudo", SUDO.format(home=board.home)), ("id", "#!/bin/sh\necho 1000\n")):
        path = board.home / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
    return board


def test_sudo_without_a_password(user: Loopback, deploy: Deploy) -> None:
    (user.home / "free").touch()
    assert deploy().code == 0
    asked = (user.home / "sudo.log").read_text().splitlines()
    assert asked[0] == "-n true" and asked[1].startswith("-n bash -lc exec python3")


def test_sudo_with_a_password_and_nobody_to_ask(user: Loopback, deploy: Deploy) -> None:
    result = deploy()
    assert result.code == 1 and "sudo asks for a password" in lines(result.err)


@pytest.mark.parametrize(
    ("words", "code"), [(["shazam 7", "open sesame"], 0), (["shazam 7"] * 3, 1)]
)
def test_password_of_sudo(
    user: Loopback, deploy: Deploy, build: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str], code: int,
) -> None:  # fmt: skip
    """It is asked for, goes to sudo, and nowhere else."""
    left = list(words)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, hide_input, **__: hide_input and left.pop(0))
    result = deploy()
    assert result.code == code, result.err
    assert not left
    if code:
        assert "3 incorrect password attempts" in lines(result.err)
    found = subprocess.run(
        ["grep", "-rlE", "open sesame|shazam 7", build, user.folder], capture_output=True, text=True
    ).stdout.split()
    assert [Path(path).name for path in found] == ["sudo"]  # which compares with it


@pytest.mark.slow
def test_at_a_terminal_ssh_asks_itself(build: Path, board: Loopback) -> None:
    """Whether an unknown host is the right one, on the terminal, as its users know it."""
    hosts = board.folder / "known_hosts"
    known = hosts.read_text()
    hosts.write_text("")
    master, slave = os.openpty()
    command = command_line(build, board, "--images", "2")
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], cwd=ROOT, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen, answered = b"", False
    try:
        while data := os.read(master, 4096):
            seen += data
            if b"continue connecting" in seen and not answered:
                answered = True
                os.write(master, b"yes\n")
    except OSError:  # nobody holds the other end any more
        pass
    assert process.wait(60) == 0, seen.decode()
    assert answered and b"equal to golden" in seen
    assert known.split()[2] in hosts.read_text()


def test_without_ssh(deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = deploy()
    assert result.code == 3 and "ssh is not there" in result.err


# -- what the board lacks -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"without": ["pynq"]}, "pynq cannot be imported"),
        ({"without": ["numpy"]}, "numpy cannot be imported"),
        ({"device": False}, "pynq finds no FPGA here"),
        ({"memory": 40_000}, "bytes of contiguous memory for"),
    ],
    ids=["pynq", "numpy", "device", "contiguous memory"],
)
def test_something_is_missing(
    board: Loopback, deploy: Deploy, wanted: dict[str, object], words: str
) -> None:
    board.be(**wanted)
    result = deploy()
    assert result.code == 1 and words in lines(result.err), result.out + result.err
    assert board.idle() and not (board.home / "running").exists()
    board.be()
    assert deploy().code == 0


def test_rights(board: Loopback, deploy: Deploy) -> None:
    """A device whose registers are mapped is for root alone."""
    board.be(mapped=True)
    hook = board.home / "hook/sitecustomize.py"
    hook.write_text(hook.read_text() + "\nos.geteuid = lambda: 1000\n")
    result = deploy()
    assert result.code == 1 and "pynq opens for root alone, not for uid 1000" in lines(result.err)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo 'cnnaccel-agent 3.6.9'", "its python3 is 3.6.9; 3.8 or later"),
        ("exec /nonexistent/python3", "no python3 there"),
    ],
    ids=["old", "none"],
)
def test_python(board: Loopback, deploy: Deploy, text: str, words: str) -> None:
    (board.home / "bin/python3").write_text(f"#!/bin/sh\n{text}\n")
    result = deploy()
    assert result.code == 1 and words in lines(result.err)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is too small for the files, by their number."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m,nr_inodes=8", "tmpfs", folder],
        capture_output=True, check=False,
    ).returncode == 0  # fmt: skip
    if not made:
        pytest.skip("a small disk needs root and tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk(board: Loopback, deploy: Deploy, full: Path) -> None:
    result = deploy("--remote-dir", full)
    assert result.code == 1 and "No space left on device" in lines(result.err)
    assert "--remote-dir" in result.err and board.idle()
    assert not list(full.rglob("weights.bin"))
    for path in full.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (full / "large").write_bytes(bytes(1_900_000))
    result = deploy("--remote-dir", full)
    assert result.code == 1 and "to copy" in lines(result.err) and "free" in result.err


# -- bitstream, program, manifest -----------------------------------------------------------------


def test_no_bitstream(tiny: Path, board: Loopback, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("deploy", "tiny", "--build-dir", tiny, *board.client)
    assert result.code == 1 and "`cnnaccel build-hw` makes it" in lines(result.err)


def test_bitstream_of_other_hardware(build: Path, deploy: Deploy) -> None:
    """As hw.json says, and, where that lies, as the engine says."""
    folder = put_bitstream(build, "pynq_z1")
    result = deploy()
    assert result.code == 1 and f"asks for {TINY.digest:016x}" in lines(result.err)
    (folder / "hw.json").write_text(json.dumps({"digest": f"{TINY.digest:016x}"}))
    result = deploy()
    other = f"{load_hardware('pynq_z1').digest:016x}"
    assert result.code == 1
    assert f"of hardware {other}, the program of {TINY.digest:016x}" in lines(result.err)


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_hw_json_that_says_nothing(build: Path, deploy: Deploy, text: str) -> None:
    (build / "tiny/build-hw/hw.json").write_text(text)
    result = deploy()
    assert result.code == 1 and "names no digest" in result.err


def test_hwh_without_the_engine(build: Path, board: Loopback, deploy: Deploy) -> None:
    hwh = build / "tiny/build-hw/cnnaccel.hwh"
    hwh.write_text(hwh.read_text().replace(":cnnaccel_engine:", ":another:"))
    result = deploy()
    assert result.code == 1 and "describes 0 engines" in lines(result.err)
    assert board.downloads == 0


@pytest.mark.parametrize("name", ["manifest.json", "weights.bin"])
def test_exported_file_that_was_altered(build: Path, deploy: Deploy, name: str) -> None:
    assert deploy().code == 0
    path = build / "tiny/export" / name
    if name == "manifest.json":
        manifest = json.loads(path.read_text())
        manifest["artifacts"]["weights.bin"] = "0" * 64
        path.write_text(json.dumps(manifest))
    else:
        path.write_bytes(path.read_bytes()[:-1])
    result = deploy()
    assert result.code == 1 and "weights.bin was altered; `cnnaccel export`" in lines(result.err)


# -- what happens on the way ----------------------------------------------------------------------


def command_line(build: Path, board: Loopback, *more: str) -> list[str]:
    return [sys.executable, "-m", "cnnaccel", "deploy", "tiny", "--build-dir", str(build),
            *board.client, *more]  # fmt: skip


@contextmanager
def while_it_runs(board: Loopback, act: Callable[[], None]) -> Iterator[None]:
    """Do something as soon as the engine has started."""

    def work() -> None:
        board.runs()
        act()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join(60)


def kill(processes: list[int], kind: int = signal.SIGKILL) -> None:
    assert processes
    for process in processes:
        os.kill(process, kind)


def well_again(board: Loopback, deploy: Deploy) -> None:
    """The lock is gone, nothing is copied twice."""
    assert board.idle(20)
    board.be()
    result = deploy()
    assert result.code == 0, result.err
    assert "nothing to copy" in result.out


def test_killed_connection(build: Path, board: Loopback, deploy: Deploy) -> None:
    board.be(**SLOW)
    before = digests(build / "tiny/deploy")
    with while_it_runs(board, lambda: kill(board.connections())):
        result = deploy(images=None)
    assert result.code == 1, result.out
    assert "the connection or the agent ended" in lines(result.err)
    assert "it was running images" in lines(result.err) and "deploy again" in lines(result.err)
    assert digests(build / "tiny/deploy") == before
    assert not (build / "tiny/board").exists()
    assert board.idle(20) and board.control[-2:] == [1, 2]  # the agent has stopped the engine
    well_again(board, deploy)


def test_agent_that_is_asked_to_end(board: Loopback, deploy: Deploy) -> None:
    board.be(**SLOW)
    with while_it_runs(board, lambda: kill(board.agents(), signal.SIGTERM)):
        result = deploy(images=None)
    assert result.code == 1 and "ended" in result.err, result.out + result.err
    assert board.idle(20) and board.control[-1] == 2
    well_again(board, deploy)


def test_killed_agent_and_another_overlay(
    build: Path, board: Loopback, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine still works on memory of who was killed: it comes to rest before its FPGA is
    loaded, or the FPGA is not loaded."""
    monkeypatch.setattr(stage, "_TIMEOUT_SECONDS", 1.0)
    board.be(**SLOW)
    with while_it_runs(board, lambda: kill(board.agents())):
        result = deploy(images=None)
    assert result.code == 1 and "ended" in result.err, result.out + result.err
    assert board.idle(20) and board.events[-1] == "1"
    path = build / "tiny/build-hw/cnnaccel.bit"
    path.write_bytes(path.read_bytes() + b"of another configuration")
    board.be(wedged=True)
    before = len(board.events)
    result = deploy()
    assert result.code == 1 and board.events[before:] == ["2"], result.out
    assert "does not come to rest: DRAM does not answer" in lines(result.err)
    assert "switch the board off and on" in lines(result.err)
    with (board.home / "events").open("a") as log:
        log.write("1\n")
    board.be()
    before = len(board.events)
    result = deploy()
    assert result.code == 0, result.err
    assert board.events[before : before + 2] == ["2", "download"]
    assert "after an engine that was left at work came to rest" in lines(result.out)


def test_agent_that_is_silent(
    board: Loopback, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_SILENCE_SECONDS", 2.0)
    board.be(**SLOW)
    with while_it_runs(board, lambda: kill(board.agents(), signal.SIGSTOP)):
        result = deploy(images=None)
    assert result.code == 1 and "nothing was heard for 2 s" in lines(result.err)
    kill(board.agents())


def test_agent_that_is_stuck(
    board: Loopback, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives, but its work goes nowhere."""
    monkeypatch.setattr(remote, "_STUCK_SECONDS", 1.5)
    board.be(silent=True)
    result = deploy()
    assert result.code == 1 and "has been stuck for" in result.err, result.out
    assert "running images" in result.err


def test_login_that_hangs(board: Loopback, deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_LOGIN_SECONDS", 1.0)
    (board.home / "bin/python3").write_text("#!/bin/sh\nexec sleep 60\n")
    result = deploy()
    assert result.code == 1 and "no agent began within 1 s" in lines(result.err)


def test_engine_that_does_not_answer(
    build: Path, board: Loopback, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_TIMEOUT_SECONDS", 0.5)
    board.be(silent=True)
    result = deploy()
    assert result.code == 1
    assert "the engine has done nothing for 0.5 s: fetch waits for instructions from DRAM" in lines(
        result.err
    )
    well_again(board, deploy)


@pytest.mark.slow
def test_two_at_once(build: Path, board: Loopback, deploy: Deploy, tmp_path: Path) -> None:
    """The second is refused, and told who is first; when that is killed, its lock is gone."""
    board.be(**SLOW)
    other = shutil.copytree(build, tmp_path / "other")
    first = subprocess.Popen(command_line(other, board), cwd=ROOT, stdout=subprocess.DEVNULL)
    board.runs()
    (agent,) = board.agents()
    result = deploy()
    assert result.code == 1, result.out
    assert f"the board is in use: process {agent} of " in lines(result.err)
    assert "from 127.0.0.1, since " in lines(result.err)
    os.kill(agent, signal.SIGKILL)
    assert first.wait(20) == 1
    well_again(board, deploy)


def test_interrupted(build: Path, board: Loopback, deploy: Deploy) -> None:
    board.be(**SLOW)
    process = subprocess.Popen(
        command_line(build, board), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    board.runs()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out.decode()
    assert b"as they were" in out and b"Traceback" not in out
    assert board.idle(20) and board.control[-1] == 2
    well_again(board, deploy)
