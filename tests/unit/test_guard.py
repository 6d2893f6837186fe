"""What is left of a process that was killed while its engine worked: a file is the registers."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnnaccel.runtime import layout
from cnnaccel.runtime.agent import RefusedError, locked

RUN = """
import mmap, signal, struct, sys, time
from pathlib import Path
from cnnaccel.runtime.agent import locked
from cnnaccel.runtime.guard import guard

class Registers:
    def __init__(self, path):
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
    def read(self, at):
        return struct.unpack_from("<I", self.map, at)[0]
    def write(self, at, value):
        struct.pack_into("<I", self.map, at, value)

with locked(Path(sys.argv[2])):
    guard(Registers(sys.argv[1]), float(sys.argv[3]))
    print("guarded", flush=True)
    time.sleep(60)
"""


def at(name: str) -> int:
    return layout.REGISTERS[name][0]


class Engine:
    """The registers of one, in a file, and a process that runs it."""

    def __init__(self, folder: Path, timeout: float = 20.0) -> None:
        self.path, self.folder = folder / "registers", folder
        self.path.write_bytes(bytes(256))
        self.write("id", layout.MAGIC)
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, self.path, folder, str(timeout)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"guarded\n"

    def read(self, name: str) -> int:
        return int(struct.unpack_from("<I", self.path.read_bytes(), at(name))[0])

    def write(self, name: str, value: int) -> None:
        with self.path.open("r+b") as file:
            file.seek(at(name))
            file.write(struct.pack("<I", value))

    def locked(self) -> bool:
        try:
            with locked(self.folder):
                return False
        except RefusedError:
            return True

    def until(self, wanted: bool, seconds: float = 20.0) -> bool:
        """Whether the lock comes to be so."""
        end = time.monotonic() + seconds
        while self.locked() != wanted and time.monotonic() < end:
            time.sleep(0.02)
        return self.locked() == wanted


def kill(engine: Engine, kind: int = signal.SIGKILL, group: bool = False) -> None:
    (os.killpg if group else os.kill)(engine.process.pid, kind)
    engine.process.wait()


@pytest.mark.parametrize("group", [False, True])
def test_lock_and_files_stay_until_the_engine_rests(tmp_path: Path, group: bool) -> None:
    """Also where all processes of a terminal are asked to end."""
    engine = Engine(tmp_path)
    engine.write("status", layout.STATUS_BUSY)
    kill(engine, signal.SIGHUP if group else signal.SIGKILL, group)
    end = time.monotonic() + 20
    while engine.read("control") == 0 and time.monotonic() < end:
        time.sleep(0.02)
    assert engine.read("control") == layout.CONTROL_RESET
    assert engine.locked()
    engine.write("status", 0)
    assert engine.until(False)


def test_an_engine_at_rest_is_left_alone(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    engine.write("status", layout.STATUS_DONE)
    kill(engine)
    assert engine.until(False) and engine.read("control") == 0


def test_an_engine_that_never_rests(tmp_path: Path) -> None:
    engine = Engine(tmp_path, timeout=0.2)
    engine.write("status", layout.STATUS_BUSY)
    kill(engine)
    assert engine.until(False) and engine.read("control") == layout.CONTROL_RESET
