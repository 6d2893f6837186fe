"""A plan charges a task what is emitted for it: bytes loaded and stored, instructions.

`emit` asserts it too, so that every other test that compiles a network looks at it.
"""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

from cnnaccel.compiler.compile import choose
from cnnaccel.compiler.emit.emit import emit, moved
from cnnaccel.compiler.emit.tokens import Op
from cnnaccel.compiler.plan.schedule import Schedule, TooSmallError
from cnnaccel.compiler.plan.tiling import Moved
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir.graph import AnyLayer, Graph
from cnnaccel.isa.program import NOTHING
from tests.support import graphs
from tests.support.networks import quantized
from tests.support.random_graphs import CORNERS, SINGLE, alone, networks, with_table

ENGINES = {
    "tiny": load_hardware("tiny"),
    "pynq_z1": load_hardware("pynq_z1"),
    "pynq_z1_512": load_hardware("pynq_z1_512"),
    "zcu104": load_hardware("zcu104"),
    "8 KiB": HardwareConfig(act_kib=8, wgt_kib=8),
    "4 KiB": HardwareConfig(act_kib=4, wgt_kib=4, par_groups=16),
    "4 KiB, K = 64": HardwareConfig(
        input_lanes=16, output_lanes=64, act_kib=4, wgt_kib=4, par_groups=16
    ),
    "4 KiB, P = 1": HardwareConfig(
        pixel_lanes=1, input_lanes=4, output_lanes=16, act_kib=4, wgt_kib=4, par_groups=16
    ),
}


def compared(chosen: Schedule) -> Iterator[tuple[str, Moved, Moved]]:
    """By task: name, what is planned for an iteration of body, and what is emitted."""
    network = chosen.network
    owner = {task.name: task.name for task in network.tasks}
    owner |= {task.addition.name: task.name for task in network.tasks if task.addition}
    ops: dict[str, list[Op]] = defaultdict(list)
    for op in emit(chosen).body:
        if op.instruction is not NOTHING:
            ops[owner[op.note.layer]].append(op)
    for number, (task, tiling) in enumerate(zip(network.tasks, chosen.tilings, strict=True)):
        yield (
            task.name,
            tiling.moved * network.times(number),
            moved(chosen.hardware, ops[task.name]),
        )


def differences(network: str, engine: str, chosen: Schedule) -> list[str]:
    """A line for every task whose plan is not what is emitted."""
    return [
        f"{network} on {engine}, task '{task}': planned {planned}, emitted {emitted}"
        for task, planned, emitted in compared(chosen)
        if planned != emitted
    ]


def on_all(network: str, graph: Graph) -> list[str]:
    """For single images on all engines that the network fits."""
    found: list[str] = []
    for engine, hardware in ENGINES.items():
        with contextlib.suppress(TooSmallError):
            found += differences(network, engine, choose(graph, hardware, 1))
    return found


NETWORKS = ("lenet", "lenet_caffe", "resnet8", "dscnn")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [*NETWORKS, "every kind"])
def test_networks(name: str, engine: str) -> None:
    graph = quantized(name) if name in NETWORKS else graphs.every_kind()
    assert not differences(name, engine, choose(graph, ENGINES[engine]))


@cache
def corner(name: str) -> Graph:
    """A single convolution."""
    shape, outputs, kernel, window = CORNERS[name]
    source = graphs.spec("x", shape, "uint8")
    weight = np.ones((outputs, shape[0] // window.get("groups", 1), *kernel))
    return with_table(name, source, (graphs.conv2d(source, weight, **window),))


@cache
def pools() -> dict[str, Graph]:
    """Maxima that stand alone: padded, overlapping, of the image, of the whole of it."""
    found: dict[str, Graph] = {}
    for shape in ((1, 13, 9), (20, 13, 9)):
        image = graphs.spec("image", shape)
        for kernel, window in (
            ((3, 3), {"stride": (2, 2), "padding": (1, 1, 1, 1)}),
            ((2, 2), {}),
            ((3, 3), {"stride": (1, 1)}),
            (shape[1:], {}),
        ):
            pool = graphs.max_pool(image, kernel, **window)
            last = graphs.dense(pool.output, np.ones((3, math.prod(pool.output.shape))), name="fc")
            layers: tuple[AnyLayer, ...] = (pool, last)
            found[f"max pool {kernel} {window} of {shape}"] = Graph("pool", image, layers)
    return found


@pytest.mark.parametrize("name", [*CORNERS, *pools()])
def test_corners(name: str) -> None:
    found = on_all(name, corner(name) if name in CORNERS else pools()[name])
    assert not found, "\n".join(found)


def test_parts_are_looked_at() -> None:
    """Of the cuts above some are loaded part by part, and some not."""
    kinds = {
        tiling.cut.part_sources
        for engine in ("4 KiB", "4 KiB, K = 64", "4 KiB, P = 1")
        for name in CORNERS
        for tiling in choose(corner(name), ENGINES[engine], 1).tilings
        if len(tiling.cut.parts) > 1
    }
    assert kinds == {False, True}


@settings(max_examples=10)
@given(networks())
def test_any_network(graph: Graph) -> None:
    found = on_all("random", graph)
    assert not found, "\n".join(found)


@settings(max_examples=25)
@given(SINGLE)
def test_any_layer(case: graphs.Case) -> None:
    found = on_all("random", alone(*case))
    assert not found, "\n".join(found)


@pytest.mark.slow
@settings(settings.get_profile("sweep"))
@given(networks())
def test_any_network_sweep(graph: Graph) -> None:
    found = on_all("random", graph)
    assert not found, "\n".join(found)
