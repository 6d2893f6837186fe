"""The graph as tasks: what compute does in one go, on which words of which tensors.

`fuse` joins max pools to the step before, `join` additions; `image` unfolds the image, `dense`
takes several images at once. Here each step that is left becomes a task.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from cnnaccel.compiler.lower.dense import dense_tail, over_images
from cnnaccel.compiler.lower.fuse import Layout, Step, fuse
from cnnaccel.compiler.lower.image import (
    image_bytes,
    image_lanes,
    image_tensor,
    on_unfolded,
    unfolding,
)
from cnnaccel.compiler.lower.join import JoinedAddition, joined_additions, separated
from cnnaccel.compiler.lower.mapping import Work, work_of
from cnnaccel.compiler.lower.network import Addition, Network, Task, Tensor, Unfold, View
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import AnyLayer, Conv2d, Graph, macs
from cnnaccel.isa.instructions import Base


def build(
    graph: Graph, hardware: HardwareConfig, images: int = 1, apart: Collection[str] = ()
) -> Network:
    """The tasks of a graph for `images` images at a time.

    apart: names of layers that are not joined to the one before.
    """
    width = hardware.input_lanes
    fused = fuse(graph, width, image_lanes(graph, width))
    first_dense = dense_tail(fused, graph) if images > 1 else len(fused.steps)
    steps = separated(fused.steps[:first_dense], apart)
    dense = fused.steps[first_dense:]
    joined, reasons = joined_additions(steps, fused.layouts, apart)
    readers = [step.layer for step in steps if graph.input.name in step.layer.inputs]
    reader = readers[0] if len(readers) == 1 else None
    flat = fused.layouts[dense[0].layer.inputs[0]].root if dense else ""
    maker = _Maker(graph, hardware, images, fused.layouts, flat, unfolding(graph, reader))
    after = {addition.after.layer.name: addition for addition in joined.values()}
    each = [
        maker.task(step, after.get(step.layer.name))
        for step in steps
        if step.layer.name not in joined
    ]
    together = [maker.dense_task(step) for step in dense]
    return Network(
        tensors=maker.tensors(each, together, reader),
        each=tuple(each),
        together=tuple(together),
        images=images,
        image=graph.input.name,
        image_bytes=image_bytes(graph, width),
        outputs=tuple(fused.layouts[spec.name] for spec in graph.results),
        apart=fused.apart
        | {name: "joined, not even one tile fits the scratchpads" for name in apart}
        | reasons,
    )


@dataclass(frozen=True)
class _Maker:
    """Makes tasks and tensors of steps whose place in the network is decided."""

    graph: Graph
    hardware: HardwareConfig
    images: int
    layouts: dict[str, Layout]
    flat: str
    """The tensor that is written flattened, images side by side; empty if there is none."""
    unfold: Unfold | None

    def task(self, step: Step, joined: JoinedAddition | None) -> Task:
        """A step, with the addition that follows it."""
        layer, addition = step.layer, None
        output = step.output
        name = step.pool.name if step.pool else None
        if joined is not None:
            output, name = joined.layer.output, joined.layer.name
            first = joined.layer.inputs[0] != joined.other
            work = self._work(joined.layer)
            addition = Addition(name, work, self._view(joined.other), first)
        _, rows, columns = output.shape
        target = self._view(output.name)
        flat = target.tensor == self.flat
        if flat:
            pixels = rows * columns
            target = View(target.tensor, target.first * pixels, target.words * pixels)
        return Task(
            name=layer.name,
            work=self._work(layer),
            sources=tuple(self._view(source) for source in layer.inputs),
            target=target,
            rows=rows,
            columns=columns,
            pool=step.pool.kernel if step.pool else None,
            addition=addition,
            joined=name,
            flat=flat,
            macs=_useful_macs(layer),
        )

    def dense_task(self, step: Step) -> Task:
        """A dense layer as a convolution of single pixels, which are images."""
        layer = step.layer
        assert isinstance(layer, Conv2d)
        source = self.layouts[layer.inputs[0]]
        pixelwise, lanes = over_images(layer, source, self.hardware.input_lanes)
        target_lanes = self.layouts[layer.output.name].lanes
        words = len(lanes) // self.hardware.input_lanes
        return Task(
            name=layer.name,
            work=work_of(self.hardware, pixelwise, [lanes, target_lanes]),
            sources=(View(source.root, 0, words),),
            target=self._view(layer.output.name),
            rows=1,
            columns=self.images,
            macs=_useful_macs(layer),
        )

    def tensors(
        self, each: Sequence[Task], together: Sequence[Task], reader: AnyLayer | None
    ) -> dict[str, Tensor]:
        """Every tensor that a task reads or writes. reader: the only layer that reads the image."""
        found = {}
        results = {self.layouts[spec.name].root for spec in self.graph.results}
        of_all = {self.flat, *(task.target.tensor for task in together)}
        tasks = [*each, *together]
        names = {view.tensor for task in tasks for view in (*task.reads, task.target)}
        for name in sorted(names):
            layout = self.layouts[name]
            signed = layout.spec.dtype == "int8"
            if name == self.graph.input.name:
                width = self.hardware.input_lanes
                found[name] = image_tensor(self.graph, width, signed, reader, self.unfold)
                continue
            words = len(layout.lanes) // self.hardware.input_lanes
            _, rows, columns = layout.spec.shape
            if name in of_all:
                words, rows, columns = words * rows * columns, 1, self.images
            base = Base.OUTPUT if name in results else Base.SCRATCH
            found[name] = Tensor(name, words, rows, columns, signed, base)
        return found

    def _work(self, layer: AnyLayer) -> Work:
        lanes = [self.layouts[name].lanes for name in (*layer.inputs, layer.output.name)]
        if self.unfold is not None and self.graph.input.name in layer.inputs:
            assert isinstance(layer, Conv2d)
            layer = on_unfolded(self.hardware, layer)
            lanes[0] = np.arange(layer.weight.shape[1])
        return work_of(self.hardware, layer, lanes)

    def _view(self, name: str) -> View:
        layout = self.layouts[name]
        return View(layout.root, layout.offset, len(layout.lanes) // self.hardware.input_lanes)


def _useful_macs(layer: AnyLayer) -> int:
    """Multiply-accumulates of a convolution; those of depthwise layers fill no array: 0."""
    return macs(layer) if isinstance(layer, Conv2d) else 0
