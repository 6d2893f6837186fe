"""Engines: which can be built, what they cost, and what their digest depends on."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from cnnaccel.devices import DEVICES, Resources
from cnnaccel.errors import ConfigError
from cnnaccel.fields import FieldError
from cnnaccel.hardware import HardwareConfig, load_hardware

ROOT = Path(__file__).parents[2]
BOARDS = sorted((ROOT / "configs/boards").glob("*.yaml"))


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_shipped_board_fits_its_part(path: Path) -> None:
    board = load_hardware(path.stem)
    assert board == load_hardware(path)
    assert board.name == path.stem
    assert board.fits() and board.exceeds() == ()
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_the_boards_of_the_issue_are_there() -> None:
    assert {"pynq_z1", "pynq_z1_512", "pynq_z2", "tiny", "zcu104"} <= {p.stem for p in BOARDS}


def test_complete_board_has_every_key_and_the_defaults() -> None:
    text = (ROOT / "configs/boards/pynq_z1.yaml").read_text(encoding="utf-8")
    keys = re.findall(r"^(\w+):", text, re.MULTILINE)
    fields = dataclasses.fields(HardwareConfig)
    assert keys == [field.name for field in fields if "internal" not in field.metadata]
    assert load_hardware("pynq_z1") == HardwareConfig(name="pynq_z1", contiguous_mib=128)


# ---- figures ---------------------------------------------------------------------------------


def test_pynq_z1_costs_what_yosys_says() -> None:
    """As `tests/rtl/test_synthesis.py` measures it."""
    board = load_hardware("pynq_z1")
    cost = board.estimated_resources
    assert (cost.dsp, cost.bram36) == (144, 99.5)
    assert abs(cost.lut - 16_041) < 400
    assert board.device == DEVICES["xc7z020"]
    assert (board.device.dsp, board.device.bram36, board.device.lut) == (220, 140, 53_200)
    assert (board.act_words, board.wgt_words, board.par_groups) == (32768, 2048, 512)
    assert (board.wgt_word_bytes, board.par_word_bytes) == (64, 56)
    assert board.peak_macs == 256


def test_512_macs_of_pynq_z1_take_luts_for_what_the_dsps_cannot() -> None:
    board = load_hardware("pynq_z1_512")
    assert board.peak_macs == 512
    assert board.array_products == 256 and board.array_dsp == 184
    assert board.estimated_resources.dsp == 200
    unlimited = dataclasses.replace(board, dsp_budget=None)
    assert unlimited.exceeds() == ("272 of 220 DSP",)
    assert unlimited.estimated_resources.lut < board.estimated_resources.lut < 0.75 * 53_200


@pytest.mark.parametrize(
    ("lanes", "packing", "dsp"),
    [
        ((4, 8, 8), True, 144),
        ((4, 8, 8), False, 272),
        ((2, 8, 16), True, 144),
        ((8, 8, 8), True, 272),
        ((4, 8, 16), True, 272),
        ((1, 8, 8), True, 80),  # one lane has nobody to share a DSP with
        ((1, 8, 8), False, 80),
        ((1, 4, 4), True, 24),
        ((2, 4, 16), True, 72),
        ((8, 16, 64), True, 4128),
    ],
)
def test_dsp(lanes: tuple[int, int, int], packing: bool, dsp: int) -> None:
    board = HardwareConfig(*lanes, dsp_packing=packing)
    assert board.estimated_resources.dsp == dsp
    assert board.lanes == lanes


def test_exceeds_names_everything_that_is_short() -> None:
    big = HardwareConfig(8, 16, 64, act_kib=1024)
    dsp, bram, lut = big.exceeds()
    assert dsp == "4,128 of 220 DSP" and "of 140 BRAM36" in bram and "of 53,200 LUT" in lut
    assert not big.fits() and big.fits(Resources(10_000, 10_000, 1_000_000))
    assert not HardwareConfig().fits(DEVICES["xc7z010"])


def test_every_engine_there_can_be_has_figures() -> None:
    for p in (1, 2, 4, 8):
        for c in (4, 8, 16):
            for k in (c, 2 * c, 4 * c):
                board = HardwareConfig(p, c, k, act_kib=4, wgt_kib=4)
                assert board.act_words % (4 * p) == 0 and board.wgt_words >= 4
                assert min(dataclasses.astuple(board.estimated_resources)) > 0


# ---- digest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"pixel_lanes": 8},
        {"input_lanes": 4},
        {"output_lanes": 16},
        {"act_kib": 128},
        {"wgt_kib": 64},
        {"par_groups": 256},
    ],
    ids=str,
)
def test_digest_changes_with_what_a_program_means(change: Any) -> None:
    assert dataclasses.replace(HardwareConfig(), **change).digest != HardwareConfig().digest


@pytest.mark.parametrize(
    "change",
    [
        {"clock_mhz": 150.0},
        {"part": "xczu7ev-ffvc1156-2-e"},
        {"dsp_packing": False},
        {"dsp_budget": 100},
        {"address_bits": 40},
        {"name": "mine"},
    ],
    ids=str,
)
def test_digest_stays_with_all_else(change: Any) -> None:
    assert dataclasses.replace(HardwareConfig(), **change).digest == HardwareConfig().digest


def test_digest_depends_on_the_format(monkeypatch: pytest.MonkeyPatch) -> None:
    before = HardwareConfig().digest
    monkeypatch.setattr("cnnaccel.hardware.FORMAT_VERSION", 1000)
    assert HardwareConfig().digest != before


def test_digest_is_the_same_everywhere() -> None:
    assert HardwareConfig().digest == 0x131C0B95F91BF7F2


# ---- refusals --------------------------------------------------------------------------------

REFUSED: list[tuple[str, int, str]] = [
    ("pixel_lanes: 3", 1, "pixel_lanes must be 1, 2, 4 or 8, got 3"),
    ("pixel_lanes: 16", 1, "pixel_lanes must be 1, 2, 4 or 8, got 16"),
    ("pixel_lanes: 4.0", 1, "pixel_lanes must be a whole number, got 4.0"),
    ("pixel_lanes: true", 1, "pixel_lanes must be a whole number, got True"),
    ("input_lanes: 12\noutput_lanes: 12", 1, "input_lanes must be 4, 8 or 16, got 12"),
    ("output_lanes: 12", 1, "must be 1, 2 or 4 times input_lanes, so 8, 16 or 32; got 12"),
    ("input_lanes: 16", 1, "output_lanes must be .* so 16, 32 or 64; got 8"),
    ("act_kib: 2", 1, "act_kib must be a power of two from 4 up, got 2"),
    ("clock_mhz: 100\nact_kib: 96", 2, "act_kib must be a power of two from 4 up, got 96"),
    ("wgt_kib: 0", 1, "wgt_kib must be a power of two from 4 up, got 0"),
    ("wgt_kib: -4", 1, "wgt_kib must be a power of two from 4 up, got -4"),
    ("act_kib: 8192", 1, "1,048,576 words, an instruction addresses 524,288; at most 4096 KiB"),
    ("wgt_kib: 8192", 1, "131,072 words, an instruction addresses 65,536; at most 4096 KiB"),
    ("par_groups: 2048", 1, "par_groups must be a power of two from 16 to 1024, got 2048"),
    ("par_groups: 100", 1, "par_groups must be a power of two from 16 to 1024, got 100"),
    ("address_bits: 31", 1, "address_bits must be 32 to 64, got 31"),
    ("clock_mhz: 0", 1, "clock_mhz must be positive, got 0"),
    ("dsp_budget: 15", 1, "dsp_budget must be at least 16, which requantizing takes; got 15"),
    ("part: xc7a35t", 1, "part must begin with one of xc7z010, .*; got 'xc7a35t'"),
    ("# mine\npixel_lane: 4", 2, r"unknown key 'pixel_lane'; did you mean 'pixel_lanes'\?"),
    ("name: mine", 1, "unknown key 'name'"),
    ("dsp_packing: 1", 1, "dsp_packing must be true or false, got 1"),
    ("- 1", 1, "a configuration must be a mapping"),
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_refused(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"mine\.yaml:{line}: .*{message}"):
        load_hardware(path)


def test_an_override_is_refused_by_its_name() -> None:
    assert load_hardware("tiny", ["pixel_lanes=4"]).pixel_lanes == 4
    with pytest.raises(ConfigError, match="--set pixel_lanes=3: pixel_lanes must be"):
        load_hardware("tiny", ["pixel_lanes=3"])


def test_refused_in_python_too() -> None:
    with pytest.raises(FieldError, match="output_lanes must be"):
        dataclasses.replace(HardwareConfig(), output_lanes=9)


def test_an_unknown_board_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"pynq: no such board; .* pynq_z1, .* zcu104"):
        load_hardware("pynq")
