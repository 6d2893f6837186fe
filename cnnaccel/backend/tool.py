"""Runs an external tool: logged, bounded in time, and an error that says what failed."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cnnaccel.errors import ToolError

log = logging.getLogger(__name__)
_TAIL_LINES = 15


def find_tool(name: str) -> str | None:
    """Where a program is: beside the Python that runs, as pip puts it there, or on PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name)


def run_tool(
    command: Sequence[str | Path], *, timeout_seconds: float, folder: Path | None = None
) -> str:
    """Standard output and error of a command, in `folder`.

    Raises:
        ToolError: the tool is missing, takes too long, or ends with another code than 0.
    """
    shown = shlex.join(map(str, command))
    log.info("running %s", shown)
    try:
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
    except FileNotFoundError:
        raise ToolError(
            f"{command[0]} is not there; `cnnaccel doctor` says how to get it"
        ) from None
    except PermissionError:
        raise ToolError(f"{command[0]} may not be executed") from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"{shown}: no end after {timeout_seconds:g} s") from None
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-_TAIL_LINES:])
        raise ToolError(f"{shown} ended with code {done.returncode}:\n{tail}")
    return done.stdout
