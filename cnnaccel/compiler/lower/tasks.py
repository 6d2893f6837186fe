"""The graph as tasks: what compute does in one go, on which words of which tensors.

A task is a layer with all that happens to its results before they are written: a max pool, an
addition. Where a network ends in dense layers, those take several images at once: the task before
writes its results flattened, images side by side, and to the dense layers these images are the
columns of one row, so that they are convolutions of single pixels. Knows no addresses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.fuse import Fused, Layout, Step, fuse
from cnnaccel.compiler.lower.loopnest import Pair
from cnnaccel.compiler.lower.mapping import Part, Work, work_of
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Add, AnyLayer, Conv2d, Graph, macs
from cnnaccel.isa.instructions import UNFOLD_BYTES, Base, Load
from cnnaccel.isa.record import layout


@dataclass(frozen=True)
class Unfold:
    """How `load` makes words of raw pixels."""

    pixel_bytes: int
    row_pixels: int
    kernel_w: int = 1
    stride_x: int = 1
    pad_left: int = 0


@dataclass(frozen=True)
class Tensor:
    """Channel words of pixels, on the chip or in DRAM."""

    name: str
    words: int
    rows: int
    columns: int
    signed: bool
    base: Base = Base.SCRATCH
    """The buffer it lies in while it is not on the chip."""
    unfold: Unfold | None = None

    @property
    def size(self) -> int:
        """Words of all pixels."""
        return self.words * self.rows * self.columns


@dataclass(frozen=True)
class View:
    """Some channel words of a tensor: those of one part of a concatenation."""

    tensor: str
    first: int
    words: int


@dataclass(frozen=True, eq=False)
class Addition:
    """What is added to a task's results before they are written."""

    name: str
    work: Work
    other: View
    results_first: bool
    """The task's results are the first operand."""


@dataclass(frozen=True, eq=False)
class Task:
    """One layer and what follows at once. Rows and columns are those of what is written."""

    name: str
    work: Work
    sources: tuple[View, ...]
    target: View
    rows: int
    columns: int
    pool: Pair | None = None
    addition: Addition | None = None
    joined: str | None = None
    """The pool's or addition's name."""
    flat: bool = False
    """The target is written flattened, images side by side."""
    macs: int = 0
    """Of one image; useful ones, without depthwise layers."""

    @property
    def words(self) -> int:
        """Channel words of a pixel of what is written."""
        return self.work.output_words(range(self.work.channels.groups)).stop

    def wgt_words(self, groups: int, part: Part) -> int:
        """What so many groups need of wgt for a part, the addition's weights behind their own."""
        added = self.addition.work if self.addition else None
        return self.work.weight_count(groups, part) + (
            added.weight_count(1, added.whole) if added else 0
        )

    def par_words(self, groups: int) -> int:
        """What so many groups need of par, likewise."""
        own = 1 if self.work.one_parameter else groups
        if self.addition is None:
            return own
        made = min(groups * self.work.channels.words, self.words)
        return own + (1 if self.addition.work.one_parameter else made)

    @property
    def reads(self) -> tuple[View, ...]:
        """Every view that is read."""
        return self.sources + ((self.addition.other,) if self.addition else ())


@dataclass(frozen=True, eq=False)
class Network:
    """Tasks for `images` images: `each` for one after another, then `together` for all."""

    tensors: Mapping[str, Tensor]
    each: tuple[Task, ...]
    together: tuple[Task, ...]
    images: int
    image: str
    """The tensor that is the input."""
    image_bytes: int
    """In DRAM, of one image."""
    output: Layout
    """Of the tensor in OUTPUT."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All, in the order of their first execution."""
        return self.each + self.together

    def times(self, number: int) -> int:
        """How often an iteration does a task."""
        return self.images if number < len(self.each) else 1


def raw_image(graph: Graph) -> bool:
    """Whether the host gives pixels as a camera does, rows of pixels of channels; else words."""
    channels, _, columns = graph.input.shape
    return channels <= _most("pixel_bytes") and columns <= _most("row_pixels")


def image_lanes(graph: Graph, width: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The channel in each lane of the image: the newest byte of a raw pixel comes first."""
    lanes = pack.in_order(graph.input.shape[0], width)
    if raw_image(graph):
        lanes[lanes >= 0] = lanes[lanes >= 0][::-1]
    return lanes


def build(
    graph: Graph, hardware: HardwareConfig, images: int = 1, apart: frozenset[str] = frozenset()
) -> Network:
    """The tasks of a graph for `images` images at a time.

    apart: names of layers that are not joined to the one before.
    """
    return _Building(graph, hardware, images, apart).network()


def batchable(graph: Graph, hardware: HardwareConfig) -> bool:
    """Whether the network ends in dense layers that can take several images at once."""
    fused = fuse(graph, hardware.input_lanes, image_lanes(graph, hardware.input_lanes))
    return _dense_tail(fused, graph) < len(fused.steps)


def _dense_tail(fused: Fused, graph: Graph) -> int:
    """The first of the steps that are dense layers up to the end; there is a step before."""
    readers: dict[str, int] = {}
    for step in fused.steps:
        for name in step.layer.inputs:
            root = fused.layouts[name].root
            readers[root] = readers.get(root, 0) + 1
    first, wanted = len(fused.steps), graph.output.name
    while first > 1:
        layer = fused.steps[first - 1].layer
        is_dense = (
            isinstance(layer, Conv2d)
            and fused.steps[first - 1].pool is None
            and layer.output.name == wanted
            and layer.output.shape[1:] == (1, 1)
            and layer.kernel == fused.layouts[layer.inputs[0]].spec.shape[1:]
            and layer.groups == 1
            and not any(layer.padding)
        )
        source = fused.layouts[layer.inputs[0]]
        if not is_dense or readers[source.root] > 1 or source.root == graph.input.name:
            break
        if source.root != source.spec.name:  # a part of a concatenation
            break
        first, wanted = first - 1, layer.inputs[0]
    return first


class _Building:
    def __init__(
        self, graph: Graph, hardware: HardwareConfig, images: int, apart: frozenset[str]
    ) -> None:
        self.graph, self.hardware, self.images, self.apart = graph, hardware, images, apart
        self.width = hardware.input_lanes
        self.fused = fuse(graph, self.width, image_lanes(graph, self.width))
        self.layouts = self.fused.layouts
        first_dense = _dense_tail(self.fused, graph) if images > 1 else len(self.fused.steps)
        self.each_steps = self._separated(self.fused.steps[:first_dense])
        self.dense_steps = self.fused.steps[first_dense:]
        self.flat = ""
        if self.dense_steps:
            self.flat = self.layouts[self.dense_steps[0].layer.inputs[0]].root
        self.unfold = self._unfold()

    def network(self) -> Network:
        additions = self._additions()
        after = {step.layer.name: addition for step, addition in additions.values()}
        each = [
            self._task(step, after.get(step.layer.name))
            for step in self.each_steps
            if step.layer.name not in additions
        ]
        together = [self._dense(step) for step in self.dense_steps]
        channels, rows, columns = self.graph.input.shape
        words = channels if raw_image(self.graph) else -(-channels // self.width) * self.width
        output = self.layouts[self.graph.output.name]
        return Network(
            self._tensors([*each, *together]), tuple(each), tuple(together), self.images,
            self.graph.input.name, words * rows * columns, output,
        )  # fmt: skip

    def _separated(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Without the pools that are to be done apart."""
        found: list[Step] = []
        for step in steps:
            if step.pool is not None and step.pool.name in self.apart:
                found += [Step(step.layer), Step(step.pool)]
            else:
                found.append(step)
        return tuple(found)

    def _additions(self) -> dict[str, tuple[Step, Addition]]:
        """By name, additions that follow the step which makes their later operand."""
        made = {step.output.name: n for n, step in enumerate(self.each_steps)}
        readers: dict[str, int] = {}
        for step in self.each_steps:
            for name in step.layer.inputs:
                readers[name] = readers.get(name, 0) + 1
        found: dict[str, tuple[Step, Addition]] = {}
        taken: set[str] = set()
        for step in self.each_steps:
            layer = step.layer
            if not isinstance(layer, Add) or layer.name in self.apart:
                continue
            late = max(layer.inputs, key=lambda name: made.get(name, -1))
            other = next((name for name in layer.inputs if name != late), None)
            before = self.each_steps[made[late]] if late in made else None
            if (
                other is None
                or before is None
                or before.pool is not None
                or isinstance(before.layer, Add)
                or readers[late] > 1
                or self.layouts[late].root != late
                or before.layer.name in taken
            ):
                continue
            taken.add(before.layer.name)
            addition = Addition(
                layer.name, self._work(layer), self._view(other), layer.inputs[0] == late
            )
            found[layer.name] = (before, addition)
        return found

    def _task(self, step: Step, addition: Addition | None) -> Task:
        layer = step.layer
        spec = step.output
        if addition is not None:
            spec = next(s.layer.output for s in self.each_steps if s.layer.name == addition.name)
        own = layer
        if self.unfold is not None and self.graph.input.name in layer.inputs:
            own = self._unfolded(layer)
        joined = addition.name if addition else step.pool.name if step.pool else None
        _, rows, columns = spec.shape
        target = self._view(spec.name)
        flat = target.tensor == self.flat
        if flat:
            pixels = rows * columns
            target = View(target.tensor, target.first * pixels, target.words * pixels)
        return Task(
            layer.name, self._work(own), tuple(self._view(name) for name in layer.inputs), target,
            rows, columns, step.pool.kernel if step.pool else None, addition, joined, flat,
            _useful_macs(layer),
        )  # fmt: skip

    def _work(self, layer: AnyLayer) -> Work:
        lanes = [self.layouts[name].lanes for name in (*layer.inputs, layer.output.name)]
        if self.unfold is not None and layer.inputs[0] == self.graph.input.name:
            assert isinstance(layer, Conv2d)
            lanes[0] = np.arange(layer.weight.shape[1])
        return work_of(self.hardware, layer, lanes)

    def _view(self, name: str) -> View:
        layout = self.layouts[name]
        return View(layout.root, layout.offset, len(layout.lanes) // self.width)

    def _dense(self, step: Step) -> Task:
        """A dense layer as a convolution of single pixels, which are images."""
        layer = step.layer
        assert isinstance(layer, Conv2d)
        source = self.layouts[layer.inputs[0]]
        pixels = int(np.prod(source.spec.shape[1:]))
        by_word = source.lanes.reshape(-1, 1, self.width)
        pixel = np.arange(pixels)[:, None]
        lanes = np.where(by_word >= 0, by_word * pixels + pixel, -1).reshape(-1)
        flat = layer.weight.reshape(len(layer.weight), -1, 1, 1)
        target_lanes = self.layouts[layer.output.name].lanes
        work = work_of(
            self.hardware,
            dataclasses.replace(layer, weight=flat, stride=(1, 1), dilation=(1, 1)),
            [lanes, target_lanes],
        )
        view = self._view(layer.output.name)
        source_view = View(source.root, 0, len(lanes) // self.width)
        return Task(
            layer.name, work, (source_view,), view, 1, self.images, macs=_useful_macs(layer)
        )

    def _tensors(self, tasks: Sequence[Task]) -> dict[str, Tensor]:
        found = {}
        output = self.layouts[self.graph.output.name].root
        together = {step.output.name for step in self.dense_steps}
        names = {view.tensor for task in tasks for view in (*task.reads, task.target)}
        for name in sorted(names):
            layout = self.layouts[name]
            words = len(layout.lanes) // self.width
            _, rows, columns = layout.spec.shape
            signed = layout.spec.dtype == "int8"
            if name == self.graph.input.name:
                found[name] = self._image(name, words, signed)
                continue
            if name == self.flat or name in together:
                words, rows, columns = words * rows * columns, 1, self.images
            base = Base.OUTPUT if name == output else Base.SCRATCH
            found[name] = Tensor(name, words, rows, columns, signed, base)
        return found

    # -- the image -----------------------------------------------------------------------------

    def _image(self, name: str, words: int, signed: bool) -> Tensor:
        channels, rows, columns = self.graph.input.shape
        unfold = self.unfold
        if unfold is not None:
            layer = self._image_reader()
            assert layer is not None
            words = -(-unfold.kernel_w * channels // self.width)
            columns = layer.output.shape[2]
        elif raw_image(self.graph):
            unfold = Unfold(channels, columns)
        return Tensor(name, words, rows, columns, signed, Base.INPUT, unfold)

    def _image_reader(self) -> AnyLayer | None:
        """The only layer that reads the image."""
        name = self.graph.input.name
        readers = [step.layer for step in self.each_steps if name in step.layer.inputs]
        return readers[0] if len(readers) == 1 else None

    def _unfold(self) -> Unfold | None:
        """How the rows of the first layer's kernel become channels, if they do."""
        layer = self._image_reader()
        if not isinstance(layer, Conv2d) or not raw_image(self.graph):
            return None
        channels, _, columns = self.graph.input.shape
        kernel_w, (_, stride_x) = layer.kernel[1], layer.stride
        _, _, left, right = layer.padding
        fits = (
            layer.groups == 1
            and layer.dilation[1] == 1
            and kernel_w <= _most("kernel_w")
            and kernel_w * channels <= UNFOLD_BYTES
            and stride_x <= _most("stride_x")
            and left <= _most("pad_left")
            and max(left, right) < kernel_w
            and layer.output.shape[2] <= _most("columns")
        )
        return Unfold(channels, columns, kernel_w, stride_x, left) if fits else None

    def _unfolded(self, layer: AnyLayer) -> Conv2d:
        """The layer on rows that `load` has unfolded."""
        assert isinstance(layer, Conv2d)
        top, bottom, _, _ = layer.padding
        return dataclasses.replace(
            layer,
            weight=pack.unfolded_kernel(self.hardware, layer.weight),
            stride=(layer.stride[0], 1),
            padding=(top, bottom, 0, 0),
            dilation=(layer.dilation[0], 1),
        )


def _useful_macs(layer: AnyLayer) -> int:
    """Of a convolution; those of depthwise layers fill no array and are not counted."""
    return macs(layer) if isinstance(layer, Conv2d) else 0


@cache
def _most(field: str) -> int:
    """What a field of an UNFOLD can name at most."""
    return next(found.high for found in layout(Load) if found.name == field)
