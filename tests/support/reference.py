"""What a Graph computes, said a second time: torch in float64, then exact integers.

Shares no arithmetic with cnnaccel, only the dataclasses. Every sum is an integer below 2**53, so
float64 holds it exactly. Rounding is the textbook floor(x + 1/2), as one floor division.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

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
)


def reference_graph(graph: Graph, images: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of the graph by name, for uint8[N, C, H, W] pixels."""
    values = {graph.input.name: images}
    if graph.input_table is not None:
        planes = [row[images[:, c]] for c, row in enumerate(graph.input_table)]
        values[graph.input.name] = np.stack(planes, axis=1)
    for layer in graph.layers:
        inputs = [values[source] for source in layer.inputs]
        values[layer.output.name] = reference_layer(layer, inputs)
    return values


def reference_layer(layer: AnyLayer, inputs: list[np.ndarray]) -> np.ndarray:
    """[N, C, H, W] in, [N, K, P, Q] of the output's element type out."""
    tensors = [torch.from_numpy(np.array(array, np.float64)) for array in inputs]
    x = tensors[0]
    if isinstance(layer, Conv2d | Depthwise):
        weight = torch.from_numpy(layer.weight.astype(np.float64))
        acc = F.conv2d(
            _padded(x, layer.padding, 0.0),
            weight[:, None] if isinstance(layer, Depthwise) else weight,
            torch.from_numpy(layer.bias.astype(np.float64)),
            stride=layer.stride,
            dilation=layer.dilation,
            groups=len(weight) if isinstance(layer, Depthwise) else layer.groups,
        )
        out = _requantized(acc, layer.requant)
    elif isinstance(layer, AvgPool2d):
        padded = _padded(x, layer.padding, 0.0)
        acc = F.avg_pool2d(padded, layer.kernel, layer.stride, divisor_override=1)
        out = _requantized(acc, layer.requant)
    elif isinstance(layer, MaxPool2d):
        padded = _padded(x, layer.padding, -torch.inf)
        out = F.max_pool2d(padded, layer.kernel, layer.stride, dilation=layer.dilation)
    elif isinstance(layer, Add):
        acc = layer.weights[0] * tensors[0] + layer.weights[1] * tensors[1]
        out = _requantized(acc, layer.requant)
    else:
        assert isinstance(layer, Concat)
        out = torch.cat(tensors, dim=1)
    exact = out.numpy().astype(layer.output.dtype)
    assert (exact == out.numpy()).all(), "the reference left the range of its own output"
    return exact


def _padded(x: torch.Tensor, padding: tuple[int, int, int, int], value: float) -> torch.Tensor:
    top, bottom, left, right = padding
    return F.pad(x, (left, right, top, bottom), value=value)


def _requantized(acc: torch.Tensor, requant: Requant) -> torch.Tensor:
    """floor(a * m / 2**s + 1/2), which is (2 * a * m + 2**s) // (2 * 2**s)."""
    sums = acc.to(torch.int64)
    assert torch.equal(sums.to(torch.float64), acc)
    multiplier = torch.from_numpy(requant.multiplier.astype(np.int64))[:, None, None]
    power = torch.from_numpy(2 ** requant.shift.astype(np.int64))[:, None, None]
    quotient = torch.div(2 * sums * multiplier + power, 2 * power, rounding_mode="floor")
    return quotient.clamp(requant.low, requant.high)
