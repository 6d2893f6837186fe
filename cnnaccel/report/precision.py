"""Float against int8, layer by layer: where noise breaks in, and what values there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from cnnaccel.ir.graph import Graph
from cnnaccel.report.blocks import Block, Card, Fold
from cnnaccel.report.canvas import Axis, Canvas, Chart, Legend, shortened
from cnnaccel.report.distributions import Distributions, TensorCounts, WeightCounts
from cnnaccel.report.quantization import QuantizationReport

_MOST_DB = 80.0
"""Drawn at most; without any noise it is infinite."""
_LETTERS = 32
"""Letters of a name at most: layers of a large network differ in the middle of theirs."""
_OPEN = 12
"""Layers that are shown; the others can be opened."""


def blocks(
    report: QuantizationReport, graph: Graph, found: Distributions | None, source: str
) -> list[Block]:
    """SQNR by layer, then a card for each; source: what measured, and whether it is current."""
    return comparison(noises(report), graph, found, source)


def comparison(
    noise: dict[str, float], graph: Graph, found: Distributions | None, source: str
) -> list[Block]:
    """Blocks of SQNR by tensor in dB, and of the values of each tensor."""
    made = [_chart_block(noise, graph, source)] if noise else []
    if found is not None and found.tensors:
        cards = [_card(one, noise.get(one.name)) for one in found.tensors]
        rest = len(cards) - _OPEN
        folds = (Fold(f"{rest} more layers", tuple(cards[_OPEN:])),) if rest > 0 else ()
        made.append(
            Block(
                "Values by layer, float against int8",
                f"{source}, on {found.images} of them",
                cards=tuple(cards[:_OPEN]),
                folds=folds,
                notes=_NOTES,
            )
        )
    return made


_NOTES = (
    "Weights: how many have which value. Activations: the integer graph filled, the float network "
    "as a line, both over the range that 8 bits hold; what the float network has beyond it is "
    "clipped and stands in red at that end. The bar that holds 0 is cut where it is the highest.",
    "Float against int8: single values, both in steps of the tensor; without noise they lie on "
    "the line. Noise is the root of the mean square of int8 - float, shift its mean.",
)


def noises(report: QuantizationReport) -> dict[str, float]:
    """SQNR in dB by tensor, infinite where there is no noise."""
    found = {}
    for row in report.layers:
        try:
            found[row.name] = float(row.sqnr_db)
        except ValueError:
            continue  # the image, or a tensor that the float network has not
    return {name: value for name, value in found.items() if not math.isnan(value)}


def loudest(noise: dict[str, float], graph: Graph) -> str:
    """The layer that adds the most noise; empty where none adds any.

    Noise is a share of the signal's power, 10 ** (-SQNR / 10). What a layer adds is its own less
    the greatest of what it reads.
    """
    share = {name: 10 ** (-value / 10) for name, value in noise.items()}
    added = [
        (share[one.output.name] - max(share.get(name, 0.0) for name in one.inputs), one.output.name)
        for one in graph.layers
        if one.output.name in share
    ]
    most, name = max(added, key=lambda one: one[0], default=(0.0, ""))
    return name if most > 0 else ""


def _drawn(decibels: float) -> float:
    return min(decibels, _MOST_DB)


# ---- signal to noise -------------------------------------------------------------------------


def _chart_block(noise: dict[str, float], graph: Graph, source: str) -> Block:
    name = loudest(noise, graph)
    notes = [
        "Signal to quantization noise of each tensor, the integer graph against the float "
        "network: 6 dB are one bit. A layer carries on the noise of those before it."
    ]
    if name:
        notes.append(f"The layer that adds the most noise, as a share of its signal, is {name}.")
    chart = _noise_chart(noise, name)
    return Block("Where noise breaks in", source, charts=(chart,), notes=tuple(notes))


def _noise_chart(noise: dict[str, float], worst: str) -> Chart:
    letters = min(_LETTERS, max(map(len, noise)))
    canvas = Canvas(max(380, 8 * letters + 240), 32 + 20 * len(noise))
    most = max(10.0, *(_drawn(value) for value in noise.values()))
    x = Axis(min(0.0, *noise.values()), most, 12 + 8 * letters, canvas.width - 50)
    bottom = 12 + 20 * len(noise)
    for value in x.ticks():
        canvas.line("grid", [(x.at(value), 6), (x.at(value), bottom)])
        canvas.text("tick middle", x.at(value), bottom + 15, f"{value:g}")
    canvas.text("label end", canvas.width - 4, bottom + 15, "dB")
    for at, (name, value) in enumerate(noise.items()):
        y = 10.0 + 20 * at
        canvas.text("name end", x.begin - 6, y + 12, shortened(name, letters))
        end = x.at(_drawn(value))
        css = "noise worst" if name == worst else "noise"
        text = "exact" if math.isinf(value) else f"{value:.1f}"
        canvas.box(css, (min(x.at(0), end), y), (abs(end - x.at(0)), 14), f"{name}: {text} dB")
        canvas.text("tick start", max(end, x.at(0)) + 5, y + 12, text)
    described = ", ".join(f"{name} {value:.1f} dB" for name, value in noise.items())
    legend = [Legend("noise", "signal to noise")]
    legend += [Legend("noise worst", "adds the most noise")] if worst else []
    svg = canvas.svg("noise", "signal to quantization noise by layer", described)
    css = "small" if canvas.width <= 380 else "natural"
    return Chart(svg, tuple(legend), f"{css} tall" if len(noise) > 40 else css)


# ---- values ----------------------------------------------------------------------------------


def _card(counts: TensorCounts, decibels: float | None) -> Card:
    canvas = Canvas(344, 132)
    if counts.weights is not None:
        _weights(canvas, counts.weights)
    _activations(canvas, counts)
    _pairs(canvas, counts)
    ends = f"{counts.low} to {counts.low + 255}"
    described = (
        f"activations over {ends}: {counts.zeros:.1%} are 0, {counts.clipped:.2%} clipped; "
        f"noise of {counts.noise_steps:.2f} steps"
    )
    svg = canvas.svg(f"values-{_id(counts.name)}", f"values of {counts.name}", described)
    facts = [
        ("SQNR", "not known" if decibels is None else f"{decibels:.1f} dB"),
        ("noise", f"{counts.noise_steps:.2f} steps"),
        ("shift", f"{counts.bias_steps:+.2f} steps"),
        ("clipped", f"{counts.clipped:.2%}"),
        ("zeros", f"{counts.zeros:.1%}"),
    ]
    if counts.weights is not None:
        facts.append(("weights that are 0", f"{counts.weights.zeros:.1%}"))
        facts.append(("at \u00b1127", f"{counts.weights.ends:.1%}"))
    return Card(counts.name, svg, tuple(facts))


def _id(name: str) -> str:
    """Part of an id: other signs than letters and digits become their number."""
    return "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in name)


_TOP, _BOTTOM = 8.0, 92.0


def _weights(canvas: Canvas, weights: WeightCounts) -> None:
    x = Axis(-128, 128, 2, 106)
    _bars(canvas, "weights", x, weights.bins, -128)
    _base(canvas, x, (-128, 0, 127), "weights")


def _activations(canvas: Canvas, counts: TensorCounts) -> None:
    x = Axis(counts.low - 8, counts.low + 264, 122, 226)
    top = _top(counts.integers, counts.low)
    _bars(canvas, "integers", x, counts.integers, counts.low, top)
    inner = counts.floats[1:-1]
    heights = [_height(count, top) for count in inner]
    at = [x.at(counts.low + 4 * number) for number in range(len(inner) + 1)]
    steps = [
        point
        for number, height in enumerate(heights)
        for point in ((at[number], _BOTTOM - height), (at[number + 1], _BOTTOM - height))
    ]
    canvas.line("floats", steps, "float network")
    for count, edge in ((counts.floats[0], x.begin), (counts.floats[-1], x.at(counts.low + 258))):
        if count:
            height = max(3.0, _height(count, top))
            canvas.box("clipped", (edge, _BOTTOM - height), (3, height), f"{count:,} clipped")
    low, high = counts.low, counts.low + 255
    _base(canvas, x, (low, 0, high) if low else (0, high), "activations")


def _pairs(canvas: Canvas, counts: TensorCounts) -> None:
    x = Axis(counts.low, counts.low + 255, 246, 340)
    y = Axis(counts.low, counts.low + 255, _BOTTOM, _TOP)
    ends = (counts.low, counts.low + 255)
    canvas.line("equal", [(x.at(end), y.at(end)) for end in ends], "float = int8")
    steps: list[tuple[str, float, float]] = []
    for exact, value in counts.pairs:
        here = x.at(min(max(exact, ends[0] - 8.0), ends[1] + 8.0))
        steps += [("M", here - 1.2, y.at(value)), ("L", here + 1.2, y.at(value))]
    if steps:
        canvas.path("pairs", steps)
    canvas.line("axis", [(x.begin, _TOP), (x.begin, _BOTTOM), (x.end, _BOTTOM)])
    canvas.text("tick start", x.begin, _BOTTOM + 14, str(ends[0]))
    canvas.text("tick end", x.end, _BOTTOM + 14, str(ends[1]))
    canvas.text("label middle", (x.begin + x.end) / 2, _BOTTOM + 32, "float : int8")


def _top(bins: Sequence[int], low: int) -> int:
    """The highest bar beside that of 0."""
    zero = -low // 4
    return max((count for at, count in enumerate(bins) if at != zero), default=0) or max(bins)


def _height(count: int, top: int) -> float:
    return (_BOTTOM - _TOP) * min(1.0, count / (top or 1))


def _bars(
    canvas: Canvas, css: str, x: Axis, bins: Sequence[int], low: int, top: int | None = None
) -> None:
    """Draw all bars as one path."""
    top = _top(bins, low) if top is None else top
    steps: list[tuple[str, float, float]] = [("M", x.at(low), _BOTTOM)]
    edges = [x.at(low + 4 * number) for number in range(len(bins) + 1)]
    for (left, right), count in zip(pairwise(edges), bins, strict=True):
        height = _BOTTOM - _height(count, top)
        steps += [("L", left, height), ("L", right, height)]
    canvas.path(css, [*steps, ("L", edges[-1], _BOTTOM)])


def _base(canvas: Canvas, x: Axis, marks: Sequence[int], label: str) -> None:
    canvas.line("axis", [(x.begin, _BOTTOM), (x.end, _BOTTOM)])
    for mark in marks:
        side = "start" if mark == marks[0] else "end" if mark == marks[-1] else "middle"
        here = x.begin if side == "start" else x.end if side == "end" else x.at(mark)
        canvas.text(f"tick {side}", here, _BOTTOM + 14, str(mark))
    canvas.text("label middle", (x.begin + x.end) / 2, _BOTTOM + 32, label)
