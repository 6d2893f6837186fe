"""Shapes of the drawings: boxes, arrows, words, as SVG.

A drawing has a white ground, so that it can be read on a dark page; text stays text. A text that
would not fit its box is an error.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field

STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2430 }
.bold { font-weight: 600 } .small { font-size: 11.5px } .quiet { fill: #5a6170 }
.mid { text-anchor: middle } .end { text-anchor: end }
.code { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px }
rect, path { stroke-width: 1.4 }
.ground { fill: #fff; stroke: #d5d9e2 } .frame { fill: none; stroke: #9aa2b1 }
.dash { stroke-dasharray: 5 4 }
.file { fill: #fff7e2; stroke: #b58a1e } .code-box { fill: #e9f0fb; stroke: #3c6ab0 }
.chip { fill: #e6f4ea; stroke: #3a7f54 } .memory { fill: #f1e9f8; stroke: #7a52a0 }
.arrow { fill: none; stroke: #444b5a; marker-end: url(#head) }
.token { fill: none; stroke: #c0392b; marker-end: url(#red) }
.bank0 { fill: #dbe8fa; stroke: #3c6ab0 } .bank1 { fill: #e0f2e4; stroke: #3a7f54 }
.bank2 { fill: #fdf0cf; stroke: #b58a1e } .bank3 { fill: #eee2f6; stroke: #7a52a0 }
"""
HEAD = (
    '<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" style="fill:{color}"/></marker>'
)
Point = tuple[float, float]


@dataclass
class Drawing:
    """Shapes of an SVG of a size in pixels, in the order in which they are drawn."""

    width: int
    height: int
    title: str
    shapes: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, css: str = "", room: float = 0) -> None:
        """Words at a baseline; `room`: pixels that they have to fit, if it is not 0."""
        assert 0 <= y <= self.height, f"{words!r} is outside of the drawing"
        letter = 7.3 if "code" in css else 6.0 if "small" in css else 6.8
        assert not room or len(words) * letter <= room, f"{words!r} is too long for {room} pixels"
        self.shapes.append(f'<text class="{css}" x="{x:g}" y="{y:g}">{html.escape(words)}</text>')

    def lines(self, x: float, y: float, *lines: str) -> None:
        """A paragraph in small letters, its first baseline at `y`."""
        for number, line in enumerate(lines):
            self.text(x, y + 18 * number, line, "small")

    def box(
        self, css: str, left: float, top: float, width: float, height: float, *lines: str
    ) -> None:
        """A box with centred lines, the first one bold."""
        assert left >= 0 and top >= 0 and left + width <= self.width and top + height <= self.height
        self.shapes.append(
            f'<rect class="{css}" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" '
            'rx="6"/>'
        )
        y = top + height / 2 - 8 * (len(lines) - 1) + 4.5
        for number, line in enumerate(lines):
            style = "mid bold" if number == 0 else "mid small"
            self.text(left + width / 2, y + 16 * number, line, style, width - 8)

    def arrow(self, *points: Point, label: str = "", css: str = "arrow", above: float = 6) -> None:
        """A line with a head at its end; the label stands above the middle of its first part."""
        steps = " ".join(f"{x:g} {y:g}" for x, y in points)
        self.shapes.append(f'<path class="{css}" d="M{steps}"/>')
        if label:
            (x, y), (to_x, to_y) = points[:2]
            self.text((x + to_x) / 2, (y + to_y) / 2 - above, label, "mid small quiet")

    def svg(self) -> str:
        """The file."""
        size = f'width="{self.width}" height="{self.height}"'
        ground = f'x="0.7" y="0.7" width="{self.width - 1.4:g}" height="{self.height - 1.4:g}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
                f'viewBox="0 0 {self.width} {self.height}" role="img">',
                f"<title>{html.escape(self.title)}</title>",
                f"<style>{STYLE}</style>",
                "<defs>" + HEAD.format(name="head", color="#444b5a; stroke: none"),
                HEAD.format(name="red", color="#c0392b; stroke: none") + "</defs>",
                f'<rect class="ground" {ground} rx="8"/>',
                *self.shapes,
                "</svg>\n",
            ]
        )
