"""Charts of training and speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from cnnaccel.figures import ACCURACY, Figure
from cnnaccel.predict.estimate import Estimate
from cnnaccel.report.activity import UNITS, Recorded
from cnnaccel.report.canvas import Axis, Canvas, Chart, Legend, frame, meets
from cnnaccel.report.findings import Training
from cnnaccel.report.measured import Measured
from cnnaccel.report.roof import roof_of


def curves(training: Training) -> list[Chart]:
    """Loss and the figure of the task by epoch; the chosen epoch is marked."""
    name = ACCURACY if training.figure is None else training.figure.name
    return [
        _curve(training, "loss", "loss", "g"),
        _curve(training, "figure", name, "g"),
    ]


def _curve(training: Training, quantity: str, label: str, form: str) -> Chart:
    canvas = Canvas(380, 250)
    epochs = [row.epoch for row in training.history]
    measured = {
        split: [getattr(row, f"{split}_{quantity}") for row in training.history]
        for split in ("train", "validation")
    }
    lines = {split: line for split, line in measured.items() if None not in line}
    values = [value for line in lines.values() for value in line]
    low, high = min(values), max(values)
    room = 0.05 * ((high - low) or abs(high) or 1)
    aside = 0 if len(epochs) > 1 else 1  # a single epoch stands in the middle
    x = Axis(min(epochs) - aside, max(epochs) + aside, 50, 370, whole=True)
    y = Axis(low - room, high + room, 208, 28)
    if quantity == "figure" and (training.figure is None or training.figure.form == "share"):
        form = f".{y.decimals(100)}%"
    frame(canvas, x, y, form, "epoch", label)
    if training.chosen is not None and training.chosen in epochs:
        here = x.at(training.chosen)
        canvas.line("mark", [(here, y.begin), (here, y.end - 4)])
        words = f"epoch {training.chosen} taken"
        middle = min(max(here, x.begin + 84), x.end - 3.4 * len(words))
        canvas.text("tick middle", middle, y.end - 9, words)  # above the frame, so above the lines
    for split, line in lines.items():
        points = [(x.at(e), y.at(v)) for e, v in zip(epochs, line, strict=True)]
        canvas.line(f"line {split}", points)
        for px, py in points if len(points) <= 20 else ():
            canvas.diamond(f"dot {split}", px, py, 3)
    ends = ", ".join(f"{split} {line[0]:.4g} to {line[-1]:.4g}" for split, line in lines.items())
    described = f"{label} over epochs {epochs[0]} to {epochs[-1]}: {ends}"
    key = "loss" if quantity == "loss" else Figure(label, 0).key
    svg = canvas.svg(f"curve-{key}", f"{label} by epoch", described)
    legend = {
        "train": Legend("train", "training"),
        "validation": Legend("validation", "validation"),
    }
    return Chart(svg, tuple(legend[split] for split in lines), "small")


_PLACES = ((7, 13, "start"), (-7, 13, "end"), (7, -5, "start"), (-7, -5, "end"))
"""Places of a layer's number beside its point, the best first."""


def _number(
    canvas: Canvas,
    point: tuple[float, float],
    number: str,
    lines: Sequence[tuple[tuple[float, float], tuple[float, float]]],
    taken: list[tuple[float, float, float, float]],
) -> None:
    """Write a number where it covers no line, no point and no other number, if there is such a
    place."""
    width = 7.0 * len(number)
    for dx, dy, side in _PLACES:
        left = point[0] + dx - (width if side == "end" else 0)
        box = (left - 1, point[1] + dy - 10, left + width + 1, point[1] + dy + 2)
        apart = all(
            box[2] < other[0] or other[2] < box[0] or box[3] < other[1] or other[3] < box[1]
            for other in taken
        )
        if apart and not any(meets(box, *line) for line in lines):
            canvas.text(f"tick {side}", point[0] + dx, point[1] + dy, number)
            taken.append(box)
            return


def roofline(estimate: Estimate, measured: Measured | None) -> Chart:
    """Layers by number and the network under the roof; measured: a run of it."""
    canvas, roof = Canvas(680, 400), roof_of(estimate)
    points = [(one.intensity, one.gops) for one in roof.layers]
    if roof.intensity:
        points.append((roof.intensity, estimate.gops))
    found = None if measured is None else (_intensity(measured), measured.gops)
    points += [found] if found else []
    ridge = estimate.peak_gops / estimate.bus_gbytes
    x = Axis(*_decades([*(p[0] for p in points), ridge]), 62, 664, log=True)
    y = Axis(*_decades([*(p[1] for p in points), estimate.peak_gops]), 352, 26, log=True)
    frame(canvas, x, y, ",g", "operations per byte of DRAM", "GOP/s")
    start = max(x.low, y.low / estimate.bus_gbytes)
    corners = [(start, start * estimate.bus_gbytes), (ridge, estimate.peak_gops)]
    corners = [(x.at(a), y.at(b)) for a, b in [*corners, (x.high, estimate.peak_gops)]]
    canvas.line("roof", corners)
    canvas.text("tick end", 660, y.at(estimate.peak_gops) - 6, f"{estimate.peak_gops:,.1f} GOP/s")
    wholes = [("predicted", roof.intensity, estimate.gops)] if roof.intensity else []
    wholes += [("measured", *found)] if found else []
    marks = [(x.at(one.intensity), y.at(one.gops), 4) for one in roof.layers]
    marks += [(x.at(a), y.at(b), 9) for _, a, b in wholes]
    taken = [(px - size, py - size, px + size, py + size) for px, py, size in marks]
    numbers = numbers_of(estimate)
    for one in roof.layers:
        px, py = x.at(one.intensity), y.at(one.gops)
        canvas.diamond("dot layer", px, py, 4, f"{numbers[one.layer]}: {one.layer}")
        number = str(numbers[one.layer])
        _number(canvas, (px, py), number, list(pairwise(corners)), taken)
    for css, intensity, gops in wholes:
        canvas.diamond(f"whole {css}", x.at(intensity), y.at(gops), 8)
    described = (
        f"{len(roof.layers)} layers under a roof of {estimate.peak_gops:,.1f} GOP/s and "
        f"{estimate.bus_gbytes:.2f} GB/s; the network is predicted at {estimate.gops:.1f} GOP/s"
        + (f", measured at {measured.gops:.1f}" if measured else "")
    )
    legend = [
        Legend("layer", "a layer, by its number below"),
        Legend("predicted", "network, predicted"),
    ]
    legend += [Legend("measured", "network, measured")] if found else []
    return Chart(canvas.svg("roofline", "roofline", described), tuple(legend), "wide")


def numbers_of(estimate: Estimate) -> dict[str, int]:
    """Numbers of layers, from 1 on, as the page counts them."""
    return {usage.layer: number for number, usage in enumerate(estimate.layers, 1)}


def _intensity(measured: Measured) -> float:
    """Operations per byte that was read or written, whichever were more."""
    moved = max(measured.counters["read_bytes"], measured.counters["written_bytes"], 1)
    return measured.operations * measured.images / moved


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Around the values, with room beside them, at least a power of ten within."""
    low, high = min(values) / 1.8, max(values) * 1.8
    power = 10.0 ** math.floor(math.log10(high))
    return min(low, power), high


_COLUMNS = 400
_ROW = 46


def activity(recorded: Recorded, numbers: Mapping[str, int]) -> Chart:
    """Units over time: height is the share of the cycles; on top, compute's layer.

    numbers: of layers, shown where a name has no room.
    """
    canvas, shares = Canvas(1080, 300), recorded.shares
    bins = len(shares["cycles"])
    width = -(-bins // _COLUMNS)
    end = bins * recorded.bin_cycles
    x = Axis(0, end, 66, 1070)
    edges = [x.at(min(at, bins) * recorded.bin_cycles) for at in range(0, bins + width, width)]
    names = ["DRAM", "store", "compute", "load"]
    bases = {row: 64.0 + _ROW * (len(names) - row) for row in range(len(names))}
    for row, base in bases.items():
        canvas.line("grid", [(x.begin, base), (x.end, base)])
        canvas.text("label end", 60, base - 14, names[row])
    bottoms = {row: [base] * (len(edges) - 1) for row, base in bases.items()}
    for row, event, _ in UNITS:
        scale = 38 / (2 if row == 0 else 1)  # reads and writes share a row
        means = [_mean(shares[event][at : at + width]) for at in range(0, bins, width)]
        tops = [low - scale * share for low, share in zip(bottoms[row], means, strict=True)]
        _stairs(canvas, f"fill {event}", edges, bottoms[row], tops)
        bottoms[row] = tops
    layers = _layer_strip(canvas, recorded, numbers, x)
    for value in x.ticks():
        canvas.line("axis", [(x.at(value), 248), (x.at(value), 253)])
        canvas.text("tick middle", x.at(value), 268, f"{value:,g}")
    canvas.text("label middle", 568, 290, "cycles since the start")
    described = f"load, compute, store and DRAM over the first {end:,} cycles of a run"
    legend = (*(Legend(event, label) for _, event, label in UNITS), *layers)
    return Chart(canvas.svg("activity", "activity of the units", described), legend, "wide full")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _stairs(
    canvas: Canvas, css: str, edges: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> None:
    """A filled area between two rows of steps, each step wherever there is something of it."""
    steps: list[tuple[str, float, float]] = []
    for at, (bottom, top) in enumerate(zip(low, high, strict=True)):
        if bottom - top > 0.05:
            left, right = edges[at], edges[at + 1]
            steps += [
                ("M", left, bottom),
                ("L", left, top),
                ("L", right, top),
                ("L", right, bottom),
            ]
    if steps:
        canvas.path(css, steps)


_TONES = 8
_LAYERS_NAMED = 12


def _layer_strip(
    canvas: Canvas, recorded: Recorded, numbers: Mapping[str, int], x: Axis
) -> list[Legend]:
    """A bar for each stretch of a layer, with its name or its number where that has room."""
    canvas.text("label end", 60, 40, "layer")
    tones: dict[str, int] = {}
    for layer, begin, end in recorded.stretches:
        left, right = x.at(min(begin, x.high)), x.at(min(end, x.high))
        tone = tones.setdefault(layer, len(tones)) % _TONES
        corners = [(left, 24.0), (right, 24.0), (right, 48.0), (left, 48.0)]
        canvas.line(f"strip strip{tone}", corners, f"{layer}, {end - begin:,} cycles")
        for words in (layer, str(numbers.get(layer, ""))):
            if words and right - left > 7.5 * len(words) + 4:
                canvas.text("strip middle", (left + right) / 2, 40, words)
                break
    shown = tones.items() if len(tones) <= _LAYERS_NAMED else ()
    return [Legend(f"strip strip{number % _TONES}", layer) for layer, number in shown]
