"""Images as people have them, to the uint8[N, C, H, W] that a network takes; else what it wants.

Arrays and files of arrays here; pictures of any size by `pictures.py`.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import DataError, ProgramError
from cnnaccel.runtime.pictures import (
    ENDINGS,
    Preprocessing,
    is_picture,
    pictures_in,
    read_picture,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Shape = tuple[int, int, int]


def as_batch(images: Any, shape: Shape) -> npt.NDArray[np.uint8]:
    """uint8[N, C, H, W] of images for a network of `shape`, C, H, W.

    images: an array of them, or one image [C, H, W]; without C where that is 1. Lists may hold the
    same, as whole numbers 0 to 255.

    Raises:
        ProgramError: another shape or type.
    """
    if isinstance(images, (list, tuple)):
        images = _listed(images, shape)
    elif not isinstance(images, np.ndarray):
        raise ProgramError(f"{_wanted(shape)}, got {type(images).__name__}")
    if images.dtype != np.uint8:
        raise ProgramError(
            f"{_wanted(shape)}, got {_described(images)}; pixels are whole numbers 0 to 255: of "
            "0.0 to 1.0 they are np.round(255 * images).astype(np.uint8)"
        )
    pixels: npt.NDArray[np.uint8] = images
    if pixels.shape[1:] == shape:
        return pixels
    if pixels.shape == shape:
        return pixels[None]
    if shape[0] == 1 and pixels.shape[1:] == shape[1:]:
        return pixels[:, None]
    if shape[0] == 1 and pixels.shape == shape[1:]:
        return pixels[None, None]
    hint = ""
    if images.shape[-3:] == (*shape[1:], shape[0]):
        order = (0, 3, 1, 2) if images.ndim == 4 else (2, 0, 1)
        hint = f"; channels come first: images.transpose{order}"
    raise ProgramError(f"{_wanted(shape)}, got {_described(images)}{hint}")


def as_images(
    images: Any, shape: Shape, preprocessing: Preprocessing | None
) -> npt.NDArray[np.uint8]:
    """Images uint8[N, C, H, W] of what `as_batch` takes, and of pictures of any size.

    A picture is the name of a file or of a folder, or an array uint8[H, W], [H, W, 3], [H, W, 4];
    one, or a list of them.

    preprocessing: what pictures go through; None where the network takes none.

    Raises:
        ProgramError: another shape or type.
        DataError: a picture that is broken, or whose pixels would be guessed.
    """
    if isinstance(images, (str, Path)):
        return read_named([images], shape, preprocessing)[1]
    several = isinstance(images, (list, tuple)) and len(images) > 0
    if several and all(isinstance(one, (str, Path)) for one in images):
        return read_named(images, shape, preprocessing)[1]
    if _is_picture(images, shape):
        return _framed([images], preprocessing)
    if several and all(_is_picture(one, shape) for one in images):
        return _framed(images, preprocessing)
    return as_batch(images, shape)


def read_named(
    names: Sequence[str | Path], shape: Shape, preprocessing: Preprocessing | None
) -> tuple[list[str], npt.NDArray[np.uint8]]:
    """Images uint8[N, C, H, W] of files, and a name for each: pictures, folders of pictures, files
    of arrays as `read_images` takes them.

    Raises:
        DataError: a picture that is broken, or whose pixels would be guessed; a folder without any.
        ProgramError: a file of arrays that holds no images for the network.
    """
    labels: list[str] = []
    parts = []
    for name in names:
        path = Path(name)
        files = [path] if is_picture(path) and not path.is_dir() else []
        if path.is_dir():
            files = pictures_in(path)
            if not files:
                raise DataError(f"{path}: no picture in this folder; one ends in {_endings()}")
        if not files:
            images = read_images(str(name), shape)
            several = len(images) > 1
            labels += [f"{name} {at}" if several else str(name) for at in range(len(images))]
            parts.append(images)
            continue
        framing = _require(preprocessing, str(files[0])).framing
        labels += map(str, files)
        parts.append(np.stack([read_picture(file, framing) for file in files]))
    return labels, np.concatenate(parts)


def _is_picture(image: Any, shape: Shape) -> bool:
    """Whether an array is a picture, and nothing that `as_batch` takes."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or not image.size:
        return False
    if image.shape == shape or (shape[0] == 1 and image.shape[-2:] == shape[1:]):
        return False
    return image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))


def _framed(images: Any, preprocessing: Preprocessing | None) -> npt.NDArray[np.uint8]:
    framing = _require(preprocessing, "a picture").framing
    return np.stack([framing.frame(one) for one in images])


def _require(preprocessing: Preprocessing | None, what: str) -> Preprocessing:
    if preprocessing is None:
        raise DataError(
            f"{what}: this network's network.json has no `preprocessing`, by which pictures become "
            "its images; give arrays of pixels"
        )
    return preprocessing


def _endings() -> str:
    return ", ".join(sorted(ENDINGS))


def read_images(name: str, shape: Shape) -> npt.NDArray[np.uint8]:
    """uint8[N, C, H, W] of a file: `FILE.npy`, or `FILE.npz` of one array, or `FILE.npz:ARRAY`.

    Raises:
        ProgramError: it is not there, holds no images for a network of `shape`, or several arrays.
    """
    path, array = Path(name), ""
    if not path.exists():
        before, colon, after = name.rpartition(":")
        if colon and Path(before).exists():
            path, array = Path(before), after
    try:
        images = as_batch(_loaded(path, array), shape)
    except OSError as error:
        raise ProgramError(f"{path}: {error.strerror or error}; {_wanted(shape)}") from None
    except (EOFError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error):
        raise ProgramError(f"{path}: {_trouble(path)}; {_wanted(shape)}") from None
    except ProgramError as error:
        raise ProgramError(f"{path}: {error}") from None
    if not len(images):
        raise ProgramError(f"{path}: no image in it; {_wanted(shape)}")
    return images


def _loaded(path: Path, name: str) -> Any:
    """The array of a .npy, or the one of a .npz that is meant."""
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        if name:
            raise ProgramError(f"it is one array without a name; leave :{name} out")
        return found
    with found as file:
        return file[_chosen(path, name, file.files)]


def _trouble(path: Path) -> str:
    """Why numpy does not load a file that can be read."""
    with path.open("rb") as file:
        start = file.read(1 << 12)
    if not start:
        return "it is empty"
    if start[:6] == b"\x93NUMPY" or start[:2] == b"PK":
        return "it is damaged, or holds Python objects instead of numbers"
    return (
        "it is no .npy or .npz, as np.save and np.savez write them, nor a picture by its ending "
        f"({_endings()})"
    )


def _chosen(path: Path, name: str, names: list[str]) -> str:
    """Which array of a .npz is meant."""
    shown = ", ".join(names) or "none"
    if name and name not in names:
        raise ProgramError(f"no array '{name}' in it; it has {shown}")
    if not name and len(names) != 1:
        example = f"; choose one as {path}:{names[0]}" if names else ""
        raise ProgramError(f"{len(names)} arrays in it, {shown}{example}")
    return name or names[0]


def _listed(images: Any, shape: Shape) -> npt.NDArray[np.uint8]:
    try:
        values = np.array(images)
    except ValueError:  # of rows that are not equally long
        values = np.array([], object)
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind in "iu" and values.size and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    raise ProgramError(f"{_wanted(shape)}, got a list of something else than numbers 0 to 255")


def _wanted(shape: Shape) -> str:
    each = ", ".join(map(str, shape))
    one = f"[{each}]" if shape[0] > 1 else f"[{each}] or {list(shape[1:])}"
    return f"the program takes uint8 images of [{each}], an array [N, {each}] or one image {one}"


def _described(images: npt.NDArray[Any]) -> str:
    return f"{images.dtype}{list(images.shape)}"
