"""The confusion matrix: every count where it can be read, and no file too large where it cannot."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cnnaccel.report.confusion import classes_table, matrix, worst_table
from cnnaccel.report.findings import Evaluation


def evaluation(counts: np.ndarray, names: tuple[str, ...] | None = None) -> Evaluation:
    names = names or tuple(f"class {at}" for at in range(len(counts)))
    right = counts.diagonal().sum() / max(1, counts.sum())
    return Evaluation(right, int(counts.sum()), names, tuple(map(tuple, counts.tolist())))


def counts(classes: int, images: int, rng: np.random.Generator) -> np.ndarray:
    found = np.zeros((classes, classes), int)
    labels = rng.integers(0, classes, images)
    guesses = np.where(rng.random(images) < 0.8, labels, rng.integers(0, classes, images))
    np.add.at(found, (labels, guesses), 1)
    return found


@pytest.mark.parametrize("classes", [1, 2, 10, 20])
def test_every_count_is_there(classes: int, rng: np.random.Generator) -> None:
    found = counts(classes, 300, rng)
    svg = matrix(evaluation(found)).svg
    words = re.findall(r'<text class="middle (?:count|tick)"[^>]*>(\d+)</text>', svg)
    assert [int(one) for one in words] == found.reshape(-1).tolist()
    assert len(re.findall(r'<path class="cell', svg)) == classes**2
    assert "<title>class 0, taken for class 0: " in svg


def test_shades_are_of_the_row_and_of_the_worst() -> None:
    found = np.array([[90, 10, 0], [0, 200, 0], [5, 0, 95]])
    css = re.findall(r'<path class="(cell[^"]*)"', matrix(evaluation(found)).svg)
    assert css[:3] == ["cell right heat7", "cell wrong heat8", "cell"]
    assert css[3:6] == ["cell", "cell right heat8", "cell"]
    assert css[6:] == ["cell wrong heat4", "cell", "cell right heat8"]


@pytest.mark.parametrize(("classes", "cells"), [(21, 21), (100, 100), (101, 51), (1000, 100)])
def test_many_classes_are_cells(classes: int, cells: int, rng: np.random.Generator) -> None:
    found = counts(classes, 5000, rng)
    chart = matrix(evaluation(found))
    assert len(chart.svg) < 300_000
    group = -(-classes // cells)
    starts = range(0, classes, group)
    some = sum(bool(found[a : a + group, b : b + group].any()) for a in starts for b in starts)
    drawn = re.findall(r'<path class="dense cell [^"]*" d="([^"]*)"', chart.svg)
    assert sum(path.count("M") for path in drawn) == some
    assert any("holds" in one.text for one in chart.legend) == (group > 1)
    rows = worst_table(evaluation(found)).rows
    wrong = found - np.diag(found.diagonal())
    assert len(rows) == 15 and rows[0][2].text == str(wrong.max())


def test_nothing_wrong_and_nothing_there() -> None:
    for found in (
        np.diag([3, 4]),
        np.zeros((3, 3), int),
        np.diag([1] * 30),
        np.zeros((30, 30), int),
    ):
        shown = evaluation(found)
        assert "mistaken" not in "".join(one.text for one in matrix(shown).legend)
        assert "nan" not in matrix(shown).svg and worst_table(shown).rows == ()
        table, _ = classes_table(shown)
        assert all(row[3].bars == ("0.0%",) for row in table.rows)


def test_bars_tell_93_from_100_percent() -> None:
    found = np.array([[93, 7, 0], [3, 97, 0], [0, 0, 100]])
    table, notes = classes_table(evaluation(found, ("shirt", "coat", "bag")))
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows == [
        ["shirt", "100", "93.0%", "7", "coat (7 images)"],
        ["coat", "100", "97.0%", "3", "shirt (3 images)"],
        ["bag", "100", "100.0%", "0", ""],
    ]
    assert [row[3].bars for row in table.rows] == [("100.0%",), ("42.9%",), ("0.0%",)]
    assert "begin at 0" in notes[0] and "7.0% of its class" in notes[0]


def test_one_image_is_one() -> None:
    found = np.array([[5, 1], [2, 4]])
    rows = classes_table(evaluation(found, ("8", "5")))[0].rows
    assert [row[4].text for row in rows] == ["8 (2 images)", "5 (1 image)"]


def test_classes_that_are_left_out_are_said() -> None:
    table, notes = classes_table(evaluation(np.eye(50, dtype=int)))
    assert len(table.rows) == 40 and notes[-1] == "The 40 hardest of 50 classes."
