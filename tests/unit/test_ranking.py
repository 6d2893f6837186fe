"""What results say, by the name of the channel: integers, lists of boxes, class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnaccel.runtime.network import Network
from cnnaccel.runtime.ports import Output, Ports
from cnnaccel.runtime.results import rank
from cnnaccel.runtime.tail import HostTail, Source, Step, Value

LANES = (0, 1, 2, -1)


def network(shape: tuple[int, int, int], *steps: Step, classes: tuple[str, ...] = ()) -> Network:
    """A network of one result, of steps of 0.5, and the steps that the host does with it."""
    ports = Ports((1, 2, 2), True, (Output("last", shape, "int8", 0.5, LANES),), 1, 4)
    name = steps[-1].name if steps else "x"
    tail = HostTail((Source("x", "last", shape),), steps, {}, (("output", name),))
    return Network("net", {}, b"", b"", ports, (), tail, None, classes)


def test_integers_and_real_values() -> None:
    """The largest first, of equal ones the first, of a map its largest pixel."""
    results = np.array([[[[1, -3]], [[7, 2]], [[7, 7]]]], np.int8)
    best = rank(network((3, 1, 2), classes=("a", "b", "c")), results)
    assert [[(one.index, one.value, one.real) for one in row] for row in best] == [
        [(1, 7, 3.5), (2, 7, 3.5), (0, 1, 0.5)]
    ]
    assert str(best[0][0]) == "b 7 (3.5)"
    assert [one.name for one in rank(network((3, 1, 2)), results, 1)[0]] == ["channel 1"]


def test_behind_a_host_tail_there_is_no_integer() -> None:
    results: Any = np.array([[[[4]], [[4]], [[0]]]], np.int8)
    doubled = Step("y", "mul.Tensor", (Value("x"), 2.0))
    (row,) = rank(network((3, 1, 1), doubled), results, 2)
    assert [(one.index, one.value, one.real) for one in row] == [(0, None, 4.0), (1, None, 4.0)]
    assert str(row[0]) == "channel 0 4"


def test_lists_and_numbers_of_classes() -> None:
    results = np.array([[[[1, 5]], [[3, 2]], [[0, 4]]]], np.int8)  # [1, 3, 1, 2]
    listed = Step("y", "reshape", (Value("x"), (1, 3, 2)))
    (row,) = rank(network((3, 1, 2), listed), results)
    assert [(one.index, one.real) for one in row] == [(1, 2.5), (0, 1.5)]
    flat = Step("y", "flatten.using_ints", (Value("x"), 1))
    most = Step("z", "argmax", (Value("y"), 1))
    (row,) = rank(network((3, 1, 2), flat, most, classes=("a", "b")), results)
    assert [(one.index, one.name) for one in row] == [(1, "b")]
