"""The build folder: one folder per stage, written whole or not at all, with a manifest.

A stage writes into `<stage>.partial`; when it ends well the folder gets its `manifest.json` and
takes the place of `<stage>`. Whatever kills a run in between leaves the old artifacts or the new,
whole. The manifest holds the inputs that the stage was made from, values by name: what belongs to
a configuration is what was made from its inputs, wherever it lies.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
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
RESULTS = "results.json"
"""What a stage found, for people and for the report."""
OWNER = ".configuration"
"""File in the folder of a configuration that names the configuration's own, relative to what holds
the build folder."""
_SHOWN_DIFFERENCES = 3


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
class Difference:
    """An input that a stored stage was made from, and its value now; None where there is none."""

    key: str
    stored: Any
    asked: Any

    @property
    def of_digests(self) -> bool:
        """Whether the values are digests, which say nothing to a reader."""
        return all(value is None or _is_digest(value) for value in (self.stored, self.asked))

    def __str__(self) -> str:
        if self.of_digests:
            return f"{self.key} changed"
        return f"{self.key} is {_shown(self.stored)}, asked for is {_shown(self.asked)}"


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Difference]:
    """Differences between two sets of inputs, in the order of what is asked for."""
    keys = [*asked, *(key for key in stored if key not in asked)]
    pairs = [Difference(key, stored.get(key), asked.get(key)) for key in keys]
    return [pair for pair in pairs if pair.stored != pair.asked]


def describe(found: list[Difference]) -> str:
    """Differences in one line: values first, then the names of what is told by digests alone."""
    texts = [str(difference) for difference in found if not difference.of_digests]
    if len(texts) > _SHOWN_DIFFERENCES:
        texts[_SHOWN_DIFFERENCES:] = [f"and {len(texts) - _SHOWN_DIFFERENCES} more"]
    if changed := [difference.key for difference in found if difference.of_digests]:
        texts.append(f"{', '.join(changed)} changed")
    return "; ".join(texts)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if _is_digest(value):
        return f"{value[:8]}..."
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Stage:
    """One stage's folder, `build/<config>/<stage>`."""

    folder: Path

    @property
    def partial(self) -> Path:
        """Folder that the stage writes into until it is done."""
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

    def why_damaged(self, manifest: Mapping[str, Any]) -> str | None:
        """Which of its files are not what the stage wrote; None where all are."""
        with _readable_os_errors(self.folder):
            for name, digest in manifest["artifacts"].items():
                path = self.folder / name
                if not path.is_file():
                    return f"{name} is missing"
                if sha256_of(path) != digest:
                    return f"{name} was altered"
        return None

    def why_stale(self, inputs: Mapping[str, Any]) -> str | None:
        """Reason why the stage must run again, in a few words; None if it need not."""
        manifest = self.manifest()
        if manifest is None:
            return "never finished" if self.folder.exists() else "not there yet"
        if found := differences(manifest["inputs"], inputs):
            return describe(found)
        return self.why_damaged(manifest)

    @contextmanager
    def write(
        self, inputs: Mapping[str, Any], *, resume: bool = False, resumable: bool = False
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
    config: Path | None = None
    """The configuration's file, which the folder then belongs to."""

    def stage(self, name: str) -> Stage:
        """The folder of one stage."""
        return Stage(self.folder / name)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process out of this folder, and mark whose it is."""
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
                if self.config is not None and _owner(self.folder) != self.config.resolve():
                    write_atomic(self.folder / OWNER, _beside(self.folder, self.config).encode())
            yield


def workspace_of(build: Path, config: Path) -> Workspace:
    """The folder of a configuration: its own, also where others have files of the same name.

    `<build>/<name>`, or where that belongs to another file that is still there,
    `<build>/<name>-<8 digits made from the path>`.
    """
    folder = build / config.stem
    with _readable_os_errors(folder):
        owner = _owner(folder)
        # one of another name left a copy of its folder here; one that is gone was moved
        known = owner is not None and owner.stem == config.stem and owner.exists()
        if known and owner != config.resolve():
            digits = sha256_of_value(_beside(folder, config))[:8]
            folder = build / f"{config.stem}-{digits}"
    return Workspace(folder, config)


def _root(folder: Path) -> Path:
    """Folder that holds the build folder; paths from there stay right when a project is moved."""
    return folder.resolve().parent.parent


def _beside(folder: Path, path: Path) -> str:
    return os.path.relpath(path.resolve(), _root(folder))


def _owner(folder: Path) -> Path | None:
    """The configuration file that a folder belongs to; None where it says none."""
    try:
        text = (folder / OWNER).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None
    return (_root(folder) / text).resolve() if text else None


def versions() -> dict[str, str]:
    """The versions an artifact depends on."""
    found = {"cnnaccel": __version__, "python": platform.python_version()}
    for package in ("numpy", "torch", "torchvision", "torchao"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
