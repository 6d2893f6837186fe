"""The files that a model is made from: modules outside the installed packages, and what they read.

Two looks that complete each other. The import statements are followed without running anything, so
the answer does not depend on what this process has imported before. And while the model is made,
every file that is opened is noted: modules that are imported by name, and files that a module or a
constructor reads. Installed packages are told by their versions instead.
"""

from __future__ import annotations

import ast
import functools
import importlib
import os
import random
import site
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import source_from_cache
from pathlib import Path
from typing import Any

import numpy as np

_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/run", "/usr/lib", "/usr/share")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def imported_files(module: str) -> set[Path]:
    """The source of a module and of all it imports, at any depth, installed packages left out."""
    found: set[Path] = set()
    names = [module]
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        spec = find_module(name)
        if spec is None or not spec.has_location or spec.origin is None:
            continue
        path = Path(spec.origin).resolve()
        if path in found or not is_own(path):
            continue
        found.add(path)
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        names += _imports(path, package)
    return found


@contextmanager
def noting_files() -> Iterator[set[Path]]:
    """The set of files opened for reading within the block, as `is_own` selects them.

    Not those of modules that were there before: Python reads their lines again to name places.
    """
    opened: set[str] = set()
    before = {
        Path(file).resolve() for module in list(sys.modules.values()) if (file := _file(module))
    }
    notes = _open_notes()
    notes.append(opened)
    found: set[Path] = set()
    try:
        yield found
    finally:
        notes.remove(opened)
        paths = {_source(Path(name)).resolve() for name in opened}
        found.update(path for path in paths - before if path.is_file() and is_own(path))


@contextmanager
def working_directory_importable() -> Iterator[None]:
    """Let modules beside the user be imported within the block."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(here)


def find_module(module_name: str) -> ModuleSpec | None:
    """Like importlib.util.find_spec, but imports no parent package on the way."""
    found: ModuleSpec | None = None
    places: Sequence[str] | None = None
    parts = module_name.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        candidates = (finder.find_spec(name, places) for finder in sys.meta_path)
        found = next((spec for spec in candidates if spec is not None), None)
        if found is None:
            return None
        places = found.submodule_search_locations
        if places is None and depth < len(parts):
            return None
    return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Python's and numpy's global random numbers drawn from `seed`, and afterwards as before."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def is_own(path: Path) -> bool:
    """Whether a file belongs to the user: not to Python, a package, the system or a cache."""
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    if ".cache" in path.parts and "torch" not in path.parts:  # torch keeps weights there
        return False
    if any(part.startswith("torchinductor_") for part in path.parts):  # what torch compiled
        return False
    return not any(path.is_relative_to(folder) for folder in _foreign_folders())


@functools.cache
def _foreign_folders() -> tuple[Path, ...]:
    schemes = ("stdlib", "platstdlib", "purelib", "platlib")
    installed = [sysconfig.get_path(scheme) for scheme in schemes]
    places: list[str] = [*_SYSTEM, *installed, *site.getsitepackages(), site.getusersitepackages()]
    return tuple(Path(place).resolve() for place in (*places, str(Path(__file__).parent.parent)))


def _imports(path: Path, package: str) -> Iterator[str]:
    """Names of modules that a file may import; package: what its relative imports start from."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # importing it will say so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*above, *([base] if base else [])])
            yield from _with_parents(base)
            yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1) if parts[0])


def _file(module: Any) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None


def _source(path: Path) -> Path:
    """The module's source where a file is its compiled form."""
    if path.suffix != ".pyc":
        return path
    try:
        return Path(source_from_cache(str(path)))
    except ValueError:  # compiled by something else than Python's import, as by a test runner
        return path


@functools.cache  # the interpreter cannot take a hook back
def _open_notes() -> list[set[str]]:
    """Sets that are told the name of every file this process opens for reading."""
    notes: list[set[str]] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not notes:
            return
        name, mode, flags = arguments
        writes = bool(set(mode) & set("wax+")) if isinstance(mode, str) else flags & _WRITES
        if not writes and isinstance(name, str | bytes | os.PathLike):
            for note in notes:
                note.add(str(Path(os.fsdecode(name)).absolute()))

    sys.addaudithook(hook)
    return notes
