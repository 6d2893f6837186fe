"""One folder that is all a target needs to run networks: bitstream, programs, runtime, driver."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cnnaccel
from cnnaccel.errors import WorkspaceError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.device_tree import render_device_trees
from cnnaccel.render.handoff import HW_JSON
from cnnaccel.render.model import render_model_h
from cnnaccel.render.notebook import notebook_of
from cnnaccel.render.params import render_params_h
from cnnaccel.render.template import render_template
from cnnaccel.render.wheel import WHEEL, render_wheel
from cnnaccel.resources import resource
from cnnaccel.runtime.board import BITSTREAM, HWH
from cnnaccel.runtime.folder import NETWORKS
from cnnaccel.runtime.network import PROGRAM, load_network
from cnnaccel.workspace import RESULTS, sha256_of, sha256_of_value

HARDWARE_FILES = (BITSTREAM, HWH, HW_JSON)
NOTEBOOK = "cnnaccel.ipynb"
_README, _NOTEBOOK = "export.md.j2", "export.py.j2"
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
    files = tuple(folder / name for name in HARDWARE_FILES)
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
class NetworkFiles:
    """Files of one network in an exported folder."""

    name: str
    program: Path
    """The folder of the program."""
    selftest: Path
    """The file of the self-test."""
    samples: Path | None = None
    """The file of sample images; None where there are none."""

    def inputs(self) -> dict[str, str]:
        """Digests of what the files are made from, but for the program."""
        samples = {} if self.samples is None else {"samples": sha256_of(self.samples)}
        return {"self-test": sha256_of(self.selftest), **samples}

    def write(self, folder: Path, hardware: HardwareConfig) -> None:
        """Write them into a folder, with the headers that C wants to have side by side."""
        folder.mkdir(parents=True, exist_ok=True)
        copied = [*(self.program / name for name in PROGRAM), self.selftest]
        for source in copied if self.samples is None else [*copied, self.samples]:
            shutil.copyfile(source, folder / source.name)
        classes = load_network(self.program).classes
        texts = {
            "params.h": render_params_h(hardware),
            "model.h": render_model_h(self.program, classes),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Contents:
    """Parts of an exported folder: the engine, and one network, or several in `networks`."""

    hardware: HardwareConfig
    bitstream: Bitstream
    networks: tuple[NetworkFiles, ...]
    several: bool = False
    """Whether each network has a folder of its own."""
    kept: Mapping[str, Path] = field(default_factory=dict)
    """Folders of networks that an earlier export wrote, by name; they are copied."""

    @property
    def names(self) -> list[str]:
        """The networks of the folder."""
        return sorted({*self.kept, *(one.name for one in self.networks)})

    @property
    def headline(self) -> str:
        """The folder in a line: its engine, whether the bitstream is in it, several networks."""
        has = "no bitstream" if self.bitstream.missing else "bitstream included"
        networks = f", networks {', '.join(self.names)}" if self.several else ""
        return f"digest {self.hardware.digest:016x}, {has}{networks}"

    def inputs(self) -> dict[str, str]:
        """Digests of all that the folder is made from, but for the programs."""
        texts = [resource("templates") / name for name in (_README, _NOTEBOOK)]
        own = {} if self.several else self.networks[0].inputs()
        return {
            **{f"build-hw/{path.name}": sha256_of(path) for path in self.bitstream.files},
            "runtime": sha256_of(*_runtime().values()),
            "driver": sha256_of(*_driver().values()),
            **own,
            "device trees": sha256_of_value(render_device_trees(self.hardware)),
            "texts": sha256_of(*texts, Path(__file__)),
        }

    def write(self, folder: Path) -> None:
        """Write all of it into a folder that is there."""
        copied = {path.name: path for path in self.bitstream.files} | _runtime() | _driver()
        for name, source in copied.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
        for name, place in self.kept.items():
            shutil.copytree(place, folder / NETWORKS / name)
        for one in self.networks:
            one.write(folder / NETWORKS / one.name if self.several else folder, self.hardware)
        runtime = {name: path.read_bytes() for name, path in _runtime().items()}
        (folder / WHEEL).write_bytes(render_wheel(runtime))
        texts = {
            **render_device_trees(self.hardware),
            "README.md": self._text(_README),
            NOTEBOOK: notebook_of(self._text(_NOTEBOOK)),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")

    def _text(self, template: str) -> str:
        names, where = self.names, f"{NETWORKS}/NAME/" if self.several else ""
        return render_template(
            template,
            title=", ".join(names),
            names=[(name, json.dumps(name)) for name in names],
            several=[names[-1]] if self.several else [],
            first=names[0],
            where=where,
            wheel=WHEEL,
            notebook=NOTEBOOK,
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
