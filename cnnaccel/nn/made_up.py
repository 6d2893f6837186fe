"""Datasets without files: the digits inside scikit-learn, and waves under noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cnnaccel.config import DataConfig

_SEED = 0
_DIGITS_TRAIN = 1437
_Half = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


class Made(NamedTuple):
    """Images uint8[N, C, H, W] with labels int64[N], for training and for tests."""

    train: _Half
    test: _Half
    classes: tuple[str, ...]


def digits() -> Made:
    """The 1,797 8x8 digits that come with scikit-learn, enlarged to 28x28."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    levels = images.reshape(-1, 1, 8, 8).astype(np.uint16)  # 0..16
    pixels = ((levels * 255 + 8) // 16).astype(np.uint8)
    enlarged = np.kron(pixels, np.ones((1, 1, 3, 3), np.uint8))
    whole, wanted = np.pad(enlarged, ((0, 0), (0, 0), (2, 2), (2, 2))), labels.astype(np.int64)
    order = np.random.default_rng(_SEED).permutation(len(whole))
    train, test = order[:_DIGITS_TRAIN], order[_DIGITS_TRAIN:]
    names = tuple(str(digit) for digit in range(10))
    return Made((whole[train], wanted[train]), (whole[test], wanted[test]), names)


def synthetic(config: DataConfig) -> Made:
    """Each class is a plane wave per channel; each image is its class's wave under noise."""
    channels, height, width = config.shape
    rng = np.random.default_rng(_SEED)
    size = (config.classes, channels, 1, 1)
    y, x = np.arange(height)[:, None] / height, np.arange(width) / width
    cycles_y, cycles_x = rng.uniform(-3, 3, (2, *size))
    waves = np.sin(2 * np.pi * (cycles_y * y + cycles_x * x + rng.uniform(0, 1, size)))

    def draw(count: int) -> _Half:
        labels = rng.permutation(np.arange(count, dtype=np.int64) % config.classes)
        noise = rng.normal(0, 30, (count, *config.shape))
        pixels = 128 + 60 * waves[labels] + noise
        return pixels.round().clip(0, 255).astype(np.uint8), labels

    train, test = draw(config.images), draw(max(config.images // 5, 1))
    return Made(train, test, tuple(f"class {index}" for index in range(config.classes)))
