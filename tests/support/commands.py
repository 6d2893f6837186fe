"""Commands as a user types them, and the folders that they leave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnnaccel.workspace import OWNER

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


Cnnaccel = Callable[..., Result]


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file but the one that says whose a folder is: a copy is claimed anew."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != OWNER
    }
