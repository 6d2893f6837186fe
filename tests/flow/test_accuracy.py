"""`quantize` on a network that int8 ruins: it warns, fails where asked to, says what costs."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
import torch

from cnnaccel.config import DataConfig, QuantizeConfig
from cnnaccel.nn.data import load_dataset
from cnnaccel.pipeline.accuracy import divide
from tests.support.commands import Cnnaccel
from tests.support.trained import Learned

OFF = ("--set", "quantize.equalize=false")
YAML = """
model: lenet
data: {name: digits, validation: 200}
quantize: {calibration_images: 64}
hardware: {board: tiny}
"""


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, learned: Learned) -> Path:
    """A folder with digits.yaml, and bad.pth, trained weights with a channel out of line."""
    folder = tmp_path_factory.mktemp("accuracy")
    (folder / "digits.yaml").write_text(YAML)
    weights = learned("lenet").state_dict()
    weights["conv1.weight"][2] *= 1e5
    weights["conv1.bias"][2] *= 1e5
    weights["conv2.weight"][:, 2] /= 1e5
    torch.save(weights, folder / "bad.pth")
    return folder


@pytest.fixture(scope="module")
def ruined(bad: Path) -> tuple[Path, str]:
    """What `quantize --sensitivity` without equalization made of it, and printed."""
    from cnnaccel.cli import main

    printed = io.StringIO()
    with pytest.raises(SystemExit) as ended, contextlib.redirect_stdout(printed):
        main([*map(str, quantize(bad)), *OFF, "--sensitivity"])
    assert ended.value.code in (0, None)
    return bad / "build/digits", printed.getvalue()


def quantize(bad: Path, build: str = "build") -> list[str | Path]:
    weights = ("--checkpoint", bad / "bad.pth", "--build-dir", bad / build)
    return ["quantize", bad / "digits.yaml", *weights]


def test_a_warning_names_the_layer(ruined: tuple[Path, str]) -> None:
    folder, out = ruined
    warning = " ".join(out.partition("warning: ")[2].split())
    assert "points below float" in warning and "dB of signal" in warning
    assert "breaks in at layer 'conv1' (Conv2d)" in warning
    assert "Try, in this order: quantize.equalize: true; more than 64 quantize" in warning
    assert "--sensitivity" not in warning
    found = json.loads((folder / "quantize/results.json").read_text())
    assert found["equalization"]["kept"] is False and len(found["warnings"]) == 1
    assert "**Warning**: int8 is" in (folder / "quantize/report.md").read_text()


def test_sensitivity(ruined: tuple[Path, str], bad: Path, cnnaccel: Cnnaccel) -> None:
    folder, out = ruined
    assert "layer 5 of 5, fc3" in out and "held out images, " in out
    picture = folder / "quantize/sensitivity.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    report = json.loads((folder / "quantize/report.json").read_text())
    rows = report["sensitivity"]["layers"]
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert max(rows, key=lambda row: row["gain_db"])["layer"] == "conv1"
    result = cnnaccel("report", bad / "digits.yaml", "--build-dir", bad / "build", *OFF)
    assert result.code == 0, result.err
    page = (folder / "report/report.html").read_text()
    assert report["warnings"][0].partition(".")[0] in page and "What each layer costs" in page


def test_equalized_it_is_as_well_as_in_float(bad: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel(*quantize(bad, "equalized"), "--set", "quantize.max_drop=0.3")
    assert result.code == 0, result.err
    assert "channels equalized, kept: logits had" in result.out and "warning" not in result.out
    found = json.loads((bad / "equalized/digits/quantize/results.json").read_text())
    assert found["equalization"]["kept"] is True and found["warnings"] == []
    assert found["equalization"]["equalized_db"] > found["equalization"]["plain_db"] + 20
    assert found["int8_accuracy"] > found["float_accuracy"] - 0.003 > 0.95


def test_more_than_max_drop_is_an_error(
    ruined: tuple[Path, str], bad: Path, cnnaccel: Cnnaccel
) -> None:
    """The result that was there stays."""
    files = {path: path.read_bytes() for path in (ruined[0] / "quantize").iterdir()}
    result = cnnaccel(*quantize(bad), *OFF, "--set", "quantize.max_drop=2.5")
    assert result.code == 1
    assert "points below float" in result.err and "'conv1'" in result.err
    assert "--sensitivity" in result.err
    assert "quantize.max_drop allows 2.5 points" in result.err
    assert {path: path.read_bytes() for path in (ruined[0] / "quantize").iterdir()} == files


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
    assert held and not held & tests and len(aside) == len(sets.held_out)
    assert not held & {one.tobytes() for one in sets.survey}
    assert {one.tobytes() for one in sets.calibration} <= {one.tobytes() for one in sets.survey}
    assert len(sets.calibration) == min(calibration, images - validation)
    assert len(held) == min(256, max(images - validation - calibration, 0) + validation)


def test_fewer_images_where_they_are_large() -> None:
    config = DataConfig(name="synthetic", shape=(3, 224, 224), images=60, validation=30)
    sets, aside = divide(load_dataset(config, None), QuantizeConfig(calibration_images=4))
    assert (len(sets.held_out), len(aside)) == (20, 20)
