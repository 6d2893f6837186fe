"""Addresses of tensors in a scratchpad: one each, for as long as they are live.

Knows words and times, nothing of layers. A tensor lives from the step that writes it to the last
one that reads it; two that live at the same time share no word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cnnaccel.errors import ProgramError

Key = TypeVar("Key")


class DoesNotFitError(ProgramError):
    """A region found no place."""

    def __init__(self, region: Region[Any], capacity: int, free: int) -> None:
        super().__init__(
            f"'{region.name}' ({region.words} words) does not fit: {capacity} words, of which "
            f"{free} are free behind what else lives then"
        )
        self.region = region


@dataclass(frozen=True)
class Region(Generic[Key]):
    """A demand for `words` from step `first` to step `last`, both included."""

    name: Key
    """Whatever its owner knows it by; its text breaks ties."""
    words: int
    first: int
    last: int

    def meets(self, other: Region[Key]) -> bool:
        """Whether both are live in some step."""
        return self.first <= other.last and other.first <= self.last


def allocate(regions: Iterable[Region[Key]], capacity: int, unit: int) -> Mapping[Key, int]:
    """The first word of each region; regions begin and end on multiples of `unit`.

    The largest first, each at the lowest address free for all its life.

    Raises:
        DoesNotFitError: into `capacity` words; names the one that is left over.
    """
    placed: list[tuple[Region[Key], int, int]] = []
    for region in sorted(regions, key=lambda r: (-r.words, r.first, str(r.name))):
        words = -(-region.words // unit) * unit
        base = 0
        for _, start, end in sorted(
            (p for p in placed if p[0].meets(region)), key=lambda p: (p[1], p[2])
        ):
            if base + words <= start:
                break
            base = max(base, end)
        if base + words > capacity:
            raise DoesNotFitError(region, capacity, capacity - base)
        placed.append((region, base, base + words))
    return {region.name: base for region, base, _ in placed}
