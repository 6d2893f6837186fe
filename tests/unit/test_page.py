"""Pieces of the page: pictures, tables, charts."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest

from cnnaccel.figures import Figure
from cnnaccel.hardware import HardwareConfig
from cnnaccel.predict.estimate import Estimate, Usage
from cnnaccel.report.blocks import bar, picture, png, table
from cnnaccel.report.canvas import Axis, meets, shortened
from cnnaccel.report.charts import curves, roofline
from cnnaccel.report.findings import Epoch, Training
from cnnaccel.report.precision import loudest
from tests.support.graphs import every_kind
from tests.support.svg import shapes

HALF = Figure("accuracy", 0.5, "share")


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
    for chart in curves(Training(history, 1, HALF)):
        numbers = [float(one) for d in re.findall(r' d="([^"]*)"', chart.svg)
                   for one in re.findall(r"[-\d.]+", d)]  # fmt: skip
        assert numbers and all(0 <= one <= 440 for one in numbers)
        assert "nan" not in chart.svg and "inf" not in chart.svg
        assert "epoch 1 taken" in chart.svg


def letters(svg: str) -> list[tuple[str, tuple[float, float, float, float]]]:
    """The texts of a chart, and about where they stand: 7 pixels a letter, 12 high."""
    found = []
    for css, x, y, words in re.findall(
        r'<text class="([^"]*)" x="([\d.]+)" y="([\d.]+)" transform="rotate\(0\)">([^<]*)<', svg
    ):
        width = 7.0 * len(words)
        left = float(x) - (width if "end" in css else width / 2 if "middle" in css else 0)
        found.append((words, (left, float(y) - 10, left + width, float(y) + 2)))
    return found


@pytest.mark.parametrize("epochs", [1, 2, 3, 20, 100])
@pytest.mark.parametrize("falling", [True, False])
def test_labels_of_curves_cover_no_line(epochs: int, falling: bool) -> None:
    values = [1 / n if falling else n / epochs for n in range(1, epochs + 1)]
    history = tuple(Epoch(n, v, 1 - v / 2, v / 2, v) for n, v in enumerate(values, 1))
    for chosen in {1, epochs // 2 + 1, epochs}:
        for chart in curves(Training(history, chosen, HALF)):
            texts = letters(chart.svg)
            assert f"epoch {chosen} taken" in [words for words, _ in texts]
            lines = shapes(chart.svg, "line") + shapes(chart.svg, "mark")
            assert len(lines) == 3
            for words, place in texts:
                assert place[0] + 2 >= 0 and place[2] <= 382, words
                for line in lines:
                    for begin, end in pairwise(line):
                        assert not meets(place, begin, end), words
            ticks = [words for words, place in texts if place[1] > 208 and words != "epoch"]
            assert all(words.isdigit() for words in ticks)  # no half epochs
            left = [words for words, place in texts if place[2] < 50 and place[1] > 20]
            assert len(set(left)) == len(left) > 1


def test_numbers_of_a_roofline_cover_nothing(rng: np.random.Generator) -> None:
    names = [field for field in Usage.__dataclass_fields__ if field != "layer"]
    layers = []
    for at in range(60):
        known = dict.fromkeys(names, 1)
        known |= {"macs": int(10 ** rng.uniform(3, 7)), "read_bytes": int(10 ** rng.uniform(2, 5))}
        known["compute_cycles"] = max(1, int(known["macs"] / 256 / rng.uniform(0.2, 1)))
        layers.append(Usage(f"layer{at}", **known))
    chart = roofline(Estimate(HardwareConfig(), 1, 10**8, 10**6, 1, 1, 1, tuple(layers)), None)
    (roof,) = shapes(chart.svg, "roof")
    places = [place for words, place in letters(chart.svg) if words.isdigit() and place[1] < 350]
    numbers = [place for place in places if place[0] > 62]
    assert len(numbers) > 20
    for at, place in enumerate(numbers):
        assert not any(meets(place, *line) for line in pairwise(roof))
        for other in numbers[at + 1 :]:
            assert (place[2] <= other[0] or other[2] <= place[0]
                    or place[3] <= other[1] or other[3] <= place[1])  # fmt: skip


@pytest.mark.parametrize(
    ("begin", "end", "met"),
    [
        ((0, 0), (10, 10), True), ((0, 5), (3, 5), False), ((5, 5), (5.5, 5.5), True),
        ((0, 9), (9, 0), True), ((0, 7), (7, 0), False), ((4, 0), (4, 20), True),
        ((7, 0), (7, 20), False), ((5, 20), (5, 7), False),
    ],
)  # fmt: skip
def test_meets(begin: tuple[float, float], end: tuple[float, float], met: bool) -> None:
    assert meets((4, 4, 6, 6), begin, end) == meets((4, 4, 6, 6), end, begin) == met


def test_long_words_keep_both_ends() -> None:
    assert shortened("layer1.0.downsample.0", 12) == "layer\u2026mple.0"
    assert shortened("short", 5) == "short" and len(shortened("0123456789", 9)) == 9


@pytest.mark.parametrize(("high", "decimals"), [(1.0, 0), (0.62, 1), (0.604, 1), (0.60005, 3)])
def test_ticks_can_be_told_apart(high: float, decimals: int) -> None:
    axis = Axis(0.6, high, 0, 100)
    texts = [f"{tick:.{axis.decimals(100)}%}" for tick in axis.ticks()]
    assert axis.decimals(100) == decimals and len(set(texts)) == len(texts)


def test_the_layer_that_adds_the_most_noise() -> None:
    graph = every_kind()
    first, second, *rest = [layer.output.name for layer in graph.layers]
    noise = {graph.input.name: float("inf"), first: 40.0, second: 20.0}
    assert loudest({**noise, **dict.fromkeys(rest, 19.9)}, graph) == second
    assert loudest({}, graph) == ""
    assert loudest(dict.fromkeys([first, second, *rest], float("inf")), graph) == ""
