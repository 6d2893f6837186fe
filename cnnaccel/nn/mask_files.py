"""Masks of segmentation as image files: the value of a pixel is its class.

A mask is brought to the size of the network's images as its picture is, with the nearest pixel
taken where pictures are smoothed. What lies outside of the picture is judged by nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from cnnaccel.errors import DataError
from cnnaccel.nn.custom import IGNORED, require_classes
from cnnaccel.nn.picture_files import Pictures
from cnnaccel.runtime.pictures import Framing, read_picture

_IN_MEMORY_BYTES = 512 << 20
"""Bytes of a split's masks up to which all of them are read at once."""
_LOOKED_AT = 16
"""Masks that are looked at for black and white."""
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
"""Values of that EXIF entry that exchange rows and columns."""


@dataclass(frozen=True)
class _MaskFraming(Framing):
    """How a mask becomes one of the network's size; made for each file."""

    mask: Path
    image: Path

    def apply(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """uint8[1, H, W] of a mask: its classes."""
        if picture.mode not in ("1", "L", "P"):
            raise DataError(
                f"a mask in colours ({picture.mode}); wanted is one of 8 bits, whose "
                "values are classes"
            )
        if picture.size != (size := _size(self.image)):
            found, wanted = ("x".join(map(str, one[::-1])) for one in (picture.size, size))
            raise DataError(
                f"{found} pixels, its image {self.image} has {wanted}; a mask has "
                "the size of its image"
            )
        values = np.asarray(picture).astype(np.uint8)  # of a palette the numbers, not the colours
        if self.size is None or values.shape == self.size:
            return values[None]
        rows, columns = self.size
        nearest, classes = Image.Resampling.NEAREST, Image.fromarray(values)
        match self.crop:
            case "squash":
                classes = classes.resize((columns, rows), nearest)
            case "center":
                classes = ImageOps.fit(classes, (columns, rows), nearest)
            case "pad":
                classes = ImageOps.pad(classes, (columns, rows), nearest, color=IGNORED)
        return np.asarray(classes, np.uint8)[None]


def _size(image: Path) -> tuple[int, int]:
    """Width and height of a picture as it is seen."""
    with Image.open(image) as picture:
        width, height = picture.size
        turned = picture.getexif().get(_ORIENTATION) in _TURNED
    return (height, width) if turned else (width, height)


@dataclass(frozen=True)
class MaskFiles:
    """uint8[N, H, W] of mask files, read when rows are taken of it as of an array."""

    pictures: Pictures
    framing: Framing
    shape: tuple[int, int, int]
    dtype = np.dtype(np.uint8)
    ndim = 3

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: npt.NDArray[np.int64]) -> MaskFiles:
        """The files in these rows, in this order, not read yet."""
        return replace(self, pictures=self.pictures.take(rows), shape=(len(rows), *self.shape[1:]))

    def __array__(self, *_: Any, **__: Any) -> npt.NDArray[np.uint8]:
        return self[:]

    def __getitem__(self, rows: slice | npt.NDArray[Any] | list[int]) -> npt.NDArray[np.uint8]:
        chosen = np.arange(len(self))[rows]
        found = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for at, row in enumerate(chosen):
            found[at] = self._read(int(row))
        return found

    def tobytes(self) -> bytes:
        """The bytes of all masks."""
        return self[:].tobytes()

    def _read(self, row: int) -> npt.NDArray[np.uint8]:
        mask, image = self.pictures.masks[row], self.pictures.paths[row]
        one = self.framing
        framing = _MaskFraming(one.size, one.crop, one.colour, mask, image)
        classes: npt.NDArray[np.uint8] = read_picture(mask, framing)[0]
        if classes.shape != self.shape[1:]:
            found, wanted = ("x".join(map(str, one)) for one in (classes.shape, self.shape[1:]))
            raise DataError(
                f"{mask}: {found} pixels, others have {wanted}; data.size brings all to one size"
            )
        return classes


def masks_of(pictures: Pictures, framing: Framing, size: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Masks of a split: in memory if they fit there, else read as needed.

    Raises:
        DataError: a file is broken, or of another size than its image.
    """
    height, width = size
    files = MaskFiles(pictures, framing, (len(pictures), height, width))
    require_classes(files[:_LOOKED_AT], str(pictures.masks[0].parent))
    small = len(pictures) * height * width <= _IN_MEMORY_BYTES
    return files[:] if small else cast("npt.NDArray[np.uint8]", files)
