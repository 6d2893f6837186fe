"""The arithmetic of the accelerator, defined here and mirrored once in SystemVerilog and once in C.

    acc  = sum(activation * weight) + bias                       int32, proven not to overflow
    half = 1 << (shift - 1), or 0 if shift = 0
    out  = clamp((acc * multiplier + half) >> shift, low, high)

`>>` is the arithmetic shift, so ties round towards plus infinity ("round half up") for both signs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import GraphError

MULTIPLIER_MAX = 65535
SHIFT_MAX = 47
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
RANGES = {"uint8": (0, 255), "int8": (-128, 127)}

IntArray = npt.NDArray[Any]


def requantize(
    acc: IntArray,
    multiplier: IntArray | int,
    shift: IntArray | int,
    low: int,
    high: int,
) -> npt.NDArray[np.int64]:
    """clamp((acc * multiplier + half) >> shift, low, high), elementwise, operands broadcast.

    acc fits int32, multiplier 0..65535, shift 0..47: the sum has 49 bits, so int64 never wraps.
    """
    shift = np.asarray(shift, np.int64)
    half = (np.int64(1) << shift) >> 1
    out = np.array(np.multiply(acc, np.asarray(multiplier, np.int64), dtype=np.int64) + half)
    out >>= shift
    return np.clip(out, low, high, out=out)


def multiplier_and_shift(ratio: float) -> tuple[int, int]:
    """The (multiplier, shift) nearest to `ratio`, with as many of the 16 bits as fit.

    Raises:
        GraphError: the ratio is not in [0, 65535.5), or not finite.
    """
    if not 0 <= ratio < MULTIPLIER_MAX + 0.5:
        raise GraphError(f"cannot requantize by {ratio!r}: outside 0..{MULTIPLIER_MAX}")
    if ratio == 0:
        return 0, 0
    _, exponent = math.frexp(ratio)  # ratio = mantissa * 2**exponent, mantissa in [0.5, 1)
    shift = min(max(16 - exponent, 0), SHIFT_MAX)
    multiplier = math.floor(math.ldexp(ratio, shift) + 0.5)
    if multiplier > MULTIPLIER_MAX:  # the mantissa rounded up to 1
        multiplier, shift = multiplier >> 1, shift - 1
    return multiplier, shift
