"""Images as people have them, to the uint8[N, C, H, W] that a network takes; else what it wants."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import ProgramError

if TYPE_CHECKING:
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
    return "it is no .npy or .npz, as np.save and np.savez write them"


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
