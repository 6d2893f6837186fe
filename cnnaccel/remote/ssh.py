"""A board over ssh, or this machine as a board: starts the agent there and speaks with it.

The ssh is the system's own, so keys, agent, ~/.ssh/config, known hosts and prompts are as its users
know them; no password of ssh comes here. One of sudo passes through and is kept nowhere.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import selectors
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnaccel.errors import ConfigError, EngineError
from cnnaccel.runtime import agent
from cnnaccel.tools.tool import PIPE, Process, started_tool

log = logging.getLogger(__name__)
LOCAL = "local"
_TARGET = re.compile(
    r"(?P<user>[A-Za-z_][A-Za-z0-9_.-]*)@"
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\])"
    r"(:(?P<port>[0-9]{1,5}))?"
)
_ASK = b"cnnaccel-sudo-password:"
_CONNECT_SECONDS = 15
_PING_SECONDS = 5.0
_SILENCE_SECONDS = 20.0
"""The agent says something each second."""
_LOGIN_SECONDS = 60.0
"""Time from the connection to the agent, where nobody is asked anything."""
_STUCK_SECONDS = 180.0
"""Time without progress of the agent's work, which has shorter limits of its own where it can."""
_END_SECONDS = 10.0
_BLOCK = 256 << 10
_SHOWN = 2000
"""Characters of what a login printed, in errors."""


@dataclass(frozen=True)
class Target:
    """The place of a board."""

    text: str
    """The target as the user wrote it."""
    user: str = ""
    """Name of the user there; empty for this machine."""
    host: str = ""
    port: int | None = None

    @property
    def ssh(self) -> str:
        """The command by which a user reaches it without us."""
        port = "" if self.port is None else f"-p {self.port} "
        return f"ssh {port}{self.user}@{self.host}"


def parse_target(text: str) -> Target:
    """`local`, or USER@HOST[:PORT], an IPv6 address in brackets.

    Raises:
        ConfigError: it is neither.
    """
    if text == LOCAL:
        return Target(text)
    match = _TARGET.fullmatch(text)
    if match is None or not 0 < int(match["port"] or 22) < 1 << 16:
        raise ConfigError(
            f"--target {text}: neither sim, local nor USER@HOST[:PORT], as xilinx@192.168.2.99 or "
            "xilinx@[fe80::1]:22; other options of ssh go into ~/.ssh/config or --ssh-config"
        )
    host = match["host"].strip("[]")
    return Target(text, match["user"], host, int(match["port"]) if match["port"] else None)


def command_for(target: Target, ssh_config: Path | None, interactive: bool) -> list[str]:
    """The command that starts the agent."""
    if not target.user:
        return ["sh", "-c", _script(sys.executable)]
    options = [
        f"ConnectTimeout={_CONNECT_SECONDS}", "ServerAliveInterval=5", "ServerAliveCountMax=3",
        "ClearAllForwardings=yes", "RemoteCommand=none",
    ]  # fmt: skip
    if not interactive:
        options.append("BatchMode=yes")
    return [
        "ssh", "-T", "-a", "-x",
        *(["-F", str(ssh_config)] if ssh_config else []),
        *(part for option in options for part in ("-o", option)),
        *(["-p", str(target.port)] if target.port else []),
        "-l", target.user, "--", target.host,
        f"exec sh -c {shlex.quote(_script('python3'))}",
    ]  # fmt: skip


def _script(python: str) -> str:
    """Text for sh that starts the agent, as root if the user may.

    In a login shell, which on PYNQ images sets up Python's environment and XRT; in bash, for their
    scripts use it. A prompt of sudo comes on standard error, so that goes where it is read.
    """
    start = f"exec {shlex.quote(python)} -c {shlex.quote(agent.LOADER)}"
    return (
        "s=\n"
        'if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null 2>&1; then\n'
        f"if sudo -n true 2>/dev/null; then s='sudo -n'; else s='sudo -S -p {_ASK.decode()}'; "
        "exec 2>&1; fi\n"
        "fi\n"
        "b=bash; command -v bash >/dev/null 2>&1 || b=sh\n"
        f"exec $s $b -lc {shlex.quote(start)}"
    )


class Session:
    """A conversation with the agent. ask: for the password of sudo, None where nobody can be."""

    def __init__(
        self, process: Process, target: Target, ask: Callable[[], str] | None = None
    ) -> None:
        self.process, self.target, self.ask = process, target, ask
        self.doing, self.done = "connecting", 0
        self.heard = self.pinged = time.monotonic()
        self.on_progress: Callable[[int], None] = lambda _: None
        """Is told what the agent says of how far it is."""
        self._limit: float | None = _LOGIN_SECONDS if ask is None else None
        self._speaks = False
        self._in, self._out, self._errors = bytearray(), bytearray(), bytearray()
        assert process.stdin and process.stdout and process.stderr
        self._stdin, self._stdout = process.stdin.fileno(), process.stdout.fileno()
        self._stderr = process.stderr.fileno()
        self._selector = selectors.DefaultSelector()
        for stream in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(stream, False)
        for stream in (self._stdout, self._stderr):
            self._selector.register(stream, selectors.EVENT_READ)

    def begin(self) -> str:
        """Bring the agent to life; the version of its Python.

        Raises:
            EngineError: it is not reached, or cannot live there.
        """
        while (at := self._in.find(agent.MAGIC)) < 0 or b"\n" not in self._in[at:]:
            if (asked := self._in.find(_ASK)) >= 0:
                del self._in[: asked + len(_ASK)]
                self._out += self._password().encode() + b"\n"
            self._pump()
        end = self._in.index(b"\n", at)
        version = self._in[at + len(agent.MAGIC) : end].decode(errors="replace").strip()
        del self._in[: end + 1]
        if [int(part) for part in re.findall(r"\d+", version)[:2]] < [3, 8]:
            raise EngineError(
                f"{self.target.text}: its python3 is {version}; 3.8 or later is needed, as PYNQ "
                "2.7 and later images have it"
            )
        source = Path(agent.__file__).read_bytes()
        self._out += f"{len(source)}\n".encode() + source
        self._limit, self._speaks, self.doing = _SILENCE_SECONDS, True, "starting"
        return version

    def send(self, kind: str, payload: bytes = b"", **values: Any) -> None:
        """A frame to the agent, on its way when this returns.

        Raises:
            EngineError: as `receive`.
        """
        self._out += agent.pack(kind, payload, **values)
        while self._out:
            self._pump()

    def receive(self, kind: str) -> tuple[dict[str, Any], bytes]:
        """The next frame, which is of this kind.

        Raises:
            EngineError: the agent failed, ended, is silent or stuck, or the connection is gone.
        """
        while True:
            frame = self._frame()
            if frame is None:
                self._pump()
            elif frame[0]["kind"] == "alive":
                self._alive(frame[0])
            elif frame[0]["kind"] == kind:
                return frame
            else:
                raise EngineError(f"{self.target.text}: {self._failure(frame[0])}")

    def end(self) -> None:
        """Let the agent end, and wait for it."""
        self.send("bye")
        self._code()

    def _alive(self, head: dict[str, Any]) -> None:
        self.doing, self.done = head["doing"], head["done"]
        self.on_progress(self.done)
        if head["quiet"] > _STUCK_SECONDS:
            raise EngineError(
                f"{self.target.text}: the agent lives, but has been stuck for {head['quiet']:.0f} "
                f"s in: {self.doing}; power the board off and on"
            )

    def _failure(self, head: dict[str, Any]) -> str:
        if head["kind"] == "gone":
            return f"the agent on the board was ended while {self.doing}; deploy again"
        if head["kind"] != "failed":
            return f"the agent sent {head['kind']} out of turn; that is a bug of ours"
        log.info("%s", head.get("trace", ""))
        return str(head["message"])

    def _frame(self) -> tuple[dict[str, Any], bytes] | None:
        """The next frame that has come whole."""
        first = agent.LENGTHS.size
        if len(self._in) < first:
            return None
        size, payload = agent.LENGTHS.unpack(self._in[:first])
        if len(self._in) < first + size + payload:
            return None
        head = json.loads(self._in[first : first + size])
        data = bytes(self._in[first + size : first + size + payload])
        del self._in[: first + size + payload]
        return head, data

    def _pump(self) -> None:
        """Move what can be moved, and give up where nothing has come for too long."""
        now = time.monotonic()
        if self._speaks and now - self.pinged > _PING_SECONDS:
            self.pinged = now
            self._out += agent.pack("ping")
        self._want_to_write(bool(self._out))
        for key, _ in self._selector.select(1.0):
            if key.fd == self._stdin:
                self._write()
            elif data := os.read(key.fd, _BLOCK):
                (self._in if key.fd == self._stdout else self._errors).extend(data)
                self.heard = time.monotonic()
                if key.fd == self._stderr and self.ask is not None:
                    sys.stderr.buffer.write(data)  # of ssh: banners, keys to be touched
                    sys.stderr.flush()
            else:
                self._selector.unregister(key.fd)
                if key.fd == self._stdout:
                    raise EngineError(self._lost())
        if self._limit is not None and time.monotonic() - self.heard > self._limit:
            raise EngineError(self._silent())

    def _want_to_write(self, wanted: bool) -> None:
        registered = self._stdin in self._selector.get_map()
        if wanted and not registered:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        elif registered and not wanted:
            self._selector.unregister(self._stdin)

    def _write(self) -> None:
        try:
            del self._out[: os.write(self._stdin, self._out[:_BLOCK])]
        except BrokenPipeError:  # why, its output will say
            self._out.clear()

    def _password(self) -> str:
        if self.ask is None:
            raise EngineError(
                f"{self.target.text}: sudo asks for a password there, and nobody can be asked for "
                "it: run from a terminal, allow sudo without one, or log in as root"
            )
        return self.ask()

    def _code(self) -> int | None:
        """Exit code of the process, if it ends within a while."""
        until = time.monotonic() + _END_SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        return self.process.poll()

    def _lost(self) -> str:
        """A sentence that says what the end of the conversation means."""
        while frame := self._frame() if self._speaks else None:
            if frame[0]["kind"] in ("failed", "gone"):
                return f"{self.target.text}: {self._failure(frame[0])}"
        code = self._code()
        said = " ".join((self._errors + self._last_words()).decode(errors="replace").split())
        said = f": {said[-_SHOWN:]}" if said else ""
        if self._speaks:
            return (
                f"{self.target.text}: the connection or the agent ended{said}; it was "
                f"{self.doing}, and was heard {time.monotonic() - self.heard:.1f} s ago. What was "
                "copied stays there; deploy again"
            )
        if self.target.user and code == 255:
            return f"{self.target.text} is not reached{said}; `{self.target.ssh}` must work first"
        if code == 127:
            return (
                f"{self.target.text}: no python3 there{said}; it must be on the PATH of a login "
                "shell, as on PYNQ images"
            )
        return f"{self.target.text}: the login ended with code {code}{said}"

    def _last_words(self) -> bytearray:
        """The last of standard output, if that was no frame."""
        with contextlib.suppress(BlockingIOError):
            self._errors += os.read(self._stderr, _BLOCK)
        return bytearray() if self._speaks else self._in

    def _silent(self) -> str:
        limit = f"{self._limit:g} s"
        if not self._speaks:
            return f"{self.target.text}: logged in, but no agent began within {limit}"
        return (
            f"{self.target.text}: nothing was heard for {limit}; the last was that the agent was "
            f"{self.doing}. Is the board on, and the network? What was copied stays; deploy again"
        )


@contextmanager
def connected(
    target: Target, ssh_config: Path | None, ask: Callable[[], str] | None
) -> Iterator[Session]:
    """A session with the agent of a board; it ends with the block. ask: as in `Session`.

    Raises:
        ToolError: there is no ssh on this machine.
        EngineError: the board is not reached, or the agent cannot live there.
    """
    command = command_for(target, ssh_config, interactive=ask is not None)
    local = not target.user
    with started_tool(command, stdin=PIPE, stderr=PIPE, own_group=local) as process:
        yield Session(process, target, ask)
