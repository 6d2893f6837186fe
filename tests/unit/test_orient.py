"""Tall networks are turned on their side, and compute the same there."""

from __future__ import annotations

import numpy as np
import pytest

from cnnaccel.compiler.lower.loopnest import MOST_ROWS
from cnnaccel.compiler.lower.orient import is_tall, oriented, transposed
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from tests.support import graphs
from tests.support.networks import pixels


def one(rows: int, columns: int) -> Graph:
    image = graphs.spec("image", (1, rows, columns))
    return Graph("one", image, (graphs.conv2d(image, np.ones((2, 1, 1, 1))),))


@pytest.mark.parametrize(
    ("rows", "columns", "tall"),
    [
        (MOST_ROWS, 4, False),
        (MOST_ROWS + 1, 4, True),
        (MOST_ROWS + 1, MOST_ROWS, True),
        (MOST_ROWS + 1, MOST_ROWS + 1, False),
        (4, MOST_ROWS + 1, False),
    ],
)
def test_what_is_tall(rows: int, columns: int, tall: bool) -> None:
    graph = one(rows, columns)
    assert is_tall(graph) == tall
    assert (oriented(graph).input.shape != graph.input.shape) == (tall and rows != columns)


def test_a_transposed_graph_computes_the_same() -> None:
    graph = graphs.every_kind()
    images = pixels(graph.input.shape, 3)
    turned = golden.run(transposed(graph), np.ascontiguousarray(images.swapaxes(2, 3)))
    assert np.array_equal(turned.swapaxes(2, 3), golden.run(graph, images))
    again = transposed(transposed(graph))
    assert np.array_equal(golden.run(again, images), golden.run(graph, images))
