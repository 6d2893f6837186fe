"""Small networks that learn the digits in seconds, and changes that keep what they compute."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnaccel.config import DataConfig
from cnnaccel.nn.data import Dataset, find_data_dir, load_dataset
from cnnaccel.nn.models import build_model

LEARNING_RATE = 1e-2
Learned = Callable[[str], nn.Module]
"""The fixture `learned`: `trained`, but once for all processes of a run."""


def _block(
    channels: int, out: int, kernel: int, stride: int, groups: int, act: nn.Module
) -> list[nn.Module]:
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(out), act]


class MbNet(nn.Module):
    """Convolution, twice depthwise and pointwise, global average, dense; batch norms between."""

    def __init__(self, relu: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, 16, 3, 2, 1, relu()),
            *_block(16, 16, 3, 1, 16, relu()),
            *_block(16, 32, 1, 1, 1, relu()),
            *_block(32, 32, 3, 2, 32, relu()),
            *_block(32, 32, 1, 1, 1, relu()),
        )
        self.fc = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.features(x).mean((2, 3)))
        return logits


class BnNet(nn.Module):
    """Convolution, batch norm, ReLU and pool, twice, and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        logits: Tensor = self.fc(x.flatten(1))
        return logits


class Joined(nn.Module):
    """Residual additions, concatenations and ReLU6 between convolutions with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_block(1, 12, 3, 2, 1, nn.ReLU6()))
        self.left = nn.Sequential(*_block(12, 12, 3, 1, 1, nn.ReLU()))
        self.right = nn.Sequential(*_block(12, 12, 1, 1, 1, nn.ReLU6()))
        self.mix = nn.Sequential(*_block(24, 16, 3, 2, 1, nn.ReLU()))
        self.again = nn.Sequential(*_block(16, 16, 3, 1, 1, nn.Identity()))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.mix(torch.cat([self.left(x) + x, self.right(x)], 1))
        x = F.relu(self.again(x) + x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def dense() -> nn.Module:
    """784-64-10."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


@cache
def digits() -> Dataset:
    return load_dataset(DataConfig(name="digits", validation=200), None)


@cache
def fashion() -> Dataset:
    config = DataConfig(name="fashionmnist")
    return load_dataset(config, find_data_dir(config, None))


_DSCNN = {"kernel": [3, 3], "padding": [1, 1], "classes": 10}
MAKERS: dict[str, tuple[Callable[[], nn.Module], int, Callable[[], Dataset]]] = {
    "mbnet": (MbNet, 14, digits),
    "bnnet": (BnNet, 5, digits),
    "joined": (Joined, 8, digits),
    "dense": (dense, 8, digits),
    "lenet": (lambda: build_model("lenet", {}), 8, digits),
    "resnet8": (lambda: build_model("resnet8", {"in_channels": 1}), 6, digits),
    "dscnn": (lambda: build_model("dscnn", _DSCNN), 8, digits),
    "lenet_fashion": (lambda: build_model("lenet", {}), 3, fashion),
}
"""What makes a network, how many epochs it is trained, and on what."""


@cache
def _trained(name: str) -> nn.Module:
    make, epochs, data = MAKERS[name]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = fit(make(), data(), epochs)
    torch.set_num_threads(threads)
    return model


def trained(name: str) -> nn.Module:
    """A copy of its own, in evaluation mode."""
    return copy.deepcopy(_trained(name))


def fit(model: nn.Module, data: Dataset, epochs: int, batch: int = 64) -> nn.Module:
    """AdamW with one cycle, from torch's own random numbers."""
    images = torch.from_numpy(data.train.images).float() / 255
    labels = torch.from_numpy(data.train.labels)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    steps = epochs * (len(labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(batch):
            if len(rows) < batch:
                continue
            optimizer.zero_grad()
            F.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """In percent."""
    return 100 * float((logits.reshape(len(logits), -1).argmax(1) == labels).mean())


def rescaled(model: nn.Module, decades: float, seed: int = 0) -> nn.Module:
    """The same function with the batch norms of an MbNet times s, and what reads them by s.

    s: of each channel, 10 ** uniform(-decades / 2, decades / 2).
    """
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(model)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    with torch.no_grad():
        for norm, reader in zip(layers[1::2], layers[2::2], strict=True):
            assert isinstance(norm, nn.BatchNorm2d)
            s = 10 ** ((torch.rand(len(norm.weight), generator=generator) - 0.5) * decades)
            scale_channels(norm, reader, s)
    return model


def scale_channels(norm: nn.BatchNorm2d, reader: nn.Module, s: Tensor) -> None:
    """Multiply the channels of `norm` by s, and divide by s what `reader` makes of them."""
    assert isinstance(reader, nn.Conv2d | nn.Linear)
    norm.weight.mul_(s)
    norm.bias.mul_(s)
    if isinstance(reader, nn.Conv2d) and reader.groups > 1:
        reader.weight /= s[:, None, None, None]
    else:
        reader.weight /= s.reshape(1, -1, *[1] * (reader.weight.dim() - 2))
