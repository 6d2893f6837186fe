"""Which additions are done behind the layer before them, and the reasons of those that are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np
import pytest

from cnnaccel.compiler.lower.fuse import fuse
from cnnaccel.compiler.lower.join import JoinedAddition, joined_additions, separated
from cnnaccel.ir.graph import AnyLayer, Graph, TensorSpec
from tests.support import graphs

X = graphs.spec("x", (4, 6, 6))


def conv(source: TensorSpec, name: str) -> AnyLayer:
    return graphs.conv2d(source, np.ones((4, 4, 1, 1)), name)


def decided(
    *layers: AnyLayer, apart: Collection[str] = ()
) -> tuple[dict[str, JoinedAddition], dict[str, str]]:
    fused = fuse(Graph("g", X, layers), 4)
    return joined_additions(separated(fused.steps, apart), fused.layouts, apart)


A, B = conv(X, "a"), conv(X, "b")
SUM = graphs.add(A.output, B.output, name="sum")


def test_it_is_joined_to_the_later_operand() -> None:
    for operands in ((A, B), (B, A)):
        layer = graphs.add(operands[0].output, operands[1].output, name="sum")
        joined, reasons = decided(A, B, layer)
        assert reasons == {} and joined["sum"].layer.inputs == layer.inputs
        assert joined["sum"].after.layer is B and joined["sum"].other == "a"


POOL = graphs.max_pool(B.output, (2, 2), "pool")
SMALL = graphs.conv2d(X, np.ones((4, 4, 2, 2)), "small", stride=(2, 2))
REASONS: dict[str, tuple[tuple[AnyLayer, ...], str]] = {
    "itself": ((A, graphs.add(A.output, A.output, name="sum")), "adds a tensor to itself"),
    "image": ((graphs.add(X, X, name="sum"),), "which no layer makes"),
    "pool": (
        (SMALL, B, POOL, graphs.add(SMALL.output, POOL.output, name="sum")),
        "'b' is followed by max pool 'pool' already",
    ),
    "readers": (
        (A, B, SUM, graphs.add(SUM.output, B.output, name="last")),
        "2 layers read its operand 'b'",
    ),
    "concatenation": (
        (A, B, graphs.concat(A.output, B.output, name="both"), SUM),
        "its operand 'b' is a part of concatenation 'both'",
    ),
    "addition": (
        (A, B, SUM, graphs.add(SUM.output, X, name="last")),
        "its operand comes from another addition, 'sum'",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_why_not(name: str) -> None:
    layers, reason = REASONS[name]
    assert reason in str(decided(*layers)[1])


def test_apart_is_apart() -> None:
    joined, reasons = decided(A, B, SUM, apart=["sum"])
    assert joined == {} and reasons == {"sum": "joined, not even one tile fits the scratchpads"}
    fused = fuse(Graph("g", X, (B, POOL)), 4)
    assert [step.pool is not None for step in fused.steps] == [True]
    steps = separated(fused.steps, ["pool"])
    assert [step.layer.name for step in steps] == ["b", "pool"]
    assert all(step.pool is None for step in steps)
    assert separated(fused.steps, []) == fused.steps
    assert steps[0] == dataclasses.replace(fused.steps[0], pool=None)
