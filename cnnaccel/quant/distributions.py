"""Values of weights and activations, layer by layer: floats beside the 8-bit integers.

Floats are counted in steps of the integer tensor, so that both share one axis. What is kept of a
tensor is a few hundred numbers, whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d, Depthwise, Graph, TensorSpec
from cnnaccel.quant.ptq import Quantized, float_tensors

BIN_STEPS = 4
"""Integers of a bin: 64 bins hold the 256 values of 8 bits."""
_VALUES = 1 << 25
"""About the activations that are looked at, over all tensors and images."""
_IMAGES = 64
_THINNED, _PAIRS = 8192, 96


@dataclass(frozen=True)
class WeightCounts:
    """The int8 weights of a layer."""

    bins: tuple[int, ...]
    """Counts from -128 on, `BIN_STEPS` integers each."""
    zeros: float
    """Share of the weights that are 0."""
    ends: float
    """Share of the weights that are -127 or 127: every channel has one where scales are its own."""


@dataclass(frozen=True)
class TensorCounts:
    """A tensor of the graph over some images: float network, and integer graph."""

    name: str
    low: int
    """Least value of its type."""
    integers: tuple[int, ...]
    """Values of the integer graph from `low` on, `BIN_STEPS` integers each."""
    floats: tuple[int, ...]
    """Values of the float network in the same bins, before them those below, after them those
    above the range."""
    zeros: float
    """Share of the integers that are 0."""
    clipped: float
    """Share of the floats that lie outside the range, by more than half a step."""
    bias_steps: float
    """Mean of integer minus float, in steps."""
    noise_steps: float
    """Root mean square of integer minus float, in steps."""
    pairs: tuple[tuple[float, int], ...]
    """Some values, float in steps and integer, rising; those that are 0 in both are left out."""
    weights: WeightCounts | None


@dataclass(frozen=True)
class Distributions:
    """Histograms of every tensor that the float network has as well, in the order of the graph."""

    images: int
    bin_steps: int
    tensors: tuple[TensorCounts, ...]


def distributions(quantized: Quantized, images: npt.NDArray[np.uint8]) -> Distributions:
    """Histograms over the first of these images, uint8[N, C, H, W]; fewer of large tensors."""
    graph = quantized.graph
    held = sum(spec.elements for spec in graph.tensors().values())
    some = images[: max(1, min(_IMAGES, _VALUES // held))]
    with torch.no_grad():
        floats = float_tensors(quantized.canonical, torch.from_numpy(some))
    integers = golden.trace(graph, some)
    weights = _weights(graph)
    found = [
        _tensor(spec, floats[name].numpy(), integers[name], weights.get(name))
        for name, spec in graph.tensors().items()
        if name in floats and not (name == graph.input.name and graph.input_table is None)
    ]
    return Distributions(len(some), BIN_STEPS, tuple(found))


def _weights(graph: Graph) -> dict[str, WeightCounts]:
    """Histograms of weights, by the name of the layer's output."""
    found = {}
    for layer in graph.layers:
        if isinstance(layer, Conv2d | Depthwise):
            counts = np.bincount(layer.weight.reshape(-1).astype(np.int64) + 128, minlength=256)
            ends = counts[1] + counts[255]
            share = 1 / layer.weight.size
            found[layer.output.name] = WeightCounts(
                _bins(counts), float(counts[128] * share), float(ends * share)
            )
    return found


def _tensor(
    spec: TensorSpec,
    floats: npt.NDArray[Any],
    integers: npt.NDArray[Any],
    weights: WeightCounts | None,
) -> TensorCounts:
    low, high = spec.range
    exact = floats.reshape(-1).astype(np.float64) / spec.scale
    values = integers.reshape(-1).astype(np.int64)
    outside = int(np.count_nonzero((exact < low - 0.5) | (exact > high + 0.5)))
    error = values - exact
    nearest = np.clip(np.rint(exact), low - 1, high + 1).astype(np.int64)
    counts = np.bincount(nearest - (low - 1), minlength=258)
    return TensorCounts(
        name=spec.name,
        low=low,
        integers=_bins(np.bincount(values - low, minlength=256)),
        floats=(int(counts[0]), *_bins(counts[1:257]), int(counts[257])),
        zeros=float((values == 0).mean()),
        clipped=outside / exact.size,
        bias_steps=float(error.mean()),
        noise_steps=float(np.sqrt((error**2).mean())),
        pairs=_pairs(exact, values),
        weights=weights,
    )


def _bins(counts: npt.NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(count) for count in counts.reshape(-1, BIN_STEPS).sum(axis=1))


def _pairs(
    exact: npt.NDArray[np.float64], values: npt.NDArray[np.int64]
) -> tuple[tuple[float, int], ...]:
    """Evenly from the tensor, then evenly by rank of the float."""
    thinned = np.linspace(0, exact.size - 1, min(exact.size, _THINNED)).astype(np.int64)
    exact, values = exact[thinned], values[thinned]
    shown = (values != 0) | (np.abs(exact) >= 0.5)
    exact, values = exact[shown], values[shown]
    order = np.argsort(exact, kind="stable")
    if len(order) > _PAIRS:
        order = order[np.linspace(0, len(order) - 1, _PAIRS).astype(np.int64)]
    return tuple((round(float(exact[at]), 1), int(values[at])) for at in order)
