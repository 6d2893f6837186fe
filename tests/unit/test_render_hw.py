"""hw.json says which engine a bitstream is, in agreement with what else is rendered."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cnnaccel.hardware import load_hardware
from cnnaccel.render.handoff import HW_FILES, render_hw_files, render_hw_json

BOARDS = sorted(path.stem for path in (Path(__file__).parents[2] / "configs/boards").glob("*.yaml"))


@pytest.mark.parametrize("board", BOARDS)
def test_every_file_says_the_same(board: str) -> None:
    hardware = load_hardware(board)
    files = render_hw_files(hardware)
    assert files == render_hw_files(hardware) and tuple(files) == HW_FILES
    said = json.loads(files["hw.json"])
    config = dict(re.findall(r"^    (\w+) (\S+)$", files["config.tcl"], re.MULTILINE))
    assert said["digest"] == config["digest"] == f"{hardware.digest:016x}"
    assert f"64'h{said['digest']}" in files["params.svh"] and said["digest"] in files["params.h"]
    assert (said["board"], said["part"]) == (config["board"], config["part"])
    assert said["clock_mhz"] == pytest.approx(float(config["made_clock_mhz"]), abs=1e-6)
    assert said["clock_mhz_asked"] == float(config["clock_mhz"])
    engine = said["address_map"][config["engine"]]
    assert int(engine["base"], 16) == int(config["engine_base"], 16)
    assert engine["bytes"] == int(config["region_bytes"])
    for key, value in said["parameters"].items():
        assert getattr(hardware, key) == value
    assert {"pixel_lanes", "act_kib", "address_bits", "dsp_budget"} <= said["parameters"].keys()


def test_a_name_that_needs_quoting_is_json_still() -> None:
    hardware = replace(load_hardware("tiny"), name='my "board" \\ 2')
    assert json.loads(render_hw_json(hardware))["board"] == hardware.name


def test_what_the_bitstream_does_not_depend_on_changes_nothing() -> None:
    hardware = load_hardware("pynq_z1")
    other = replace(hardware, dram_latency_cycles=7, dram_share=0.5, dram_outstanding=2)
    assert render_hw_files(other) == render_hw_files(hardware)
