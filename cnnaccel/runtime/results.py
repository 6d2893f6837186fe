"""What results say: the largest channels, by name, as integers and as real values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.runtime.network import Network
from cnnaccel.runtime.ports import split

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Ranked:
    """A channel of the first output."""

    index: int
    name: str
    """The class, or `channel 3` where channels have no names."""
    value: int | None
    """The integer that the engine computed; None where a host tail made something else of it."""
    real: float
    """The value of the output."""

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name} {self.real:.4g}"
        return f"{self.name} {self.value} ({self.real:.4g})"


def rank(network: Network, results: npt.NDArray[Any], count: int = 3) -> list[list[Ranked]]:
    """The `count` largest channels of the first output of each image, the largest first, of equal
    ones the first; of a channel with several elements its largest.

    Of an output without channels, as an arg max gives it, the number itself is the channel.
    """
    output = next(iter(network.outputs(results).values()))
    if output.ndim == 1:
        return [[Ranked(int(at), name_of(network, int(at)), None, float(at))] for at in output]
    real = _largest(output)
    plain = network.tail is None or not network.tail.steps
    whole = _largest(split(results, [one.shape for one in network.ports.outputs])[0])
    found = []
    for at, values in enumerate(real):
        order = np.argsort(-values, kind="stable")[:count].tolist()
        integers = [int(whole[at, index]) if plain else None for index in order]
        found.append(
            [
                Ranked(index, name_of(network, index), integers[place], float(values[index]))
                for place, index in enumerate(order)
            ]
        )
    return found


def name_of(network: Network, index: int) -> str:
    """How people call a channel of the first output."""
    return network.classes[index] if index < len(network.classes) else f"channel {index}"


def _largest(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[N, K]: the largest element of each channel, in a type that can be negated.

    Channels are the second dimension, as of a map; of a list, [N, elements, channels], the last.
    """
    kind = np.int64 if values.dtype.kind in "biu" else values.dtype
    if values.ndim == 3:
        return np.asarray(values.max(1), kind)
    return np.asarray(values.reshape(*values.shape[:2], -1).max(2), kind)
