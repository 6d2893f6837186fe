"""Datasets as arrays: where they lie, whether their files are sound, and how they are divided.

Knows files and pixels, nothing of models. Images are uint8 [N, C, H, W], as the engine sees them.
Nothing here depends on the training seed: a dataset is the same for every run.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError, DataMissingError
from cnnaccel.nn import custom, idx
from cnnaccel.nn.custom import Part
from cnnaccel.nn.picture_files import Pictures, find_pictures, framing_of, pixels_of, rows_of
from cnnaccel.nn.vision import import_torchvision
from cnnaccel.workspace import sha256_of, sha256_of_value

ENVIRONMENT_VARIABLE = "CNNACCEL_DATA"
NO_DOWNLOAD_CONFIG = "configs/lenet_digits.yaml"

_MADE_HERE = {"digits": "scikit-learn digits, 28x28, 1", "synthetic": "waves and noise, 1"}
"""Datasets without files; the version goes up when the images change."""
_CIFAR_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
_EMNIST = "balanced"
_FILES = {
    "fashionmnist": ("FashionMNIST/raw", idx.FILES),
    "mnist": ("MNIST/raw", idx.FILES),
    "kmnist": ("KMNIST/raw", idx.FILES),
    "emnist": ("EMNIST/raw", idx.emnist_files(_EMNIST)),
    "cifar10": ("cifar-10-batches-py", _CIFAR_FILES),
    "cifar100": ("cifar-100-python", ("train", "test", "meta")),
    "svhn": ("SVHN", ("train_32x32.mat", "test_32x32.mat")),
}
_OWN = ("folder", "arrays")
"""Datasets of a user's own, read from `data.dir` or --data-dir alone."""
_HELD_OUT = 5000
_OWN_SHARE = 10
"""One training image in so many is held out, of a dataset of a user's own."""
_SPLIT_SEED = 0
_DIGITS_TRAIN = 1437
_CONNECT_SECONDS = 5.0


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
        case name if name in _FILES:
            train, test, classes = _from_files(name, _checked(name, folder))
        case spec:
            return _from_parts(config, *custom.import_data(spec))
    return _held_out(config, train, test, classes)


def _held_out(config: DataConfig, train: Split, test: Split, classes: tuple[str, ...]) -> Dataset:
    """A dataset whose validation images are some of those for training."""
    count = config.validation
    if count is None:
        own = config.name not in (*_FILES, *_MADE_HERE)
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
    if config.name not in _FILES:
        data = load_dataset(config, None)
        parts = (data.train, data.validation, data.test)
        digests = [hashlib.sha256(part.images[:].tobytes()) for part in parts]
        for digest, part in zip(digests, parts, strict=True):
            digest.update(part.labels.tobytes())
        return sha256_of_value([digest.hexdigest() for digest in digests])
    where = _checked(config.name, folder)
    subfolder, names = _FILES[config.name]
    return sha256_of(*(where / subfolder / name for name in names))


def find_data_dir(config: DataConfig, option: Path | None) -> Path | None:
    """The folder that holds the dataset; None where the dataset needs none.

    The first of `option` (--data-dir), `config.dir`, CNNACCEL_DATA and the user's cache that has
    any of its files; where none has, the dataset is downloaded into the first one named.

    Raises:
        DataMissingError: it is in none of them, and the download failed.
    """
    if config.name not in _FILES:
        return _own_place(config, option)
    found = folder_at_hand(config, option)
    if found is None:
        found = _folders(config, option)[0]
        _download(config.name, found)
    return found


def folder_at_hand(config: DataConfig, option: Path | None) -> Path | None:
    """The folder that `find_data_dir` finds without a download; None where the files are in no
    place."""
    if config.name not in _FILES:
        return _own_place(config, option)
    *named, cache = _folders(config, option)
    subfolder, _ = _FILES[config.name]
    begun = (folder for folder in named if any((folder / subfolder).glob("*")))
    return next(begun, None if _missing(config.name, cache) else cache)


def is_at_hand(config: DataConfig, option: Path | None) -> bool:
    """Whether the dataset can be read without a download."""
    if config.name in _OWN:
        place = _own_place(config, option)
        return place is not None and place.exists()
    return config.name not in _FILES or folder_at_hand(config, option) is not None


def _own_place(config: DataConfig, option: Path | None) -> Path | None:
    """Where a dataset of a user's own is; None of those that need no place."""
    if config.name not in _OWN:
        return None
    named = option or config.dir
    return None if named is None else Path(named).expanduser()


def _folders(config: DataConfig, option: Path | None) -> list[Path]:
    """Folders in which the files may lie, the user's cache last."""
    cache = Path.home() / ".cache" / "cnnaccel" / "data"
    named = (option, config.dir, os.environ.get(ENVIRONMENT_VARIABLE), cache)
    return [Path(name).expanduser() for name in named if name]


def _missing(name: str, folder: Path) -> list[str]:
    subfolder, files = _FILES[name]
    return [file for file in files if not (folder / subfolder / file).is_file()]


def _where_to_put_it(name: str, folder: Path) -> str:
    subfolder, files = _FILES[name]
    return (
        f"put the unpacked official files {', '.join(files)} into {folder / subfolder} (another "
        f"place than {folder}: --data-dir, data.dir or {ENVIRONMENT_VARIABLE}), or begin with "
        f"{NO_DOWNLOAD_CONFIG}, which needs no download"
    )


def _checked(name: str, folder: Path | None) -> Path:
    """`folder`, once its files are known to be sound."""
    if folder is None:
        raise DataError(f"{name} is read from files; name their folder with --data-dir")
    subfolder, _ = _FILES[name]
    if missing := _missing(name, folder):
        first = folder / subfolder / missing[0]
        packed = first.with_name(first.name + ".gz")
        if packed.exists():
            raise DataError(f"{packed}: still compressed; unpack it: gunzip {packed}")
        raise DataMissingError(f"{first} is missing; {_where_to_put_it(name, folder)}")
    if name in ("fashionmnist", "mnist", "kmnist"):
        idx.check_files(folder / subfolder, classes=10)
    if name == "emnist":
        idx.check_files(folder / subfolder, classes=47, files=idx.emnist_files(_EMNIST))
    return folder


def _torchvision_class(name: str) -> Any:
    datasets = import_torchvision().datasets
    return {
        "fashionmnist": datasets.FashionMNIST,
        "mnist": datasets.MNIST,
        "kmnist": datasets.KMNIST,
        "emnist": partial(datasets.EMNIST, split=_EMNIST),
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
        "svhn": _Svhn,
    }[name]


class _Svhn:
    """torchvision's SVHN, called as its others are."""

    classes = tuple(map(str, range(10)))

    def __init__(self, root: str, train: bool = True, download: bool = False) -> None:
        for split in ("train", "test") if download else ("train" if train else "test",):
            made = import_torchvision().datasets.SVHN(f"{root}/SVHN", split, download=download)
        self.data, self.targets = made.data.transpose(0, 2, 3, 1), made.labels


def _from_files(name: str, folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    try:
        halves = [
            _torchvision_class(name)(root=str(folder), train=train) for train in (True, False)
        ]
    except (RuntimeError, ValueError, OSError) as error:
        place = folder / _FILES[name][0]
        raise DataError(f"{place}: torchvision cannot read these files: {error}") from error
    train, test = (_to_split(np.asarray(half.data), half.targets) for half in halves)
    if name == "emnist":  # its files have rows and columns exchanged
        train, test = (Split(s.images[:].swapaxes(2, 3).copy(), s.labels) for s in (train, test))
    return train, test, tuple(halves[0].classes)


def _to_split(images: npt.NDArray[np.uint8], labels: Any) -> Split:
    """A split of torchvision's images, [N, H, W] or [N, H, W, C]."""
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return Split(np.ascontiguousarray(planes), np.asarray(labels, np.int64))


def _download(name: str, folder: Path) -> None:
    place = folder / _FILES[name][0]
    made = [path for path in (place, *place.parents) if not path.exists()]
    try:
        with _quiet(), _socket_timeout(_CONNECT_SECONDS):
            _torchvision_class(name)(root=str(folder), download=True)
    except (RuntimeError, OSError) as error:  # URLError is an OSError
        _remove_empty(made)
        reason = " ".join(str(error).split())
        raise DataMissingError(
            f"{name} is not on this machine and cannot be downloaded ({reason}); "
            f"{_where_to_put_it(name, folder)}"
        ) from error


def _remove_empty(folders: list[Path]) -> None:
    """Innermost first; what holds something stays, and all around it."""
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torchvision's progress bars and retries off the screen."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)


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
