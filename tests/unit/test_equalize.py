"""Equalization: exact in float, and int8 keeps its accuracy however channels are scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d
from cnnaccel.ir.storage import save_graph
from cnnaccel.nn.evaluate import predict_logits
from cnnaccel.quant import ptq
from cnnaccel.quant.canonical import CanonicalModel, canonicalize
from cnnaccel.quant.equalize import Classes, _bounds, equalized, factors, rescaled
from cnnaccel.quant.survey import drop_dead, drop_provable, survey
from tests.accuracy import COUNTS, MODES, black_pixel, channel_times, with_weight_on_black
from tests.support import trained
from tests.support.networks import Net, Shape, network, pixels, randomized
from tests.support.trained import Learned, accuracy, digits

MOST_POINTS = 0.3
MOST_DB = 1.0
"""What logits may lose when channels are rescaled."""


def sets(count: int) -> ptq.ImageSets:
    """Of the digits: so many for calibration, 128 held out, up to 512 for the survey."""
    images = digits().train.images
    return ptq.ImageSets(images[:count], images[: max(count, 512)], images[-128:])


def points(model: nn.Module, made: ptq.Quantized) -> float:
    """How much accuracy int8 gains over float on the test images, in points."""
    test = digits().test
    exact = accuracy(predict_logits(model, test.images), test.labels)
    return accuracy(golden.run(made.graph, test.images), test.labels) - exact


@dataclass(frozen=True)
class Both:
    """MbNet as it was trained and with its channels rescaled over some decades, in int8."""

    model: nn.Module
    healthy: ptq.Quantized
    rescaled: ptq.Quantized


@pytest.fixture(scope="module")
def mbnet(learned: Learned) -> Callable[..., Both]:
    """mbnet(decades, weights, requantize, images): made once for all tests."""

    @cache
    def quantized(decades: int, weights: Any, requantize: Any, count: int) -> ptq.Quantized:
        model = trained.rescaled(learned("mbnet"), decades, seed=decades)
        config = QuantizeConfig(weights=weights, requantize=requantize)
        return ptq.quantize(model, "net", sets(count), config)

    def get(decades: int, *mode: Any) -> Both:
        return Both(learned("mbnet"), quantized(0, *mode), quantized(decades, *mode))

    return get


# ---- exact in float ---------------------------------------------------------------------------


def logits(canonical: CanonicalModel, images: np.ndarray) -> np.ndarray:
    return ptq.float_logits(canonical, images)


@cache
def canonical_network(name: str) -> tuple[CanonicalModel, Shape]:
    """To be read alone."""
    model, shape = network(name)
    return canonicalize(model, shape), shape


@pytest.mark.parametrize("name", ["resnet8", "dscnn"])
def test_rescaling_keeps_the_function(name: str, rng: np.random.Generator) -> None:
    """By any s over two decades, and by those that equalize what came of it."""
    canonical, shape = canonical_network(name)
    images = pixels(shape, 3)
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
    canonical, shape = canonical_network("resnet8")
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
    canonical, shape = canonical_network("dscnn")
    images = pixels(shape, 4)
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


EVERYDAY = [(4, *MODES[3], 16)]
SWEEP = [
    pytest.param(decades, *mode, count, marks=pytest.mark.slow)
    for decades in range(1, 5)
    for mode in MODES
    for count in COUNTS
]


@pytest.mark.parametrize(("decades", "weights", "requantize", "count"), [*EVERYDAY, *SWEEP])
def test_rescaled_batch_norms(
    decades: int, weights: Any, requantize: Any, count: int, mbnet: Callable[..., Both]
) -> None:
    """Nothing is lost but what the float network loses in int8 anyway."""
    both = mbnet(decades, weights, requantize, count)
    healthy, trial = both.healthy.trial, both.rescaled.trial
    assert points(both.model, both.healthy) > -MOST_POINTS
    assert points(both.model, both.rescaled) > -MOST_POINTS
    assert healthy is not None and healthy.logits_db is not None
    assert healthy.logits_db > 25  # 16 images clip a little
    assert trial is not None and trial.equalized_db is not None
    assert trial.equalized_db > healthy.logits_db - MOST_DB
    assert trial.kept or decades == 1  # where there is little to gain
    assert trial.logits_db is not None and trial.logits_db > 25


def test_it_can_be_switched_off(learned: Learned) -> None:
    model = trained.rescaled(learned("mbnet"), 4, seed=4)
    made = ptq.quantize(model, "net", sets(64), QuantizeConfig(equalize=False))
    assert made.trial is not None and not made.trial.kept and made.trial.equalized_db is None
    assert points(model, made) < -30


@pytest.mark.parametrize("factor", [1e5, 1e30])
def test_a_channel_that_is_out_of_line(factor: float, learned: Learned) -> None:
    """At 1e30 no integer graph can hold the network as it is."""
    model = channel_times(learned("mbnet"), factor)
    made = ptq.quantize(model, "net", sets(64), QuantizeConfig())
    assert points(model, made) > -MOST_POINTS
    assert made.trial is not None and made.trial.kept
    assert (made.trial.plain_db is None) == (factor == 1e30)


def test_additions_concatenations_and_relu6(learned: Learned, rng: np.random.Generator) -> None:
    canonical = canonicalize(learned("joined"), (1, 28, 28))
    classes = Classes.of(canonical.module)
    low, high = _bounds(canonical.module, classes, survey(canonical, sets(64).survey))
    s = 10 ** rng.uniform(-1.5, 1.5, classes.count)
    s[low == 1] = np.where(high == 1, 1.0, 10 ** -rng.uniform(0, 3, classes.count))[low == 1]
    s[classes.fixed] = 1
    other = rescaled(canonical, classes, s)
    assert other is not None
    config = QuantizeConfig(weights="per_tensor")
    made = ptq.quantize(other.module, "net", sets(64), config)
    assert points(other.module, made) > -MOST_POINTS
    assert made.trial is not None and made.trial.kept


def test_a_network_that_is_well_stays_as_it_is(learned: Learned, tmp_path: Path) -> None:
    """To the last bit, whatever equalizing it would have gained."""
    made, plain = (
        ptq.quantize(learned("bnnet"), "net", sets(64), QuantizeConfig(equalize=equalize))
        for equalize in (True, False)
    )
    assert made.trial is not None and made.trial.equalized_db is not None and not made.trial.kept
    for number, one in enumerate((made, plain)):
        (tmp_path / str(number)).mkdir()
        save_graph(one.graph, tmp_path / str(number))
    for name in ("graph.json", "tensors.npz"):
        first, second = ((tmp_path / number / name).read_bytes() for number in "01")
        assert first == second, name


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ((20.0, 120), (20.4, 128), False), ((20.0, 120), (20.6, 120), True),
        ((20.0, 120), (20.6, 119), False), ((20.0, 120), (22.1, 119), True),
        ((30.0, 127), (31.9, 128), False), ((30.0, 127), (32.1, 127), True),
        ((30.0, 127), (40.0, 126), False),
    ],
)  # fmt: skip
def test_what_is_worth_it(before: tuple[float, int], after: tuple[float, int], kept: bool) -> None:
    assert ptq._worth_it(*(ptq._Judged(*one, np.ones(128)) for one in (before, after))) == kept


@pytest.mark.parametrize(("images", "kept"), [(8, False), (800, True)])
def test_a_gain_must_not_hang_on_few_images(
    images: int, kept: bool, rng: np.random.Generator
) -> None:
    """The same gain of 3 dB on the sum, of noise that differs much from image to image."""
    one, other = rng.exponential(1.0, images), rng.exponential(1.0, images)
    other *= one.sum() / other.sum() / 2
    before, after = ptq._Judged(20.0, images, one), ptq._Judged(23.0, images, other)
    assert ptq._worth_it(before, after) == kept


def test_standard_error_is_that_of_many_draws(rng: np.random.Generator) -> None:
    def draw() -> tuple[np.ndarray, np.ndarray]:
        common = rng.exponential(1.0, 200)
        return common * rng.uniform(0, 2, 200), common * rng.uniform(0, 1, 200)

    gains = [10 * np.log10(one.sum() / other.sum()) for one, other in (draw() for _ in range(400))]
    errors = [ptq._standard_error(*draw()) for _ in range(40)]
    assert np.isclose(np.mean(errors), np.std(gains), rtol=0.15)


def test_biases_are_corrected_on_the_module_that_was_kept(mbnet: Callable[..., Both]) -> None:
    noise = ptq.layer_sqnr(mbnet(*EVERYDAY[0]).rescaled, digits().test.images[:64])
    assert min(noise.values()) > 25, noise


def test_calibration_images_alone_are_divided() -> None:
    images = digits().train.images
    divided = ptq.ImageSets.of(images[:100])
    assert (len(divided.calibration), len(divided.held_out)) == (75, 25)
    assert len(ptq.ImageSets.of(images).held_out) == 128
    assert len(ptq.ImageSets.of(images[:15]).held_out) == 0
    model = nn.Conv2d(1, 2, 28).eval()
    assert ptq.quantize(model, "net", images[:15], QuantizeConfig()).trial is None
    assert ptq.quantize(model, "net", images[:16], QuantizeConfig()).trial is not None


# ---- inputs that are always 0 -------------------------------------------------------------------


BLACK = [(100.0, *MODES[3], 16), (1e30, *MODES[0], 64)]
SLOW_BLACK = [
    pytest.param(weight, *mode, count, marks=pytest.mark.slow)
    for weight in (100.0, 1e4, 1e30)
    for mode in MODES
    for count in COUNTS
]


@pytest.mark.parametrize(("weight", "weights", "requantize", "count"), [*BLACK, *SLOW_BLACK])
def test_a_pixel_that_is_always_black(
    weight: float, weights: Any, requantize: Any, count: int, learned: Learned
) -> None:
    model = with_weight_on_black(learned("dense"), weight)
    config = QuantizeConfig(weights=weights, requantize=requantize, equalize=weight == 100)
    made = ptq.quantize(model, "net", sets(count), config)
    first = made.graph.layers[0]
    assert isinstance(first, Conv2d) and made.dropped_weights == 64
    assert (first.weight.reshape(64, 784)[:, black_pixel()] == 0).all()
    assert points(model, made) > -MOST_POINTS


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
    first: Any = model[0]
    nn.init.ones_(first.bias)
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
