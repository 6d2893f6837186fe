"""The roof that array and DRAM put over a network, and its layers under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cnnaccel.predict.estimate import Estimate, Usage


class Point(NamedTuple):
    """A layer: operations per byte, and 10**9 operations per second."""

    layer: str
    intensity: float
    gops: float


@dataclass(frozen=True)
class Roof:
    """Reads and writes have a channel each, so bytes are those of the fuller one."""

    layers: tuple[Point, ...]
    """Layers that multiply."""
    intensity: float
    """Intensity of the whole network."""
    reach: tuple[float, float]
    """The intensities a picture shows, a factor of 2 beyond all that is in it."""


def roof_of(estimate: Estimate) -> Roof:
    """Predicted intensities of a network and its layers."""
    gops_per_macs = 2 * estimate.hardware.clock_mhz / 1e3
    points = tuple(
        Point(one.layer, 2 * one.macs / _busier([one]), gops_per_macs * one.macs / one.cycles)
        for one in estimate.layers
        if one.macs
    )
    whole = estimate.operations * estimate.images / _busier(estimate.layers)
    ends = [estimate.peak_gops / estimate.bus_gbytes, *(point.intensity for point in points)]
    ends += [whole] if whole else []
    return Roof(points, whole, (min(ends) / 2, max(ends) * 2))


def _busier(usages: Sequence[Usage]) -> int:
    """Bytes that are read, instructions included, or written: whichever are more."""
    read = sum(usage.read_bytes + usage.instruction_bytes for usage in usages)
    return max(read, sum(usage.written_bytes for usage in usages))
