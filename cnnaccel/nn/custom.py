"""Data of a user's own as arrays: from .npz and .npy files, or from `package.module:attribute`."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import DataError
from cnnaccel.fields import did_you_mean
from cnnaccel.nn.sources import find_module, working_directory_importable

_IMAGES = ("images", "x", "data")
_LABELS = ("labels", "y", "targets")
_SPLITS = ("train", "validation", "test")
IGNORED = 255
"""Value of a mask's pixels that nobody judges, as in Pascal VOC."""
Kind = Literal["class", "mask", "any"]
"""Targets: a class for each image, one for each pixel, or any numbers."""
_WANTED = (
    "arrays `train_images` uint8[N, C, H, W] or [N, H, W] and `train_labels` whole numbers [N], "
    "and the same of `test_` and, if there are any, `validation_`; or `images` and `labels`, which "
    "are divided by chance; labels may be missing"
)


class Part(NamedTuple):
    """Images uint8[N, C, H, W] and what is wanted of each, [N, ...]; None where nothing is."""

    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[Any] | None


def read_arrays(path: Path, kind: Kind = "class") -> tuple[dict[str, Part], tuple[str, ...]]:
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
    return splits_of(arrays, str(path), kind)


def splits_of(
    arrays: Mapping[str, Any], where: str, kind: Kind = "class"
) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Splits by name, and the names of the classes, of arrays by name.

    Raises:
        DataError: arrays are missing or of another kind.
    """
    names = [str(name) for name in arrays.get("classes", ())]
    _require_known(arrays, where)
    parts = {}
    for split in _SPLITS:
        found = [
            _first(arrays, [f"{split}_{name}" for name in kind]) for kind in (_IMAGES, _LABELS)
        ]
        if any(one is not None for one in found):
            parts[split] = part_of(found[0], found[1], f"{where}, {split}", kind)
    if not parts:
        found = [_first(arrays, kind) for kind in (_IMAGES, _LABELS)]
        if all(one is None for one in found):
            shown = ", ".join(arrays) or "nothing"
            raise DataError(f"{where}: has {shown}; wanted are {_WANTED}")
        parts["whole"] = part_of(found[0], found[1], where, kind)
    elif "train" not in parts:
        raise DataError(f"{where}: has {', '.join(parts)} and no train; wanted are {_WANTED}")
    return parts, tuple(names)


def _require_known(arrays: Mapping[str, Any], where: str) -> None:
    """Refuse arrays of other names where labels may be meant by them."""
    known = {f"{split}_{name}" for split in _SPLITS for name in (*_IMAGES, *_LABELS)}
    known |= {*_IMAGES, *_LABELS, "classes"}
    labels = {name for name in arrays if name.rpartition("_")[2] in _LABELS}
    unknown = [str(name) for name in arrays if name not in known]
    if unknown and not labels and len(unknown) < len(arrays):
        near = did_you_mean(unknown[0], sorted(known))
        raise DataError(
            f"{where}: no labels, but {unknown[0]}{near}; leave it out if images have no labels"
        )


def _first(arrays: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((arrays[name] for name in names if name in arrays), None)


def part_of(images: Any, targets: Any, where: str, kind: Kind = "class") -> Part:
    """Images and targets of a split, checked.

    Raises:
        DataError: another shape, type or number.
    """
    if images is None:
        raise DataError(f"{where}: no images; wanted are {_WANTED}")
    pixels = as_array(images)
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
    wanted = None if targets is None else targets_of(as_array(targets), len(pixels), where, kind)
    return Part(np.ascontiguousarray(pixels), wanted)


def targets_of(targets: npt.NDArray[Any], images: int, where: str, kind: Kind) -> npt.NDArray[Any]:
    """Targets as the task takes them: classes int64[N], masks uint8 or int64[N, H, W], numbers.

    Raises:
        DataError: another shape, type or number.
    """
    shown = f"{where}: labels are {targets.dtype}{list(targets.shape)} for {images} images"
    whole = targets.dtype.kind in "iu" and not (targets.size and targets.min() < 0)
    if kind == "class":
        if targets.shape == (images, 1):
            targets = targets[:, 0]
        if targets.shape != (images,) or not whole:
            fits = {3: "segment", 4: "segment"}.get(targets.ndim, "regress")
            raise DataError(
                f"{shown}; wanted is one whole number from 0 for each; for other targets there is "
                f"task: {fits}"
            )
        return targets.astype(np.int64)
    if kind == "mask":
        if targets.ndim == 4 and targets.shape[1] == 1:
            targets = targets[:, 0]
        if targets.dtype.kind == "b":
            targets, whole = targets.astype(np.uint8), True
        if targets.ndim != 3 or len(targets) != images or not whole:
            raise DataError(
                f"{shown}; task segment wants a mask for each, [N, H, W], whole numbers from 0"
            )
        require_classes(targets, where)
        return targets if targets.dtype == np.uint8 else targets.astype(np.int64)
    if targets.ndim == 0 or len(targets) != images or targets.dtype.kind not in "iufb":
        raise DataError(f"{shown}; wanted are as many, numbers")
    if targets.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(targets.reshape(images, -1)).all(axis=1))
        if len(bad):
            raise DataError(
                f"{where}: the targets of {len(bad)} images are NaN or infinite, of image {bad[0]} "
                "first; leave these images out"
            )
        return targets.astype(np.float32)
    return targets.astype(np.int64)


def require_classes(masks: npt.NDArray[Any], where: str) -> None:
    """Refuse masks that are black and white: 255 would be judged by nobody.

    Raises:
        DataError: no other value is in them than 0 and 255.
    """
    if masks.size and masks.max() == IGNORED and set(np.unique(masks).tolist()) <= {0, IGNORED}:
        raise DataError(
            f"{where}: masks hold {IGNORED} and at most 0, and {IGNORED} marks what nobody judges; "
            "save them with the numbers of classes, 0 and 1"
        )


def as_array(value: Any) -> npt.NDArray[Any]:
    """An array of an array, a tensor or a list."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def import_data(spec: str, kind: Kind = "class") -> tuple[dict[str, Part], tuple[str, ...]]:
    """Splits by name, and the names of the classes, of `package.module:attribute`.

    The attribute, or what it returns when it is called, is a mapping of arrays as a .npz has them,
    or of datasets by split, or one dataset: torch's `Dataset` or `DataLoader`, or anything else
    that gives pairs of an image and a label, or images alone.

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
        return _of_object(made, spec, kind)


def _of_object(made: Any, spec: str, kind: Kind) -> tuple[dict[str, Part], tuple[str, ...]]:
    if isinstance(made, Mapping):
        if set(made) & {"train", "test"}:
            if unknown := [str(name) for name in made if name not in _SPLITS]:
                raise DataError(
                    f"data.name {spec}: has {unknown[0]}, no split; there are train, "
                    "validation and test"
                )
            if "train" not in made:
                raise DataError(f"data.name {spec}: has test and no train")
            parts = {
                str(name): _drained(one, f"{spec}, {name}", kind) for name, one in made.items()
            }
            return parts, _names(next(iter(made.values())))
        return splits_of(made, spec, kind)
    return {"whole": _drained(made, spec, kind)}, _names(made)


def _names(dataset: Any) -> tuple[str, ...]:
    return tuple(map(str, getattr(dataset, "classes", ())))


def _drained(dataset: Any, where: str, kind: Kind) -> Part:
    """All images and targets of a dataset, or of a loader's batches."""
    if isinstance(dataset, tuple) and len(dataset) == 2 and hasattr(dataset[0], "shape"):
        return part_of(dataset[0], dataset[1], where, kind)
    if hasattr(dataset, "shape"):
        return part_of(dataset, None, where, kind)
    images: list[npt.NDArray[Any]] = []
    targets: list[npt.NDArray[Any]] = []
    for number, item in enumerate(_items(dataset, where)):
        try:
            image, target = _pair(item)
        except Exception as error:
            raise DataError(
                f"{where}: item {number} is no pair of an image and a label, and no image "
                f"({_said(error)})"
            ) from error
        if images and image.shape[-3:] != images[0].shape[-3:]:
            raise DataError(
                f"{where}: item {number} is an image {list(image.shape)}, item 0 has "
                f"{list(images[0].shape)}"
            )
        if number and (target is None) != (not targets):
            few, many = ("no label", "one") if target is None else ("a label", "none")
            raise DataError(f"{where}: item {number} has {few}, item 0 has {many}")
        images.append(image)
        if target is not None:
            _require_like(target, targets, images, f"{where}: item {number}")
            targets.append(target)
    if not images:
        raise DataError(f"{where}: gives no images")
    join = np.concatenate if images[0].ndim == 4 else np.stack
    return part_of(join(images), join(targets) if targets else None, where, kind)


def _pair(item: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """An image, or a batch of them, and the targets; None where there are none."""
    if hasattr(item, "shape") or hasattr(item, "getbands"):
        return _planes(item), None
    image, target = item if len(item) != 1 else (item[0], None)
    pixels = _planes(image)
    if pixels.ndim not in (2, 3, 4) or pixels.dtype.kind not in "uif":
        raise TypeError(f"an image would be an array, not {type(image).__name__}")
    wanted = None if target is None else as_array(target)
    if wanted is not None and wanted.dtype.kind not in "iufb":
        raise TypeError(f"a label would be numbers, not {type(target).__name__}")
    return pixels, wanted


def _require_like(
    target: npt.NDArray[Any],
    before: list[npt.NDArray[Any]],
    images: list[npt.NDArray[Any]],
    where: str,
) -> None:
    """A target must be such as those before; in batches, one for each image."""
    batched = images[-1].ndim == 4
    if batched and (not target.ndim or len(target) != len(images[-1])):
        raise DataError(f"{where} has labels {list(target.shape)} for {len(images[-1])} images")
    if not before:
        return
    skip = 1 if batched else 0
    if target.shape[skip:] != before[0].shape[skip:]:
        raise DataError(
            f"{where} has a label {list(target.shape)}, item 0 one of {list(before[0].shape)}"
        )


def _planes(image: Any) -> npt.NDArray[Any]:
    """An image as an array; of PIL's, channels first."""
    if not hasattr(image, "getbands"):
        return as_array(image)
    values = np.asarray(image.convert("L" if len(image.getbands()) == 1 else "RGB"))
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _items(dataset: Any, where: str) -> Iterable[Any]:
    """Items of a dataset by its length, else as it iterates; errors in them in words."""
    indexed = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    number = 0
    try:
        for item in map(dataset.__getitem__, range(len(dataset))) if indexed else dataset:
            yield item
            number += 1
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{where}: item {number}: reading it failed with {_said(error)}") from error


def _said(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
