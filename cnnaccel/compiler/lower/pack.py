"""Weights and parameters in the words of wgt and par, in the order a nest reads them.

A tensor's channels fill the C lanes of its words in order; `lanes` says which channel each lane
holds where they do not, -1 for none, as after a concatenation of 12 and 12 channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Requant

Weights = npt.NDArray[np.int8]
Lanes = Sequence[int] | npt.NDArray[np.int64]


def in_order(channels: int, width: int) -> npt.NDArray[np.int64]:
    """Channels one after another in words of `width` lanes; -1 behind the last."""
    lanes = np.full(-(-channels // width) * width, -1, np.int64)
    lanes[:channels] = np.arange(channels)
    return lanes


def kernel_words(
    hardware: HardwareConfig, weight: Weights, inputs: Lanes, outputs: Lanes
) -> Weights:
    """int8[words, K, C] of weight[K, C, R, S]: groups co, then ky, kx, ci.

    inputs, outputs: the channel in each lane of the tensor read and of the one written.
    """
    _, c, k = hardware.lanes
    groups = -(-len(outputs) // k)
    rows = np.concatenate([outputs, np.full(groups * k - len(outputs), -1, np.int64)])
    columns = np.asarray(inputs)
    padded = np.pad(weight, ((0, 1), (0, 1), (0, 0), (0, 0)))  # -1 picks the zeros at the end
    laid = padded[rows][:, columns]
    kernel_y, kernel_x = weight.shape[2:]
    blocks = laid.reshape(groups, k, -1, c, kernel_y, kernel_x)
    words: Weights = blocks.transpose(0, 4, 5, 2, 1, 3).reshape(-1, k, c)
    return words


def unfolded_kernel(hardware: HardwareConfig, weight: Weights) -> Weights:
    """int8[K, words*C, R, 1]: a kernel for rows that `load` has unfolded.

    The S*C bytes under a kernel row have become channels, newest byte in lane 0, so the kernel's
    columns are reversed; lanes behind them hold older bytes and meet zeros.
    """
    outputs, channels, rows, columns = weight.shape
    newest_first = weight.transpose(0, 3, 1, 2)[:, ::-1, ::-1].reshape(outputs, -1, rows, 1)
    missing = -(columns * channels) % hardware.input_lanes
    return np.pad(newest_first, ((0, 0), (0, missing), (0, 0), (0, 0)))


def diagonal_words(hardware: HardwareConfig, taps: Weights) -> Weights:
    """int8[words, K, C] of taps[words, C]: lane c of the input to lane c of the output alone."""
    _, c, k = hardware.lanes
    words = np.zeros((len(taps), k, c), np.int8)
    lane = np.arange(c)
    words[:, lane, lane] = taps
    return words


def depthwise_words(hardware: HardwareConfig, weight: Weights, lanes: Lanes) -> Weights:
    """int8[words, K, C] of weight[C, R, S]: input words, then ky, kx."""
    padded = np.pad(weight, ((0, 1), (0, 0), (0, 0)))[np.asarray(lanes)]
    by_word = padded.reshape(-1, hardware.input_lanes, *weight.shape[1:])
    taps = by_word.transpose(0, 2, 3, 1).reshape(-1, hardware.input_lanes)
    return diagonal_words(hardware, taps)


def parameter_words(
    hardware: HardwareConfig,
    bias: npt.NDArray[np.int32],
    requant: Requant,
    lanes: Lanes,
    width: int,
) -> dict[str, npt.NDArray[Any]]:
    """bias, multiplier and shift, [groups, K] each, for groups of `width` output lanes.

    A group that makes one word of C lanes leaves the other K - C empty.
    """
    k = hardware.output_lanes
    groups = -(-len(lanes) // width)
    source = np.full((groups, k), -1, np.int64)
    for group in range(groups):
        part = np.asarray(lanes)[group * width : (group + 1) * width]
        source[group, : len(part)] = part
    channels = len(bias)
    fields: dict[str, npt.NDArray[Any]] = {
        "bias": bias,
        "multiplier": requant.multiplier,
        "shift": requant.shift,
    }
    return {
        name: np.append(np.broadcast_to(values, channels), values.dtype.type(0))[source]
        for name, values in fields.items()
    }
