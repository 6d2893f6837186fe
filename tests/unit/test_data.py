"""Datasets: real FashionMNIST, small IDX files made here, and the two that need no files."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn.data import Dataset, Split, find_data_dir, fingerprint, load_dataset
from cnnaccel.nn.idx import FILES
from cnnaccel.nn.vision import import_torchvision

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES
FASHION = DataConfig(name="fashionmnist", validation=20)


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A sound miniature of FashionMNIST: 100 and 30 images."""
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for (images, labels), count in zip((FILES[:2], FILES[2:]), (100, 30), strict=True):
        (folder / images).write_bytes(idx(rng.integers(0, 256, (count, 28, 28))))
        (folder / labels).write_bytes(idx(np.arange(count) % 10))
    return folder


def keys(split: Split) -> set[bytes]:
    return {image.tobytes() for image in split.images}


def same(a: Dataset, b: Dataset) -> bool:
    return all(
        np.array_equal(getattr(a, split).images, getattr(b, split).images)
        and np.array_equal(getattr(a, split).labels, getattr(b, split).labels)
        for split in ("train", "validation", "test")
    )


def test_fashionmnist(data_dir: Path) -> None:
    data = load_dataset(DataConfig(), data_dir)
    assert data.shape == (1, 28, 28)
    assert (len(data.train), len(data.validation), len(data.test)) == (55000, 5000, 10000)
    assert data.train.images.dtype == np.uint8 and data.train.labels.dtype == np.int64
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    assert data.classes[0] == "T-shirt/top"
    first = (data_dir / "FashionMNIST" / "raw" / TEST_IMAGES).read_bytes()[16 : 16 + 784]
    assert data.test.images[0].tobytes() == first
    everything = np.concatenate([data.train.labels, data.validation.labels])
    assert np.bincount(everything).tolist() == [6000] * 10


def test_idx_files_are_read_and_divided(raw: Path) -> None:
    data = load_dataset(FASHION, raw.parents[1])
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 20, 30)
    assert not keys(data.train) & keys(data.validation)
    whole = {raw.joinpath(TRAIN_IMAGES).read_bytes()[16 + 784 * i :][:784] for i in range(100)}
    assert keys(data.train) | keys(data.validation) == whole
    assert same(data, load_dataset(FASHION, raw.parents[1]))


def test_mnist_is_the_same_format(raw: Path) -> None:
    raw.parent.rename(raw.parents[1] / "MNIST")
    config = replace(FASHION, name="mnist")
    assert len(load_dataset(config, raw.parents[1]).test) == 30


Damage = Callable[[Path], object]
DAMAGES: dict[str, tuple[str, Damage, str]] = {
    "missing": (TEST_LABELS, Path.unlink, "is missing; put the unpacked official files"),
    "truncated": (
        TRAIN_IMAGES,
        lambda p: os.truncate(p, 5000),
        "truncated: 5000 bytes, but its header 100 x 28 x 28 asks for 78416",
    ),
    "too long": (
        TRAIN_LABELS,
        lambda p: p.write_bytes(p.read_bytes() + b"\0"),
        "too long: 109 bytes, but its header 100 asks for 108",
    ),
    "empty": (TRAIN_IMAGES, lambda p: p.write_bytes(b""), "0 bytes, too short"),
    "magic": (
        TEST_IMAGES,
        lambda p: p.write_bytes(b"\0\0\x09\x03" + p.read_bytes()[4:]),
        "starts with 0x00000903, an IDX file of its kind with 0x00000803",
    ),
    "swapped": (
        TRAIN_IMAGES,
        lambda p: p.write_bytes(p.with_name(TRAIN_LABELS).read_bytes()),
        "starts with 0x00000801",
    ),
    "shape": (
        TEST_IMAGES,
        lambda p: p.write_bytes(idx(np.zeros((30, 32, 24)))),
        "images are 32x24, expected 28x28",
    ),
    "count": (
        TEST_LABELS,
        lambda p: p.write_bytes(idx(np.zeros(29))),
        "29 labels for 30 images",
    ),
    "no images": (
        TEST_IMAGES,
        lambda p: p.write_bytes(idx(np.zeros((0, 28, 28)))),
        "holds no images",
    ),
    "label": (
        TRAIN_LABELS,
        lambda p: p.write_bytes(idx(np.full(100, 10))),
        "label 10, but there are 10 classes",
    ),
    "still gz": (
        TRAIN_IMAGES,
        lambda p: p.rename(p.with_name(p.name + ".gz")),
        "still compressed; unpack it: gunzip",
    ),
    "gz under the plain name": (
        TRAIN_IMAGES,
        lambda p: p.write_bytes(b"\x1f\x8b" + bytes(100)),
        "still compressed; unpack it with gunzip",
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_files_are_named(raw: Path, kind: str) -> None:
    file, damage, message = DAMAGES[kind]
    damage(raw / file)
    with pytest.raises(DataError) as caught:
        load_dataset(FASHION, raw.parents[1])
    assert message in str(caught.value)
    assert str(raw / file) in str(caught.value)


def test_unreadable_file(raw: Path) -> None:
    (raw / TRAIN_LABELS).unlink()
    (raw / TRAIN_LABELS).mkdir()
    with pytest.raises(DataError, match=f"{TRAIN_LABELS} is missing"):
        load_dataset(FASHION, raw.parents[1])


def test_validation_must_leave_training_images(raw: Path) -> None:
    with pytest.raises(DataError, match=r"data.validation = 100 leaves nothing .* 100 training"):
        load_dataset(replace(FASHION, validation=100), raw.parents[1])


def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DataConfig(name="cifar10", validation=10)
    with pytest.raises(DataError, match="data_batch_1 is missing"):
        load_dataset(config, tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(2)
    sums = {}
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        batch = {
            "data": rng.integers(0, 256, (20, 3072)).astype(np.uint8),
            "labels": list(range(10)) * 2,
            "label_names": [f"class {i}" for i in range(10)],
        }
        (folder / name).write_bytes(pickle.dumps(batch))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    with pytest.raises(DataError, match=r"torchvision cannot read .* corrupted"):
        load_dataset(config, tmp_path)

    cifar = import_torchvision().datasets.CIFAR10
    for attribute in ("train_list", "test_list"):
        listed = [[name, sums[name]] for name, _ in getattr(cifar, attribute)]
        monkeypatch.setattr(cifar, attribute, listed)
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": sums["batches.meta"]})
    data = load_dataset(config, tmp_path)
    assert data.shape == (3, 32, 32)
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 20)
    stored = pickle.loads((folder / "test_batch").read_bytes())["data"]
    assert np.array_equal(data.test.images.reshape(20, -1), stored)  # planes stay planes


def test_digits() -> None:
    data = load_dataset(DataConfig(name="digits", validation=200), None)
    assert data.shape == (1, 28, 28)
    assert (len(data.train), len(data.validation), len(data.test)) == (1237, 200, 360)
    assert data.train.images.max() == 255 and data.train.images.min() == 0
    image = data.test.images[0, 0]
    assert not image[:2].any() and not image[-2:].any()
    cells = image[2:26, 2:26].reshape(8, 3, 8, 3)
    assert (cells == cells[:, :1, :, :1]).all()
    assert len(keys(data.train) | keys(data.validation) | keys(data.test)) == 1797


def test_synthetic_is_learnable_and_new_in_each_split() -> None:
    config = DataConfig(name="synthetic", shape=(2, 9, 12), classes=7, images=500, validation=50)
    data = load_dataset(config, None)
    assert data.shape == (2, 9, 12) and len(data.classes) == 7
    assert (len(data.train), len(data.validation), len(data.test)) == (450, 50, 100)
    assert not keys(data.train) & keys(data.test)
    assert same(data, load_dataset(config, None))
    centres = np.stack([data.train.images[data.train.labels == c].mean(0) for c in range(7)])
    distances = ((data.test.images[:, None] - centres) ** 2).sum((2, 3, 4))
    assert (distances.argmin(1) == data.test.labels).mean() > 0.95


def test_fingerprint_follows_the_files(raw: Path) -> None:
    before = fingerprint(FASHION, raw.parents[1])
    assert before == fingerprint(FASHION, raw.parents[1])
    content = bytearray((raw / TEST_IMAGES).read_bytes())
    content[-1] ^= 1
    (raw / TEST_IMAGES).write_bytes(content)
    assert fingerprint(FASHION, raw.parents[1]) != before
    digits, synthetic = (
        fingerprint(data, None)
        for data in (DataConfig(name="digits"), DataConfig(name="synthetic"))
    )
    assert digits != synthetic
    with pytest.raises(DataError, match="--data-dir"):
        fingerprint(FASHION, None)


def test_folder_is_found_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option, own, variable = tmp_path / "option", tmp_path / "own", tmp_path / "variable"
    monkeypatch.setenv("CNNACCEL_DATA", str(variable))
    config = replace(FASHION, dir=str(own))
    for folder in (variable, own, option):  # each goes before those that came already
        (folder / "FashionMNIST" / "raw").mkdir(parents=True)
        (folder / "FashionMNIST" / "raw" / FILES[0]).touch()
        assert find_data_dir(config, option) == folder
    assert find_data_dir(config, None) == own
    assert find_data_dir(FASHION, None) == variable
    assert find_data_dir(DataConfig(name="digits"), option) is None
    monkeypatch.delenv("CNNACCEL_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    cache = tmp_path / ".cache" / "cnnaccel" / "data"
    (cache / "FashionMNIST" / "raw").mkdir(parents=True)
    for file in FILES:
        (cache / "FashionMNIST" / "raw" / file).touch()
    assert find_data_dir(FASHION, None) == cache


@pytest.mark.parametrize("name", ["fashionmnist", "mnist", "cifar10"])
def test_download_without_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CNNACCEL_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.setenv(variable, "" if variable == "no_proxy" else "http://127.0.0.1:9")
    # it gives up at once: no waiting between attempts
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waited for {seconds} s"))
    with pytest.raises(DataError) as caught:
        find_data_dir(DataConfig(name=name), None)
    message = str(caught.value)
    wanted = FILES if name != "cifar10" else ("data_batch_1", "test_batch")
    assert all(file in message for file in wanted)
    assert str(tmp_path / ".cache" / "cnnaccel" / "data") in message
    assert "configs/lenet_digits.yaml" in message and "--data-dir" in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir()), "left an empty folder behind"


def test_fingerprint_needs_no_torch(raw: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from cnnaccel.config import DataConfig;"
        "from cnnaccel.nn.data import fingerprint;"
        f"fingerprint(DataConfig(), Path({str(raw.parents[1])!r}));"
        "assert not {'torch', 'torchvision', 'sklearn'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root, timeout=60)


def test_a_sample_has_every_class() -> None:
    """Of images sorted by class, as a folder has them; a larger sample begins with the smaller."""
    labels = np.repeat(np.arange(10), 30)
    split = Split(np.zeros((300, 1, 2, 2), np.uint8), labels)
    for count in (1, 10, 25, 299):
        rows = split.sample(count)
        assert len(set(rows.tolist())) == len(rows) == count
        per_class = np.bincount(labels[rows], minlength=10)
        assert per_class.max() - per_class.min() <= 1
        assert rows.tolist() == split.sample(299)[:count].tolist()
    assert split.sample(299).tolist() != sorted(split.sample(299).tolist())
    for whole in (None, 300, 1000):
        assert split.sample(whole).tolist() == list(range(300))
