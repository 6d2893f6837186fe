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
from cnnaccel.runtime.pictures import CROPS
from cnnaccel.runtime.ports import Ports

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
    channels = network.ports.outputs[0].shape[0]
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
        outputs=[
            {
                "lanes": _wrapped(str(one.lanes.index(channel)) for channel in range(one.shape[0])),
                "fields": list(_output_fields(network.ports, number)),
            }
            for number, one in enumerate(network.ports.outputs)
        ],
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
    image, result = ports.input_shape, ports.outputs[0].shape
    yield "IMAGES", ports.images, "of one iteration"
    yield "INPUT_CHANNELS", image[0], "of an image uint8_t[channels][rows][columns]"
    yield "INPUT_ROWS", image[1], "of an image"
    yield "INPUT_COLUMNS", image[2], "of an image"
    yield "IMAGE_BYTES", image[0] * image[1] * image[2], "of an image"
    yield "OUTPUTS", len(ports.outputs), "of an image, one after another in its result"
    yield "CLASSES", result[0], "channels of the first output [channels][rows][columns]"
    yield "OUTPUT_ROWS", result[1], "of the first output"
    yield "OUTPUT_COLUMNS", result[2], "of the first output"
    yield "RESULT_BYTES", sum(one.elements for one in ports.outputs), "of a result"
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
    yield "input_shape", _braced(ports.input_shape)
    yield "image_bytes", "CNNACCEL_MODEL_IMAGE_BYTES"
    yield "result_bytes", "CNNACCEL_MODEL_RESULT_BYTES"
    yield "input_raw", str(ports.raw).lower()
    if ports.transposed:
        yield "transposed", "true"
    yield "outputs", "cnnaccel_model_outputs"
    yield "output_count", "CNNACCEL_MODEL_OUTPUTS"
    if ports.input_table is not None:
        yield "input_table", "cnnaccel_model_table"
    framed = network.preprocessing
    if framed is not None and framed.framing.crop != CROPS[0]:
        yield "crop", f"CNNACCEL_{framed.framing.crop.upper()}"
    for name in ("input_stride", "output_stride", "program_bytes", "weights_bytes",
                 "scratch_bytes"):  # fmt: skip
        yield name, f"CNNACCEL_MODEL_{name.upper()}"
    yield "layers", "cnnaccel_model_layers"
    yield "layer_count", len(list(_layers(network)))
    if named:
        yield "classes", "cnnaccel_model_classes"


def _output_fields(ports: Ports, number: int) -> Iterable[tuple[str, Any]]:
    """Members of `struct cnnaccel_output`."""
    one = ports.outputs[number]
    yield "name", _quoted(one.name)
    yield "shape", _braced(one.shape)
    yield "is_signed", str(one.dtype == "int8").lower()
    yield "words", len(one.lanes) // ports.width
    yield "lanes", f"cnnaccel_model_lanes_{number}"
    yield "scale", repr(float(one.scale))


def _braced(shape: Sequence[int]) -> str:
    return "{" + ", ".join(map(str, shape)) + "}"


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
