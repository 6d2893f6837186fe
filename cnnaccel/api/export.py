"""One folder that is all a target needs to run a network: bitstream, program, runtime, driver."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import cnnaccel
from cnnaccel.errors import WorkspaceError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.device_tree import render_device_trees
from cnnaccel.render.handoff import HW_JSON
from cnnaccel.render.model import render_model_h
from cnnaccel.render.params import render_params_h
from cnnaccel.render.template import render_template
from cnnaccel.resources import resource
from cnnaccel.runtime.board import BITSTREAM, HWH
from cnnaccel.runtime.network import PROGRAM
from cnnaccel.workspace import RESULTS, sha256_of, sha256_of_value

_HARDWARE = (BITSTREAM, HWH, HW_JSON)
_BUILD = "`cnnaccel build-hw` makes it, where Vivado is"


@dataclass(frozen=True)
class Bitstream:
    """The files of a bitstream, or why there are none."""

    files: tuple[Path, ...]
    missing: str
    """Why there are none, and the way to them; or empty."""


NO_BITSTREAM = Bitstream((), f"none was named; {_BUILD}")


def find_bitstream(folder: Path, hardware: HardwareConfig) -> Bitstream:
    """The bitstream of an engine in a folder that `build-hw` wrote.

    Raises:
        WorkspaceError: its files do not say what they are.
    """
    files = tuple(folder / name for name in _HARDWARE)
    if not all(path.is_file() for path in files):
        return Bitstream((), f"there is no bitstream in {folder}; {_BUILD}")
    results = folder / RESULTS
    if results.is_file() and "mock" in _recorded(results, "vivado"):
        return Bitstream((), f"the bitstream in {folder} is of a mock of Vivado; {_BUILD}")
    wanted, found = f"{hardware.digest:016x}", _recorded(files[-1], "digest")
    if found != wanted:
        return Bitstream(
            (),
            f"the bitstream in {folder} is of hardware {found}, this configuration asks for "
            f"{wanted}; {_BUILD}, or set hardware to that of the bitstream",
        )
    return Bitstream(files, "")


def _recorded(path: Path, key: str) -> str:
    """The value of a key in a JSON file of `build-hw`."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[key])
    except (ValueError, KeyError, TypeError):
        raise WorkspaceError(f"{path}: names no {key}; {_BUILD} anew") from None


@dataclass(frozen=True)
class Contents:
    """Parts of an exported folder."""

    name: str
    hardware: HardwareConfig
    program: Path
    """The folder of the program."""
    selftest: Path
    """The file of the self-test."""
    bitstream: Bitstream
    classes: tuple[str, ...] = ()
    """Names of the channels of the result; empty where they have none."""

    @property
    def headline(self) -> str:
        """The folder in a line: its engine, and whether the bitstream is in it."""
        has = "no bitstream" if self.bitstream.missing else "bitstream included"
        return f"digest {self.hardware.digest:016x}, {has}"

    def inputs(self) -> dict[str, str]:
        """Digests of all that the folder is made from, but for the program."""
        template = resource("templates") / "export.md.j2"
        return {
            **{f"build-hw/{path.name}": sha256_of(path) for path in self.bitstream.files},
            "runtime": sha256_of(*_runtime().values()),
            "driver": sha256_of(*_driver().values()),
            "self-test": sha256_of(self.selftest),
            "classes": sha256_of_value(self.classes),
            "device trees": sha256_of_value(render_device_trees(self.hardware)),
            "texts": sha256_of(template, Path(__file__)),
        }

    def write(self, folder: Path) -> None:
        """Write all of it into a folder that is there."""
        copied = {name: self.program / name for name in PROGRAM}
        copied |= {path.name: path for path in (*self.bitstream.files, self.selftest)}
        for name, source in (copied | _runtime() | _driver()).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
        texts = {
            "params.h": render_params_h(self.hardware),
            "model.h": render_model_h(self.program, self.classes),
            **render_device_trees(self.hardware),
            "README.md": self._readme(),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")

    def _readme(self) -> str:
        return render_template(
            "export.md.j2",
            name=self.name,
            board=self.hardware.name or self.hardware.part,
            digest=f"{self.hardware.digest:016x}",
            missing=[self.bitstream.missing] if self.bitstream.missing else [],
        )


def _runtime() -> dict[str, Path]:
    """The part of this package that a board needs, by its place in the folder."""
    package = Path(cnnaccel.__file__).parent
    paths = [package / "__init__.py", package / "errors.py", *(package / "runtime").glob("*.py")]
    return {f"cnnaccel/{path.relative_to(package)}": path for path in sorted(paths)}


def _driver() -> dict[str, Path]:
    """The driver in C, without its tests."""
    paths = sorted((resource("hw") / "driver").iterdir())
    return {f"driver/{path.name}": path for path in paths if path.is_file()}
