"""Picture files that are read, and those that are refused, for the tests that need them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

REFUSED = {
    "empty": "empty$",
    "text": "no image that can be read",
    "truncated": "truncated or damaged",
    "deep": "more than 8 bits per pixel",
    "cmyk": "CMYK, whose colours depend on a profile",
    "animated": "3 frames; save the one that is meant",
    "transparent": "transparent in places",
    "palette": "transparent in places",
    "bomb": "pixels, as files made to fill a memory have",
    "absent": "No such file or directory$",
}
"""What is said of the file that `broken` makes, by its kind."""


def bomb(path: Path) -> None:
    """A PNG of a few bytes that says it has 400 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def broken(kind: str, folder: Path) -> Path:
    """A file of one of the kinds in `REFUSED`."""
    path = folder / f"{kind}.png"
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("an image, honestly", encoding="utf-8")
        case "truncated":
            noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(noise).save(path)
            path.write_bytes(path.read_bytes()[:3000])
        case "deep":
            Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)
        case "cmyk":
            path = folder / "cmyk.jpg"
            Image.new("CMYK", (4, 4)).save(path)
        case "animated":
            path = folder / "animated.gif"
            frames = [Image.new("L", (4, 4), shade) for shade in (0, 99, 200)]
            frames[0].save(path, save_all=True, append_images=frames[1:])
        case "transparent":
            Image.new("RGBA", (4, 4), (1, 2, 3, 128)).save(path)
        case "palette":
            picture = Image.new("P", (4, 4), 1)
            picture.putpalette([0, 0, 0, 9, 8, 7])
            picture.save(path, transparency=1)
        case "bomb":
            bomb(path)
    return path


def readable(folder: Path) -> list[Path]:
    """Pictures of every kind that is read, none of them of a network's size."""
    noise = np.random.default_rng(1).integers(0, 256, (37, 50, 3), np.uint8)
    picture = Image.fromarray(noise)
    exif = picture.getexif()
    exif[0x0112] = 6  # as a camera held upright writes it
    opaque = picture.copy()
    opaque.putalpha(255)
    kinds: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "colour.png": (picture, {}),
        "turned.jpg": (picture, {"exif": exif, "quality": 95}),
        "grey.png": (picture.convert("L"), {}),
        "palette.png": (picture.convert("P"), {}),
        "opaque.png": (opaque, {}),
        "bits.png": (picture.convert("1"), {}),
        "grey.JPG": (picture.convert("L"), {"format": "JPEG"}),
        "colour.webp": (picture, {"lossless": True}),
        "colour.bmp": (picture, {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (made, options) in kinds.items():
        made.save(folder / name, **options)  # type: ignore[arg-type]
    return sorted(folder / name for name in kinds)
