"""Random changes to a batch of images, as tensor operations on the whole batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnaccel.config import AugmentConfig
from cnnaccel.errors import ConfigError

CHANCES = 5
"""Uniform numbers an image takes: flip, shift y, shift x, erase y, erase x."""


def check_augment(
    config: AugmentConfig, shape: tuple[int, int, int], mask: tuple[int, ...] | None = None
) -> None:
    """Raise ConfigError where a change would leave nothing of images of `shape` (C, H, W).

    mask: rows and columns of a mask, which moves with its image.
    """
    moves = config.flip or config.shift or config.transforms
    if mask is not None and mask != shape[1:] and moves:
        raise ConfigError(
            f"train.augment moves masks with their images, but masks are {mask[0]}x{mask[1]}, "
            f"images {shape[1]}x{shape[2]}; give masks of the size of images"
        )
    side = min(shape[1:])
    for name, pixels in (("shift", config.shift), ("erase", config.erase)):
        if pixels >= side:
            raise ConfigError(
                f"train.augment.{name} is {pixels} pixels, the images are {shape[1]}x{shape[2]}; "
                f"it must be below {side}"
            )


def augment(images: Tensor, config: AugmentConfig, chance: Tensor) -> Tensor:
    """Change uint8[N, C, H, W] as `config` says and float32[N, CHANCES] in [0, 1) decides."""
    images = moved(images, config, chance)
    return _erased(images, config.erase, chance) if config.erase else images


def moved(images: Tensor, config: AugmentConfig, chance: Tensor) -> Tensor:
    """Flipped and shifted; what comes in at a side is 0. Masks [N, 1, H, W] move alike."""
    count, channels, height, width = images.shape
    if not (config.flip or config.shift):
        return images
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    pitch = width + 2 * config.shift
    padded = F.pad(images, (config.shift,) * 4) if config.shift else images
    from_x = columns.expand(count, width)
    if config.flip:
        from_x = torch.where(chance[:, :1] < 0.5, from_x, width - 1 - from_x)
    from_x = from_x + _pick(chance[:, 2:3], 2 * config.shift + 1)
    from_y = rows + _pick(chance[:, 1:2], 2 * config.shift + 1)
    source = (from_y[:, :, None] * pitch + from_x[:, None, :]).view(count, 1, -1)
    flat = padded.flatten(2).gather(2, source.expand(-1, channels, -1))
    return flat.view(count, channels, height, width)


def _erased(images: Tensor, side: int, chance: Tensor) -> Tensor:
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    top = _pick(chance[:, 3:4], height - side + 1)
    left = _pick(chance[:, 4:5], width - side + 1)
    blank_y = (rows >= top) & (rows < top + side)
    blank_x = (columns >= left) & (columns < left + side)
    return images.masked_fill((blank_y[:, :, None] & blank_x[:, None, :])[:, None], 0)


def _pick(chance: Tensor, choices: int) -> Tensor:
    """0 .. choices - 1, each equally likely."""
    return (chance * choices).long()
