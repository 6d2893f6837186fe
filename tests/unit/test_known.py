"""Known datasets in the true formats of their files: small ones made here, read and compared."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnaccel.config import DataConfig
from cnnaccel.errors import DataError
from cnnaccel.nn import known
from cnnaccel.nn.data import fingerprint, is_at_hand, load_dataset
from cnnaccel.nn.vision import import_torchvision

CLASSES = known._CIFAR_CLASSES
RNG = np.random.default_rng(4)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape).astype(np.uint8)


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.mark.parametrize(
    ("name", "files", "classes"),
    [
        ("kmnist", "{}-{}-idx{}-ubyte", 10),
        ("emnist", "emnist-balanced-{}-{}-idx{}-ubyte", 47),
    ],
)
def test_idx_files(name: str, files: str, classes: int, tmp_path: Path) -> None:
    folder = tmp_path / known.FILES[name][0]
    folder.mkdir(parents=True)
    held = {}
    for half, count in (("train", 94), ("test", 47)):
        images, labels = pixels(count, 28, 28), np.arange(count) % classes
        prefix = half if name == "emnist" else {"train": "train", "test": "t10k"}[half]
        write_idx(folder / files.format(prefix, "images", 3), images)
        write_idx(folder / files.format(prefix, "labels", 1), labels)
        held[half] = images, labels
    data = load_dataset(DataConfig(name=name, validation=4), tmp_path)
    assert data.shape == (1, 28, 28) and len(data.classes) == classes
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 4, 47)
    images, labels = held["test"]
    upright = images.swapaxes(1, 2) if name == "emnist" else images  # published lying down
    assert np.array_equal(data.test.images[:, 0], upright)
    assert np.array_equal(data.test.labels, labels)
    labels_file = folder / files.format("test" if name == "emnist" else "t10k", "labels", 1)
    write_idx(labels_file, np.full(47, classes))
    with pytest.raises(DataError, match=f"label {classes}, but there are {classes} classes"):
        fingerprint(DataConfig(name=name), tmp_path)


def test_cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    fine = [f"thing {n}" for n in range(100)]
    contents: dict[str, Any] = {"meta": {"fine_label_names": fine, "coarse_label_names": fine[:20]}}
    for half, count in (("train", 200), ("test", 100)):
        labels = [n % 100 for n in range(count)]
        contents[half] = {
            "data": pixels(count, 3072),
            "fine_labels": labels,
            "coarse_labels": [n % 20 for n in labels],
            "filenames": [f"{n}.png" for n in range(count)],
            "batch_label": half,
        }
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
    cifar = import_torchvision().datasets.CIFAR100
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in contents}
    monkeypatch.setattr(cifar, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(cifar, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": sums["meta"]})
    data = load_dataset(DataConfig(name="cifar100", validation=10), tmp_path)
    assert data.classes == tuple(fine) and data.shape == (3, 32, 32)
    assert (len(data.train), len(data.validation), len(data.test)) == (190, 10, 100)
    assert np.array_equal(data.test.images.reshape(100, -1), contents["test"]["data"])
    assert data.test.labels.tolist() == list(range(100))


def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scipy = pytest.importorskip("scipy.io", reason="svhn is read by scipy")
    folder = tmp_path / "SVHN"
    folder.mkdir()
    svhn, held = import_torchvision().datasets.SVHN, {}
    for half, count in (("train", 30), ("test", 20)):
        images = pixels(32, 32, 3, count)  # rows, columns, channels, images
        labels = 1 + np.arange(count, dtype=np.uint8)[:, None] % 10  # 10 stands for the digit 0
        path = folder / f"{half}_32x32.mat"
        scipy.savemat(path, {"X": images, "y": labels})
        held[half] = images
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        monkeypatch.setitem(svhn.split_list, half, ["", path.name, md5])
    data = load_dataset(DataConfig(name="svhn", validation=5), tmp_path)
    assert data.shape == (3, 32, 32) and data.classes == tuple("0123456789")
    assert (len(data.train), len(data.validation), len(data.test)) == (25, 5, 20)
    assert np.array_equal(data.test.images, held["test"].transpose(3, 2, 0, 1))
    assert data.test.labels.tolist() == [*range(1, 10), 0, *range(1, 10), 0]


# ---- CIFAR-10 as pictures ------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The folder `unpacked`, and beside it `packed` with the archive of the same pictures."""
    for half, count in (("train", 4), ("test", 2)):
        for name in CLASSES:
            folder = tmp_path / "unpacked" / half / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(pixels(32, 32, 3)).save(folder / f"{number:04}.jpg", quality=75)
    packed = tmp_path / "packed"
    packed.mkdir()
    with tarfile.open(packed / "cifar10-jpeg.tar.xz", "w:xz") as archive:
        for half in ("test", "train"):
            archive.add(tmp_path / "unpacked" / half, half)
    return tmp_path


CIFAR = DataConfig(name="cifar10", validation=10)


def test_pictures_packed_or_not(pictures: Path) -> None:
    folder, archive = (load_dataset(CIFAR, pictures / name) for name in ("unpacked", "packed"))
    assert folder.classes == archive.classes == CLASSES
    assert (len(folder.train), len(folder.validation), len(folder.test)) == (30, 10, 20)
    for split in ("train", "validation", "test"):
        one, other = getattr(folder, split), getattr(archive, split)
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.labels, other.labels)
    first = Image.open(pictures / "unpacked/test/airplane/0000.jpg")
    assert np.array_equal(folder.test.images[0].transpose(1, 2, 0), np.asarray(first))
    assert fingerprint(CIFAR, pictures / "unpacked") != fingerprint(CIFAR, pictures / "packed")


def test_what_is_found_first(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Official files, then pictures, then the archive, each also in a subfolder `cifar10`."""
    place, unpacked, packed = (pictures / name for name in ("all", "unpacked", "packed"))
    place.mkdir()
    monkeypatch.setenv("CNNACCEL_DATA", str(place))
    assert known.source_in("cifar10", place) is None
    found = []
    for kind, source, target in (
        ("archive", packed, place / "cifar10"),
        ("pictures", unpacked, place / "cifar10x"),
        ("files", pictures / "batches", place / "cifar-10-batches-py"),
    ):
        if kind == "files":
            source.mkdir()
            (source / "data_batch_1").touch()
        source.rename(target)
        if kind == "pictures":  # beside the archive
            for half in ("train", "test"):
                (target / half).rename(place / "cifar10" / half)
        source_found = known.source_in("cifar10", place)
        assert source_found is not None and is_at_hand(CIFAR, None)
        found.append(source_found.kind)
    assert found == ["archive", "pictures", "files"]
    with pytest.raises(DataError, match=r"data_batch_2 is missing; .*cifar10-jpeg\.tar\.xz"):
        load_dataset(CIFAR, place)


def test_pictures_of_something_else(pictures: Path) -> None:
    folder = pictures / "unpacked"
    (folder / "test" / "truck").rename(folder / "test" / "lorry")
    assert known.source_in("cifar10", folder) is None
    (folder / "test" / "lorry").rename(folder / "test" / "truck")
    for path in folder.rglob("*.jpg"):
        Image.fromarray(pixels(28, 28, 3)).save(path)
    with pytest.raises(DataError, match=r"pictures of 28x28, those of cifar10 are 32x32"):
        load_dataset(CIFAR, folder)


def test_archives_that_are_refused(pictures: Path) -> None:
    path = pictures / "packed" / "cifar10-jpeg.tar.xz"
    whole = path.read_bytes()
    for content, words in (
        (whole[: len(whole) // 2], "truncated or damaged"),
        (b"", "truncated or damaged"),
        (archive_of({"train/cat/1.jpg": b"no picture"}), "no pictures in train/airplane"),
        (
            archive_of({f"{h}/{c}/1.jpg": b"" for h in ("train", "test") for c in CLASSES}),
            r"tar\.xz/train/airplane/1\.jpg: empty",
        ),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words) as caught:
            load_dataset(CIFAR, path.parent)
        assert str(path) in str(caught.value)


def archive_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
