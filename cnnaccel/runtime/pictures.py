"""Picture files and arrays of pixels, to the uint8[C, H, W] that a network takes.

Every picture is turned, cropped, brought to size and made grey here, and nowhere else: for training
and calibration, for `simulate` and `deploy`, on a board. Pillow is imported where a file is read or
pixels get another size or colour; everything else needs numpy alone.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    Pixels = npt.NDArray[np.uint8]
    Shape = tuple[int, int, int]

ENDINGS = {
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
}
CROPS = ("center", "squash", "pad")
"""Cut at the longer side, stretch, or put black beside."""
COLOURS = {"grey": 1, "rgb": 3}
"""Channels of each."""
IN_THE_PROGRAM = "by the program, so pixels go in as they are"
"""Where a normalisation happens: it is folded into the network, or into its table of pixels."""
_MODES = {"1", "L", "P", "RGB"}
"""PIL's modes of 8 bits that are taken as they are."""


@dataclass(frozen=True)
class Framing:
    """How a picture of any size becomes an image of the network's."""

    size: tuple[int, int] | None
    """Rows and columns; None where all pictures must be of one size."""
    crop: str
    """One of `CROPS`."""
    colour: str
    """One of `COLOURS`."""

    def apply(self, picture: Image.Image) -> Pixels:
        """uint8[C, H, W] of a picture of Pillow's."""
        picture = picture.convert("RGB" if self.colour == "rgb" else "L")
        if self.size is not None and (picture.height, picture.width) != self.size:
            picture = _resized(picture, self.size, self.crop)
        return _planes(np.asarray(picture, np.uint8))

    def frame(self, pixels: npt.NDArray[Any]) -> Pixels:
        """uint8[C, H, W] of pixels uint8[H, W], [H, W, 3], or [H, W, 4] that are opaque.

        Raises:
            DataError: another type or shape, or transparent pixels.
        """
        depth = pixels.shape[2:]
        if pixels.dtype != np.uint8 or depth not in ((), (3,), (4,)) or not pixels.size:
            raise DataError(
                f"a picture is uint8 [H, W], [H, W, 3] or [H, W, 4], got {pixels.dtype}"
                f"{list(pixels.shape)}"
            )
        if depth == (4,):
            if pixels[..., 3].min() < 255:
                raise DataError(_TRANSPARENT)
            pixels = pixels[..., :3]
        same = self.size is None or pixels.shape[:2] == self.size
        if same and COLOURS[self.colour] == (3 if depth else 1):
            return _planes(pixels)
        return self.apply(_pillow("pixels of another size or colour").fromarray(pixels))


@dataclass(frozen=True)
class Preprocessing:
    """The way from a picture to the pixels of a network, and how the network was trained."""

    framing: Framing
    mean: tuple[float, ...] | None = None
    """Mean per channel of pixels from 0 to 1, with which the network was trained; for information:
    the program applies it."""
    std: tuple[float, ...] | None = None

    def recorded(self) -> dict[str, Any]:
        """The values under `preprocessing` in a `network.json`."""
        framing, normalization = self.framing, None
        if self.mean is not None and self.std is not None:
            normalization = {
                "mean": list(self.mean),
                "std": list(self.std),
                "applied": IN_THE_PROGRAM,
            }
        return {
            "size": None if framing.size is None else list(framing.size),
            "crop": framing.crop,
            "colour": framing.colour,
            "normalization": normalization,
        }


def framing_for(shape: Shape, crop: str = "center") -> Framing | None:
    """The framing for images [C, H, W]; None where no picture has so many channels."""
    colours = [name for name, channels in COLOURS.items() if channels == shape[0]]
    return Framing((shape[1], shape[2]), crop, colours[0]) if colours else None


def read_preprocessing(values: Any, shape: Shape) -> Preprocessing | None:
    """The pre-processing that `recorded` wrote, for images [C, H, W]; None where there is none.

    Raises:
        KeyError, TypeError, ValueError: something is missing, or no picture can be framed by it.
    """
    if values is None:
        return None
    size, crop, colour = (values[name] for name in ("size", "crop", "colour"))
    if size != list(shape[1:]) or crop not in CROPS or COLOURS.get(colour) != shape[0]:
        raise ValueError(f"preprocessing of size {size}, crop {crop}, colour {colour}")
    normalization = values["normalization"]
    mean = std = None
    if normalization is not None:
        mean, std = (tuple(map(float, normalization[name])) for name in ("mean", "std"))
    return Preprocessing(Framing((shape[1], shape[2]), crop, colour), mean, std)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, by the ending of its name."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def pictures_in(folder: Path) -> list[Path]:
    """The picture files in a folder and those inside it, sorted."""
    return sorted(path for path in folder.rglob("*") if is_picture(path))


def read_picture(path: Path, framing: Framing, content: bytes | None = None) -> Pixels:
    """uint8[C, H, W] of an image file. content: its bytes, where it lies inside of another file.

    Raises:
        DataError: it is broken, or of a kind whose pixels would be guessed.
    """
    pillow = _pillow(str(path))
    from PIL import ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # of damaged EXIF data, which is not used
            with pillow.open(path if content is None else io.BytesIO(content)) as picture:
                if reason := _unfit(picture):
                    raise DataError(reason)
                picture.load()
                return framing.apply(ImageOps.exif_transpose(picture))
    except (pillow.DecompressionBombWarning, pillow.DecompressionBombError):
        raise DataError(
            f"{path}: more than {pillow.MAX_IMAGE_PIXELS or 0:,} pixels, as files made to fill a "
            "memory have; make it smaller"
        ) from None
    except pillow.UnidentifiedImageError:
        empty = not content if content is not None else path.is_file() and not path.stat().st_size
        raise DataError(f"{path}: {'empty' if empty else 'no image that can be read'}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError) as error:
        if isinstance(error, OSError) and error.errno:  # of the system, not of Pillow
            raise DataError(f"{path}: {error.strerror}") from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or damaged ({reason})") from None


_TRANSPARENT = "transparent in places; put it on the background that you want"


def _pillow(what: str) -> Any:
    """Pillow's module `Image`. what: cannot be read without it."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError(
            f"{what}: pictures need the package pillow, which is not installed: pip install pillow"
        ) from None
    return Image


def _resized(picture: Image.Image, size: tuple[int, int], crop: str) -> Image.Image:
    from PIL import Image, ImageOps

    rows, columns = size
    bilinear = getattr(Image, "Resampling", Image).BILINEAR  # Pillow 9.1 moved it
    try:
        if crop == "squash":
            return picture.resize((columns, rows), bilinear)
        if crop == "center":
            return ImageOps.fit(picture, (columns, rows), bilinear)
        return ImageOps.pad(picture, (columns, rows), bilinear)
    except ValueError:  # a side of less than half a pixel
        raise DataError(
            f"{picture.height}x{picture.width} pixels are too thin to be brought to "
            f"{rows}x{columns} without stretching them"
        ) from None


def _planes(values: Pixels) -> Pixels:
    """[C, H, W] of [H, W] or [H, W, C]."""
    planes = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    return np.ascontiguousarray(planes)


def _unfit(picture: Image.Image) -> str:
    """Why pixels of a picture would be guessed; or empty."""
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        return f"{frames} frames; save the one that is meant"
    if picture.mode.startswith(("I", "F")):
        return "more than 8 bits per pixel; convert it to 8 bits, by the range that you choose"
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return f"{picture.mode}, whose colours depend on a profile; convert it to RGB"
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        alpha = picture.getchannel("A" if "A" in picture.getbands() else "a")
        return "" if alpha.getextrema() == (255, 255) else _TRANSPARENT
    if picture.mode in _MODES and "transparency" in picture.info:
        alpha = picture.convert("RGBA").getchannel("A")
        return "" if alpha.getextrema() == (255, 255) else _TRANSPARENT
    if picture.mode not in _MODES:
        return f"pixels of mode {picture.mode}; convert it to RGB or grey, 8 bits"
    return ""
