"""The commands on good input: what they make, what they say, and what they do not repeat."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnaccel.ir import golden
from cnnaccel.ir.graph import Add, Conv2d, Depthwise
from cnnaccel.ir.storage import load_graph
from cnnaccel.workspace import Stage
from tests.flow.conftest import ROOT, Cnnaccel


def test_run_makes_every_artifact(tiny_build: Path) -> None:
    made = {
        str(path.relative_to(tiny_build / "tiny"))
        for path in (tiny_build / "tiny").rglob("*")
        if path.is_file()
    }
    assert made == {
        ".lock",
        *(f"train/{n}" for n in ("checkpoint.pt", "curves.png", "metrics.jsonl", "model.pt")),
        *(f"quantize/{n}" for n in ("graph.json", "report.json", "report.md", "sqnr.png")),
        "quantize/tensors.npz",
        "evaluate/confusion.png",
        *(f"{s}/{n}" for s in ("train", "quantize", "evaluate")
          for n in ("manifest.json", "results.json")),
    }  # fmt: skip


def test_second_run_repeats_nothing(tiny: Path, cnnaccel: Cnnaccel) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*.json")}
    result = cnnaccel("run", "tiny", "--build-dir", tiny)
    assert result.code == 0
    assert result.out.count("up to date") == 3
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*.json")} == before


def test_changed_option_repeats_what_depends_on_it(tiny: Path, cnnaccel: Cnnaccel) -> None:
    option = ("--set", "quantize.requantize=shift")
    result = cnnaccel("run", "tiny", "--build-dir", tiny, *option)
    assert result.code == 0
    assert "│ train    │ up to date" in result.out
    assert "quantize settings changed" in result.out
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
    for early in ("quantize", "evaluate", "inspect"):
        result = cnnaccel(early, *where)
        assert result.code == 1 and "is not there; run `cnnaccel" in result.err
    assert "epoch   3/3" in cnnaccel("train", *where).out
    quantized = cnnaccel("quantize", *where)
    assert "multiplier" in quantized.out and "MB of float32 parameters ->" in quantized.out
    assert "images/s" in cnnaccel("evaluate", *where).out
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
    assert "model source changed" in cnnaccel("run", "own.yaml").out


@pytest.mark.parametrize("weights", ["per_channel", "per_tensor"])
@pytest.mark.parametrize("requantize", ["multiplier", "shift"])
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


@pytest.fixture(scope="module")
def fashionmnist_model(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LeNet after two epochs on the real images."""
    from cnnaccel.cli import main

    folder = tmp_path_factory.mktemp("fashionmnist")
    with pytest.raises(SystemExit) as ended:
        main(["train", "lenet_fashionmnist", "--data-dir", str(data_dir), "--build-dir",
              str(folder), "--set", "train.epochs=2"])  # fmt: skip
    assert ended.value.code in (0, None)
    return folder / "lenet_fashionmnist/train/model.pt"


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
    from cnnaccel.nn.data import load_dataset
    from cnnaccel.resources import find_config

    data = load_dataset(load_config(find_config("tiny")).data, None)
    graph = load_graph(tiny_build / "tiny/quantize")
    right = golden.predictions(golden.run(graph, data.test.images)) == data.test.labels
    results = json.loads((tiny_build / "tiny/evaluate/results.json").read_text())
    assert results["accuracy"] == right.mean()
    assert results["images"] == len(data.test)


def test_doctor(cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("doctor")
    assert result.code == 0
    for name in ("torch", "torchao", "pynq", "verilator", "vivado"):
        assert f"│ {name} " in result.out
    assert "NO" not in result.out.split()
