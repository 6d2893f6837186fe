"""The host's end of a model: what it computes is what torch computes, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from cnnaccel.errors import ModelError
from cnnaccel.quant.canonical import CanonicalModel, canonicalize
from cnnaccel.quant.frontend import export
from cnnaccel.quant.host import named_outputs
from cnnaccel.runtime.operations import OPERATIONS
from cnnaccel.runtime.tail import read_tail
from tests.support.tails import MODELS, SHAPE, model_of

LEAST = 2e-6
"""About the rounding of float32, of values about 1."""


def returned(canonical: CanonicalModel, images: Tensor) -> dict[str, Any]:
    """The outputs that the float graph and the tail make of images."""
    with torch.no_grad():
        made = canonical.module(canonical.prepare_input(images))
    (output,) = canonical.module.graph.find_nodes(op="output")
    results = made if isinstance(made, tuple) else (made,)
    named = {
        node.meta["layer"]: value.numpy()
        for node, value in zip(output.all_input_nodes, results, strict=True)
    }
    tail = read_tail(json.loads(json.dumps(canonical.tail.to_json())))
    return tail.run(named, len(images))


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_the_model(name: str, images: int) -> None:
    model = model_of(name)
    pixels = torch.randint(0, 256, (images, *SHAPE), dtype=torch.uint8)
    found = returned(canonicalize(model, SHAPE), pixels)
    with torch.no_grad():
        expected = tree_leaves(model(pixels.float() / 255))
    assert len(found) == len(expected)
    for (key, value), wanted in zip(found.items(), expected, strict=True):
        exact = wanted.numpy()
        assert (value.shape, value.dtype) == (exact.shape, exact.dtype), key
        apart = np.abs(value.astype(np.float64) - exact) / np.maximum(np.abs(exact), 1)
        assert apart.max() <= LEAST, key


def test_outputs_have_the_names_of_the_model() -> None:
    assert [n for n, _ in named_outputs(export(model_of("detector"), SHAPE))] == ["scores", "boxes"]
    assert [n for n, _ in named_outputs(export(model_of("grid"), SHAPE))] == [
        "output_0", "output_1",
    ]  # fmt: skip
    assert [n for n, _ in named_outputs(export(model_of("embedding"), SHAPE))] == ["output"]


def test_what_the_engine_can_do_it_does() -> None:
    """A ReLU at the end, an average, a flatten make no step of the host."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    tail = canonicalize(model, SHAPE).tail
    assert tail.operators == () and tail.outputs[0][0] == "output"
    assert tail.sources[0].shape == (4,)


class Gated(nn.Module):
    """A sigmoid with a layer behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x).sigmoid())
        return out


class Returning(nn.Module):
    """Something besides the result of a layer."""

    def __init__(self, extra: str) -> None:
        super().__init__()
        self.conv, self.extra = nn.Conv2d(3, 4, 1), extra

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        match self.extra:
            case "image":
                return y, x
            case "number":
                return y, 3
            case "mix":
                return y.sigmoid() + x.mean(1, keepdim=True)
            case "noise":
                return y + torch.rand(4)
            case _:
                return F.pad(y, (1, 1))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Gated(), r"'sigmoid' in .*not supported; at the end of the model it is the host's"),
        (Returning("image"), "the model's last step must be a layer that computes something"),
        (Returning("number"), "returns 3 as 'output_1', which is no tensor"),
        (Returning("mix"), "computes on the image before any layer does"),
        (Returning("noise"), "draw no random numbers"),
        (Returning("pad"), "the model's last step must be a layer"),
    ],
)
def test_refusals(model: nn.Module, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        canonicalize(model.eval(), SHAPE)


def test_weights_that_are_computed_of_constants_are_weights() -> None:
    class Standardised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            mean = self.weight.mean((1, 2, 3), keepdim=True)
            return F.conv2d(x, (self.weight - mean) / self.weight.std())

    model = Standardised().eval()
    images = torch.randint(0, 256, (2, *SHAPE), dtype=torch.uint8)
    (found,) = returned(canonicalize(model, SHAPE), images).values()
    with torch.no_grad():
        exact = model(images.float() / 255).numpy()
    assert np.abs(found - exact).max() < LEAST


def test_every_operator_is_one_of_torch() -> None:
    """No name that no exported graph could hold."""
    for name in OPERATIONS.keys() - {"getitem"}:
        base, _, kind = name.partition(".")
        assert hasattr(getattr(torch.ops.aten, base), kind or "default"), name
