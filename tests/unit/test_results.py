"""Several results of one network: each is golden's, also those that layers read on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.lower.results import with_results_apart
from cnnaccel.compiler.verify import interpret
from cnnaccel.errors import GraphError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Depthwise, Graph
from cnnaccel.ir.verify import verify
from cnnaccel.runtime.tail import HostTail, Source
from tests.support import graphs
from tests.support.networks import pixels

ENGINES = {
    "tiny": load_hardware("tiny"),
    "no room": HardwareConfig(act_kib=4, wgt_kib=4, par_groups=16),
}


def branches(*outputs: str) -> Graph:
    """A convolution that three layers read: a pool, a concatenation of its own, an addition."""
    x = graphs.spec("image", (3, 12, 10), "uint8")
    scaled = graphs.requant(20_000, 20)
    rng = np.random.default_rng(5)

    def weights(*shape: int) -> Any:
        return rng.integers(-99, 99, shape)

    stem = graphs.conv2d(x, weights(8, 3, 3, 3), "stem", 9, scaled, "uint8", padding=(1, 1, 1, 1))
    other = graphs.conv2d(
        stem.output, weights(8, 8, 3, 3), "other", 9, scaled, "uint8", padding=(1, 1, 1, 1)
    )
    pool = graphs.max_pool(stem.output, (2, 2), "pool", stride=(2, 2))
    joined = graphs.concat(stem.output, other.output, name="joined")
    added = graphs.add(stem.output, other.output, (90, -80), "added", graphs.requant(40_000, 22))
    signed = graphs.requant(20_000, 20, "int8")
    last = graphs.conv2d(joined.output, weights(5, 16, 1, 1), "last", 9, signed, "int8")
    return verify(Graph("branches", x, (stem, other, pool, joined, added, last), None, outputs))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "outputs",
    [
        ("last", "pool"),
        ("pool", "last", "added"),
        ("stem", "last"),
        ("joined", "other", "stem", "added", "pool", "last"),
        ("other",),
    ],
    ids="+".join,
)
def test_every_result_is_golden(outputs: tuple[str, ...], engine: str) -> None:
    graph, hardware = branches(*outputs), ENGINES[engine]
    images = pixels(graph.input.shape, 3)
    compiled = compile_graph(graph, hardware)
    found = interpret(hardware, compiled.program, compiled.ports, images)
    expected = golden.run(graph, images)
    assert found.dtype == expected.dtype and (found == expected).all()
    tensors = golden.trace(graph, images)
    real = graph.returned(found)
    assert tuple(real) == outputs == tuple(one.name for one in compiled.ports.outputs)
    for name in outputs:
        assert (real[name] == tensors[name] * graph.tensors()[name].scale).all()


def test_only_results_that_are_read_get_a_copy() -> None:
    apart = with_results_apart(branches("joined", "last", "pool"))
    copies = [layer for layer in apart.layers if layer.name.endswith(".result")]
    assert [type(copy) for copy in copies] == [Depthwise] and apart.outputs[0] == copies[0].name
    assert apart.outputs[1:] == ("last", "pool")
    whole = branches("last", "added")
    assert with_results_apart(whole) is whole


@pytest.mark.parametrize(
    ("outputs", "message"),
    [(("last", "last"), "twice"), (("nothing",), "'nothing'"), (("image",), "'image'")],
)
def test_results_that_cannot_be(outputs: tuple[str, ...], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        branches(*outputs)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("x", "stem", (8, 120)), "which is no result"),
        (Source("x", "last", (5, 12)), r"as \[5, 12\], it is \[5, 12, 10\]"),
    ],
)
def test_a_tail_reads_results_as_they_are(source: Source, message: str) -> None:
    tail = HostTail((source,), (), {}, (("output", "x"),))
    with pytest.raises(GraphError, match=message):
        verify(replace(branches("last", "pool"), tail=tail))
