"""The image as the engine reads it: raw rows of pixels, which `load` unfolds for the first layer.

A camera's image has few channels, which would leave most lanes of a word empty. So the bytes under
a row of the first layer's kernel become the channels of one pixel, where that fits.
"""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.network import Tensor, Unfold
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import AnyLayer, Conv2d, Graph
from cnnaccel.isa.instructions import UNFOLD_BYTES, Base, Load
from cnnaccel.isa.record import layout


def raw_image(graph: Graph) -> bool:
    """Whether the host gives pixels as a camera does, rows of pixels of channels; else words."""
    channels, _, columns = graph.input.shape
    return channels <= _most("pixel_bytes") and columns <= _most("row_pixels")


def image_lanes(graph: Graph, width: int) -> npt.NDArray[np.int64]:
    """The channel in each lane of the image: the newest byte of a raw pixel comes first."""
    lanes = pack.in_order(graph.input.shape[0], width)
    if raw_image(graph):
        lanes[lanes >= 0] = lanes[lanes >= 0][::-1]
    return lanes


def image_bytes(graph: Graph, width: int) -> int:
    """Bytes of one image in DRAM."""
    channels, rows, columns = graph.input.shape
    lanes = channels if raw_image(graph) else -(-channels // width) * width
    return lanes * rows * columns


def unfolding(graph: Graph, reader: AnyLayer | None) -> Unfold | None:
    """The unfolding of the first layer's kernel rows into channels; None where they are not
    unfolded.

    reader: the only layer that reads the image, or None.
    """
    if not isinstance(reader, Conv2d) or not raw_image(graph):
        return None
    channels, _, columns = graph.input.shape
    kernel_w, (_, stride_x) = reader.kernel[1], reader.stride
    _, _, left, right = reader.padding
    fits = (
        reader.groups == 1
        and reader.dilation[1] == 1
        and kernel_w <= _most("kernel_w")
        and kernel_w * channels <= UNFOLD_BYTES
        and stride_x <= _most("stride_x")
        and left <= _most("pad_left")
        and max(left, right) < kernel_w
        and reader.output.shape[2] <= _most("columns")
    )
    return Unfold(channels, columns, kernel_w, stride_x, left) if fits else None


def image_tensor(
    graph: Graph, width: int, signed: bool, reader: AnyLayer | None, unfold: Unfold | None
) -> Tensor:
    """The image as a tensor: in words, or as rows that are unfolded while they are loaded."""
    channels, rows, columns = graph.input.shape
    words = -(-channels // width)
    if unfold is not None:
        assert reader is not None
        words = -(-unfold.kernel_w * channels // width)
        columns = reader.output.shape[2]
    elif raw_image(graph):
        unfold = Unfold(channels, columns)
    return Tensor(graph.input.name, words, rows, columns, signed, Base.INPUT, unfold)


def on_unfolded(hardware: HardwareConfig, layer: AnyLayer) -> Conv2d:
    """The layer on rows that `load` has unfolded: its kernel is one column wide."""
    assert isinstance(layer, Conv2d)
    top, bottom, _, _ = layer.padding
    return dataclasses.replace(
        layer,
        weight=pack.unfolded_kernel(hardware, layer.weight),
        stride=(layer.stride[0], 1),
        padding=(top, bottom, 0, 0),
        dilation=(layer.dilation[0], 1),
    )


@cache
def _most(field: str) -> int:
    """The greatest value of a field of UNFOLD."""
    return next(found.high for found in layout(Load) if found.name == field)
