"""Bias correction: exact means, smaller errors, and nothing else changed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d, Depthwise
from cnnaccel.quant import bias, ptq


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (48, 4, 9, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(8, 8, (3, 2), padding=1, groups=8), nn.ReLU(),
        nn.Conv2d(8, 6, 2, groups=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(6 * 4 * 4, 5),
    )  # fmt: skip


@pytest.fixture(scope="module")
def plain(model: nn.Module, images: np.ndarray) -> ptq.Quantized:
    return ptq.quantize(model, "n", images, QuantizeConfig(bias_correction=False))


@pytest.fixture(scope="module")
def corrected(model: nn.Module, images: np.ndarray) -> ptq.Quantized:
    return ptq.quantize(model, "n", images, QuantizeConfig())


def test_mean_accumulator_is_the_mean_of_accumulators(
    plain: ptq.Quantized, images: np.ndarray
) -> None:
    values = golden.trace(plain.graph, images)
    for layer in plain.graph.layers:
        assert isinstance(layer, Conv2d | Depthwise)
        grouped = layer.weight[:, None] if isinstance(layer, Depthwise) else layer.weight
        groups = len(grouped) if isinstance(layer, Depthwise) else layer.groups
        top, bottom, left, right = layer.padding
        x = torch.from_numpy(values[layer.inputs[0]]).double()
        acc = nn.functional.conv2d(
            nn.functional.pad(x, (left, right, top, bottom)),
            torch.from_numpy(grouped).double(),
            torch.from_numpy(layer.bias).double(),
            layer.stride, 0, layer.dilation, groups,
        )  # fmt: skip
        mean = bias._mean_accumulator(layer, values[layer.inputs[0]])
        difference = np.abs(mean - acc.mean((0, 2, 3)).numpy())
        assert difference.max() < 1e-6 * max(1.0, np.abs(mean).max())


def test_only_biases_change(plain: ptq.Quantized, corrected: ptq.Quantized) -> None:
    moved = 0
    for before, after in zip(plain.graph.layers, corrected.graph.layers, strict=True):
        assert isinstance(before, Conv2d | Depthwise) and isinstance(after, Conv2d | Depthwise)
        moved += int((before.bias != after.bias).sum())
        assert dataclasses.replace(after, bias=before.bias).output == before.output
        assert (before.weight == after.weight).all()
        assert (before.requant.multiplier == after.requant.multiplier).all()
    assert moved > 0


def test_channel_means_come_closer(
    plain: ptq.Quantized, corrected: ptq.Quantized, images: np.ndarray
) -> None:
    floats = ptq.float_tensors(plain.canonical, torch.from_numpy(images))

    def error(quantized: ptq.Quantized) -> float:
        out = quantized.graph.results[0]
        exact = floats[out.name].double().numpy().mean((0, 2, 3))
        values = golden.run(quantized.graph, images).astype(np.float64) * out.scale
        return float(np.abs(values.mean((0, 2, 3)) - exact).mean())

    assert error(corrected) < error(plain)
