"""Builds layers, graphs and tensors for tests.

The functions named as a layer fill in what a test does not care about; the output shape follows
from the rest. The strategies draw a legal layer of one kind together with inputs for it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    AvgPool2d,
    Concat,
    Conv2d,
    Depthwise,
    Dtype,
    Graph,
    MaxPool2d,
    Pair,
    Requant,
    Shape,
    TensorSpec,
    window_shape,
)
from cnnaccel.ir.intmath import RANGES, SHIFT_MAX
from cnnaccel.ir.verify import accumulator_bounds

Case = tuple[AnyLayer, list[np.ndarray]]


def spec(name: str, shape: Shape, dtype: Dtype = "uint8", scale: float = 1.0) -> TensorSpec:
    """A tensor; dtype and scale where they matter."""
    return TensorSpec(name, shape, dtype, scale)


def requant(
    multiplier: Any = 1, shift: Any = 0, dtype: Dtype = "uint8", clamp: Pair | None = None
) -> Requant:
    """From numbers or lists; clamps to the whole range of dtype."""
    low, high = clamp or RANGES[dtype]
    multipliers = np.atleast_1d(np.asarray(multiplier, np.uint16))
    return Requant(multipliers, np.atleast_1d(np.asarray(shift, np.uint8)), low, high)


PLAIN = requant()
"""The accumulator itself, clamped to uint8."""


def conv2d(
    source: TensorSpec,
    weight: Any,
    name: str = "conv",
    bias: Any = 0,
    requant: Requant = PLAIN,
    dtype: Dtype = "uint8",
    **window: Any,
) -> Conv2d:
    """`window` is stride, padding, dilation, groups."""
    weight = np.asarray(weight, np.int8)
    shape = (len(weight), *_window_shape(source, weight.shape[2:], window))
    biases = np.broadcast_to(np.asarray(bias, np.int32), len(weight)).copy()
    output = spec(name, shape, dtype)
    return Conv2d(name, (source.name,), output, weight, biases, requant, **window)


def dense(source: TensorSpec, weight: Any, **rest: Any) -> Conv2d:
    """weight[K, C*H*W]: a Conv2d whose kernel is its input."""
    return conv2d(source, np.reshape(weight, (-1, *source.shape)), **rest)


def depthwise(
    source: TensorSpec,
    weight: Any,
    name: str = "depthwise",
    bias: Any = 0,
    requant: Requant = PLAIN,
    dtype: Dtype = "uint8",
    **window: Any,
) -> Depthwise:
    """`window` is stride, padding, dilation."""
    weight = np.asarray(weight, np.int8)
    shape = (len(weight), *_window_shape(source, weight.shape[1:], window))
    biases = np.broadcast_to(np.asarray(bias, np.int32), len(weight)).copy()
    output = spec(name, shape, dtype)
    return Depthwise(name, (source.name,), output, weight, biases, requant, **window)


def max_pool(source: TensorSpec, kernel: Pair, name: str = "max", **window: Any) -> MaxPool2d:
    """The stride is the kernel unless `window` says otherwise."""
    window.setdefault("stride", kernel)
    shape = (source.shape[0], *_window_shape(source, kernel, window))
    output = spec(name, shape, source.dtype, source.scale)
    return MaxPool2d(name, (source.name,), output, kernel, **window)


def avg_pool(
    source: TensorSpec,
    kernel: Pair,
    name: str = "avg",
    requant: Requant = PLAIN,
    dtype: Dtype = "uint8",
    **window: Any,
) -> AvgPool2d:
    """The stride is the kernel unless `window` says otherwise."""
    window.setdefault("stride", kernel)
    output = spec(name, (source.shape[0], *_window_shape(source, kernel, window)), dtype)
    return AvgPool2d(name, (source.name,), output, kernel, requant=requant, **window)


def add(
    a: TensorSpec,
    b: TensorSpec,
    weights: Pair = (1, 1),
    name: str = "add",
    requant: Requant = PLAIN,
    dtype: Dtype = "uint8",
) -> Add:
    """a and b have the same shape."""
    return Add(name, (a.name, b.name), spec(name, a.shape, dtype), weights, requant)


def concat(*sources: TensorSpec, name: str = "concat") -> Concat:
    """The sources agree in all but their channels."""
    first = sources[0]
    shape = (sum(source.shape[0] for source in sources), *first.shape[1:])
    output = spec(name, shape, first.dtype, first.scale)
    return Concat(name, tuple(source.name for source in sources), output)


def graph_around(layer: AnyLayer, sources: list[TensorSpec]) -> Graph:
    """A graph that makes each source out of one channel of pixels, and then runs the layer."""
    pixels = spec("pixels", (1, *sources[0].shape[1:]))
    made = {
        s.name: Conv2d(
            f"make {s.name}",
            ("pixels",),
            s,
            np.ones((s.shape[0], 1, 1, 1), np.int8),
            np.zeros(s.shape[0], np.int32),
            requant(dtype=s.dtype),
        )
        for s in sources
    }
    return Graph("around", pixels, (*made.values(), layer))


def every_kind(seed: int = 0) -> Graph:
    """A small residual network with a layer of each kind, and an input table."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-128, 128, shape).astype(np.int8)

    def scaled(channels: int, shift: int, dtype: Dtype) -> Requant:
        multiplier = rng.integers(2**15, 2**16, channels)
        return requant(multiplier, np.full(channels, shift), dtype)

    x = spec("pixels", (2, 12, 10), "int8")
    stem = conv2d(
        x, weights(4, 2, 3, 3), "stem", rng.integers(-999, 999, 4), scaled(4, 24, "uint8"),
        padding=(1, 0, 1, 1), stride=(1, 2),
    )  # fmt: skip
    pool = max_pool(stem.output, (2, 2), "pool", stride=(1, 1), padding=(0, 1, 1, 0))
    branch = depthwise(
        pool.output, weights(4, 3, 3), "branch", 7, scaled(4, 23, "int8"), "int8",
        padding=(1, 1, 1, 1),
    )  # fmt: skip
    residual = add(pool.output, branch.output, (3, -100), "residual", scaled(1, 22, "uint8"))
    smooth = avg_pool(
        residual.output, (3, 3), "smooth", scaled(1, 19, "uint8"), stride=(1, 1),
        padding=(1, 1, 1, 1),
    )  # fmt: skip
    joined = concat(residual.output, smooth.output, name="joined")
    logits = dense(
        joined.output, weights(5, math.prod(joined.output.shape)), name="logits",
        requant=scaled(5, 27, "int8"), dtype="int8",
    )  # fmt: skip
    layers = (stem, pool, branch, residual, smooth, joined, logits)
    table = rng.integers(-128, 128, (2, 256)).astype(np.int8)
    return Graph("every_kind", x, layers, table)


def _window_shape(source: TensorSpec, kernel: Any, window: dict[str, Any]) -> Pair:
    return window_shape(
        source.shape[1:],
        tuple(kernel),
        window.get("stride", (1, 1)),
        window.get("padding", (0, 0, 0, 0)),
        window.get("dilation", (1, 1)),
    )


# ---- strategies ------------------------------------------------------------------------------

dtypes = st.sampled_from(("uint8", "int8"))
seeds = st.integers(0, 2**32 - 1)


def numbers(rng: np.random.Generator, style: str, shape: Any, dtype: Dtype) -> np.ndarray:
    """Random over the range, or at its ends."""
    low, high = RANGES[dtype]
    ends = {"low": [low], "high": [high], "ends": [low, high]}
    if style in ends:
        return rng.choice(np.array(ends[style], dtype), shape)
    return rng.integers(low, high + 1, shape).astype(dtype)


styles = st.sampled_from(("random", "random", "low", "high", "ends"))


@st.composite
def _windows(draw: Any, dilations: int = 3, most_padding: int | None = None) -> tuple[Any, ...]:
    """(size, kernel, window arguments): each axis alone, the kernel up to the whole input."""
    sizes, kernels, strides, dilation, padding = [], [], [], [], []
    for _ in range(2):
        kernel, step = draw(st.integers(1, 5)), draw(st.integers(1, dilations))
        span = (kernel - 1) * step + 1
        most = span - 1 if most_padding is None else most_padding
        before, after = draw(st.integers(0, most)), draw(st.integers(0, most))
        # at least `step` elements, so that no window lies between two taps
        least = max(span - before - after, step)
        sizes.append(draw(st.integers(least, least + 6)))
        kernels.append(kernel)
        strides.append(draw(st.integers(1, 6)))
        dilation.append(step)
        padding += [before, after]
    arguments = {"stride": tuple(strides), "padding": tuple(padding)}
    if dilations > 1:
        arguments["dilation"] = tuple(dilation)
    return tuple(sizes), tuple(kernels), arguments


def _random_requant(draw: Any, rng: np.random.Generator, layer: Any, ranges: list[Pair]) -> Requant:
    """For outputs over the whole range and somewhat beyond, or for anything at all."""
    channels = draw(st.sampled_from((1, layer.output.shape[0])))
    multiplier = rng.integers(0, 2**16, channels)
    if draw(st.booleans()):
        shift = rng.integers(0, SHIFT_MAX + 1, channels)
    else:
        bound = max(map(abs, accumulator_bounds(layer, ranges)))
        bits = [(bound * int(m)).bit_length() - 8 for m in multiplier]
        shift = np.clip(bits - rng.integers(0, 4, channels), 0, SHIFT_MAX)
    low, high = sorted(draw(st.tuples(*[st.integers(*layer.output.range)] * 2)))
    whole = draw(st.booleans())
    return requant(multiplier, shift, layer.output.dtype, None if whole else (low, high))


def _finish(draw: Any, rng: np.random.Generator, sources: list[TensorSpec], make: Any) -> Case:
    """make(requant) with a requantization that suits it, and inputs for its sources."""
    layer = make(requant())
    if hasattr(layer, "requant"):
        layer = make(_random_requant(draw, rng, layer, [source.range for source in sources]))
    images = draw(st.integers(1, 3))
    style = draw(styles)
    return layer, [numbers(rng, style, (images, *s.shape), s.dtype) for s in sources]


@st.composite
def conv2d_cases(draw: Any) -> Case:
    rng = np.random.default_rng(draw(seeds))
    size, kernel, window = draw(_windows(most_padding=4))
    groups, depth, each = (draw(st.integers(1, 4)) for _ in range(3))
    x = spec("x", (groups * depth, *size), draw(dtypes))
    weight = numbers(rng, draw(styles), (groups * each, depth, *kernel), "int8")
    bias = rng.integers(-(2 ** draw(st.integers(0, 30))), 2**20, groups * each)
    dtype = draw(dtypes)
    return _finish(
        draw, rng, [x],
        lambda requant: conv2d(
            x, weight, bias=bias, requant=requant, dtype=dtype, groups=groups, **window
        ),
    )  # fmt: skip


@st.composite
def depthwise_cases(draw: Any) -> Case:
    rng = np.random.default_rng(draw(seeds))
    size, kernel, window = draw(_windows(most_padding=4))
    x = spec("x", (draw(st.integers(1, 5)), *size), draw(dtypes))
    weight = numbers(rng, draw(styles), (x.shape[0], *kernel), "int8")
    bias = rng.integers(-(2**20), 2**20, x.shape[0])
    dtype = draw(dtypes)
    return _finish(
        draw, rng, [x],
        lambda requant: depthwise(x, weight, bias=bias, requant=requant, dtype=dtype, **window),
    )  # fmt: skip


@st.composite
def max_pool_cases(draw: Any) -> Case:
    rng = np.random.default_rng(draw(seeds))
    size, kernel, window = draw(_windows())
    x = spec("x", (draw(st.integers(1, 4)), *size), draw(dtypes))
    return _finish(draw, rng, [x], lambda _: max_pool(x, kernel, **window))


@st.composite
def avg_pool_cases(draw: Any) -> Case:
    rng = np.random.default_rng(draw(seeds))
    size, kernel, window = draw(_windows(dilations=1, most_padding=4))
    x = spec("x", (draw(st.integers(1, 4)), *size), draw(dtypes))
    dtype = draw(dtypes)
    return _finish(
        draw, rng, [x],
        lambda requant: avg_pool(x, kernel, requant=requant, dtype=dtype, **window),
    )  # fmt: skip


@st.composite
def add_cases(draw: Any) -> Case:
    rng = np.random.default_rng(draw(seeds))
    shape = draw(st.tuples(*[st.integers(1, 6)] * 3))
    a, b = (spec(name, shape, draw(dtypes)) for name in "ab")
    weights = draw(st.tuples(*[st.integers(-128, 127)] * 2))
    dtype = draw(dtypes)
    return _finish(
        draw, rng, [a, b], lambda requant: add(a, b, weights, requant=requant, dtype=dtype)
    )


@st.composite
def concat_cases(draw: Any) -> Case:
    rng = np.random.default_rng(draw(seeds))
    size, dtype = draw(st.tuples(*[st.integers(1, 6)] * 2)), draw(dtypes)
    channels = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    sources = [spec(f"x{i}", (c, *size), dtype) for i, c in enumerate(channels)]
    return _finish(draw, rng, sources, lambda _: concat(*sources))


LAYER_CASES = {
    "Conv2d": conv2d_cases(),
    "Depthwise": depthwise_cases(),
    "MaxPool2d": max_pool_cases(),
    "AvgPool2d": avg_pool_cases(),
    "Add": add_cases(),
    "Concat": concat_cases(),
}


def spilling() -> Graph:
    """Tensors that do not stay on the chip: a residual, a pool, a strided convolution."""
    rng = np.random.default_rng(8)
    x = spec("image", (3, 20, 19))

    def made(
        source: object, name: str, outputs: int, depth: int, side: int, **rest: object
    ) -> Conv2d:
        weight = rng.integers(-128, 128, (outputs, depth, side, side))
        scale = requant(rng.integers(2**14, 2**15, outputs), 24, "int8")
        return conv2d(source, weight, name, 77, scale, "int8", **rest)  # type: ignore[arg-type]

    one = made(x, "one", 16, 3, 3, padding=(1, 1, 1, 1))
    two = made(one.output, "two", 16, 16, 3, padding=(1, 1, 1, 1))
    added = add(one.output, two.output, (64, 90), "added", requant(2**14, 21, "int8"),
                       "int8")  # fmt: skip
    pool = max_pool(added.output, (3, 3), "pool", stride=(1, 1))
    last = made(pool.output, "last", 9, 16, 2, stride=(2, 2))
    return Graph("spilling", x, (one, two, added, pool, last))


def images_for(graph: Graph, count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, *graph.input.shape), np.uint8)


@cache
def small_network() -> Graph:
    """A convolution with a pool, a residual, a strided convolution, dense layers."""
    rng = np.random.default_rng(5)

    def made(source: Any, name: str, *shape: int, **window: Any) -> Any:
        """A convolution whose channels all differ in bias and scale."""
        taps = int(np.prod(shape[1:]))
        multipliers = rng.integers(2**14, 2**15, shape[0])
        return conv2d(
            source, rng.integers(-100, 101, shape), name, rng.integers(-5000, 5000, shape[0]),
            requant(multipliers, 20 + taps.bit_length() // 2, "int8"), "int8", **window,
        )  # fmt: skip

    # every pixel counts: nothing is padded, no window leaves a row or column over
    x = spec("image", (3, 14, 14))
    one = made(x, "one", 20, 3, 3, 3)
    pool = max_pool(one.output, (2, 2), "pool")
    two = made(pool.output, "two", 20, 20, 1, 1)
    added = requant(2**14, 21, "int8")
    three = add(two.output, pool.output, (70, 90), "three", added, "int8")
    four = made(three.output, "four", 18, 20, 3, 3)
    five = made(four.output, "five", 12, 18, 2, 2, stride=(2, 2))
    six = made(five.output, "six", 24, 12, 2, 2)
    seven = made(six.output, "seven", 10, 24, 1, 1)
    return Graph("small", x, (one, pool, two, three, four, five, six, seven))
