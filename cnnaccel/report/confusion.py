"""Confusion of classes: a matrix in colours, and tables of what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

from cnnaccel.report.blocks import Cell, Table, bar, table
from cnnaccel.report.canvas import Canvas, Chart, Legend, shortened
from cnnaccel.report.findings import Evaluation

COUNTED = 20
"""Classes up to which every count is written into its cell."""
_CELLS = 100
"""Rows and columns at most: neighbouring classes share one where there are more."""
_SHADES = 8
_ROWS = 40
_WORST = 15
_LETTERS = 18


def matrix(evaluated: Evaluation) -> Chart:
    """A row for each class, a column for what its images were taken for."""
    if len(evaluated.classes) <= COUNTED:
        return _counted(evaluated)
    return _coloured(evaluated)


def _shade(share: float) -> int:
    """1.._SHADES of a share above 0."""
    return max(1, min(_SHADES, round(share * _SHADES)))


def _shares(counts: Sequence[Sequence[int]]) -> tuple[list[list[float]], float]:
    """Shares of each row, and the greatest one beside the diagonal."""
    shares = [[count / (sum(row) or 1) for count in row] for row in counts]
    wrong = [share for at, row in enumerate(shares) for to, share in enumerate(row) if to != at]
    return shares, max(wrong, default=0.0)


def _counted(evaluated: Evaluation) -> Chart:
    names = [shortened(name, _LETTERS) for name in evaluated.classes]
    size = 40 if len(names) <= 12 else 32
    margin = 34 + 8 * max(map(len, names))
    end = margin + size * len(names)
    canvas = Canvas(end + 4, end + 4)
    shares, worst = _shares(evaluated.confusion)
    canvas.text("label start", margin, 14, "taken for")
    canvas.text("label start", 2, margin - 6, "is")
    for at, name in enumerate(names):
        middle = margin + size * at + size / 2
        canvas.text("name end", margin - 6, middle + 4, name)
        canvas.text("name start", middle + 4, margin - 6, name, turned=True)
        for to, count in enumerate(evaluated.confusion[at]):
            corner = (margin + size * to, margin + size * at)
            css = _cell(shares[at][to], worst, at == to)
            is_, taken = evaluated.classes[at], evaluated.classes[to]
            total = sum(evaluated.confusion[at])
            title = f"{is_}, taken for {taken}: {count:,} of {total:,}"
            canvas.box(css, corner, (size, size), title)
            words = "middle count" if count else "middle tick"
            canvas.text(words, corner[0] + size / 2, corner[1] + size / 2 + 4, str(count))
    return _chart(canvas, evaluated, worst, 1)


def _cell(share: float, worst: float, right: bool) -> str:
    if not share:
        return "cell"
    return f"cell right heat{_shade(share)}" if right else f"cell wrong heat{_shade(share / worst)}"


def _coloured(evaluated: Evaluation) -> Chart:
    """Cells of one shade are one path, so that a hundred classes stay a small file."""
    group = -(-len(evaluated.classes) // _CELLS)
    counts = _grouped(evaluated.confusion, group)
    shares, worst = _shares(counts)
    size = max(6, 480 // len(counts))
    margin, end = 40, 40 + size * len(counts)
    canvas = Canvas(end + 4, end + 4)
    steps: dict[str, list[tuple[str, float, float]]] = {}
    for at, row in enumerate(shares):
        for to, share in enumerate(row):
            if share:
                x, y = margin + size * to, margin + size * at
                ends = [("M", x, y), ("L", x + size, y), ("L", x + size, y + size)]
                css = f"dense {_cell(share, worst, at == to)}"
                steps.setdefault(css, []).extend(
                    [*((k, float(a), float(b)) for k, a, b in ends), ("L", float(x), y + size)]
                )
    for css in sorted(steps):
        canvas.path(css, steps[css])
    canvas.box("axis", (margin, margin), (end - margin, end - margin))
    canvas.text("label start", margin, 14, "taken for class")
    canvas.text("label start", 2, margin - 8, "is")
    for at in range(0, len(counts), max(1, len(counts) // 10)):
        middle = margin + size * at + size / 2
        canvas.text("tick end", margin - 5, middle + 4, str(at * group))
        canvas.text("tick middle", middle, margin - 6, str(at * group))
    return _chart(canvas, evaluated, worst, group)


def _grouped(counts: Sequence[Sequence[int]], group: int) -> list[list[int]]:
    starts = range(0, len(counts), group)
    return [
        [sum(sum(row[b : b + group]) for row in counts[a : a + group]) for b in starts]
        for a in starts
    ]


def _chart(canvas: Canvas, evaluated: Evaluation, worst: float, group: int) -> Chart:
    wrong = evaluated.images - sum(row[at] for at, row in enumerate(evaluated.confusion))
    described = (
        f"{len(evaluated.classes)} classes, {evaluated.images:,} images, {wrong:,} of them wrong"
    )
    right = "recognised" if group == 1 else f"recognised, or taken for one of the same {group}"
    legend = [Legend("cell right heat6", f"{right}: the stronger, the larger the share of a row")]
    if wrong:
        text = f"mistaken: strongest at {worst:.1%} of a row, the most there is"
        legend.append(Legend("cell wrong heat6", text))
    if group > 1:
        legend.append(Legend("axis", f"a row or column holds {group} classes, from its number on"))
    svg = canvas.svg("confusion", "confusion matrix", described)
    return Chart(svg, tuple(legend), "natural")


def worst_table(evaluated: Evaluation) -> Table:
    """The confusions that are most frequent."""
    found = sorted(
        (-count, at, to)
        for at, row in enumerate(evaluated.confusion)
        for to, count in enumerate(row)
        if count and at != to
    )
    rows = [
        [evaluated.classes[at], evaluated.classes[to], f"{-count:,}",
         f"{-count / sum(evaluated.confusion[at]):.1%}"]
        for count, at, to in found[:_WORST]
    ]  # fmt: skip
    return table("Confusions", ["is", "taken for", "images", "of the class"], rows)


def classes_table(evaluated: Evaluation) -> tuple[Table, tuple[str, ...]]:
    """Recall by class, the hardest first, and notes. Bars are what was not recognised."""
    found = []
    for at, (name, row) in enumerate(zip(evaluated.classes, evaluated.confusion, strict=True)):
        total = sum(row)
        found.append((1 - row[at] / total if total else 0.0, at, name, total, row))
    found.sort(key=lambda one: (-one[0], one[1]))
    most = found[0][0] if found else 0.0
    rows: list[list[str | Cell]] = [
        [name, f"{total:,}", f"{1 - missed:.1%}" if total else "-",
         bar(f"{total - row[at]:,}", missed / most if most else 0.0),
         _mistaken(evaluated.classes, at, row)]
        for missed, at, name, total, row in found[:_ROWS]
    ]  # fmt: skip
    notes = [
        f"Bars begin at 0 and show the share of a class that was not recognised; the longest is "
        f"{most:.1%} of its class."
        if most
        else "Every image was recognised."
    ]
    if len(found) > _ROWS:
        notes.append(f"The {_ROWS} hardest of {len(found):,} classes.")
    columns = ["class", "images", "recognised", "not recognised", "most often mistaken for"]
    return table("Classes", columns, rows), tuple(notes)


def _mistaken(classes: Sequence[str], at: int, row: Sequence[int]) -> str:
    """`shirt (12 images), coat (1 image)`."""
    wrong = sorted(
        ((count, other) for other, count in enumerate(row) if count and other != at),
        key=lambda one: (-one[0], one[1]),
    )
    return ", ".join(
        f"{classes[other]} ({count:,} image{'s' * (count > 1)})" for count, other in wrong[:3]
    )
