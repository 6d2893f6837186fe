"""Rows and columns of a network exchanged, where the engine counts too few rows for it.

An instruction counts 2,047 rows and 65,535 columns. Sums and maxima over a window do not care which
axis is which, so a network on tall images is the same network on wide ones, kernels and all
transposed; `Ports.transposed` tells the host to do the same to images and results.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from cnnaccel.compiler.lower.loopnest import MOST_ROWS
from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    AvgPool2d,
    Concat,
    Conv2d,
    Depthwise,
    Graph,
    MaxPool2d,
    Pair,
    TensorSpec,
)


def is_tall(graph: Graph) -> bool:
    """Whether a layer reads more rows than an instruction counts, and none has so many columns."""
    tensors = graph.tensors()
    read = {name for layer in graph.layers for name in layer.inputs}
    rows, columns = (max(tensors[name].shape[axis] for name in read) for axis in (1, 2))
    return columns <= MOST_ROWS < rows


def oriented(graph: Graph) -> Graph:
    """The graph that is compiled: with rows and columns exchanged where it is tall."""
    return transposed(graph) if is_tall(graph) else graph


def transposed(graph: Graph) -> Graph:
    """The graph that makes of transposed images the transposed results of `graph`."""
    layers = tuple(_layer(layer) for layer in graph.layers)
    return dataclasses.replace(graph, input=_spec(graph.input), layers=layers)


def _layer(layer: AnyLayer) -> AnyLayer:
    output = _spec(layer.output)
    if isinstance(layer, Add | Concat):
        return dataclasses.replace(layer, output=output)
    top, bottom, left, right = layer.padding
    stride, padding = _pair(layer.stride), (left, right, top, bottom)
    match layer:
        case Conv2d() | Depthwise():
            weight = np.ascontiguousarray(np.swapaxes(layer.weight, -1, -2))
            return dataclasses.replace(
                layer, output=output, weight=weight, stride=stride, padding=padding,
                dilation=_pair(layer.dilation),
            )  # fmt: skip
        case MaxPool2d():
            return dataclasses.replace(
                layer, output=output, kernel=_pair(layer.kernel), stride=stride, padding=padding,
                dilation=_pair(layer.dilation),
            )  # fmt: skip
        case AvgPool2d():
            return dataclasses.replace(
                layer, output=output, kernel=_pair(layer.kernel), stride=stride, padding=padding
            )


def _spec(spec: TensorSpec) -> TensorSpec:
    channels, rows, columns = spec.shape
    return dataclasses.replace(spec, shape=(channels, columns, rows))


def _pair(pair: Pair) -> Pair:
    return pair[1], pair[0]
