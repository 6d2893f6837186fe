"""config.tcl: golden files, the same facts as the engine, presets that fit the part."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnaccel.errors import ConfigError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.presets import read_preset, shipped_presets
from cnnaccel.render.device_tree import render_device_trees
from cnnaccel.render.params import register_words
from cnnaccel.render.tcl import BURST_BEATS, BURSTS, preset_of, render_config_tcl

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"
BOARDS = sorted(path.stem for path in (ROOT / "configs/boards").glob("*.yaml"))


@pytest.mark.parametrize("board", ["pynq_z1", "zcu104"])
def test_golden_config(board: str, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / board / "config.tcl", render_config_tcl(load_hardware(board)))


def test_it_is_short_clean_and_the_same_each_time() -> None:
    text = render_config_tcl(load_hardware("zcu104"))
    assert text == render_config_tcl(load_hardware("zcu104"))
    assert max(map(len, text.splitlines())) <= 120
    assert not re.search(r"[ \t]$", text, re.MULTILINE) and text.endswith("}\n")
    assert "/" not in text.split("array set", 1)[1].split("set config(registers)")[0]


def test_a_name_of_a_board_is_one_word() -> None:
    hardware = dataclasses.replace(HardwareConfig(), name="my board [exit] {")
    assert "    board my_board__exit___\n" in render_config_tcl(hardware)


def test_tcl_reads_what_python_wrote() -> None:
    """In tclsh: every constant, register and flag, with all its words."""
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not on PATH")
    hardware = load_hardware("pynq_z1")
    script = render_config_tcl(hardware) + (
        'puts "$config(part) $config(engine_base) $config(digest)"\n'
        "foreach register $config(registers) {\n"
        "    lassign $register name at access meaning flags\n"
        '    puts "$name $at $access [string trim $meaning]"\n'
        '    foreach flag $flags { lassign $flag name bit text\n puts "$name $bit '
        '[string trim $text]" }\n'
        "}\n"
    )
    done = subprocess.run(["tclsh"], input=script, capture_output=True, text=True, check=True)
    expected = [f"xc7z020clg400-1 0x43C00000 {hardware.digest:016x}"]
    for name, at, meaning, access, flags in register_words():
        expected.append(f"{name} 0x{at:02x} {access} {meaning}")
        expected += [f"{flag['name']} {flag['bit']} {flag['meaning']}" for flag in flags]
    assert done.stdout.splitlines() == expected and not done.stderr


def test_bursts_are_those_of_the_rtl() -> None:
    for master in ("read", "write"):
        text = (ROOT / f"hw/rtl/axi_{master}_master.sv").read_text(encoding="utf-8")
        assert re.search(rf"\bOutstanding *= {BURSTS},? ", text)
    splitter = (ROOT / "hw/rtl/burst_splitter.sv").read_text(encoding="utf-8")
    assert f"no burst has more than {BURST_BEATS} beats" in splitter


# ---- presets and clocks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part", "dram_mib"),
    [
        ("pynq_z1", "xc7z020clg400", 512),
        ("pynq_z2", "xc7z020clg400", 512),
        ("zcu104", "xczu7ev", 2048),
    ],
)
def test_shipped_presets(name: str, part: str, dram_mib: int) -> None:
    preset = read_preset(shipped_presets()[name])
    assert (preset.part, preset.dram_bytes) == (part, dram_mib << 20)
    board = load_hardware(name)
    assert board.ps_preset == name and preset_of(board) == preset
    text = render_config_tcl(board)
    assert (
        f"    preset {name}\n    board_part {{}}\n    dram_bytes 0x{dram_mib << 20:08X}\n" in text
    )


def written(folder: Path, text: str) -> Path:
    """A board's file of a user, with a preset beside it."""
    (folder / "mine.tcl").write_text(OWN, encoding="utf-8")
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return folder / "mine.yaml"


OWN = "set preset(part) xc7z010\nset preset(dram_bytes) 0x10000000\nset preset(config) {}\n"
ARTY = "board_part: digilentinc.com:arty-z7-20:part0:1.1\n"


def test_a_preset_beside_the_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "part: xc7z010clg400-1\nps_preset: mine.tcl\n")
    board = load_hardware(path)
    assert board.reached_dram_bytes == 256 << 20
    preset = preset_of(board)
    assert preset is not None and preset.text == OWN
    assert "    preset mine\n" in render_config_tcl(board)
    assert str(tmp_path) not in render_config_tcl(board)
    monkeypatch.chdir(tmp_path)  # a path without a folder is as good
    assert preset_of(dataclasses.replace(load_hardware("mine.yaml"), clock_mhz=50.0)) == preset


@pytest.mark.parametrize(
    ("dram", "reached"), [(512, 512 << 20), (1024, 1 << 30), (4096, 1 << 30), (3000, 1 << 30)]
)
def test_memory_of_a_board_by_its_name(dram: int, reached: int, tmp_path: Path) -> None:
    board = load_hardware(written(tmp_path, f"{ARTY}dram_mib: {dram}\n"))
    assert preset_of(board) is None and board.reached_dram_bytes == reached
    text = render_config_tcl(board)
    assert "    preset {}\n    board_part digilentinc.com:arty-z7-20:part0:1.1\n" in text
    assert f"    dram_bytes 0x{reached:08X}\n" in text


REFUSED = [
    ("ps_preset: zcu_104", r"mine\.yaml:2: ps_preset is one of .* did you mean 'zcu104'"),
    ("ps_preset: mine", r"mine\.yaml:2: ps_preset is one of .* did you mean 'mine.tcl'"),
    ("ps_preset: their.tcl", r"mine\.yaml:2: ps_preset is their\.tcl, and there is no file "),
    ("ps_preset: /nowhere/x.tcl", r"mine\.yaml:2: ps_preset is .* no file /nowhere/x\.tcl"),
    ("ps_preset: mine.tcl\n" + ARTY, r"mine\.yaml:3: board_part and ps_preset are both given"),
    ("board_part: arty", r"mine\.yaml:2: board_part must be vendor:board:part0:version, .* 'arty'"),
    ("board_part: a:b:part0:*", r"mine\.yaml:2: board_part must be"),
    ("board_part: a:b:part0:1.0:2", r"mine\.yaml:2: board_part must be"),
    ("board_part: 'a:b c:part0:1.0'", r"mine\.yaml:2: board_part must be"),
    ("board_part: 'a:b:part0:1.0}'", r"mine\.yaml:2: board_part must be"),
    ("dram_mib: 0", r"mine\.yaml:2: dram_mib must be a power of two from 16 up, or more than 1024"),
    ("dram_mib: 500", r"mine\.yaml:2: dram_mib must be a power of two from 16 up"),
    (ARTY + "dram_mib: 512\ncontiguous_mib: 513", r"mine\.yaml:4: contiguous_mib is 513"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_no_board_has(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load_hardware(written(tmp_path, f"# mine\n{text}\n"))


UNBUILT = [
    ("# mine\n", r"mine\.yaml: nothing says .* processing system .* give board_part or ps_preset"),
    (
        "ps_preset: pynq_z1\ndram_mib: 1024\n",
        r"mine\.yaml:2: dram_mib is 1024, and ps_preset .* 512",
    ),
    (ARTY, r"mine\.yaml:1: board_part wants dram_mib beside it"),
    (
        "part: xczu7ev-ffvc1156-2-e\nps_preset: pynq_z1\n",
        r"mine\.yaml:2: ps_preset pynq_z1 is of a board with xc7z020clg400, the part is xczu7ev.* "
        "set ps_preset to zcu104",
    ),
    ("part: xczu3eg-sbva484-1-e\nps_preset: zcu104\n", r"mine\.yaml:2: .* docs/build-hw\.md"),
    (
        "ps_preset: mine.tcl\n",
        r"mine\.yaml:1: ps_preset mine\.tcl is of a board with xc7z010, "
        "the part is xc7z020clg400-1; set ps_preset to pynq_z1 or pynq_z2",
    ),
]


@pytest.mark.parametrize(("text", "message"), UNBUILT, ids=[row[0] for row in UNBUILT])
def test_boards_that_only_a_bitstream_cannot_have(text: str, message: str, tmp_path: Path) -> None:
    board = load_hardware(written(tmp_path, text))
    with pytest.raises(ConfigError, match=message):
        render_config_tcl(board)
    assert render_device_trees(board)


@pytest.mark.parametrize("line", ["part", "dram_bytes"])
def test_a_preset_says_what_it_is_of(line: str, tmp_path: Path) -> None:
    path = written(tmp_path, "part: xc7z010clg400-1\nps_preset: mine.tcl\n")
    lines = [text for text in OWN.splitlines() if f"({line})" not in text]
    (tmp_path / "mine.tcl").write_text("\n".join(lines), encoding="utf-8")
    expected = rf"mine\.tcl: there is no line that sets preset\({line}\) to a constant"
    with pytest.raises(ConfigError, match=expected):
        render_config_tcl(load_hardware(path))
    (tmp_path / "mine.tcl").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"mine\.tcl: cannot read this preset"):
        render_config_tcl(load_hardware(path))


@pytest.mark.parametrize(
    ("board", "wanted", "divisors", "made"),
    [
        ("pynq_z1", 100, (10, 1), 100.0),
        ("pynq_z1", 150, (7, 1), 142.857),
        ("pynq_z1", 125, (8, 1), 125.0),
        ("pynq_z1", 10, (50, 2), 10.0),
        ("pynq_z1", 0.01, (63, 63), 0.252),
        ("pynq_z1", 5000, (1, 1), 1000.0),
        ("zcu104", 200, (8, 1), 187.5),
        ("zcu104", 300, (5, 1), 300.0),
    ],
)
def test_clocks(board: str, wanted: float, divisors: tuple[int, int], made: float) -> None:
    ps = load_hardware(board).system
    assert ps.divisors(wanted) == divisors
    assert round(ps.clock_mhz(wanted), 3) == made
