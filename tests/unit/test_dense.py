"""Dense layers at the end of a network: found, and turned into convolutions over images."""

from __future__ import annotations

import numpy as np

from cnnaccel.compiler.lower.dense import batchable, dense_tail, over_images
from cnnaccel.compiler.lower.fuse import fuse
from cnnaccel.ir import golden
from cnnaccel.ir.graph import AnyLayer, Graph
from tests.support import graphs
from tests.support.hardware import TINY

X = graphs.spec("x", (3, 4, 5))
FIRST = graphs.conv2d(X, np.ones((6, 3, 2, 2)), "first")
RNG = np.random.default_rng(1)
HIDDEN = graphs.dense(FIRST.output, RNG.integers(-128, 128, (7, 6 * 3 * 4)), name="hidden")
LAST = graphs.dense(HIDDEN.output, np.ones((2, 7)), name="last")


def tail(*layers: AnyLayer) -> list[str]:
    graph = Graph("g", X, layers)
    fused = fuse(graph, 4)
    first = dense_tail(fused, graph)
    assert batchable(graph, TINY) == (first < len(fused.steps))
    return [step.layer.name for step in fused.steps[first:]]


def test_the_dense_layers_at_the_end() -> None:
    assert tail(FIRST, HIDDEN, LAST) == ["hidden", "last"]
    assert tail(FIRST) == [], "a kernel smaller than its input"
    assert tail(HIDDEN_OF_IMAGE) == [], "there is a step before"


HIDDEN_OF_IMAGE = graphs.dense(X, np.ones((7, 60)), name="hidden")


def test_a_tensor_with_another_reader_ends_the_tail() -> None:
    again = graphs.conv2d(FIRST.output, np.ones((2, 6, 3, 4)), "again")
    total = graphs.add(LAST.output, again.output, name="sum")
    assert tail(FIRST, HIDDEN, LAST, again, total) == []
    padded = graphs.conv2d(HIDDEN.output, np.ones((2, 7, 1, 1)), "padded", padding=(0, 1, 0, 0))
    assert tail(FIRST, HIDDEN, padded) == []


def test_over_images_it_computes_the_same() -> None:
    """Each element of the source is a channel of its own, in the lane that `lanes` says."""
    graph = Graph("g", X, (FIRST, HIDDEN))
    layout = fuse(graph, 4).layouts["first"]
    pixelwise, lanes = over_images(HIDDEN, layout, 4)
    assert pixelwise.weight.shape == (7, 72, 1, 1) and len(lanes) == 2 * 4 * 12
    tensor = RNG.integers(0, 256, (1, 6, 3, 4)).astype(np.uint8)
    expected = golden.run_layer(HIDDEN, [tensor])
    in_words = np.zeros((2, 4, 12), np.uint8)  # [word, lane, pixel]
    in_words.reshape(8, 12)[:6] = tensor[0].reshape(6, 12)
    stream = in_words.transpose(0, 2, 1).reshape(-1)  # as act has it: words of lanes by pixel
    flat = np.zeros(72, np.uint8)
    flat[lanes[lanes >= 0]] = stream[lanes >= 0]
    assert sorted(lanes[lanes >= 0].tolist()) == list(range(72))
    assert np.array_equal(golden.run_layer(pixelwise, [flat.reshape(1, 72, 1, 1)]), expected)
