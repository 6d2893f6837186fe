"""What a deploy starts on a board: keeps others out, takes files, then runs what it was sent.

`python3 -c LOADER` reads this text from its standard input, so nothing need be there beforehand,
and it uses the standard library alone. All else comes from the folder that it fills.

A frame is two lengths, JSON, bytes. The board answers what it is asked, and each second says what
it does; who deploys says something every few seconds too. Who hears nothing gives up.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib
import json
import os
import pwd
import queue
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"cnnaccel-agent "
"""Before it whatever a login prints, after it Python's version and the end of the line."""
LOADER = (
    "import sys;i=sys.stdin.buffer;"
    f"print('{MAGIC.decode()}'+sys.version.split()[0],flush=True);"
    "exec(compile(i.read(int(i.readline())),'agent.py','exec'))"
)
"""Then reads a line with a number, and as many bytes of Python."""
LENGTHS = struct.Struct(">II")
"""Most bytes of the JSON, and of the bytes, of a frame."""
RUN_FOLDER = "CNNACCEL_RUN"
"""Variable on the board: where the lock and the stamp are, else /run."""

_BEAT_SECONDS = 1.0
_SILENCE_SECONDS = 60.0
"""After which the other side is taken for dead."""
_GRACE_SECONDS = 15.0
_BLOCK = 1 << 20


class Gone(BaseException):
    """The other side went away, or a signal asks to end."""


class RefusedError(Exception):
    """An error whose text is for who deploys."""


def pack(kind: str, payload: bytes = b"", **values: Any) -> bytes:
    """A frame."""
    text = json.dumps({"kind": kind, **values}).encode()
    return LENGTHS.pack(len(text), len(payload)) + text + payload


class Link:
    """Frames from and to who deploys. Threads listen, tell that this process lives, and end it if
    nobody is left who would know its end."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self.source, self.sink = source, sink
        self.inbox: queue.SimpleQueue[tuple[dict[str, Any], bytes] | None] = queue.SimpleQueue()
        self.ended, self.over = threading.Event(), threading.Event()
        """Work should end; it has."""
        self.doing, self.done = "starting", 0
        self.heard = self.moved = time.monotonic()
        self._sending = threading.Lock()
        for work in (self._listen, self._beat, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def send(self, kind: str, payload: bytes = b"", **values: Any) -> None:
        """A frame to who deploys, who may be gone."""
        try:
            with self._sending:
                self.sink.write(pack(kind, payload, **values))
                self.sink.flush()
        except OSError:
            self.end()

    def receive(self, *kinds: str) -> tuple[dict[str, Any], bytes]:
        """The next frame, which must be of one of these kinds.

        Raises:
            Gone: nobody will send any more.
            RefusedError: it is of another.
        """
        frame = self.inbox.get()
        self.moved = time.monotonic()
        if frame is None:
            raise Gone
        if frame[0]["kind"] not in kinds:
            raise RefusedError(f"the agent awaits {' or '.join(kinds)}, got {frame[0]['kind']}")
        return frame

    def step(self, doing: str | None = None, done: int = 0) -> None:
        """Say that work goes on, and with what.

        Raises:
            Gone: it should not.
        """
        self.moved = time.monotonic()
        if doing is not None:
            new, self.doing, self.done = doing != self.doing, doing, done
            if new:
                self._tell()
        if self.ended.is_set():
            raise Gone

    def end(self, *_: Any) -> None:
        """Let the work stop at its next step; a handler of signals too."""
        self.ended.set()
        self.inbox.put(None)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while lengths := self.source.read(LENGTHS.size):
                size, payload = LENGTHS.unpack(lengths)
                frame = json.loads(self.source.read(size)), self.source.read(payload)
                if len(frame[1]) < payload:
                    break
                self.heard = time.monotonic()
                if frame[0]["kind"] != "ping":
                    self.inbox.put(frame)
        self.end()

    def _beat(self) -> None:
        while not self.ended.wait(_BEAT_SECONDS):
            self._tell()

    def _watch(self) -> None:
        """Sends nothing, for that may take as long as nobody reads."""
        while not self.ended.wait(_BEAT_SECONDS):
            if time.monotonic() - self.heard > _SILENCE_SECONDS:
                self.end()
        if not self.over.wait(_GRACE_SECONDS):
            os._exit(1)  # the work did not come to its next step

    def _tell(self) -> None:
        quiet = time.monotonic() - self.moved
        self.send("alive", doing=self.doing, done=self.done, quiet=quiet)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others off the board; ends with this process, however that ends.

    Raises:
        RefusedError: who has it.
    """
    path = folder / "cnnaccel.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except PermissionError:  # another user's: enough to wait for, and to read
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().decode(errors="replace") or "somebody else"
            raise RefusedError(
                f"the board is in use: {holder}; wait for its end, or end it (lock {path})"
            ) from None
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
        text = f"process {os.getpid()} of {user()}{' from ' + client if client else ''}"
        with contextlib.suppress(OSError):  # read only
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{text}, since {since} of its clock".encode(), 0)
        yield


def user() -> str:
    """Who this process works for."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def run_folder() -> Path:
    """A folder for what must not outlive the next boot."""
    for place in (os.environ.get(RUN_FOLDER), "/run", "/run/lock"):
        if place and os.access(place, os.W_OK):
            return Path(place)
    return Path(tempfile.gettempdir())


def digest_of(path: Path) -> str:
    """sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def missing(folder: Path, files: dict[str, list[Any]]) -> list[tuple[str, int]]:
    """Which of the files, as name: (size, sha256), are not there, and how much of each is."""
    found = []
    for name, (_, digest) in sorted(files.items()):
        path = folder / name
        if not path.is_file() or digest_of(path) != digest:
            partial = _partial(path, digest)
            found.append((name, partial.stat().st_size if partial.is_file() else 0))
    return found


def take(link: Link, path: Path, size: int, digest: str, at: int) -> None:
    """Write a file from byte `at` on, as `data` frames bring it; then it is there, whole.

    Raises:
        RefusedError: what came is not what was announced.
    """
    partial = _partial(path, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in path.parent.glob(path.name + ".*.partial"):  # of contents that nobody wants now
        if other != partial:
            other.unlink()
    with partial.open("ab") as file:
        while at < size:
            _, data = link.receive("data")
            file.write(data)
            at += len(data)
            link.step(f"receiving {path.name}", at)
        file.flush()
        os.fsync(file.fileno())
    if digest_of(partial) != digest:
        partial.unlink()
        raise RefusedError(
            f"{path.name}: what arrived has another sha256 than its manifest says; "
            "`cnnaccel export` writes it anew, then deploy again"
        )
    os.replace(partial, path)


def _partial(path: Path, digest: str) -> Path:
    """Where a file grows; of this content alone, so that it may go on later."""
    return path.with_name(f"{path.name}.{digest[:16]}.partial")


def synchronize(link: Link, folder: Path, files: dict[str, list[Any]]) -> None:
    """Fetch what the folder lacks.

    Raises:
        RefusedError: the disk is full, or a file is not what was announced.
    """
    link.step("comparing files")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = missing(folder, files)
        needed = sum(files[name][0] - at for name, at in wanted)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(errno.ENOSPC, f"{needed:,} bytes to copy, {free:,} free", str(folder))
        link.send("want", files=wanted, folder=str(folder), free=free)
        for name, at in wanted:
            size, digest = files[name]
            take(link, folder / name, size, digest, at)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        more = "" if error.strerror == reason else f" ({error.strerror})"
        raise RefusedError(
            f"{error.filename or folder}: {reason}{more}; make room or write access there, or "
            "choose another place with --remote-dir; what was copied whole stays"
        ) from None
    link.send("stored")


def serve(link: Link) -> None:
    """One deploy, from its first frame to its last."""
    begin, _ = link.receive("begin")
    with locked(run_folder()):
        folder = Path(begin["folder"]).expanduser()
        synchronize(link, folder, begin["files"])
        sys.path.insert(0, str(folder))
        link.step("importing numpy and pynq")
        importlib.import_module("cnnaccel.runtime.board").serve(link, folder, begin)


def main() -> None:
    """Serve whoever holds the other ends of standard input and output."""
    sink = os.fdopen(os.dup(1), "wb")
    same = os.fstat(1)[1:3] == os.fstat(2)[1:3]
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2) if same else (1,):  # what libraries print is none of the protocol
        os.dup2(quiet, stream)
    link = Link(sys.stdin.buffer, sink)
    for kind in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(kind, link.end)
    code = 1
    try:
        serve(link)
        code = 0
    except Gone:
        link.send("gone")
    except RefusedError as error:
        link.send("failed", message=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, who deploys must learn of it
        ours = type(error).__module__ == "cnnaccel.errors"
        text = str(error) if ours else f"{type(error).__name__}: {error}"
        link.send("failed", message=text, trace=traceback.format_exc())
    link.over.set()
    os._exit(code)  # a thread still reads, which Python would wait for


if __name__ == "__main__":
    main()
