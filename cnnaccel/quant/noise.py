"""Noise by layer: the network in float with chosen layers as int8 computes them.

A layer as in int8 has the integer graph's weights times their scales, and its result is rounded and
clipped to the values its tensor can hold, all in float arithmetic. Biases stay those of the float
network: a corrected one takes back what the layers before it do, and would be noise where they are
in float. So the figures are near those of the golden executor, not equal to them.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx

from cnnaccel.ir.graph import Conv2d, Depthwise, TensorSpec
from cnnaccel.quant.operators import aten
from cnnaccel.quant.ptq import FloatArray, Images, Progress, Quantized, decibels
from cnnaccel.quant.quantizer import KEEPS_NUMBERS, fused_clamp

_NEAR_DB = 6.0
"""A layer whose own noise comes so near that of the noisiest layer counts as noisy."""
_BAD_DB = 15.0
"""A layer that alone leaves the logits less SQNR than this counts as noisy, too."""
_MOST_DB = 99.0
"""The SQNR of a layer without noise."""


@dataclass(frozen=True)
class LayerNoise:
    """The cost of one layer's int8: SQNR of the logits in dB."""

    layer: str
    alone_db: float
    """This layer in int8, all others in float."""


@dataclass(frozen=True)
class LayerGain:
    """The gain of keeping one layer in float, all others in int8."""

    layer: str
    alone_db: float
    """This layer in int8, all others in float: SQNR of the logits in dB."""
    without_db: float
    gain_db: float
    """Over all layers in int8."""
    accuracy: float | None
    """Share of the images that are recognised; None without labels."""


@dataclass(frozen=True)
class Sensitivity:
    """Each layer that rounds, in order, and the whole on the same images."""

    images: int
    float_accuracy: float | None
    int8_accuracy: float | None
    int8_db: float
    layers: tuple[LayerGain, ...]


def layers_that_round(quantized: Quantized) -> list[str]:
    """Names, in order: all but those that pass numbers on."""
    return list(_Simulation(quantized).specs)


def alone(
    quantized: Quantized, images: Images, on_layer: Progress = lambda done: None
) -> tuple[LayerNoise, ...]:
    """Each layer's own noise, in the order of the layers, on images uint8[N, C, H, W]."""
    simulation = _Simulation(quantized)
    x = quantized.canonical.prepare_input(torch.from_numpy(images))
    exact = simulation.run(x, ())
    found = []
    for number, name in enumerate(simulation.specs, 1):
        found.append(LayerNoise(name, _level(simulation.again(exact, name, (name,)), exact)))
        on_layer(number)
    return tuple(found)


def first_noisy(noise: tuple[LayerNoise, ...]) -> LayerNoise:
    """The first layer that alone leaves the logits less than 15 dB; where none does, the first
    whose own noise comes within 6 dB of the noisiest layer's."""
    limit = max(min(layer.alone_db for layer in noise) + _NEAR_DB, _BAD_DB)
    return next(layer for layer in noise if layer.alone_db <= limit)


def sensitivity(
    quantized: Quantized,
    images: Images,
    labels: npt.NDArray[np.int64] | None,
    on_layer: Progress = lambda done: None,
) -> Sensitivity:
    """One layer at a time kept in float, its weights and its result; `on_layer` counts layers."""
    simulation = _Simulation(quantized)
    names = list(simulation.specs)
    x = quantized.canonical.prepare_input(torch.from_numpy(images))
    exact, rounded = simulation.run(x, ()), simulation.run(x, names)

    def right(values: _Values) -> float | None:
        if labels is None:
            return None
        return float((values.logits.flatten(1).argmax(1).numpy() == labels).mean())

    whole = _level(rounded, exact)
    rows = []
    for number, name in enumerate(names, 1):
        only = _level(simulation.again(exact, name, (name,)), exact)
        others = simulation.again(rounded, name, [other for other in names if other != name])
        without = _level(others, exact)
        rows.append(LayerGain(name, only, without, without - whole, right(others)))
        on_layer(number)
    return Sensitivity(len(images), right(exact), right(rounded), whole, tuple(rows))


@dataclass(frozen=True)
class _Values:
    """Results by node of the canonical graph."""

    by_node: dict[fx.Node, Tensor]
    logits: Tensor


def _level(values: _Values, exact: _Values) -> float:
    signal: FloatArray = exact.logits.double().numpy()
    level = decibels(signal, values.logits.double().numpy() - signal)
    return min(level, _MOST_DB) if np.isfinite(level) or level > 0 else -_MOST_DB


class _Simulation:
    """Runs a canonical graph with some layers as in int8."""

    def __init__(self, quantized: Quantized) -> None:
        graph, module = quantized.graph, quantized.canonical.module
        tensors = graph.tensors()
        self.nodes: list[fx.Node] = list(module.graph.nodes)
        self.interpreter = fx.Interpreter(module)
        self.specs: dict[str, TensorSpec] = {}
        self.ends: dict[fx.Node, str] = {}
        """Nodes whose result is rounded, and the layer each ends."""
        self.begins: dict[str, fx.Node] = {}
        self.weights: dict[str, Tensor] = {}
        for node in self.nodes:
            name = node.meta.get("layer")
            whole = node.op == "placeholder" and graph.input_table is None
            if name in tensors and node.target not in KEEPS_NUMBERS and not whole:
                self.specs[name], self.begins[name] = tensors[name], node
                self.ends[fused_clamp(node) or node] = name
        for layer in graph.layers:
            if isinstance(layer, Conv2d | Depthwise) and layer.name in quantized.weight_scales:
                scale = quantized.weight_scales[layer.name]
                weight = layer.weight[:, None] if isinstance(layer, Depthwise) else layer.weight
                steps = scale[:, None, None, None]
                self.weights[layer.name] = torch.from_numpy(weight * steps).float()

    def run(self, x: Tensor, rounded: Container[str]) -> _Values:
        """All nodes, those layers as in int8 whose names are among `rounded`."""
        return self._from(0, x, {}, rounded)

    def again(self, before: _Values, name: str, rounded: Container[str]) -> _Values:
        """The values of `before` up to the layer `name`, and those behind it computed with others
        rounded."""
        start = self.nodes.index(self.begins[name])
        kept = {node: before.by_node[node] for node in self.nodes[:start]}
        image = before.by_node[self.nodes[0]]
        return self._from(start, image, kept, rounded)

    def _from(
        self, start: int, x: Tensor, values: dict[fx.Node, Tensor], rounded: Container[str]
    ) -> _Values:
        with torch.no_grad():
            for node in self.nodes[start:]:
                if node.op == "placeholder":
                    values[node] = x
                elif node.op == "get_attr":
                    values[node] = self.interpreter.module.get_buffer(str(node.target))
                elif node.op == "output":
                    results = [values[one].flatten(1) for one in node.all_input_nodes]
                    return _Values(values, torch.cat(results, 1))
                else:
                    values[node] = self._call(node, values, rounded)
                if (name := self.ends.get(node)) is not None and name in rounded:
                    values[node] = _rounded(values[node], self.specs[name])
        raise AssertionError("a graph ends with its output")

    def _call(
        self, node: fx.Node, values: dict[fx.Node, Tensor], rounded: Container[str]
    ) -> Tensor:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
        if node.target is aten.conv2d.default and node.meta["layer"] in rounded:
            args = (args[0], self.weights[node.meta["layer"]], *args[2:])
        operator: Callable[..., Tensor] = node.target  # type: ignore[assignment]
        return operator(*args, **kwargs)


def _rounded(value: Tensor, spec: TensorSpec) -> Tensor:
    low, high = spec.range
    steps = torch.floor(value.double() / spec.scale + 0.5).clamp(low, high)
    return (steps * spec.scale).float()
