"""Runs an external tool: logged, bounded in time, and an error that says what failed."""

from __future__ import annotations

import logging
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cnnaccel.errors import ToolError, ToolTimeoutError

log = logging.getLogger(__name__)
PIPE = subprocess.PIPE
Process = subprocess.Popen[bytes]
_TAIL_LINES = 15
_GRACE_SECONDS = 10.0
_LOOK_SECONDS = 0.5
"""Between looks whether a tool still runs."""


def find_tool(name: str) -> str | None:
    """The path of a program: beside the Python that runs, as pip puts it there, or on PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name)


def run_tool(
    command: Sequence[str | Path], *, timeout_seconds: float, folder: Path | None = None
) -> str:
    """Standard output and error of a command, in `folder`.

    Raises:
        ToolError: the tool is missing, or ends with another code than 0.
        ToolTimeoutError: it takes too long.
    """
    shown = shlex.join(map(str, command))
    log.info("running %s", shown)
    try:
        with _startable(command):
            done = subprocess.run(
                [str(part) for part in command],
                cwd=folder,
                timeout=timeout_seconds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise ToolTimeoutError(f"{shown}: no end after {timeout_seconds:g} s") from None
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-_TAIL_LINES:])
        raise ToolError(f"{shown} ended with code {done.returncode}:\n{tail}")
    return done.stdout


@contextmanager
def started_tool(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stderr: int | None = subprocess.STDOUT,
    own_group: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    """A command at work, its output a pipe; it ends with the block at the latest.

    own_group: with it go the processes that it started, and Ctrl-C reaches this process alone. A
    tool that asks at the terminal must stay in ours.

    Raises:
        ToolError: the tool is missing.
    """
    log.info("starting %s", shlex.join(map(str, command)))
    with _startable(command):
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=own_group,
        )
    try:
        with process:
            try:
                yield process
            finally:
                _end(process, own_group)
    except BrokenPipeError:  # what was left to write to a tool that has ended
        log.info("%s ended before it had read all", command[0])


def lines_of(
    process: subprocess.Popen[bytes], silent_seconds: float, stop: Callable[[], bool]
) -> Iterator[str]:
    """Every line of a `started_tool`, until it ends, has been silent for too long, or `stop()`.

    It has ended when it has, although a process that it left behind may hold its output open.
    """
    assert process.stdout is not None
    pipe, rest, heard, at_end = process.stdout.fileno(), b"", time.monotonic(), False
    while time.monotonic() - heard < silent_seconds and not stop():
        ended = process.poll() is not None
        if at_end:  # of its output, that is
            time.sleep(0 if ended else _LOOK_SECONDS / 10)
        elif select.select([pipe], [], [], 0 if ended else _LOOK_SECONDS)[0]:
            read = os.read(pipe, 1 << 16)
            at_end, ended, heard = not read, False, time.monotonic()
            *whole, rest = (rest + read).split(b"\n")
            yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
        if ended:
            break
    if rest:
        yield rest.decode(errors="replace")


def _end(process: subprocess.Popen[bytes], group: bool) -> None:
    """Ask it, and those it started, to end; make it after a while."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            if group:
                os.killpg(process.pid, kind)
            else:
                process.send_signal(kind)
        except ProcessLookupError:
            return
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        if not group:
            return


@contextmanager
def _startable(command: Sequence[str | Path]) -> Iterator[None]:
    """Say in words what goes wrong when a command is started."""
    try:
        yield
    except FileNotFoundError:
        raise ToolError(
            f"{command[0]} is not there; `cnnaccel doctor` says how to get it"
        ) from None
    except PermissionError:
        raise ToolError(f"{command[0]} may not be executed") from None
