"""Results that nothing else reads: a copy of each that a layer of the network reads too.

A tensor in OUTPUT is written once and never kept on the chip. The network goes on with its own
tensor, which may stay there, and the copy is the result.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from cnnaccel.ir.graph import AnyLayer, Depthwise, Graph, Requant, TensorSpec


def with_results_apart(graph: Graph) -> Graph:
    """The graph whose results no layer reads; they stand in the same order."""
    read = {name for layer in graph.layers for name in layer.inputs}
    copied = {spec.name: f"{spec.name}.result" for spec in graph.results if spec.name in read}
    if not copied:
        return graph
    layers: list[AnyLayer] = []
    for layer in graph.layers:
        layers.append(layer)
        if (name := layer.output.name) in copied:
            layers.append(_copy(layer.output, copied[name]))
    outputs = tuple(copied.get(spec.name, spec.name) for spec in graph.results)
    return dataclasses.replace(graph, layers=tuple(layers), outputs=outputs, tail=None)


def _copy(spec: TensorSpec, name: str) -> Depthwise:
    """A layer that changes nothing."""
    channels, (low, high) = spec.shape[0], spec.range
    one = Requant(np.ones(1, np.uint16), np.zeros(1, np.uint8), low, high)
    weight, bias = np.ones((channels, 1, 1), np.int8), np.zeros(channels, np.int32)
    return Depthwise(name, (spec.name,), dataclasses.replace(spec, name=name), weight, bias, one)
