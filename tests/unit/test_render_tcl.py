"""config.tcl: golden files, the same facts as the engine, presets that fit the part."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnaccel.errors import ConfigError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.render.params import register_words
from cnnaccel.render.tcl import BURST_BEATS, BURSTS, PRESET_PARTS, render_config_tcl

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
        assert f"parameter int unsigned Outstanding = {BURSTS}" in text
    splitter = (ROOT / "hw/rtl/burst_splitter.sv").read_text(encoding="utf-8")
    assert f"no burst has more than {BURST_BEATS} beats" in splitter


# ---- presets and clocks ----------------------------------------------------------------------


def test_every_preset_is_a_script() -> None:
    scripts = {path.stem for path in (ROOT / "hw/tcl/vivado/boards").glob("*.tcl")}
    known = typing.get_args(typing.get_type_hints(HardwareConfig)["ps_preset"])
    assert scripts == set(PRESET_PARTS) == set(known)
    for name in scripts:
        assert load_hardware(name).ps_preset == name


def test_a_preset_of_another_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("part: xczu7ev-ffvc1156-2-e\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"part is xczu7ev.*set ps_preset to zcu104"):
        render_config_tcl(load_hardware(path))
    path.write_text("part: xczu3eg-sbva484-1-e\nps_preset: zcu104\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"docs/build-hw\.md"):
        render_config_tcl(load_hardware(path))
    path.write_text("# mine\nps_preset: zcu_104\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2: .*did you mean 'zcu104'"):
        load_hardware(path)


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
