"""Values of weights and activations, read from `distributions.json` of `quantize`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FILE = "distributions.json"
_BINS = 64


@dataclass(frozen=True)
class WeightCounts:
    """The int8 weights of a layer: counts by bin from -128 on, share of 0, share of +-127."""

    bins: tuple[int, ...]
    zeros: float
    ends: float


@dataclass(frozen=True)
class TensorCounts:
    """A tensor over some images, floats in steps of the integers: see `quant.distributions`."""

    name: str
    low: int
    integers: tuple[int, ...]
    floats: tuple[int, ...]
    """Counts of floats: a bin below the range, one for each integer, a bin above the range."""
    zeros: float
    clipped: float
    bias_steps: float
    noise_steps: float
    pairs: tuple[tuple[float, int], ...]
    weights: WeightCounts | None


@dataclass(frozen=True)
class Distributions:
    """Distributions of the tensors of a graph, in its order."""

    images: int
    bin_steps: int
    tensors: tuple[TensorCounts, ...]


def from_json(document: Any) -> Distributions:
    """The object of the file that `quantize` wrote.

    Raises:
        KeyError, TypeError, ValueError: it did not write this.
    """
    tensors = tuple(_tensor(one) for one in document["tensors"])
    return Distributions(int(document["images"]), int(document["bin_steps"]), tensors)


def _tensor(one: Any) -> TensorCounts:
    weights = one["weights"]
    return TensorCounts(
        name=str(one["name"]),
        low=int(one["low"]),
        integers=_counts(one["integers"], _BINS),
        floats=_counts(one["floats"], _BINS + 2),
        zeros=float(one["zeros"]),
        clipped=float(one["clipped"]),
        bias_steps=float(one["bias_steps"]),
        noise_steps=float(one["noise_steps"]),
        pairs=tuple((float(a), int(b)) for a, b in one["pairs"]),
        weights=None if weights is None else _weights(weights),
    )


def _weights(one: Any) -> WeightCounts:
    return WeightCounts(_counts(one["bins"], _BINS), float(one["zeros"]), float(one["ends"]))


def _counts(values: Sequence[Any], bins: int) -> tuple[int, ...]:
    found = tuple(int(value) for value in values)
    if len(found) != bins:
        raise ValueError(f"{bins} bins are expected")
    return found
