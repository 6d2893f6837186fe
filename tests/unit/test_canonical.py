"""The canonical float graph computes what the model does, and has the operators we expect."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnaccel.nn.models import build_model, with_normalization
from cnnaccel.quant.canonical import CanonicalModel, canonicalize
from tests.support.networks import NETWORKS, Net, Shape, network, pixels, randomized

SHORT = {
    "conv2d": "conv", "relu": "relu", "hardtanh": "clamp", "max_pool2d": "max",
    "avg_pool2d": "avg", "add": "add", "cat": "cat", "pad": "pad",
}  # fmt: skip


def layers(canonical: CanonicalModel) -> list[str]:
    """The names of the layers in order, the image left out."""
    nodes = canonical.module.graph.nodes
    return [node.meta["layer"] for node in nodes if "layer" in node.meta][1:]


def operators(canonical: CanonicalModel) -> str:
    """The operators in order, as `conv relu max`."""
    nodes = canonical.module.graph.nodes
    return " ".join(SHORT[n.target._opname] for n in nodes if n.op == "call_function")


def check(model: nn.Module, shape: Shape) -> CanonicalModel:
    """Equal to the model, but for what float32 loses in another order of operations."""
    images = torch.from_numpy(pixels(shape, 3))
    canonical = canonicalize(model, shape)
    with torch.no_grad():
        expected = model.eval()(images / 255).flatten(1)
        found = canonical.module(canonical.prepare_input(images)).flatten(1)
    assert found.shape == expected.shape
    assert float(expected.std()) > 0
    assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    names = layers(canonical)
    assert len(set(names)) == len(names)
    for node in canonical.module.graph.find_nodes(
        op="call_function", target=torch.ops.aten.pad.default
    ):
        assert len(node.users) == 1
    return canonical


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "mobilenet_v2" else ())
        for name in NETWORKS  # the slow one has no operator that `RULES` lacks
    ],
)
def test_networks(name: str) -> None:
    model, shape = network(name)
    names = layers(check(model, shape))
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert path in names


def conv(channels: int = 3, out: int = 4, kernel: int = 3, **rest: object) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, **rest)  # type: ignore[arg-type]


def relu_(x: Tensor) -> Tensor:
    return F.relu(x, inplace=True)


IMAGE: Shape = (3, 9, 10)

# name: (operators, model)
RULES: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    # batch norm
    "bn in conv": ("conv", lambda: nn.Sequential(conv(), nn.BatchNorm2d(4))),
    "bn in conv without bias": (
        "conv", lambda: nn.Sequential(conv(bias=False), nn.BatchNorm2d(4, affine=False)),
    ),
    "bn in grouped conv": ("conv", lambda: nn.Sequential(conv(out=6, groups=3), nn.BatchNorm2d(6))),
    "bn after bn": (
        "conv", lambda: nn.Sequential(conv(), nn.BatchNorm2d(4), nn.Identity(), nn.BatchNorm2d(4)),
    ),
    "bn after relu": (
        "conv relu conv", lambda: nn.Sequential(conv(), nn.ReLU(), nn.BatchNorm2d(4)),
    ),
    "bn in linear": (
        "conv relu conv",
        lambda: nn.Sequential(
            conv(kernel=7), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5), nn.BatchNorm1d(5)
        ),
    ),
    "bn after pool": (
        "conv max conv", lambda: nn.Sequential(conv(), nn.MaxPool2d(2), nn.BatchNorm2d(4)),
    ),
    "bn after add": (
        "conv conv add conv",
        lambda: Net(lambda m, x: m.bn(m.a(x) + m.b(x)), a=conv(), b=conv(), bn=nn.BatchNorm2d(4)),
    ),
    "bn after cat": (
        "conv conv cat conv relu",
        lambda: Net(
            lambda m, x: m.bn(torch.cat([m.a(x), m.b(x)], 1)).relu(),
            a=conv(), b=conv(), bn=nn.BatchNorm2d(8),
        ),
    ),
    "bn on a conv that others read": (
        "conv conv add",
        lambda: Net(
            lambda m, x: (lambda y: m.bn(y) + y)(m.a(x)), a=conv(), bn=nn.BatchNorm2d(4)
        ),
    ),
    "two bns on one conv": (
        "conv conv conv add",
        lambda: Net(
            lambda m, x: (lambda y: m.b(y) + m.c(y))(m.a(x)),
            a=conv(), b=nn.BatchNorm2d(4), c=nn.BatchNorm2d(4),
        ),
    ),
    "one conv used twice, each with its bn": (
        "conv conv add",
        lambda: Net(
            lambda m, x: m.b(m.a(x)) + m.c(m.a(x)),
            a=conv(), b=nn.BatchNorm2d(4), c=nn.BatchNorm2d(4),
        ),
    ),
    # in place
    "relu_ on a conv": ("conv relu", lambda: nn.Sequential(conv(), nn.ReLU(inplace=True))),
    "relu_ changes what others read": (
        "conv relu add",
        lambda: Net(lambda m, x: (lambda y: relu_(y) + y)(m.a(x)), a=conv()),
    ),
    "add_ changes what others read": (
        "conv conv add add",
        lambda: Net(
            lambda m, x: (lambda y, z: y.add_(z) + y)(m.a(x), m.b(x)), a=conv(), b=conv()
        ),
    ),
    # clamps
    "relu on a pool, moved": (
        "conv relu max", lambda: nn.Sequential(conv(), nn.MaxPool2d(2), nn.ReLU()),
    ),
    "relu6 on two pools, moved": (
        "conv clamp max max",
        lambda: nn.Sequential(conv(), nn.MaxPool2d(2), nn.MaxPool2d(2, 1), nn.ReLU6()),
    ),
    "relu on a pool with another reader": (
        "conv max relu add",
        lambda: Net(lambda m, x: (lambda y: y.relu() + y)(F.max_pool2d(m.a(x), 2)), a=conv()),
    ),
    "relu on a padded pool": (
        "conv relu max", lambda: nn.Sequential(conv(), nn.MaxPool2d(3, 2, 1), nn.ReLU()),
    ),
    "clamp(0, 1.5)": ("conv clamp", lambda: Net(lambda m, x: m.a(x).clamp(0, 1.5), a=conv())),
    "clamp(max, min)": (
        "conv clamp", lambda: Net(lambda m, x: m.a(x).clamp(max=0.5, min=0.0), a=conv()),
    ),
    "clamp(min=0)": ("conv relu", lambda: Net(lambda m, x: m.a(x).clamp(min=0), a=conv())),
    "clamp_min": ("conv relu", lambda: Net(lambda m, x: torch.clamp_min(m.a(x), 0), a=conv())),
    "hardtanh": ("conv clamp", lambda: nn.Sequential(conv(), nn.Hardtanh(0, 0.5))),
    "relu on an avg pool": (
        "conv avg relu", lambda: nn.Sequential(conv(), nn.AvgPool2d(2), nn.ReLU()),
    ),
    "relu on the image": ("relu conv", lambda: nn.Sequential(nn.ReLU(), conv())),
    # convolutions
    "same, odd": ("pad conv", lambda: conv(padding="same")),
    "same, even and dilated": (
        "pad conv", lambda: conv(kernel=4, padding="same", dilation=(1, 3), bias=False),
    ),
    "same, one even side": (
        "pad conv", lambda: nn.Conv2d(3, 4, (2, 3), padding="same"),
    ),
    "valid": ("conv", lambda: conv(padding="valid", stride=2)),
    "padding, stride, dilation": (
        "conv", lambda: nn.Conv2d(3, 4, (3, 2), (2, 3), (2, 1), (1, 2)),
    ),
    "groups": ("conv conv", lambda: nn.Sequential(conv(out=6), conv(6, 8, groups=2))),
    "depthwise with multiplier": ("conv", lambda: conv(out=9, groups=3)),
    "zero pad, conv": ("pad conv", lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 2, 3)), conv())),
    "zero pads and the conv's own": (
        "pad conv",
        lambda: nn.Sequential(
            nn.ZeroPad2d((0, 1, 2, 3)), nn.ZeroPad2d((1, 0, 0, 0)), conv(padding=1, stride=2)
        ),
    ),
    "zero pad, relu, conv": (
        "conv relu pad conv",
        lambda: nn.Sequential(conv(), nn.ZeroPad2d((1, 2, 0, 0)), nn.ReLU(), conv(4)),
    ),
    "zero pad with two readers": (
        "pad conv pad conv add",
        lambda: Net(
            lambda m, x: (lambda y: m.a(y) + m.b(y))(F.pad(x, (0, 1, 0, 1))), a=conv(), b=conv()
        ),
    ),
    "zero pad of columns alone": (
        "pad conv", lambda: Net(lambda m, x: m.a(F.pad(x, (2, 1))), a=conv()),
    ),
    "padding_mode zeros": ("conv", lambda: conv(padding=1, padding_mode="zeros")),
    # pools
    "max pool, ceil": (
        "conv max", lambda: nn.Sequential(conv(), nn.MaxPool2d(2, 2, ceil_mode=True)),
    ),
    "max pool, dilated": ("max conv", lambda: nn.Sequential(nn.MaxPool2d(2, 1, 1, 2), conv())),
    "zero pad, max pool after relu": (
        "conv relu pad max",
        lambda: nn.Sequential(conv(), nn.ReLU(), nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, 2)),
    ),
    "zero pad, avg pool": (
        "conv pad avg", lambda: nn.Sequential(conv(), nn.ZeroPad2d((0, 1, 1, 0)), nn.AvgPool2d(2)),
    ),
    "avg pool, padded": ("avg", lambda: nn.AvgPool2d(3, 2, 1)),
    "avg pool, not counting no padding": ("avg", lambda: nn.AvgPool2d(3, count_include_pad=False)),
    "avg pool, ceil without effect": (
        "avg", lambda: nn.AvgPool2d((3, 2), ceil_mode=True, divisor_override=6),
    ),
    "adaptive, to 1": ("conv avg", lambda: nn.Sequential(conv(), nn.AdaptiveAvgPool2d(1))),
    "adaptive, to parts": ("avg", lambda: nn.AdaptiveAvgPool2d((3, 5))),
    "adaptive, one side as it is": ("avg", lambda: nn.AdaptiveAvgPool2d((None, 2))),
    "mean": ("conv avg", lambda: Net(lambda m, x: m.a(x).mean([2, 3]), a=conv())),
    "mean, keepdim, other order": (
        "conv avg conv",
        lambda: Net(
            lambda m, x: m.b(m.a(x).mean((-1, -2), keepdim=True)), a=conv(), b=conv(4, 2, 1)
        ),
    ),
    # shapes
    "flatten": ("conv", lambda: nn.Sequential(nn.Flatten(), nn.Linear(270, 5))),
    "view(N, -1)": (
        "conv conv", lambda: Net(lambda m, x: m.b(m.a(x).view(x.size(0), -1)), a=conv(),
                                 b=nn.Linear(224, 5)),
    ),
    "reshape(-1, features)": (
        "conv", lambda: Net(lambda m, x: m.b(x.reshape(-1, 270)), b=nn.Linear(270, 5)),
    ),
    "squeeze": (
        "avg relu conv",
        lambda: Net(
            lambda m, x: m.b(F.adaptive_avg_pool2d(x, 1).squeeze(-1).relu().squeeze(-1)),
            b=nn.Linear(3, 5),
        ),
    ),
    "squeeze, unsqueeze": (
        "avg conv",
        lambda: Net(
            lambda m, x: m.b(F.adaptive_avg_pool2d(x, 1).squeeze()[..., None].unsqueeze(-1)),
            b=conv(kernel=1),
        ),
    ),
    "contiguous, float, dropout, identity": (
        "conv relu",
        lambda: Net(
            lambda m, x: m.d(m.i(m.a(x.contiguous().float()).clone())).relu(),
            a=conv(), d=nn.Dropout2d(), i=nn.Identity(),
        ),
    ),
    # more than one input
    "add": ("conv add", lambda: Net(lambda m, x: m.a(x) + x, a=conv(out=3, padding=1))),
    "torch.add, out of order": (
        "conv add", lambda: Net(lambda m, x: torch.add(x, m.a(x)), a=conv(out=3, padding=1)),
    ),
    "x + x": ("conv add", lambda: Net(lambda m, x: (lambda y: y + y)(m.a(x)), a=conv())),
    "cat": ("conv cat", lambda: Net(lambda m, x: torch.cat([x, m.a(x), x], -3), a=conv(padding=1))),
    "cat of vectors": (
        "avg conv cat",
        lambda: Net(
            lambda m, x: torch.cat([x.mean((2, 3)), m.a(x.flatten(1))], 1), a=nn.Linear(270, 5)
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rules(rule: str) -> None:
    expected, make = RULES[rule]
    torch.manual_seed(len(rule))
    assert operators(check(randomized(make(), IMAGE), IMAGE)) == expected


# ---- normalisation -----------------------------------------------------------------------------

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.1]

# name: whether it goes into weights, and the model behind it
NORMALIZED: dict[str, tuple[bool, Callable[[], nn.Module]]] = {
    "conv": (True, conv),
    "grouped conv": (True, lambda: conv(out=6, groups=3)),
    "linear": (True, lambda: nn.Sequential(nn.Flatten(), nn.Linear(270, 5))),
    "two convs": (True, lambda: Net(lambda m, x: m.a(x) + m.b(x), a=conv(), b=conv())),
    "conv with bn": (True, lambda: nn.Sequential(conv(bias=False), nn.BatchNorm2d(4))),
    "padded conv": (False, lambda: conv(padding=1)),
    "same conv": (False, lambda: conv(padding="same")),
    "zero pad": (False, lambda: nn.Sequential(nn.ZeroPad2d(1), conv())),
    "pool": (False, lambda: nn.Sequential(nn.MaxPool2d(2), conv())),
    "one of two convs padded": (
        False, lambda: Net(lambda m, x: m.a(x) + m.b(x), a=conv(kernel=1), b=conv(padding=1)),
    ),
    "another batch norm, conv": (False, lambda: nn.Sequential(nn.BatchNorm2d(3), conv())),
    "another batch norm, padded conv": (
        False, lambda: nn.Sequential(nn.BatchNorm2d(3), conv(padding=1)),
    ),
    "batch norm and another reader": (
        False,
        lambda: Net(lambda m, x: m.a(m.bn(x)) + x, a=conv(out=3, padding=1), bn=nn.BatchNorm2d(3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NORMALIZED)
def test_normalization(case: str) -> None:
    folded, make = NORMALIZED[case]
    torch.manual_seed(len(case))
    model = with_normalization(randomized(make(), IMAGE), MEAN, STD, channels=3)
    canonical = check(model, IMAGE)
    assert (canonical.normalization is None) == folded
    image = next(iter(canonical.module.graph.nodes))
    assert image.meta["unsigned"] == folded


def test_normalization_takes_no_layer() -> None:
    model = with_normalization(build_model("lenet", {}), [0.3], [0.3], channels=1)
    canonical = check(randomized(model, (1, 28, 28)), (1, 28, 28))
    assert layers(canonical)[0] == "model.conv1"
    assert canonical.normalization is not None  # conv1 pads
    factor, offset = canonical.normalization
    assert np.allclose([float(factor), float(offset)], [1 / 0.3, -1], rtol=1e-6)


# ---- names -------------------------------------------------------------------------------------


def test_names_are_module_paths() -> None:
    block = nn.Sequential(conv(3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())
    model = Net(
        lambda m, x: m.image(torch.cat([m.block(m.block(x)) + x, F.relu(x)], 1)),
        block=block, image=conv(6),
    )  # fmt: skip
    twice = ["block.0", "block.2", "block.0_2", "block.2_2"]
    found = layers(check(randomized(model, IMAGE), IMAGE))
    assert found == [*twice, "add", "relu", "cat", "image_2"]


def test_module_paths_that_differ_in_punctuation_keep_their_weights() -> None:
    model = Net(lambda m, x: m.a_b(x) + m.a.b(x), a=Net(lambda m, x: x, b=conv()), a_b=conv())
    assert layers(check(model.eval(), IMAGE)) == ["a_b", "a.b", "add"]


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(conv(), nn.BatchNorm2d(4), nn.Sequential(nn.Dropout(), nn.ReLU())).train()
    model[1].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    canonicalize(model, IMAGE)
    assert [module.training for module in model.modules()] == [True, True, False, True, True, True]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
