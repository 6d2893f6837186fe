"""An archive of pictures, `train/<class>/*.jpg` and `test/<class>/*.jpg`, read without unpacking.

The order of images is that of the unpacked folder.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import DataError
from cnnaccel.nn.custom import Part
from cnnaccel.runtime.pictures import ENDINGS, Framing, read_picture

_HALVES = ("train", "test")


def read_archive(path: Path, framing: Framing, classes: tuple[str, ...]) -> list[Part]:
    """Images uint8[N, C, H, W] and labels int64[N], for training and for tests.

    Raises:
        DataError: the archive is broken, a picture in it is, or there are none of a class.
    """
    found = _contents(path)
    parts = []
    for half in _HALVES:
        images: list[npt.NDArray[np.uint8]] = []
        labels: list[int] = []
        for label, name in enumerate(classes):
            files = sorted(file for file in found if file.parts[:2] == (half, name))
            if not files:
                raise DataError(f"{path}: no pictures in {half}/{name}; copy the archive again")
            for file in files:
                image = read_picture(path / file, framing, found[file])
                if images and image.shape != images[0].shape:
                    raise DataError(f"{path / file}: of another size than {path / files[0]}")
                images.append(image)
                labels.append(label)
        parts.append(Part(np.stack(images), np.array(labels, np.int64)))
    return parts


def _contents(path: Path) -> dict[PurePosixPath, bytes]:
    """Pictures by their place in the archive."""
    found = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and place.suffix.lower() in ENDINGS:
                    found[place] = file.read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or damaged ({reason}); copy it again") from None
    return found
