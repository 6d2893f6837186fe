"""What the engine has no place for: refused by layer and line, with a reason and a way out.

Whatever a model does, the user sees a ModelError and never another exception.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnaccel.errors import ModelError
from cnnaccel.nn.models import build_model
from cnnaccel.nn.vision import import_torchvision
from cnnaccel.quant.canonical import canonicalize
from tests.support.networks import Net, Shape, randomized

IMAGE: Shape = (4, 8, 8)
HERE = Path(__file__)


def conv(channels: int = 4, out: int = 4, kernel: int = 3, **rest: object) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, **rest)  # type: ignore[arg-type]


def refused(model: nn.Module, shape: Shape = IMAGE) -> str:
    with pytest.raises(ModelError) as caught:
        canonicalize(model, shape)
    message = str(caught.value)
    assert "Traceback" not in message and len(message) < 2000
    return message


def followed(model: nn.Sequential) -> nn.Sequential:
    """With a layer of the engine behind it, so that no part of it can be the host's."""
    whole = nn.Sequential(*model, nn.Flatten(), nn.LazyLinear(2)).eval()
    with torch.no_grad():
        whole(torch.zeros(2, *IMAGE))
    return whole


# name: (what follows the first convolution, the operator named, the advice)
LAYERS: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "SiLU": (nn.SiLU, "silu", "use nn.ReLU"),
    "GELU": (nn.GELU, "gelu", "use nn.ReLU"),
    "LeakyReLU": (nn.LeakyReLU, "leaky_relu", "use nn.ReLU"),
    "PReLU": (nn.PReLU, "prelu", "use nn.ReLU"),
    "Hardswish": (nn.Hardswish, "hardswish", "use nn.ReLU"),
    "Tanh": (nn.Tanh, "tanh", "use nn.ReLU"),
    "Softplus": (nn.Softplus, "softplus", "use nn.ReLU"),
    "Hardtanh": (nn.Hardtanh, "hardtanh", "clamps to -1.0..1.0; use nn.ReLU"),
    "Sigmoid": (nn.Sigmoid, "sigmoid", "at the end of the model it is the host's"),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), "log_softmax", "at the end of the model"),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), "group_norm", "use nn.BatchNorm2d"),
    "LayerNorm": (lambda: nn.LayerNorm(6), "layer_norm", "use nn.BatchNorm2d"),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4), "instance_norm", "use nn.BatchNorm2d"),
    "batch statistics": (
        lambda: nn.BatchNorm2d(4, track_running_stats=False),
        "native_batch_norm_legit", "track_running_stats=True",
    ),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 4, 2), "conv_transpose2d", "nn.Conv2d"),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), "upsample_nearest2d", "nn.Conv2d"),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), "pixel_shuffle", "nn.Conv2d"),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), "channel_shuffle", "nn.Conv2d with kernel 1"),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(1), "adaptive_max_pool2d", "nn.MaxPool2d"),
    "LPPool2d": (lambda: nn.LPPool2d(2, 2), "pow", "use nn.ReLU"),
    "AvgPool2d without padding": (
        lambda: nn.AvgPool2d(3, padding=1, count_include_pad=False), "avg_pool2d",
        "use count_include_pad",
    ),
    "AvgPool2d with a divisor": (
        lambda: nn.AvgPool2d(3, divisor_override=4), "avg_pool2d", "leave divisor_override out",
    ),
    "AvgPool2d beyond the edge": (
        lambda: nn.AvgPool2d(4, ceil_mode=True), "avg_pool2d", "set ceil_mode=False",
    ),
    "AdaptiveAvgPool2d": (
        lambda: nn.AdaptiveAvgPool2d(4), "adaptive_avg_pool2d", "an output size that divides",
    ),
    "Linear": (lambda: nn.Linear(6, 2), "linear", "put nn.Flatten before it"),
    "BatchNorm1d": (
        lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(144)), "batch_norm", "BatchNorm2d before"
    ),
    "ConstantPad2d": (lambda: nn.ConstantPad2d(1, 1.0), "pad", "use nn.ZeroPad2d"),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d(1), "pad", "use nn.ZeroPad2d"),
    "cropping": (lambda: nn.ZeroPad2d(-1), "pad", "use nn.ZeroPad2d"),
    "padding_mode": (lambda: conv(padding=1, padding_mode="circular"), "pad", "use nn.ZeroPad2d"),
    "ZeroPad2d, MaxPool2d": (
        lambda: nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(2)), "max_pool2d",
        "use the pool's own padding",
    ),
    "ZeroPad2d, BatchNorm2d": (
        lambda: nn.Sequential(nn.ZeroPad2d(1), nn.BatchNorm2d(4)), "batch_norm",
        "can only go into a convolution",
    ),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 2)), "view", "use x.flatten(1)"),
    "LSTM": (
        lambda: nn.Sequential(nn.Flatten(2), nn.LSTM(36, 3, batch_first=True)), "lstm",
        "use convolutions",
    ),
    "Conv1d": (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 4, 3)), "conv1d", "the 2d layer"),
}  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer: str) -> None:
    make, operator, advice = LAYERS[layer]
    model = nn.Sequential(conv(), make())
    message = refused(model if layer == "LSTM" else followed(model))
    assert re.search(rf"layer '1[.\w]*' \([\w.]*{operator}", message)
    assert advice in message
    assert "site-packages" not in message


# name: (forward of a module with convolutions a and b, what the message says)
FUNCTIONS: dict[str, tuple[Callable[[Net, Tensor], object], str]] = {
    "x + 1": (lambda m, x: m.a(x) + 1, "adds a constant or a scaled operand"),
    "alpha": (lambda m, x: torch.add(m.a(x), m.b(x), alpha=2), "adds a constant or a scaled"),
    "x * 2": (lambda m, x: m.a(x) * 2, "a constant factor is an nn.BatchNorm2d"),
    "x / 2": (lambda m, x: m.a(x) / 2, "a constant factor is an nn.BatchNorm2d"),
    "x - y": (lambda m, x: m.a(x) - m.b(x), "use addition"),
    "1 - x": (lambda m, x: 1 - m.a(x), "use addition"),
    "-x": (lambda m, x: -m.a(x), "(neg)"),
    "gate": (lambda m, x: m.a(x) * m.b(x).relu(), "a product of two tensors"),
    "adds a parameter": (lambda m, x: m.a(x) + m.s, "adds a constant or a scaled"),
    "adds a row": (
        lambda m, x: m.a(x) + m.a(x).mean((2, 3), keepdim=True), "make the shapes equal",
    ),
    "adds across images": (
        lambda m, x: m.a(x).mean((2, 3), keepdim=True) + m.a(x).mean((2, 3)), "over all images",
    ),
    "adds a padded tensor": (
        lambda m, x: m.a(x) + F.pad(m.c(x), (1, 1, 1, 1)), "can only go into a",
    ),
    "joins a padded tensor": (
        lambda m, x: torch.cat([m.a(x), F.pad(m.c(x), (1, 1, 1, 1))], 1), "can only go into a",
    ),
    "matmul": (lambda m, x: m.a(x) @ m.b(x), "use nn.Linear"),
    "einsum": (lambda m, x: torch.einsum("nchw,ncwk->nchk", m.a(x), m.b(x)), "not supported"),
    "permute": (lambda m, x: m.a(x).permute(0, 2, 3, 1), "keep N, C, H, W"),
    "transpose": (lambda m, x: m.a(x).transpose(2, 3), "keep N, C, H, W"),
    "split": (lambda m, x: torch.cat(m.a(x).split(2, 1)[::-1], 1), "use one convolution for each"),
    "chunk": (lambda m, x: torch.cat(m.a(x).chunk(2, 1)[::-1], 1), "use one convolution for each"),
    "slice": (lambda m, x: m.a(x)[:, :2], "use one convolution for each"),
    "stack": (lambda m, x: torch.stack([m.a(x), m.b(x)], 1), "use torch.cat"),
    "cat on dim 2": (lambda m, x: torch.cat([m.a(x), m.b(x)], 2), "use torch.cat(..., dim=1)"),
    "cat of flat maps": (
        lambda m, x: torch.cat([m.a(x).flatten(1), m.b(x).flatten(1)], 1), "before flatten",
    ),
    "other 4-D shape": (lambda m, x: m.a(x).reshape(-1, 2, 12, 6), "use x.flatten(1)"),
    "channel shuffle": (
        lambda m, x: m.a(x).view(-1, 2, 2, 6, 6).transpose(1, 2).reshape(-1, 4, 6, 6),
        "keep N, C, H, W",
    ),
    "rows as channels": (
        lambda m, x: m.d(m.a(x).mean((2, 3), keepdim=True).view(-1, 1, 4, 1)), "on N, C, H, W",
    ),
    "pool of a 3-D tensor": (
        lambda m, x: F.max_pool2d(m.a(x).mean((2, 3), keepdim=True).squeeze(-1), 1), "N, C, H, W",
    ),
    "clamp(-1, 1)": (lambda m, x: m.a(x).clamp(-1, 1), "clamps to -1..1; use nn.ReLU"),
    "clamp(max=1)": (lambda m, x: m.a(x).clamp(max=1), "clamps to None..1; use nn.ReLU"),
    "clamp(0, -1)": (lambda m, x: m.a(x).clamp(0, -1), "clamps to 0..-1; use nn.ReLU"),
    "mean of channels": (lambda m, x: m.a(x).mean(1), "use dim=(2, 3)"),
    "mean of all": (lambda m, x: m.a(x).mean(dim=None), "over all images of a batch"),
    "sum": (lambda m, x: m.a(x).sum((2, 3)), "use nn.AdaptiveAvgPool2d"),
    "weights from the image": (
        lambda m, x: F.linear(m.a(x).flatten(1), m.b(x).flatten(1)), "its weights are computed",
    ),
    "relu of a parameter": (lambda m, x: m.a(x) + m.s.relu(), "adds a constant"),
    "mean of a parameter": (lambda m, x: m.a(x) + m.s.mean(), "adds a constant"),
    "random numbers": (lambda m, x: m.a(x) + torch.rand(6, 6), "no random numbers"),
    "boolean index": (lambda m, x: m.a(x)[m.a(x) > 0], "compute the same for every image"),
    "max of two": (lambda m, x: torch.max(m.a(x), m.b(x)), "write it as a + relu(b - a): b - a"),
    "maximum": (lambda m, x: torch.maximum(m.a(x), m.b(x)), "write it as a + relu(b - a): b - a"),
    "fmax": (lambda m, x: torch.fmax(m.a(x), m.b(x)), "write it as a + relu(b - a): b - a"),
    "clamp at a tensor": (lambda m, x: m.a(x).clamp(min=m.b(x)), "write it as a + relu(b - a)"),
    "min of two": (lambda m, x: torch.min(m.a(x), m.b(x)), "write it as a + n(relu(a - b)): a"),
    "minimum": (lambda m, x: torch.minimum(m.a(x), m.b(x)), "write it as a + n(relu(a - b)): a"),
    "clamp under a tensor": (lambda m, x: m.a(x).clamp(max=m.b(x)), "as a + n(relu(a - b))"),
    "amax": (lambda m, x: m.a(x).amax((2, 3)), "use nn.MaxPool2d with an explicit kernel"),
    "max of rows": (lambda m, x: m.a(x).max(2)[0], "use nn.MaxPool2d with an explicit kernel"),
    "amin": (lambda m, x: m.a(x).amin((-2, -1)), "between two layers of weight -1"),
    "maxout": (lambda m, x: m.a(x).amax(1), "nothing is compared across channels"),
    "max of channels": (lambda m, x: m.a(x).max(1)[0], "nothing is compared across channels"),
    "max of all": (lambda m, x: m.a(x) + m.a(x).max(), "compute the same for every image"),
    "torch.where": (lambda m, x: torch.where(m.a(x) > 1, 0, m.b(x)), "the same for every image"),
    "item": (lambda m, x: m.a(x) * x.max().item(), "compute the same for every image"),
    "fft": (lambda m, x: torch.fft.fft2(m.a(x)).real, "build it from the layers below"),
}  # fmt: skip


AT_THE_END = {"adds across images", "mean of all", "weights from the image", "boolean index"}
"""Cases that have no place on the host either."""


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions(case: str) -> None:
    function, reason = FUNCTIONS[case]
    scalar = nn.Parameter(torch.ones(1))
    block = Net(function, a=conv(), b=conv(), c=conv(kernel=5), d=conv(1, 2, 1), s=scalar)
    model = nn.Sequential(nn.Identity(), block)
    message = refused(model if case in AT_THE_END else followed(model))
    assert reason in message
    assert "layer '1" in message
    assert f" at {inspect.getsourcefile(Net)}:" in message


@pytest.mark.parametrize("least", [False, True])
def test_rewrite_of_an_elementwise_maximum(least: bool) -> None:
    """What is advised is the maximum, and has a place."""
    sign = -1.0 if least else 1.0
    difference, negative = conv(8, 4, 1, bias=False), conv(4, 4, 1, groups=4, bias=False)
    with torch.no_grad():
        one = torch.eye(4)[:, :, None, None]
        difference.weight.copy_(torch.cat((-sign * one, sign * one), 1))
        negative.weight.fill_(sign)

    def forward(m: Net, x: Tensor) -> Tensor:
        a, b = m.a(x), m.b(x)
        return a + m.negative(m.difference(torch.cat((a, b), 1)).relu())

    model = Net(forward, a=conv(), b=conv(), difference=difference, negative=negative)
    canonicalize(model, IMAGE)
    x = torch.rand(2, *IMAGE)
    exact = (torch.minimum if least else torch.maximum)(model.a(x), model.b(x))
    assert torch.allclose(model(x), exact, atol=1e-6)


def test_every_unsupported_layer_is_named_at_once() -> None:
    model = nn.Sequential(conv(), nn.SiLU(), nn.GELU(), *(nn.Tanh() for _ in range(9)))
    message = refused(followed(model))
    assert "layer '1' (silu)" in message and "layer '2' (gelu)" in message
    assert message.count("\n  layer '") == 8 and "and 3 more" in message


def test_the_last_line_of_the_user_is_named_under_torch_and_torchvision() -> None:
    import_torchvision()
    from torchvision.ops import Conv2dNormActivation

    block = Conv2dNormActivation(4, 4, activation_layer=nn.SiLU)
    message = refused(Net(lambda m, x: m.last(m.block(x)), block=block, last=conv()).eval())
    assert "layer 'block.2' (silu)" in message
    model = build_model("torchvision.models:efficientnet_b0", {"weights": None})
    message = refused(model.eval(), (3, 32, 32))
    assert "layer 'features.0.2' (silu) at " in message and "efficientnet.py:" in message


# name: (forward, what the message says, whether it can name the line)
FAILING: dict[str, tuple[Callable[[Net, Tensor], object], str, bool]] = {
    "fixed batch": (lambda m, x: m.a(x).view(2, -1), "works for one batch size only", False),
    "loop over images": (
        lambda m, x: torch.stack([m.a(i[None])[0] for i in x]), "one batch size only", False,
    ),
    "if on values": (lambda m, x: m.a(x) if x.sum() > 0 else x, "no `if` on tensors", True),
    "raises": (lambda m, x: dict[str, int]()["missing"], "KeyError: 'missing'", True),
    "raises without a word": (lambda m, x: next(iter(())), "forward() fails on", True),
    "no such attribute": (lambda m, x: m.a(x).bogus, "AttributeError: ", True),
    "does not fit": (lambda m, x: m.b(m.a(x).flatten(1)), "RuntimeError: ", True),
    "leaves torch": (lambda m, x: torch.from_numpy(m.a(x).numpy()), "RuntimeError: ", True),
    "no output": (lambda m, x: None, "return tensors alone", False),
    "a number": (lambda m, x: 3, "return tensors alone", False),
    "a constant": (lambda m, x: m.a.weight, "not of each image", False),
    "the image": (lambda m, x: x, "must be a layer", False),
    "padding at the end": (lambda m, x: F.pad(m.a(x), (1, 1)), "must be a layer", False),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILING)
def test_models_that_cannot_be_captured(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    function, reason, located = FAILING[case]
    message = refused(Net(function, a=conv(), b=nn.Linear(3, 3)))
    assert reason in message
    assert (str(HERE) in message) == located
    assert "site-packages" not in message
    assert capfd.readouterr() == ("", "")


def test_two_inputs() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    assert "missing a required argument: 'y'" in refused(Two())


def test_doubles() -> None:
    assert "float32 images of 4x8x8" in refused(conv().double())


def test_a_model_that_counts_its_calls() -> None:
    def count(m: Net, x: Tensor) -> Tensor:
        m.calls.add_(1)
        return m.a(x)

    model = Net(count, a=conv())
    model.register_buffer("calls", torch.zeros(1))
    assert "leave buffers as they are" in refused(model)


@pytest.mark.parametrize("value", (float("nan"), float("inf")))
def test_weights_that_are_not_finite(value: float) -> None:
    model: Any = randomized(nn.Sequential(conv(), nn.Sequential(conv(), nn.BatchNorm2d(4))), IMAGE)
    with torch.no_grad():
        model[1][1].bias[2] = value
    message = refused(model)
    assert "layer '1.0'" in message and "smaller learning rate" in message
