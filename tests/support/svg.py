"""Shapes of an SVG picture."""

from __future__ import annotations

import re

Points = list[tuple[float, float]]


def shapes(svg: str, css: str) -> list[Points]:
    """The lines of a class."""
    found = re.findall(r'<path class="([^"]*)" d="([^"]*)"', svg)
    return [
        [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", d)]
        for names, d in found
        if css in names.split()
    ]


def box(points: Points) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)
