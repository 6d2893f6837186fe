"""The zoo: known sizes, known shapes, and every one trainable and exportable."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cnnaccel.errors import ModelError
from cnnaccel.nn.models import build_model, check_fits
from cnnaccel.nn.zoo import ZOO, Lenet

SHAPES = {
    "lenet": (1, 28, 28),
    "lenet_caffe": (1, 28, 28),
    "resnet8": (3, 32, 32),
    "dscnn": (1, 49, 10),
}


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_parameter_counts() -> None:
    counts = {name: parameters(build_model(name, {})) for name in ZOO}
    assert counts == {
        "lenet": 81_194,
        "lenet_caffe": 431_080,
        "resnet8": 77_946,
        "dscnn": 23_180,
    }


@pytest.mark.parametrize("name", ZOO)
def test_default_shape(name: str) -> None:
    classes = 12 if name == "dscnn" else 10
    check_fits(build_model(name, {}), SHAPES[name], classes)


@pytest.mark.parametrize("name", ZOO)
def test_channels_and_classes_are_arguments(name: str) -> None:
    _, height, width = SHAPES[name]
    model = build_model(name, {"in_channels": 2, "classes": 5})
    check_fits(model, (2, height, width), 5)


def test_dscnn_on_28x28() -> None:
    args = {"kernel": [3, 3], "padding": [1, 1], "classes": 10, "channels": 32}
    check_fits(build_model("dscnn", args), (1, 28, 28), 10)


def test_dscnn_stem_is_25x5() -> None:
    model: Any = build_model("dscnn", {})
    assert model.conv(torch.zeros(1, 1, 49, 10)).shape == (1, 64, 25, 5)


def test_lenet_dropout_only_while_training() -> None:
    model = Lenet(dropout=0.5)
    x = torch.rand(4, 1, 28, 28)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_lenet_caffe_has_no_relu_after_convolutions() -> None:
    model: Any = build_model("lenet_caffe", {})
    with torch.no_grad():
        pooled = nn.functional.max_pool2d(model.conv1(torch.rand(2, 1, 28, 28)), 2)
    seen: list[torch.Tensor] = []
    model.conv2.register_forward_hook(lambda _m, args, _out: seen.append(args[0]))
    model(torch.rand(2, 1, 28, 28))
    assert pooled.min() < 0 and seen[0].min() < 0


@pytest.mark.parametrize("name", ZOO)
def test_every_parameter_is_trained(name: str) -> None:
    model = build_model(name, {})
    model.train()
    model(torch.rand(4, *SHAPES[name])).square().sum().backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


@pytest.mark.parametrize("name", ZOO)
def test_wrong_image_size(name: str) -> None:
    with pytest.raises(ModelError, match="does not fit 7x2x2 images"):
        check_fits(build_model(name, {}), (7, 2, 2), 10)
