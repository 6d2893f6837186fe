"""Requantization against Python's own integers, which have no width."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnaccel.errors import GraphError
from cnnaccel.ir.intmath import (
    INT32_MAX,
    INT32_MIN,
    MULTIPLIER_MAX,
    RANGES,
    SHIFT_MAX,
    multiplier_and_shift,
    requantize,
)

HALF = Fraction(1, 2)


def exact(acc: int, multiplier: int, shift: int, low: int, high: int) -> int:
    """round half up, in rational numbers."""
    return min(max(math.floor(Fraction(acc * multiplier, 2**shift) + HALF), low), high)


@pytest.mark.parametrize("dtype", RANGES)
@pytest.mark.parametrize("shift", range(9))
def test_all_small_operands(shift: int, dtype: str) -> None:
    """Every 9-bit accumulator with every 5-bit multiplier."""
    low, high = RANGES[dtype]
    acc, multiplier = np.arange(-256, 256), np.arange(32)
    found = requantize(acc[:, None], multiplier, shift, low, high)
    expected = [[exact(a, m, shift, low, high) for m in range(32)] for a in range(-256, 256)]
    assert found.tolist() == expected


@pytest.mark.parametrize("shift", range(1, SHIFT_MAX + 1))
def test_ties_go_up_for_both_signs(shift: int) -> None:
    """acc * multiplier = (2 * n + 1) * 2**(shift - 1), which is n + 1/2 steps."""
    for n in (-128, -3, -2, -1, 0, 1, 2, 126):
        product = (2 * n + 1) << (shift - 1)
        multiplier = min(1 << (shift - 1), 1 << 15)
        acc = product // multiplier
        if INT32_MIN <= acc <= INT32_MAX:
            around = requantize(np.arange(acc - 1, acc + 2), multiplier, shift, -128, 127)
            expected = [exact(a, multiplier, shift, -128, 127) for a in range(acc - 1, acc + 2)]
            assert around.tolist() == expected
            assert around[1] == n + 1


@pytest.mark.parametrize("multiplier", [0, 1, 32767, 32768, MULTIPLIER_MAX])
@pytest.mark.parametrize("shift", [0, 1, 31, 46, 47])
def test_extremes(multiplier: int, shift: int) -> None:
    accs = [INT32_MIN, INT32_MIN + 1, -(2**30), -1, 0, 1, 2**30, INT32_MAX - 1, INT32_MAX]
    for low, high in (*RANGES.values(), (-(2**62), 2**62)):
        found = requantize(np.array(accs, np.int32), multiplier, shift, low, high)
        assert found.tolist() == [exact(a, multiplier, shift, low, high) for a in accs]


def test_every_shift_at_the_ends_of_the_accumulator() -> None:
    accs, shifts = [INT32_MIN, INT32_MAX], list(range(SHIFT_MAX + 1))
    for multiplier in (1, MULTIPLIER_MAX):
        found = requantize(np.array(accs, np.int32)[:, None], multiplier, np.array(shifts), 0, 255)
        assert found.tolist() == [[exact(a, multiplier, s, 0, 255) for s in shifts] for a in accs]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 255, [0, 255]), (-128, 127, [-128, 127]), (7, 7, [7, 7])]
)
def test_saturates_at_both_ends(low: int, high: int, expected: list[int]) -> None:
    accs = np.array([INT32_MIN, INT32_MAX], np.int32)
    assert requantize(accs, 1, 0, low, high).tolist() == expected


operands = st.tuples(
    st.integers(INT32_MIN, INT32_MAX), st.integers(0, MULTIPLIER_MAX), st.integers(0, SHIFT_MAX)
)
batches = st.lists(operands, min_size=1, max_size=200)


def check(rows: list[tuple[int, int, int]]) -> None:
    """Wide limits, so that no clamp hides a bit; and unsigned limits on top."""
    acc, multiplier, shift = (np.array(column) for column in zip(*rows, strict=True))
    for low, high in ((-(2**62), 2**62), (0, 255)):
        found = requantize(
            acc.astype(np.int32), multiplier.astype(np.uint16), shift.astype(np.uint8), low, high
        )
        assert found.tolist() == [exact(*row, low, high) for row in rows]


@settings(max_examples=200)
@given(batches)
def test_any_operands(rows: list[tuple[int, int, int]]) -> None:
    check(rows)


@pytest.mark.slow
@settings(settings.get_profile("sweep"))
@given(batches)
def test_any_operands_sweep(rows: list[tuple[int, int, int]]) -> None:
    check(rows)


def test_operands_broadcast() -> None:
    acc = np.arange(-6, 6, dtype=np.int32).reshape(2, 3, 2)
    multiplier, shift = np.array([1, 2, 3], np.uint16), np.array([0, 1, 2], np.uint8)
    found = requantize(acc, multiplier[:, None], shift[:, None], -128, 127)
    for index in np.ndindex(acc.shape):
        channel = index[1]
        expected = exact(int(acc[index]), int(multiplier[channel]), int(shift[channel]), -128, 127)
        assert found[index] == expected
    assert requantize(np.array(5, np.int32), 3, np.array([0, 1]), 0, 255).tolist() == [15, 8]
    assert requantize(np.array(5, np.int32), 3, 1, 0, 255) == 8
    assert acc.reshape(-1).tolist() == list(range(-6, 6)), "the operand was written to"


def test_no_elements() -> None:
    assert requantize(np.zeros((0, 3), np.int32), 1, 2, 0, 255).shape == (0, 3)


# ---- multiplier_and_shift --------------------------------------------------------------------


def relative_error(ratio: float) -> Fraction:
    multiplier, shift = multiplier_and_shift(ratio)
    assert 0 <= multiplier <= MULTIPLIER_MAX and 0 <= shift <= SHIFT_MAX
    return abs(Fraction(multiplier, 2**shift) / Fraction(ratio) - 1)


LEAST_WITH_16_BITS = 2.0 ** (15 - SHIFT_MAX)


@given(st.floats(LEAST_WITH_16_BITS, MULTIPLIER_MAX))
def test_error_is_below_2_to_minus_16(ratio: float) -> None:
    assert relative_error(ratio) < Fraction(1, 2**16)


@given(st.floats(0, LEAST_WITH_16_BITS, exclude_min=True, exclude_max=True))
def test_small_ratios_are_within_half_a_step(ratio: float) -> None:
    multiplier, shift = multiplier_and_shift(ratio)
    assert shift == SHIFT_MAX or multiplier == 2**15
    assert abs(Fraction(multiplier, 2**shift) - Fraction(ratio)) <= Fraction(
        1, 2 ** (SHIFT_MAX + 1)
    )


@pytest.mark.parametrize("exponent", range(15 - SHIFT_MAX, 16))
def test_around_powers_of_two(exponent: int) -> None:
    """Where a mantissa rounds up to 1, the next shift takes over."""
    power = 2.0**exponent
    assert relative_error(power) == 0
    for ratio in (math.nextafter(power, 0), math.nextafter(power, math.inf), power * (1 - 2**-17)):
        if ratio >= LEAST_WITH_16_BITS:
            assert relative_error(ratio) < Fraction(1, 2**16)
    assert relative_error(power * 1.5) == 0


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0, (0, 0)),
        (0.0, (0, 0)),
        (1, (32768, 15)),
        (0.5, (32768, 16)),
        (65535, (65535, 0)),
        (65535.4999, (65535, 0)),
        (32768.5, (65537 // 2 + 1, 0)),
        (2.0**-47, (1, 47)),
        (2.0**-48, (1, 47)),
        (2.0**-49, (0, 47)),
        (5e-324, (0, 47)),
        (np.float32(1 / 3), (43691, 17)),
    ],
)
def test_particular_ratios(ratio: float, expected: tuple[int, int]) -> None:
    found = multiplier_and_shift(ratio)
    assert found == expected
    assert all(type(number) is int for number in found)


@pytest.mark.parametrize("ratio", [-1e-9, -1, 65535.5, 65536, 1e300, math.inf, -math.inf, math.nan])
def test_ratios_that_are_refused(ratio: float) -> None:
    with pytest.raises(GraphError, match="cannot requantize by"):
        multiplier_and_shift(ratio)
