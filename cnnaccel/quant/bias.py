"""Bias correction: what rounding shifts a channel by, its bias takes back.

Rounded weights times activations that are never negative are wrong by an amount with a mean, and
the next layers amplify it. Layer by layer, on calibration images, each bias moves by the difference
between the float accumulator's mean and the integer one's (Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", 2019, section 4.2; here with images).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import fx

from cnnaccel.ir import golden, intmath
from cnnaccel.ir.graph import AnyLayer, Conv2d, Depthwise, Graph
from cnnaccel.ir.verify import verify
from cnnaccel.quant.canonical import CanonicalModel
from cnnaccel.quant.operators import aten

FloatArray = npt.NDArray[np.float64]
_BATCH = 32


def correct_biases(
    graph: Graph,
    weight_scales: Mapping[str, FloatArray],
    canonical: CanonicalModel,
    images: npt.NDArray[np.uint8],
) -> Graph:
    """The graph with other biases, verified. images: uint8[N, C, H, W] of the training split."""
    means = ChannelMeans(canonical.module)
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            means.run(canonical.prepare_input(torch.from_numpy(images[start : start + _BATCH])))
    return with_means(graph, weight_scales, means.by_layer(), images)


def with_means(
    graph: Graph,
    weight_scales: Mapping[str, FloatArray],
    targets: Mapping[str, FloatArray],
    images: npt.NDArray[np.uint8],
) -> Graph:
    """The graph with biases that give its accumulators, on these images, the means of `targets`."""
    specs = graph.tensors()
    values = {graph.input.name: golden.apply_input_table(graph, images)}
    layers: list[AnyLayer] = []
    for index, layer in enumerate(graph.layers):
        inputs = [values[name] for name in layer.inputs]
        if isinstance(layer, Conv2d | Depthwise) and layer.name in targets:
            step = specs[layer.inputs[0]].scale * weight_scales[layer.name]
            shift = targets[layer.name] / step - _mean_accumulator(layer, inputs[0])
            bias = np.clip(np.floor(layer.bias + shift + 0.5), intmath.INT32_MIN, intmath.INT32_MAX)
            layer = dataclasses.replace(layer, bias=bias.astype(np.int32))
        layers.append(layer)
        values[layer.output.name] = golden.run_layer(layer, inputs)
        wanted = {name for later in graph.layers[index + 1 :] for name in later.inputs}
        values = {name: value for name, value in values.items() if name in wanted}
    return verify(dataclasses.replace(graph, layers=tuple(layers)))


def _mean_accumulator(layer: Conv2d | Depthwise, x: npt.NDArray[np.generic]) -> FloatArray:
    """float64[K]: the mean over images and pixels, from the mean of each tap."""
    mean_image = x.mean(axis=0, dtype=np.float64, keepdims=True)
    taps = golden.windows_of(layer, mean_image).mean(axis=(0, 2, 3))  # [C, R, S]
    if isinstance(layer, Depthwise):
        products = layer.weight * taps
    else:
        grouped = taps.reshape(layer.groups, 1, -1)
        products = layer.weight.reshape(layer.groups, -1, grouped.shape[2]) * grouped
    total: FloatArray = products.reshape(len(layer.weight), -1).sum(axis=1) + layer.bias
    return total


class ChannelMeans(fx.Interpreter):
    """Runs a float graph, and keeps the mean of each convolution's result before any ReLU."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.sums: dict[str, torch.Tensor] = {}
        self.images = 0
        self.counts = True
        """Whether images that are run now count."""

    def run(self, *inputs: torch.Tensor) -> object:  # type: ignore[override]
        """The graph's output for float32[N, C, H, W]."""
        self.images += len(inputs[0]) if self.counts else 0
        return super().run(*inputs)

    def run_node(self, n: fx.Node) -> torch.Tensor:
        """The value of a node; that of a convolution is looked at."""
        value: torch.Tensor = super().run_node(n)
        if self.counts and n.target is aten.conv2d.default:
            mean = value.double().mean((2, 3)).sum(0)
            self.sums[n.meta["layer"]] = self.sums.get(n.meta["layer"], 0) + mean
        return value

    def by_layer(self) -> dict[str, FloatArray]:
        """float64[K] by layer."""
        return {name: total.cpu().numpy() / self.images for name, total in self.sums.items()}
