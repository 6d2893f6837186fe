"""What results say: the largest channels, by name, as integers and as real values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.runtime.network import Network

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Ranked:
    """A channel of a result."""

    index: int
    name: str
    """The class, or `channel 3` where channels have no names."""
    value: int
    """The integer that the engine computed."""
    real: float | None
    """What it stands for; None where the scale is not known."""

    def __str__(self) -> str:
        return f"{self.name} {self.value}" + ("" if self.real is None else f" ({self.real:.4g})")


def rank(network: Network, results: npt.NDArray[Any], count: int = 3) -> list[list[Ranked]]:
    """The `count` largest channels of each result [K, P, Q], the largest first, of equal ones the
    first; of a channel with several pixels its largest."""
    found = []
    for values in results.reshape(len(results), results.shape[1], -1).max(2).astype(np.int64):
        order = np.argsort(-values, kind="stable")[:count].tolist()
        found.append([_ranked(network, at, int(values[at])) for at in order])
    return found


def name_of(network: Network, index: int) -> str:
    """How people call a channel of a result."""
    return network.classes[index] if network.classes else f"channel {index}"


def _ranked(network: Network, index: int, value: int) -> Ranked:
    real = None if network.scale is None else value * network.scale
    return Ranked(index, name_of(network, index), value, real)
