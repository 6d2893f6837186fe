"""A folder of image files as a dataset: which files, which classes, and their pixels.

`<folder>/train/<class>/*.jpg`, beside it `val`, `valid` or `validation`, and `test`; or
`<folder>/<class>/*.jpg`, which is divided by chance from a fixed seed. Pixels are read when they
are asked for, unless all of them fit into memory.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError

ENDINGS = {
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
}
_IN_MEMORY_BYTES = 512 << 20
"""Pixels of a split up to which all of them are read at once."""
_SPLITS = {
    "train": ("train",),
    "validation": ("validation", "val", "valid"),
    "test": ("test",),
}
"""Names of the folder of each split."""
_TEST_SHARE = 10
"""One image in so many becomes a test image, where there is no folder of them."""
_SEED = 0
_MODES = {"1", "L", "P", "RGB"}
"""PIL's modes of 8 bits that are taken as they are."""
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Framing:
    """How a picture of any size becomes an image of the network's."""

    size: tuple[int, int] | None
    """Rows and columns; None where all pictures must be of one size."""
    crop: Literal["center", "squash", "pad"]
    colour: Literal["rgb", "grey"]

    @staticmethod
    def of(config: DataConfig) -> Framing:
        """The framing that a configuration asks for."""
        size = None if config.size is None else (config.size[0], config.size[1])
        return Framing(size, config.crop, config.colour)

    def apply(self, picture: Image.Image) -> Pixels:
        """uint8[C, H, W] of a picture."""
        picture = picture.convert("RGB" if self.colour == "rgb" else "L")
        if self.size is not None and (picture.height, picture.width) != self.size:
            rows, columns = self.size
            bilinear = Image.Resampling.BILINEAR
            match self.crop:
                case "squash":
                    picture = picture.resize((columns, rows), bilinear)
                case "center":
                    picture = ImageOps.fit(picture, (columns, rows), bilinear)
                case "pad":
                    picture = ImageOps.pad(picture, (columns, rows), bilinear)
        values = np.asarray(picture, np.uint8)
        planes = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
        return np.ascontiguousarray(planes)


def read_picture(path: Path, framing: Framing) -> Pixels:
    """uint8[C, H, W] of an image file.

    Raises:
        DataError: it is broken, or of a kind whose pixels would be guessed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # of damaged EXIF data, which is not used
            with Image.open(path) as picture:
                if reason := _unfit(picture):
                    raise DataError(f"{path}: {reason}")
                picture.load()
                turned = ImageOps.exif_transpose(picture)
                return framing.apply(turned)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"{path}: more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels, as files made to fill a "
            "memory have; make it smaller"
        ) from None
    except UnidentifiedImageError:
        empty = path.is_file() and not path.stat().st_size
        raise DataError(f"{path}: {'empty' if empty else 'no image that can be read'}") from None
    except DataError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or damaged ({reason})") from None


def _unfit(picture: Image.Image) -> str:
    """Why pixels of a picture would be guessed; or empty."""
    if getattr(picture, "n_frames", 1) > 1:
        return f"{picture.n_frames} frames; save the one that is meant"  # type: ignore[attr-defined]
    if picture.mode.startswith(("I", "F")):
        return "more than 8 bits per pixel; convert it to 8 bits, by the range that you choose"
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return f"{picture.mode}, whose colours depend on a profile; convert it to RGB"
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        low, high = picture.getchannel("A" if "A" in picture.getbands() else "a").getextrema()
        if (low, high) != (255, 255):
            return "transparent in places; put it on the background that you want"
        return ""
    if picture.mode not in _MODES:
        return f"pixels of mode {picture.mode}; convert it to RGB or grey, 8 bits"
    return ""


@dataclass(frozen=True)
class PictureFiles:
    """uint8[N, C, H, W] of image files, read when rows are taken of it as of an array."""

    paths: tuple[Path, ...]
    framing: Framing
    shape: tuple[int, int, int, int]
    dtype = np.dtype(np.uint8)
    ndim = 4

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: npt.NDArray[np.int64]) -> PictureFiles:
        """The files in these rows, in this order, not read yet."""
        paths = tuple(self.paths[row] for row in rows)
        return replace(self, paths=paths, shape=(len(paths), *self.shape[1:]))

    def __array__(self, *_: Any, **__: Any) -> Pixels:
        return self[:]

    def __getitem__(self, rows: slice | npt.NDArray[Any] | list[int]) -> Pixels:
        chosen = np.arange(len(self.paths))[rows]
        pixels = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for at, image in enumerate(_read([self.paths[row] for row in chosen], self.framing)):
            if image.shape != self.shape[1:]:
                raise DataError(_of_another_size(self.paths[chosen[at]], image, self.shape[1:]))
            pixels[at] = image
        return pixels


def _of_another_size(path: Path, image: Pixels, shape: Sequence[int]) -> str:
    found, wanted = ("x".join(map(str, one)) for one in (image.shape[1:], shape[1:]))
    return (
        f"{path}: {found} pixels, the first image has {wanted}; data.size brings all to one size, "
        f"as data.size=[{shape[1]},{shape[2]}]"
    )


def _read(paths: Sequence[Path], framing: Framing) -> Iterator[Pixels]:
    """Images in order, decoded beside one another."""
    if len(paths) < 2:
        yield from (read_picture(path, framing) for path in paths)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda path: read_picture(path, framing), paths)


@dataclass(frozen=True)
class Pictures:
    """The files of a split, and the class of each, int64[N]."""

    paths: tuple[Path, ...]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: npt.NDArray[np.int64]) -> Pictures:
        """The files in these rows, in this order."""
        return Pictures(tuple(self.paths[row] for row in rows), self.labels[rows])


@dataclass(frozen=True)
class PictureFolder:
    """The files of a folder by split, and the names of the classes."""

    train: Pictures
    validation: Pictures | None
    """None where the folder has no split of that name."""
    test: Pictures
    classes: tuple[str, ...]

    def digest(self, folder: Path) -> str:
        """Hex digest of all files, by name, class and bytes."""
        found = hashlib.sha256()
        for name in _SPLITS:
            split: Pictures | None = getattr(self, name)
            for path in () if split is None else split.paths:
                found.update(f"{name} {path.relative_to(folder)}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
        return found.hexdigest()


def find_pictures(folder: Path) -> PictureFolder:
    """The image files in a folder.

    Raises:
        DataError: no classes, a class without images, or a class of one split alone.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; data.dir or --data-dir names that of the images"
        )
    inside = {path.name.lower(): path for path in _folders(folder)}
    found = {
        split: next((inside[name] for name in names if name in inside), None)
        for split, names in _SPLITS.items()
    }
    root = found["train"]
    if root is None:
        return _divided(_classes(folder), folder)
    train = _classes(root)
    names = tuple(train)
    others: dict[str, Pictures | None] = {}
    for split in ("validation", "test"):
        place = found[split]
        others[split] = None if place is None else _of_classes(_classes(place), names, place, root)
    whole = _of_classes(train, names, root, root)
    test = others["test"]
    if test is None:
        whole, test = _set_aside(whole)
    return PictureFolder(whole, others["validation"], test, names)


def _divided(classes: dict[str, list[Path]], folder: Path) -> PictureFolder:
    names = tuple(classes)
    train, test = _set_aside(_of_classes(classes, names, folder, folder))
    return PictureFolder(train, None, test, names)


def _set_aside(whole: Pictures) -> tuple[Pictures, Pictures]:
    """A split for training, and a tenth of each class for tests."""
    rng, kept, aside = np.random.default_rng(_SEED), [], []
    for label in np.unique(whole.labels):
        rows = rng.permutation(np.flatnonzero(whole.labels == label))
        count = max(1, len(rows) // _TEST_SHARE) if len(rows) > 1 else 0
        aside.append(rows[:count])
        kept.append(rows[count:])
    return whole.take(np.sort(np.concatenate(kept))), whole.take(np.sort(np.concatenate(aside)))


def _of_classes(
    classes: dict[str, list[Path]], names: tuple[str, ...], place: Path, first: Path
) -> Pictures:
    for name in classes:
        if name not in names:
            raise DataError(
                f"{place / name}: a class that {first} does not have; it has {', '.join(names)}"
            )
    paths = [path for name in names for path in classes.get(name, [])]
    labels = [at for at, name in enumerate(names) for _ in classes.get(name, [])]
    return Pictures(tuple(paths), np.array(labels, np.int64))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Image files by the name of their class, all sorted."""
    found: dict[str, list[Path]] = {}
    for place in _folders(folder):
        files = sorted(
            path
            for path in place.rglob("*")
            if path.suffix.lower() in ENDINGS and not path.name.startswith(".")
        )
        if not files:
            raise DataError(
                f"{place}: a class without images; remove the folder, or put images "
                f"({', '.join(sorted(ENDINGS))}) into it"
            )
        found[place.name] = files
    if len(found) < 2:
        raise DataError(
            f"{folder}: {len(found)} folders of classes, at least two are needed: a folder for "
            "each class, with its images, in this folder or in train/, val/ and test/"
        )
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def pixels_of(pictures: Pictures, framing: Framing, first: Path) -> Pixels:
    """Pixels of a split: in memory if they fit there, else read as needed.

    first: the image that all others must be of the size of, where the framing has none.

    Raises:
        DataError: a file is broken, or of another size.
    """
    shape = read_picture(first, framing).shape
    channels, rows, columns = shape
    files = PictureFiles(pictures.paths, framing, (len(pictures), channels, rows, columns))
    size = len(pictures) * channels * rows * columns
    return files[:] if size <= _IN_MEMORY_BYTES else cast(Pixels, files)


def rows_of(images: Pixels, rows: npt.NDArray[np.int64]) -> Pixels:
    """Images in these rows, in this order; `PictureFiles` of them are not read yet."""
    files: object = images
    return cast(Pixels, files.take(rows)) if isinstance(files, PictureFiles) else images[rows]
