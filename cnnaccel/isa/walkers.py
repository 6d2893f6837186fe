"""Jumps of a walker at each level of a loop nest, and the strides that they make.

A walker is an address, row or column that follows the nine counters of an instruction. The engine
adds one number to it after every step, the jump of the outermost level that changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from cnnaccel.isa.instructions import LEVELS


def jumps(bounds: Mapping[str, int], strides: Mapping[str, int], levels: int) -> tuple[int, ...]:
    """The jump of a walker when a level is the outermost to step: its stride, less what the
    levels inside, which start over, have moved it by. For the first `levels` of LEVELS."""
    result = []
    for outer, level in enumerate(LEVELS[:levels]):
        inside = sum(strides.get(name, 0) * (bounds[name] - 1) for name in LEVELS[outer + 1 :])
        result.append(strides.get(level, 0) - inside)
    return tuple(result)


def strides(bounds: tuple[int, ...], moves: tuple[int, ...]) -> tuple[int, ...]:
    """The inverse of `jumps`, a stride for each of the nine levels; those of bound 1 are 0."""
    result = [0] * len(LEVELS)
    inside = 0  # what the levels further in move it by
    for level in reversed(range(len(moves))):
        if bounds[level] > 1:
            result[level] = moves[level] + inside
            inside += result[level] * (bounds[level] - 1)
    return tuple(result)
