"""Whole networks and random ones through `quantize`, each layer equal to the reference."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Concat, MaxPool2d
from cnnaccel.quant.bias import correct_biases
from cnnaccel.quant.ptq import Quantized, layer_sqnr, quantize
from cnnaccel.quant.quantizer import fused_clamp
from tests.support.networks import Net, Shape, network, pixels, randomized
from tests.support.reference import reference_graph

MODES = [
    (weights, requantize)
    for weights in ("per_channel", "per_tensor")
    for requantize in ("multiplier", "shift")
]
SMALL = ("lenet", "lenet_caffe", "resnet8", "dscnn")
CASES = [
    *((name, *mode) for name in SMALL for mode in MODES),
    *(("resnet18", *mode) for mode in (MODES[0], MODES[3])),
    *(pytest.param("mobilenet_v2", *mode, marks=pytest.mark.slow) for mode in (MODES[0], MODES[3])),
]
LEAST_DB = {"per_channel": 20.0, "per_tensor": 12.0}
"""For the logits of random weights, but of MobileNetV2: there noise grows through 53 layers."""
LEAST_LOCAL_DB = {"per_channel": 28.0, "per_tensor": 15.0}
"""For one layer alone."""


@cache
def float_network(name: str) -> tuple[nn.Module, Shape]:
    return network(name)


def local_sqnr(quantized: Quantized, images: np.ndarray) -> dict[str, float]:
    """Signal to noise in dB of each tensor, against the float layer on the integer layer's input.

    What `layer_sqnr` shows adds up from layer to layer; here a wrong layer stands alone.
    """
    canonical, graph = quantized.canonical, quantized.graph
    specs, integers = graph.tensors(), golden.trace(graph, images)
    found = {}

    class Substituting(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            source = n.args[0] if n.args else None
            fused = isinstance(source, fx.Node) and fused_clamp(source) is n
            name = (source if fused else n).meta.get("layer")  # type: ignore[union-attr]
            if name is None or fused_clamp(n):
                return value
            exact = value.double().numpy()
            approximate = integers[name].astype(np.float64) * specs[name].scale
            power, error = (exact**2).sum(), ((exact - approximate) ** 2).sum()
            found[name] = 10 * np.log10(power / error) if error else np.inf
            return torch.from_numpy(approximate).float()

    with torch.no_grad():
        Substituting(canonical.module).run(canonical.prepare_input(torch.from_numpy(images)))
    assert found.keys() == {name for name in specs if ".input_" not in name}
    return found


def check(
    model: nn.Module, images: np.ndarray, config: QuantizeConfig, least_local_db: float
) -> Quantized:
    """Quantize; each layer alone is close to the float one, and the whole equal to the reference.

    Biases are corrected after the comparison of layers: a correction is for errors before a layer.
    """
    plain = quantize(model, "net", images, replace(config, bias_correction=False))
    local = local_sqnr(plain, images)
    assert min(local.values()) > least_local_db, local
    graph = correct_biases(plain.graph, plain.weight_scales, plain.canonical, images)
    expected = reference_graph(graph, images)
    found = golden.trace(graph, images)
    assert list(found) == list(expected)
    for name, value in found.items():
        assert value.dtype == expected[name].dtype
        assert np.array_equal(value, expected[name]), name
    return replace(plain, graph=graph)


@pytest.mark.parametrize(("name", "weights", "requantize"), CASES)
def test_network(name: str, weights: Any, requantize: Any) -> None:
    model, shape = float_network(name)
    images = pixels(shape, 2, seed=1)
    config = QuantizeConfig(weights=weights, requantize=requantize)
    quantized = check(model, images, config, LEAST_LOCAL_DB[weights])
    graph = quantized.graph
    if name != "mobilenet_v2":
        sqnr = layer_sqnr(quantized, images)
        assert sqnr[graph.results[0].name] > LEAST_DB[weights], sqnr
    if requantize == "shift":
        for layer in graph.layers:
            if not isinstance(layer, MaxPool2d | Concat):
                assert (layer.requant.multiplier == 1).all(), layer.name
    parameters = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in model.modules())
    assert len(quantized.weight_scales) == parameters


# ---- random networks ---------------------------------------------------------------------------

STEPS = (
    "conv", "strided", "grouped", "depthwise", "same", "relu", "relu6", "bn", "max", "overlapping",
    "avg", "padded avg", "add", "cat", "cat twice", "keep",
)  # fmt: skip


class RandomNet(nn.Module):
    """A chain of steps; `keep` puts a tensor aside, which `add` and `cat` take up again."""

    def __init__(self, steps: list[str], end: str) -> None:
        super().__init__()
        self.steps, self.end = steps, end
        self.layers = nn.ModuleList()
        self.modules_made = False

    def forward(self, x: Tensor) -> Tensor:
        """The first call makes the layers, to fit what they read."""
        made = iter(list(self.layers))

        def layer(make: Any) -> Any:
            if not self.modules_made:
                self.layers.append(make())
                return self.layers[-1]
            return next(made)

        kept = x
        for step in self.steps:
            channels, rows, columns = x.shape[1:]
            match step:
                case "conv":
                    x = layer(lambda c=channels: nn.Conv2d(c, 5, 3, padding=1))(x)
                case "strided":
                    x = layer(lambda c=channels: nn.Conv2d(c, 4, (3, 2), (2, 1), 1))(x)
                case "grouped":
                    x = layer(lambda c=channels: nn.Conv2d(c, 2 * c, 1, groups=c, bias=False))(x)
                case "depthwise":
                    x = layer(lambda c=channels: nn.Conv2d(c, c, 3, 1, 2, 2, groups=c))(x)
                case "same":
                    x = layer(lambda c=channels: nn.Conv2d(c, 3, 2, padding="same"))(x)
                case "relu" | "relu6":
                    x = layer(nn.ReLU if step == "relu" else nn.ReLU6)(x)
                case "bn":
                    x = layer(lambda c=channels: nn.BatchNorm2d(c))(x)
                case "max" if min(rows, columns) > 1:
                    x = layer(lambda: nn.MaxPool2d(2, ceil_mode=True))(x)
                case "overlapping":
                    x = layer(lambda: nn.MaxPool2d(3, 1, 1))(x)
                case "avg" if min(rows, columns) > 1:
                    x = layer(lambda: nn.AvgPool2d((2, 1)))(x)
                case "padded avg":
                    x = layer(lambda: nn.AvgPool2d(3, 1, 1))(x)
                case "keep":
                    kept = x
                case "add" if kept.shape[1:] == x.shape[1:]:
                    x = x + kept
                case "add" if kept.shape[2:] == x.shape[2:]:
                    sizes = kept.shape[1], channels
                    x = x + layer(lambda s=sizes: nn.Conv2d(s[0], s[1], 1))(kept)
                case "cat" if kept.shape[2:] == x.shape[2:] and channels < 12:
                    x = torch.cat([x, kept], 1)
                case "cat twice" if channels < 12:
                    x = torch.cat([x, x.relu()], 1)
        if self.end == "linear":
            x = layer(lambda x=x: nn.Linear(x[0].numel(), 4))(x.flatten(1))
        elif self.end == "pooled":
            x = layer(lambda c=x.shape[1]: nn.Linear(c, 4))(x.mean((2, 3)))
        else:
            x = layer(lambda c=x.shape[1]: nn.Conv2d(c, 3, 1))(x)
        self.modules_made = True
        return x


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=8),
    end=st.sampled_from(("linear", "pooled", "conv")),
    shape=st.tuples(st.integers(1, 4), st.integers(4, 9), st.integers(4, 9)),
    mode=st.sampled_from(MODES),
    observer=st.sampled_from(("minmax", "histogram")),
    seed=st.integers(0, 999),
)
def test_random_network(
    steps: list[str], end: str, shape: Shape, mode: Any, observer: Any, seed: int
) -> None:
    check_random(steps, end, shape, mode, observer, seed)


def check_random(
    steps: list[str], end: str, shape: Shape, mode: Any, observer: Any, seed: int
) -> None:
    model = RandomNet(steps, end)
    torch.manual_seed(seed)
    model(torch.zeros(2, *shape))
    randomized(model, shape, seed)
    images = pixels(shape, 3, seed)
    config = QuantizeConfig(weights=mode[0], requantize=mode[1], observer=observer)
    # a batch norm of its own, for which two large numbers cancel, is the worst
    check(model, images, config, least_local_db=5.0)


@pytest.mark.slow
@settings(settings.get_profile("sweep"), suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=12),
    end=st.sampled_from(("linear", "pooled", "conv")),
    shape=st.tuples(st.integers(1, 4), st.integers(4, 9), st.integers(4, 9)),
    mode=st.sampled_from(MODES),
    observer=st.sampled_from(("minmax", "histogram")),
    seed=st.integers(0, 9999),
)
def test_random_network_sweep(
    steps: list[str], end: str, shape: Shape, mode: Any, observer: Any, seed: int
) -> None:
    check_random(steps, end, shape, mode, observer, seed)


def test_two_images_at_once_are_the_same_as_one_by_one() -> None:
    model = Net(lambda m, x: m.conv(x).relu().mean((2, 3)), conv=nn.Conv2d(3, 4, 3))
    images = pixels((3, 6, 6), 5)
    graph = quantize(model.eval(), "net", images, QuantizeConfig()).graph
    one_by_one = [golden.run(graph, images[i : i + 1]) for i in range(5)]
    assert np.array_equal(golden.run(graph, images), np.concatenate(one_by_one))
