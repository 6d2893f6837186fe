"""A folder of image files as a dataset: which files, which classes, and their pixels.

`<folder>/train/<class>/*.jpg`, beside it `val`, `valid` or `validation`, and `test`; or
`<folder>/<class>/*.jpg`, which is divided by chance from a fixed seed. Pixels are read when they
are asked for, unless all of them fit into memory. Images that lie in `<folder>` or `<folder>/train`
themselves have no class; with masks, they lie in `images`, beside `masks` with equal names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn.file_digests import digests_of
from cnnaccel.runtime.pictures import ENDINGS, Framing, pictures_in, read_picture

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
_LEAST = 3
"""Images without labels that can be divided: for training, validation and tests."""
Pixels = npt.NDArray[np.uint8]


def framing_of(config: DataConfig) -> Framing:
    """The framing that a configuration asks for."""
    size = None if config.size is None else (config.size[0], config.size[1])
    return Framing(size, config.crop, config.colour)


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
    """The files of a split, and the class of each, int64[N], or the file of its mask."""

    paths: tuple[Path, ...]
    labels: npt.NDArray[np.int64] | None
    """None where nobody sorted them into classes."""
    masks: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: npt.NDArray[np.int64]) -> Pictures:
        """The files in these rows, in this order."""
        labels = None if self.labels is None else self.labels[rows]
        masks = tuple(self.masks[row] for row in rows) if self.masks else ()
        return Pictures(tuple(self.paths[row] for row in rows), labels, masks)


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
        parts: list[tuple[str, Pictures | None]] = [(one, getattr(self, one)) for one in _SPLITS]
        files = [
            (name, path) for name, split in parts if split for path in (*split.paths, *split.masks)
        ]
        digests = digests_of(folder, [path for _, path in files])
        found = hashlib.sha256()
        for (name, path), digest in zip(files, digests, strict=True):
            found.update(f"{name} {path.relative_to(folder)}\0".encode())
            found.update(bytes.fromhex(digest))
        return found.hexdigest()


def find_pictures(folder: Path, masks: bool = False) -> PictureFolder:
    """The image files in a folder; with masks, as pairs of `images` and `masks`.

    Raises:
        DataError: no images, a class without images, or of one split alone; a mask is missing.
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
    first, names = _split_of(root or folder, masks)
    if root is None:
        train, test = _set_aside(first)
        return PictureFolder(train, None, test, names)
    others: dict[str, Pictures | None] = {}
    for split in ("validation", "test"):
        place = found[split]
        others[split] = None if place is None else _split_of(place, masks, names, root)[0]
    test_split = others["test"]
    if test_split is None:
        first, test_split = _set_aside(first)
    return PictureFolder(first, others["validation"], test_split, names)


def _split_of(
    place: Path, masks: bool, names: tuple[str, ...] | None = None, first: Path | None = None
) -> tuple[Pictures, tuple[str, ...]]:
    """The files of one folder, and the names of its classes.

    names: classes of the split in the folder `first`, among which those of this one must be.
    """
    folders = {path.name.lower(): path for path in _folders(place)}
    if {"images", "masks"} <= set(folders):
        if not masks:
            raise DataError(f"{place}: images and masks, as for task: segment; write it")
        return _paired(folders["images"], folders["masks"]), ()
    if set(folders) == {"images"}:
        place, folders = folders["images"], {}
    if not folders or masks:
        paths = sorted(path for path in place.iterdir() if _is_picture(path))
        if not paths:
            wanted = "images/ and masks/" if masks else "a folder for each class"
            raise DataError(
                f"{place}: no images; wanted are {wanted}, with images in it, or images "
                "themselves, which then have no labels"
            )
        return Pictures(tuple(paths), None), ()
    classes = _classes(place)
    known = tuple(classes) if not names or first is None else names
    return _of_classes(classes, known, place, first or place), known


def _paired(images: Path, masks: Path) -> Pictures:
    """Images and masks of equal names, whatever their endings."""
    found: list[dict[str, Path]] = []
    for folder in (images, masks):
        named: dict[str, Path] = {}
        for path in sorted(path for path in folder.rglob("*") if _is_picture(path)):
            stem = str(path.relative_to(folder).with_suffix(""))
            if stem in named:
                raise DataError(f"{path}: has the name of {named[stem]}; keep one of them")
            named[stem] = path
        found.append(named)
    pictures, drawn = found
    if not pictures:
        raise DataError(f"{images}: no images")
    for stem, path in (pictures | drawn).items():
        if stem not in drawn:
            raise DataError(f"{path}: there is no mask of this name in {masks}")
        if stem not in pictures:
            raise DataError(f"{path}: there is no image of this name in {images}")
    stems = sorted(pictures)
    return Pictures(
        tuple(pictures[stem] for stem in stems), None, tuple(drawn[stem] for stem in stems)
    )


def _set_aside(whole: Pictures) -> tuple[Pictures, Pictures]:
    """A split for training, and a tenth of each class for tests."""
    rng, kept, aside = np.random.default_rng(_SEED), [], []
    labels = np.zeros(len(whole), np.int64) if whole.labels is None else whole.labels
    if whole.labels is None and len(whole) < _LEAST:
        raise DataError(f"{whole.paths[0].parent}: {len(whole)} images cannot be divided")
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
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
        files = pictures_in(place)
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


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


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


def rows_of(values: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Values in these rows, in this order; those of files are not read yet."""
    files: Any = values
    return values[rows] if isinstance(files, np.ndarray) else files.take(rows)
