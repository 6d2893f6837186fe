"""Pictures, drawn with matplotlib into files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def curves(history: Sequence[Any], path: Path) -> None:
    """Loss and accuracy by epoch, training and validation, from `nn.train.EpochMetrics`."""
    metrics = [dataclasses.asdict(row) for row in history]
    epochs = [row["epoch"] for row in metrics]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for split in ("train", "validation"):
            axis.plot(epochs, [row[f"{split}_{quantity}"] for row in metrics], label=split)
        axis.set(xlabel="epoch", ylabel=quantity)
        axis.grid(alpha=0.3)
        axis.legend()
    _save(figure, path)


def sqnr(values: Mapping[str, float], path: Path) -> None:
    """Signal to quantization noise per tensor, first layer on top."""
    names = list(values)
    figure, axis = plt.subplots(figsize=(8, 1 + 0.28 * len(names)), layout="constrained")
    axis.barh(names, [min(values[name], 99.0) for name in names])
    axis.invert_yaxis()
    axis.set(xlabel="signal to quantization noise, dB")
    axis.grid(axis="x", alpha=0.3)
    _save(figure, path)


def confusion(matrix: npt.NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """How often each class [row] was taken for each class [column], in percent of the row."""
    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = max(4.0, 0.6 * len(classes) + 2)
    figure, axis = plt.subplots(figsize=(size, size), layout="constrained")
    axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
    if len(classes) <= 20:
        for row, column in np.ndindex(share.shape):
            shade = "white" if share[row, column] > 50 else "black"
            label = f"{share[row, column]:.1f}"
            axis.text(column, row, label, ha="center", va="center", color=shade, fontsize=7)
    ticks = range(len(classes))
    axis.set_xticks(ticks, classes, rotation=90)
    axis.set_yticks(ticks, classes)
    axis.set(xlabel="predicted", ylabel="actual")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
