"""The description of a program that a host needs beside its bytes.

`network.json` lies beside `program.bin` and `weights.bin`. The engine does not need it; the host
packs images and takes results by it, and people get names to read.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnaccel.errors import ConfigError, ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.program import Note, Program, load_program
from cnnaccel.runtime.network import NETWORK_FILE
from cnnaccel.runtime.ports import Ports, read_ports
from cnnaccel.runtime.tail import HostTail, read_tail
from cnnaccel.workspace import write_atomic


@dataclass(frozen=True)
class Description:
    """The content of `network.json`."""

    network: str
    hardware: HardwareConfig
    ports: Ports
    notes: tuple[Note, ...]
    tail: HostTail | None = None

    def to_file(self, folder: Path) -> None:
        """Write `network.json`; the same description gives the same bytes."""
        values = {
            "network": self.network,
            "digest": f"{self.hardware.digest:016x}",
            "hardware": self.hardware.recorded,
            "ports": dataclasses.asdict(self.ports),
            "tail": None if self.tail is None else self.tail.to_json(),
            "notes": self.notes,
        }
        write_atomic(folder / NETWORK_FILE, json.dumps(values, indent=1).encode() + b"\n")


def load_description(folder: Path) -> Description:
    """The description in a folder.

    Raises:
        ProgramError: missing, or not one of ours.
    """
    path = folder / NETWORK_FILE
    try:
        return _description(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ProgramError(f"{path}: {error.strerror}; compile again") from None
    except KeyError as error:
        raise ProgramError(f"{path}: has no {error}; compile again") from None
    except (ValueError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        raise ProgramError(f"{path}: not a network description ({error}); compile again") from None


def load_compiled(
    folder: Path, hardware: HardwareConfig | None = None
) -> tuple[Program, HardwareConfig]:
    """A program with its notes, and what it is for: `hardware`, else what its description says.

    With `hardware` a program without description will do; it then has no notes.

    Raises:
        ProgramError: as `load_program` and `load_description`; or the files are of two programs.
    """
    if hardware is not None and not (folder / NETWORK_FILE).exists():
        return load_program(folder, hardware), hardware
    description = load_description(folder)
    hardware = hardware or description.hardware
    program = load_program(folder, hardware)
    if len(description.notes) != len(program.once) + len(program.body):
        raise ProgramError(f"{folder / NETWORK_FILE}: of another program; compile again")
    return dataclasses.replace(program, notes=description.notes), hardware


def _description(values: Any) -> Description:
    hardware = HardwareConfig(**values["hardware"])
    if values["digest"] != f"{hardware.digest:016x}":
        raise ValueError(f"digest {values['digest']} is not that of its hardware")
    ports = read_ports(values["ports"])
    if ports.width != hardware.input_lanes:
        raise ValueError(f"width {ports.width}, the hardware has {hardware.input_lanes}")
    notes = tuple(Note(*map(str, note)) for note in values["notes"])
    tail = None if values["tail"] is None else read_tail(values["tail"])
    return Description(str(values["network"]), hardware, ports, notes, tail)
