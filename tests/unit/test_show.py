"""What `compile --show` and `--explain` print."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.explain import explain
from cnnaccel.compiler.lower.tasks import build
from cnnaccel.compiler.show import PASSES, show
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir.graph import Add, AnyLayer, Conv2d, Graph, TensorSpec
from tests.support import graphs
from tests.support.hardware import PYNQ, SMALLEST
from tests.support.networks import quantized

GOLDEN = Path(__file__).parents[1] / "golden" / "passes.txt"
SCREEN = 40, 150


def test_lenet(golden: Callable[[Path, str], None]) -> None:
    """Every pass on a screen of its own; docs/compiler.md shows the text."""
    compiled = compile_graph(quantized("lenet"), load_hardware("pynq_z1"))
    texts = [show(compiled, name) for name in PASSES]
    for text in texts:
        lines = text.splitlines()
        assert len(lines) <= SCREEN[0] and max(map(len, lines)) <= SCREEN[1]
    golden(GOLDEN, "\n\n".join([*texts, explain(compiled)]) + "\n")


@pytest.mark.parametrize("name", ["resnet8", "dscnn"])
def test_through_small_scratchpads(name: str) -> None:
    """A line for each task in each table; what the schedule says of a task, the reasons say too."""
    compiled = compile_graph(quantized(name), SMALLEST)
    schedule = compiled.schedule
    for one in ("lower", "plan", "emit"):
        text = show(compiled, one)
        assert all(f"{task.name} " in text for task in schedule.network.tasks)
    told = explain(compiled)
    for task in schedule.network.tasks:
        paragraph = told.split(f"\n{task.name}\n")[1].split("\n\n")[0]
        assert ("weights stay" if task.name in schedule.stored else "weights stream") in paragraph
        if task.joined:
            assert f"'{task.joined}'" in paragraph
    assert "pieces" in told and "in DRAM: " in told


def test_reasons_for_memory() -> None:
    """One tensor for two sizes of act: too large for one, cheaper in the other."""
    small = dataclasses.replace(PYNQ, act_kib=8, wgt_kib=8, par_groups=16)
    reasons = {
        load_hardware("tiny"): "in DRAM: 'one', 1,520 words; in act no room for a tile would be "
        "left to the tasks meanwhile",
        small: "kept: 'one', 760 words; in DRAM its tasks would cost 265 cycles more",
    }
    for hardware, reason in reasons.items():
        assert reason in explain(compile_graph(graphs.spilling(), hardware, 1))


SOURCE = graphs.spec("image", (8, 8, 8))


def conv(source: TensorSpec, name: str) -> Conv2d:
    """1x1, from 8 channels to 8."""
    weight = np.ones((8, 8, 1, 1), np.int8)
    return graphs.conv2d(source, weight, name, requant=graphs.requant(20_000, 20))


def plus(one: TensorSpec, other: TensorSpec, name: str) -> Add:
    return graphs.add(one, other, name=name, requant=graphs.requant(20_000, 20))


def reason(name: str, *layers: AnyLayer, apart: Sequence[str] = ()) -> str | None:
    """Why a layer is a task of its own."""
    return build(Graph("g", SOURCE, layers), HardwareConfig(), 1, apart).apart.get(name)


def test_reasons_of_max_pools() -> None:
    one = conv(SOURCE, "one")
    pool = graphs.max_pool(one.output, (2, 2), stride=(2, 2))
    assert reason("max", one, pool) is None
    assert "not even one tile" in str(reason("max", one, pool, apart=["max"]))
    overlapping = graphs.max_pool(one.output, (3, 3), stride=(2, 2))
    assert "overlap" in str(reason("max", one, overlapping))
    padded = graphs.max_pool(one.output, (2, 2), stride=(2, 2), padding=(1, 1, 1, 1))
    assert "pads" in str(reason("max", one, padded))
    dilated = graphs.max_pool(one.output, (2, 2), stride=(2, 2), dilation=(2, 2))
    assert "dilated" in str(reason("max", one, dilated))
    both = conv(one.output, "both")
    assert "2 layers read" in str(reason("max", one, pool, both))
    twice = graphs.max_pool(pool.output, (2, 2), "again", stride=(2, 2))
    assert reason("again", one, pool, twice) is not None
    assert "no layer makes" in str(reason("max", graphs.max_pool(SOURCE, (2, 2), stride=(2, 2))))


def test_reasons_of_additions() -> None:
    one, two = conv(SOURCE, "one"), conv(SOURCE, "two")
    add = plus(one.output, two.output, "add")
    assert reason("add", one, two, add) is None
    assert "not even one tile" in str(reason("add", one, two, add, apart=["add"]))
    assert "to itself" in str(reason("add", one, plus(one.output, one.output, "add")))
    assert "no layer makes" in str(reason("add", plus(SOURCE, SOURCE, "add")))
    second = plus(add.output, one.output, "second")
    assert "another addition" in str(reason("second", one, two, add, second))
    read_twice = conv(two.output, "three")
    late = plus(one.output, two.output, "add")
    assert "layers read" in str(reason("add", one, two, late, read_twice))
