"""`cnnaccel quantize CONFIG --checkpoint FILE` with the files that people have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnaccel.nn.models import build_model
from tests.support.commands import Cnnaccel


def test_weights_from_elsewhere_give_the_same_graph(
    tiny_build: Path, tmp_path: Path, cnnaccel: Cnnaccel
) -> None:
    trained, path = tiny_build / "tiny", tmp_path / "last.ckpt"
    weights = torch.load(trained / "train/model.pt")["weights"]
    content = {"state_dict": {f"model.{key}": value for key, value in weights.items()}, "epoch": 3}
    torch.save(content | {"hyper_parameters": argparse.Namespace(lr=0.1)}, path)
    result = cnnaccel("quantize", "tiny", "--checkpoint", path, "--build-dir", tmp_path)
    assert result.code == 0, result.err
    out = " ".join(result.out.split())
    assert "weights found under 'state_dict' prefix 'model.' taken off 10 keys" in out, result.out
    for name in ("graph.json", "tensors.npz"):
        made = (tmp_path / "tiny/quantize" / name).read_bytes()
        assert made == (trained / "quantize" / name).read_bytes()


def whole_model(path: Path) -> None:
    torch.save(build_model("lenet", {}), path)


def exported(path: Path) -> None:
    model = build_model("lenet", {}).eval()
    torch.export.save(torch.export.export(model, (torch.zeros(2, 1, 28, 28),)), path)


def int8(path: Path) -> None:
    weights = build_model("lenet", {}).state_dict()
    torch.save({key: (value * 99).to(torch.int8) for key, value in weights.items()}, path)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (whole_model, "is a whole pickled model (cnnaccel.nn.zoo."),
        (exported, "is an exported program (torch.export.save, .pt2)"),
        (int8, "conv1.weight holds int8, which mean nothing without their scale"),
    ],
)
def test_what_is_no_weights_is_named(
    write: Callable[[Path], Any], words: str, tmp_path: Path, cnnaccel: Cnnaccel
) -> None:
    path = tmp_path / "weights.pt2"
    write(path)
    result = cnnaccel("quantize", "tiny", "--checkpoint", path, "--build-dir", tmp_path)
    assert result.code == 1
    message = " ".join(result.err.split())
    assert words in message and "train again" not in message, result.err
    if write is not int8:
        assert 'torch.save(model.state_dict(), "weights.pth")' in message
    assert not (tmp_path / "tiny/quantize").exists()


def test_normalisation_of_pixels_in_0_to_255(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("data:\n  name: synthetic\n  mean: [123.675]\n  std: [58.395]\n")
    result = cnnaccel("train", path, "--build-dir", tmp_path)
    assert result.code == 1
    message = " ".join(result.err.split())
    assert "own.yaml:3: data.mean is [123.675]" in message
    assert "write mean: [0.485], std: [0.229]" in message
