"""A folder of image files as a dataset: splits, classes, framing, and files that are refused."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn import picture_files
from cnnaccel.nn.data import fingerprint, load_dataset
from cnnaccel.nn.picture_files import Framing, PictureFiles, find_pictures, read_picture

CONFIG = DataConfig(name="folder")
RGB = Framing(None, "center", "rgb")


def draw(path: Path, shade: int, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> Path:
    """A picture of one shade; size: width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, shade if mode == "L" else (shade, 255 - shade, 7)).save(path)
    return path


def fill(folder: Path, count: int, classes: tuple[str, ...] = ("cat", "dog")) -> None:
    for at, name in enumerate(classes):
        for number in range(count):
            draw(folder / name / f"{number:03}.png", 100 * at + number)


def test_splits_by_folder(tmp_path: Path) -> None:
    for split, count in (("train", 8), ("Val", 2), ("test", 3)):
        fill(tmp_path / split, count)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no image", encoding="utf-8")
    (tmp_path / "train" / ".cache").mkdir()
    data = load_dataset(CONFIG, tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 6)
    assert data.classes == ("cat", "dog") and data.shape == (3, 4, 6)
    assert data.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test.images[4, :, 0, 0].tolist() == [101, 154, 7]
    held = load_dataset(replace(CONFIG, validation=5), tmp_path)
    assert (len(held.train), len(held.validation)) == (11, 5)


def test_a_folder_of_classes_is_divided_by_a_fixed_seed(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    data, again = (load_dataset(CONFIG, tmp_path) for _ in range(2))
    assert (len(data.train), len(data.validation), len(data.test)) == (33, 3, 4)
    assert np.array_equal(data.test.images, again.test.images)
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    shades = [
        *(
            int(one[0, 0, 0])
            for part in (data.train, data.validation, data.test)
            for one in part.images
        )
    ]
    assert sorted(shades) == [*range(20), *range(100, 120)]


@pytest.mark.parametrize("crop", ["center", "squash", "pad"])
def test_framing(crop: Any, tmp_path: Path) -> None:
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = 200  # the middle of a picture twice as wide as high
    Image.fromarray(wide).save(tmp_path / "wide.png")
    image = read_picture(tmp_path / "wide.png", Framing((4, 4), crop, "grey"))
    assert image.shape == (1, 4, 4)
    expected = {
        "center": np.full((4, 4), 200),
        "squash": None,
        "pad": None,
    }[crop]
    if expected is not None:
        assert np.array_equal(image[0], expected)
    elif crop == "squash":
        assert image[0, :, 0].max() < 120 and image[0, :, 1:3].min() > 120
    else:
        assert not image[0, 0].any() and not image[0, 3].any() and image[0, 1:3, 1:3].min() > 100


def test_colours_and_rotation(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.jpg", 200, (8, 8))
    assert read_picture(path, RGB).shape == (3, 8, 8)
    assert read_picture(path, replace(RGB, colour="grey")).shape == (1, 8, 8)
    assert read_picture(draw(tmp_path / "b.png", 9, mode="L"), RGB)[:, 0, 0].tolist() == [9, 9, 9]
    turned = Image.new("RGB", (6, 4))
    exif = turned.getexif()
    exif[0x0112] = 6  # as a camera held upright writes it
    turned.save(tmp_path / "c.jpg", exif=exif)
    assert read_picture(tmp_path / "c.jpg", RGB).shape == (3, 6, 4)
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "d.png")
    assert read_picture(tmp_path / "d.png", RGB)[:, 0, 0].tolist() == [1, 2, 3]


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
        case "bomb":
            bomb(path)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "empty$"),
        ("text", "no image that can be read"),
        ("truncated", "truncated or damaged"),
        ("deep", "more than 8 bits per pixel"),
        ("cmyk", "CMYK, whose colours depend on a profile"),
        ("animated", "3 frames; save the one that is meant"),
        ("transparent", "transparent in places"),
        ("bomb", "pixels, as files made to fill a memory have"),
    ],
)
def test_files_that_are_refused(kind: str, message: str, tmp_path: Path) -> None:
    path = broken(kind, tmp_path)
    with pytest.raises(DataError, match=message) as error:
        read_picture(path, RGB)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_folders_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load_dataset(CONFIG, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"name it with data\.dir or --data-dir"):
        load_dataset(CONFIG, None)
    fill(tmp_path, 3, ("cat",))
    with pytest.raises(DataError, match="1 folders of classes, at least two are needed"):
        find_pictures(tmp_path)
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match="dog: a class without images"):
        find_pictures(tmp_path)
    fill(tmp_path / "other" / "train", 3)
    fill(tmp_path / "other" / "test", 1, ("cat", "bird"))
    with pytest.raises(
        DataError, match=r"bird: a class that .*train does not have; it has cat, dog"
    ):
        find_pictures(tmp_path / "other")
    fill(tmp_path / "sizes", 4)
    draw(tmp_path / "sizes" / "dog" / "x.png", 1, (5, 5))
    with pytest.raises(DataError, match=r"x\.png: 5x5 pixels, the first image has 4x6; data\.size"):
        load_dataset(CONFIG, tmp_path / "sizes")


def test_pixels_are_read_as_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 10)
    whole = load_dataset(CONFIG, tmp_path)
    read: list[Path] = []

    def counted(path: Path, framing: Framing) -> picture_files.Pixels:
        read.append(path)
        return read_picture(path, framing)

    monkeypatch.setattr(picture_files, "_IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(picture_files, "read_picture", counted)
    lazy = load_dataset(CONFIG, tmp_path)
    assert len(read) == 2 and isinstance(lazy.train.images, PictureFiles)  # the first image's size
    assert lazy.shape == whole.shape
    some = lazy.train.images[2:5]
    assert len(read) == 5 and np.array_equal(some, whole.train.images[2:5])
    rows = np.array([7, 0])
    assert np.array_equal(lazy.train.take(rows).images[:], whole.train.images[rows])
    assert np.array_equal(np.asarray(lazy.test.images), whole.test.images)


def test_fingerprint_is_of_names_classes_and_bytes(tmp_path: Path) -> None:
    fill(tmp_path / "a", 3)
    fill(tmp_path / "b", 3)
    before = fingerprint(CONFIG, tmp_path / "a")
    assert before == fingerprint(CONFIG, tmp_path / "b")
    draw(tmp_path / "b" / "dog" / "001.png", 200)
    assert before != fingerprint(CONFIG, tmp_path / "b")
