"""Where results differ from what they must be, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_SHOWN = 8
"""Channels that are named."""


def difference(got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> str:
    """Where [N, K, P, Q] differs first from what golden computes, and in how many values; or ``."""
    wrong = np.argwhere(got != expected)
    if not len(wrong):
        return ""
    image, channel, y, x = at = tuple(wrong[0].tolist())
    return (
        f"image {image}, channel {channel}, y {y}, x {x}: got {got[at]}, expected {expected[at]}, "
        f"which golden computes; {len(wrong):,} of {got.size:,} values differ"
        f"{_channels(np.unique(wrong[:, 1]).tolist(), got.shape[1])}"
    )


def _channels(wrong: list[int], count: int) -> str:
    """Which channels values differ in, where that says something."""
    if len(wrong) == count:
        return ""
    if len(wrong) == 1:
        return f", all in channel {wrong[0]}"
    if len(wrong) > _SHOWN:
        return f", in {len(wrong):,} of {count:,} channels{_pattern(wrong)}"
    return f", all in channels {', '.join(map(str, wrong))}"


def _pattern(wrong: list[int]) -> str:
    """What many channels have in common, as those of one output lane have."""
    for lanes in (64, 32, 16, 8, 4):
        if len({channel % lanes for channel in wrong}) == 1:
            return f", all of them {wrong[0] % lanes} + n * {lanes}"
    return ""
