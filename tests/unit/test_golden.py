"""golden against the reference in torch: whole tensors, every kind of layer, no tolerance."""

from __future__ import annotations

import tracemalloc
from typing import Any, cast
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnaccel.errors import GraphError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Dtype, Graph, Pair, Shape, macs, parameter_bytes
from cnnaccel.ir.verify import verify
from tests.support.graphs import (
    LAYER_CASES,
    Case,
    add,
    avg_pool,
    concat,
    conv2d,
    dense,
    depthwise,
    every_kind,
    graph_around,
    max_pool,
    numbers,
    requant,
    spec,
)
from tests.support.reference import reference_graph, reference_layer


def check(case: Case) -> None:
    """Legal by the verifier and equal to the reference, in blocks of any size."""
    layer, inputs = case
    sources = zip(layer.inputs, inputs, strict=True)
    specs = [spec(name, cast(Shape, x.shape[1:]), cast(Dtype, x.dtype.name)) for name, x in sources]
    verify(graph_around(layer, specs))
    expected = reference_layer(layer, inputs)
    whole = golden.run_layer(layer, inputs)
    assert whole.dtype == layer.output.dtype and whole.shape == expected.shape
    assert np.array_equal(whole, expected)
    with mock.patch.object(golden, "BLOCK_BYTES", 1):
        assert np.array_equal(golden.run_layer(layer, inputs), expected)


@pytest.mark.parametrize("kind", LAYER_CASES)
@given(data=st.data())
def test_layer_equals_reference(kind: str, data: st.DataObject) -> None:
    check(data.draw(LAYER_CASES[kind]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYER_CASES)
@settings(settings.get_profile("sweep"))
@given(data=st.data())
def test_layer_equals_reference_sweep(kind: str, data: st.DataObject) -> None:
    check(data.draw(LAYER_CASES[kind]))


def convolution(
    shape: Shape, kernel: Pair, out: int = 3, groups: int = 1, dtype: Dtype = "uint8", **window: Any
) -> Case:
    """A convolution of random numbers whose outputs spread over int8."""
    rng = np.random.default_rng(sum(shape) + sum(kernel))
    source = spec("x", shape, dtype)
    weight = numbers(rng, "random", (out, shape[0] // groups, *kernel), "int8")
    shift = 14 + int(np.log2(weight[0].size) / 2)
    layer = conv2d(
        source, weight, requant=requant(77, shift, "int8"), dtype="int8", groups=groups, **window
    )
    return layer, [numbers(rng, "random", (2, *shape), dtype)]


CORNERS = {
    "1x1 on one pixel": convolution((1, 1, 1), (1, 1), out=1),
    "1 channel": convolution((1, 7, 5), (3, 3), padding=(1, 1, 1, 1)),
    "even kernel, uneven padding": convolution((3, 6, 6), (2, 4), padding=(0, 1, 1, 2)),
    "kernel = input": convolution((2, 5, 7), (5, 7), out=4),
    "kernel = padded input": convolution((2, 3, 3), (5, 4), padding=(1, 1, 1, 0)),
    "stride over kernel": convolution((2, 11, 9), (2, 1), stride=(5, 4)),
    "stride over input": convolution((2, 3, 3), (2, 2), stride=(9, 9)),
    "last rows unread": convolution((1, 8, 8), (3, 3), stride=(2, 3)),
    "wide": convolution((3, 1, 40), (1, 9), stride=(1, 2), padding=(0, 0, 4, 3)),
    "dilated": convolution((2, 9, 11), (3, 2), dilation=(4, 7)),
    "dilated in padding": convolution((2, 2, 2), (3, 3), dilation=(3, 3), padding=(4, 3, 5, 2)),
    "all padding": convolution((1, 1, 1), (2, 2), padding=(5, 5, 5, 5)),
    "groups": convolution((6, 5, 5), (3, 3), out=9, groups=3),
    "groups = channels": convolution((6, 5, 5), (3, 3), out=12, groups=6, dtype="int8"),
    "just in one product": convolution((514, 2, 2), (1, 1)),
    "one tap more": convolution((515, 2, 2), (1, 1)),
    "many products": convolution((300, 3, 3), (3, 3), dtype="int8"),
}


@pytest.mark.parametrize("corner", CORNERS)
def test_corner_equals_reference(corner: str) -> None:
    check(CORNERS[corner])


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_maximum_ignores_padding(dtype: Dtype) -> None:
    """Padding is no element: not 0 under negative numbers, nor -128 or 0 in the result."""
    x = spec("x", (1, 3, 3), dtype)
    layer = max_pool(x, (3, 3), stride=(1, 1), padding=(2, 2, 2, 2))
    least = np.full((1, 1, 3, 3), x.range[0] + 1, dtype)
    check((layer, [least]))
    assert (golden.run_layer(layer, [least]) == x.range[0] + 1).all()


@pytest.mark.parametrize("activation", [0, 255])
@pytest.mark.parametrize("weight", [-128, -127, 127])
def test_sums_near_the_int32_limit_keep_every_bit(activation: int, weight: int) -> None:
    """The bias cancels a sum of 65,792 products, so that an error of 1 anywhere shows."""
    x = spec("x", (257, 16, 16))
    weights = np.full((1, 257 * 256), weight)
    weights[0, ::3] += 1 if weight < 0 else -1
    image = np.full((1, *x.shape), activation, np.uint8)
    exact = int((weights * image.reshape(-1).astype(np.int64)).sum())
    layer = dense(x, weights, bias=5 - exact, dtype="int8", requant=requant(dtype="int8"))
    verify(Graph("g", x, (layer,)))
    assert golden.run_layer(layer, [image]).item() == 5


def test_both_saturations() -> None:
    x = spec("x", (1, 1, 4))
    image = np.array([0, 1, 2, 255], np.uint8).reshape(1, 1, 1, 4)
    layer = conv2d(
        x, [[[[127]]], [[[-128]]]], requant=requant(1, 0, "int8", (-7, 100)), dtype="int8"
    )
    out = golden.run_layer(layer, [image])
    assert out.reshape(2, 4).tolist() == [[0, 100, 100, 100], [0, -7, -7, -7]]


def test_every_tensor_of_a_graph_equals_the_reference(rng: np.random.Generator) -> None:
    graph = verify(every_kind())
    images = rng.integers(0, 256, (7, *graph.input.shape)).astype(np.uint8)
    expected = reference_graph(graph, images)
    found = golden.trace(graph, images)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert np.array_equal(found[name], values), name
        assert len(np.unique(values)) > 10, f"{name} says little"
    assert np.array_equal(golden.run(graph, images), expected["logits"])


@pytest.mark.parametrize("chunk_bytes", [1, 3000, 1 << 20])
def test_chunks_make_no_difference(chunk_bytes: int, rng: np.random.Generator) -> None:
    graph = every_kind()
    images = rng.integers(0, 256, (9, *graph.input.shape)).astype(np.uint8)
    whole = golden.trace(graph, images)["logits"]
    with mock.patch.object(golden, "CHUNK_BYTES", chunk_bytes):
        pieces = list(golden.run_chunks(graph, images))
        assert np.array_equal(golden.run(graph, images), whole)
    assert [i for piece, _ in pieces for i in range(piece.start, piece.stop)] == list(range(9))


def test_no_images() -> None:
    graph = every_kind()
    empty = np.zeros((0, *graph.input.shape), np.uint8)
    assert golden.run(graph, empty).shape == (0, *graph.result_shape)
    assert golden.trace(graph, empty)["logits"].shape == (0, *graph.result_shape)


def test_images_may_be_a_read_only_view(rng: np.random.Generator) -> None:
    graph = every_kind()
    channels_last = rng.integers(0, 256, (4, 12, 10, 2)).astype(np.uint8)
    channels_last.flags.writeable = False
    view = channels_last.transpose(0, 3, 1, 2)[::-1]
    assert np.array_equal(golden.run(graph, view), golden.run(graph, view.copy()))


def test_inputs_are_left_alone(rng: np.random.Generator) -> None:
    graph = every_kind()
    images = rng.integers(0, 256, (2, *graph.input.shape)).astype(np.uint8)
    first = golden.trace(graph, images.copy())
    again = golden.trace(graph, images)
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_trace_keeps_what_is_asked_for(rng: np.random.Generator) -> None:
    graph = every_kind()
    images = rng.integers(0, 256, (2, *graph.input.shape)).astype(np.uint8)
    everything = golden.trace(graph, images)
    kept = golden.trace(graph, images, keep=("pixels", "pool"))
    assert list(kept) == ["pixels", "pool", "logits"]
    assert all(np.array_equal(kept[name], everything[name]) for name in kept)
    assert list(golden.trace(graph, images, keep=())) == ["logits"]


def test_input_table_maps_each_channel(rng: np.random.Generator) -> None:
    graph = every_kind()
    pixels = np.arange(240, dtype=np.uint8).reshape(1, 2, 12, 10)
    mapped = golden.apply_input_table(graph, pixels)
    assert mapped.dtype == np.int8
    assert graph.input_table is not None
    assert mapped[0, 1, 11, 9] == graph.input_table[1, 239]
    plain = Graph("g", spec("x", (2, 12, 10)), (max_pool(spec("x", (2, 12, 10)), (2, 2)),))
    assert golden.apply_input_table(plain, pixels) is pixels


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 2, 12, 10), np.int8),
        np.zeros((1, 2, 12, 10), np.float32),
        np.zeros((1, 2, 10, 12), np.uint8),
        np.zeros((2, 12, 10), np.uint8),
    ],
    ids=["int8", "float", "turned", "no batch"],
)
def test_wrong_images_are_refused(images: np.ndarray) -> None:
    with pytest.raises(GraphError, match=r"every_kind.*takes uint8 images of \[2, 12, 10\]"):
        golden.trace(every_kind(), images)


def test_one_tensor_may_be_read_twice(rng: np.random.Generator) -> None:
    x = spec("x", (2, 3, 3))
    twice = add(x, x, (127, -128), requant=requant(dtype="int8"), dtype="int8")
    joined = concat(twice.output, twice.output)
    graph = verify(Graph("g", x, (twice, joined)))
    images = rng.integers(0, 256, (2, 2, 3, 3)).astype(np.uint8)
    half = np.clip(-images.astype(int), -128, 127)
    assert np.array_equal(golden.run(graph, images), np.concatenate([half, half], axis=1))


def test_memory_is_bounded_for_a_large_image(rng: np.random.Generator) -> None:
    """Unfolded at once, the patches would take 37 MB and the sums 8 MB."""
    layer, inputs = convolution((64, 128, 128), (3, 3), out=64, padding=(1, 1, 1, 1))
    tracemalloc.start()
    out = golden.run_layer(layer, inputs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes + 2 * inputs[0].nbytes + 4 * golden.BLOCK_BYTES


def test_prediction_is_the_first_of_equals() -> None:
    logits = np.array([[3, 5, 5], [-1, -1, -1], [0, 1, 2]], np.int8).reshape(3, 3, 1, 1)
    assert golden.predictions(logits).tolist() == [1, 0, 2]


def test_counts() -> None:
    x = spec("x", (6, 5, 5))
    conv = conv2d(x, np.zeros((4, 3, 3, 3)), groups=2)
    assert macs(conv) == 4 * 3 * 3 * 3 * (3 * 3) and parameter_bytes(conv) == 4 * 27 + 4 * 4 + 3
    deep = depthwise(x, np.zeros((6, 2, 2)))
    assert macs(deep) == 6 * 4 * (4 * 4) and parameter_bytes(deep) == 6 * 4 + 6 * 4 + 3
    pool, mean = max_pool(x, (2, 2)), avg_pool(x, (5, 5))
    assert (macs(pool), parameter_bytes(pool)) == (0, 0)
    assert (macs(mean), parameter_bytes(mean)) == (0, 3)
