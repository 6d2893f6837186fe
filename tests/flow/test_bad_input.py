"""Whatever is wrong: a clear message, a code that is not 0, and earlier artifacts as they were."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from tests.support.commands import ROOT, Cnnaccel, digests

SYNTHETIC = "data: {name: synthetic, shape: [1, 28, 28], images: 40, validation: 10}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: lenet\ntrain:\n  epoch: 3\n", ["own.yaml:3", "'epoch'", "did you mean 'epochs'"]),
        ("modle: lenet\n", ["own.yaml:1", "did you mean 'model'"]),
        ("train:\n  epochs: many\n", ["own.yaml:2", "whole number", "many"]),
        ("train:\n\n  epochs: 0\n", ["own.yaml:3", "at least 1"]),
        (
            "quantize:\n  calibration_images: 0\n",
            ["own.yaml:2", "calibration_images", "at least 1"],
        ),
        ("quantize: {weights: per_chanel}\n", ["own.yaml:1", "did you mean 'per_channel'"]),
        ("train: [1, 2\n", ["own.yaml", "not valid YAML"]),
        ("model: lent\n" + SYNTHETIC, ["lent", "did you mean 'lenet'"]),
        ("model: nowhere:Net\n" + SYNTHETIC, ["no module 'nowhere'"]),
        ("compile: {images: 0}\n", ["own.yaml:1", "compile.images", "at least 1"]),
        (
            "hardware: {board: pynq_z9}\n",
            ["own.yaml: hardware", "pynq_z9: no such board", "pynq_z1, pynq_z1_512"],
        ),
        (
            "hardware: {overrides: {pixel_lane: 8}}\n",
            ["own.yaml: hardware", "'pixel_lane'", "did you mean 'pixel_lanes'"],
        ),
        (
            "hardware: {overrides: {pixel_lanes: 3}}\n",
            ["own.yaml: hardware", "pixel_lanes must be 1, 2, 4 or 8, got 3"],
        ),
        (
            "hardware: {overrides: {act_kib: {a: 1}}}\n",
            ["own.yaml: hardware", "act_kib must be a whole number"],
        ),
        (
            "hardware: {overrides: {a.b: 1}}\n",
            ["own.yaml: hardware", "unknown key 'a'"],
        ),
    ],
    ids=lambda value: value.splitlines()[0] if isinstance(value, str) else "",
)
def test_configuration(text: str, words: list[str], tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    result = cnnaccel("run", path, "--build-dir", tmp_path / "build")
    assert result.code == 1
    assert all(word in result.err for word in words), result.err
    assert not list(tmp_path.glob("build/*/*/*"))


def test_board_that_cannot_be(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    board, config = tmp_path / "board.yaml", tmp_path / "own.yaml"
    config.write_text(f"hardware: {{board: {board}}}\n")
    for text, words in (
        (
            "input_lanes: 8\noutput_lanes: 12\n",
            "board.yaml:2: output_lanes must be 1, 2 or 4 times",
        ),
        ("act_kb: 64\n", "board.yaml:1: unknown key 'act_kb'; did you mean 'act_kib'?"),
        ("[1\n", "board.yaml:2: not valid YAML"),
    ):
        board.write_text(text)
        result = cnnaccel("run", config, "--build-dir", tmp_path / "build")
        assert result.code == 1 and f"{config}: hardware: " in result.err
        assert words in result.err, result.err
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("compile.images=3", "3 images at a time: must be 1, or a multiple of P = 2"),
        (
            "compile.images=2048",
            "layer 'conv1': not even a single tile fits; it needs act_kib of at least",
        ),
    ],
)
def test_what_cannot_be_compiled(option: str, words: str, tiny: Path, cnnaccel: Cnnaccel) -> None:
    before = digests(tiny)
    result = cnnaccel("compile", "tiny", "--build-dir", tiny, "--set", option)
    assert result.code == 1 and words in result.err, result.err
    assert digests(tiny) == before


def test_scratchpads_too_small_for_a_layer(
    tmp_path: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "wide_nets", raising=False)
    Path("wide_nets.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3), nn.MaxPool2d((2, 1498)), nn.Flatten(),\n"
        "                         nn.Linear(4, 400), nn.ReLU(), nn.Linear(400, 10))\n"
    )
    Path("own.yaml").write_text(
        "model: wide_nets:Net\nhardware: {board: tiny}\ntrain: {epochs: 1, batch_size: 10}\n"
        "data: {name: synthetic, shape: [1, 4, 1500], images: 40, validation: 10}\n"
    )
    result = cnnaccel("run", "own.yaml")
    assert result.code == 1 and "layer '1': not even a single tile fits" in result.err, result.err
    assert not [entry for entry in Path("build/own").iterdir() if entry.is_dir()], "before any work"


def test_program_that_computes_something_else(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Golden is made to differ, in two values of image 5."""

    def other(graph: Graph, images: golden.Array) -> golden.Array:
        out = right(graph, images)
        out[5, [3, 7]] ^= 1
        return out

    right = golden.run
    monkeypatch.setattr(golden, "run", other)
    before = digests(tiny)
    result = cnnaccel("compile", "tiny", "--build-dir", tiny)
    assert result.code == 1
    assert "interpreter: image 5, channel 3, y 0, x 0: got " in result.err
    assert "2 of 160 values differ" in result.err
    assert digests(tiny) == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("truncated", "program.bin should have "),
        ("headless", "program.bin: "),
        ("empty", "program.bin: not a cnnaccel program"),
        ("flipped in the header", "its checksum is another; compile again"),
        ("flipped in the body", "its checksum is another; compile again"),
        ("flipped weights", "weights.bin is damaged"),
        ("version", "program of format version 200, this cnnaccel reads "),
        ("foreign", "not a cnnaccel program"),
        ("no weights", "weights.bin: No such file"),
        ("no description", "network.json: No such file"),
        ("garbage", "network.json: not a network description"),
        ("another network", "network.json: of another program"),
        ("nothing", "no program.bin"),
    ],
)
def test_damaged_program(kind: str, words: str, tiny: Path, cnnaccel: Cnnaccel) -> None:
    folder = tiny / "tiny/compile"
    program, weights = folder / "program.bin", folder / "weights.bin"
    description = folder / "network.json"
    data = bytearray(program.read_bytes())
    if kind in ("truncated", "headless", "empty"):
        keep = {"truncated": len(data) - 32, "headless": 100, "empty": 0}[kind]
        program.write_bytes(data[:keep])
    elif kind == "version":
        data[4] = 200
        program.write_bytes(data)
    elif kind in ("flipped in the header", "flipped in the body"):
        data[40 if kind.endswith("header") else 200] ^= 4
        program.write_bytes(data)
    elif kind == "flipped weights":
        data = bytearray(weights.read_bytes())
        data[77] ^= 1
        weights.write_bytes(data)
    elif kind == "foreign":
        program.write_bytes(b"\x7fELF" + bytes(data[4:]))
    elif kind == "another network":
        values = json.loads(description.read_text())
        description.write_text(json.dumps(values | {"notes": values["notes"][1:]}))
    elif kind == "garbage":
        description.write_text("{'not': json")
    elif kind == "nothing":
        folder = folder / "elsewhere"
    else:
        (weights if kind == "no weights" else description).unlink()
    result = cnnaccel("disasm", folder)
    assert result.code == 1 and words in result.err and str(folder) in result.err, result.err
    assert result.out == "" and "compile" in result.err


def test_program_of_another_engine(tiny_build: Path, cnnaccel: Cnnaccel) -> None:
    folder = tiny_build / "tiny/compile"
    result = cnnaccel("disasm", folder, "--board", "zcu104")
    assert result.code == 1 and "made for hardware" in result.err
    result = cnnaccel("disasm", folder, "--board", "zcu")
    assert result.code == 1 and "zcu: no such board" in result.err


def test_set_and_path(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("run", "tiny", "--set", "train.epoch=3", "--build-dir", tmp_path)
    assert result.code == 1 and "--set train.epoch=3" in result.err
    result = cnnaccel("run", "no_such.yaml")
    assert result.code == 1 and "shipped ones are" in result.err
    assert cnnaccel("rnu", "tiny").code == 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise OSError('no weights here')", ["nets_bad.py:3", "no weights here"]),
        ("class Net(nn.Module: pass", ["nets_bad.py:3", "SyntaxError"]),
        ("Net = nn.Sequential(nn.Flatten(), nn.Linear(9, 10))", ["1x28x28"]),
        (
            "class Net(nn.Sequential):\n"
            "    def __init__(self):\n"
            "        super().__init__(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(),\n"
            "                         nn.Linear(4 * 26 * 26, 10))",
            ["layer '1'", "silu", "nn.ReLU"],
        ),
        (
            "class Net(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.fc = nn.Linear(784, 10)\n"
            "    def forward(self, x):\n"
            "        x = self.fc(x.flatten(1))\n"
            "        return x if x.sum() > 0 else -x",
            ["nets_bad.py:9", "must not depend on the values"],
        ),
    ],
    ids=["raises on import", "syntax", "image size", "unsupported layer", "dynamic"],
)
def test_model(
    code: str, words: list[str], tmp_path: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "nets_bad", raising=False)
    Path("nets_bad.py").write_text(f"from torch import nn\n\n{code}\n")
    Path("own.yaml").write_text("model: nets_bad:Net\n" + SYNTHETIC)
    result = cnnaccel("train", "own.yaml")
    assert result.code == 1
    assert all(word in result.err for word in words), result.err
    assert not Path("build/own/train").exists() and not Path("build/own/train.partial").exists()


def test_dataset_that_is_not_to_be_had(
    tmp_path: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.delenv("CNNACCEL_DATA", raising=False)
    result = cnnaccel("run", "lenet_fashionmnist", "--data-dir", tmp_path, "--build-dir", tmp_path)
    assert result.code == 4
    for word in (
        str(tmp_path),
        "train-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
        "lenet_digits",
    ):
        assert word in result.err


def test_truncated_dataset(tmp_path: Path, data_dir: Path, cnnaccel: Cnnaccel) -> None:
    raw = tmp_path / "FashionMNIST/raw"
    raw.mkdir(parents=True)
    for path in (data_dir / "FashionMNIST/raw").iterdir():
        (raw / path.name).symlink_to(path.resolve())
    images = raw / "t10k-images-idx3-ubyte"
    content = images.read_bytes()
    images.unlink()
    images.write_bytes(content[:-1])
    result = cnnaccel("train", "lenet_fashionmnist", "--data-dir", tmp_path)
    assert result.code == 1 and str(images) in result.err


@pytest.mark.parametrize("kind", ["corrupt", "foreign", "architecture", "nan", "missing"])
def test_checkpoint(kind: str, tiny: Path, tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    before = digests(tiny / "tiny/quantize")
    trained = tiny / "tiny/train/model.pt"
    path, config, word = tmp_path / f"{kind}.pt", "tiny", kind
    if kind == "corrupt":
        path.write_bytes(trained.read_bytes()[:1000])
    elif kind == "foreign":
        torch.save({"epoch": 3}, path)
        word = "not written by cnnaccel"
    elif kind == "architecture":
        path, word = trained, "another architecture"
    elif kind == "nan":
        content = torch.load(trained, weights_only=True)
        content["weights"]["conv1.weight"][0] = float("nan")
        torch.save(content, path)
        word = "conv1.weight has NaN or infinite"
    else:
        word = "is not there"
    options = ("--set", "model=lenet_caffe") if kind == "architecture" else ()
    result = cnnaccel(
        "quantize", config, "--checkpoint", path, "--build-dir", tiny, *options
    )  # fmt: skip
    assert result.code == 1 and word in result.err and path.name in result.err, result.err
    assert digests(tiny / "tiny/quantize") == before
    assert not (tiny / "tiny/quantize.partial").exists()


def test_damaged_artifacts(tiny: Path, cnnaccel: Cnnaccel) -> None:
    graph = tiny / "tiny/quantize/graph.json"
    graph.write_text(graph.read_text().replace("conv1", "conv9", 1))
    for command in ("evaluate", "inspect"):
        result = cnnaccel(command, "tiny", "--build-dir", tiny)
        assert result.code == 1 and "graph.json was altered" in result.err


def test_build_folder_in_the_way(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    (tmp_path / "build").write_text("a file")
    result = cnnaccel("run", "tiny", "--build-dir", tmp_path / "build")
    assert result.code == 1 and "--build-dir" in result.err
    result = cnnaccel("run", "tiny", "--build-dir", "/proc/read_only")
    assert result.code == 1 and "/proc/read_only" in result.err


def test_resume_without_anything_to_resume(tiny: Path, tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("train", "tiny", "--resume", "--build-dir", tmp_path / "new")
    assert result.code == 1 and "nothing to resume" in result.err
    result = cnnaccel("train", "tiny", "--resume", "--build-dir", tiny)
    assert result.code == 1 and "training has finished" in result.err


def start(*arguments: str | Path, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    """A real process; with `limit_bytes` no file may grow beyond, as on a full disk."""

    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, "-m", "cnnaccel", *map(str, arguments)],
        cwd=ROOT, preexec_fn=limit, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def wait_for(path: Path, process: subprocess.Popen[str], lines: int = 0) -> None:
    """Until `path` is there, and has so many lines."""
    deadline = time.monotonic() + 120
    while not path.exists() or (lines and path.read_text().count("\n") < lines):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.slow
def test_full_disk(tiny: Path) -> None:
    before = digests(tiny)
    process = start("run", "tiny", "--build-dir", tiny, "--from", "train", limit_bytes=200_000)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "File too large" in err and "Traceback" not in err, err
    after = digests(tiny)
    assert {name: after.get(name) for name in before} == before


@pytest.mark.slow
def test_interrupted_training_resumes(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    long = ("tiny", "--build-dir", tmp_path, "--set", "train.epochs=400")
    process = start("train", *long)
    wait_for(tmp_path / "tiny/train.partial/metrics.jsonl", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err and "Traceback" not in err
    changed = ("tiny", "--build-dir", tmp_path, "--set", "train.epochs=2")
    result = cnnaccel("train", *changed, "--resume")
    assert result.code == 1 and "train.epochs" in result.err
    assert cnnaccel("train", *changed).code == 0


@pytest.mark.slow
def test_killed_run_is_repaired(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    where = ("tiny", "--build-dir", tmp_path, "--set", "train.epochs=20")
    process = start("run", *where)
    wait_for(tmp_path / "tiny/train.partial/metrics.jsonl", process, lines=2)
    process.kill()
    process.communicate()
    result = cnnaccel("run", *where)
    assert result.code == 0 and "resuming after epoch" in result.out
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.slow
def test_two_at_once(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    process = start("train", "tiny", "--build-dir", tmp_path, "--set", "train.epochs=400")
    try:
        wait_for(tmp_path / "tiny/train.partial", process)
        result = cnnaccel("run", "tiny", "--build-dir", tmp_path)
        assert result.code == 1 and "another cnnaccel is at work" in result.err
    finally:
        process.kill()
        process.communicate()
