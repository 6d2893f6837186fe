"""A compiled network as a host needs it: its files, checked, and what describes them."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import ProgramError
from cnnaccel.runtime import layout
from cnnaccel.runtime.pictures import Preprocessing, read_preprocessing
from cnnaccel.runtime.ports import Ports, read_ports, split
from cnnaccel.runtime.tail import HostTail, read_tail

if TYPE_CHECKING:
    import numpy.typing as npt

PROGRAM_FILE, WEIGHTS_FILE, NETWORK_FILE = "program.bin", "weights.bin", "network.json"
PROGRAM = (PROGRAM_FILE, WEIGHTS_FILE, NETWORK_FILE)
"""The files of a program, in a folder."""


@dataclass(frozen=True)
class Network:
    """What `program.bin`, `weights.bin` and `network.json` of one folder say."""

    name: str
    header: dict[str, int]
    sections: bytes
    """Section once, then section body."""
    weights: bytes
    ports: Ports
    notes: tuple[str, ...]
    """What each instruction is for, of once and then of body."""
    tail: HostTail | None = None
    """What the host computes of the results; None where they are what the model returns."""
    preprocessing: Preprocessing | None = None
    """The way from a picture to an image; None where no picture can go in."""
    classes: tuple[str, ...] = ()
    """Names of the channels of the first output; empty where they have none."""

    def outputs(self, results: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """What the model returns, in float and by name, [N, ...] each.

        results: of the engine, as `Accelerator.run` gives them.
        """
        return outputs_of(self.ports, self.tail, results)

    def instruction(self, index: int) -> str:
        """How messages call an instruction, by its index in once and body."""
        once = self.header["once_instructions"]
        name = f"once {index}" if index < once else f"body {index - once}"
        return f"{name} ({self.notes[index]})" if index < len(self.notes) else name


def outputs_of(
    ports: Ports, tail: HostTail | None, results: npt.NDArray[Any]
) -> dict[str, npt.NDArray[Any]]:
    """What the model returns, by name, made of the engine's results."""
    parts = split(results, [one.shape for one in ports.outputs])
    real = {one.name: parts[i] * np.float64(one.scale) for i, one in enumerate(ports.outputs)}
    return real if tail is None else tail.run(real, len(results))


def load_network(folder: str | Path) -> Network:
    """The network in a folder, if every bit is as it was written.

    Raises:
        ProgramError: a file is missing, damaged, or of another program.
    """
    folder = Path(folder)
    try:
        program = (folder / PROGRAM_FILE).read_bytes()
        weights = (folder / WEIGHTS_FILE).read_bytes()
        description = json.loads((folder / NETWORK_FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise ProgramError(f"{error.filename}: {error.strerror}; compile again") from None
    except ValueError as error:
        raise ProgramError(f"{folder / 'network.json'}: no JSON ({error})") from None
    return network_of(folder, program, weights, description)


def network_of(folder: Path, program: bytes, weights: bytes, description: Any) -> Network:
    """The network in the bytes of its files and the values of its `network.json`.

    folder: for messages.

    Raises:
        ProgramError: a part is damaged, or of another program.
    """
    header = read_packed_header(folder, program)
    sections = program[layout.HEADER_BYTES :]
    for name, data, size, crc in (
        (PROGRAM_FILE, sections, header["once_bytes"] + header["body_bytes"], "sections_crc"),
        (WEIGHTS_FILE, weights, header["weights_bytes"], "weights_crc"),
    ):
        if len(data) != size or zlib.crc32(data) != header[crc]:
            raise ProgramError(f"{folder / name}: damaged or of another program; compile again")
    try:
        ports = read_ports(description["ports"])
        notes = tuple(f"{layer}: {what}" for layer, what in description["notes"])
        name = str(description["network"])
        tail = description.get("tail")
        tail = None if tail is None else read_tail(tail)
        preprocessing = read_preprocessing(description.get("preprocessing"), ports.input_shape)
        classes = _classes(description.get("classes", []))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProgramError(f"{folder / 'network.json'}: no description ({error!r})") from None
    if len(notes) != header["once_instructions"] + header["body_instructions"]:
        raise ProgramError(f"{folder / 'network.json'}: of another program; compile again")
    return Network(name, header, sections, weights, ports, notes, tail, preprocessing, classes)


def _classes(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise ValueError(f"classes {names}")
    return tuple(map(str, names))


def read_header(folder: Path) -> dict[str, int]:
    """The header of the program in a folder, by field.

    Raises:
        ProgramError: it is missing, damaged, or no program.
    """
    path = folder / PROGRAM_FILE
    try:
        return read_packed_header(folder, path.read_bytes())
    except OSError as error:
        raise ProgramError(f"{path}: {error.strerror}; compile again") from None


def contiguous_bytes(header: dict[str, int], iterations: int = 1) -> int:
    """Bytes of all buffers that a host allocates for a program and so many iterations of it."""
    once = ("once_bytes", "body_bytes", "weights_bytes", "scratch_bytes")
    packed = iterations * (header["input_stride"] + header["output_stride"])
    return sum(header[name] for name in once) + packed


def read_packed_header(folder: Path, program: bytes) -> dict[str, int]:
    """The header in the bytes of `program.bin`, as `read_header`."""
    path = folder / PROGRAM_FILE
    at = {name: slice(at, at + size) for name, (at, size) in layout.HEADER.items()}
    header = {name: int.from_bytes(program[part], "little") for name, part in at.items()}
    whole = len(program) >= layout.HEADER_BYTES and header["magic"] == layout.MAGIC
    if not whole or zlib.crc32(program[: at["header_crc"].start]) != header["header_crc"]:
        raise ProgramError(f"{path}: damaged, or not a cnnaccel program; compile again")
    if header["version"] != layout.FORMAT_VERSION:
        raise ProgramError(
            f"{path}: of format version {header['version']}, this runtime reads "
            f"{layout.FORMAT_VERSION}; compile again"
        )
    return header
