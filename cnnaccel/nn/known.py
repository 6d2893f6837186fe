"""Known datasets: in what files they are published, where these lie, and whether they are sound.

Knows files and pixels, nothing of how images are divided, and nothing of data of a user's own.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import DataError, DataMissingError
from cnnaccel.nn import idx
from cnnaccel.nn.custom import Part
from cnnaccel.nn.picture_archive import read_archive
from cnnaccel.nn.picture_files import find_pictures, pixels_of
from cnnaccel.nn.vision import import_torchvision
from cnnaccel.runtime.pictures import Framing
from cnnaccel.workspace import sha256_of

ENVIRONMENT_VARIABLE = "CNNACCEL_DATA"
NO_DOWNLOAD_CONFIG = "configs/lenet_digits.yaml"

_CIFAR_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
_EMNIST = "balanced"
FILES = {
    "fashionmnist": ("FashionMNIST/raw", idx.FILES),
    "mnist": ("MNIST/raw", idx.FILES),
    "kmnist": ("KMNIST/raw", idx.FILES),
    "emnist": ("EMNIST/raw", idx.emnist_files(_EMNIST)),
    "cifar10": ("cifar-10-batches-py", _CIFAR_FILES),
    "cifar100": ("cifar-100-python", ("train", "test", "meta")),
    "svhn": ("SVHN", ("train_32x32.mat", "test_32x32.mat")),
}
"""The subfolder of each dataset, and the files in it that are read."""
_CIFAR_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_CLASSES = {"cifar10": _CIFAR_CLASSES}
"""Datasets that are also read from pictures, and the folders of their classes."""
_ARCHIVES = {"cifar10": "cifar10-jpeg.tar.xz"}
"""Such pictures, packed."""
_SHAPE = (3, 32, 32)
_PICTURES = Framing(None, "center", "rgb")
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Source:
    """The place a dataset is read from."""

    kind: Literal["files", "pictures", "archive"]
    """The official files; folders of pictures; or an archive of such."""
    place: Path
    """The folder around them, or the archive."""


def source_in(name: str, folder: Path) -> Source | None:
    """The source of a dataset in a folder, or in its subfolder of the dataset's name.

    The official files go before pictures, pictures before an archive of them.
    """
    places = (folder, folder / name)
    for place in places:
        if any((place / FILES[name][0]).glob("*")):
            return Source("files", place)
    for place in places:
        if name in _CLASSES and _has_classes(place, _CLASSES[name]):
            return Source("pictures", place)
    for place in places:
        if name in _ARCHIVES and (place / _ARCHIVES[name]).is_file():
            return Source("archive", place / _ARCHIVES[name])
    return None


def _has_classes(folder: Path, classes: tuple[str, ...]) -> bool:
    return all((folder / half / name).is_dir() for half in ("train", "test") for name in classes)


def read_known(name: str, folder: Path | None) -> tuple[Part, Part, tuple[str, ...]]:
    """Images and labels for training, those for tests, and the names of the classes.

    Raises:
        DataError: a file is missing or broken.
    """
    source = _sound(name, folder)
    match source.kind:
        case "files":
            return _from_files(name, source.place)
        case "archive":
            halves = read_archive(source.place, _PICTURES, _CLASSES[name])
        case "pictures":
            found = find_pictures(source.place)
            first = found.train.paths[0]
            parts = (found.train, found.test)
            halves = [Part(pixels_of(part, _PICTURES, first), part.labels) for part in parts]
    train, test = halves
    if train[0].shape[1:] != _SHAPE:
        rows, columns = train[0].shape[2:]
        raise DataError(
            f"{source.place}: pictures of {rows}x{columns}, those of {name} are "
            f"{_SHAPE[1]}x{_SHAPE[2]}; read other pictures with data.name: folder"
        )
    return train, test, _CLASSES[name]


def digest_of(name: str, folder: Path | None) -> str:
    """Hex digest of the files that `read_known` reads.

    Raises:
        DataError: a file is missing or broken.
    """
    source = _sound(name, folder)
    match source.kind:
        case "files":
            subfolder, names = FILES[name]
            return sha256_of(*(source.place / subfolder / file for file in names))
        case "archive":
            return sha256_of(source.place)
        case "pictures":
            return find_pictures(source.place).digest(source.place)


def folder_at_hand(name: str, folders: list[Path]) -> Path | None:
    """The first of `folders` that has any of a dataset; of the last, the user's cache, all of it.

    None where the dataset is in no place.
    """
    *named, cache = folders
    found = (folder for folder in named if source_in(name, folder) is not None)
    source = source_in(name, cache)
    whole = source is not None and not (source.kind == "files" and _missing(name, source.place))
    return next(found, cache if whole else None)


def folders_named(option: Path | None, own: str | None) -> list[Path]:
    """Folders in which the files may lie, those of --data-dir and data.dir first, the user's cache
    last."""
    cache = Path.home() / ".cache" / "cnnaccel" / "data"
    named = (option, own, os.environ.get(ENVIRONMENT_VARIABLE), cache)
    return [Path(name).expanduser() for name in named if name]


def _missing(name: str, place: Path) -> list[str]:
    subfolder, files = FILES[name]
    return [file for file in files if not (place / subfolder / file).is_file()]


def _where_to_put_it(name: str, folder: Path) -> str:
    subfolder, files = FILES[name]
    pictures = ""
    if name in _ARCHIVES:
        pictures = f", or {_ARCHIVES[name]}, or what it unpacks to, into {folder}"
    return (
        f"put the unpacked official files {', '.join(files)} into {folder / subfolder}{pictures} "
        f"(another place than {folder}: --data-dir, data.dir or {ENVIRONMENT_VARIABLE}), or begin "
        f"with {NO_DOWNLOAD_CONFIG}, which needs no download"
    )


def _sound(name: str, folder: Path | None) -> Source:
    """The source of a dataset in a folder, its official files known to be sound."""
    if folder is None:
        raise DataError(f"{name} is read from files; name their folder with --data-dir")
    source = source_in(name, folder) or Source("files", folder)
    if source.kind != "files":
        return source
    raw = source.place / FILES[name][0]
    if missing := _missing(name, source.place):
        first = raw / missing[0]
        packed = first.with_name(first.name + ".gz")
        if packed.exists():
            raise DataError(f"{packed}: still compressed; unpack it: gunzip {packed}")
        raise DataMissingError(f"{first} is missing; {_where_to_put_it(name, source.place)}")
    if name in ("fashionmnist", "mnist", "kmnist"):
        idx.check_files(raw, classes=10)
    if name == "emnist":
        idx.check_files(raw, classes=47, files=idx.emnist_files(_EMNIST))
    return source


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


def _from_files(name: str, place: Path) -> tuple[Part, Part, tuple[str, ...]]:
    try:
        halves = [_torchvision_class(name)(root=str(place), train=train) for train in (True, False)]
    except (RuntimeError, ValueError, OSError) as error:
        raise DataError(
            f"{place / FILES[name][0]}: torchvision cannot read these files: {error}"
        ) from error
    train, test = (_part(name, np.asarray(half.data), half.targets) for half in halves)
    return train, test, tuple(halves[0].classes)


def _part(name: str, images: npt.NDArray[np.uint8], labels: Any) -> Part:
    """uint8[N, C, H, W] and int64[N] of torchvision's images, [N, H, W] or [N, H, W, C]."""
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    if name == "emnist":  # its files have rows and columns exchanged
        planes = planes.swapaxes(2, 3)
    return Part(np.ascontiguousarray(planes), np.asarray(labels, np.int64))


def download(name: str, folder: Path) -> None:
    """Fetch the official files into a folder.

    Raises:
        DataMissingError: there is no network, or no such file any more.
    """
    place = folder / FILES[name][0]
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
