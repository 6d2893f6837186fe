"""The IDX files of MNIST and its relatives: which there are, and whether each is what it says.

An IDX file is a big-endian header (magic, then one uint32 per dimension) and the bytes. Everything
is checked here, with the file's name in the error, before any reader sees the files.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnaccel.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_IMAGE_SHAPE = (28, 28)
_MAGIC_IMAGES = 0x803  # unsigned bytes, three dimensions
_MAGIC_LABELS = 0x801  # unsigned bytes, one dimension


def emnist_files(split: str) -> tuple[str, ...]:
    """The four files of a split of EMNIST."""
    return tuple(
        f"emnist-{split}-{half}-{kind}-ubyte"
        for half in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    )


def check_files(folder: Path, classes: int, files: Sequence[str] = FILES) -> None:
    """Raise DataError unless the four files in `folder` are two splits of 28x28 images."""
    for images, labels in (files[:2], files[2:]):
        count, *shape = _dimensions(folder / images, _MAGIC_IMAGES)
        if tuple(shape) != _IMAGE_SHAPE:
            height, width = shape
            raise DataError(f"{folder / images}: images are {height}x{width}, expected 28x28")
        (label_count,) = _dimensions(folder / labels, _MAGIC_LABELS)
        if label_count != count:
            raise DataError(f"{folder / labels}: {label_count} labels for {count} images")
        highest = int(np.fromfile(folder / labels, np.uint8, offset=8).max())
        if highest >= classes:
            raise DataError(
                f"{folder / labels}: label {highest}, but there are {classes} classes, from 0"
            )


def _dimensions(path: Path, magic: int) -> tuple[int, ...]:
    """The sizes in the header of one file, which must match the file's length."""
    rank = magic & 0xFF
    header_bytes = 4 * (1 + rank)
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(header_bytes)
    except OSError as error:
        raise DataError(f"{path}: cannot read this file: {error.strerror}") from None
    if header[:2] == b"\x1f\x8b":
        raise DataError(f"{path}: this is still compressed; unpack it with gunzip")
    if len(header) < header_bytes:
        raise DataError(
            f"{path}: {size_bytes} bytes, too short for an IDX header of {header_bytes}"
        )
    found, *sizes = struct.unpack(f">{1 + rank}I", header)
    if found != magic:
        raise DataError(
            f"{path}: starts with 0x{found:08x}, an IDX file of its kind with 0x{magic:08x}"
        )
    expected_bytes = header_bytes + int(np.prod(sizes, dtype=object))
    if size_bytes != expected_bytes:
        what = "truncated" if size_bytes < expected_bytes else "too long"
        raise DataError(
            f"{path}: {what}: {size_bytes} bytes, but its header {' x '.join(map(str, sizes))} "
            f"asks for {expected_bytes}"
        )
    if sizes[0] == 0:
        raise DataError(f"{path}: holds no images")
    return tuple(sizes)
