"""Segmentation, regression, images without labels, through the commands as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.commands import Cnnaccel

MODULE = """
    import numpy as np
    import torch
    from torch import nn

    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (60, 1, 8, 8)).astype(np.uint8)
    masks = np.zeros((60, 8, 8), np.uint8)
    places = rng.integers(0, 5, (60, 2))
    for image, mask, (y, x), level in zip(images, masks, places, range(60)):
        mask[y : y + 3, x : x + 3] = 1
        image[0, y : y + 3, x : x + 3] = 130 + 2 * level


    class Segmenter(nn.Sequential):
        def __init__(self):
            super().__init__(
                nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1)
            )


    class Regressor(nn.Sequential):
        def __init__(self, outputs=1):
            super().__init__(
                nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, outputs)
            )


    def shapes():
        return {"images": images, "labels": masks, "classes": ["ground", "square"]}

    def brightness():
        return {"images": images, "labels": images.mean((1, 2, 3)) / 255}

    def broken():
        wanted = images.mean((1, 2, 3)) / 255
        wanted[7] = np.nan
        return {"images": images, "labels": wanted}

    def within(outputs, targets):
        error = np.abs(outputs[0][:, 0] - targets)
        return {"within 0.1": (error < 0.1).mean(), "worst": error.max()}

    def fails(outputs, targets):
        return {}["no such key"]

    def squared(raw, wanted):
        return ((raw[:, 0] - wanted) ** 2).mean()

    def shifted(image, *mask):
        moved = image.roll(1, -1)
        return (moved, mask[0].roll(1, -1)) if mask else moved
"""
REST = """
train: {epochs: 4, batch_size: 12, learning_rate: 0.02}
quantize: {calibration_images: 16, equalize: false}
hardware: {board: tiny}
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a module of a user's, in the working directory."""
    name = f"my_tasks_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(dedent(MODULE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return name


def write(own: str, text: str) -> Path:
    path = Path("mine.yaml")
    path.write_text(dedent(text).replace("OWN", own) + REST, encoding="utf-8")
    return path


def results(stage: str) -> dict[str, Any]:
    path = Path("build/mine") / stage / "results.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_segmenter_to_the_engine(own: str, cnnaccel: Cnnaccel) -> None:
    path = write(own, 'model: OWN:Segmenter\ndata: {name: "OWN:shapes"}\ntask: segment')
    arguments = ("--set", "train.augment=[RandomHorizontalFlip]", "--set", "train.epochs=12")
    ran = cnnaccel("run", path, *arguments)
    assert ran.code == 0, ran.err
    assert "validation mean IoU" in ran.out and "engine mean IoU" in ran.out
    quantized = results("quantize")
    assert quantized["int8_mean_iou"] > 0.8 and quantized["int8_pixel_accuracy"] > 0.9
    assert abs(quantized["float_mean_iou"] - quantized["int8_mean_iou"]) < 0.05
    assert results("deploy")["figure"]["value"] == quantized["int8_mean_iou"]
    evaluated = cnnaccel("evaluate", path, *arguments)
    assert f"mean IoU: int8 {quantized['int8_mean_iou']:.2%}, float" in evaluated.out
    with Image.open("build/mine/evaluate/segments.png") as picture:
        assert picture.width > 100
    simulated = cnnaccel("simulate", path, "--images", "2", *arguments)
    assert simulated.code == 0, simulated.err
    assert cnnaccel("report", path, *arguments).code == 0
    page = Path("build/mine/report/report.html").read_text(encoding="utf-8")
    assert "Mean IoU in int8" in page and "From the left: the image" in page
    assert "pixel accuracy" in page and "Which class was taken" not in page


def test_a_regressor_with_functions_of_its_own(own: str, cnnaccel: Cnnaccel) -> None:
    path = write(
        own,
        """\
        model: OWN:Regressor
        data: {name: "OWN:brightness"}
        task: regress
        metric: OWN:within
        """,
    )
    own_parts = ("--set", f"train.loss={own}:squared", "--set", f"train.augment={own}:shifted")
    trained = cnnaccel("train", path, *own_parts)
    assert trained.code == 0, trained.err
    quantized = cnnaccel("quantize", path, *own_parts)
    assert quantized.code == 0, quantized.err
    assert "within 0.1: int8" in quantized.out and "worst: int8" in quantized.out
    assert results("quantize")["float_within_0_1"] is not None
    module = Path(f"{own}.py")
    module.write_text(module.read_text().replace("error < 0.1", "error < 0.2"), encoding="utf-8")
    stale = cnnaccel("evaluate", path, *own_parts)
    assert stale.code == 1 and f"metric file {own}.py" in stale.err


def test_a_regressor_by_its_errors(own: str, cnnaccel: Cnnaccel) -> None:
    path = write(own, 'model: OWN:Regressor\ndata: {name: "OWN:brightness"}\ntask: regress')
    assert cnnaccel("train", path).code == 0
    lines = Path("build/mine/train/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    history = [json.loads(line) for line in lines]
    best = min(history, key=lambda epoch: epoch["validation_mean_absolute_error"])
    assert results("train")["epoch"] == best["epoch"]  # less is better


def test_images_without_labels_to_the_engine(own: str, cnnaccel: Cnnaccel) -> None:
    import torch

    from cnnaccel.nn.models import build_model

    path = write(own, "model: OWN:Regressor\ndata: {name: folder, dir: photos, colour: grey}")
    Path("photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = rng.integers(0, 256, (8, 8)).astype(np.uint8)
        Image.fromarray(pixels).save(f"photos/{number}.png")
    refused = cnnaccel("train", path)
    assert refused.code == 1 and "have no labels, so there is nothing to train on" in refused.err
    model = build_model(f"{own}:Regressor", {"outputs": 3})
    torch.save(model.state_dict(), "mine.pt")
    arguments = ("--set", "model_args.outputs=3")
    ran = cnnaccel("quantize", path, "--checkpoint", "mine.pt", *arguments)
    assert ran.code == 0 and "cosine to float: 0.9" in ran.out, ran.err
    for command in ("compile", "simulate", "evaluate", "deploy", "export", "report"):
        done = cnnaccel(command, path, *arguments)
        assert done.code == 0, done.err
    assert results("deploy")["headline"].startswith("engine 2 test images, equal to golden")
    assert "cosine to float" in cnnaccel("evaluate", path, *arguments).out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model: OWN:Regressor\ndata: {name: "OWN:shapes"}\ntask: segment',
         "task segment judges a map for each class, [N, classes, H, W]; the model gives [N, 1]; it "
         "would fit task: classify or regress"),
        ('model: OWN:Segmenter\ndata: {name: "OWN:shapes"}',
         "labels are uint8[60, 8, 8] for 60 images; wanted is one whole number from 0 for each; "
         "for other targets there is task: segment"),
        ('model: OWN:Regressor\ndata: {name: "OWN:brightness"}',
         "labels are float64[60] for 60 images; wanted is one whole number from 0 for each; for "
         "other targets there is task: regress"),
        ('model: OWN:Regressor\ndata: {name: "OWN:broken"}\ntask: regress',
         "the targets of 1 images are NaN or infinite, of image 7 first; leave these images out"),
        ('model: OWN:Regressor\ndata: {name: "OWN:brightness"}\ntask: regress\nmetric: OWN:fails',
         "KeyError: 'no such key'"),
        ('model: OWN:Regressor\ndata: {name: "OWN:brightness"}\ntask: regress\nmetric: OWN:missing',
         "has no 'missing'"),
        ('model: OWN:Regressor\ndata: {name: "OWN:brightness"}\ntask: features',
         "task features has no loss of its own; name one in train.loss"),
    ],
    ids=lambda value: value[-24:],
)  # fmt: skip
def test_bad_input_in_one_sentence(text: str, message: str, own: str, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("train", write(own, text))
    assert result.code == 1 and message in result.err
    assert result.err.strip().count("\n") == 0 and "Traceback" not in result.err
    assert not Path("build/mine/train").exists()
