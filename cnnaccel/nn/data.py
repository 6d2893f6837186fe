"""Datasets as arrays: where they lie, whether their files are sound, and how they are divided.

Knows files and pixels, nothing of models. Images are uint8 [N, C, H, W], as the engine sees them.
Nothing here depends on the training seed: a dataset is the same for every run.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError, DataMissingError
from cnnaccel.nn import idx
from cnnaccel.nn.vision import import_torchvision
from cnnaccel.workspace import sha256_of, sha256_of_value

ENVIRONMENT_VARIABLE = "CNNACCEL_DATA"
NO_DOWNLOAD_CONFIG = "configs/lenet_digits.yaml"

_MADE_HERE = {"digits": "scikit-learn digits, 28x28, 1", "synthetic": "waves and noise, 1"}
"""Datasets without files; the version goes up when the images change."""
_CIFAR_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
_FILES = {
    "fashionmnist": ("FashionMNIST/raw", idx.FILES),
    "mnist": ("MNIST/raw", idx.FILES),
    "cifar10": ("cifar-10-batches-py", _CIFAR_FILES),
}
_SPLIT_SEED = 0
_DIGITS_TRAIN = 1437
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Split:
    """Images uint8[N, C, H, W] and their labels int64[N]."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[np.int64]) -> Split:
        """The images in these rows, in this order."""
        return Split(self.images[rows], self.labels[rows])


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
        case "fashionmnist" | "mnist" | "cifar10":
            train, test, classes = _from_files(config.name, _checked(config.name, folder))
        case "digits":
            train, test, classes = _digits()
        case "synthetic":
            train, test, classes = _synthetic(config)
    if config.validation >= len(train):
        raise DataError(
            f"data.validation = {config.validation} leaves nothing to train on: {config.name} has "
            f"{len(train)} training images; hold out fewer"
        )
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(train))
    held_out, kept = np.sort(order[: config.validation]), np.sort(order[config.validation :])
    return Dataset(train.take(kept), train.take(held_out), test, classes)


def fingerprint(config: DataConfig, folder: Path | None) -> str:
    """Hex digest of the files the dataset is read from, or of the version it is made by."""
    if config.name in _MADE_HERE:
        return sha256_of_value(_MADE_HERE[config.name])
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
    if config.name in _MADE_HERE:
        return None
    found = folder_at_hand(config, option)
    if found is None:
        found = _folders(config, option)[0]
        _download(config.name, found)
    return found


def folder_at_hand(config: DataConfig, option: Path | None) -> Path | None:
    """The folder that `find_data_dir` finds without a download; None where the files are in no
    place."""
    if config.name in _MADE_HERE:
        return None
    *named, cache = _folders(config, option)
    subfolder, _ = _FILES[config.name]
    begun = (folder for folder in named if any((folder / subfolder).glob("*")))
    return next(begun, None if _missing(config.name, cache) else cache)


def is_at_hand(config: DataConfig, option: Path | None) -> bool:
    """Whether the dataset can be read without a download."""
    return config.name in _MADE_HERE or folder_at_hand(config, option) is not None


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
    if name in ("fashionmnist", "mnist"):
        idx.check_files(folder / subfolder, classes=10)
    return folder


def _torchvision_class(name: str) -> Any:
    datasets = import_torchvision().datasets
    return {
        "fashionmnist": datasets.FashionMNIST,
        "mnist": datasets.MNIST,
        "cifar10": datasets.CIFAR10,
    }[name]


def _from_files(name: str, folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    try:
        halves = [
            _torchvision_class(name)(root=str(folder), train=train) for train in (True, False)
        ]
    except (RuntimeError, ValueError, OSError) as error:
        place = folder / _FILES[name][0]
        raise DataError(f"{place}: torchvision cannot read these files: {error}") from error
    train, test = (_to_split(np.asarray(half.data), half.targets) for half in halves)
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
