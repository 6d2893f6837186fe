"""What the engine, its device or the board has no room for, said by every command in time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
import yaml

from cnnaccel.api.memory import shortage
from cnnaccel.hardware import load_hardware
from cnnaccel.ir.graph import Graph
from cnnaccel.ir.storage import save_graph
from cnnaccel.pipeline.identity import hardware_inputs
from cnnaccel.pipeline.job import Job
from cnnaccel.render.params import render_params_h
from cnnaccel.runtime.network import contiguous_bytes, read_header
from cnnaccel.workspace import sha256_of
from tests.support import graphs
from tests.support.commands import ROOT, Cnnaccel

DEEP = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, padding):
        super().__init__(
            nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(),
            nn.Conv2d(3, 2, (2, 1), padding=(padding, 0), stride=(99, 1)), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 10),
        )
"""


def config(folder: Path, name: str, source: str, size: int, **values: object) -> Path:
    """A configuration of `Net` in the source, in a module of its own."""
    (folder / f"{name}_net.py").write_text(source, encoding="utf-8")
    data = {"name": "synthetic", "shape": [2, size, size], "images": 40, "validation": 10}
    common = {"model": f"{name}_net:Net", "data": data, "train": {"epochs": 1}}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**common, **values}), encoding="utf-8")
    return path


# ---- more than an instruction can say --------------------------------------------------------


def test_refused_before_any_work(
    tmp_path: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By train, run and quantize with weights of the user's own, all in the same words."""
    monkeypatch.chdir(tmp_path)
    path = config(tmp_path, "deep", DEEP, 8, model_args={"padding": 3000})
    weights, build = tmp_path / "weights.pth", ("--build-dir", tmp_path / "build")
    scope: dict[str, type[torch.nn.Module]] = {}
    exec(DEEP, scope)
    torch.save(scope["Net"](padding=3000).state_dict(), weights)
    for command in (["train", path], ["run", path], ["quantize", path, "--checkpoint", weights]):
        result = cnnaccel(*command, *build)
        assert result.code == 1 and "epoch" not in result.out, result.out
        assert re.search(r"layer '2': -3,000 as the first row .* -2,048 to 2,047", result.err)
        assert "take a smaller padding" in result.err and "Traceback" not in result.err
        made = [entry.name for entry in (tmp_path / "build" / "deep").iterdir()]
        assert not {"train", "train.partial", "quantize"} & set(made), made


def test_compile_refuses_in_the_same_words(tiny: Path, cnnaccel: Cnnaccel) -> None:
    image = graphs.spec("image", (1, 3, 4))
    layer = graphs.conv2d(image, [[[[1, 1], [1, 1]]]], "deep", padding=(3000, 3000, 0, 0))
    folder = tiny / "tiny" / "quantize"
    save_graph(Graph("tiny", image, (layer,)), folder)
    manifest = folder / "manifest.json"
    sums = json.loads(manifest.read_text(encoding="utf-8"))
    for name in ("graph.json", "tensors.npz"):
        sums["artifacts"][name] = sha256_of(folder / name)
    manifest.write_text(json.dumps(sums), encoding="utf-8")
    result = cnnaccel("compile", "tiny", "--build-dir", tiny)
    assert result.code == 1, result.out
    assert "layer 'deep': -3,000 as the first row under its window" in result.err


# ---- more than the device has ----------------------------------------------------------------

SMALL_PART = ("--set", "hardware.overrides.part=xc7z010clg400-1")
COMMANDS = (
    "train", "quantize", "evaluate", "inspect", "compile", "explore", "simulate", "export",
    "deploy", "report", "run", "build-hw",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_where_the_device_is_too_small(
    command: str, tmp_path: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes of the command: here the first has no model, the others nothing to read."""
    monkeypatch.setenv("PATH", "")
    options = ("--set", "hardware.board=pynq_z2", "--set", "model=nowhere:Net")
    arguments = (command, "tiny", "--build-dir", tmp_path, *options)
    result = cnnaccel(*arguments, *SMALL_PART)
    (line,) = [line for line in result.out.splitlines() if "warning" in line]
    assert line.startswith("warning: the engine is estimated to take 144 of 80 DSP, 99.5 of 60 BR")
    assert "of xc7z010clg400-1" in line and "cannot be built there" in line
    assert "warning" not in cnnaccel(*arguments).out


@pytest.mark.parametrize("path", sorted((ROOT / "configs/boards").glob("*.yaml")), ids=str)
def test_no_shipped_board_is_too_small(path: Path) -> None:
    assert load_hardware(path).misfit() == ""


# ---- more than the board keeps contiguous ----------------------------------------------------


def test_memory_of_vgg16_on_a_pynq_z1() -> None:
    """138 MB of weights, 128 MiB of contiguous memory; the ZCU104's image keeps 512."""
    header = dict.fromkeys(("once_bytes", "scratch_bytes", "output_stride"), 0)
    header |= {"body_bytes": 1 << 20, "weights_bytes": 138_400_000, "input_stride": 150_528}
    said = shortage(load_hardware("pynq_z1"), header)
    assert "takes 133.1 MiB of contiguous memory (weights 132.0 MiB" in said
    assert "pynq_z1 keeps 128 MiB (contiguous_mib)" in said and "cma=" in said
    assert shortage(load_hardware("zcu104"), header) == ""
    assert shortage(load_hardware("tiny"), header) == "", "no board, nothing known"
    header["weights_bytes"] = (127 << 20) - 150_528
    assert contiguous_bytes(header) == 128 << 20
    assert shortage(load_hardware("pynq_z1"), header) == "", "all of it"
    header["scratch_bytes"] = 1
    assert shortage(load_hardware("pynq_z1"), header) != ""


def test_every_command_on_a_program_says_where_memory_is_too_small(
    tiny: Path, cnnaccel: Cnnaccel
) -> None:
    small = ("--set", "hardware.overrides.contiguous_mib=0.1")
    for command, *rest in (
        ("compile",), ("simulate", "--images", "4"), ("export",), ("deploy", "--images", "4"),
        ("run", "--until", "compile"),
    ):  # fmt: skip
        result = cnnaccel(command, "tiny", "--build-dir", tiny, *rest, *small)
        assert result.code == 0, result.err
        (line,) = [line for line in result.out.splitlines() if "contiguous" in line]
        assert re.match(r"warning: the program takes 0\.\d MiB of contiguous memory", line), command
        assert "tiny keeps 0.1 MiB" in line
    assert "contiguous" not in cnnaccel("compile", "tiny", "--build-dir", tiny).out


def test_memory_is_no_part_of_the_digest(tiny_build: Path) -> None:
    boards = [load_hardware("tiny", [f"contiguous_mib={size}"]) for size in (1, 99)]
    assert len({board.digest for board in boards}) == 1
    assert render_params_h(boards[0]) == render_params_h(boards[1])
    header = read_header(tiny_build / "tiny" / "compile")
    assert contiguous_bytes(header, 2) - contiguous_bytes(header) == (
        header["input_stride"] + header["output_stride"]
    )


def test_how_a_board_is_set_up_changes_no_result() -> None:
    def inputs(*overrides: str) -> dict[str, object]:
        hardware = load_hardware("tiny", overrides)
        assert not {"file", "board_part", "dram_mib", "on_silicon"} & hardware.recorded.keys()
        return hardware_inputs(cast(Job, SimpleNamespace(hardware=hardware)))

    set_up = ("board_part=a:b:part0:1.0", "dram_mib=1024", "contiguous_mib=9", "on_silicon=seen")
    assert inputs("ps_preset=null", *set_up) == inputs()
    assert inputs("clock_mhz=50") != inputs() != inputs("part=xczu3eg-sbva484-1-i")
