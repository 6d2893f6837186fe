"""verify refuses each thing that is wrong, naming the layer, and nothing that is right."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnaccel.errors import GraphError
from cnnaccel.ir.graph import Graph, Requant, TensorSpec
from cnnaccel.ir.verify import accumulator_bits, accumulator_bounds, verify
from tests.support.graphs import (
    add,
    avg_pool,
    concat,
    conv2d,
    dense,
    depthwise,
    every_kind,
    graph_around,
    max_pool,
    requant,
    seeds,
    spec,
)

BEYOND = "beyond int32"


def test_a_right_graph_comes_back_itself() -> None:
    graph = every_kind()
    assert verify(graph) is graph


# ---- one wrong field each: layer of `every_kind`, field (dots go inside), value, message ------

FLOATS = np.zeros(4, np.float32)
INT8 = np.zeros((4, 2, 3, 3), np.int8)
WRONG_FIELDS: list[tuple[str, str, Any, str]] = [
    ("stem", "name", 3, "name is 3, not str"),
    ("stem", "name", "pool", "same name"),
    ("stem", "inputs", ("nowhere",), "reads 'nowhere', which no earlier layer makes"),
    ("stem", "inputs", ("logits",), "reads 'logits', which no earlier layer makes"),
    ("stem", "inputs", ("stem",), "reads 'stem', which no earlier layer makes"),
    ("stem", "inputs", (), "has 0 inputs, not 1"),
    ("stem", "inputs", ("pixels", "pixels"), "has 2 inputs, not 1"),
    ("stem", "inputs", ["pixels"], "inputs is"),
    ("stem", "inputs", "pixels", "inputs is"),
    ("stem", "output", None, "output is None, not TensorSpec"),
    ("stem", "output.name", "pixels", "makes 'pixels', which exists already"),
    ("pool", "output.name", "stem", "makes 'stem', which exists already"),
    ("stem", "output.shape", (4, 11, 6), r"makes \(4, 11, 5\) of"),
    ("stem", "output.shape", (3, 11, 5), r"makes \(4, 11, 5\) of"),
    ("stem", "output.shape", (4, 0, 5), "not all positive"),
    ("stem", "output.shape", (4, 55), "shape is"),
    ("stem", "output.shape", (4, 11.0, 5), "shape is"),
    ("stem", "output.shape", (4, np.int64(11), 5), "shape is"),
    ("stem", "output.dtype", "int16", "dtype is 'int16'"),
    ("stem", "output.dtype", "int8", r"clamps to 0\.\.255, outside int8"),
    ("stem", "output.scale", 0.0, "scale 0.0 of 'stem' is not a positive number"),
    ("stem", "output.scale", -1.0, "scale -1.0"),
    ("stem", "output.scale", float("nan"), "scale nan"),
    ("stem", "output.scale", float("inf"), "scale inf"),
    ("stem", "output.scale", "1", "scale is '1', not float"),
    ("stem", "weight", INT8.astype(np.int16), "weight is int16 array"),
    ("stem", "weight", INT8.tolist(), "weight is"),
    ("stem", "weight", INT8[0], r"are not \[K, C / groups, R, S\]"),
    ("stem", "weight", np.int8(3), "weight is 3"),
    ("stem", "weight", np.zeros((), np.int8), r"are not \[K, C / groups, R, S\]"),
    ("stem", "weight", INT8[:, :1], "do not fit 2 input channels"),
    ("stem", "weight", INT8[:3], r"bias \[4\] is not \[3\]"),
    ("stem", "weight", INT8[:, :, :0], "kernel"),
    ("stem", "weight", INT8[:, :, :2], r"makes \(4, 12, 5\)"),
    ("stem", "bias", np.zeros(4, np.int64), "bias is int64 array"),
    ("stem", "bias", np.zeros(4, ">i4"), "bias is >i4 array"),
    ("stem", "bias", np.zeros(5, np.int32), r"bias \[5\] is not \[4\]"),
    ("stem", "bias", np.zeros((4, 1), np.int32), r"bias \[4, 1\] is not \[4\]"),
    ("stem", "requant", None, "requant is None"),
    ("stem", "requant.multiplier", FLOATS, "multiplier is float32 array"),
    ("stem", "requant.multiplier", np.zeros(3, np.uint16), r"\[3\] is neither \[4\] nor \[1\]"),
    ("stem", "requant.multiplier", np.zeros((), np.uint16), r"\[\] is neither"),
    ("stem", "requant.shift", np.zeros(4, np.int8), "shift is int8 array"),
    ("stem", "requant.shift", np.zeros(0, np.uint8), r"\[0\] is neither"),
    ("stem", "requant.shift", np.array([0, 1, 48, 2], np.uint8), "shift 48 is over 47"),
    ("stem", "requant.low", -1, r"clamps to -1\.\.255, outside uint8"),
    ("stem", "requant.high", 256, r"clamps to 0\.\.256, outside uint8"),
    ("stem", "requant.low", 1.0, "low is 1.0, not int"),
    ("stem", "requant.low", True, "low is True, not int"),
    ("branch", "requant.low", 128, r"clamps to 128\.\.127, outside int8"),
    ("stem", "stride", (0, 2), r"stride \(0, 2\)"),
    ("stem", "stride", (1, -2), r"stride \(1, -2\)"),
    ("stem", "stride", (1, 3), r"makes \(4, 11, 4\)"),
    ("stem", "stride", 1, "stride is 1"),
    ("stem", "padding", (1, 0, 1), "padding is"),
    ("stem", "padding", (-1, 2, 1, 1), "is negative"),
    ("stem", "padding", (1, 1, 1, 1), r"makes \(4, 12, 5\)"),
    ("stem", "dilation", (0, 1), r"dilation \(0, 1\)"),
    ("stem", "dilation", (2, 1), r"makes \(4, 9, 5\)"),
    ("stem", "dilation", (9, 1), r"makes \(4, -5, 5\)"),
    ("stem", "groups", 0, "0 groups do not divide"),
    ("stem", "groups", -1, "-1 groups do not divide"),
    ("stem", "groups", 3, "3 groups do not divide"),
    ("stem", "groups", 2, "do not fit 2 input channels"),
    ("stem", "groups", True, "groups is True, not int"),
    ("branch", "weight", np.zeros((3, 3, 3), np.int8), r"are not \[4, R, S\]"),
    ("branch", "weight", np.zeros((4, 1, 3, 3), np.int8), r"are not \[4, R, S\]"),
    ("branch", "bias", np.zeros(1, np.int32), r"bias \[1\] is not \[4\]"),
    ("branch", "stride", (2, 1), "makes"),
    ("branch", "inputs", ("pixels",), r"are not \[2, R, S\]"),
    ("pool", "kernel", (2, 0), r"kernel \(2, 0\)"),
    ("pool", "kernel", (2, 3), "makes"),
    ("pool", "dilation", (0, 1), r"dilation \(0, 1\)"),
    ("pool", "padding", (0, 1, 0, 0), "makes"),
    ("pool", "output.dtype", "int8", "'stem' is uint8 of scale 1.0, its output int8"),
    ("pool", "output.scale", 0.5, "its output uint8 of scale 0.5"),
    ("smooth", "kernel", (3, 0), r"kernel \(3, 0\)"),
    ("smooth", "stride", (1, 0), r"stride \(1, 0\)"),
    ("smooth", "requant.shift", np.array([48], np.uint8), "shift 48 is over 47"),
    ("smooth", "output.shape", (4, 11, 4), "makes"),
    ("residual", "inputs", ("pool",), "has 1 inputs, not 2"),
    ("residual", "inputs", ("pool", "branch", "pool"), "has 3 inputs, not 2"),
    ("residual", "inputs", ("pool", "pixels"), "adds"),
    ("residual", "output.shape", (4, 11, 4), "adds"),
    ("residual", "weights", (128, 1), "are not int8"),
    ("residual", "weights", (1, -129), "are not int8"),
    ("residual", "weights", (1, 0.5), "weights is"),
    ("residual", "weights", (1,), "weights is"),
    ("residual", "requant.shift", np.array([1, 2], np.uint8), "is neither"),
    ("joined", "inputs", (), "has 0 inputs, not 1"),
    ("joined", "inputs", ("residual", "branch"), "'branch' is int8"),
    ("joined", "inputs", ("residual",), "joins"),
    ("joined", "output.shape", (8, 11, 4), "joins"),
    ("joined", "output.scale", 2.0, "of scale 2.0"),
    ("logits", "inputs", ("residual",), "do not fit 4 input channels"),
]


def with_field(value: Any, path: list[str], new: Any) -> Any:
    """A copy of nested dataclasses with one field replaced."""
    name, *rest = path
    return replace(value, **{name: with_field(getattr(value, name), rest, new) if rest else new})


@pytest.mark.parametrize(("name", "path", "value", "message"), WRONG_FIELDS)
def test_a_wrong_field(name: str, path: str, value: Any, message: str) -> None:
    graph = every_kind()
    layers = tuple(
        with_field(layer, path.split("."), value) if layer.name == name else layer
        for layer in graph.layers
    )
    blamed = "pool" if "same name" in message else value if path == "name" else name
    with pytest.raises(GraphError, match=message) as caught:
        verify(replace(graph, layers=layers))
    assert f"layer '{blamed}' (" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("layers", (), "has no layers"),
        ("layers", [], "layers is"),
        ("layers", ("stem",), "layers is"),
        ("name", None, "name is None, not str"),
        ("input", None, "input is None, not TensorSpec"),
        ("input.shape", (2, 12, -1), "not all positive"),
        ("input.shape", (3, 12, 10), "the input table is"),
        ("input.dtype", "uint8", "the input table is"),
        ("input.dtype", "float32", "dtype is 'float32'"),
        ("input.scale", 0.0, "scale 0.0"),
        ("input_table", None, "no table makes that from pixels"),
        ("input_table", np.zeros((2, 255), np.int8), "the input table is"),
        ("input_table", np.zeros((2, 256), np.uint8), "input_table is uint8 array"),
        ("input_table", [[0] * 256] * 2, "input_table is"),
    ],
)
def test_a_wrong_graph(path: str, value: Any, message: str) -> None:
    wrong = with_field(every_kind(), path.split("."), value)
    with pytest.raises(GraphError, match=message) as caught:
        verify(wrong)
    assert str(caught.value).startswith("graph '")


def test_layers_out_of_order() -> None:
    graph = every_kind()
    with pytest.raises(GraphError, match=r"'pool' .*reads 'stem'"):
        verify(replace(graph, layers=(graph.layers[1], graph.layers[0], *graph.layers[2:])))


def test_inputs_of_different_sizes() -> None:
    a, b = spec("a", (1, 4, 4)), spec("b", (1, 4, 3))
    shrink = conv2d(a, np.ones((1, 1, 1, 2)), "b")
    with pytest.raises(GraphError, match=r"'concat' .*joins"):
        verify(Graph("g", a, (shrink, concat(a, b))))
    with pytest.raises(GraphError, match=r"'add' .*adds"):
        verify(Graph("g", a, (shrink, add(a, b))))


@pytest.mark.parametrize(
    ("size", "kernel", "window", "legal"),
    [
        ((4, 4), (2, 2), {"padding": (1, 1, 1, 1)}, True),
        ((4, 4), (2, 2), {"padding": (2, 0, 0, 0)}, False),
        ((4, 4), (2, 2), {"padding": (0, 2, 0, 0)}, False),
        ((4, 4), (2, 2), {"padding": (0, 0, 2, 0)}, False),
        ((4, 4), (2, 2), {"padding": (0, 0, 0, 2)}, False),
        ((4, 4), (2, 2), {"padding": (0, 2, 0, 0), "stride": (3, 3)}, True),  # none ends there
        ((1, 1), (2, 1), {"padding": (3, 3, 0, 0), "dilation": (3, 1), "stride": (3, 1)}, True),
        ((1, 1), (2, 1), {"padding": (3, 3, 0, 0), "dilation": (3, 1), "stride": (1, 1)}, False),
        ((1, 1), (1, 1), {}, True),
    ],
)
def test_a_maximum_of_nothing(size: Any, kernel: Any, window: Any, legal: bool) -> None:
    x = spec("x", (1, *size))
    graph = Graph("g", x, (max_pool(x, kernel, **window),))
    if legal:
        verify(graph)
    else:
        with pytest.raises(GraphError, match=r"'max' .*a window without any element"):
            verify(graph)


# ---- the overflow proof: the last layer that fits, and the first that does not ----------------


def check_boundary(last: Graph, first_over: Graph) -> None:
    verify(last)
    name = first_over.layers[-1].name
    with pytest.raises(GraphError, match=f"'{name}' .*{BEYOND}"):
        verify(first_over)


@pytest.mark.parametrize("kind", [conv2d, depthwise])
@pytest.mark.parametrize(
    ("dtype", "weight", "limit", "step"),
    [
        ("uint8", 127, 2**31 - 1 - 255 * 127, 1),
        ("uint8", -128, -(2**31) + 255 * 128, -1),
        ("int8", -128, 2**31 - 1 - 128 * 128, 1),
        ("int8", 127, -(2**31) + 128 * 127, -1),
    ],
)
def test_bias_at_the_limit(kind: Any, dtype: Any, weight: int, limit: int, step: int) -> None:
    x = spec("x", (1, 1, 1), dtype)
    weights = np.full((1, 1, 1, 1) if kind is conv2d else (1, 1, 1), weight)
    graphs = [graph_around(kind(x, weights, bias=limit + extra), [x]) for extra in (0, step)]
    check_boundary(*graphs)


@pytest.mark.parametrize(
    ("dtype", "weight", "total"),
    [
        ("uint8", 127, (2**31 - 1) // 255),
        ("uint8", -128, 2**31 // 255),
        ("int8", 127, 2**31 // 128),  # negative: 127 * -128
        ("int8", -128, (2**31 - 1) // 128),
    ],
)
def test_weights_at_the_limit(dtype: Any, weight: int, total: int) -> None:
    """The sum of all |weight| may be `total`: one more, anywhere, is too much."""
    length = total // abs(weight) + 2
    weights = np.zeros((2, length, 1, 1), np.int8)
    weights[1, : total // abs(weight)] = weight
    weights[1, -2] = np.sign(weight) * (total % abs(weight))
    over = weights.copy()
    over[1, -1] = np.sign(weight)
    x = spec("x", (length, 1, 1), dtype)
    check_boundary(*(graph_around(conv2d(x, w), [x]) for w in (weights, over)))


def test_opposite_weights_do_not_cancel() -> None:
    """The true sum stays small, but half of it, on the way, does not."""
    ends = np.resize([127, -128], (1, 2 * 66312, 1, 1))
    x = spec("x", (2 * 66312, 1, 1))
    with pytest.raises(GraphError, match=BEYOND):
        verify(Graph("g", x, (conv2d(x, ends),)))


def test_the_bias_does_not_excuse_the_products() -> None:
    x = spec("x", (66312, 1, 1))
    with pytest.raises(GraphError, match=BEYOND):
        verify(Graph("g", x, (conv2d(x, np.full((1, 66312, 1, 1), 127), bias=-(2**31)),)))


def test_average_at_the_limit() -> None:
    graphs = []
    for rows in (8421504, 8421505):
        x = spec("x", (1, rows, 1))
        graphs.append(Graph("g", x, (avg_pool(x, (rows, 1)),)))
    check_boundary(*graphs)


@given(seeds, st.sampled_from([(0, 255), (-128, 127)]))
def test_bounds_are_those_of_all_partial_sums(seed: int, ends: tuple[int, int]) -> None:
    """Against every subset of terms, each operand at either end."""
    rng = np.random.default_rng(seed)
    weight, bias = rng.integers(-128, 128, (2, 4)), rng.integers(-999, 999, 2)
    x = spec("x", (4, 1, 1), "int8" if ends[0] else "uint8")
    layer = dense(x, weight, bias=bias)
    terms = [
        [(0, *(int(w) * end for end in ends)) for w in row] + [(0, int(b))]
        for row, b in zip(weight, bias, strict=True)
    ]
    sums = [sum(choice) for row in terms for choice in itertools.product(*row)]
    assert accumulator_bounds(layer, [ends]) == (min(sums), max(sums))


@pytest.mark.parametrize(
    ("weights", "expected", "bits"),
    [
        ((1, 1), (-128, 382), 10),
        ((-1, -1), (-382, 128), 10),
        ((127, -128), (-16256, 48769), 17),
        ((0, 0), (0, 0), 1),
        ((0, 1), (-128, 127), 8),
    ],
)
def test_bounds_of_an_addition(weights: Any, expected: Any, bits: int) -> None:
    a, b = spec("a", (1, 1, 1)), spec("b", (1, 1, 1), "int8")
    layer = add(a, b, weights)
    assert accumulator_bounds(layer, [a.range, b.range]) == expected
    assert accumulator_bits(layer, [a.range, b.range]) == bits


def test_bounds_of_the_others() -> None:
    x = spec("x", (2, 4, 4), "int8")
    assert accumulator_bounds(avg_pool(x, (2, 3)), [x.range]) == (-768, 762)
    assert accumulator_bounds(max_pool(x, (2, 2)), [x.range]) == (-128, 127)
    assert accumulator_bounds(concat(x, x), [(0, 3), (-2, 1)]) == (-2, 3)


def test_numbers_at_their_ends_are_legal() -> None:
    x = TensorSpec("x", (1, 1, 1), "uint8", 1e-30)
    ends = Requant(np.array([65535], np.uint16), np.array([47], np.uint8), 0, 0)
    verify(Graph("g", x, (conv2d(x, [[[[-128]]]], requant=ends),)))
    verify(Graph("g", x, (conv2d(x, [[[[127]]]], requant=requant(0, 0)),)))
