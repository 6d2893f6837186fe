"""The graph as steps of the engine: pools done on the way out, concatenations not done at all.

A max pool whose windows neither overlap nor are padded belongs to the step before it. The inputs of
a concatenation are written next to each other, each in whole words, so that unused lanes lie in its
middle: `lanes` says which channel each lane holds. Knows no addresses.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.lower.pack import in_order
from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    AvgPool2d,
    Concat,
    Conv2d,
    Depthwise,
    Graph,
    MaxPool2d,
    Requant,
    TensorSpec,
)

Lanes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """One layer, and the max pool that is done before its results are written."""

    layer: AnyLayer
    pool: MaxPool2d | None = None

    @property
    def output(self) -> TensorSpec:
        """The tensor that is written."""
        return self.layer.output if self.pool is None else self.pool.output


@dataclass(frozen=True)
class Layout:
    """A tensor as channel words: those from `offset` on of the tensor `root`."""

    spec: TensorSpec
    root: str
    """Itself, or the concatenation that it is a part of."""
    offset: int
    lanes: Lanes
    """The channel in each lane, -1 for none: words times C of them."""


@dataclass(frozen=True)
class Fused:
    """The steps of the engine for one image, in order, and every tensor they touch."""

    steps: tuple[Step, ...]
    layouts: dict[str, Layout]
    apart: dict[str, str]
    """Why a max pool is a step of its own, by its name."""


def fuse(graph: Graph, width: int, image: Lanes | None = None) -> Fused:
    """The steps of a graph on words of `width` lanes.

    image: the channel in each lane of the input; in order if None.
    Copies are added where a tensor would have to lie in two concatenations, and where the operands
    of an addition have their channels in different lanes.
    """
    if image is None:
        image = in_order(graph.input.shape[0], width)
    work = _Fusing(width, graph.input, image)
    for layer in graph.layers:
        work.add(layer)
    steps, apart = _pooled(work.layers)
    return Fused(steps, work.layouts(), apart)


@dataclass
class _Fusing:
    width: int
    image: TensorSpec
    image_lanes: Lanes
    layers: list[AnyLayer] = field(default_factory=list)
    specs: dict[str, TensorSpec] = field(default_factory=dict)
    lanes: dict[str, Lanes] = field(default_factory=dict)
    part_of: dict[str, str] = field(default_factory=dict)
    concats: list[Concat] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._define(self.image, self.image_lanes)

    def add(self, layer: AnyLayer) -> None:
        """Take over one layer, with the copies it needs before it."""
        match layer:
            case Conv2d():
                lanes = in_order(layer.output.shape[0], self.width)
            case Concat():
                layer, lanes = self._concat(layer)
            case Add():
                lanes = self.lanes[layer.inputs[0]]
                second = self._in_lanes(layer.inputs[1], lanes, layer.name)
                layer = dataclasses.replace(layer, inputs=(layer.inputs[0], second))
            case _:  # word by word: the channels stay in their lanes
                lanes = self.lanes[layer.inputs[0]]
        self.layers.append(layer)
        self._define(layer.output, lanes)

    def layouts(self) -> dict[str, Layout]:
        """Every tensor; those of an outer concatenation lead to those of an inner one."""
        found = {name: Layout(self.specs[name], name, 0, self.lanes[name]) for name in self.specs}
        for concat in reversed(self.concats):
            whole = found[concat.output.name]
            offset = whole.offset
            for name in concat.inputs:
                found[name] = dataclasses.replace(found[name], root=whole.root, offset=offset)
                offset += len(self.lanes[name]) // self.width
        return found

    def _define(self, spec: TensorSpec, lanes: Lanes) -> None:
        self.specs[spec.name] = spec
        self.lanes[spec.name] = lanes

    def _concat(self, layer: Concat) -> tuple[Concat, Lanes]:
        inputs, lanes, channels = [], [], 0
        for name in layer.inputs:
            if name in self.part_of or name == self.image.name:
                name = self._copy(name, self.lanes[name], layer.name)
            self.part_of[name] = layer.name
            inputs.append(name)
            own = self.lanes[name]
            lanes.append(np.where(own >= 0, own + channels, -1))
            channels += self.specs[name].shape[0]
        layer = dataclasses.replace(layer, inputs=tuple(inputs))
        self.concats.append(layer)
        return layer, np.concatenate(lanes)

    def _in_lanes(self, name: str, lanes: Lanes, reader: str) -> str:
        """The tensor, or a copy of it, with its channels in these lanes."""
        if np.array_equal(self.lanes[name], lanes):
            return name
        return self._copy(name, lanes, reader)

    def _copy(self, name: str, lanes: Lanes, reader: str) -> str:
        """A 1x1 convolution that changes nothing writes any lanes."""
        spec = self.specs[name]
        copy = dataclasses.replace(spec, name=f"{reader}.copy_{len(self.layers)}")
        channels, (low, high) = spec.shape[0], spec.range
        weight = np.eye(channels, dtype=np.int8)[:, :, None, None]
        one = Requant(np.ones(1, np.uint16), np.zeros(1, np.uint8), low, high)
        bias = np.zeros(channels, np.int32)
        self.layers.append(Conv2d(copy.name, (name,), copy, weight, bias, one))
        self._define(copy, lanes)
        return copy.name


def _pooled(layers: list[AnyLayer]) -> tuple[tuple[Step, ...], dict[str, str]]:
    """Each layer as a step, with the max pool behind it; and why other max pools are steps."""
    readers: dict[str, list[AnyLayer]] = {}
    for layer in layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    steps: list[Step] = []
    joined: set[str] = set()
    apart: dict[str, str] = {}
    for layer in layers:
        if isinstance(layer, Concat) or layer.name in joined:
            continue
        pool = None
        for reader in readers.get(layer.output.name, []):
            if isinstance(reader, MaxPool2d):
                reason = _obstacle(layer, reader, len(readers[layer.output.name]))
                if reason is None:
                    pool = reader
                else:
                    apart[reader.name] = reason
        if pool is not None:
            joined.add(pool.name)
        elif isinstance(layer, MaxPool2d):
            apart.setdefault(
                layer.name, "it reads the image or a concatenation, which no layer makes"
            )
        steps.append(Step(layer, pool))
    return tuple(steps), apart


def _obstacle(layer: AnyLayer, pool: MaxPool2d, readers: int) -> str | None:
    """Why a max pool cannot be done before the results of the layer it reads are written."""
    if not isinstance(layer, Conv2d | Depthwise | AvgPool2d):
        return f"it follows '{layer.name}', which is no convolution and no average"
    if readers > 1:
        return f"{readers} layers read '{layer.output.name}', the results before it"
    if pool.kernel != pool.stride:
        return "its windows overlap or leave rows or columns out"
    if any(pool.padding):
        return "it pads"
    if pool.dilation != (1, 1):
        return "it is dilated"
    return None
