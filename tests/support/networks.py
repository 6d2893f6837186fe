"""Float networks for tests: one-line modules, and weights that no rule could take for another's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.nn.models import build_model
from cnnaccel.quant.ptq import quantize

Shape = tuple[int, int, int]


class Net(nn.Module):
    """A module from one function: Net(lambda m, x: m.conv(x).relu(), conv=nn.Conv2d(...))."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **modules: Any) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    if TYPE_CHECKING:  # what a keyword has set is what the test takes it for

        def __getattr__(self, name: str) -> Any: ...

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


NETWORKS: dict[str, tuple[str, dict[str, Any], Shape]] = {
    "lenet": ("lenet", {}, (1, 28, 28)),
    "lenet_caffe": ("lenet_caffe", {}, (1, 28, 28)),
    "resnet8": ("resnet8", {}, (3, 32, 32)),
    "dscnn": ("dscnn", {}, (1, 49, 10)),
    "resnet18": ("torchvision.models:resnet18", {"weights": None}, (3, 64, 64)),
    "mobilenet_v2": ("torchvision.models:mobilenet_v2", {"weights": None}, (3, 96, 96)),
}


def network(name: str, size: int | None = None) -> tuple[nn.Module, Shape]:
    """One of NETWORKS with random weights and batch norm, and the shape of its images.

    size: rows and columns, where they are to be others.
    """
    spec, args, shape = NETWORKS[name]
    if size is not None:
        shape = (shape[0], size, size)
    return randomized(build_model(spec, args), shape), shape


def pixels(shape: Shape, images: int = 2, seed: int = 0) -> np.ndarray:
    """uint8[N, C, H, W], random."""
    return np.random.default_rng(seed).integers(0, 256, (images, *shape), np.uint8)


def randomized(model: nn.Module, shape: Shape, seed: int = 0) -> nn.Module:
    """`model` in evaluation mode; batch norms have random parameters and statistics that fit."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
                module.momentum = 1.0
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.3)
        model.train()
        model(torch.from_numpy(pixels(shape, 4, seed)) / 255)
        return model.eval()


@cache
def quantized(name: str, size: int | None = None) -> Graph:
    """One of the networks with random weights."""
    model, shape = network(name, size)
    return quantize(model, name, pixels(shape, 4, seed=1), QuantizeConfig()).graph


def quantized_module(model: nn.Module, shape: Any) -> Graph:
    torch.manual_seed(0)
    images = np.random.default_rng(1).integers(0, 256, (8, *shape), dtype=np.uint8)
    return quantize(model, "n", images, QuantizeConfig()).graph
