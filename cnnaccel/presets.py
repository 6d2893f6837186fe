"""Files of Tcl that set the processing system of a board: a user's beside the board's YAML file, or
shipped ones in `hw/tcl/vivado/boards`.

Python reads of one which part it is of, and no more: the rest is Vivado's.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from cnnaccel.errors import ConfigError
from cnnaccel.fields import FieldError
from cnnaccel.resources import resource

HOW_TO = 'docs/build-hw.md shows both ways under "A board of your own"'


@dataclass(frozen=True)
class Preset:
    """A file of Tcl that sets `preset(part)`, `preset(dram_bytes)` and `preset(config)`."""

    text: str
    part: str
    """Beginning of the names of the parts that it is for."""
    dram_bytes: int
    """DRAM of the board."""


def shipped_presets() -> dict[str, Path]:
    """The presets of `hw/tcl/vivado/boards` by name."""
    folder = resource("hw") / "tcl" / "vivado" / "boards"
    return {path.stem: path for path in sorted(folder.glob("*.tcl"))}


def find_preset(name: str, folder: Path) -> Path:
    """The file that `ps_preset` names: `mine.tcl`, which lies in `folder`, or a shipped one.

    Raises:
        FieldError: there is none.
    """
    shipped = shipped_presets()
    if name in shipped:
        return shipped[name]
    path = folder / Path(name).expanduser()
    if path.suffix == ".tcl" and path.is_file():
        return path
    if path.suffix == ".tcl":
        raise FieldError("ps_preset", f"is {name}, and there is no file {path}; {HOW_TO}")
    near = difflib.get_close_matches(name.lower(), shipped, n=1)
    if (folder / f"{name}.tcl").is_file():
        near = [f"{name}.tcl"]
    hint = f"; did you mean '{near[0]}'?" if near else f"; {HOW_TO}"
    raise FieldError(
        "ps_preset",
        f"is one of {', '.join(shipped)}, or a file that ends in .tcl; got '{name}'{hint}",
    )


def read_preset(path: Path) -> Preset:
    """The preset in a file.

    Raises:
        ConfigError: it cannot be read, or does not say of which part it is or what DRAM it has.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read this preset: {error}") from None
    part = _said(path, text, "part", r"xc[\w-]+", "xc7z020clg400")
    return Preset(
        text, part, int(_said(path, text, "dram_bytes", r"0x[\da-fA-F]+|\d+", "0x20000000"), 0)
    )


def _said(path: Path, text: str, name: str, pattern: str, example: str) -> str:
    """The constant that a line `set preset(name) constant` sets; the last one counts."""
    line = rf'^\s*set\s+preset\({name}\)\s+["{{]?({pattern})["}}]?\s*(?:;.*)?$'
    found = re.findall(line, text, re.MULTILINE)
    if not found:
        raise ConfigError(
            f"{path}: there is no line that sets preset({name}) to a constant, as "
            f"`set preset({name}) {example}`"
        )
    return str(found[-1])
