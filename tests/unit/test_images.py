"""Images as people have them: taken where they can mean one thing alone, else what is wanted."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnaccel.errors import ProgramError
from cnnaccel.runtime.images import as_batch, read_images

GREY, COLOUR = (1, 4, 6), (3, 4, 6)
WANTED = r"the program takes uint8 images of \[3, 4, 6\], an array \[N, 3, 4, 6\] or one image"


def pixels(*shape: int) -> Any:
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("shape", "given", "batch"),
    [
        (COLOUR, (2, 3, 4, 6), (2, 3, 4, 6)),
        (COLOUR, (0, 3, 4, 6), (0, 3, 4, 6)),
        (COLOUR, (3, 4, 6), (1, 3, 4, 6)),
        (GREY, (5, 1, 4, 6), (5, 1, 4, 6)),
        (GREY, (1, 4, 6), (1, 1, 4, 6)),
        (GREY, (5, 4, 6), (5, 1, 4, 6)),
        (GREY, (4, 6), (1, 1, 4, 6)),
    ],
)
def test_what_is_taken(shape: Any, given: tuple[int, ...], batch: tuple[int, ...]) -> None:
    """The same in lists, but for none at all, which have no shape."""
    images = pixels(*given)
    for same in (images, images.tolist(), list(images)) if images.size else (images,):
        got = as_batch(same, shape)
        assert got.shape == batch and got.dtype == np.uint8
        assert np.array_equal(got.reshape(given), images)


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (pixels(2, 3, 4, 5), r"got uint8\[2, 3, 4, 5\]"),
        (pixels(4, 6), r"got uint8\[4, 6\]"),
        (pixels(2, 4, 6), r"got uint8\[2, 4, 6\]"),
        (pixels(2, 1, 4, 6), r"got uint8\[2, 1, 4, 6\]"),
        (pixels(2, 1, 3, 4, 6), r"got uint8\[2, 1, 3, 4, 6\]"),
        (pixels(72), r"got uint8\[72\]"),
        (np.uint8(3), "got uint8"),
        (pixels(2, 4, 6, 3), r"channels come first: images.transpose\(0, 3, 1, 2\)"),
        (pixels(4, 6, 3), r"channels come first: images.transpose\(2, 0, 1\)"),
        (np.zeros((2, 3, 4, 6), np.float32), r"got float32.*np.round\(255 \* images\)"),
        (np.zeros((2, 3, 4, 6), np.int8), "got int8"),
        (np.zeros((2, 3, 4, 6), bool), "got bool"),
        (np.full((3, 4, 6), None), "got object"),
        ([[1, 2], [3]], "a list of something else than numbers 0 to 255"),
        ([], "a list of something else"),
        ([[256]], "a list of something else"),
        ([[-1]], "a list of something else"),
        ([["a"]], "a list of something else"),
        ("images.npy", "got str"),
        (None, "got NoneType"),
    ],
)
def test_what_is_refused(images: Any, got: str) -> None:
    with pytest.raises(ProgramError, match=f"{WANTED}.*{got}"):
        as_batch(images, COLOUR)


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = pixels(2, *COLOUR)
    np.save("images.npy", images)
    np.savez("only.npz", whatever=images)
    np.savez_compressed("two.npz", images=images, labels=np.arange(2))
    np.save("odd:name.npy", images[0])
    for name in ("images.npy", "only.npz", "only.npz:whatever", "two.npz:images"):
        assert np.array_equal(read_images(name, COLOUR), images)
    assert np.array_equal(read_images("odd:name.npy", COLOUR), images[:1])


def files(folder: Path) -> None:
    images = pixels(2, *COLOUR)
    np.save(folder / "good.npy", images)
    np.savez(folder / "two.npz", images=images, labels=np.arange(2))
    np.savez(folder / "none.npz")
    np.save(folder / "objects.npy", np.array([images, None], object))
    np.savez(folder / "objects.npz", images=np.array([images, None], object))
    np.save(folder / "no.npy", images[:0])
    (folder / "empty.npy").touch()
    (folder / "text.npy").write_text("1 2 3")
    (folder / "pickle.npy").write_bytes(b"\x80\x04K\x01.")
    whole = (folder / "good.npy").read_bytes()
    (folder / "short.npy").write_bytes(whole[:-9])
    (folder / "huge.npy").write_bytes(whole.replace(b"(2, 3", b"(2" + b"0" * 17 + b", 3"))
    archive = (folder / "two.npz").read_bytes()
    (folder / "short.npz").write_bytes(archive[: len(archive) // 2])
    middle = archive.index(images.tobytes())
    (folder / "bits.npz").write_bytes(archive[:middle] + b"!" + archive[middle + 1 :])
    with zipfile.ZipFile(folder / "letter.npz", "w") as file:
        file.writestr("letter.txt", "dear reader")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.npy", "absent.npy: No such file or directory"),
        ("absent.npz:images", "absent.npz:images: No such file or directory"),
        (".", r"\.: Is a directory"),
        ("two.npz", r"2 arrays in it, images, labels; choose one as two.npz:images"),
        ("two.npz:other", "no array 'other' in it; it has images, labels"),
        ("two.npz:labels", r"got int64\[2\]"),
        ("none.npz", "0 arrays in it, none"),
        ("good.npy:images", "one array without a name; leave :images out"),
        ("objects.npy", "damaged, or holds Python objects instead of numbers"),
        ("objects.npz", "damaged, or holds Python objects instead of numbers"),
        ("no.npy", "no image in it"),
        ("empty.npy", "it is empty"),
        ("text.npy", r"it is no \.npy or \.npz"),
        ("pickle.npy", r"it is no \.npy or \.npz"),
        ("short.npy", "damaged"),
        ("huge.npy", "damaged"),
        ("short.npz", "damaged"),
        ("bits.npz:images", "damaged"),
        ("letter.npz", "got bytes"),
    ],
)
def test_files_that_hold_no_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    """One sentence, with the file and what the network wants or what there is to choose from."""
    monkeypatch.chdir(tmp_path)
    files(tmp_path)
    with pytest.raises(ProgramError, match=words) as caught:
        read_images(name, COLOUR)
    said = str(caught.value)
    assert said.startswith(name.partition(":")[0]) and "\n" not in said
    assert "[3, 4, 6]" in said or "in it" in said or "leave" in said
