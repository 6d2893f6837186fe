"""Floats become integers: weights, biases, multipliers and shifts, clamps, scales of concats."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import GraphError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Add, AvgPool2d, Concat, Conv2d, Depthwise, Graph, MaxPool2d
from cnnaccel.ir.intmath import SHIFT_MAX
from cnnaccel.quant.lower import _fit_bias, _power_of_two, integer_weights
from cnnaccel.quant.ptq import Quantized, layer_sqnr, quantize
from tests.support.networks import Net, Shape, pixels, randomized
from tests.support.reference import reference_graph

IMAGE: Shape = (3, 8, 8)
Requantize = Literal["multiplier", "shift"]
BOTH: tuple[Requantize, ...] = ("multiplier", "shift")


def conv(channels: int = 3, out: int = 4, kernel: int = 3, **rest: object) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, **rest)  # type: ignore[arg-type]


def quantized(
    model: nn.Module, requantize: Requantize = "multiplier", least_db: float = 25.0
) -> Quantized:
    """Random weights, checked against the reference and the float network."""
    torch.manual_seed(0)
    images = pixels(IMAGE, 8)
    made = quantize(randomized(model, IMAGE), "net", images, QuantizeConfig(requantize=requantize))
    expected = reference_graph(made.graph, images)
    for name, value in golden.trace(made.graph, images).items():
        assert np.array_equal(value, expected[name]), name
    assert min(layer_sqnr(made, images).values()) > least_db
    return made


def kinds(graph: Graph) -> str:
    return " ".join(type(layer).__name__ for layer in graph.layers)


# ---- integer_weights ---------------------------------------------------------------------------

positive = st.floats(1e-6, 1e6)


@given(positive, positive)
def test_two_weights_carry_the_ratio(a: float, b: float) -> None:
    weights, factor = integer_weights([a, b], shift_only=False)
    assert 64 <= max(weights) <= 127 and min(weights) >= 0
    least, greatest = sorted((a, b))
    small, large = sorted(weights)
    assert large * factor == pytest.approx(greatest, rel=1e-12)
    # no fraction with a denominator in 64..127 is farther than 1 / 254 away
    assert abs(small * factor - least) <= greatest / 254 * (1 + 1e-9)


@given(st.integers(1, 127), st.integers(1, 127), st.floats(1e-3, 1e3))
def test_ratios_of_small_numbers_are_exact(a: int, b: int, factor: float) -> None:
    weights, found = integer_weights([a * factor, b * factor], shift_only=False)
    assert Fraction(*weights) == Fraction(a, b)
    assert weights[0] * found == pytest.approx(a * factor, rel=1e-12)


@given(positive, positive)
def test_shift_only_weights(a: float, b: float) -> None:
    weights, factor = integer_weights([a, b], shift_only=True)
    assert math.frexp(factor)[0] == 0.5
    assert 64 <= max(weights) <= 127 and min(weights) >= 0
    for weight, ratio in zip(weights, (a, b), strict=True):
        assert abs(weight * factor - ratio) <= factor  # half a step; a whole one at 127.5


@given(st.integers(-20, 20), st.integers(0, 6))
def test_shift_only_weights_of_powers_of_two_are_exact(k: int, less: int) -> None:
    weights, factor = integer_weights([2.0**k, 2.0 ** (k - less)], shift_only=True)
    assert [weight * factor for weight in weights] == [2.0**k, 2.0 ** (k - less)]


@pytest.mark.parametrize("shift_only", (True, False))
def test_an_operand_too_small_to_matter_gets_weight_zero(shift_only: bool) -> None:
    assert integer_weights([1.0, 1e-4], shift_only)[0][1] == 0
    assert integer_weights([1e-300, 1e300], shift_only)[0][0] == 0


def test_one_ratio() -> None:
    for ratio in (1e-5, 0.3, 1.0, 77.0):
        (weight,), factor = integer_weights([ratio], shift_only=False)
        assert weight * factor == pytest.approx(ratio, rel=1e-12)
    assert integer_weights([0.25], shift_only=True) == ([64], 2.0**-8)


# ---- powers of two -----------------------------------------------------------------------------


def test_power_of_two() -> None:
    assert _power_of_two(2.0**-7 * (1 + 1e-7)) == (1, 7)
    assert _power_of_two(1.0) == (1, 0)
    assert _power_of_two(2.0**15) == (2**15, 0)
    assert _power_of_two(2.0**-SHIFT_MAX) == (1, SHIFT_MAX)
    assert _power_of_two(2.0**-90) == (1, SHIFT_MAX)  # of an int32 both make 0
    for ratio in (0.3, 2.0**-7 * 1.001, 2.0**16):
        with pytest.raises(GraphError, match="is no shift; use requantize: multiplier"):
            _power_of_two(ratio)


def requants(graph: Graph) -> dict[str, set[int]]:
    return {
        layer.name: {int(m) for m in layer.requant.multiplier}
        for layer in graph.layers
        if not isinstance(layer, MaxPool2d | Concat)
    }


def test_shift_mode_has_no_multipliers() -> None:
    model = Net(
        lambda m, x: m.fc(m.pool(F.relu6(m.b(m.a(x).relu()) + m.c(x))).flatten(1)),
        a=conv(padding=1), b=conv(4), c=conv(),
        pool=nn.AvgPool2d(3), fc=nn.Linear(16, 5),
    )  # fmt: skip
    graph = quantized(model, "shift").graph
    assert kinds(graph) == "Conv2d Conv2d Conv2d Add AvgPool2d Conv2d"
    assert set().union(*requants(graph).values()) == {1}
    # a pixel and an average carry what no power of two can say; the next weights take it in
    scales = {name: spec.scale for name, spec in graph.tensors().items()}
    assert scales["image"] == 1 / 255
    for name, unit in (("a", 1), ("b", 1), ("c", 1), ("add", 1), ("pool", 16 / 9), ("fc", 1)):
        assert math.frexp(scales[name] / unit)[0] == pytest.approx(0.5, abs=1e-9), name


# ---- biases ------------------------------------------------------------------------------------


@pytest.mark.parametrize("power_of_two", (True, False))
def test_fit_bias(power_of_two: bool) -> None:
    weight = np.full((4, 2, 1, 1), 100, np.int8)
    scale = np.array([2.0**-7, 2.0**-40, 2.0**-25, 2.0**-60])
    bias = np.array([3.0, 3.0, -3.0, 0.0])
    fitted, scales, integers = _fit_bias(weight, scale, bias, 2.0**-8, power_of_two)
    assert np.array_equal(fitted[[0, 3]], weight[[0, 3]])
    assert scales[0] == scale[0] and scales[3] == scale[3]
    assert np.abs(integers).max() <= 2**30 and integers.dtype == np.int32
    assert np.allclose(integers * scales * 2.0**-8, bias, rtol=1e-6)
    assert not fitted[1].any()
    assert 0 < fitted[2, 0, 0, 0] < 100
    assert abs(fitted[2, 0, 0, 0] * scales[2] - 100 * scale[2]) <= scales[2] / 2
    if power_of_two:
        assert np.array_equal(np.exp2(np.round(np.log2(scales))), scales)


@pytest.mark.parametrize("requantize", BOTH)
@pytest.mark.parametrize("tiny", (0.0, 1e-42, 1e-36, 1e-12, 1e-8))
def test_dead_channels(requantize: Requantize, tiny: float) -> None:
    """Batch norm on a channel that has died: next to no weights, an ordinary bias or none."""
    model: Any = nn.Sequential(conv(out=5), nn.BatchNorm2d(5), nn.ReLU(), conv(5, 3))
    images = pixels(IMAGE, 4)
    randomized(model, IMAGE)
    with torch.no_grad():
        model[1].weight[1:4] = tiny
        model[1].bias[1:4] = torch.tensor([0.7, 0.0, -0.7])
    made = quantize(model, "dead", images, QuantizeConfig(requantize=requantize))
    trace = golden.trace(made.graph, images)
    scale = made.graph.tensors()["0"].scale
    assert np.abs(trace["0"][:, 1] * scale - 0.7).max() <= scale
    assert not trace["0"][:, 2:4].any()
    assert layer_sqnr(made, images)["3"] > 25


# ---- clamps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("requantize", BOTH)
def test_relu6_becomes_the_clamp(requantize: Requantize) -> None:
    model: Any = nn.Sequential(conv(), nn.ReLU6()).eval()
    with torch.no_grad():
        model[0].weight.mul_(30)
    made = quantize(model, "six", pixels(IMAGE, 4), QuantizeConfig(requantize=requantize))
    (layer,) = made.graph.layers
    assert isinstance(layer, Conv2d) and layer.output.dtype == "uint8"
    assert layer.requant.low == 0
    assert layer.requant.high == min(math.floor(6 / layer.output.scale + 0.5), 255)
    assert layer.requant.high == (192 if requantize == "shift" else 255)
    assert golden.run(made.graph, pixels(IMAGE, 4)).max() == layer.requant.high


def test_relu6_in_front_of_a_signed_concat() -> None:
    model = Net(lambda m, x: torch.cat([F.relu6(m.a(x)), m.b(x)], 1), a=conv(), b=conv())
    first, second, _ = quantized(model).graph.layers
    assert isinstance(first, Conv2d) and isinstance(second, Conv2d)
    assert first.output.dtype == "int8" and (first.requant.low, first.requant.high) == (0, 127)
    assert second.output.dtype == "int8" and second.requant.low == -128


@pytest.mark.parametrize("requantize", BOTH)
def test_relu_that_no_layer_takes_in(requantize: Requantize) -> None:
    model = Net(lambda m, x: (lambda y: y.relu() + y)(m.a(x)), a=conv())
    graph = quantized(model, requantize).graph
    assert kinds(graph) == "Conv2d Depthwise Add"
    assert graph.layers[1].output.dtype == "uint8"
    if requantize == "shift":
        assert requants(graph) == {"a": {1}, "relu": {1}, "add": {1}}


# ---- concat ------------------------------------------------------------------------------------


@pytest.mark.parametrize("requantize", BOTH)
def test_layers_that_only_a_concat_reads_take_its_scale(requantize: Requantize) -> None:
    model = Net(
        lambda m, x: torch.cat([m.a(x), m.b(x).relu()], 1),
        a=conv(), b=conv(),
    )  # fmt: skip
    graph = quantized(model, requantize).graph
    assert kinds(graph) == "Conv2d Conv2d Concat"
    assert len({(layer.output.scale, layer.output.dtype) for layer in graph.layers}) == 1


@pytest.mark.parametrize("requantize", BOTH)
def test_layers_with_other_readers_are_rescaled(requantize: Requantize) -> None:
    def join(m: Net, x: torch.Tensor) -> torch.Tensor:
        a, b = m.a(x), m.b(x).relu()
        return torch.cat([a, b, F.max_pool2d(b, 3, 1, 1), m.c(a)], 1)

    graph = quantized(Net(join, a=conv(), b=conv(), c=conv(4, 4, 1)), requantize).graph
    names = [layer.name for layer in graph.layers]
    assert {"cat.input_1", "cat.input_2"} <= set(names)
    assert "c" in names and "cat.input_3" not in names
    if requantize == "shift":
        assert set().union(*requants(graph).values()) == {1}


def test_concat_of_the_image() -> None:
    model = Net(lambda m, x: m.b(torch.cat([x, m.a(x)], 1)), a=conv(padding=1), b=conv(7))
    for requantize in BOTH:
        graph = quantized(model, requantize).graph
        assert kinds(graph) == "Conv2d Depthwise Concat Conv2d"


def test_concat_of_averages() -> None:
    model = Net(
        lambda m, x: m.b(torch.cat([F.avg_pool2d(x, 3, 1, 1), m.a(x)], 1)),
        a=conv(padding=1), b=conv(7),
    )  # fmt: skip
    assert kinds(quantized(model).graph) == "AvgPool2d Conv2d Concat Conv2d"
    # a ninth of a pixel is no power of two times the convolution's scale
    graph = quantized(model, "shift").graph
    assert kinds(graph) == "AvgPool2d Conv2d Depthwise Concat Conv2d"
    assert set().union(*requants(graph).values()) == {1}


def test_concat_of_equal_units_needs_no_rescaling() -> None:
    model = Net(
        lambda m, x: m.b(torch.cat([F.avg_pool2d(x, 3), F.avg_pool2d(x.relu(), 3)], 1)),
        b=conv(6, 4, 1),
    )
    assert kinds(quantized(model, "shift").graph) == "AvgPool2d Depthwise AvgPool2d Concat Conv2d"


def test_concat_of_a_tensor_with_itself() -> None:
    model = Net(lambda m, x: (lambda y: torch.cat([y, y], 1))(m.a(x)), a=conv())
    graph = quantized(model).graph
    assert kinds(graph) == "Conv2d Concat" and graph.layers[1].inputs == ("a", "a")


def test_addition_of_a_tensor_to_itself() -> None:
    model = Net(lambda m, x: (lambda y: y + y)(m.a(x)), a=conv())
    for requantize in BOTH:
        add = quantized(model, requantize).graph.layers[-1]
        assert isinstance(add, Add) and add.inputs == ("a", "a")
        assert add.weights[0] == add.weights[1]


# ---- windows -----------------------------------------------------------------------------------


def test_ceil_mode_pads_below_and_right() -> None:
    model = nn.Sequential(conv(kernel=2), nn.MaxPool2d(2, 2, ceil_mode=True))
    layer = quantized(model).graph.layers[-1]
    assert isinstance(layer, MaxPool2d)
    assert layer.output.shape == (4, 4, 4) and layer.padding == (0, 1, 0, 1)
    model = nn.Sequential(conv(), nn.MaxPool2d(2, 2, ceil_mode=True))  # 6x6: nothing to round
    layer = quantized(model).graph.layers[-1]
    assert isinstance(layer, MaxPool2d) and layer.padding == (0, 0, 0, 0)
    model = nn.Sequential(conv(), nn.MaxPool2d(3, 2, 1, ceil_mode=True))
    layer = quantized(model).graph.layers[-1]
    assert isinstance(layer, MaxPool2d)
    assert layer.output.shape == (4, 4, 4) and layer.padding == (1, 2, 1, 2)
    model = nn.Sequential(conv(kernel=2), nn.ReLU(), nn.MaxPool2d(3, 3, 1, 2, ceil_mode=True))
    quantized(model)


def test_padding_of_pad_and_layer_add_up() -> None:
    model = nn.Sequential(nn.ZeroPad2d((0, 1, 2, 3)), conv(padding=(1, 2)))
    (layer,) = quantized(model).graph.layers
    assert isinstance(layer, Conv2d) and layer.padding == (3, 4, 2, 3)
    model = nn.Sequential(conv(), nn.ZeroPad2d((1, 0, 0, 1)), nn.AvgPool2d(3, 2, 1))
    layer = quantized(model).graph.layers[1]
    assert isinstance(layer, AvgPool2d) and layer.padding == (1, 2, 2, 1)


def test_kinds_of_convolution() -> None:
    model = nn.Sequential(
        conv(3, 3, groups=3), conv(3, 6, groups=3, padding=1), conv(6, 4, groups=2, kernel=1),
        nn.Flatten(), nn.Linear(144, 1), nn.BatchNorm1d(1),
    )  # fmt: skip
    graph = quantized(model).graph
    assert kinds(graph) == "Depthwise Conv2d Conv2d Conv2d"
    convolutions = [layer for layer in graph.layers if isinstance(layer, Conv2d)]
    assert [layer.groups for layer in convolutions] == [3, 2, 1]
    assert convolutions[-1].weight.shape == (1, 4, 6, 6)


@pytest.mark.parametrize("requantize", BOTH)
def test_pools_of_pixels(requantize: Requantize) -> None:
    model = nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(3, 1), conv(3, 4, 1))
    graph = quantized(model, requantize).graph
    assert kinds(graph) == "MaxPool2d AvgPool2d Conv2d"
    assert graph.layers[0].output.scale == 1 / 255 and graph.layers[0].output.dtype == "uint8"
    if requantize == "shift":
        assert requants(graph) == {"1": {1}, "2": {1}}


def test_depthwise_of_one_channel_is_depthwise() -> None:
    images = pixels((1, 8, 8), 2)
    made = quantize(conv(1, 1).eval(), "one", images, QuantizeConfig())
    assert isinstance(made.graph.layers[0], Depthwise)


def test_an_accumulator_that_could_overflow_is_refused() -> None:
    model: Any = nn.Sequential(nn.Flatten(), nn.Linear(3 * 180 * 180, 1)).eval()
    with torch.no_grad():
        model[1].weight.fill_(1.0)
    with pytest.raises(GraphError, match=r"layer '1' .* beyond int32"):
        quantize(model, "huge", pixels((3, 180, 180)), QuantizeConfig())
