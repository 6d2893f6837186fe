"""A compiled network in C: what a host without Python has to know of it, as one header.

Knows files of a program and `struct cnnaccel_model` of `hw/driver/cnnaccel.h`, no hardware beyond
its digest. The same folder gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cnnaccel.errors import ProgramError
from cnnaccel.isa import instructions as isa
from cnnaccel.isa.description import load_description
from cnnaccel.render.template import render_template
from cnnaccel.runtime import layout
from cnnaccel.runtime.network import PROGRAM_FILE, WEIGHTS_FILE, Network, load_network

_COLUMNS = 96
_MOST_BYTES = (1 << 31) - 1
"""The most bytes of a buffer: as many as an enumerator holds in C."""


def render_model_h(folder: Path, classes: Sequence[str] = ()) -> str:
    """`model.h` of the program in a folder. classes: names of the channels of its results.

    Raises:
        ProgramError: a file is missing, damaged or of another program; a buffer is too large for a
            32-bit host; or there are names, but not as many as channels.
    """
    network = load_network(folder)
    hardware = load_description(folder).hardware
    if network.header["digest"] != hardware.digest:
        raise ProgramError(f"{folder}: its files are of different engines; compile again")
    channels = network.ports.output_shape[0]
    if classes and len(classes) != channels:
        raise ProgramError(f"{folder}: {len(classes)} names for {channels} classes")
    constants = list(_constants(network))
    for name, value, _ in constants:
        if value > _MOST_BYTES:
            raise ProgramError(f"{folder}: {name} {value:,} is too large for a 32-bit host")
    table = network.ports.input_table
    return render_template(
        "model.h.j2",
        name=_comment(network.name),
        digest=f"{network.header['digest']:016x}",
        constants=constants,
        lanes=_wrapped(str(lane) for lane in _lanes(network)),
        tables=[_wrapped(str(value) for row in table for value in row)] if table else [],
        layers=[f"{{{first}, {_quoted(layer)}}}," for first, layer in _layers(network)],
        classes=[_wrapped(map(_quoted, classes))] if classes else [],
        fields=list(_fields(network, bool(classes))),
    )


def render_words_h() -> str:
    """`hw/driver/words.h`: what the registers `error` and `waiting` say, for every engine."""
    return render_template(
        "words.h.j2",
        errors=[(code.name, _quoted(code.meaning)) for code in isa.Error],
        waiting=[_quoted(meaning) for _, meaning in sorted(layout.WAITING.items())],
    )


def _constants(network: Network) -> Iterable[tuple[str, int, str]]:
    header, ports = network.header, network.ports
    sections = header["once_bytes"] + header["body_bytes"]
    image, result = ports.input_shape, ports.output_shape
    yield "IMAGES", ports.images, "of one iteration"
    yield "INPUT_CHANNELS", image[0], "of an image uint8_t[channels][rows][columns]"
    yield "INPUT_ROWS", image[1], "of an image"
    yield "INPUT_COLUMNS", image[2], "of an image"
    yield "IMAGE_BYTES", image[0] * image[1] * image[2], "of an image"
    yield "CLASSES", result[0], "channels of a result [channels][rows][columns]"
    yield "OUTPUT_ROWS", result[1], "of a result"
    yield "OUTPUT_COLUMNS", result[2], "of a result"
    yield "RESULT_BYTES", result[0] * result[1] * result[2], "of a result"
    yield "INPUT_STRIDE", header["input_stride"], "bytes of the buffer input per iteration"
    yield "OUTPUT_STRIDE", header["output_stride"], "bytes of the buffer output per iteration"
    yield "PROGRAM_BYTES", layout.HEADER_BYTES + sections, PROGRAM_FILE
    yield "WEIGHTS_BYTES", header["weights_bytes"], WEIGHTS_FILE
    yield "SCRATCH_BYTES", header["scratch_bytes"], "the buffer scratch"


def _fields(network: Network, named: bool) -> Iterable[tuple[str, Any]]:
    """Members of `struct cnnaccel_model`; those that are 0 or NULL left out."""
    ports = network.ports
    yield "name", _quoted(network.name)
    yield "digest", "CNNACCEL_DIGEST"
    yield "program_crc", f"UINT32_C(0x{network.header['header_crc']:08x})"
    yield "images", "CNNACCEL_MODEL_IMAGES"
    for name in ("input", "output"):
        shape = ports.input_shape if name == "input" else ports.output_shape
        yield f"{name}_shape", "{" + ", ".join(map(str, shape)) + "}"
    yield "image_bytes", "CNNACCEL_MODEL_IMAGE_BYTES"
    yield "result_bytes", "CNNACCEL_MODEL_RESULT_BYTES"
    yield "input_raw", str(ports.raw).lower()
    if ports.transposed:
        yield "transposed", "true"
    yield "output_signed", str(ports.output_dtype == "int8").lower()
    yield "output_words", len(ports.output_lanes) // ports.width
    yield "output_lanes", "cnnaccel_model_lanes"
    if ports.input_table is not None:
        yield "input_table", "cnnaccel_model_table"
    for name in ("input_stride", "output_stride", "program_bytes", "weights_bytes",
                 "scratch_bytes"):  # fmt: skip
        yield name, f"CNNACCEL_MODEL_{name.upper()}"
    yield "layers", "cnnaccel_model_layers"
    yield "layer_count", len(list(_layers(network)))
    if named:
        yield "classes", "cnnaccel_model_classes"


def _lanes(network: Network) -> Iterable[int]:
    """The first lane of each channel."""
    lanes = network.ports.output_lanes
    return (lanes.index(channel) for channel in range(network.ports.output_shape[0]))


def _layers(network: Network) -> Iterable[tuple[int, str]]:
    """First instruction and layer of each run of instructions for the same layer."""
    before = None
    for index, note in enumerate(network.notes):
        layer = note.partition(":")[0]
        if layer != before:
            yield index, layer
        before = layer


def _wrapped(items: Iterable[str]) -> list[str]:
    """Items with a comma behind each, as lines that are short."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) + 2 > _COLUMNS:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{item},"
    return lines


def _quoted(text: str) -> str:
    """A string of C: other characters than plain ASCII are octal escapes of UTF-8."""
    plain = json.dumps(text)[1:-1] if text.isascii() and text.isprintable() else None
    if plain is None:
        plain = "".join(
            chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}"
            for byte in text.encode()
        )
    return f'"{plain.replace("?", chr(92) + "?")}"'  # no trigraphs


def _comment(text: str) -> str:
    return text.replace("*/", "* /").replace("/*", "/ *") if text.isprintable() else repr(text)
