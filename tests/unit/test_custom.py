"""Arrays and Python objects as datasets, and what is refused of them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from cnnaccel.config import DataConfig
from cnnaccel.errors import ConfigError, DataError
from cnnaccel.nn.custom import part_of
from cnnaccel.nn.data import fingerprint, load_dataset

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 3, 6, 5), np.uint8)
LABELS = np.arange(40) % 4
ARRAYS = DataConfig(name="arrays")


def saved(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_arrays_by_split(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "mine.npz",
        train_images=IMAGES,
        train_labels=LABELS,
        test_x=IMAGES[:8],
        test_y=LABELS[:8],
        classes=np.array(["a", "b", "c", "d"]),
    )
    data = load_dataset(ARRAYS, path)
    assert (len(data.train), len(data.validation), len(data.test)) == (36, 4, 8)
    assert data.classes == ("a", "b", "c", "d") and data.shape == (3, 6, 5)
    assert np.array_equal(data.test.images, IMAGES[:8])
    assert fingerprint(ARRAYS, path) != fingerprint(
        ARRAYS, saved(tmp_path / "b.npz", images=IMAGES)
    )


def test_one_array_is_divided(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.npz", images=IMAGES[:, 0], labels=LABELS)
    data = load_dataset(ARRAYS, path)
    assert (len(data.train), len(data.validation), len(data.test)) == (33, 3, 4)
    assert data.classes == ("class 0", "class 1", "class 2", "class 3")
    assert data.shape == (1, 6, 5)


def test_a_folder_of_npy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES / 255)
    np.save(tmp_path / "labels.npy", LABELS)
    data = load_dataset(ARRAYS, tmp_path)
    whole = np.concatenate([data.train.images, data.validation.images, data.test.images])
    assert sorted(map(bytes, whole)) == sorted(map(bytes, IMAGES))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": IMAGES}, "has pictures; wanted are arrays `train_images`"),
        ({"images": IMAGES, "lables": LABELS}, "no labels, but lables; did you mean 'labels'"),
        ({"test_images": IMAGES, "test_labels": LABELS}, "has test and no train"),
        ({"images": IMAGES.transpose(0, 2, 3, 1), "labels": LABELS}, "channels last"),
        ({"images": IMAGES.astype(int), "labels": LABELS}, r"images are int64\[40, 3, 6, 5\]"),
        ({"images": IMAGES, "labels": LABELS[:3]}, r"labels are int64\[3\] for 40 images"),
        ({"images": IMAGES, "labels": LABELS - 1}, "one whole number from 0"),
        ({"images": IMAGES, "labels": LABELS / 3}, r"labels are float64\[40\]"),
        (
            {"images": IMAGES, "labels": LABELS, "classes": ["a"]},
            "label 3, but there are 1 classes",
        ),
        ({"images": IMAGES[:2], "labels": LABELS[:2]}, "2 images cannot be divided"),
        (
            {"train_x": IMAGES, "train_y": LABELS, "test_x": IMAGES[:, :1], "test_y": LABELS},
            r"test images are \[1, 6, 5\], those of train \[3, 6, 5\]",
        ),
    ],
)
def test_arrays_that_are_refused(arrays: dict[str, object], message: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load_dataset(ARRAYS, path)


def test_files_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_dataset(ARRAYS, tmp_path / "mine.npz")
    (tmp_path / "mine.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DataError, match=r"mine\.npz: damaged, or no \.npz"):
        load_dataset(ARRAYS, tmp_path / "mine.npz")
    np.savez(tmp_path / "objects.npz", images=np.array([{}], object))
    with pytest.raises(DataError, match=r"objects\.npz: damaged, or no \.npz"):
        load_dataset(ARRAYS, tmp_path / "objects.npz")


MODULE = """
    import numpy as np
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    images = np.random.default_rng(0).integers(0, 256, (40, 3, 6, 5), np.uint8)
    labels = np.arange(40) % 4

    def arrays():
        return {"images": images, "labels": labels, "classes": list("abcd")}

    def splits():
        whole = TensorDataset(torch.tensor(images), torch.tensor(labels))
        return {"train": whole, "test": [whole[at] for at in range(6)]}

    loader = DataLoader(TensorDataset(torch.tensor(images) / 255, torch.tensor(labels)), 7)

    class Pictures:
        classes = list("abcd")

        def __len__(self):
            return 40

        def __getitem__(self, at):
            from PIL import Image
            return Image.fromarray(images[at].transpose(1, 2, 0)), int(labels[at])

    def broken():
        raise ValueError("no such\\ncamera")

    class Shapes(Pictures):
        def __getitem__(self, at):
            return images[at, :, : 6 - at], 0

    class Fails(Pictures):
        def __getitem__(self, at):
            return images[0] + 1 // (3 - at), 0

    class Shrinks(Pictures):
        def __getitem__(self, at):
            if at >= 30:
                raise IndexError("gone")
            return images[at], 0

    nothing = []
    number = 7
    alone = [images[0]]
    texts = [("a", "b")]
    mixed = [(images[0], 1), images[1]]
    ragged = [(images[0], [1]), (images[1], [1, 2])]
    extra = {"train": loader, "valid": loader}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a module of a user's, in the working directory."""
    name = f"my_data_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(dedent(MODULE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return name


@pytest.mark.parametrize("attribute", ["arrays", "splits", "loader", "Pictures"])
def test_objects(attribute: str, module: str) -> None:
    config = DataConfig(name=f"{module}:{attribute}")
    data = load_dataset(config, None)
    assert data.shape == (3, 6, 5) and len(data.classes) == 4
    assert set(map(bytes, data.train.images)) < set(map(bytes, IMAGES))
    assert len(data.test) == (6 if attribute == "splits" else 4)
    assert fingerprint(config, None) == fingerprint(config, None)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("broken", "failed with ValueError: no such camera"),
        ("Shapes", r"item 1 is an image \[3, 5, 5\], item 0 has \[3, 6, 5\]"),
        ("Fails", "item 3: reading it failed with ZeroDivisionError"),
        ("Shrinks", "item 30: reading it failed with IndexError: gone"),
        ("nothing", "gives no images"),
        ("number", "failed with TypeError"),
        ("alone", "1 images cannot be divided"),
        ("texts", "item 0 is no pair of an image and a label, and no image"),
        ("mixed", "item 1 has no label, item 0 has one"),
        ("ragged", r"item 1 has a label \[2\], item 0 one of \[1\]"),
        ("extra", "has valid, no split; there are train, validation and test"),
        ("missing", "has no attribute 'missing'"),
    ],
)
def test_objects_that_are_refused(attribute: str, message: str, module: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        load_dataset(DataConfig(name=f"{module}:{attribute}"), None)
    assert "\n" not in str(error.value)


def test_floats_are_rounded_to_pixels() -> None:
    part = part_of(IMAGES / 255, LABELS, "here")
    assert np.array_equal(part.images, IMAGES) and part.images.dtype == np.uint8
    with pytest.raises(DataError, match=r"here: images are float64\[40, 3, 6, 5\]"):
        part_of(IMAGES / 128, LABELS, "here")


def test_names() -> None:
    with pytest.raises(ConfigError, match=r"got 'cifar11'; did you mean 'cifar10'\?"):
        DataConfig(name="cifar11")
    with pytest.raises(DataError, match="there is no module 'no_such_module'"):
        load_dataset(DataConfig(name="no_such_module:data"), None)
