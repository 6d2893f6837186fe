"""Histograms of what quantization saw: every value counted once, shares as recounted by hand."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from cnnaccel.config import QuantizeConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d
from cnnaccel.quant import ptq
from cnnaccel.quant.distributions import BIN_STEPS, Distributions, distributions
from cnnaccel.report.distributions import from_json
from tests.support.networks import network, pixels


@pytest.fixture(scope="module")
def quantized() -> ptq.Quantized:
    model, shape = network("resnet8", 16)
    return ptq.quantize(model, "r", pixels(shape, 24), QuantizeConfig(observer="minmax"))


@pytest.fixture(scope="module")
def found(quantized: ptq.Quantized) -> Distributions:
    return distributions(quantized, pixels((3, 16, 16), 24, seed=5))


def test_every_value_is_counted(quantized: ptq.Quantized, found: Distributions) -> None:
    integers = golden.trace(quantized.graph, pixels((3, 16, 16), 24, seed=5))
    specs = quantized.graph.tensors()
    assert {one.name for one in found.tensors} == {layer.name for layer in quantized.graph.layers}
    with torch.no_grad():
        floats = ptq.float_tensors(
            quantized.canonical, torch.from_numpy(pixels((3, 16, 16), 24, seed=5))
        )
    for one in found.tensors:
        values, (low, high) = integers[one.name].astype(int), specs[one.name].range
        edges = np.arange(low, high + 2, BIN_STEPS)
        assert list(one.integers) == np.histogram(values, edges)[0].tolist()
        assert sum(one.integers) == sum(one.floats) == values.size
        assert one.zeros == (values == 0).mean()
        exact = floats[one.name].double().numpy() / specs[one.name].scale
        outside = (exact < low - 0.5) | (exact > high + 0.5)
        assert one.clipped == pytest.approx(outside.mean(), abs=1e-12)
        assert one.noise_steps == pytest.approx(np.sqrt(((values - exact) ** 2).mean()))
        assert one.bias_steps == pytest.approx((values - exact).mean())
        pairs = {(round(float(a), 1), int(b)) for a, b in zip(exact.flat, values.flat, strict=True)}
        assert 0 < len(one.pairs) <= 96 and set(one.pairs) <= pairs


def test_clipped_values_are_found(quantized: ptq.Quantized) -> None:
    """Calibrated on darker pixels, the graph clips what bright ones give."""
    model, shape = network("resnet8", 16)
    dark = ptq.quantize(
        model, "r", pixels(shape, 8) // np.uint8(8), QuantizeConfig(observer="minmax")
    )
    clipped = [one.clipped for one in distributions(dark, pixels(shape, 8)).tensors]
    assert max(clipped) > 0.05
    first = distributions(dark, pixels(shape, 8)).tensors[0]
    assert first.floats[0] + first.floats[-1] == round(first.clipped * sum(first.floats))


def test_weights(quantized: ptq.Quantized, found: Distributions) -> None:
    weights = {one.name: one.weights for one in found.tensors}
    for layer in quantized.graph.layers:
        counts = weights[layer.name]
        if not isinstance(layer, Conv2d):
            assert counts is None
            continue
        assert counts is not None and sum(counts.bins) == layer.weight.size
        assert counts.zeros == pytest.approx((layer.weight == 0).mean())
        assert counts.ends == pytest.approx((np.abs(layer.weight.astype(int)) == 127).mean())


def test_the_file_is_small_and_read_back(found: Distributions) -> None:
    text = json.dumps(asdict(found), separators=(",", ":"))
    assert len(text) < 4000 * len(found.tensors)
    assert asdict(from_json(json.loads(text))) == asdict(found)


def test_large_tensors_take_fewer_images(
    quantized: ptq.Quantized, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = sum(spec.elements for spec in quantized.graph.tensors().values())
    monkeypatch.setattr("cnnaccel.quant.distributions._VALUES", 3 * held + 1)
    assert distributions(quantized, pixels((3, 16, 16), 24)).images == 3
