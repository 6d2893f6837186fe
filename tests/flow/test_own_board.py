"""A board of a user's own: the files that docs/build-hw.md shows, in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnaccel.tools.vivado_check import mock_vivado
from tests.support.commands import ROOT, Cnnaccel
from tests.support.own_board import BOARDS, write_examples


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with what the page shows in it."""
    write_examples(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("board", BOARDS)
def test_it_is_built(board: str, folder: Path, cnnaccel: Cnnaccel) -> None:
    options = ("--set", f"hardware.board={board}", "--vivado", mock_vivado())
    listed = cnnaccel("boards", board)
    assert listed.code == 0 and "xc7z010clg400-1" in listed.out
    made = cnnaccel("build-hw", "tiny", *options)
    assert made.code == 0, made.err
    build = folder / "build/tiny/build-hw"
    assert (build / "cnnaccel.bit").is_file()
    config = (build / "config.tcl").read_text(encoding="utf-8")
    assert str(folder) not in config and "dram_bytes 0x20000000" in config
    own = board == "own_board.yaml"
    assert (build / "preset.tcl").is_file() is own
    assert ("board_part digilentinc.com:arty-z7-10:part0:1.1" in config) is not own
    assert "up to date" in cnnaccel("build-hw", "tiny", *options).out


def test_a_changed_preset_makes_another_bitstream(folder: Path, cnnaccel: Cnnaccel) -> None:
    options: tuple[str | Path, ...] = ("--set", "hardware.board=own_board.yaml")
    options += ("--vivado", mock_vivado(), "--until", "package")
    assert cnnaccel("build-hw", "tiny", *options).code == 0
    preset = folder / "own_board.tcl"
    preset.write_text(preset.read_text().replace("FREQMHZ 50", "FREQMHZ 33.333"))
    assert "starting over: preset changed" in cnnaccel("build-hw", "tiny", *options).out
    preset.write_text(preset.read_text().replace("xc7z010", "xc7z020"))
    refused = cnnaccel("build-hw", "tiny", *options)
    assert refused.code == 1
    assert "own_board.yaml:3: ps_preset own_board.tcl is of a board with xc7z020" in refused.err
    preset.unlink()
    refused = cnnaccel("compile", "tiny", "--set", "hardware.board=own_board.yaml")
    assert refused.code == 1 and "own_board.yaml:3: ps_preset is own_board.tcl, and" in refused.err


def test_a_board_that_only_simulates(tiny: Path, folder: Path, cnnaccel: Cnnaccel) -> None:
    text = (ROOT / "configs/boards/tiny.yaml").read_text(encoding="utf-8")
    (folder / "mine.yaml").write_text(text.replace("ps_preset: pynq_z1\n", ""), encoding="utf-8")
    options = ("--build-dir", tiny, "--set", "hardware.board=mine.yaml")
    for command in ("compile", "export"):
        done = cnnaccel(command, "tiny", *options)
        assert done.code == 0, done.err
    for more in ((), ("--check",), ("--vivado", mock_vivado())):
        refused = cnnaccel("build-hw", "tiny", *options, *more)
        assert refused.code == 1
        assert "mine.yaml: nothing says how the processing system" in refused.err
