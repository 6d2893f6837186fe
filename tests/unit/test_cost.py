"""What the compiler makes of networks on engines, as a golden table: cycles, bytes, instructions.

A change of the plan's costs or of its search shows as a row that differs; `--update-golden` takes
it over, and the diff says whether it got better. Changes for the worse of each kind are tried here:
every one of them is seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnaccel.compiler import compile
from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.plan import cost, schedule, tiling
from cnnaccel.compiler.plan.traffic import Flow, Sources
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir.graph import AnyLayer, Graph, TensorSpec
from cnnaccel.predict.estimate import estimate
from tests.support import graphs
from tests.support.networks import quantized

GOLDEN = Path(__file__).parents[1] / "golden" / "plan.txt"
ENGINES = {
    "tiny": load_hardware("tiny"),
    "pynq_z1": load_hardware("pynq_z1"),
    "pynq_z1_512": load_hardware("pynq_z1_512"),
    "zcu104": load_hardware("zcu104"),
    "pynq_z1 8/8 KiB": load_hardware("pynq_z1", ["act_kib=8", "wgt_kib=8"]),
    "pynq_z1_512 16/16 KiB": load_hardware("pynq_z1_512", ["act_kib=16", "wgt_kib=16"]),
}


def conv(source: TensorSpec, name: str, channels: int, kernel: int, stride: int = 1) -> Any:
    """Padded by half the kernel."""
    weight = np.ones((channels, source.shape[0], kernel, kernel))
    padding = (kernel // 2,) * 4
    return graphs.conv2d(source, weight, name, stride=(stride, stride), padding=padding)


def mobilenet() -> Graph:
    """Inverted residuals as in MobileNetV2: widen, by channel, narrow, add."""
    x = graphs.spec("image", (3, 24, 24))
    layers: list[AnyLayer] = [conv(x, "stem", 16, 3, 2)]
    for number, (channels, stride) in enumerate(((24, 2), (24, 1), (40, 2), (40, 1))):
        source = layers[-1].output
        wide = conv(source, f"{number}.widen", 6 * source.shape[0], 1)
        deep = graphs.depthwise(
            wide.output, np.ones((wide.output.shape[0], 3, 3)), f"{number}.depthwise",
            stride=(stride, stride), padding=(1, 1, 1, 1),
        )  # fmt: skip
        layers += [wide, deep, conv(deep.output, f"{number}.narrow", channels, 1)]
        if stride == 1:
            layers.append(graphs.add(layers[-1].output, source, name=f"{number}.add"))
    last = layers[-1].output
    mean = graphs.avg_pool(last, last.shape[1:], "mean", graphs.requant(2**15, 20))
    return Graph("mobilenet", x, (*layers, mean, graphs.dense(mean.output, np.ones((10, 40)))))


def branches() -> Graph:
    """A residual and a concatenation of branches, as in GoogLeNet."""
    x = graphs.spec("image", (3, 32, 32))
    stem = conv(x, "stem", 32, 3, 2)
    one = conv(stem.output, "one", 16, 1)
    three = conv(stem.output, "three", 24, 3)
    pool = graphs.max_pool(stem.output, (3, 3), "pool", stride=(1, 1), padding=(1, 1, 1, 1))
    joined = graphs.concat(one.output, three.output, pool.output, name="joined")
    narrow = conv(joined.output, "narrow", 32, 1)
    added = graphs.add(narrow.output, stem.output, name="added")
    last = conv(added.output, "last", 10, 3, 4)
    return Graph("branches", x, (stem, one, three, pool, joined, narrow, added, last))


def pool_first() -> Graph:
    """A maximum of the image, padded and overlapping, before anything has weights."""
    x = graphs.spec("image", (3, 48, 48))
    pool = graphs.max_pool(x, (3, 3), "pool", stride=(2, 2), padding=(1, 1, 1, 1))
    one = conv(pool.output, "one", 24, 5)
    again = graphs.max_pool(one.output, (2, 2), "again")
    two = conv(again.output, "two", 48, 3)
    return Graph("pool first", x, (pool, one, again, two, conv(two.output, "three", 10, 3, 2)))


def autoencoder() -> Graph:
    """Dense layers alone, as MLPerf Tiny has for anomalies."""
    x = graphs.spec("image", (640, 1, 1))
    layers: list[AnyLayer] = []
    for number, channels in enumerate((128, 128, 8, 128, 640)):
        source = layers[-1].output if layers else x
        weight = np.ones((channels, source.shape[0]))
        layers.append(graphs.dense(source, weight, name=f"fc{number}"))
    return Graph("autoencoder", x, tuple(layers))


NETWORKS: dict[str, Callable[[], Graph]] = {
    "lenet": lambda: quantized("lenet"),
    "lenet_caffe": lambda: quantized("lenet_caffe"),
    "resnet8": lambda: quantized("resnet8"),
    "dscnn": lambda: quantized("dscnn"),
    "mobilenet": mobilenet,
    "branches": branches,
    "pool first": pool_first,
    "autoencoder": autoencoder,
}
MANY = ("pynq_z1", "zcu104")
"""Engines with rows for the best number of images at a time; the others compute one, but LeNet."""


@cache
def graph_of(network: str) -> Graph:
    return NETWORKS[network]()


def row(network: str, engine: str, images: int | None = None) -> str:
    """What the compiler makes of a network on an engine; images at a time, or the best number."""
    compiled = compile_graph(graph_of(network), ENGINES[engine], images)
    found = estimate(compiled, 1)
    return (
        f"{network} | {engine} | {images or 'best'} | {found.images} | "
        f"{found.cycles:,} | {found.alone_cycles:,} | "
        f"{sum(usage.dram_bytes for usage in found.layers):,} | {len(compiled.program.body):,}"
    )


def rows() -> Iterator[tuple[str, str, int | None]]:
    for network in NETWORKS:
        for engine in ENGINES:
            yield network, engine, 1
            if engine in MANY or network == "lenet":
                yield network, engine, None


def test_golden_table(golden: Callable[[Path, str], None]) -> None:
    head = "network | engine | images asked for | taken | cycles | alone | bytes | instructions"
    golden(GOLDEN, "\n".join([head, *(row(*one) for one in rows())]) + "\n")


# ---- changes for the worse ---------------------------------------------------------------------


class Free(Flow):
    """A flow whose time is not counted; what it moves is."""

    def cycles(self, speed: float) -> float:
        return 0.0


def free(flow: Flow) -> Flow:
    return Free(flow.runs, flow.dram_bytes, flow.transfers, flow.unfold_cycles)


Patch = pytest.MonkeyPatch
CostModel = cost._CostModel
Search = schedule.Search


def wrap(patch: Patch, where: Any, name: str, change: Callable[..., Any]) -> None:
    """change(original, *arguments) instead of the function `name`."""
    original = getattr(where, name)
    patch.setattr(where, name, lambda *a, **k: change(original, *a, **k))


def one_buffer(original: Callable[..., Any], self: Any, cut: Any) -> list[Any]:
    return [slots for slots in original(self, cut) if max(slots) < 2]


def no_residents(hardware: HardwareConfig, network: Any) -> list[Any]:
    return [({}, range(hardware.wgt_words), range(hardware.par_groups))]


def summed(original: Callable[..., float], self: Any, amount: Any, *rest: Any) -> float:
    return original(self, amount, *rest) + sum(one.cycles(self.speed) for one in amount.sources)


def without_halo(original: Callable[..., Flow], self: Any, cut: Any, *rest: int) -> Flow:
    flow = original(self, cut, *rest)
    whole = self.tensor.size * self.hardware.input_lanes
    return dataclasses.replace(flow, dram_bytes=min(flow.dram_bytes, whole))


MUTANTS: dict[str, Callable[[Patch], None]] = {
    "stores take no time": lambda p: wrap(p, cost, "results_flow", lambda f, *a: free(f(*a))),
    "weights take no time": lambda p: wrap(p, cost, "weights_flow", lambda f, *a: free(f(*a))),
    "sources take no time": lambda p: wrap(p, Sources, "flow", lambda f, *a: free(f(*a))),
    "rows of the halo cost nothing": lambda p: wrap(p, Sources, "flow", without_halo),
    "bytes cost nothing": lambda p: p.setattr(tiling, "_BYTE_CYCLES", 0.0),
    "draining costs nothing": lambda p: p.setattr(cost, "PIPELINE_CYCLES", 0),
    "instructions begin at once": lambda p: p.setattr(cost, "ISSUE_CYCLES", 0),
    "nothing waits for a load": lambda p: p.setattr(CostModel, "_stalls", lambda *a: 0.0),
    "loads and computing add up": lambda p: wrap(p, CostModel, "_stalls", summed),
    "computing costs nothing": lambda p: p.setattr(CostModel, "_compute", lambda *a: 0.0),
    "images alone do not count": lambda p: p.setattr(cost, "_ALONE", 0.0),
    "blocks outside chunks only": lambda p: wrap(
        p, CostModel, "_cuts", lambda f, *a: (cut for cut in f(*a) if cut.blocks_outer)
    ),
    "the longest strips only": lambda p: wrap(
        p, cost, "lengths", lambda f, *a: [f(*a)[0], f(*a)[-1]]
    ),
    "one buffer only": lambda p: wrap(p, CostModel, "_slots", one_buffer),
    "two buffers only": lambda p: wrap(
        p, CostModel, "_slots", lambda f, *a: [slots for slots in f(*a) if 1 not in slots]
    ),
    "the first that fits": lambda p: p.setattr(
        Search, "_fitting", lambda self, number: (self._pareto_set(number)[1] or [None])[0]
    ),
    "nothing is resident": lambda p: p.setattr(Search, "_improve", lambda self: None),
    "no weights are resident": lambda p: p.setattr(schedule, "_residencies", no_residents),
    "some weights are always resident": lambda p: p.setattr(schedule, "_SHARES", (0.5,)),
    "all weights or none": lambda p: p.setattr(schedule, "_SHARES", (0.0,)),
    "no interleave": lambda p: wrap(
        p, schedule, "_interleaves", lambda f, *a: dict.fromkeys(f(*a), 1)
    ),
    "one image at a time": lambda p: p.setattr(compile, "batchable", lambda *a: False),
    "many images at any price": lambda p: p.setattr(compile, "_WORTH", 9.0),
    "the fewest images of many": lambda p: p.setattr(compile, "_WORTH_MORE", 0.5),
}
ROWS: list[tuple[str, str, int | None]] = [
    ("lenet", "pynq_z1", 1),
    ("lenet", "pynq_z1 8/8 KiB", 1),
    ("pool first", "pynq_z1 8/8 KiB", 1),
    ("branches", "pynq_z1 8/8 KiB", 1),
    ("mobilenet", "pynq_z1 8/8 KiB", 1),
    ("mobilenet", "zcu104", None),
    ("autoencoder", "zcu104", 1),
    ("resnet8", "pynq_z1", None),
]
"""Rows of the table that some change makes differ, the quickest first."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_table_shows(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change for the worse changes a row, or what is emitted is not what was planned."""
    known = GOLDEN.read_text(encoding="utf-8").splitlines()
    MUTANTS[mutant](monkeypatch)
    for one in ROWS:
        try:
            found = row(*one)
        except AssertionError as error:
            assert "planned" in str(error) and mutant == "rows of the halo cost nothing"
            return
        if found not in known:
            return
    raise AssertionError(f"no row differs when {mutant}")


# ---- alternatives ------------------------------------------------------------------------------

FAMILIES = (
    "blocks outside chunks only", "the longest strips only", "two buffers only",
    "no weights are resident", "some weights are always resident", "all weights or none",
    "nothing is resident",
)  # fmt: skip
"""Mutants that search fewer schedules, by the same costs."""
WITHIN = 1.05
"""The plan's costs are sums over tasks; by the estimate, which plays a program, a smaller search
may find what is better by so much."""


@pytest.mark.parametrize("network", ["lenet", "dscnn", "mobilenet", "branches", "pool first"])
def test_no_smaller_search_finds_better(network: str) -> None:
    """By the estimate, in 8 KiB, where there is most to choose."""

    def cycles() -> int:
        return estimate(compile_graph(graph_of(network), ENGINES["pynq_z1 8/8 KiB"], 1), 1).cycles

    chosen = cycles()
    assert chosen <= {"lenet": 15_416, "dscnn": 33_700}.get(network, chosen)
    for family in FAMILIES:
        with pytest.MonkeyPatch.context() as patch:
            MUTANTS[family](patch)
            other = cycles()
        assert chosen <= WITHIN * other, f"{chosen:,} cycles; {other:,} when {family}"
