"""Pieces of the page: pictures, tables, charts."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import matplotlib.image
import numpy as np
import pytest

from cnnaccel.report.blocks import bar, picture, png, table
from cnnaccel.report.charts import curves
from cnnaccel.report.findings import Epoch, Training


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 6, 4), (2, 3, 3)])
def test_png(shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, shape, np.uint8)
    read = np.rint(255 * matplotlib.image.imread(BytesIO(png(image)))).astype(np.uint8)
    shown = image.transpose(1, 2, 0) if shape[0] == 3 else image[0]
    assert np.array_equal(read, shown)


def test_right_and_wrong_differ_in_words() -> None:
    image = np.zeros((1, 2, 2), np.uint8)
    right, wrong = (picture(image, 4, name, "coat") for name in ("coat", "shirt"))
    assert (right.mark, right.note, right.text) == ("\u2713", "", "test image 4, taken rightly for")
    assert (wrong.mark, wrong.note, wrong.text) == (
        "\u2717",
        "is coat",
        "test image 4, taken wrongly for",
    )
    assert base64.b64decode(right.address.split(",")[1]) == png(image)


def test_columns_of_numbers_stand_right() -> None:
    found = table("t", ["a", "b", "c", "source"], [["x", "1,000", "no", "y"], ["z", "", "2", "3"]])
    assert [cell.css for cell in found.columns] == ["text", "number", "text", "wide"]
    assert [cell.css for cell in found.rows[0]] == ["text", "number", "text", "wide"]


@pytest.mark.parametrize(("share", "width"), [(0.5, "50.0%"), (-1, "0.0%"), (7.0, "100.0%")])
def test_bars_stay_in_their_cell(share: float, width: str) -> None:
    assert bar("5", share).bars == (width,)


@pytest.mark.parametrize(
    "losses", [(2.0,), (2.0, 2.0), (0.0, 0.0), (9e9, 1e-9), tuple(range(40))], ids=str
)
def test_curves_stay_in_their_frame(losses: tuple[float, ...]) -> None:
    history = tuple(Epoch(n, loss, 0.5, loss, 0.5) for n, loss in enumerate(losses, 1))
    for chart in curves(Training(history, 1, 0.5)):
        numbers = [float(one) for d in re.findall(r' d="([^"]*)"', chart.svg)
                   for one in re.findall(r"[-\d.]+", d)]  # fmt: skip
        assert numbers and all(0 <= one <= 440 for one in numbers)
        assert "nan" not in chart.svg and "inf" not in chart.svg
        assert "epoch 1 taken" in chart.svg
