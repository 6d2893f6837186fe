"""Datasets as arrays: known ones and a user's own, and how they are divided.

Knows files and pixels, nothing of models. Images are uint8 [N, C, H, W], as the engine sees them.
Nothing here depends on the training seed: a dataset is the same for every run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn import custom, known
from cnnaccel.nn.custom import Part
from cnnaccel.nn.picture_files import Pictures, find_pictures, framing_of, pixels_of, rows_of
from cnnaccel.workspace import sha256_of, sha256_of_value

_MADE_HERE = {"digits": "scikit-learn digits, 28x28, 1", "synthetic": "waves and noise, 1"}
"""Datasets without files; the version goes up when the images change."""
_OWN = ("folder", "arrays")
"""Datasets of a user's own, read from `data.dir` or --data-dir alone."""
_HELD_OUT = 5000
_OWN_SHARE = 10
"""One training image in so many is held out, of a dataset of a user's own."""
_SPLIT_SEED = 0
_SAMPLE_SEED = 0
_DIGITS_TRAIN = 1437


@dataclass(frozen=True)
class Split:
    """Images uint8[N, C, H, W] and their labels int64[N]."""

    images: npt.NDArray[np.uint8]
    """An array; or `PictureFiles`, which read the rows that are taken of it."""
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[np.int64]) -> Split:
        """The images in these rows, in this order."""
        return Split(rows_of(self.images, rows), self.labels[rows])

    def sample(self, count: int | None) -> npt.NDArray[np.int64]:
        """Rows of so many images, as many of each class as of another; None, or more than there
        are: all of them, in order.

        They are drawn by a fixed seed, and a larger sample begins with the smaller ones.
        """
        if count is None or count >= len(self):
            return np.arange(len(self))
        rng = np.random.default_rng(_SAMPLE_SEED)
        order = rng.permutation(len(self))
        turn = np.empty(len(self), np.int64)  # of an image among those of its class
        for label in np.unique(self.labels):
            of_class = order[self.labels[order] == label]
            turn[of_class] = np.arange(len(of_class))
        return order[np.argsort(turn[order], kind="stable")][:count]


@dataclass(frozen=True)
class Dataset:
    """Three splits that share no image, and the names of the classes."""

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W of every image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width


def load_dataset(config: DataConfig, folder: Path | None) -> Dataset:
    """Read the dataset from `folder`, which `find_data_dir` gave.

    Raises:
        DataError: a file is missing or broken, or `config.validation` leaves nothing to train on.
    """
    match config.name:
        case "digits":
            train, test, classes = _digits()
        case "synthetic":
            train, test, classes = _synthetic(config)
        case "folder":
            return _from_pictures(config, _named(config, folder))
        case "arrays":
            return _from_parts(config, *custom.read_arrays(_named(config, folder)))
        case name if name in known.FILES:
            one, other, classes = known.read_known(name, folder)
            train, test = Split(*one), Split(*other)
        case spec:
            return _from_parts(config, *custom.import_data(spec))
    return _held_out(config, train, test, classes)


def _held_out(config: DataConfig, train: Split, test: Split, classes: tuple[str, ...]) -> Dataset:
    """A dataset whose validation images are some of those for training."""
    count = config.validation
    if count is None:
        own = config.name not in (*known.FILES, *_MADE_HERE)
        count = max(1, len(train) // _OWN_SHARE) if own else _HELD_OUT
    if count >= len(train):
        raise DataError(
            f"data.validation = {count} leaves nothing to train on: {config.name} has "
            f"{len(train)} training images; hold out fewer"
        )
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(train))
    held_out, kept = np.sort(order[:count]), np.sort(order[count:])
    return Dataset(train.take(kept), train.take(held_out), test, classes)


def _from_pictures(config: DataConfig, folder: Path) -> Dataset:
    found, framing = find_pictures(folder), framing_of(config)
    first = found.train.paths[0]

    def split(pictures: Pictures) -> Split:
        return Split(pixels_of(pictures, framing, first), pictures.labels)

    train, test = split(found.train), split(found.test)
    if found.validation is None or config.validation is not None:
        return _held_out(config, train, test, found.classes)
    return Dataset(train, split(found.validation), test, found.classes)


def _from_parts(config: DataConfig, parts: dict[str, Part], names: tuple[str, ...]) -> Dataset:
    """A dataset of arrays; those that are no split are divided, a tenth of them for tests."""
    splits = {name: Split(*part) for name, part in parts.items()}
    if "whole" in splits or "test" not in splits:
        whole = splits.pop("whole", None) or splits.pop("train")
        if len(whole) < 3:
            raise DataError(f"data.name {config.name}: {len(whole)} images cannot be divided")
        order = np.random.default_rng(_SPLIT_SEED).permutation(len(whole))
        count = max(1, len(whole) // _OWN_SHARE)
        splits["test"] = whole.take(np.sort(order[:count]))
        splits["train"] = whole.take(np.sort(order[count:]))
    train, test = splits["train"], splits["test"]
    highest = max(int(split.labels.max()) for split in splits.values())
    if names and highest >= len(names):
        raise DataError(
            f"data.name {config.name}: label {highest}, but there are {len(names)} classes, from 0"
        )
    classes = names or tuple(f"class {index}" for index in range(highest + 1))
    for name, other in splits.items():
        if other.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"data.name {config.name}: {name} images are {list(other.images.shape[1:])}, those "
                f"of train {list(train.images.shape[1:])}"
            )
    if config.validation is None and "validation" in splits:
        return Dataset(train, splits["validation"], test, classes)
    return _held_out(config, train, test, classes)


def _named(config: DataConfig, folder: Path | None) -> Path:
    if folder is None:
        raise DataError(
            f"data.name {config.name} is read from a place of yours; name it with data.dir or "
            "--data-dir"
        )
    return folder


def fingerprint(config: DataConfig, folder: Path | None) -> str:
    """Hex digest of the files the dataset is read from, or of the version it is made by."""
    if config.name in _MADE_HERE:
        return sha256_of_value(_MADE_HERE[config.name])
    if config.name == "folder":
        return find_pictures(_named(config, folder)).digest(_named(config, folder))
    if config.name == "arrays":
        place = _named(config, folder)
        return sha256_of(*(sorted(place.glob("*.npy")) if place.is_dir() else [place]))
    if config.name not in known.FILES:
        data = load_dataset(config, None)
        parts = (data.train, data.validation, data.test)
        digests = [hashlib.sha256(part.images[:].tobytes()) for part in parts]
        for digest, part in zip(digests, parts, strict=True):
            digest.update(part.labels.tobytes())
        return sha256_of_value([digest.hexdigest() for digest in digests])
    return known.digest_of(config.name, folder)


def find_data_dir(config: DataConfig, option: Path | None) -> Path | None:
    """The folder that holds the dataset; None where the dataset needs none.

    The first of `option` (--data-dir), `config.dir`, CNNACCEL_DATA and the user's cache that has
    any of its files; where none has, the dataset is downloaded into the first one named.

    Raises:
        DataMissingError: it is in none of them, and the download failed.
    """
    if config.name not in known.FILES:
        return _own_place(config, option)
    found = folder_at_hand(config, option)
    if found is None:
        found = known.folders_named(option, config.dir)[0]
        known.download(config.name, found)
    return found


def folder_at_hand(config: DataConfig, option: Path | None) -> Path | None:
    """The folder that `find_data_dir` finds without a download; None where the files are in no
    place."""
    if config.name not in known.FILES:
        return _own_place(config, option)
    return known.folder_at_hand(config.name, known.folders_named(option, config.dir))


def is_at_hand(config: DataConfig, option: Path | None) -> bool:
    """Whether the dataset can be read without a download."""
    if config.name in _OWN:
        place = _own_place(config, option)
        return place is not None and place.exists()
    return config.name not in known.FILES or folder_at_hand(config, option) is not None


def _own_place(config: DataConfig, option: Path | None) -> Path | None:
    """Where a dataset of a user's own is; None of those that need no place."""
    if config.name not in _OWN:
        return None
    named = option or config.dir
    return None if named is None else Path(named).expanduser()


def _digits() -> tuple[Split, Split, tuple[str, ...]]:
    """The 1,797 8x8 digits that come with scikit-learn, enlarged to 28x28."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    levels = images.reshape(-1, 1, 8, 8).astype(np.uint16)  # 0..16
    pixels = ((levels * 255 + 8) // 16).astype(np.uint8)
    enlarged = np.kron(pixels, np.ones((1, 1, 3, 3), np.uint8))
    whole = Split(np.pad(enlarged, ((0, 0), (0, 0), (2, 2), (2, 2))), labels.astype(np.int64))
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(whole))
    train, test = whole.take(order[:_DIGITS_TRAIN]), whole.take(order[_DIGITS_TRAIN:])
    return train, test, tuple(str(digit) for digit in range(10))


def _synthetic(config: DataConfig) -> tuple[Split, Split, tuple[str, ...]]:
    """Each class is a plane wave per channel; each image is its class's wave under noise."""
    channels, height, width = config.shape
    rng = np.random.default_rng(_SPLIT_SEED)
    size = (config.classes, channels, 1, 1)
    y, x = np.arange(height)[:, None] / height, np.arange(width) / width
    cycles_y, cycles_x = rng.uniform(-3, 3, (2, *size))
    waves = np.sin(2 * np.pi * (cycles_y * y + cycles_x * x + rng.uniform(0, 1, size)))

    def draw(count: int) -> Split:
        labels = rng.permutation(np.arange(count, dtype=np.int64) % config.classes)
        noise = rng.normal(0, 30, (count, *config.shape))
        pixels = 128 + 60 * waves[labels] + noise
        return Split(pixels.round().clip(0, 255).astype(np.uint8), labels)

    train, test = draw(config.images), draw(max(config.images // 5, 1))
    return train, test, tuple(f"class {index}" for index in range(config.classes))
