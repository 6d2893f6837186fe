"""Random changes to a batch of images, as tensor operations on the whole batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnaccel.config import AugmentConfig
from cnnaccel.errors import ConfigError

CHANCES = 5
"""Uniform numbers an image takes: flip, shift y, shift x, erase y, erase x."""


def check_augment(config: AugmentConfig, shape: tuple[int, int, int]) -> None:
    """Raise ConfigError where a change would leave nothing of images of `shape` (C, H, W)."""
    side = min(shape[1:])
    for name, pixels in (("shift", config.shift), ("erase", config.erase)):
        if pixels >= side:
            raise ConfigError(
                f"train.augment.{name} is {pixels} pixels, the images are {shape[1]}x{shape[2]}; "
                f"it must be below {side}"
            )


def augment(images: Tensor, config: AugmentConfig, chance: Tensor) -> Tensor:
    """Change uint8[N, C, H, W] as `config` says and float32[N, CHANCES] in [0, 1) decides."""
    count, channels, height, width = images.shape
    device = images.device
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    if config.flip or config.shift:
        pitch = width + 2 * config.shift
        padded = F.pad(images, (config.shift,) * 4) if config.shift else images
        from_x = columns.expand(count, width)
        if config.flip:
            from_x = torch.where(chance[:, :1] < 0.5, from_x, width - 1 - from_x)
        from_x = from_x + _pick(chance[:, 2:3], 2 * config.shift + 1)
        from_y = rows + _pick(chance[:, 1:2], 2 * config.shift + 1)
        source = (from_y[:, :, None] * pitch + from_x[:, None, :]).view(count, 1, -1)
        flat = padded.flatten(2).gather(2, source.expand(-1, channels, -1))
        images = flat.view(count, channels, height, width)
    if config.erase:
        top = _pick(chance[:, 3:4], height - config.erase + 1)
        left = _pick(chance[:, 4:5], width - config.erase + 1)
        blank_y = (rows >= top) & (rows < top + config.erase)
        blank_x = (columns >= left) & (columns < left + config.erase)
        images = images.masked_fill((blank_y[:, :, None] & blank_x[:, None, :])[:, None], 0)
    return images


def _pick(chance: Tensor, choices: int) -> Tensor:
    """0 .. choices - 1, each equally likely."""
    return (chance * choices).long()
