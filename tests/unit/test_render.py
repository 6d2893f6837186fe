"""What is rendered: golden files, and the same positions in Python, SystemVerilog, C and docs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cnnaccel.hardware import load_hardware
from cnnaccel.isa import instructions as isa
from cnnaccel.isa.instructions import Compute, Header, Load, Par, Store
from cnnaccel.isa.record import Record, layout
from cnnaccel.render.params import (
    render_isa_page,
    render_layout,
    render_params_h,
    render_params_svh,
)

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"
PAGE = ROOT / "docs/isa.md"
LAYOUT = ROOT / "cnnaccel/runtime/layout.py"
Golden = Callable[[Path, str], None]


class Place(NamedTuple):
    """Where a field lies, as each of the four texts tells it."""

    name: str
    at: int
    bits: int
    elements: int


def python_places(record: type[Record]) -> list[Place]:
    return [Place(f.name, f.at, f.bits, f.count or 1) for f in layout(record)]


@pytest.mark.parametrize("board", ["pynq_z1", "tiny"])
def test_golden_params(board: str, golden: Golden) -> None:
    hardware = load_hardware(board)
    golden(GOLDEN / board / "params.svh", render_params_svh(hardware))
    golden(GOLDEN / board / "params.h", render_params_h(hardware))


def test_golden_page(golden: Golden) -> None:
    golden(PAGE, render_isa_page())


def test_golden_layout(golden: Golden) -> None:
    golden(LAYOUT, render_layout())


@pytest.mark.parametrize("render", [render_params_svh, render_params_h])
def test_lines_are_short_and_bytes_the_same(render: Callable[..., str]) -> None:
    hardware = load_hardware("zcu104")
    text = render(hardware)
    assert text == render(hardware)
    assert max(map(len, text.splitlines())) <= 100
    assert not re.search(r"[ \t]$", text, re.MULTILINE) and text.endswith("\n")


def test_templates_compute_nothing() -> None:
    """They repeat and include, and say where values go."""
    for path in (ROOT / "templates").glob("*.j2"):
        if path.name == "quantize.md.j2":
            continue
        text = path.read_text(encoding="utf-8")
        assert {"for", "endfor", "include"} >= set(re.findall(r"{%-?\s*(\w+)", text)), path.name
        assert not re.search(r"{{[^}]*[-+*/][^}]*}}", text), path.name


# ---- SystemVerilog ---------------------------------------------------------------------------


def sv_scalars(text: str) -> dict[str, tuple[int, bool]]:
    """Bits and sign of every named type."""
    found = {"logic": (1, False)}
    for sign, msb, name in re.findall(r"typedef logic (signed )?\[(\d+):0\] (\w+);", text):
        found[name] = int(msb) + 1, bool(sign)
    for msb, name in re.findall(r"typedef enum logic \[(\d+):0\] {[^}]*} (\w+);", text):
        found[name] = int(msb) + 1, False
    return found


def sv_places(text: str, record: type[Record]) -> tuple[list[Place], list[bool], int]:
    """Places, signs and the size in bits of a packed struct, whose last member is lowest."""
    name = record.__name__.lower()
    found = re.search(rf"typedef struct packed {{([^}}]*)}} {name}_t;", text)
    assert found
    scalars, places, signs, at = sv_scalars(text), [], [], 0
    members = re.findall(r"^  (\w+) (?:\[(\d+):0\] )?(\w+);", found[1], re.MULTILINE)
    for kind, msb, member in reversed(members):
        bits, signed = scalars[kind]
        count = int(msb) + 1 if msb else 1
        if member != "reserved":
            places.append(Place(member, at, bits, count))
            signs.append(signed)
        at += bits * count
    return places, signs, at


@pytest.mark.parametrize("record", [Compute, Load, Store, Par])
def test_systemverilog_has_the_same_positions(record: type[Record]) -> None:
    places, signs, bits = sv_places(render_params_svh(load_hardware("tiny")), record)
    assert places == python_places(record)
    assert signs == [field.signed for field in layout(record)]
    assert bits == record.BYTES * 8


def test_systemverilog_has_the_same_registers() -> None:
    text = render_params_svh(load_hardware("tiny"))
    found = re.findall(r"Reg(\w+) = 8'h([0-9a-f]+);", text)
    assert [int(at, 16) for _, at in found] == [r.at for r in isa.registers()]
    assert [n.lower() for n, _ in found] == [r.name.replace("_", "") for r in isa.registers()]
    for code in isa.Opcode:
        assert f"Opcode{code.name.title().replace('_', '')} = 5'd{code.value}" in text


# ---- docs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "record"),
    [("compute", Compute), ("load", Load), ("store", Store), ("par", Par),
     ("Program header", Header), ("Head", isa.Instruction)],
)  # fmt: skip
def test_docs_have_the_same_positions(heading: str, record: type[Record]) -> None:
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(heading + "\n"))
    rows = re.findall(r"^\| `(\w+)` \| (?:(\d+) x )?(\d+) \| (\d+) \|", text, re.MULTILINE)
    places = [Place(name, int(at), int(bits), int(n or 1)) for name, n, bits, at in rows]
    assert places == python_places(record)


# ---- C ---------------------------------------------------------------------------------------

PROGRAM = """
#include "params.h"
#include <stddef.h>
#include <stdio.h>

static uint64_t bits(const uint8_t *record, int at, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value |= (uint64_t)(record[(at + i) / 8] >> (at + i) % 8 & 1) << i;
    return value;
}

int main(void)
{
    uint8_t record[128] = {0};
    size_t size = fread(record, 1, sizeof record, stdin);
    (void)size;
    (void)bits;
    MAIN
    return 0;
}
"""


@pytest.fixture(scope="module")
def run_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str], bytes], list[str]]:
    """run_c(lines, record): what a program with these lines in main prints, given the record."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("gcc is not on PATH")
    folder = tmp_path_factory.mktemp("c")
    (folder / "params.h").write_text(render_params_h(load_hardware("pynq_z1")), encoding="utf-8")

    def run(lines: list[str], record: bytes) -> list[str]:
        program = PROGRAM.replace("MAIN", "\n    ".join(lines))
        (folder / "main.c").write_text(program, encoding="utf-8")
        flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        subprocess.run([gcc, *flags, "main.c", "-o", "main"], cwd=folder, check=True)
        done = subprocess.run([folder / "main"], input=record, capture_output=True, check=True)
        return done.stdout.decode().split()

    return run


RECORDS = [
    Compute(bounds=tuple(range(2, 11)), a_jumps=tuple(range(-4, 5)), a_init=-7, in_h=2047,
            y_jumps=(-2048, 2047, 1, -1, 0, 5, 6), ox_jumps=(-65536, 65535, 1, -2), w_co=-32768,
            words=4, words_last=3, lanes_per_slot=4, high=255, wait_for=isa.Unit.LOAD),
    Load(opcode=isa.Opcode.UNFOLD, base=isa.Base.INPUT, advances=True, dram_offset=0xFFFFFFFF,
         dram_stride=-1, runs=65536, stride=-524288, kernel_w=7, pixel_bytes=3, plane=1048575),
    Store(base=isa.Base.OUTPUT, signal_to=isa.Unit.LOAD | isa.Unit.COMPUTE, address=12345),
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_c_reads_what_python_packs(
    record: isa.Instruction, run_c: Callable[..., list[str]]
) -> None:
    lines, expected = [], []
    name = type(record).__name__.upper()
    for field in layout(type(record)):
        macro = f"CNNACCEL_{name}_{field.name.upper()}"
        value = getattr(record, field.name)
        for index, element in enumerate((value,) if field.count is None else value):
            place = f"{macro}_AT + {index} * {macro}_BITS, {macro}_BITS"
            lines.append(f'printf("%llu\\n", (unsigned long long)bits(record, {place}));')
            expected.append(field.encode(element))
    lines.append(f'printf("%d\\n", CNNACCEL_{name}_BYTES);')
    assert [int(line) for line in run_c(lines, record.pack())] == [*expected, record.BYTES]


def test_c_has_the_same_header_and_registers(run_c: Callable[..., list[str]]) -> None:
    board = load_hardware("pynq_z1")
    expected = {f"offsetof(struct cnnaccel_header, {f.name})": f.at // 8 for f in layout(Header)}
    expected["sizeof(struct cnnaccel_header)"] = Header.BYTES
    expected["CNNACCEL_DIGEST"] = board.digest
    for register in isa.registers():
        expected[f"CNNACCEL_REG_{register.name.upper()}"] = register.at
        for bit, flag in enumerate(register.flags):
            macro = f"CNNACCEL_{register.name}_{flag.name}".upper()
            expected |= {f"{macro}_SHIFT": bit, f"{macro}_MASK": 1 << bit}
    lines = [f'printf("%llu\\n", (unsigned long long){text});' for text in expected]
    assert [int(line) for line in run_c(lines, b"")] == list(expected.values())
