"""Shapes of charts: SVG that takes its colours from the page, and says in words what it shows.

Positions are computed here; `chart.svg.j2` only places them. A class names what a shape is; the
style sheet of the page gives it a colour, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cnnaccel.render.template import render_template


class Legend(NamedTuple):
    """A colour of a chart, by its class, and what it stands for."""

    css: str
    text: str


@dataclass(frozen=True)
class Chart:
    """SVG, what its colours mean, and its class, which says how it fits a screen.

    `wide` and `full` ones scroll on a phone, `natural` ones everywhere, `tall` ones downwards, too.
    """

    svg: str
    legend: tuple[Legend, ...]
    css: str


@dataclass
class Canvas:
    """Shapes in the order in which they are drawn."""

    width: int
    height: int
    paths: list[dict[str, str]] = field(default_factory=list)
    texts: list[dict[str, str]] = field(default_factory=list)

    def path(self, css: str, steps: Iterable[tuple[str, float, float]], title: str = "") -> None:
        """steps: `M` or `L`, x, y; title: what a pointer on it is told."""
        at = " ".join(f"{kind}{x:.1f} {y:.1f}" for kind, x, y in steps)
        self.paths.append({"css": css, "d": at, "title": title})

    def line(self, css: str, points: Sequence[tuple[float, float]], title: str = "") -> None:
        self.path(css, (("L" if number else "M", *at) for number, at in enumerate(points)), title)

    def diamond(self, css: str, x: float, y: float, size: float, title: str = "") -> None:
        corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y), (x, y - size)]
        self.line(css, corners, title)

    def box(
        self, css: str, corner: tuple[float, float], size: tuple[float, float], title: str = ""
    ) -> None:
        """corner: left, top; size: width, height."""
        (x, y), (width, height) = corner, size
        right, bottom = x + width, y + height
        self.line(css, [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)], title)

    def text(self, css: str, x: float, y: float, words: str, turned: bool = False) -> None:
        """turned: it runs upwards from x, y."""
        turn = f"rotate(-90 {x:.1f} {y:.1f})" if turned else "rotate(0)"
        shown = {"css": css, "x": f"{x:.1f}", "y": f"{y:.1f}", "words": words, "turn": turn}
        self.texts.append(shown)

    def svg(self, name: str, title: str, described: str) -> str:
        """name: an id that no other chart of the page has."""
        return render_template(
            "chart.svg.j2", chart=self, name=name, title=title, described=described
        )


@dataclass(frozen=True)
class Axis:
    """Values low to high, at pixels begin to end."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False
    whole: bool = False
    """Only whole numbers get ticks."""

    def at(self, value: float) -> float:
        low, high, here = self.low, self.high, value
        if self.log:
            low, high, here = math.log(low), math.log(high), math.log(value)
        return self.begin + (here - low) / ((high - low) or 1) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """About five round values; of a logarithmic axis the powers of ten."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            times = (1,) if last - first > 1 else (1, 2, 5)
            powers = range(first - 1, last + 1)
            found = [step * 10.0**power for power in powers for step in times]
            return [value for value in found if self.low <= value <= self.high]
        step = self._step
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    @property
    def _step(self) -> float:
        rough = ((self.high - self.low) or 1) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough * 0.999)
        return max(1, math.ceil(step)) if self.whole else step

    def decimals(self, unit: float) -> int:
        """Decimals that tell the ticks apart, as multiples of 1/unit."""
        return max(0, -math.floor(math.log10(self._step * unit) + 1e-9))


def frame(canvas: Canvas, x: Axis, y: Axis, y_form: str, x_label: str, y_label: str) -> None:
    """Grid, ticks and labels of both axes."""
    for value in y.ticks():
        here = y.at(value)
        canvas.line("grid", [(x.begin, here), (x.end, here)])
        canvas.text("tick end", x.begin - 6, here + 4, format(value, y_form))
    for value in x.ticks():
        here = x.at(value)
        canvas.line("grid", [(here, y.begin), (here, y.end)])
        canvas.text("tick middle", here, y.begin + 16, f"{value:,g}")
    canvas.line("axis", [(x.begin, y.end), (x.begin, y.begin), (x.end, y.begin)])
    canvas.text("label middle", (x.begin + x.end) / 2, y.begin + 34, x_label)
    canvas.text("label start", 2, y.end - 9, y_label)


def shortened(words: str, letters: int) -> str:
    """The words in so many letters at most, the middle left out."""
    if len(words) <= letters:
        return words
    head = (letters - 1) // 2
    return f"{words[:head]}\u2026{words[len(words) - (letters - 1 - head) :]}"


def meets(
    box: tuple[float, float, float, float], begin: tuple[float, float], end: tuple[float, float]
) -> bool:
    """Whether a line touches a box: left, top, right, bottom."""
    left, top, right, bottom = box
    first, last = 0.0, 1.0
    (x, y), (dx, dy) = begin, (end[0] - begin[0], end[1] - begin[1])
    for step, gap in ((-dx, x - left), (dx, right - x), (-dy, y - top), (dy, bottom - y)):
        if step == 0 and gap < 0:
            return False
        if step < 0:
            first = max(first, gap / step)
        elif step > 0:
            last = min(last, gap / step)
    return first <= last
