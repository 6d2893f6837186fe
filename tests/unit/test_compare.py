"""Where results differ, in words."""

from __future__ import annotations

import numpy as np
import pytest

from cnnaccel.runtime.compare import difference


def test_equal() -> None:
    assert difference(np.zeros((2, 3, 4, 5), np.int8), np.zeros((2, 3, 4, 5), np.int8)) == ""


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ([3], "all in channel 3"),
        ([3, 9], "all in channels 3, 9"),
        (range(1, 80, 8), "in 10 of 80 channels, all of them 1 + n * 8"),
        (range(7, 80, 4), "in 19 of 80 channels, all of them 3 + n * 4"),
        (range(20, 40), "in 20 of 80 channels"),
        (range(80), "960 of 960 values differ"),
    ],
)
def test_what_differs_first_and_what_all_have_in_common(channels: object, said: str) -> None:
    expected = np.zeros((1, 80, 3, 4), np.int8)
    got = expected.copy()
    got[:, list(channels)] = -7  # type: ignore[call-overload]
    first = min(channels)  # type: ignore[call-overload]
    found = difference(got, expected)
    assert found.startswith(f"image 0, channel {first}, y 0, x 0: got -7, expected 0, which golden")
    assert found.endswith(said)
