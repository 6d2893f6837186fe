"""The build folder: one folder per stage, written whole or not at all, with a manifest.

A stage writes into `<stage>.partial`; when it ends well the folder gets its `manifest.json` and
takes the place of `<stage>`. Whatever kills a run in between leaves the old artifacts or the new,
whole, and `Stage.why_stale` says whether they still fit, so that the next run repeats the rest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cnnaccel import __version__
from cnnaccel.errors import WorkspaceError

MANIFEST = "manifest.json"


def sha256_of(*paths: Path) -> str:
    """Hex digest over the bytes of the files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def sha256_of_value(value: Any) -> str:
    """Hex digest of a JSON-able value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step, through `<path>.partial`."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Stage:
    """One stage's folder, `build/<config>/<stage>`."""

    folder: Path

    @property
    def partial(self) -> Path:
        """Where the stage writes until it is done."""
        return self.folder.with_name(self.folder.name + ".partial")

    def manifest(self) -> dict[str, Any] | None:
        """The manifest, or None where the stage never ended well."""
        with _readable_os_errors(self.folder):
            try:
                value = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
                return None
        sound = isinstance(value, dict) and all(
            isinstance(value.get(part), dict) for part in ("inputs", "artifacts")
        )
        return value if sound else None

    def finish_swap(self) -> None:
        """Put a sealed partial folder in place, if a kill came after its manifest was written."""
        with _readable_os_errors(self.folder):
            if (self.partial / MANIFEST).exists():
                _swap(self.partial, self.folder)

    def why_stale(self, inputs: Mapping[str, str]) -> str | None:
        """Why the stage must run again, in a few words; None if it need not."""
        manifest = self.manifest()
        if manifest is None:
            return "never finished" if self.folder.exists() else "not there yet"
        recorded = manifest["inputs"]
        changed = sorted(k for k in {*inputs, *recorded} if inputs.get(k) != recorded.get(k))
        if changed:
            return f"{', '.join(changed)} changed"
        with _readable_os_errors(self.folder):
            for name, digest in manifest["artifacts"].items():
                path = self.folder / name
                if not path.is_file():
                    return f"{name} is missing"
                if sha256_of(path) != digest:
                    return f"{name} was altered"
        return None

    @contextmanager
    def write(
        self, inputs: Mapping[str, str], *, resume: bool = False, resumable: bool = False
    ) -> Iterator[Path]:
        """Yield the partial folder; on success seal it with a manifest and put it in place.

        After an error or an interrupt the finished folder is as it was; the partial one goes too,
        unless the stage is `resumable`. `resume` keeps what an earlier attempt left there, though
        files that `write_atomic` did not complete are no artifacts.
        """
        with _readable_os_errors(self.folder):
            self.finish_swap()
            if self.partial.exists() and not resume:
                shutil.rmtree(self.partial)
            self.partial.mkdir(parents=True, exist_ok=True)
            try:
                yield self.partial
            except BaseException:
                if not resumable:
                    shutil.rmtree(self.partial, ignore_errors=True)
                raise
            artifacts = {
                str(path.relative_to(self.partial)): sha256_of(path)
                for path in sorted(self.partial.rglob("*"))
                if path.is_file() and path.suffix != ".partial"
            }
            manifest = {
                "stage": self.folder.name,
                "artifacts": artifacts,
                "inputs": dict(inputs),
                "versions": versions(),
            }
            write_atomic(self.partial / MANIFEST, json.dumps(manifest, indent=2).encode())
            _swap(self.partial, self.folder)


def _swap(partial: Path, folder: Path) -> None:
    """Put `partial`, which is sealed, in place of `folder`; at any moment one of them is whole."""
    old = folder.with_name(folder.name + ".old")
    if folder.exists():
        if old.exists():
            shutil.rmtree(old)
        os.rename(folder, old)
    try:
        os.rename(partial, folder)
    except OSError:
        if old.exists():
            os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _readable_os_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        reason = error.strerror or str(error)
        raise WorkspaceError(
            f"{where}: {reason}; finished stages are as they were. Make room or write access, or "
            "choose another place with --build-dir"
        ) from error


@dataclass(frozen=True)
class Workspace:
    """`build/<config>`: everything made from one configuration."""

    folder: Path

    def stage(self, name: str) -> Stage:
        """The folder of one stage."""
        return Stage(self.folder / name)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process out of this folder."""
        with _readable_os_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / ".lock").open("w")
        with file:
            with _readable_os_errors(self.folder):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise WorkspaceError(
                        f"{self.folder}: another cnnaccel is at work here; wait for it, or choose "
                        "another place with --build-dir"
                    ) from None
            yield


def versions() -> dict[str, str]:
    """The versions an artifact depends on."""
    found = {"cnnaccel": __version__, "python": platform.python_version()}
    for package in ("numpy", "torch", "torchvision", "torchao"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
