"""Folders of images with masks, or without any labels: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn import mask_files
from cnnaccel.nn.data import fingerprint, load_dataset
from cnnaccel.report.masks import colours, side_by_side

FOLDER = DataConfig(name="folder", size=(12, 16), crop="squash")


def save(path: Path, values: np.ndarray, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(values)
    if mode == "P":
        picture = Image.fromarray(values, "P")
        picture.putpalette(list(range(255, -1, -1)) * 3)
    (picture.convert(mode) if mode == "1" else picture).save(path)
    return path


@pytest.fixture
def pairs(tmp_path: Path, rng: np.random.Generator) -> Path:
    """`images` and `masks` of 12 rows and 16 columns, whose red is 50 times the class."""
    for split, count in (("train", 8), ("val", 3), ("test", 4)):
        for number in range(count):
            classes = rng.integers(0, 4, (6, 8)).astype(np.uint8).repeat(2, 0).repeat(2, 1)
            image = np.stack([50 * classes, classes, classes], axis=2)
            save(tmp_path / split / "images" / f"{number}.png", image)
            save(tmp_path / split / "masks" / f"{number}.png", classes, "P" if number % 2 else None)
    return tmp_path


def test_masks_stay_on_their_images(pairs: Path) -> None:
    data = load_dataset(FOLDER, pairs, "mask")
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 3, 4)
    for split in (data.train, data.validation, data.test.take(np.array([3, 1]))):
        assert split.targets is not None and split.targets.dtype == np.uint8
        assert np.array_equal(split.images[:, 0] // 50, split.targets)
    before = fingerprint(FOLDER, pairs, "mask")
    save(pairs / "train/masks/0.png", np.zeros((12, 16), np.uint8))
    assert fingerprint(FOLDER, pairs, "mask") != before


@pytest.mark.parametrize("crop", ["squash", "center"])
def test_masks_are_not_smoothed(crop: str, pairs: Path) -> None:
    half = DataConfig(name="folder", size=(6, 8), crop=crop)  # type: ignore[arg-type]
    small, whole = (load_dataset(one, pairs, "mask").train.targets for one in (half, FOLDER))
    assert small is not None and whole is not None
    assert np.array_equal(small, whole[:, ::2, ::2])


def test_masks_larger_than_memory(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_dataset(FOLDER, pairs, "mask").train
    monkeypatch.setattr(mask_files, "_IN_MEMORY_BYTES", 10)
    lazy = load_dataset(FOLDER, pairs, "mask").train
    assert isinstance(lazy.targets, mask_files.MaskFiles) and whole.targets is not None
    rows = np.array([5, 0, 5])
    assert np.array_equal(lazy.take(rows).targets, whole.targets[rows])
    assert np.array_equal(lazy.targets[2:4], whole.targets[2:4])


def test_what_lies_outside_is_judged_by_nobody(pairs: Path) -> None:
    padded = DataConfig(name="folder", size=(16, 16), crop="pad")
    masks = load_dataset(padded, pairs, "mask").train.targets
    assert masks is not None and (masks[:, 1] == 255).all() and (masks[:, 2] < 4).all()


def test_turned_pictures_and_their_masks(pairs: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: rows and columns are exchanged when it is shown
    path = pairs / "train/images/0.png"
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    train = load_dataset(FOLDER, pairs, "mask").train
    assert train.targets is not None
    assert np.array_equal(train.images[0, 0] // 50, train.targets[0])


def test_masks_without_splits_are_divided(pairs: Path) -> None:
    data = load_dataset(FOLDER, pairs / "train", "mask")
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 1, 1)


@pytest.mark.parametrize("layout", ["", "train", "images", "train/images"])
def test_images_without_labels(layout: str, pairs: Path, tmp_path: Path) -> None:
    place = tmp_path / "alone"
    for number in range(10):
        save(place / layout / f"{number}.png", np.full((6, 8), number, np.uint8))
    for kind in ("class", "mask", "any"):
        data = load_dataset(FOLDER, place, kind)
        assert data.train.targets is None and data.test.targets is None and not data.classes
        assert (len(data.train), len(data.validation), len(data.test)) == (8, 1, 1)
    with pytest.raises(DataError, match="these images have no labels"):
        len(data.train.labels)


def test_tests_without_labels_beside_sorted_images(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / "train" / "ab"[number % 2] / f"{number}.png", np.zeros((6, 8), np.uint8))
        save(tmp_path / "test" / f"{number}.png", np.zeros((6, 8), np.uint8))
    data = load_dataset(FOLDER, tmp_path)
    assert data.classes == ("a", "b") and data.test.targets is None and len(data.test) == 6


GREY = np.zeros((12, 16), np.uint8)


@pytest.mark.parametrize(
    ("path", "values", "message"),
    [
        ("train/masks/3.png", GREY[:6], r"3.png: 6x16 pixels, its image .*3.png has 12x16"),
        ("train/masks/3.png", np.zeros((12, 16, 3), np.uint8), r"a mask in colours \(RGB\)"),
        ("train/masks/3.png", np.zeros((12, 16), np.uint16), "more than 8 bits"),
        ("train/images/9.png", GREY, "9.png: there is no mask of this name in .*masks"),
        ("train/masks/9.png", GREY, "9.png: there is no image of this name in .*images"),
        ("train/masks/3.bmp", GREY, "3.png: has the name of .*3.bmp; keep one of them"),
    ],
)
def test_pairs_that_are_refused(path: str, values: np.ndarray, message: str, pairs: Path) -> None:
    save(pairs / path, values)
    with pytest.raises(DataError, match=message) as error:
        load_dataset(FOLDER, pairs, "mask")
    assert "\n" not in str(error.value)


def test_other_faults(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="images and masks, as for task: segment; write it"):
        load_dataset(FOLDER, pairs)
    for path in (pairs / "train/masks").iterdir():
        save(path, np.full((12, 16), 255, np.uint8))
    with pytest.raises(DataError, match="255 marks what nobody judges; save them with the numb"):
        load_dataset(FOLDER, pairs, "mask")
    (tmp_path / "empty/train").mkdir(parents=True)
    with pytest.raises(DataError, match="empty/train: no images; wanted are a folder for each"):
        load_dataset(FOLDER, tmp_path / "empty")
    save(tmp_path / "two/1.png", GREY)
    save(tmp_path / "two/2.png", GREY)
    with pytest.raises(DataError, match="two: 2 images cannot be divided"):
        load_dataset(FOLDER, tmp_path / "two")


def test_pictures_side_by_side() -> None:
    images = np.full((2, 1, 4, 6), 9, np.uint8)
    wanted = np.zeros((2, 4, 6), np.int64)
    wanted[0, 0, 0], wanted[1, 0, 0] = 2, 255
    shown = side_by_side(images, wanted, wanted[:, ::2, ::2])
    assert shown.shape == (2, 3, 4, 3 * 6 + 4) and (shown[:, :, :, :6] == 9).all()
    palette = colours(3)
    assert (shown[0, :, 0, 8] == palette[2]).all() and (shown[1, :, 0, 8] == 128).all()
    assert (palette[2] == shown[0, :, :2, 16:18].reshape(3, -1).T).all()
    assert len({tuple(colour) for colour in colours(40)[:40]}) == 40
