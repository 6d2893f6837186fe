"""Dense layers over several images at once.

Where a network ends in dense layers, the task before writes its results flattened, images side by
side: element i of image n at `base + i*images + n`. To the dense layers these images are the
columns of one row, so that they are convolutions of single pixels.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.lower.fuse import Fused, Layout, Step, fuse
from cnnaccel.compiler.lower.image import image_lanes
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Conv2d, Graph


def batchable(graph: Graph, hardware: HardwareConfig) -> bool:
    """Whether the network ends in dense layers that can take several images at once."""
    fused = fuse(graph, hardware.input_lanes, image_lanes(graph, hardware.input_lanes))
    return dense_tail(fused, graph) < len(fused.steps)


def dense_tail(fused: Fused, graph: Graph) -> int:
    """The first of the steps that are dense layers up to the end; there is a step before."""
    roots = (fused.layouts[name].root for step in fused.steps for name in step.layer.inputs)
    readers = Counter(roots)
    first = len(fused.steps)
    if len(graph.results) > 1:  # the others are of one image at a time
        return first
    wanted = graph.results[0].name
    while first > 1 and _is_dense(fused, fused.steps[first - 1], wanted):
        source = fused.layouts[fused.steps[first - 1].layer.inputs[0]]
        alone = readers[source.root] == 1 and source.root not in (graph.input.name,)
        part_of_concatenation = source.root != source.spec.name
        if not alone or part_of_concatenation:
            break
        first, wanted = first - 1, source.spec.name
    return first


def _is_dense(fused: Fused, step: Step, wanted: str) -> bool:
    """Whether a step makes the tensor `wanted` by a kernel as large as its input."""
    layer = step.layer
    return (
        isinstance(layer, Conv2d)
        and step.pool is None
        and layer.output.name == wanted
        and layer.output.shape[1:] == (1, 1)
        and layer.kernel == fused.layouts[layer.inputs[0]].spec.shape[1:]
        and layer.groups == 1
        and not any(layer.padding)
    )


def over_images(layer: Conv2d, source: Layout, width: int) -> tuple[Conv2d, npt.NDArray[np.int64]]:
    """A dense layer as a convolution of single pixels, and the channel in each lane it reads."""
    pixels = int(np.prod(source.spec.shape[1:]))
    by_word = source.lanes.reshape(-1, 1, width)
    pixel = np.arange(pixels)[:, None]
    lanes = np.where(by_word >= 0, by_word * pixels + pixel, -1).reshape(-1)
    flat = layer.weight.reshape(len(layer.weight), -1, 1, 1)
    return dataclasses.replace(layer, weight=flat, stride=(1, 1), dilation=(1, 1)), lanes
