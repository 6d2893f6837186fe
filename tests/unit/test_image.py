"""The image as the engine reads it: which are raw, which are unfolded, and how large they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnaccel.compiler.lower.image import (
    image_bytes,
    image_lanes,
    image_tensor,
    on_unfolded,
    raw_image,
    unfolding,
)
from cnnaccel.compiler.lower.network import Unfold
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import Base
from tests.support import graphs
from tests.support.hardware import TINY


def first(channels: int, kernel: tuple[int, int], **window: Any) -> Graph:
    image = graphs.spec("image", (channels, 6, 9))
    depth = channels // window.get("groups", 1)
    layer = graphs.conv2d(image, np.ones((4, depth, *kernel)), "first", **window)
    return Graph("g", image, (layer,))


def test_few_channels_are_raw() -> None:
    assert raw_image(first(3, (3, 3))) and not raw_image(first(5, (3, 3)))
    assert image_bytes(first(3, (3, 3)), 4) == 3 * 6 * 9
    assert image_bytes(first(5, (3, 3)), 4) == 8 * 6 * 9, "whole words"
    assert image_lanes(first(3, (3, 3)), 4).tolist() == [2, 1, 0, -1], "the newest byte first"
    assert image_lanes(first(5, (3, 3)), 4).tolist() == [0, 1, 2, 3, 4, -1, -1, -1]


WINDOW: dict[str, Any] = {"padding": (1, 1, 1, 1), "stride": (2, 2)}


def test_bytes_under_a_kernel_row_become_channels() -> None:
    graph = first(3, (3, 3), **WINDOW)
    (reader,) = graph.layers
    how = unfolding(graph, reader)
    assert how == Unfold(pixel_bytes=3, row_pixels=9, kernel_w=3, stride_x=2, pad_left=1)
    tensor = image_tensor(graph, 4, False, reader, how)
    assert (tensor.words, tensor.rows, tensor.columns) == (3, 6, 5), "9 bytes; a column an output"
    assert tensor.base is Base.INPUT
    changed = on_unfolded(TINY, reader)
    assert changed.weight.shape == (4, 12, 3, 1)
    assert (changed.stride, changed.padding) == ((2, 1), (1, 1, 0, 0))


@pytest.mark.parametrize(
    "graph",
    [
        first(5, (3, 3)),
        first(2, (3, 3), groups=2),
        first(1, (1, 2), dilation=(1, 2)),
        first(4, (1, 2), padding=(0, 0, 2, 0)),
        first(4, (1, 9), padding=(0, 0, 8, 9)),
    ],
    ids=["channels", "groups", "dilation", "more padding than kernel", "right"],
)
def test_what_is_not_unfolded(graph: Graph) -> None:
    assert unfolding(graph, graph.layers[0]) is None


def test_readers_that_are_no_convolution_or_several() -> None:
    graph = first(3, (3, 3))
    pool = graphs.max_pool(graph.input, (2, 2))
    assert unfolding(graph, graph.layers[0]) is not None
    assert unfolding(graph, pool) is None and unfolding(graph, None) is None
    raw = image_tensor(graph, 4, False, None, None)
    assert raw.unfold == Unfold(pixel_bytes=3, row_pixels=9) and raw.columns == 9
