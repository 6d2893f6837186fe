"""Tables for the terminal, made from graphs and results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cnnaccel.ir.graph import (
    AnyLayer,
    Concat,
    Graph,
    MaxPool2d,
    TensorSpec,
    macs,
    output_shapes,
    parameter_bytes,
    parameters,
)
from cnnaccel.ir.verify import accumulator_bits


class _Fitting(Table):
    """A table that prints each row as lines of its own where its columns would break words."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = [str(column.header) for column in self.columns]
        rows = list(zip(*(map(str, column.cells) for column in self.columns), strict=True))
        if _keeps_words([names, *rows], options.max_width):
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text.from_markup(str(self.title), style="table.title")
        for first, *rest in rows:
            filled = zip(names[1:], rest, strict=True)
            said = ", ".join(f"{name} {cell}" for name, cell in filled if cell)
            yield Text.from_markup(first, style="bold")
            yield Padding(Text.from_markup(said, overflow="fold"), (0, 0, 0, 4))


def _keeps_words(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the columns of a table of so many characters are as wide as their longest word.

    Where lines do not fit, rich makes the widest columns narrower, down to one width for all.
    """
    columns = [
        [Text.from_markup(cell).plain for cell in column] for column in zip(*rows, strict=True)
    ]
    lines = [
        max((len(line) for cell in c for line in cell.split("\n")), default=0) for c in columns
    ]
    words = [max((len(word) for cell in c for word in cell.split()), default=0) for c in columns]
    room = widest = width - 3 * len(columns) - 1
    while widest > 0 and sum(min(line, widest) for line in lines) > room:
        widest -= 1
    return all(word < widest or line <= widest for word, line in zip(words, lines, strict=True))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose columns after the first are aligned right where they hold numbers."""
    rows = list(rows)
    made = _Fitting(title=title, title_justify="left")
    for index, column in enumerate(columns):
        numeric = index > 0 and all(row[index][:1].isdigit() or not row[index] for row in rows)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def text_of(shown: Table, width: int = 150) -> str:
    """A table as lines of text, without colours."""
    console = Console(width=width, color_system=None, force_terminal=False, force_jupyter=False)
    with console.capture() as captured:
        console.print(shown)
    return captured.get().rstrip()


def span(values: npt.ArrayLike, form: str = "d") -> str:
    """`low..high` of an array, or the one value."""
    array = np.asarray(values)
    low, high = (format(end.item(), form) for end in (array.min(), array.max()))
    return low if low == high else f"{low}..{high}"


def outputs_line(graph: Graph) -> str:
    """The outputs of the model, and what the host does for them; empty for one plain result."""
    tail = graph.tail
    if tail is None or (len(graph.results) == 1 and not tail.operators):
        return ""
    shapes = output_shapes(graph).items()
    returned = ", ".join(f"{name} {list(shape)}" for name, shape in shapes)
    done = f"; host tail: {', '.join(tail.operators)}" if tail.operators else ""
    return f"returns {returned}{done}"


def graph_table(graph: Graph) -> Table:
    """One line per layer: shapes, work, parameters, arithmetic."""
    tensors = graph.tensors()
    rows = [
        [
            layer.name,
            type(layer).__name__,
            " + ".join(_shape(tensors[source]) for source in layer.inputs),
            _shape(layer.output),
            f"{macs(layer):,}" if macs(layer) else "",
            f"{parameters(layer):,}" if parameters(layer) else "",
            *multiplier_and_shift(layer),
            str(accumulator_bits(layer, [tensors[source].range for source in layer.inputs])),
        ]
        for layer in graph.layers
    ]
    rows.append(
        [
            "total", "", "", "",
            f"{sum(map(macs, graph.layers)):,}",
            f"{sum(map(parameters, graph.layers)):,}",
            "", "", "",
        ]
    )  # fmt: skip
    size = sum(map(parameter_bytes, graph.layers))
    title = f"{graph.name}: {len(graph.layers)} layers, {size:,} bytes of parameters"
    columns = ["layer", "kind", "input", "output", "MACs", "parameters"]
    return table(title, [*columns, "multiplier", "shift", "acc bits"], rows)


def multiplier_and_shift(layer: AnyLayer) -> tuple[str, str]:
    """The ranges over a layer's channels; empty where nothing is requantized."""
    if isinstance(layer, MaxPool2d | Concat):
        return "", ""
    return span(layer.requant.multiplier), span(layer.requant.shift)


def _shape(spec: TensorSpec) -> str:
    return "x".join(map(str, spec.shape)) + f" {spec.dtype}"
