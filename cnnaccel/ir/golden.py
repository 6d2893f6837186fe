"""Executes a Graph in numpy. The interpreter, the RTL and the board must give the same numbers.

Convolutions run through BLAS, on float32 that carry integers. That is exact, in any order of
summation, while a sum stays below 2**24, so one product of matrices takes at most EXACT_TAPS taps;
longer sums are put together in int32. No other float appears.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from cnnaccel.errors import GraphError
from cnnaccel.ir import intmath
from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    AvgPool2d,
    Concat,
    Conv2d,
    Depthwise,
    Graph,
    MaxPool2d,
    Requant,
    Windowed,
)
from cnnaccel.runtime.ports import join

Array = npt.NDArray[Any]
EXACT_TAPS = 2**24 // (255 * 128)
CHUNK_BYTES = 64 << 20
"""About the activations a batch may hold at one time."""
BLOCK_BYTES = 2 << 20
"""About the temporaries of a layer: they stay in the cache, and a large image needs no more."""


def run(graph: Graph, images: Array) -> Array:
    """int8 or uint8[N, K, P, Q], the graph's result for uint8[N, C, H, W] pixels; of several
    results, what `runtime.ports.join` makes of them.

    Works through the batch in chunks, so memory stays bounded for any N.

    Raises:
        GraphError: the images do not have the graph's input shape.
    """
    kind = np.result_type(*(spec.dtype for spec in graph.results))
    out = np.empty((len(images), *graph.result_shape), kind)
    for chunk, values in run_chunks(graph, images):
        out[chunk] = values
    return out


def run_chunks(graph: Graph, images: Array) -> Iterator[tuple[slice, Array]]:
    """The results of `run`, piece by piece: which images, and what comes of them."""
    step = max(1, CHUNK_BYTES // sum(spec.elements for spec in graph.tensors().values()))
    for start in range(0, len(images), step):
        chunk = slice(start, min(start + step, len(images)))
        values = trace(graph, images[chunk], keep=())
        yield chunk, join([values[spec.name] for spec in graph.results])


def trace(graph: Graph, images: Array, keep: tuple[str, ...] | None = None) -> dict[str, Array]:
    """Every tensor of the graph by name, [N, C, H, W] each.

    `keep` names the tensors to return beside the results; None means all. Others are dropped after
    their last reader.
    """
    expected = graph.input.shape
    if images.ndim != 4 or images.shape[1:] != expected or images.dtype != np.uint8:
        raise GraphError(
            f"graph '{graph.name}' takes uint8 images of {list(expected)}, "
            f"got {images.dtype}{list(images.shape[1:])}"
        )
    results = {spec.name for spec in graph.results}
    values: dict[str, Array] = {graph.input.name: apply_input_table(graph, images)}
    for index, layer in enumerate(graph.layers):
        values[layer.output.name] = run_layer(layer, [values[name] for name in layer.inputs])
        if keep is not None:
            wanted = {name for later in graph.layers[index + 1 :] for name in later.inputs}
            wanted |= {*keep, *results}
            values = {name: value for name, value in values.items() if name in wanted}
    return values


def apply_input_table(graph: Graph, images: Array) -> Array:
    """The images as the engine reads them: uint8[N, C, H, W] pixels through the host's table."""
    if graph.input_table is None:
        return images
    channels = np.arange(graph.input.shape[0])[:, None, None]
    return np.asarray(graph.input_table[channels, images])


def run_layer(layer: AnyLayer, inputs: list[Array]) -> Array:
    """One layer on a batch: [N, C, H, W] in, [N, K, P, Q] of the output's element type out."""
    if isinstance(layer, Concat):
        return np.concatenate(inputs, axis=1)
    views = inputs if isinstance(layer, Add) else [windows_of(layer, inputs[0])]
    out = np.empty((len(inputs[0]), *layer.output.shape), layer.output.dtype)
    for images, rows in _blocks(layer, len(out)):
        out[images, :, rows] = _block(layer, [view[images, :, rows] for view in views])
    return out


def _blocks(layer: AnyLayer, images: int) -> Iterator[tuple[slice, slice]]:
    """Slices of images and of output rows, each of a size whose temporaries fit BLOCK_BYTES."""
    channels, rows, columns = layer.output.shape
    taps = layer.weight[0].size * layer.groups if isinstance(layer, Conv2d) else 0
    row_bytes = columns * (4 * taps + 16 * channels)  # float32 patches; int32, int64 and their sum
    some_rows = min(max(1, BLOCK_BYTES // row_bytes), rows)
    some_images = max(1, BLOCK_BYTES // (row_bytes * rows))
    for image in range(0, images, some_images):
        for row in range(0, rows, some_rows):
            yield slice(image, image + some_images), slice(row, row + some_rows)


def _block(layer: Windowed | Add, views: list[Array]) -> Array:
    """[N, K, P, Q], some images and rows of the output, from the same of `views`."""
    match layer:
        case Conv2d():
            return _requantize(layer.requant, _convolve(layer, views[0]))
        case Depthwise():
            acc = _weighted_sum(views[0], layer.weight) + layer.bias[:, None, None]
            return _requantize(layer.requant, acc)
        case AvgPool2d():
            ones = np.ones((views[0].shape[1], *layer.kernel), np.int8)
            return _requantize(layer.requant, _weighted_sum(views[0], ones))
        case Add():
            first, second = (
                np.multiply(view, weight, dtype=np.int32)
                for view, weight in zip(views, layer.weights, strict=True)
            )
            return _requantize(layer.requant, first + second)
        case MaxPool2d():
            return _maximum(views[0])
        case _:
            assert_never(layer)


def windows_of(layer: Windowed, x: Array) -> Array:
    """The elements under each window, [N, C, P, Q, R, S]: a view of padded x, not a copy."""
    top, bottom, left, right = layer.padding
    if any(layer.padding):
        nothing = np.iinfo(x.dtype).min if isinstance(layer, MaxPool2d) else 0
        margins = ((0, 0), (0, 0), (top, bottom), (left, right))
        x = np.pad(x, margins, constant_values=nothing)
    (kernel_y, kernel_x), (dy, dx), (sy, sx) = layer.kernel, layer.dilation, layer.stride
    spans = ((kernel_y - 1) * dy + 1, (kernel_x - 1) * dx + 1)
    view = np.lib.stride_tricks.sliding_window_view(x, spans, axis=(2, 3))  # type: ignore[call-overload]
    return np.asarray(view[:, :, ::sy, ::sx, ::dy, ::dx])


def _convolve(layer: Conv2d, windows: Array) -> Array:
    """int32[N, K, P, Q]: per group, weights times the patches of all images side by side."""
    images, _, rows, columns = windows.shape[:4]
    length = layer.weight[0].size
    patches = np.ascontiguousarray(windows.transpose(1, 4, 5, 0, 2, 3), np.float32)
    patches = patches.reshape(layer.groups, length, -1)
    weight = layer.weight.reshape(layer.groups, -1, length)
    acc: Array = np.zeros((layer.groups, weight.shape[1], patches.shape[2]), np.int32)
    for start in range(0, length, EXACT_TAPS):
        part = slice(start, start + EXACT_TAPS)
        acc += (weight[:, :, part].astype(np.float32) @ patches[:, part]).astype(np.int32)
    acc += layer.bias.reshape(layer.groups, -1, 1)
    return acc.reshape(-1, images, rows, columns).swapaxes(0, 1)


def _weighted_sum(windows: Array, weight: npt.NDArray[np.int8]) -> Array:
    """int32[N, C, P, Q]: the window of each channel times its weight[C, R, S], summed."""
    acc: Array = np.zeros(windows.shape[:4], np.int32)
    for r, s in np.ndindex(windows.shape[4:]):
        acc += windows[..., r, s] * weight[:, r, s, None, None].astype(np.int32)
    return acc


def _maximum(windows: Array) -> Array:
    out = windows[..., 0, 0].copy()
    for r, s in np.ndindex(windows.shape[4:]):
        np.maximum(out, windows[..., r, s], out=out)
    return out


def _requantize(requant: Requant, acc: Array) -> Array:
    return intmath.requantize(
        acc,
        requant.multiplier[:, None, None],
        requant.shift[:, None, None],
        requant.low,
        requant.high,
    )


def predictions(logits: Array) -> npt.NDArray[np.int64]:
    """int64[N]: index of the greatest output of [N, K, 1, 1], the first of equals."""
    return np.asarray(logits.reshape(len(logits), -1).argmax(axis=1))
