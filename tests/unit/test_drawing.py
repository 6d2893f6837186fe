"""The drawing of a network: a box for each layer, a line for each input, none through a box."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from cnnaccel.ir.graph import Graph
from cnnaccel.report.canvas import meets
from cnnaccel.report.drawing import network
from tests.support import graphs, imagenet
from tests.support.graphs import add, concat, conv2d, max_pool, spec
from tests.support.svg import box, shapes


def joined() -> Graph:
    """Four branches of unlike lengths, and a tensor that is added to itself."""
    image = spec("image", (4, 8, 8))
    one = np.ones((4, 4, 1, 1), np.int8)
    a, b = conv2d(image, one, "a"), conv2d(image, one, "b")
    c = conv2d(b.output, one, "c")
    d = conv2d(c.output, one, "d")
    pooled = max_pool(image, (3, 3), "pooled", stride=(1, 1), padding=(1, 1, 1, 1))
    whole = concat(image, a.output, d.output, pooled.output, name="whole")
    twice = add(whole.output, whole.output, name="twice")
    layers = (a, b, c, d, pooled, whole, twice)
    return Graph("joined", image, layers)


GRAPHS: dict[str, Callable[[], Graph]] = {
    "every kind": graphs.every_kind,
    "joined": joined,
    "resnet18": lambda: imagenet.resnet18(32),
    "vgg16": lambda: imagenet.vgg16(32, classifier=False),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_box_for_each_layer_and_a_line_for_each_input(name: str) -> None:
    graph = GRAPHS[name]()
    chart = network(graph, 4)
    boxes = [box(points) for points in shapes(chart.svg, "node")]
    assert len(boxes) == len(graph.layers) + 1  # the image, too
    lines = shapes(chart.svg, "edge")
    assert len(lines) == sum(len(layer.inputs) for layer in graph.layers)
    for at, (left, top, right, bottom) in enumerate(boxes):
        inner = (left + 1, top + 1, right - 1, bottom - 1)
        for other in boxes[at + 1 :]:
            assert right < other[0] or other[2] < left or bottom < other[1] or other[3] < top
        for line in lines:
            for begin, end in pairwise(line):
                assert not meets(inner, begin, end)
    begins, ends = {line[0][1] for line in lines}, {line[-1][1] for line in lines}
    assert begins <= {one[3] for one in boxes} and ends <= {one[1] for one in boxes}
    for layer in graph.layers:
        shape = "x".join(map(str, layer.output.shape))
        assert (
            f"<title>{layer.name}: " in chart.svg and f">{shape} {layer.output.dtype}<" in chart.svg
        )


def test_what_is_done_in_one_step_is_framed() -> None:
    chart = network(imagenet.vgg16(32, classifier=False), 4)
    frames = [box(points) for points in shapes(chart.svg, "fused")]
    boxes = [box(points) for points in shapes(chart.svg, "node")]
    assert len(frames) == 5
    for left, top, right, bottom in frames:
        held = [one for one in boxes if left < one[0] and one[2] < right
                and top < one[1] and one[3] < bottom]  # fmt: skip
        assert len(held) == 2


def test_many_layers_scroll() -> None:
    assert network(imagenet.resnet18(32), 4).css == "natural tall"
    assert network(joined(), 4).css == "natural"


def test_long_names_stay_in_their_box() -> None:
    image = spec("image", (4, 8, 8))
    name = "a.name.that.is.much.longer.than.any.box"
    svg = network(Graph("g", image, (conv2d(image, np.ones((4, 4, 1, 1), np.int8), name),)), 4).svg
    words = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert max(map(len, words)) <= 28 and f"<title>{name}: " in svg
