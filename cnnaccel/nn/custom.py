"""Data of a user's own as arrays: from .npz and .npy files, or from `package.module:attribute`."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import DataError
from cnnaccel.nn.sources import find_module, working_directory_importable

_IMAGES = ("images", "x", "data")
_LABELS = ("labels", "y", "targets")
_SPLITS = ("train", "validation", "test")
_WANTED = (
    "arrays `train_images` uint8[N, C, H, W] or [N, H, W] and `train_labels` whole numbers [N], "
    "and the same of `test_` and, if there are any, `validation_`; or `images` and `labels`, which "
    "are divided by chance"
)


class Part(NamedTuple):
    """Images uint8[N, C, H, W] and labels int64[N]."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def read_arrays(path: Path) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Splits by name, and the names of the classes, of a .npz or a folder of .npy files.

    Raises:
        DataError: it is damaged, or arrays are missing or of another kind.
    """
    try:
        if path.is_dir():
            arrays = {
                one.stem: np.load(one, allow_pickle=False) for one in sorted(path.glob("*.npy"))
            }
        else:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; it should be a .npz with {_WANTED}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: damaged, or no .npz of numbers ({reason})") from None
    return splits_of(arrays, str(path))


def splits_of(arrays: Mapping[str, Any], where: str) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Splits by name, and the names of the classes, of arrays by name.

    Raises:
        DataError: arrays are missing or of another kind.
    """
    names = [str(name) for name in arrays.get("classes", ())]
    parts = {}
    for split in _SPLITS:
        found = [
            _first(arrays, [f"{split}_{name}" for name in kind]) for kind in (_IMAGES, _LABELS)
        ]
        if any(one is not None for one in found):
            parts[split] = part_of(found[0], found[1], f"{where}, {split}")
    if not parts:
        found = [_first(arrays, kind) for kind in (_IMAGES, _LABELS)]
        if all(one is None for one in found):
            shown = ", ".join(arrays) or "nothing"
            raise DataError(f"{where}: has {shown}; wanted are {_WANTED}")
        parts["whole"] = part_of(found[0], found[1], where)
    elif "train" not in parts:
        raise DataError(f"{where}: has {', '.join(parts)} and no train; wanted are {_WANTED}")
    return parts, tuple(names)


def _first(arrays: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((arrays[name] for name in names if name in arrays), None)


def part_of(images: Any, labels: Any, where: str) -> Part:
    """Images and labels of a split, checked.

    Raises:
        DataError: another shape, type or number.
    """
    if images is None or labels is None:
        missing = "images" if images is None else "labels"
        raise DataError(f"{where}: no {missing}; wanted are {_WANTED}")
    pixels, classes = (
        np.asarray(one.numpy() if hasattr(one, "numpy") else one) for one in (images, labels)
    )
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    if pixels.dtype.kind == "f" and pixels.size and pixels.min() >= 0 and pixels.max() <= 1:
        pixels = np.round(255 * pixels).astype(np.uint8)
    if pixels.ndim == 4 and pixels.shape[3] in (1, 3) and pixels.shape[1] not in (1, 3):
        raise DataError(
            f"{where}: images are {list(pixels.shape)}, channels last; wanted are channels first, "
            "images.transpose(0, 3, 1, 2)"
        )
    if pixels.ndim != 4 or pixels.dtype != np.uint8 or not len(pixels):
        raise DataError(
            f"{where}: images are {pixels.dtype}{list(pixels.shape)}; wanted are uint8 pixels "
            "[N, C, H, W] or [N, H, W], or floats from 0 to 1, at least one"
        )
    if classes.shape != (len(pixels),) or classes.dtype.kind not in "iu" or classes.min() < 0:
        raise DataError(
            f"{where}: labels are {classes.dtype}{list(classes.shape)} for {len(pixels)} images; "
            "wanted is one whole number from 0 for each"
        )
    return Part(np.ascontiguousarray(pixels), classes.astype(np.int64))


def import_data(spec: str) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Splits by name, and the names of the classes, of `package.module:attribute`.

    The attribute, or what it returns when it is called, is a mapping of arrays as a .npz has them,
    or of datasets by split, or one dataset: torch's `Dataset` or `DataLoader`, or anything else
    that gives pairs of an image and a label.

    Raises:
        DataError: it cannot be imported, fails, or gives something else.
    """
    module_name, _, attribute = spec.partition(":")
    with working_directory_importable():
        if find_module(module_name) is None:
            raise DataError(f"data.name {spec}: there is no module '{module_name}' in {Path.cwd()}")
        try:
            made = getattr(importlib.import_module(module_name), attribute)
            if isinstance(made, type) or (callable(made) and not hasattr(made, "__getitem__")):
                made = made()
        except AttributeError as error:
            raise DataError(f"data.name {spec}: {error}") from None
        except Exception as error:
            raise DataError(f"data.name {spec}: failed with {_said(error)}") from error
        return _of_object(made, spec)


def _of_object(made: Any, spec: str) -> tuple[dict[str, Part], tuple[str, ...]]:
    if isinstance(made, Mapping):
        if set(made) & {"train", "test"}:
            parts = {str(name): _drained(one, f"{spec}, {name}") for name, one in made.items()}
            return parts, _names(next(iter(made.values())))
        return splits_of(made, spec)
    return {"whole": _drained(made, spec)}, _names(made)


def _names(dataset: Any) -> tuple[str, ...]:
    return tuple(map(str, getattr(dataset, "classes", ())))


def _drained(dataset: Any, where: str) -> Part:
    """All images and labels of a dataset, or of a loader's batches."""
    if isinstance(dataset, tuple) and len(dataset) == 2 and hasattr(dataset[0], "shape"):
        return part_of(dataset[0], dataset[1], where)
    images: list[npt.NDArray[Any]] = []
    labels: list[Any] = []
    for number, item in enumerate(_items(dataset, where)):
        try:
            image, label = item
            pixels = _planes(image)
        except Exception as error:
            raise DataError(
                f"{where}: item {number} is no pair of an image and a label ({_said(error)})"
            ) from error
        if images and pixels.shape[-3:] != images[0].shape[-3:]:
            raise DataError(
                f"{where}: item {number} is an image {list(pixels.shape)}, item 0 has "
                f"{list(images[0].shape)}"
            )
        images.append(pixels)
        labels.append(np.asarray(label))
    if not images:
        raise DataError(f"{where}: gives no images")
    batched = images[0].ndim == 4
    join = np.concatenate if batched else np.stack
    return part_of(join(images), np.concatenate([np.atleast_1d(one) for one in labels]), where)


def _planes(image: Any) -> npt.NDArray[Any]:
    """An image as an array; of PIL's, channels first."""
    if not hasattr(image, "getbands"):
        return np.asarray(image)
    values = np.asarray(image.convert("L" if len(image.getbands()) == 1 else "RGB"))
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _items(dataset: Any, where: str) -> Iterable[Any]:
    """Items of a dataset by its length, else as it iterates; errors in them in words."""
    indexed = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    try:
        if indexed:
            for index in range(len(dataset)):
                yield dataset[index]
        else:
            yield from dataset
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{where}: reading it failed with {_said(error)}") from error


def _said(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
