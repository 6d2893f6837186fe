"""The page of the model zoo: its figures are those of the weights that are shipped."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.config import load_config
from cnnaccel.hardware import load_hardware
from cnnaccel.ir.graph import operations
from cnnaccel.nn.checkpoint import load_weights
from cnnaccel.nn.models import build_model
from cnnaccel.predict.estimate import estimate
from cnnaccel.quant.canonical import canonicalize
from cnnaccel.quant.outline import outline

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
PAGE = (ROOT / "docs/zoo.md").read_text(encoding="utf-8")
ROWS = {
    found[1]: [cell.strip() for cell in found[2].split("|")]
    for found in re.finditer(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
}
SHAPES = {"fashionmnist": (1, 28, 28), "cifar10": (3, 32, 32)}


def test_every_file_of_weights_is_named_and_listed() -> None:
    named = {path.stem: load_config(path).weights for path in CONFIGS.glob("*.yaml")}
    shipped = {f"weights/{path.name}" for path in (CONFIGS / "weights").iterdir()}
    assert {weights for weights in named.values() if weights} == shipped
    assert {name for name, weights in named.items() if weights} == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    _, parameters, _, _, small, large, size = ROWS[name]
    config = load_config(CONFIGS / f"{name}.yaml")
    path = CONFIGS / str(config.weights)
    assert size == f"{path.stat().st_size:,}"
    model = build_model(config.model, config.model_args)
    assert load_weights(model, path).notes == ()
    assert parameters == f"{sum(one.numel() for one in model.parameters()):,}"
    graph = outline(canonicalize(model, SHAPES[config.data.name]), name)
    for board, cell in (("pynq_z1", small), ("kv260", large)):
        found = estimate(compile_graph(graph, load_hardware(board)), operations(graph))
        cycles = f"{found.cycles / found.images:,.0f}"
        assert cell == f"{cycles}, {found.frames_per_second:,.0f}", board


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_accuracy(name: str, data_dir: Path, tmp_path: Path) -> None:
    """Exactly the table's, of all test images."""
    command = [sys.executable, "-m", "cnnaccel", "run", name, "--until", "quantize"]
    where = ["--data-dir", str(data_dir), "--build-dir", str(tmp_path)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *where], check=True, env=one_thread)
    found = json.loads((tmp_path / name / "quantize/results.json").read_text(encoding="utf-8"))
    floats, int8 = ROWS[name][2:4]
    assert floats == f"{100 * found['float_accuracy']:.2f} %"
    assert int8 == f"{100 * found['int8_accuracy']:.2f} %"
    assert found["float_accuracy"] - found["int8_accuracy"] <= 0.004
    assert found["int8_accuracy"] >= 0.83


def test_the_file_that_the_page_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(
        r"^```python\n# save_weights\.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL
    )
    folder = tmp_path / "build/resnet8_cifar10/train"
    folder.mkdir(parents=True)
    model = build_model("resnet8", {}, seed=3)
    torch.save({"weights": model.state_dict()}, folder / "model.pt")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "save_weights.py", "exec"), {})
    other = build_model("resnet8", {}, seed=4)
    assert load_weights(other, tmp_path / "resnet8_cifar10.safetensors").notes == ()
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
