"""Equalization: exact in float, and int8 keeps its accuracy however channels are scaled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d
from cnnaccel.nn.evaluate import predict_logits
from cnnaccel.quant import ptq
from cnnaccel.quant.canonical import CanonicalModel, canonicalize
from cnnaccel.quant.equalize import Classes, _bounds, equalized, factors, rescaled
from cnnaccel.quant.survey import drop_dead, drop_provable, survey
from tests.unit import trained
from tests.unit.networks import Net, network, pixels, randomized
from tests.unit.trained import accuracy, digits

MODES = [
    (weights, requantize)
    for weights in ("per_channel", "per_tensor")
    for requantize in ("multiplier", "shift")
]
MOST_POINTS = 0.3


def sets(count: int = 1024) -> ptq.ImageSets:
    """Of the digits: so many for calibration, 128 held out, up to 512 for the survey."""
    images = digits().train.images
    aside = min(len(images) - count, 128) if count < len(images) else 128
    return ptq.ImageSets(
        images[:count], images[: min(max(count, 512), len(images) - aside)], images[-aside:]
    )


def points(model: nn.Module, config: QuantizeConfig, count: int = 1024) -> tuple[float, ptq.Trial]:
    """How much accuracy int8 gains over float on the test images, in points."""
    test = digits().test
    made = ptq.quantize(model, "net", sets(count), config)
    assert made.trial is not None
    exact = accuracy(predict_logits(model, test.images), test.labels)
    return accuracy(golden.run(made.graph, test.images), test.labels) - exact, made.trial


# ---- exact in float ---------------------------------------------------------------------------


def logits(canonical: CanonicalModel, images: np.ndarray) -> np.ndarray:
    return ptq.float_logits(canonical, images)


@pytest.mark.parametrize("name", ["resnet8", "dscnn"])
def test_rescaling_keeps_the_function(name: str, rng: np.random.Generator) -> None:
    """By any s over two decades, and by those that equalize what came of it."""
    model, shape = network(name)
    images = pixels(shape, 3)
    canonical = canonicalize(model, shape)
    exact = logits(canonical, images)
    classes = Classes.of(canonical.module)
    low, high = _bounds(canonical.module, classes, survey(canonical, images))
    s = np.clip(10 ** rng.uniform(-1, 1, classes.count), low, high)
    other = rescaled(canonical, classes, s)
    assert other is not None
    assert np.abs(logits(other, images) - exact).max() < 1e-4 * np.abs(exact).max()
    for per_channel in (True, False):
        back = equalized(other, survey(other, images), per_channel)
        assert back is not None
        assert np.abs(logits(back, images) - exact).max() < 1e-4 * np.abs(exact).max()


def test_classes_of_every_operator() -> None:
    """Additions unite, concatenations line up, image and output do not move."""
    model = Net(
        lambda m, x: m.last(
            torch.cat([m.a(x).relu() + m.b(x), nn.functional.max_pool2d(m.c(x), 3, 1, 1), x], 1)
        ),
        a=nn.Conv2d(2, 3, 1), b=nn.Conv2d(2, 3, 1), c=nn.Conv2d(2, 4, 1), last=nn.Conv2d(9, 5, 1),
    )  # fmt: skip
    module = canonicalize(model.eval(), (2, 6, 6)).module
    classes = Classes.of(module)
    ids = {
        n.meta["layer"]: classes.by_node[n.name] for n in module.graph.nodes if "layer" in n.meta
    }
    assert classes.count == 2 + 3 + 4 + 5
    assert ids["a"].tolist() == ids["b"].tolist() == ids["relu"].tolist() == ids["add"].tolist()
    assert ids["cat"].tolist() == [*ids["add"], *ids["c"], *ids["image"]]
    assert ids["max_pool"].tolist() == ids["c"].tolist()
    assert sorted(classes.fixed) == sorted([*ids["image"], *ids["last"]])


def test_greatest_value_of_tensors_that_share_channels_stays() -> None:
    model, shape = network("resnet8")
    canonical = canonicalize(model, shape)
    classes = Classes.of(canonical.module)
    found = survey(canonical, pixels(shape, 4))
    s, a = factors(canonical, classes, found, True), np.zeros(classes.count)
    for name, ids in classes.of_tensors(canonical.module):
        np.maximum.at(a, ids, found.magnitude[name].numpy())
    assert np.abs(np.log10(s)).max() > 0.1
    for ids in classes.meeting(canonical.module):
        assert np.isclose((a * s)[ids].max(), a[ids].max())
    assert (s[classes.fixed] == 1).all()


def test_a_clamp_does_not_move() -> None:
    """Channels that reach 6 keep their size; others get as great as that at most."""
    model, shape = network("dscnn")
    canonical, images = canonicalize(model, shape), pixels(shape, 4)
    found = survey(canonical, images)
    classes = Classes.of(canonical.module)
    low, high = _bounds(canonical.module, classes, found)
    moved = 0
    for node in canonical.module.graph.nodes:
        if "hardtanh" in str(node.target):
            top = found.greatest[node.args[0].name].numpy()
            ids = classes.by_node[node.name]
            assert (high[ids][top >= 6] == 1).all() and (low[ids] == 1).all()
            assert (high[ids] * top <= 6 * 1.0001)[top < 6].all()
            moved += int((high[ids] > 1).sum())
    assert moved


def test_what_float32_cannot_hold_is_not_equalized() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1))
    canonical = canonicalize(model, (1, 4, 4))
    classes = Classes.of(canonical.module)
    s = np.ones(classes.count)
    s[(set(range(classes.count)) - set(classes.fixed.tolist())).pop()] = 1e-42
    assert rescaled(canonical, classes, s) is None


# ---- int8 keeps its accuracy --------------------------------------------------------------------


SWEEP = [
    pytest.param(decades, *mode, count, marks=pytest.mark.slow)
    for decades in range(5)
    for mode in MODES
    for count in (16, 1024)
]


@pytest.mark.parametrize(
    ("decades", "weights", "requantize", "count"),
    [*((4, *mode, 64) for mode in MODES), (2, *MODES[0], 16), (0, *MODES[0], 64), *SWEEP],
)
def test_rescaled_batch_norms(decades: int, weights: Any, requantize: Any, count: int) -> None:
    model = trained.rescaled(trained.trained("mbnet"), decades, seed=decades)
    config = QuantizeConfig(weights=weights, requantize=requantize)
    gained, trial = points(model, config, count)
    assert gained > -MOST_POINTS
    assert trial.kept or decades == 0
    assert trial.logits_db is not None and trial.logits_db > (25 if count == 16 else 30)


def test_it_can_be_switched_off() -> None:
    model = trained.rescaled(trained.trained("mbnet"), 4)
    gained, trial = points(model, QuantizeConfig(equalize=False), 64)
    assert gained < -30 and not trial.kept and trial.equalized_db is None


@pytest.mark.parametrize("factor", [1e5, 1e30])
def test_a_channel_that_is_out_of_line(factor: float) -> None:
    """At 1e30 no integer graph can hold the network as it is."""
    model = trained.trained("mbnet")
    s = torch.ones(16)
    s[3] = factor
    with torch.no_grad():
        trained.scale_channels(model.features[1], model.features[3], s)
    gained, trial = points(model, QuantizeConfig(), 64)
    assert gained > -MOST_POINTS and trial.kept
    assert (trial.plain_db is None) == (factor == 1e30)


@pytest.mark.parametrize("weights", ["per_tensor"])
def test_additions_concatenations_and_relu6(weights: Any, rng: np.random.Generator) -> None:
    train = digits().train.images
    canonical = canonicalize(trained.trained("joined"), (1, 28, 28))
    classes = Classes.of(canonical.module)
    low, high = _bounds(canonical.module, classes, survey(canonical, train))
    s = 10 ** rng.uniform(-1.5, 1.5, classes.count)
    s[low == 1] = np.where(high == 1, 1.0, 10 ** -rng.uniform(0, 3, classes.count))[low == 1]
    s[classes.fixed] = 1
    other = rescaled(canonical, classes, s)
    assert other is not None
    gained, trial = points(other.module, QuantizeConfig(weights=weights), 256)
    assert gained > -MOST_POINTS and trial.kept


def test_plain_is_kept_where_equalizing_gains_nothing() -> None:
    config = QuantizeConfig(bias_correction=False)
    made = ptq.quantize(trained.trained("bnnet"), "net", sets(), config)
    plain = ptq.quantize(trained.trained("bnnet"), "net", sets(), replace(config, equalize=False))
    assert made.trial is not None and not made.trial.kept
    assert made.trial.equalized_db is not None
    assert made.trial.equalized_db < made.trial.plain_db + 0.5  # type: ignore[operator]
    for one, other in zip(made.graph.layers, plain.graph.layers, strict=True):
        if isinstance(one, Conv2d) and isinstance(other, Conv2d):
            assert (one.weight == other.weight).all() and (one.bias == other.bias).all()


def test_biases_are_corrected_on_the_module_that_was_kept() -> None:
    model = trained.rescaled(trained.trained("mbnet"), 4)
    made = ptq.quantize(model, "net", sets(64), QuantizeConfig())
    noise = ptq.layer_sqnr(made, digits().test.images[:64])
    assert min(noise.values()) > 25, noise


def test_calibration_images_alone_are_divided() -> None:
    images = digits().train.images
    divided = ptq.ImageSets.of(images[:100])
    assert (len(divided.calibration), len(divided.held_out)) == (75, 25)
    assert len(ptq.ImageSets.of(images).held_out) == 128
    assert len(ptq.ImageSets.of(images[:15]).held_out) == 0
    made = ptq.quantize(trained.trained("lenet"), "net", images[:15], QuantizeConfig())
    assert made.trial is None


# ---- inputs that are always 0 -------------------------------------------------------------------


def black_pixel() -> int:
    """A pixel that is black in every digit."""
    data = digits()
    seen = np.concatenate([data.train.images, data.test.images]).reshape(-1, 784).max(0)
    return int(np.flatnonzero(seen == 0)[3])


@pytest.mark.parametrize(
    ("value", "weights", "requantize"),
    [(100, *MODES[0]), (100, *MODES[3]), (1e4, *MODES[2]), (1e30, *MODES[0]), (1e30, *MODES[3])],
)
def test_a_pixel_that_is_always_black(value: float, weights: Any, requantize: Any) -> None:
    model = trained.trained("dense")
    at = black_pixel()
    with torch.no_grad():
        model[1].weight[:, at] = value  # type: ignore[index]
    config = QuantizeConfig(weights=weights, requantize=requantize, equalize=value == 100)
    made = ptq.quantize(model, "net", sets(16 if value == 100 else 1024), config)
    first = made.graph.layers[0]
    assert isinstance(first, Conv2d) and made.dropped_weights == 64
    assert (first.weight.reshape(64, 784)[:, at] == 0).all()
    test = digits().test
    exact = accuracy(predict_logits(model, test.images), test.labels)
    assert accuracy(golden.run(made.graph, test.images), test.labels) > exact - MOST_POINTS


def test_weights_that_widen_no_scale_stay() -> None:
    """An input may be 0 on the images of the survey and not on others."""
    images = pixels((4, 5, 5), 6)
    images[:, 2] = 0
    canonical = canonicalize(nn.Conv2d(4, 3, 3, padding=1).eval(), (4, 5, 5))
    (weight,) = (b for b in canonical.module.buffers() if b.dim() == 4)
    weight[0, 2, 1, 1], weight[1, 2] = 50.0, 0.1
    before = weight.clone()
    assert drop_provable(canonical) == 0
    assert drop_dead(canonical, survey(canonical, images), True) == 1
    changed = (weight != before).nonzero().tolist()
    assert changed == [[0, 2, 1, 1]] and float(weight[0, 2, 1, 1]) == 0


def test_dead_rows_of_a_depthwise_layer_stay() -> None:
    images = pixels((4, 5, 5), 6)
    images[:, 1] = 0
    canonical = canonicalize(nn.Conv2d(4, 4, 3, groups=4).eval(), (4, 5, 5))
    assert drop_dead(canonical, survey(canonical, images), True) == 0


def test_taps_that_see_nothing_but_padding() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 3, 3, 2, padding=1)).eval()
    canonical = canonicalize(model, (2, 1, 2))
    assert drop_provable(canonical) == 2 * 3 * (9 - 2)
    images = pixels((2, 1, 2), 8)
    exact = model(torch.from_numpy(images).float() / 255).detach().numpy()
    assert np.abs(logits(canonical, images) - exact).max() < 1e-6


def test_channels_that_nothing_lifts_above_zero() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Conv2d(3, 4, 3)).eval()
    first: Any = model[0]
    with torch.no_grad():
        first.weight[1], first.bias[1] = -first.weight[1].abs(), 0.0
        first.bias[0], first.bias[2] = 0.5, 0.5
    canonical = canonicalize(model, (2, 5, 5))
    assert drop_provable(canonical) == 4 * 9


def test_an_image_that_is_normalised_has_no_dead_pixels() -> None:
    """After a normalisation black is not 0."""
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3, padding=1))
    canonical = canonicalize(randomized(model, (1, 6, 6)), (1, 6, 6))
    images = np.zeros((3, 1, 6, 6), np.uint8)
    assert bool(survey(canonical, images).alive["image"].all())
