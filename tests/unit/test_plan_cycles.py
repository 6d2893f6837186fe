"""What the compiler makes of networks on engines: cycles, bytes, instructions, in a golden table.

A change of the plan's costs or of its search shows as a row that differs; `--update-golden` takes
it over, and the diff says whether it got better. Changes for the worse of each kind are tried here:
every one of them is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.estimate import estimate
from cnnaccel.hardware import load_hardware
from cnnaccel.ir.graph import AnyLayer, Graph, TensorSpec
from tests.unit import graphs
from tests.unit.test_networks_as_programs import quantized

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
ONE_BY_ONE = ("lenet", "lenet_caffe", "autoencoder")
"""Networks that have rows for single images too, as they take several at a time where it pays."""


@cache
def graph_of(network: str) -> Graph:
    return NETWORKS[network]()


def row(network: str, engine: str, images: int | None = None) -> str:
    """What the compiler makes of a network on an engine; images at a time, or the best number."""
    compiled = compile_graph(graph_of(network), ENGINES[engine], images)
    found = estimate(compiled, 1)
    return (
        f"{network} | {engine} | {found.images} | {found.cycles:,} | {found.alone_cycles:,} | "
        f"{sum(usage.dram_bytes for usage in found.layers):,} | {len(compiled.program.body):,}"
    )


def rows() -> Iterator[tuple[str, str, int | None]]:
    for network in NETWORKS:
        for engine in ENGINES:
            yield network, engine, None
            if network in ONE_BY_ONE:
                yield network, engine, 1


def test_golden_table(golden: Callable[[Path, str], None]) -> None:
    lines = [
        "network | engine | images at a time | cycles | cycles alone | DRAM bytes | instructions",
        *dict.fromkeys(row(*one) for one in rows()),
    ]
    golden(GOLDEN, "\n".join(lines) + "\n")
