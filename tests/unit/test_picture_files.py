"""A folder of image files as a dataset: splits, classes, and folders that are refused."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn import picture_files
from cnnaccel.nn.data import fingerprint, load_dataset
from cnnaccel.nn.picture_files import PictureFiles, find_pictures
from cnnaccel.runtime.pictures import Framing, read_picture

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


def test_files_that_are_as_they_were_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that changed are, though size and time say that they did not."""
    monkeypatch.setenv("CNNACCEL_CACHE", str(tmp_path / "cache"))
    photos, read, plain = tmp_path / "photos", list[Path](), Path.read_bytes

    def counted(path: Path) -> bytes:
        read.append(path)
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    fill(photos, 4)
    (folders,) = {len(list(photos.rglob("*.png")))}
    before = fingerprint(CONFIG, photos)
    assert fingerprint(CONFIG, photos) == before and len(read) == 2 * folders, "just written"
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 10**10)
    fingerprint(CONFIG, photos)
    read.clear()
    assert fingerprint(CONFIG, photos) == before and read == []

    picture = photos / "dog" / "001.png"
    times, content = picture.stat(), plain(picture)
    time.sleep(0.05)  # a tick of the file system's clock
    picture.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(picture, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert picture.stat().st_size == times.st_size
    assert fingerprint(CONFIG, photos) != before and read == [picture]
    for damage in (b"", b"[]", b'{"dog/001.png": 3}'):
        for kept in (tmp_path / "cache/digests").iterdir():
            kept.write_bytes(damage)
        picture.write_bytes(content)
        assert fingerprint(CONFIG, photos) == before
    monkeypatch.setenv("CNNACCEL_CACHE", str(picture / "cache"))  # cannot be written
    assert fingerprint(CONFIG, photos) == before
