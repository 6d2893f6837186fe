"""`quantize` on a network that int8 ruins: it warns, fails where asked to, says what costs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from cnnaccel.config import DataConfig, QuantizeConfig
from cnnaccel.nn.data import load_dataset
from cnnaccel.pipeline.accuracy import divide
from tests.flow.conftest import Cnnaccel

OFF = ("--set", "quantize.equalize=false")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with a trained network, and its weights with a channel out of line."""
    from cnnaccel.cli import main

    folder = tmp_path_factory.mktemp("accuracy")
    with pytest.raises(SystemExit):
        main(["run", "tiny", "--until", "quantize", "--build-dir", str(folder)])
    weights = torch.load(folder / "tiny/train/model.pt", weights_only=True)["weights"]
    weights["conv1.weight"][2] *= 1e5
    weights["conv1.bias"][2] *= 1e5
    weights["conv2.weight"][:, 2] /= 1e5
    torch.save(weights, folder / "bad.pth")
    return folder


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "build"))


def test_a_warning_names_the_layer(build: Path, cnnaccel: Cnnaccel) -> None:
    bad = ("--checkpoint", build / "bad.pth", "--build-dir", build)
    result = cnnaccel("quantize", "tiny", *bad, *OFF)
    assert result.code == 0
    warning = " ".join(result.out.partition("warning: ")[2].split())
    assert "points below float" in warning and "dB of signal" in warning
    assert "breaks in at layer 'conv1' (Conv2d)" in warning
    assert "Try, in this order: quantize.equalize: true; more than 64 quantize" in warning
    assert "--sensitivity" in warning
    found = json.loads((build / "tiny/quantize/results.json").read_text())
    assert found["equalization"]["kept"] is False and len(found["warnings"]) == 1
    assert "**Warning**: int8 is" in (build / "tiny/quantize/report.md").read_text()


def test_equalized_it_is_well(build: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel(
        "quantize", "tiny", "--checkpoint", build / "bad.pth", "--build-dir", build,
        "--set", "quantize.max_drop=8",
    )  # fmt: skip
    assert result.code == 0  # a few of 80 images, on which the network hardly knows, are chance
    assert "channels equalized, kept: logits had" in result.out
    found = json.loads((build / "tiny/quantize/results.json").read_text())
    assert found["equalization"]["kept"] is True
    assert found["equalization"]["equalized_db"] > found["equalization"]["plain_db"] + 10


def test_more_than_max_drop_is_an_error(build: Path, cnnaccel: Cnnaccel) -> None:
    files = {path: path.read_bytes() for path in (build / "tiny/quantize").iterdir()}
    result = cnnaccel(
        "quantize", "tiny", "--checkpoint", build / "bad.pth", "--build-dir", build, *OFF,
        "--set", "quantize.max_drop=2.5",
    )  # fmt: skip
    assert result.code == 1
    assert "points below float" in result.err and "'conv1'" in result.err
    assert "quantize.max_drop allows 2.5 points" in result.err
    assert {path: path.read_bytes() for path in (build / "tiny/quantize").iterdir()} == files


def test_sensitivity(build: Path, cnnaccel: Cnnaccel) -> None:
    bad = ("--checkpoint", build / "bad.pth", "--build-dir", build)
    result = cnnaccel("quantize", "tiny", *bad, *OFF, "--sensitivity")
    assert result.code == 0
    assert "layer 5 of 5, fc3" in result.out and "held out images, " in result.out
    folder = build / "tiny/quantize"
    assert (folder / "sensitivity.png").read_bytes().startswith(b"\x89PNG")
    rows = json.loads((folder / "report.json").read_text())["sensitivity"]["layers"]
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert max(rows, key=lambda row: row["gain_db"])["layer"] == "conv1"
    assert "--sensitivity" not in result.out.partition("warning: ")[2]
    assert cnnaccel("report", "tiny", *bad[2:], *OFF).code == 0
    page = next((build / "tiny").rglob("report.html")).read_text()
    assert "<li><strong>int8 is" in page and "What each layer costs" in page


@pytest.mark.parametrize(
    ("images", "validation", "calibration"),
    [(400, 80, 16), (400, 80, 64), (400, 80, 1024), (12, 2, 1024), (10, 9, 1)],
)
def test_held_out_images(images: int, validation: int, calibration: int) -> None:
    """Of the training split, none of them calibrated on, however few there are."""
    config = DataConfig(name="synthetic", shape=(1, 9, 7), images=images, validation=validation)
    data = load_dataset(config, None)
    sets, aside = divide(data, QuantizeConfig(calibration_images=calibration))
    held, tests = ({one.tobytes() for one in some} for some in (sets.held_out, data.test.images))
    assert held and not held & tests and len(aside) >= len(held)
    assert not held & {one.tobytes() for one in sets.survey}
    assert {one.tobytes() for one in sets.calibration} <= {one.tobytes() for one in sets.survey}
    assert len(sets.calibration) == min(calibration, images - validation)
    assert len(held) == min(128, max(images - validation - calibration, 0) + validation)


def test_fewer_images_where_they_are_large() -> None:
    config = DataConfig(name="synthetic", shape=(3, 224, 224), images=60, validation=30)
    sets, aside = divide(load_dataset(config, None), QuantizeConfig(calibration_images=4))
    assert (len(sets.held_out), len(aside)) == (16, 20)
