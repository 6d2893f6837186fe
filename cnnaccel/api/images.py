"""Images as people have them in Python, to the pixels that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from cnnaccel.errors import ConfigError, DataError, ProgramError
from cnnaccel.nn import custom
from cnnaccel.nn.mask_files import MaskFiles
from cnnaccel.nn.picture_files import PictureFiles
from cnnaccel.runtime.images import as_images
from cnnaccel.runtime.pictures import Preprocessing

Pixels = npt.NDArray[np.uint8]
Shape = tuple[int, int, int]
_HALF = 0.5 / 255
"""Half a step of a pixel between 0 and 1."""


@dataclass(frozen=True)
class Normalization:
    """(x - mean) / std by channel, of pixels between 0 and 1, as torchvision's `Normalize`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def undo(self, images: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Pixels between 0 and 1 from normalised images [N, C, H, W]."""
        mean, std = (np.array(values)[:, None, None] for values in (self.mean, self.std))
        return np.asarray(images * std + mean)


def normalization(
    mean: Sequence[float] | None, std: Sequence[float] | None
) -> Normalization | None:
    """Both, or None where neither is given.

    Raises:
        ConfigError: one is given without the other, or they differ in length.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None or len(mean) != len(std) or not all(value > 0 for value in std):
        raise ConfigError(
            f"mean {mean} and std {std}: give both, a number for each channel, std above 0"
        )
    return Normalization(tuple(map(float, mean)), tuple(map(float, std)))


def as_pixels(
    images: Any,
    shape: Shape | None = None,
    normalized: Normalization | None = None,
    preprocessing: Preprocessing | None = None,
) -> Pixels:
    """uint8[N, C, H, W] of images, for a network of `shape`, C, H, W, where that is known.

    images: an array or a tensor: uint8 pixels, or floats as the float network takes them, which are
    rounded to the nearest of the 256 pixels; or pictures, as `as_images` takes them. normalized:
    what was done to floats, to be undone. preprocessing: what pictures go through.

    Raises:
        DataError: another shape or type, or floats outside of the range of pixels.
    """
    if isinstance(images, PictureFiles) and (shape is None or images.shape[1:] == shape):
        return cast(Pixels, images)
    if isinstance(images, torch.Tensor):
        images = images.detach().cpu()
        if images.dtype == torch.bfloat16:
            images = images.float()
        images = images.numpy()
    if isinstance(images, np.ndarray) and images.dtype.kind == "f":
        images = _rounded(images, normalized)
    if shape is not None:
        try:
            return as_images(images, shape, preprocessing)
        except ProgramError as error:
            raise DataError(str(error).replace("the program takes", "the network takes")) from None
    if not (isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 4):
        found = (
            f"{images.dtype}{list(images.shape)}"
            if isinstance(images, np.ndarray)
            else type(images).__name__
        )
        raise DataError(
            f"images must be an array or a tensor [N, C, H, W]: uint8 pixels, or floats from 0 to "
            f"1 as torchvision's ToTensor gives; got {found}"
        )
    return np.asarray(images)


def _rounded(images: npt.NDArray[Any], normalized: Normalization | None) -> Pixels:
    exact = images.astype(np.float64)
    if normalized is not None:
        channels = exact.shape[-3] if exact.ndim >= 3 else 0
        if channels != len(normalized.mean):
            raise DataError(
                f"images {list(images.shape)} have {channels} channels, mean and std "
                f"{len(normalized.mean)}"
            )
        exact = normalized.undo(exact)
    if exact.size and not (exact.min() >= -_HALF and exact.max() <= 1 + _HALF):  # NaN, too
        hint = (
            "pixels from 0 to 255 are given as uint8, normalised ones with the mean= and std= "
            "that normalised them"
        )
        if normalized is not None:
            hint = "is that the mean and std they were normalised with?"
        raise DataError(
            f"float images must be pixels from 0 to 1, got {exact.min():g} to {exact.max():g}; "
            f"{hint}"
        )
    return np.asarray(np.clip(np.round(255 * exact), 0, 255), np.uint8)


def as_labels(labels: Any, images: int) -> npt.NDArray[np.int64]:
    """int64[N] of the classes of so many images.

    Raises:
        DataError: not one whole number for each image.
    """
    if isinstance(labels, torch.Tensor):
        labels = labels.detach().cpu().numpy()
    found = np.asarray(labels)
    if found.shape != (images,) or found.dtype.kind not in "iu":
        raise DataError(
            f"labels must be one whole number for each of the {images:,} images, got "
            f"{found.dtype}{list(found.shape)}"
        )
    return found.astype(np.int64)


def as_targets(targets: Any, images: int) -> npt.NDArray[Any]:
    """What is wanted of so many images, an array [N, ...] of numbers.

    Raises:
        DataError: another number of them, or NaN or infinite values.
    """
    if isinstance(targets, MaskFiles) and len(targets) == images:
        return cast("npt.NDArray[Any]", targets)
    return custom.targets_of(custom.as_array(targets), images, "evaluate", "any")
