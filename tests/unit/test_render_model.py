"""`model.h` of a compiled network: what is in it, that C takes it, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import load_hardware
from cnnaccel.isa.description import Description
from cnnaccel.isa.instructions import Compute, Load, Opcode
from cnnaccel.isa.program import Note, Program
from cnnaccel.render.model import render_model_h, render_words_h
from cnnaccel.render.params import render_params_h
from cnnaccel.runtime import layout
from cnnaccel.runtime.ports import Output, Ports

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "hw/driver"
TINY = load_hardware("tiny")
NOTHING = Compute(opcode=Opcode.MAX, drain=False, out_w=0)
LOAD = Load(opcode=Opcode.LOAD_ACT)
PROGRAM = Program(
    digest=TINY.digest, once=(LOAD,), body=(NOTHING, NOTHING, LOAD), weights=bytes(100),
    images_per_iteration=2, input_stride=60, output_stride=64, scratch_bytes=12,
)  # fmt: skip
TABLE = tuple(tuple((at + channel) % 256 - 128 for at in range(256)) for channel in range(3))
LOGITS = Output("logits", (3, 2, 2), "int8", 0.5, (2, -1, 1, 0, 0, -1, -1, -1))
PORTS = Ports((3, 2, 5), True, (LOGITS,), 2, 4, TABLE)
NOTES = (Note("conv1", "a"), Note("conv1", "b"), Note('fc "2"', "c: d"), Note("conv1", "e"))
NAMES = ("shirt", 'a "b"\\', "größe")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A program of three channels in lanes 3, 2, 0, pixels through a table."""
    PROGRAM.to_files(tmp_path)
    Description("net", TINY, PORTS, NOTES).to_file(tmp_path)
    return tmp_path


def test_golden_model(folder: Path, golden: Callable[[Path, str], None]) -> None:
    golden(ROOT / "tests/golden/tiny/model.h", render_model_h(folder, NAMES))


def test_golden_words(golden: Callable[[Path, str], None]) -> None:
    golden(DRIVER / "words.h", render_words_h())


def test_same_bytes_and_short_lines(folder: Path) -> None:
    text = render_model_h(folder)
    assert text == render_model_h(folder) and "classes[]" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert not re.search(r"[ \t]$", text, re.MULTILINE) and text.endswith("\n")


def test_what_a_host_wants_to_know(folder: Path) -> None:
    text = render_model_h(folder)
    numbers = dict(re.findall(r"CNNACCEL_MODEL_(\w+) = (\d+)", text))
    assert numbers == {
        "IMAGES": "2", "INPUT_CHANNELS": "3", "INPUT_ROWS": "2", "INPUT_COLUMNS": "5",
        "IMAGE_BYTES": "30", "OUTPUTS": "1", "CLASSES": "3", "OUTPUT_ROWS": "2",
        "OUTPUT_COLUMNS": "2", "RESULT_BYTES": "12", "INPUT_STRIDE": "60", "OUTPUT_STRIDE": "64",
        "PROGRAM_BYTES": str((folder / "program.bin").stat().st_size), "WEIGHTS_BYTES": "100",
        "SCRATCH_BYTES": "12",
    }  # fmt: skip
    assert re.search(r"model_lanes_0\[\] = \{\n    3, 2, 0,\n\}", text)
    layers = re.search(r"model_layers\[\] = \{\n(.*?)\};", text, re.DOTALL)
    assert layers is not None
    assert layers[1].split("\n") == [
        '    {0, "conv1"},', '    {2, "fc \\"2\\""},', '    {3, "conv1"},', "",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["net", "*/ #error /* a\\", 'x"y', "zwei\nZeilen", "??/", "größe"])
def test_c_takes_any_name(folder: Path, name: str) -> None:
    """And reads the same name out of it."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing")
    description = json.loads((folder / "network.json").read_text())
    (folder / "network.json").write_text(json.dumps({**description, "network": name}))
    (folder / "model.h").write_text(render_model_h(folder, NAMES), encoding="utf-8")
    (folder / "params.h").write_text(render_params_h(TINY))
    (folder / "main.c").write_text(
        '#include <stdio.h>\n#include "model.h"\nint main(void) { fputs(cnnaccel_model.name, '
        "stdout); return puts(cnnaccel_model.classes[2]) == EOF; }\n"
    )
    subprocess.run(
        ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror",
         "-I.", f"-I{DRIVER}", "main.c", "-o", "main"],
        cwd=folder, check=True,
    )  # fmt: skip
    done = subprocess.run([folder / "main"], capture_output=True, check=True)
    assert done.stdout.decode() == name + NAMES[2] + "\n"


@pytest.mark.parametrize("name", ["program.bin", "weights.bin", "network.json"])
def test_damaged_files(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-9])
    with pytest.raises(ProgramError, match=name):
        render_model_h(folder)
    (folder / name).unlink()
    with pytest.raises(ProgramError, match=f"{name}: No such file"):
        render_model_h(folder)


def test_what_is_refused(folder: Path) -> None:
    with pytest.raises(ProgramError, match="2 names for 3 classes"):
        render_model_h(folder, NAMES[:2])
    replace(PROGRAM, input_stride=1 << 31).to_files(folder)
    with pytest.raises(ProgramError, match="INPUT_STRIDE 2,147,483,648 is too large"):
        render_model_h(folder)
    replace(PROGRAM, digest=5).to_files(folder)
    with pytest.raises(ProgramError, match="different engines"):
        render_model_h(folder)


def test_words_are_in_the_order_of_the_bits() -> None:
    found = re.findall(r'^    "(.*)",$', render_words_h(), re.MULTILINE)
    assert found == [layout.WAITING[1 << bit] for bit in range(len(found))]
    assert len(found) == len(layout.WAITING)
