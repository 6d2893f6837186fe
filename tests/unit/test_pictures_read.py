"""Pictures as files and as arrays, to the pixels of a network: one code for host and board."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnnaccel.errors import DataError, ProgramError
from cnnaccel.runtime import pictures
from cnnaccel.runtime.images import as_images, read_named
from cnnaccel.runtime.pictures import (
    CROPS,
    Framing,
    Preprocessing,
    framing_for,
    read_picture,
    read_preprocessing,
)
from tests.support.pictures import REFUSED, broken, readable

RGB = Framing(None, "center", "rgb")
GREY = Preprocessing(Framing((28, 28), "center", "grey"))
SHAPE = (1, 28, 28)


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_every_kind_as_pillow_has_it(crop: str, colour: str, tmp_path: Path) -> None:
    """Pixels are those of Pillow's own calls, from a file and from an array alike."""
    made = {
        "center": lambda one: ImageOps.fit(one, (28, 20), Image.Resampling.BILINEAR),
        "squash": lambda one: one.resize((28, 20), Image.Resampling.BILINEAR),
        "pad": lambda one: ImageOps.pad(one, (28, 20), Image.Resampling.BILINEAR),
    }[crop]
    framing = Framing((20, 28), crop, colour)
    for path in readable(tmp_path):
        with Image.open(path) as picture:
            turned = ImageOps.exif_transpose(picture)
            plain = turned.convert("RGB")
            expected = np.asarray(made(turned.convert("RGB" if colour == "rgb" else "L")))
        got = read_picture(path, framing)
        assert np.array_equal(got, np.atleast_3d(expected).transpose(2, 0, 1)), path.name
        if "grey" not in path.name and "bits" not in path.name:
            assert np.array_equal(framing.frame(np.asarray(plain)), got), path.name


def test_framing(tmp_path: Path) -> None:
    """The middle of a picture twice as wide as high."""
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    center, squash, pad = (
        read_picture(tmp_path / "wide.png", Framing((4, 4), crop, "grey"))[0] for crop in CROPS
    )
    assert np.array_equal(center, np.full((4, 4), 200))
    assert squash[:, 0].max() < 120 and squash[:, 1:3].min() > 120
    assert not pad[0].any() and not pad[3].any() and pad[1:3, 1:3].min() > 100


def test_colours_and_rotation(tmp_path: Path) -> None:
    def shape(name: str, framing: Framing) -> tuple[int, ...]:
        return read_picture(tmp_path / name, framing).shape

    readable(tmp_path)
    assert shape("colour.png", RGB) == (3, 37, 50)
    assert shape("colour.png", replace(RGB, colour="grey")) == (1, 37, 50)
    assert shape("turned.jpg", RGB) == (3, 50, 37)
    planes = read_picture(tmp_path / "grey.png", RGB)
    assert (planes == planes[0]).all()
    opaque, colour = (read_picture(tmp_path / f"{name}.png", RGB) for name in ("opaque", "colour"))
    assert np.array_equal(opaque, colour)


def test_arrays() -> None:
    """Of the right size they need no Pillow; grey is Pillow's integer formula."""
    pixels = np.random.default_rng(2).integers(0, 256, (28, 28, 4), np.uint8)
    pixels[..., 3] = 255
    red, green, blue = pixels[..., :3].astype(np.uint32).transpose(2, 0, 1)
    luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    assert np.array_equal(GREY.framing.frame(pixels)[0], luma)
    plain = Framing((28, 28), "center", "rgb").frame(pixels)
    assert np.array_equal(plain, pixels[..., :3].transpose(2, 0, 1))
    pixels[0, 0, 3] = 254
    for wrong, words in (
        (pixels, "transparent in places"),
        (pixels.astype(np.float32), r"a picture is uint8 .*got float32\[28, 28, 4\]"),
        (pixels[..., :2], r"got uint8\[28, 28, 2\]"),
        (pixels[:0], r"got uint8\[0, 28, 4\]"),
    ):
        with pytest.raises(DataError, match=words):
            GREY.framing.frame(wrong)


@pytest.mark.parametrize("kind", REFUSED)
def test_files_that_are_refused(kind: str, tmp_path: Path) -> None:
    """One sentence, by the host's reader and by what a board calls."""
    path = broken(kind, tmp_path)
    for read in (
        lambda: read_picture(path, RGB),
        lambda: read_named([path], SHAPE, GREY),
        lambda: as_images(str(path), SHAPE, GREY),
    ):
        with pytest.raises(DataError, match=REFUSED[kind]) as error:
            read()
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_what_a_run_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of files and folders, arrays of pictures of any size, and batches as before."""
    files = readable(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    expected = np.stack([read_picture(path, GREY.framing) for path in files])
    np.save("batch.npy", expected)
    for given in ("photos", Path("photos"), files, [str(one) for one in files], "batch.npy"):
        assert np.array_equal(as_images(given, SHAPE, GREY), expected)
    labels, both = read_named(["photos/grey.png", "batch.npy"], SHAPE, GREY)
    assert labels[:2] == ["photos/grey.png", "batch.npy 0"] and len(both) == 1 + len(files)
    camera = np.random.default_rng(3).integers(0, 256, (2, 48, 64, 3), np.uint8)
    framed = np.stack([GREY.framing.frame(one) for one in camera])
    assert np.array_equal(as_images(list(camera), SHAPE, GREY), framed)
    assert np.array_equal(as_images(camera[0], SHAPE, GREY), framed[:1])
    assert np.array_equal(as_images(expected[0, 0], SHAPE, GREY), expected[:1])
    assert np.array_equal(as_images(expected, SHAPE, GREY), expected)
    (tmp_path / "nothing").mkdir()
    for name, words in (
        ("nothing", "nothing: no picture in this folder; one ends in .bmp, "),
        ("photos/grey.png", "photos/grey.png: this network's network.json has no `preproc"),
    ):
        with pytest.raises(DataError, match=words):
            read_named([name], SHAPE, GREY if name == "nothing" else None)
    with pytest.raises(ProgramError, match="the program takes uint8 images of"):
        as_images(np.zeros((2, 5, 5), np.uint8), SHAPE, GREY)


def test_record_of_a_network() -> None:
    record = Preprocessing(Framing((28, 28), "pad", "grey"), (0.5,), (0.25,))
    assert read_preprocessing(record.recorded(), SHAPE) == record
    assert read_preprocessing(None, SHAPE) is None
    assert framing_for((4, 8, 8)) is None
    assert framing_for((3, 8, 9)) == Framing((8, 9), "center", "rgb")
    refused: list[Any] = [
        {**record.recorded(), "size": [28, 27]},
        {**record.recorded(), "crop": "zoom"},
        {**record.recorded(), "colour": "rgb"},
        {"size": [28, 28]},
        [],
    ]
    for wrong in refused:
        with pytest.raises((KeyError, TypeError, ValueError)):
            read_preprocessing(wrong, SHAPE)


def test_without_pillow(tmp_path: Path) -> None:
    """All but pictures works, and of pictures one sentence says what is missing."""
    files = readable(tmp_path)
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from cnnaccel.runtime import pictures\n"
        "framing = pictures.Framing((28, 28), 'center', 'rgb')\n"
        "print(framing.frame(np.zeros((28, 28, 3), np.uint8)).shape)\n"
        "try:\n    pictures.read_picture(Path(sys.argv[1]), framing)\n"
        "except pictures.DataError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, files[0]], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "(3, 28, 28)",
        f"{files[0]}: pictures need the package pillow, which is not installed: pip install pillow",
    ]


def test_a_side_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow before 10 refuses to make a picture of no rows."""

    def refuse(*_: Any) -> None:
        raise ValueError("height and width must be > 0")

    monkeypatch.setattr(ImageOps, "pad", refuse)
    with pytest.raises(DataError, match="1x300 pixels are too thin to be brought to 28x28"):
        Framing((28, 28), "pad", "grey").frame(np.zeros((1, 300), np.uint8))
    assert pictures.is_picture(Path("a.JPEG")) and not pictures.is_picture(Path(".a.jpeg"))
