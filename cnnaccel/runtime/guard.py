"""A process that outlives a run, and lets nobody have its memory before the engine is at rest.

Who is killed by SIGKILL cannot stop his engine, and the kernel frees buffers that it goes on to
write. So he has a child, made by fork: it holds the same open files, which keep the buffers and the
lock of the board. When nobody else holds its pipe, it stops the engine, waits, and goes.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from cnnaccel.errors import EngineError
from cnnaccel.runtime.fpga import come_to_rest

_ASK_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def guard(registers: Any, timeout_seconds: float) -> None:
    """Start one for this process; its end needs no call.

    registers: mapped ones, which a child shares. timeout_seconds: for DRAM to answer what is under
    way; then the child gives up.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ASK_TO_END)  # the child takes none of them
    try:
        watched, held = os.pipe()  # neither goes to programs that are started later
        if os.fork() == 0:
            os.close(held)
            _watch(watched, registers, timeout_seconds)
        os.close(watched)  # the other end is held as long as this process lives
    except OSError:  # no memory, no processes: the next attach will stop the engine
        pass
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(pipe: int, registers: Any, timeout_seconds: float) -> None:
    """Ends this process."""
    try:
        os.read(pipe, 1)
        come_to_rest(registers, timeout_seconds)
    except (OSError, EngineError):
        pass
    finally:
        os._exit(0)
