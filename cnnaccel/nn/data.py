"""Datasets as arrays: known ones and a user's own, and how they are divided.

Knows files and pixels, nothing of models. Images are uint8 [N, C, H, W], as the engine sees them.
Nothing here depends on the training seed: a dataset is the same for every run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.config import Config, DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn import custom, known, made_up
from cnnaccel.nn.custom import Kind, Part
from cnnaccel.nn.mask_files import masks_of
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


@dataclass(frozen=True)
class Split:
    """Images uint8[N, C, H, W] and what is wanted of each."""

    images: npt.NDArray[np.uint8]
    """An array; or `PictureFiles`, which read the rows that are taken of it."""
    targets: npt.NDArray[Any] | None = None
    """A class for each image, int64[N]; a mask for each, [N, H, W], or `MaskFiles`; any other
    numbers [N, ...]; None where nothing is known."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each image.

        Raises:
            DataError: there are none.
        """
        if self.targets is None:
            raise DataError("these images have no labels")
        return self.targets

    @property
    def known_classes(self) -> npt.NDArray[np.int64] | None:
        """The class of each image; None where targets are something else, or none."""
        targets = self.targets
        if targets is None or targets.shape != (len(self),) or targets.dtype.kind not in "iu":
            return None
        return targets

    def take(self, rows: npt.NDArray[np.int64]) -> Split:
        """The images in these rows, in this order."""
        wanted = None if self.targets is None else rows_of(self.targets, rows)
        return Split(rows_of(self.images, rows), wanted)

    def sample(self, count: int | None) -> npt.NDArray[np.int64]:
        """Rows of so many images, as many of each class as of another where they have classes;
        None, or more than there are: all of them, in order.

        They are drawn by a fixed seed, and a larger sample begins with the smaller ones.
        """
        if count is None or count >= len(self):
            return np.arange(len(self))
        rng = np.random.default_rng(_SAMPLE_SEED)
        order = rng.permutation(len(self))
        labels = self.known_classes
        if labels is None:
            labels = np.zeros(len(self), np.int64)
        turn = np.empty(len(self), np.int64)  # of an image among those of its class
        for label in np.unique(labels):
            of_class = order[labels[order] == label]
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


def target_kind(config: Config) -> Kind:
    """The kind of targets that a configuration's task has."""
    kinds: dict[str, Kind] = {"classify": "class", "segment": "mask"}
    return kinds.get(config.task, "any")


def load_dataset(config: DataConfig, folder: Path | None, kind: Kind = "class") -> Dataset:
    """Read the dataset from `folder`, which `find_data_dir` gave, with targets of a kind.

    Raises:
        DataError: a file is missing or broken, or `config.validation` leaves nothing to train on.
    """
    match config.name:
        case "digits":
            train, test, classes = _split(made_up.digits())
        case "synthetic":
            train, test, classes = _split(made_up.synthetic(config))
        case "folder":
            return _from_pictures(config, _named(config, folder), kind)
        case "arrays":
            return _from_parts(config, *custom.read_arrays(_named(config, folder), kind), kind)
        case name if name in known.FILES:
            one, other, classes = known.read_known(name, folder)
            train, test = Split(*one), Split(*other)
        case spec:
            return _from_parts(config, *custom.import_data(spec, kind), kind)
    return _held_out(config, train, test, classes)


def _split(made: made_up.Made) -> tuple[Split, Split, tuple[str, ...]]:
    return Split(*made.train), Split(*made.test), made.classes


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


def _from_pictures(config: DataConfig, folder: Path, kind: Kind) -> Dataset:
    found, framing = find_pictures(folder, masks=kind == "mask"), framing_of(config)
    first = found.train.paths[0]

    def split(pictures: Pictures) -> Split:
        pixels = pixels_of(pictures, framing, first)
        if pictures.masks:
            height, width = pixels.shape[2:]
            return Split(pixels, masks_of(pictures, framing, (height, width)))
        return Split(pixels, pictures.labels)

    train, test = split(found.train), split(found.test)
    if found.validation is None or config.validation is not None:
        return _held_out(config, train, test, found.classes)
    return Dataset(train, split(found.validation), test, found.classes)


def _from_parts(
    config: DataConfig, parts: dict[str, Part], names: tuple[str, ...], kind: Kind
) -> Dataset:
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
    classes = names
    if kind == "class" or (kind == "mask" and names):
        classes = _class_names(config, splits, names)
    for name, other in splits.items():
        shapes = [None if one.targets is None else one.targets.shape[1:] for one in (other, train)]
        if None not in shapes and shapes[0] != shapes[1]:
            raise DataError(
                f"data.name {config.name}: labels of {name} are {list(shapes[0] or ())} for an "
                f"image, those of train {list(shapes[1] or ())}"
            )
        if other.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"data.name {config.name}: {name} images are {list(other.images.shape[1:])}, those "
                f"of train {list(train.images.shape[1:])}"
            )
    if config.validation is None and "validation" in splits:
        return Dataset(train, splits["validation"], test, classes)
    return _held_out(config, train, test, classes)


def _class_names(
    config: DataConfig, splits: dict[str, Split], names: tuple[str, ...]
) -> tuple[str, ...]:
    """The names that were given, else numbers up to the highest label."""
    labelled = [split.targets for split in splits.values() if split.targets is not None]
    judged = [one if one.ndim == 1 else one[one != custom.IGNORED] for one in labelled]
    highest = max((int(labels.max()) for labels in judged if labels.size), default=-1)
    if names and highest >= len(names):
        raise DataError(
            f"data.name {config.name}: label {highest}, but there are {len(names)} classes, from 0"
        )
    return names or tuple(f"class {index}" for index in range(highest + 1))


def _named(config: DataConfig, folder: Path | None) -> Path:
    if folder is None:
        raise DataError(
            f"data.name {config.name} is read from a place of yours; name it with data.dir or "
            "--data-dir"
        )
    return folder


def fingerprint(config: DataConfig, folder: Path | None, kind: Kind = "class") -> str:
    """Hex digest of the files the dataset is read from, or of the version it is made by."""
    if config.name in _MADE_HERE:
        return sha256_of_value(_MADE_HERE[config.name])
    if config.name == "folder":
        found = find_pictures(_named(config, folder), masks=kind == "mask")
        return found.digest(_named(config, folder))
    if config.name == "arrays":
        place = _named(config, folder)
        return sha256_of(*(sorted(place.glob("*.npy")) if place.is_dir() else [place]))
    if config.name not in known.FILES:
        data = load_dataset(config, None, kind)
        parts = (data.train, data.validation, data.test)
        digests = [hashlib.sha256(part.images[:].tobytes()) for part in parts]
        for digest, part in zip(digests, parts, strict=True):
            digest.update(b"" if part.targets is None else part.targets.tobytes())
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
