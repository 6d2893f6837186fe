"""How images and results lie in DRAM, and `network.json`, whole or damaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.description import Description, load_compiled, load_description
from cnnaccel.isa.instructions import Compute, Opcode
from cnnaccel.isa.program import Note, Program, folder_of
from cnnaccel.runtime.ports import Output, Ports, join, split
from cnnaccel.runtime.tail import HostTail, Source, Step, Value

HARDWARE = HardwareConfig(pixel_lanes=2, input_lanes=4, output_lanes=4, clock_mhz=62.5)
LOGITS = Output("logits", (3, 2, 1), "int8", 0.5, (0, 1, -1, -1, 2, -1, -1, -1))
PORTS = Ports((3, 2, 5), True, (LOGITS,), 2, 4)
NOTHING = Compute(opcode=Opcode.MAX, drain=False, out_w=0)
PROGRAM = Program(digest=HARDWARE.digest, once=(NOTHING,), body=(NOTHING, NOTHING))
NOTES = (Note("conv1", "start"), Note("conv1", "rows 0..1"), Note("end", "wait"))
LOGITS_BYTES = 2 * 2 * 2 * 4
TAIL = HostTail(
    (Source("x", "logits", (3, 2)),),
    (Step("y", "softmax.int", (Value("x"), -1)), Step("z", "clamp", (Value("y"), 0.0, None))),
    {"anchors": np.arange(6, dtype=np.float32).reshape(2, 3)},
    (("scores", "z"), ("anchors", "anchors")),
)
DESCRIPTION = Description("net", HARDWARE, PORTS, NOTES)
TABLE = tuple(tuple(range(-128, 128)) for _ in range(3))


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_pack_places_every_pixel(raw: bool, count: int, rng: np.random.Generator) -> None:
    ports = replace(PORTS, raw=raw)
    images = rng.integers(0, 256, (count, 3, 2, 5), np.uint8)
    rounds = count + count % 2
    if raw:
        laid = ports.pack(images).reshape(rounds, 2, 5, 3)
    else:
        laid = ports.pack(images).reshape(rounds, 2, 5, 4)
        assert not laid[..., 3].any()
    for image, channel, y, x in np.ndindex(images.shape):
        assert laid[image, y, x, channel] == images[image, channel, y, x]
    assert not laid[count:].any()


def test_pack_takes_words_one_after_the_other(rng: np.random.Generator) -> None:
    ports = replace(PORTS, input_shape=(6, 2, 3), raw=False)
    images = rng.integers(0, 256, (2, 6, 2, 3), np.uint8)
    laid = ports.pack(images).reshape(2, 2, 2, 3, 4)
    for image, channel, y, x in np.ndindex(images.shape):
        assert laid[image, channel // 4, y, x, channel % 4] == images[image, channel, y, x]


def test_pack_maps_pixels_through_the_table(rng: np.random.Generator) -> None:
    table = rng.integers(-128, 128, (3, 256))
    ports = replace(PORTS, input_table=tuple(map(tuple, table.tolist())))
    images = rng.integers(0, 256, (2, 3, 2, 5), np.uint8)
    laid = ports.pack(images).view(np.int8).reshape(2, 2, 5, 3)
    for image, channel, y, x in np.ndindex(images.shape):
        assert laid[image, y, x, channel] == table[channel, images[image, channel, y, x]]


@pytest.mark.parametrize("shape", [(1, 3, 5, 2), (1, 2, 2, 5), (3, 2, 5)])
def test_pack_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ProgramError, match=r"the program takes uint8 images of \[3, 2, 5\]"):
        PORTS.pack(np.zeros(shape, np.uint8))
    with pytest.raises(ProgramError, match="int32"):
        PORTS.pack(np.zeros((1, 3, 2, 5), np.int32))


def test_unpack_finds_every_channel_of_every_image(rng: np.random.Generator) -> None:
    laid = rng.integers(-128, 128, (3, 2, 2, 1, 2, 4), np.int8)  # [iteration][word][y][x][image]
    found = PORTS.unpack(laid.view(np.uint8).reshape(-1), 5)
    assert found.shape == (5, 3, 2, 1) and found.dtype == np.int8
    for image, channel, y, x in np.ndindex(found.shape):
        word, lane = divmod(LOGITS.lanes.index(channel), 4)
        assert found[image, channel, y, x] == laid[image // 2, word, y, x, image % 2, lane]


def test_outputs_of_both_types_lie_one_after_another(rng: np.random.Generator) -> None:
    """Each is found behind those before it, in every iteration; joined and split they are whole."""
    second = Output("map", (2, 1, 3), "uint8", 0.25, (1, 0, -1, -1), LOGITS_BYTES)
    ports = replace(PORTS, outputs=(LOGITS, second))
    laid = rng.integers(0, 256, (3, LOGITS_BYTES + 4 * 3 * 2), np.uint8)
    found = ports.unpack(laid.reshape(-1), 5)
    assert found.shape == (5, 12) and found.dtype == np.int16
    logits, map_ = split(found, [LOGITS.shape, second.shape])
    alone = PORTS.unpack(np.ascontiguousarray(laid[:, :LOGITS_BYTES]).reshape(-1), 5)
    assert (logits == alone).all()
    words = laid[:, LOGITS_BYTES:].reshape(3, 3, 2, 4)  # [iteration][x][image][lane]
    for image, channel, x in np.ndindex(5, 2, 3):
        assert map_[image, channel, 0, x] == words[image // 2, x, image % 2, 1 - channel]
    assert (join([logits, map_]) == found).all() and join([alone]) is alone


@pytest.mark.parametrize("table", [None, TABLE], ids=["pixels", "table"])
def test_description_comes_back(table: Any, tmp_path: Path) -> None:
    description = replace(DESCRIPTION, ports=replace(PORTS, input_table=table))
    description.to_file(tmp_path)
    assert load_description(tmp_path) == description
    first = (tmp_path / "network.json").read_bytes()
    load_description(tmp_path).to_file(tmp_path)
    assert (tmp_path / "network.json").read_bytes() == first


def test_a_host_tail_comes_back(tmp_path: Path) -> None:
    replace(DESCRIPTION, tail=TAIL).to_file(tmp_path)
    tail = load_description(tmp_path).tail
    assert tail is not None and tail.to_json() == TAIL.to_json()
    values = {"logits": np.arange(12.0).reshape(2, 3, 2, 1)}
    assert tail.operators == ("softmax", "clamp")
    for name, value in TAIL.run(values, 2).items():
        assert np.array_equal(tail.run(values, 2)[name], value)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON document."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def test_damage_is_refused_or_does_not_matter(tmp_path: Path) -> None:
    """Every value replaced by every kind of value; nothing but a ProgramError may come of it."""
    replace(DESCRIPTION, tail=TAIL).to_file(tmp_path)
    path = tmp_path / "network.json"
    whole = json.loads(path.read_text())
    refused = 0
    for place in places(whole):
        for other in (None, True, -3, 2.5, 10**30, "x", [], {}, [[1]], {"a": 1}):
            values = copy.deepcopy({"top": whole})
            inner: Any = values
            *way, last = ("top", *place)
            for key in way:
                inner = inner[key]
            inner[last] = other
            path.write_text(json.dumps(values["top"]))
            try:
                found = load_description(tmp_path).ports
            except ProgramError as error:
                refused += 1
                assert str(path) in str(error) and "\n" not in str(error)
            else:
                (one,) = found.outputs
                output = np.zeros(found.images * len(one.lanes) * 2, np.uint8)
                found.pack(np.zeros((1, *found.input_shape), np.uint8))
                assert found.unpack(output, 1).shape == (1, *LOGITS.shape)
    assert refused > 150


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b"x" * 99]
)
def test_garbage_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "network.json").write_bytes(data)
    with pytest.raises(ProgramError, match=r"network\.json: .*; compile again"):
        load_description(tmp_path)


@pytest.mark.parametrize(
    "table",
    [TABLE[:2], (TABLE[0], *TABLE[:2], TABLE[0][1:]), ((0.5,) * 256,) * 3, ((128,) * 256,) * 3],
)
def test_a_table_of_another_shape_is_refused(table: Any, tmp_path: Path) -> None:
    replace(DESCRIPTION, ports=replace(PORTS, input_table=table)).to_file(tmp_path)
    with pytest.raises(ProgramError, match="not a network description"):
        load_description(tmp_path)


def test_hardware_that_was_edited_is_refused(tmp_path: Path) -> None:
    DESCRIPTION.to_file(tmp_path)
    path = tmp_path / "network.json"
    path.write_text(path.read_text().replace('"act_kib": 256', '"act_kib": 128'))
    with pytest.raises(ProgramError, match="digest"):
        load_description(tmp_path)


def test_a_program_gets_its_notes(tmp_path: Path) -> None:
    PROGRAM.to_files(tmp_path)
    with pytest.raises(ProgramError, match=r"network\.json: No such file"):
        load_compiled(tmp_path)
    assert load_compiled(tmp_path, HARDWARE)[0].notes == ()
    DESCRIPTION.to_file(tmp_path)
    for hardware in (None, HARDWARE, replace(HARDWARE, clock_mhz=200)):
        program, found = load_compiled(tmp_path, hardware)
        assert program == PROGRAM and program.notes == NOTES
        assert found == (hardware or HARDWARE)
    with pytest.raises(ProgramError, match="made for hardware"):
        load_compiled(tmp_path, HardwareConfig())
    replace(DESCRIPTION, notes=NOTES[:2]).to_file(tmp_path)
    with pytest.raises(ProgramError, match="of another program"):
        load_compiled(tmp_path)


def test_folder_of_a_program(tmp_path: Path) -> None:
    assert folder_of(tmp_path) == tmp_path
    assert folder_of(tmp_path / "program.bin") == tmp_path
    for name in ("weights.bin", "network.json", "nowhere"):
        with pytest.raises(ProgramError, match=r"no program\.bin"):
            folder_of(tmp_path / name)
