"""How scales are found: observers, units, and the options of `quantize`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import DataError, ModelError
from cnnaccel.ir.graph import Conv2d, Depthwise, Graph
from cnnaccel.ir.storage import save_graph
from cnnaccel.quant.ptq import ImageSets, layer_sqnr, quantize
from cnnaccel.quant.quantizer import ActivationObserver, WeightObserver
from tests.support.networks import Net, Shape, network, pixels, randomized


def activation_scale(
    *batches: torch.Tensor, search: bool = False, unit: float | None = None, top: int = 255
) -> float:
    observer = ActivationObserver(
        torch.uint8, 0, top, torch.per_tensor_symmetric, name="x", search=search, unit=unit
    )
    for batch in batches:
        assert observer(batch) is batch
    scale, zero_point = observer.calculate_qparams()
    assert scale.dtype == torch.float64 and scale.shape == (1,) and zero_point.tolist() == [0]
    return float(scale)


def weight_scales(weight: torch.Tensor, per_channel: bool = True, unit: float | None = None) -> Any:
    scheme = torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric
    observer = WeightObserver(torch.int8, -127, 127, scheme, unit=unit)
    observer(weight)
    return observer.calculate_qparams()[0].tolist()


# ---- activations -------------------------------------------------------------------------------


def test_minmax_maps_the_greatest_magnitude_of_all_batches_to_the_end() -> None:
    batches = [torch.tensor([0.1, 0.5]), torch.tensor([-3.0, 2.0]), torch.tensor([0.0, 1.0])]
    assert activation_scale(*batches) == 3 / 255
    assert activation_scale(*batches, top=127) == 3 / 127
    assert activation_scale(*batches[::-1]) == 3 / 255


def test_histogram_clips_an_outlier() -> None:
    x = torch.cat([torch.rand(1_000_000), torch.tensor([2.0])])
    assert activation_scale(x) == 2 / 255
    clipped = 255 * activation_scale(x, search=True)
    assert 0.95 < clipped < 1.05


def test_histogram_clips_nothing_that_is_common() -> None:
    assert activation_scale(torch.full((1000,), 0.7), search=True) == pytest.approx(0.7 / 255)
    assert activation_scale(torch.rand(100_000), search=True) == pytest.approx(1 / 255, rel=0.02)


def test_histogram_grows_with_the_range() -> None:
    x = torch.randn(100_000, generator=torch.Generator().manual_seed(0)).abs().sort().values
    at_once = activation_scale(x, search=True)
    growing = activation_scale(*x.split(10_000), search=True)
    shrinking = activation_scale(*reversed(x.split(10_000)), search=True)
    assert growing == pytest.approx(at_once, rel=0.02)
    assert shrinking == pytest.approx(at_once, rel=0.02)


@pytest.mark.parametrize("search", (False, True))
@pytest.mark.parametrize("unit", (None, 1.0))
def test_all_zero_tensors_have_a_scale(search: bool, unit: float | None) -> None:
    zeros = torch.zeros(5)
    assert activation_scale(zeros, zeros, search=search, unit=unit) == (
        1 / 255 if unit is None else 2.0**-7
    )
    late = activation_scale(zeros, torch.tensor([0.0, 4.0]), search=False)
    assert late == 4 / 255


@pytest.mark.parametrize("greatest", (1e-30, 0.0078, 0.99, 1.0, 255.0, 256.0, 3e30))
@pytest.mark.parametrize("unit", (1.0, 256 / 255, 64 / 49))
@pytest.mark.parametrize("search", (False, True))
def test_unit_times_a_power_of_two(greatest: float, unit: float, search: bool) -> None:
    x = torch.linspace(0, greatest, 1000)
    exact = float(x.max()) / 255
    scale = activation_scale(x, search=search, unit=unit)
    exponent = math.log2(scale / unit)
    assert exponent == pytest.approx(round(exponent), abs=1e-9)
    if not search:
        assert exact * (1 - 1e-8) <= scale < 2 * exact
    assert exact / 8 < scale < 2 * exact


def test_a_scale_that_fits_exactly_is_kept() -> None:
    assert activation_scale(torch.tensor([255 / 64]), unit=1.0) == 1 / 64


@pytest.mark.parametrize("value", (math.nan, math.inf, -math.inf))
def test_values_that_are_not_finite(value: float) -> None:
    with pytest.raises(ModelError, match="'x': its output is not finite"):
        activation_scale(torch.tensor([1.0, 2.0]), torch.tensor([0.5, value, 1.0]))


# ---- weights -----------------------------------------------------------------------------------


def test_weight_scales() -> None:
    weight = torch.tensor([[1.0, -2.54], [0.127, 0.0], [0.0, 0.0]])[:, :, None, None]
    assert weight_scales(weight) == pytest.approx([0.02, 0.001, 1 / 127])
    assert weight_scales(weight, per_channel=False) == pytest.approx([0.02])


def test_weights_too_small_for_float32_count_as_zero() -> None:
    weight = torch.tensor([[1e-40], [1e-31], [1e-29]])
    assert weight_scales(weight) == pytest.approx([1 / 127, 1 / 127, 1e-29 / 127])


@pytest.mark.parametrize("unit", (1.0, 255 / 256, 49 / 64))
@pytest.mark.parametrize("per_channel", (True, False))
def test_weight_scales_in_units(unit: float, per_channel: bool, rng: np.random.Generator) -> None:
    weight = torch.from_numpy(rng.normal(0, rng.lognormal(size=(9, 1)), (9, 50)).astype("f"))
    scales = np.array(weight_scales(weight, per_channel, unit))
    exponents = np.log2(scales / unit)
    assert np.abs(exponents - np.round(exponents)).max() < 1e-6
    rows = weight.double().numpy().reshape(9 if per_channel else 1, -1)
    for row, scale in zip(rows, scales, strict=True):  # no neighbouring power of two is better

        def error(candidate: float, row: np.ndarray = row) -> float:
            steps = np.clip(np.rint(row / candidate), -127, 127)
            return float(((row - steps * candidate) ** 2).sum())

        assert error(scale) <= min(error(scale / 2), error(scale * 2)) * (1 + 1e-6)


# ---- quantize ----------------------------------------------------------------------------------

IMAGE: Shape = (3, 8, 8)


def small() -> nn.Module:
    torch.manual_seed(1)
    block = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)
    )
    return randomized(nn.Sequential(block, nn.Flatten(), nn.Linear(96, 5)), IMAGE)


def saved(graph: Graph, folder: Path) -> str:
    """Text that two graphs share only if they are equal; it has a digest of the arrays."""
    folder.mkdir(exist_ok=True)
    save_graph(graph, folder)
    return (folder / "graph.json").read_text()


def test_same_model_and_images_give_the_same_graph(tmp_path: Path) -> None:
    images = pixels(IMAGE, 70)
    first, second = (quantize(small(), "small", images, QuantizeConfig()).graph for _ in range(2))
    assert saved(first, tmp_path) == saved(second, tmp_path)


def test_the_options_matter_and_reach_the_graph(tmp_path: Path) -> None:
    images = pixels(IMAGE, 512)
    options = [
        QuantizeConfig(),
        QuantizeConfig(weights="per_tensor"),
        QuantizeConfig(requantize="shift"),
        QuantizeConfig(observer="minmax"),
    ]
    results = [quantize(small(), "small", images, config) for config in options]
    assert len({saved(result.graph, tmp_path) for result in results}) == len(options)
    per_channel, per_tensor = (list(r.weight_scales["0.0"]) for r in results[:2])
    assert len(set(per_channel)) == 6 and len(set(per_tensor)) == 1 and len(per_tensor) == 6


def test_progress_and_batches() -> None:
    seen: list[int] = []
    images, config = pixels(IMAGE, 130), QuantizeConfig(equalize=False)
    quantize(small(), "small", images, config, seen.append)
    assert seen == [32, 64, 96, 128, 130, 130 + 64, 130 + 128, 130 + 130]
    seen.clear()
    sets, config = ImageSets.of(images), QuantizeConfig()
    quantize(small(), "small", sets, config, seen.append)
    tries = [32, 64, 96, 98, 98 + 64, 98 + 98, 98 + 98 + 64, 3 * 98]
    assert seen == tries and seen[-1] == sets.work(config)
    seen.clear()
    quantize(small(), "small", images, config, seen.append)
    assert seen == [*tries, 3 * 98 + 64, 3 * 98 + 128, 3 * 98 + 130]


@pytest.mark.parametrize("count", [10, 16, 130])
def test_what_is_chosen_is_calibrated_with_all_images(count: int, tmp_path: Path) -> None:
    images = pixels(IMAGE, count)
    chosen = quantize(small(), "small", images, QuantizeConfig())
    plain = quantize(small(), "small", images, QuantizeConfig(equalize=False))
    assert (chosen.trial is not None) == (count >= 16)
    assert chosen.trial is None or not chosen.trial.kept
    assert saved(chosen.graph, tmp_path) == saved(plain.graph, tmp_path)


def test_no_images() -> None:
    with pytest.raises(DataError, match="no calibration images"):
        quantize(small(), "small", pixels(IMAGE, 0), QuantizeConfig())


def test_black_images() -> None:
    images = np.zeros((2, *IMAGE), np.uint8)
    for requantize in ("multiplier", "shift"):
        quantize(small(), "small", images, QuantizeConfig(requantize=requantize))


def test_activations_that_overflow() -> None:
    model: Any = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU6())
    ).eval()
    with torch.no_grad():
        model[0].weight.fill_(1e38)
        model[1][0].weight.fill_(1e38)
    with pytest.raises(ModelError, match="layer '0': its output is not finite"):
        quantize(model, "hot", pixels(IMAGE), QuantizeConfig())


@pytest.mark.parametrize("training", (True, False))
def test_the_model_is_left_as_it_was(training: bool) -> None:
    model = small().train(training)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    quantize(model, "small", pixels(IMAGE), QuantizeConfig())
    assert all(module.training == training for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_sqnr_has_each_tensor_the_float_network_has() -> None:
    model, shape = network("lenet")
    images = pixels(shape, 4)
    quantized = quantize(model, "lenet", images, QuantizeConfig())
    sqnr = layer_sqnr(quantized, images)
    assert list(sqnr) == [layer.name for layer in quantized.graph.layers]  # but not the pixels
    assert all(20 < value < 80 for value in sqnr.values()), sqnr


def test_sqnr_of_a_normalised_image() -> None:
    model = Net(
        lambda m, x: m.conv(m.bn(x)), bn=nn.BatchNorm2d(3), conv=nn.Conv2d(3, 4, 3, padding=1)
    )
    images = pixels(IMAGE, 4)
    quantized = quantize(randomized(model, IMAGE), "host", images, QuantizeConfig())
    assert quantized.graph.input_table is not None
    assert list(layer_sqnr(quantized, images)) == ["image", "conv"]


def test_dead_network() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    for requantize in ("multiplier", "shift"):
        config = QuantizeConfig(requantize=requantize)
        quantized = quantize(model, "dead", pixels(IMAGE), config)
        assert all(isinstance(layer, Conv2d | Depthwise) for layer in quantized.graph.layers)
        assert set(layer_sqnr(quantized, pixels(IMAGE)).values()) == {math.inf}
