"""Additions that are joined to the layer before them, and why others are not.

An addition is done chunk by chunk right after its later operand, whose results then never leave the
buffer they are made in.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cnnaccel.compiler.lower.fuse import Layout, Step
from cnnaccel.ir.graph import Add


@dataclass(frozen=True)
class JoinedAddition:
    """An addition, and the step that makes its later operand."""

    layer: Add
    after: Step
    other: str
    """The tensor that is added."""


def separated(steps: Sequence[Step], apart: Collection[str]) -> tuple[Step, ...]:
    """The steps; max pools whose names are in `apart` are steps of their own."""
    found: list[Step] = []
    for step in steps:
        if step.pool is not None and step.pool.name in apart:
            found += [dataclasses.replace(step, pool=None), Step(step.pool)]
        else:
            found.append(step)
    return tuple(found)


def joined_additions(
    steps: Sequence[Step], layouts: Mapping[str, Layout], apart: Collection[str]
) -> tuple[dict[str, JoinedAddition], dict[str, str]]:
    """Additions that are joined, by name, and the reasons of those that are not.

    apart: names of layers that did not fit when they were joined.
    """
    makers = {step.output.name: number for number, step in enumerate(steps)}
    readers = Counter(name for step in steps for name in step.layer.inputs)
    joined: dict[str, JoinedAddition] = {}
    reasons: dict[str, str] = {}
    taken: set[str] = set()
    for layer in (step.layer for step in steps):
        if not isinstance(layer, Add):
            continue
        late = max(layer.inputs, key=lambda name: makers.get(name, -1))
        other = next((name for name in layer.inputs if name != late), None)
        before = steps[makers[late]] if late in makers else None
        reason = _obstacle(before, other, readers[late], layouts[late])
        if layer.name in apart:
            reason = "joined, not even one tile fits the scratchpads"
        elif before is not None and before.layer.name in taken:
            reason = f"'{before.layer.name}' has another addition behind it"
        if reason is not None:
            reasons[layer.name] = reason
            continue
        assert before is not None and other is not None
        taken.add(before.layer.name)
        joined[layer.name] = JoinedAddition(layer, before, other)
    return joined, reasons


def _obstacle(before: Step | None, other: str | None, readers: int, late: Layout) -> str | None:
    """Why an addition cannot follow `before`, the step that makes its later operand `late`."""
    if before is None:
        return "its operands are the image or a concatenation, which no layer makes"
    if other is None:
        return "it adds a tensor to itself"
    if before.pool is not None:
        return f"'{before.layer.name}' is followed by max pool '{before.pool.name}' already"
    if isinstance(before.layer, Add):
        return f"its operand comes from another addition, '{before.layer.name}'"
    if readers > 1:
        return f"{readers} layers read its operand '{late.spec.name}'"
    if late.root != late.spec.name:
        return f"its operand '{late.spec.name}' is a part of concatenation '{late.root}'"
    return None
