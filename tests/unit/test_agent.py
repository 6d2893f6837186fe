"""What runs on a board before anything else is there: frames, lock, files, the look around."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnaccel.errors import ConfigError
from cnnaccel.remote.ssh import Target, command_for, parse_target
from cnnaccel.runtime import agent, preflight
from cnnaccel.runtime.agent import Gone, Link, RefusedError

MEMINFO = """MemTotal:         505780 kB
MemAvailable:     {available} kB
CmaTotal:         {total} kB
CmaFree:          {free} kB
"""


# -- targets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("xilinx@pynq", "xilinx", "pynq", None),
        ("xilinx@192.168.2.99:2222", "xilinx", "192.168.2.99", 2222),
        ("a.b-c@board_1.example.org", "a.b-c", "board_1.example.org", None),
        ("root@[fe80::1%eth0]:22", "root", "fe80::1%eth0", 22),
        ("root@[::1]", "root", "::1", None),
        ("local", "", "", None),
    ],
)
def test_targets(text: str, user: str, host: str, port: int | None) -> None:
    assert parse_target(text) == Target(text, user, host, port)


@pytest.mark.parametrize(
    "text",
    [
        "", "pynq", "simulator", "@pynq", "xilinx@", "-oProxyCommand=x@pynq",
        "xilinx@-oProxyCommand",
        "-l@pynq", "xilinx@pynq:0", "xilinx@pynq:65536", "xilinx@pynq:", "xilinx@py nq",
        "xilinx@pynq;ls", "xilinx@$(ls)", "xilinx@pynq\n", "x y@pynq", "xilinx@fe80::1",
        "xilinx@[fe80::1", "a@b@c", "ssh://xilinx@pynq", "xilinx@[-x]",
    ],
)  # fmt: skip
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(ConfigError, match="neither sim, local nor USER@HOST"):
        parse_target(text)


def test_command_of_ssh() -> None:
    """No option of a user is cut short, host and command come behind `--`."""
    target = parse_target("xilinx@[::1]:22")
    command = command_for(target, Path("my config"), interactive=False)
    assert command[command.index("-F") + 1] == "my config"
    assert "BatchMode=yes" in command and "StrictHostKeyChecking" not in " ".join(command)
    assert command[command.index("--") + 1] == "::1" and len(command) == command.index("--") + 3
    assert "BatchMode=yes" not in command_for(target, None, interactive=True)


# -- the link -------------------------------------------------------------------------------------


class Ends:
    """A link and the other ends of its pipes."""

    def __init__(self) -> None:
        (source, self.out), (self.back, sink) = os.pipe(), os.pipe()
        self.link = Link(os.fdopen(source, "rb"), os.fdopen(sink, "wb"))

    def send(self, kind: str, payload: bytes = b"") -> None:
        os.write(self.out, agent.pack(kind, payload))

    def heard(self) -> dict[str, object]:
        size, payload = agent.LENGTHS.unpack(os.read(self.back, agent.LENGTHS.size))
        head = json.loads(os.read(self.back, size))
        os.read(self.back, payload)
        return dict(head)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A link whose threads may not end this process."""
    made = Ends()
    yield made
    made.link.over.set()
    made.link.end()


def test_frames_and_pings(ends: Ends) -> None:
    ends.send("ping")
    ends.send("data", b"bytes")
    assert ends.link.receive("data") == ({"kind": "data"}, b"bytes")
    ends.send("data")
    with pytest.raises(RefusedError, match="awaits bye, got data"):
        ends.link.receive("bye")


def test_the_other_end_closes(ends: Ends) -> None:
    ends.link.step("working")
    os.write(ends.out, agent.pack("data", b"whole") + agent.pack("data", b"half")[:-2])
    os.close(ends.out)
    assert ends.link.receive("data")[1] == b"whole"
    with pytest.raises(Gone):
        ends.link.receive("data")
    with pytest.raises(Gone):
        ends.link.step()


def test_bytes_that_are_no_frame(ends: Ends) -> None:
    os.write(ends.out, agent.LENGTHS.pack(5, 0) + b"{nojs")
    with pytest.raises(Gone):
        ends.link.receive("data")


def test_silence(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deploys may have vanished without a word."""
    monkeypatch.setattr(agent, "_SILENCE_SECONDS", 0.0)
    with pytest.raises(Gone):
        ends.link.receive("data")


def test_it_says_what_it_does(ends: Ends) -> None:
    ends.link.step("loading")
    assert ends.heard()["doing"] == "loading"
    ends.link.step("loading", 7)
    assert ends.heard()["done"] == 7  # within a second


# -- files ----------------------------------------------------------------------------------------


def described(data: bytes) -> list[object]:
    return [len(data), hashlib.sha256(data).hexdigest()]


def test_files_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"same")
    (tmp_path / "other").write_bytes(b"what was")
    size, digest = described(b"grows")
    (tmp_path / f"part.{str(digest)[:16]}.partial").write_bytes(b"gro")
    files = {"same": described(b"same"), "other": described(b"what is"), "part": [size, digest],
             "none/of": described(b"")}  # fmt: skip
    assert agent.missing(tmp_path, files) == [("none/of", 0), ("other", 0), ("part", 3)]


def test_a_file_is_whole_or_as_it_was(ends: Ends, tmp_path: Path) -> None:
    path = tmp_path / "folder/file"
    agent.take(ends.link, path, 0, hashlib.sha256(b"").hexdigest(), 0)
    assert path.read_bytes() == b""
    stale = tmp_path / "folder/file.0123.partial"
    stale.write_bytes(b"of another content")
    for part in (b"new ", b"content"):
        ends.send("data", part)
    agent.take(ends.link, path, 11, hashlib.sha256(b"new content").hexdigest(), 0)
    assert path.read_bytes() == b"new content" and not stale.exists()
    ends.send("data", b"wrong")
    with pytest.raises(RefusedError, match="has another sha256"):
        agent.take(ends.link, path, 5, hashlib.sha256(b"right").hexdigest(), 0)
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert path.read_bytes() == b"new content"


# -- the lock -------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from cnnaccel.runtime.agent import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_lock_goes_with_its_owner(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        match = f"in use: process {process.pid} of .*, since 20.* of its clock"
        with pytest.raises(RefusedError, match=match), agent.locked(tmp_path):
            pass
        process.kill()
        process.wait()
    with agent.locked(tmp_path):
        pass


def test_lock_that_another_user_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be written then, but waited for."""
    (tmp_path / "cnnaccel.lock").write_text("process 1 of root")
    opened = os.open

    def refuse(path: Path, flags: int, *mode: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)
    with agent.locked(tmp_path):
        refused = pytest.raises(RefusedError, match="process 1 of root")
        with refused, agent.locked(tmp_path):
            pass


def test_a_link_in_place_of_the_lock(tmp_path: Path) -> None:
    (tmp_path / "cnnaccel.lock").symlink_to(tmp_path / "else")
    with pytest.raises(OSError, match="symbolic"), agent.locked(tmp_path):
        pass
    assert not (tmp_path / "else").exists()


# -- the look around ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("available", "total", "free", "problems"),
    [
        (400_000, 131_072, 100_000, []),
        (60_000, 131_072, 100_000, ["memory"]),
        (400_000, 131_072, 3_000, ["CMA"]),
        (400_000, 0, 0, []),
    ],
)
def test_memory(available: int, total: int, free: int, problems: list[str]) -> None:
    text = MEMINFO.format(available=available, total=total, free=free)
    checks = preflight.memory(text, 1 << 20, 4 << 20)
    assert [check.name for check in checks if check.problem] == problems
    assert [check.name for check in checks] == ["memory", "CMA"]
    assert ("reports none" in checks[1].found) == (total == 0)
    if free == 3_000:
        said = "2.9 MiB of 128.0 MiB of contiguous memory are free, 4.0 MiB are needed: end other"
        assert said in checks[1].problem and "reboot with cma=256M in the" in checks[1].problem


def test_more_contiguous_memory_than_the_kernel_keeps() -> None:
    """No program that is ended would help."""
    text = MEMINFO.format(available=400_000, total=131_072, free=131_072)
    _, check = preflight.memory(text, 1, 300 << 20)
    assert check.found == "128.0 MiB of 128.0 MiB free, 300.0 MiB needed"
    assert "that is more than the kernel keeps" in check.problem and "cma=512M" in check.problem


def test_memory_where_the_kernel_knows_no_cma() -> None:
    text = "MemAvailable:   400000 kB\n"
    assert "reports none" in preflight.memory(text, 1, 1 << 40)[1].found


def test_agent_needs_nothing_but_python() -> None:
    """It is read from a pipe, before any file is there."""
    code = (
        "import sys; sys.modules['numpy'] = sys.modules['pynq'] = sys.modules['cnnaccel'] = None;"
        "exec(compile(open(sys.argv[1]).read(), 'agent.py', 'exec'), {'__name__': 'agent'})"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code, agent.__file__], check=True)


def test_loader_passes_over_what_it_is_sent() -> None:
    """As any Python 3 reads it: version, then the text, of which it takes no byte too many."""
    text = b"print(sys.stdin.buffer.read().decode())"
    done = subprocess.run(
        [sys.executable, "-c", agent.LOADER], input=b"%d\n%srest" % (len(text), text),
        capture_output=True, check=True,
    )  # fmt: skip
    version = sys.version.split()[0].encode()
    assert done.stdout == agent.MAGIC + version + b"\nrest\n"


def test_ends_by_itself_when_its_work_hangs(tmp_path: Path) -> None:
    """The thread that listens ends the process, which holds the lock, if nothing else does."""
    code = (
        "import os, sys, time; from cnnaccel.runtime import agent; agent._GRACE_SECONDS = 0.2;"
        "agent.Link(sys.stdin.buffer, sys.stdout.buffer); time.sleep(1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=b"", capture_output=True, timeout=60)
    assert done.returncode == 1
