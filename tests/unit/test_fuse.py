"""Whole networks as steps on one scratchpad: every tensor that is written equals golden's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cnnaccel.compiler.lower.fuse import Fused, Lanes, fuse
from cnnaccel.compiler.lower.loopnest import Pool, interleave_for
from cnnaccel.compiler.lower.place import Place
from cnnaccel.compiler.plan.allocate import Region, allocate
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Add, Concat, Conv2d, Graph, MaxPool2d
from cnnaccel.isa.random_instruction import fresh
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.nn.models import build_model
from tests.support.nests import fill, get, map_layer, put, run
from tests.support.networks import quantized_module

LARGE = HardwareConfig(act_kib=4096, wgt_kib=4096, par_groups=1024)
WIDE = HardwareConfig(
    pixel_lanes=2, input_lanes=4, output_lanes=16, act_kib=2048, wgt_kib=4096, par_groups=1024
)


class Joined(nn.Module):
    """Concatenations: nested, of one tensor twice, of the image, read by pools and additions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(3, 13, 1)
        self.c, self.d = nn.Conv2d(25, 25, 1), nn.Conv2d(28, 25, 3, padding=1)
        self.fc = nn.Linear(50, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = torch.relu(self.a(x)), torch.relu(self.b(x))
        first = torch.cat([a, b], 1)
        second = torch.cat([x, torch.cat([b, a], 1)], 1)
        total = first + self.c(first) + self.d(second)
        pooled = nn.functional.max_pool2d(total, 3, 2, 1)
        twice = torch.cat([pooled, pooled], 1)
        out: torch.Tensor = self.fc(twice.mean((2, 3)))
        return out


NETWORKS = {
    "lenet": (lambda: build_model("lenet", {}), (1, 28, 28)),
    "lenet_caffe": (lambda: build_model("lenet_caffe", {}), (1, 28, 28)),
    "resnet8": (lambda: build_model("resnet8", {}), (3, 32, 32)),
    "dscnn": (lambda: build_model("dscnn", {}), (1, 49, 10)),
    "joined": (Joined, (3, 9, 10)),
}


@pytest.fixture(scope="module", params=NETWORKS)
def graph(request: pytest.FixtureRequest) -> Graph:
    make, shape = NETWORKS[request.param]
    return quantized_module(make(), shape)


def places(hw: HardwareConfig, graph: Graph, fused: Fused) -> dict[str, Place]:
    """All tensors whole, each root where it is free for as long as one of its parts lives."""
    width, count = hw.input_lanes, len(fused.steps)
    used: dict[str, list[int]] = {fused.layouts[graph.input.name].root: [0]}
    strides: dict[str, int] = {}
    for number, step in enumerate(fused.steps):
        for name in (*step.layer.inputs, step.output.name):
            used.setdefault(fused.layouts[name].root, []).append(number)
        if not isinstance(step.layer, Add | Concat):
            root = fused.layouts[step.layer.inputs[0]].root
            across = step.layer.stride[1]
            if step.pool is not None and hw.pixel_lanes % step.pool.kernel[1]:
                across *= step.pool.kernel[1]
            strides[root] = max(strides.get(root, 1), interleave_for(hw, across))
    used[fused.layouts[graph.results[0].name].root].append(count)
    spans = {root: fused.layouts[root] for root in used}
    sizes = {
        root: len(layout.lanes) // width * layout.spec.shape[1] * layout.spec.shape[2]
        for root, layout in spans.items()
    }
    unit = 4 * hw.pixel_lanes
    bases = allocate(
        [Region(root, sizes[root], min(when), max(when)) for root, when in used.items()],
        hw.act_words, unit,
    )  # fmt: skip
    found = {}
    for name, layout in fused.layouts.items():
        _, rows, columns = layout.spec.shape
        if layout.root in bases:
            found[name] = Place(
                bases[layout.root] + layout.offset * rows * columns,
                len(layout.lanes) // width, rows, columns, layout.spec.dtype == "int8",
                strides.get(layout.root, 1),
            )  # fmt: skip
    return found


def execute(
    hw: HardwareConfig, graph: Graph, image: np.ndarray, image_lanes: Lanes | None = None
) -> tuple[Fused, Scratchpads, int]:
    """Run all steps; after each, what it wrote must be golden's."""
    fused = fuse(graph, hw.input_lanes, image_lanes)
    where = places(hw, graph, fused)
    values = golden.trace(graph, image[None])
    pads = fresh(hw)
    lanes = {name: layout.lanes for name, layout in fused.layouts.items()}
    put(pads, where[graph.input.name], image, lanes[graph.input.name])
    compared = 0
    for step in fused.steps:
        pool = None
        if step.pool is not None:
            by_lanes = hw.pixel_lanes % step.pool.kernel[1] == 0
            pool = Pool(step.pool.kernel, "lanes" if by_lanes else "window")
        output = step.output.name
        names = (*step.layer.inputs, output)
        mapped = map_layer(
            hw, step.layer, [where[n] for n in step.layer.inputs], where[output],
            [lanes[n] for n in names], pool=pool,
        )  # fmt: skip
        fill(pads, mapped)
        run(hw, pads, mapped.instruction)
        if output in values:  # copies are not golden's
            found = get(pads, where[output], lanes[output], step.output.dtype)
            assert np.array_equal(found, values[output][0]), output
            compared += 1
    return fused, pads, compared


@pytest.mark.parametrize("hw", [LARGE, WIDE], ids=["4x8x8", "2x4x16"])
def test_every_step_equals_golden(graph: Graph, hw: HardwareConfig) -> None:
    image = np.random.default_rng(7).integers(0, 256, graph.input.shape, dtype=np.uint8)
    fused, _, compared = execute(hw, graph, image)
    fused_pools = sum(step.pool is not None for step in fused.steps)
    concats = sum(isinstance(layer, Concat) for layer in graph.layers)
    assert compared == len(graph.layers) - fused_pools - concats


def test_channels_of_the_image_in_other_lanes() -> None:
    """As raw pixels give them, last channel first; here with a lane left out in between, too."""
    graph = quantized_module(Joined(), (3, 9, 10))
    image = np.random.default_rng(7).integers(0, 256, graph.input.shape, dtype=np.uint8)
    for given in ([2, 1, 0, -1], [1, -1, 0, 2], [-1, 2, 1, 0]):
        lanes = np.array(given + [-1] * (LARGE.input_lanes - 4))
        fused, _, compared = execute(LARGE, graph, image, lanes)
        assert np.array_equal(fused.layouts[graph.input.name].lanes, lanes)
        assert compared > 5


def test_pools_join_the_layer_before() -> None:
    model = build_model("lenet", {})
    fused = fuse(quantized_module(model, (1, 28, 28)), 8)
    assert [step.pool is not None for step in fused.steps] == [True, True, False, False, False]
    assert not any(isinstance(step.layer, MaxPool2d) for step in fused.steps)


def test_concatenations_are_places() -> None:
    graph = quantized_module(Joined(), (3, 9, 10))
    fused = fuse(graph, 8)
    copies = [s for s in fused.steps if ".copy_" in s.layer.name]
    assert copies and all(isinstance(step.layer, Conv2d) for step in copies)
    for layer in graph.layers:
        if isinstance(layer, Concat):
            whole = fused.layouts[layer.output.name]
            channels = np.sort(whole.lanes[whole.lanes >= 0])
            assert np.array_equal(channels, np.arange(layer.output.shape[0]))
