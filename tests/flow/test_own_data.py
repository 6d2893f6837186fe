"""A folder of pictures, through every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.commands import Cnnaccel


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: `photos` of stripes that lie or stand, a network, a YAML file."""
    rng = np.random.default_rng(0)
    for number in range(60):
        for name in ("lying", "standing"):
            pixels = rng.integers(0, 80, (20, 24, 3)).astype(np.uint8)
            at = int(rng.integers(2, 14))
            pixels[at : at + 4] += 150
            if name == "standing":
                pixels = np.ascontiguousarray(pixels.swapaxes(0, 1))
            folder = tmp_path / "photos" / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(\n"
        "        nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),\n"
        "        nn.Linear(8 * 3 * 3, 2))\n",
        encoding="utf-8",
    )
    (tmp_path / "mine.yaml").write_text(
        "model: nets:net\n"
        "data: {name: folder, dir: photos, size: [16, 16], crop: squash}\n"
        "train: {epochs: 8, batch_size: 16, learning_rate: 0.01}\n"
        "quantize: {calibration_images: 32}\n"
        "hardware: {board: tiny}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pictures_to_the_engine(photos: Path, cnnaccel: Cnnaccel) -> None:
    ran = cnnaccel("run", "mine.yaml")
    assert ran.code == 0, ran.err
    results = json.loads((photos / "build/mine/deploy/results.json").read_text(encoding="utf-8"))
    assert results["images"] == 12 and results["accuracy"] > 0.8
    assert "lying" in cnnaccel("evaluate", "mine.yaml").out
    picture = photos / "photos" / "standing" / "7.png"
    Image.new("RGB", (24, 20), (255, 0, 0)).save(picture)
    stale = cnnaccel("simulate", "mine.yaml")
    assert stale.code == 1 and "data changed" in stale.err
    picture.write_bytes(b"")
    broken = cnnaccel("run", "mine.yaml")
    assert broken.code == 1 and broken.err.strip().endswith("7.png: empty")
    assert results == json.loads((photos / "build/mine/deploy/results.json").read_text())
