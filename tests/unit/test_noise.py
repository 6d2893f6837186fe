"""Which layer the noise comes from: the simulation, the layer that is named, the sensitivity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d, Depthwise
from cnnaccel.quant import noise, ptq
from tests.support import trained
from tests.support.networks import network, pixels
from tests.support.trained import Learned, digits

PLAIN = QuantizeConfig(equalize=False)


def quantized(model: nn.Module) -> ptq.Quantized:
    return ptq.quantize(model, "net", digits().train.images[:64], PLAIN)


@pytest.fixture(scope="module")
def mbnet(learned: Learned) -> ptq.Quantized:
    return quantized(learned("mbnet"))


def named(made: ptq.Quantized) -> str:
    return noise.first_noisy(noise.alone(made, digits().train.images[64:128])).layer


@pytest.mark.parametrize("name", ["resnet8"])
def test_all_layers_rounded_are_nearly_golden(name: str) -> None:
    """Within a few steps: averages and ties are rounded otherwise."""
    model, shape = network(name)
    images = pixels(shape, 4, seed=1)
    made = ptq.quantize(model, name, images, replace(PLAIN, bias_correction=False))
    simulation = noise._Simulation(made)
    x = made.canonical.prepare_input(torch.from_numpy(images))
    found = simulation.run(x, list(simulation.specs)).logits.numpy()
    expected = made.graph.real(golden.run(made.graph, images)).reshape(len(images), -1)
    assert np.abs(found - expected).max() <= 4 * made.graph.results[0].scale
    none = simulation.run(x, ())
    exact = ptq.float_logits(made.canonical, images).reshape(len(images), -1)
    assert np.allclose(none.logits.numpy(), exact, atol=1e-5)


@pytest.mark.parametrize("block", [3, 6])
def test_channels_decades_apart_name_the_layer_that_makes_them(
    block: int, learned: Learned
) -> None:
    model = learned("mbnet")
    layers: Any = model.features
    reader: Any = layers[block + 3] if block < 12 else model.fc
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        width = len(layers[block + 1].weight)
        s = 10 ** ((torch.rand(width, generator=generator) - 0.5) * 4)
        trained.scale_channels(layers[block + 1], reader, s)
    assert named(quantized(model)) == f"features.{block}"


def test_where_all_are_bad_it_is_the_first(learned: Learned) -> None:
    model = trained.rescaled(learned("mbnet"), 4)
    assert named(quantized(model)) == "features.0"


@pytest.mark.parametrize("layer", ["features.3", "fc"])
def test_damaged_weights_name_their_layer(
    layer: str, mbnet: ptq.Quantized, rng: np.random.Generator
) -> None:
    made = mbnet
    layers = list(made.graph.layers)
    at = next(i for i, one in enumerate(layers) if one.name == layer)
    old = layers[at]
    assert isinstance(old, Conv2d | Depthwise)
    flipped = np.where(rng.random(old.weight.shape) < 0.3, -old.weight, old.weight)
    layers[at] = replace(old, weight=flipped)
    graph = replace(made.graph, layers=tuple(layers))
    assert named(replace(made, graph=graph)) == layer


def test_sensitivity_finds_the_layer_that_costs(learned: Learned) -> None:
    model = learned("mbnet")
    layers: Any = model.features
    with torch.no_grad():
        s = torch.logspace(-2, 2, 32)[torch.randperm(32, generator=torch.Generator())]
        trained.scale_channels(layers[7], layers[9], s)
    made = quantized(model)
    split = digits().train.take(np.arange(64, 192))
    calls: list[int] = []
    found = noise.sensitivity(made, split.images, split.labels, calls.append)
    assert calls == list(range(1, len(found.layers) + 1))
    assert [row.layer for row in found.layers] == noise.layers_that_round(made)
    best = max(found.layers, key=lambda row: row.gain_db)
    worst = min(found.layers, key=lambda row: row.alone_db)
    assert best.layer == worst.layer == "features.6" and best.gain_db > 6
    assert best.accuracy is not None and found.int8_accuracy is not None
    assert best.accuracy > found.int8_accuracy and found.images == 128
    assert found.float_accuracy is not None and found.float_accuracy > 0.9


def test_layers_that_pass_numbers_on_cost_nothing(learned: Learned) -> None:
    made = quantized(learned("bnnet"))
    assert noise.layers_that_round(made) == ["conv1", "conv2", "fc"]
