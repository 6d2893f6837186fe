"""A board for tests: a real sshd on loopback, whose login finds a Python with pynq on a simulated
device. What `cnnaccel deploy` starts there is what it starts on a board.

The processing system's state that outlives a process, which bitstream is loaded, is a file.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cnnaccel.hardware import load_hardware
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support.faulty import faulty_bitstream

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))

HOOK = '''"""Python begins with this on the board: pynq finds a simulated FPGA."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

HOME = Path(os.environ["BOARD"])
WANTED = json.loads((HOME / "board.json").read_text())
for name in WANTED.get("without", []):
    sys.modules[name] = None  # importing it fails

if not WANTED.get("without"):
    from pynq.pl_server.device import Device

    class Probe(Device):
        _probe_priority_ = 10

        @classmethod
        def _probe_(cls):
            from cnnaccel.runtime import layout
            from cnnaccel.runtime.device import SimDevice
            from cnnaccel.runtime.simulator import Timing

            def started(simulator):
                (HOME / "running").touch()
                simulator.slow(Timing(bus_permille=0) if WANTED.get("silent") else Timing())

            def state():
                return (HOME / "fpga/state").read_text()

            def note(event):
                with (HOME / "events").open("a") as log:
                    log.write(event + "\\n")

            class Board(SimDevice):
                """Knows what another process has loaded."""

                def __init__(self):
                    super().__init__(
                        memory_bytes=WANTED.get("memory", 64 << 20),
                        cycles_per_poll=WANTED.get("cycles_per_poll", 50_000),
                    )
                    if WANTED.get("mapped"):
                        self.capabilities["MEMORY_MAPPED"] = True
                    self.quiet = False
                    if (HOME / "loaded.json").exists():
                        name, stamp, system = json.loads((HOME / "loaded.json").read_text())
                        self.quiet = True
                        self.download(
                            SimpleNamespace(bitfile_name=name, partial=False),
                            self.get_bitfile_metadata(name),
                        )
                        self.bitfile_name, self.timestamp = name, stamp
                        self.quiet = False
                        self._system = {int(at): value for at, value in system.items()}
                        if WANTED.get("dead"):
                            self._engine = -1
                        if state() == "operating":
                            self._go_on()
                    self.on_start = started

                def _go_on(self):
                    """Be at work, with a burst that takes its time, if nobody has stopped it."""
                    log = HOME / "events"
                    controls = [e for e in log.read_text().split() if e != "download"]
                    if controls[-1:] != ["1"]:
                        return
                    never = WANTED.get("wedged")
                    slow = Timing(bus_permille=0) if never else Timing(latency=60_000)
                    self.simulator.slow(slow)
                    for name, value in (("program_address", 0x10001000), ("once_bytes", 4096),
                                        ("count", 1), ("control", 1)):
                        self.simulator.write(layout.REGISTERS[name][0], value)

                def _read(self, address):
                    self._must_answer(address)
                    return super()._read(address)

                def _write(self, address, value):
                    self._must_answer(address)
                    if address == self._engine + layout.REGISTERS["control"][0]:
                        note(str(value))
                    super()._write(address, value)

                def _must_answer(self, address):
                    """Where no logic is, the processors stop."""
                    if 0 <= address - self._engine < 256 and state() != "operating":
                        os.abort()

                def post_download(self, bitstream, parser, name="x"):
                    super().post_download(bitstream, parser, name)
                    if not self.quiet:
                        (HOME / "fpga/state").write_text(WANTED.get("state", "operating"))
                        state = [bitstream.bitfile_name, bitstream.timestamp, self._system]
                        (HOME / "loaded.json").write_text(json.dumps(state))
                        note("download")

            return [Board()] if WANTED.get("device", True) else []
'''


@dataclass(frozen=True)
class Loopback:
    """The sshd, the home of who logs in, and how a client reaches it."""

    folder: Path
    port: int
    daemon: subprocess.Popen[bytes]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def target(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def client(self) -> tuple[str, ...]:
        """Options of `cnnaccel deploy`."""
        return "--target", self.target, "--ssh-config", str(self.folder / "client")

    @property
    def downloads(self) -> int:
        """How often a bitstream was loaded."""
        return self.events.count("download")

    @property
    def events(self) -> list[str]:
        """`download`, and what was written to the engine's register `control`: 1 start, 2 reset."""
        log = self.home / "events"
        return log.read_text().split() if log.exists() else []

    @property
    def control(self) -> list[int]:
        """The same without downloads."""
        return [int(event) for event in self.events if event != "download"]

    def be(self, **wanted: object) -> None:
        """What the hook reads: `without` packages, bytes of `memory`, memory that is `silent`, an
        engine that is `dead` unless loaded or `wedged` when it is left at work, a device that is
        `mapped`, no `device` at all, the `state` of the FPGA after a bitstream was loaded."""
        (self.home / "board.json").write_text(json.dumps(wanted))

    def agents(self) -> list[int]:
        """Also those whose connection has gone."""
        ours = f"BOARD={self.home}\0".encode()
        return [
            process
            for process, (_, name) in _processes().items()
            if "python" in name.partition(" ")[0]
            and "agent.py" in name
            and ours in _environment(process)
        ]

    def connections(self) -> list[int]:
        """The processes that sshd has made of itself."""
        found = {self.daemon.pid}
        for _ in range(3):
            found |= {
                process
                for process, (parent, name) in _processes().items()
                if parent in found and name.startswith("sshd")
            }
        return sorted(found - {self.daemon.pid})

    def idle(self, seconds: float = 10.0) -> bool:
        """Whether nothing of a login is left, within a while."""
        until = time.monotonic() + seconds
        while (left := [*self.agents(), *self.connections()]) and time.monotonic() < until:
            time.sleep(0.05)
        return not left

    def runs(self, seconds: float = 60.0) -> None:
        """Wait until the engine has started."""
        until = time.monotonic() + seconds
        while not (self.home / "running").exists():
            assert time.monotonic() < until, "the engine did not start"
            time.sleep(0.02)


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and command line of every process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            name = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            continue
        found[int(folder.name)] = int(parent), name
    return found


def _environment(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/environ").read_bytes()
    except OSError:  # it has ended
        return b""


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _keys(folder: Path) -> None:
    for name in ("host", "user", "stranger"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )


def profile(home: Path) -> None:
    """What a login reads, and the Python that it finds."""
    _write(home / "hook/sitecustomize.py", HOOK)
    _write(
        home / "bin/python3",
        f'#!/bin/sh\nPYTHONPATH={home}/hook exec {sys.executable} "$@"\n',
        0o755,
    )
    # root, as far as a login asks, so that the sudo of the machine that runs the test stays out
    _write(home / "bin/id", "#!/bin/sh\necho 0\n", 0o755)
    _write(
        home / ".profile",
        "echo a login prints what it likes\n"
        f"export BOARD={home} CNNACCEL_RUN={home}/run CNNACCEL_FPGA={home}/fpga\n"
        f"PATH={home}/bin:$PATH\n",
    )
    (home / "run").mkdir()
    _write(home / "fpga/state", "unknown")
    _write(home / "board.json", "{}")


@contextmanager
def loopback(folder: Path) -> Iterator[Loopback]:
    """Such a board; it ends with the block."""
    assert SSHD
    home = folder / "home"
    profile(home)
    _keys(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    host_key = (folder / "host.pub").read_text().strip()
    _write(folder / "authorized_keys", (folder / "user.pub").read_text())
    _write(folder / "known_hosts", f"[127.0.0.1]:{port} {host_key}\n")
    _write(
        folder / "sshd_config",
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        f"SetEnv HOME={home} PATH={home}/bin:/usr/local/bin:/usr/bin:/bin\n",
    )
    _write(
        folder / "client",
        f"Host *\n IdentityFile {folder}/user\n IdentitiesOnly yes\n IdentityAgent none\n"
        f" UserKnownHostsFile {folder}/known_hosts\n GlobalKnownHostsFile none\n",
    )
    if os.getuid() == 0:  # sshd wants it there, distributions make it as they boot
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = (folder / "sshd.log").open("wb")
    daemon = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log
    )
    board = Loopback(folder, port, daemon)
    try:
        _await(board)
        yield board
    finally:
        for process in (*board.agents(), *board.connections()):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, signal.SIGKILL)
        daemon.kill()
        daemon.wait()
        log.close()


def _await(board: Loopback) -> None:
    """Until it listens."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", board.port)) == 0:
                return
        assert board.daemon.poll() is None, (board.folder / "sshd.log").read_text()
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")


def put_bitstream(build: Path, board: str = "tiny") -> Path:
    """What `build-hw` leaves, with the simulated engine for a bitstream."""
    folder = build / "tiny/build-hw"
    folder.mkdir(parents=True, exist_ok=True)
    hardware = load_hardware(board)
    bitstream = simulated_bitstream(hardware)
    for suffix in (".bit", ".hwh"):
        shutil.copyfile(bitstream.with_suffix(suffix), folder / f"cnnaccel{suffix}")
    (folder / "hw.json").write_text(json.dumps({"digest": f"{hardware.digest:016x}"}))
    return folder


def faulty_build(build: Path, folder: Path) -> None:
    """The same, of the engine whose faults `tests.support.faulty` chooses by the environment."""
    bitstream = faulty_bitstream(load_hardware("tiny"), folder)
    for suffix in (".bit", ".hwh"):
        shutil.copyfile(bitstream.with_suffix(suffix), build / f"tiny/build-hw/cnnaccel{suffix}")


def lines(text: str) -> str:
    """Without the breaks that a terminal's width makes."""
    return " ".join(text.split())
