"""Layers and small networks at random, and layers that are easily wrong."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cnnaccel.ir.graph import AnyLayer, Concat, Graph, TensorSpec
from tests.support import graphs

LANES = [(p, c, c * times) for p in (1, 2, 4, 8) for c in (4, 8, 16) for times in (1, 2, 4)]


def with_table(name: str, image: TensorSpec, layers: tuple[AnyLayer, ...]) -> Graph:
    """int8 images are pixels that the host has mapped through a table."""
    table = None
    if image.dtype == "int8":
        rng = np.random.default_rng(0)
        table = rng.permuted(
            np.arange(-128, 128, dtype=np.int8)[None].repeat(image.shape[0], 0), axis=1
        )
    return Graph(name, image, layers, table)


def alone(layer: AnyLayer, inputs: list[np.ndarray]) -> Graph:
    """A graph of one layer; what has two inputs gets them from layers before."""
    names = dict.fromkeys(layer.inputs)
    shapes = {
        name: TensorSpec(name, tensor.shape[1:], str(tensor.dtype), 1.0)  # type: ignore[arg-type]
        for name, tensor in zip(layer.inputs, inputs, strict=True)
    }
    if len(names) == 1 and not isinstance(layer, Concat):
        return with_table("alone", shapes[layer.inputs[0]], (layer,))
    rows, columns = inputs[0].shape[2:]
    pixels = graphs.spec("pixels", (3, rows, columns))
    rng = np.random.default_rng(0)
    made = [
        graphs.conv2d(
            pixels, rng.integers(-128, 128, (spec.shape[0], 3, 1, 1)), f"make {name}",
            requant=graphs.requant(3000, 18, spec.dtype), dtype=spec.dtype,
        )
        for name, spec in shapes.items()
    ]  # fmt: skip
    renamed = [f"make {name}" for name in layer.inputs]
    return Graph("alone", pixels, (*made, dataclasses.replace(layer, inputs=tuple(renamed))))


SINGLE = st.one_of(
    graphs.conv2d_cases(), graphs.depthwise_cases(), graphs.max_pool_cases(),
    graphs.avg_pool_cases(), graphs.add_cases(), graphs.concat_cases(),
)  # fmt: skip
CORNERS: dict[str, tuple[tuple[int, int, int], int, tuple[int, int], dict[str, Any]]] = {
    "one channel": ((1, 9, 13), 5, (3, 3), {"padding": (1, 1, 1, 1)}),
    "kernel 1": ((20, 5, 7), 9, (1, 1), {}),
    "kernel 1, one pixel": ((20, 1, 1), 9, (1, 1), {}),
    "even kernels": ((5, 8, 7), 6, (2, 4), {"padding": (1, 0, 2, 1)}),
    "kernel = input": ((6, 4, 3), 11, (4, 3), {}),
    "stride > kernel": ((5, 9, 11), 7, (2, 2), {"stride": (3, 5)}),
    "stride 4, kernel 11": ((3, 23, 31), 9, (11, 11), {"stride": (4, 4), "padding": (2,) * 4}),
    "stride 4, 6 channels": ((6, 23, 31), 9, (11, 11), {"stride": (4, 4), "padding": (2,) * 4}),
    "stride 8": ((9, 17, 25), 9, (3, 3), {"stride": (8, 8)}),
    "wide": ((7, 3, 61), 9, (3, 3), {"padding": (1, 1, 1, 1)}),
    "tall": ((7, 61, 3), 9, (3, 3), {"padding": (1, 1, 1, 1)}),
    "deep": ((150, 5, 6), 37, (3, 3), {"padding": (1, 1, 1, 1)}),
    "many outputs": ((9, 5, 6), 150, (1, 2), {}),
    "groups": ((32, 6, 5), 32, (3, 3), {"groups": 4, "padding": (1, 1, 1, 1)}),
    "dilation": ((4, 9, 10), 8, (3, 3), {"dilation": (2, 3), "padding": (2, 2, 3, 3)}),
    "unfolded, dilated rows": ((3, 12, 10), 8, (3, 3), {"dilation": (2, 1)}),
    "padding beyond the kernel": ((2, 5, 6), 8, (2, 2), {"padding": (3, 3, 3, 3)}),
}
KINDS = ("conv", "conv", "depthwise", "max", "fused max", "avg", "add", "concat", "dense", "reread")


@st.composite
def networks(draw: Any) -> Graph:
    """Layers that each read any tensor made so far; now and then a tail of dense layers."""
    rng = np.random.default_rng(draw(graphs.seeds))
    channels = draw(st.sampled_from((1, 1, 3, 3, 4, 5, 9, 20)))
    size = draw(st.tuples(st.integers(4, 17), st.integers(4, 17)))
    made = [graphs.spec("image", (channels, *size), draw(graphs.dtypes))]
    layers: list[AnyLayer] = []

    def take(layer: AnyLayer) -> None:
        layers.append(layer)
        made.append(layer.output)

    def scaled(channels: int, taps: float, dtype: Any) -> Any:
        shift = 21 + max(0, round(math.log2(taps) / 2)) - draw(st.integers(0, 1))
        count = draw(st.sampled_from((1, channels)))
        return graphs.requant(rng.integers(2**14, 2**16, count), shift, dtype)

    def conv(source: TensorSpec, kernel: Any, out: int, **window: Any) -> None:
        dtype = draw(graphs.dtypes)
        weight = rng.integers(-128, 128, (out, source.shape[0], *kernel))
        taps = math.prod(weight.shape[1:])
        take(graphs.conv2d(
            source, weight, f"l{len(layers)}", rng.integers(-999, 999, out),
            scaled(out, taps, dtype), dtype, **window,
        ))  # fmt: skip

    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)):
        source = made[-1] if draw(st.integers(0, 3)) else draw(st.sampled_from(made))
        depth, rows, columns = source.shape
        name = f"l{len(layers)}"
        kernel = tuple(draw(st.integers(1, min(side, 4))) for side in (rows, columns))
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel for _ in range(2))
        stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
        match kind:
            case "conv":
                out = draw(st.sampled_from((1, 5, 8, 12, 16, 33)))
                conv(source, kernel, out, stride=stride, padding=padding)
            case "depthwise":
                dtype = draw(graphs.dtypes)
                weight = rng.integers(-128, 128, (depth, *kernel))
                take(graphs.depthwise(
                    source, weight, name, 7, scaled(depth, math.prod(kernel), dtype), dtype,
                    stride=stride, padding=padding,
                ))  # fmt: skip
            case "max":
                take(graphs.max_pool(source, kernel, name, stride=stride, padding=padding))
            case "fused max":
                out = draw(st.sampled_from((3, 8, 17)))
                conv(source, (1, 1), out)
                take(graphs.max_pool(made[-1], kernel, f"l{len(layers)}"))
            case "avg":
                take(graphs.avg_pool(
                    source, kernel, name, graphs.requant(2**15, 17, source.dtype), source.dtype,
                    stride=stride, padding=padding,
                ))  # fmt: skip
            case "add":
                others = [other for other in made if other.shape == source.shape]
                if len(others) == 1:
                    conv(source, (3, 3), depth, padding=(1, 1, 1, 1))
                    others.append(made[-1])
                pair = draw(st.permutations((source, draw(st.sampled_from(others)))))
                dtype = draw(graphs.dtypes)
                weights = draw(st.tuples(*[st.integers(-128, 127)] * 2))
                requant = scaled(depth, 1, dtype)
                take(graphs.add(pair[0], pair[1], weights, f"l{len(layers)}", requant, dtype))
            case "concat":
                others = [
                    other for other in made
                    if (other.shape[1:], other.dtype) == (source.shape[1:], source.dtype)
                ]  # fmt: skip
                chosen = draw(st.lists(st.sampled_from(others), min_size=1, max_size=3))
                take(graphs.concat(*chosen, name=name))
            case "dense":
                conv(source, (rows, columns), draw(st.sampled_from((2, 10, 30))))
            case "reread":
                conv(source, (1, 1), 5, stride=(2, 2))
                conv(source, kernel, 9, stride=(1, 1))
    if draw(st.booleans()):
        for out in (20, 10):
            conv(made[-1], made[-1].shape[1:], out)
    return with_table("random", made[0], tuple(layers))
