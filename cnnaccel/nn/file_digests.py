"""Digests of files, kept from one command to the next, so that large folders are read once.

A digest is used again where size, times and place on the disk are what they were. Among the times
is that of the last change of the inode, which no program sets back. Two changes within one tick of
that clock look like one, so a file that changed shortly before it was read is read again the next
time, as git does with its index.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnaccel.errors import ToolError
from cnnaccel.tools.verilate import cache_folder
from cnnaccel.workspace import write_atomic

_TICK_NS = 3_000_000_000
"""More than the ticks of all file systems."""


def digests_of(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Hex digest of each of the files in a folder."""
    kept_in, now = _kept_in(folder), time.time_ns()
    kept = {} if kept_in is None else _read(kept_in)
    found, to_keep = [], {}
    for path in paths:
        name, state = str(path.relative_to(folder)), _state(path)
        before = kept.get(name)
        if isinstance(before, list) and len(before) == 2 and before[0] == state:
            digest = str(before[1])
        else:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(digest)
        if max(state[1], state[2]) < now - _TICK_NS:
            to_keep[name] = [state, digest]
    if kept_in is not None and to_keep != kept:
        with contextlib.suppress(OSError):  # a disk that is full, or may only be read
            kept_in.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(kept_in, json.dumps(to_keep).encode())
    return found


def _state(path: Path) -> list[int]:
    """Size, times and place of a file, which tell it from one that was written since."""
    seen = path.stat()
    return [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, seen.st_dev]


def _kept_in(folder: Path) -> Path | None:
    """The file that a folder's digests are kept in; None where nothing can be written."""
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    try:
        return cache_folder() / "digests" / f"{name}.json"
    except ToolError:
        return None


def _read(path: Path) -> Mapping[str, Any]:
    """Digests that an earlier command kept; none where the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
