"""Pictures, drawn with matplotlib into files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt

from cnnaccel.figures import ACCURACY
from cnnaccel.predict.estimate import Estimate
from cnnaccel.predict.explore import Exploration
from cnnaccel.report.activity import UNITS, Recorded
from cnnaccel.report.quantization import Sensitivity
from cnnaccel.report.roof import roof_of

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def curves(history: Sequence[Any], path: Path) -> None:
    """Loss and the figure of the task by epoch, of `nn.history.EpochMetrics`."""
    epochs = [row.epoch for row in history]
    lines = {
        ("loss", "train"): [row.train_loss for row in history],
        ("loss", "validation"): [row.validation_loss for row in history],
        ("figure", "train"): [
            row.train_accuracy if row.validation.name == ACCURACY else None for row in history
        ],
        ("figure", "validation"): [row.validation.value for row in history],
    }
    names = {"loss": "loss", "figure": history[0].validation.name}
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, quantity in zip(axes, names, strict=True):
        for split in ("train", "validation"):
            if None not in (line := lines[quantity, split]):
                axis.plot(epochs, line, label=split)
        axis.set(xlabel="epoch", ylabel=names[quantity])
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


def sensitivity(found: Sensitivity, path: Path) -> None:
    """A chart of what the logits gain with one layer in float, and have with it alone in int8."""
    names = [row.layer for row in found.layers]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12, 1.2 + 0.28 * len(names)), layout="constrained", sharey=True
    )
    left.barh(names, [row.gain_db for row in found.layers])
    left.set(xlabel=f"gain with this layer in float, dB over {found.int8_db:.1f}")
    right.barh(names, [row.alone_db for row in found.layers], color="tab:orange")
    right.set(xlabel="this layer alone in int8, dB")
    left.invert_yaxis()
    for axis in (left, right):
        axis.grid(axis="x", alpha=0.3)
    _save(figure, path)


def confusion(matrix: npt.NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """A chart of how often each class [row] was taken for each class [column], in percent of the
    row."""
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


def roofline(name: str, estimate: Estimate, path: Path) -> None:
    """Operations per second over operations per byte, of layers and network, under their roof.

    A layer may stand above the slope: its data came while the layer before was computed.
    """
    found, hardware, images = roof_of(estimate), estimate.hardware, estimate.images
    figure, axis = plt.subplots(figsize=(9, 6), layout="constrained")
    reach = np.geomspace(*found.reach, 200)
    roof = np.minimum(estimate.peak_gops, reach * estimate.bus_gbytes)
    label = f"{estimate.bus_gbytes:.2f} GB/s, {estimate.peak_gops:.1f} GOP/s"
    axis.plot(reach, roof, color="black", label=label)
    for layer, x, y in found.layers:
        axis.plot(x, y, "o", color="tab:blue", markersize=4)
        axis.annotate(layer, (x, y), (3, 3), textcoords="offset points", fontsize=6)
    axis.plot(found.intensity, estimate.gops, "*", color="tab:red", markersize=14, label=name)
    axis.set(
        xscale="log", yscale="log",
        xlabel="operations per byte read or written, whichever are more",
        ylabel="GOP/s",
        title=f"{name}: predicted at {hardware.clock_mhz:g} MHz, {images} at a time",
    )  # fmt: skip
    axis.grid(alpha=0.3, which="both")
    axis.legend(loc="lower right")
    _save(figure, path)


def pareto(name: str, exploration: Exploration, path: Path) -> None:
    """Frames per second over area, of all engines and, numbered, of those that none surpasses."""
    front, base = exploration.front, exploration.base
    figure, axis = plt.subplots(figsize=(9, 6), layout="constrained")
    others = [point for point in exploration.points if point not in front]
    axis.scatter(
        [100 * point.area for point in others], [point.frames_per_second for point in others],
        s=12, color="lightgray", label="surpassed",
    )  # fmt: skip
    drawn = axis.scatter(
        [100 * point.area for point in front], [point.frames_per_second for point in front],
        c=[point.latency_us for point in front], norm="log", cmap="viridis",
        label="the best, numbered as in the table",
    )  # fmt: skip
    for number, point in enumerate(front, start=1):
        at = 100 * point.area, point.frames_per_second
        axis.annotate(str(number), at, (4, 4), textcoords="offset points", fontsize=8)
    figure.colorbar(drawn, label="latency of one image, us")
    axis.set(
        yscale="log", xlabel=f"largest share of {base.part}, % (DSP, BRAM36 or LUT)",
        ylabel="frames/s", title=f"{name}: predicted at {base.clock_mhz:g} MHz",
    )  # fmt: skip
    axis.grid(alpha=0.3, which="both")
    axis.legend(loc="lower right")
    _save(figure, path)


def predictions(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[Any],
    predicted: npt.NDArray[np.int64],
    classes: Sequence[str],
    path: Path,
) -> None:
    """Some test images [N, C, H, W] with what each was taken for; red where that is wrong."""
    columns = 10
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.25 * columns, 1.45 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, label, guess in zip(axes.flat, images, labels, predicted, strict=False):
        colour = len(image) == 3
        axis.imshow(image.transpose(1, 2, 0) if colour else image[0], cmap="gray")
        name, truth = classes[guess], classes[label]
        right = guess == label
        axis.set_title(
            name if right else f"{name}\n({truth})", fontsize=7,
            color="tab:green" if right else "tab:red",
        )  # fmt: skip
    _save(figure, path)


def segments(pictures: npt.NDArray[np.uint8], path: Path) -> None:
    """Pictures uint8[N, 3, H, W] of images beside their masks, one under the other."""
    height, width = pictures.shape[2:]
    figure, axes = plt.subplots(
        len(pictures), 1, figsize=(6, 0.2 + 6 * len(pictures) * height / width), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axis, picture in zip(axes.flat, pictures, strict=True):
        axis.axis("off")
        axis.imshow(picture.transpose(1, 2, 0), interpolation="nearest")
    axes.flat[0].set_title("image, wanted, int8", fontsize=8)
    _save(figure, path)


_COLOURS = {
    "load_busy": "tab:green",
    "steps": "tab:blue",
    "compute_waits_load": "tab:red",
    "compute_waits_store": "tab:orange",
    "store_busy": "tab:purple",
    "read_beats": "tab:olive",
    "written_beats": "tab:brown",
}


def activity(name: str, recorded: Recorded, path: Path) -> None:
    """Units over time: height is the share of the cycles; on top, compute's layer."""
    shares = recorded.shares
    last = len(shares["cycles"])
    edges = np.arange(last + 1) * recorded.bin_cycles
    figure, axis = plt.subplots(figsize=(14, 5.5), layout="constrained")
    bottoms = {row: np.full(last, float(row)) for row, *_ in UNITS}
    for row, event, label in UNITS:
        height = 0.85 * np.array(shares[event])
        top = bottoms[row] + (height / 2 if row == 0 else height)  # reads and writes share a row
        axis.stairs(
            top, edges, baseline=bottoms[row], fill=True, color=_COLOURS[event], label=label
        )
        bottoms[row] = top
    shown = figure.legend(loc="outside lower left", ncols=len(UNITS), fontsize=8)
    layers = _layer_strip(axis, recorded)
    figure.add_artist(shown)
    figure.legend(handles=layers[:_LAYERS_NAMED], loc="outside right upper", fontsize=7)
    axis.set_yticks([0.4, 1.4, 2.4, 3.4, 4.2], ["DRAM", "store", "compute", "load", "layer"])
    axis.set(xlabel="cycles since the start", xlim=(0, edges[-1]), ylim=(0, 4.4), title=name)
    _save(figure, path)


_LAYERS_NAMED = 28


def _layer_strip(axis: Any, recorded: Recorded) -> list[Any]:
    """A bar for each stretch of one layer's instructions of compute; a handle for each layer."""
    bars: dict[str, list[tuple[int, int]]] = {}
    for layer, begin, end in recorded.stretches:
        bars.setdefault(layer, []).append((begin, end - begin))
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    return [
        axis.broken_barh(places, (4.05, 0.3), color=colours[number % 20], label=layer)
        for number, (layer, places) in enumerate(bars.items())
    ]


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
