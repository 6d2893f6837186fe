"""Tables for the terminal, made from graphs and results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from rich.table import Table

from cnnaccel.ir.graph import (
    AnyLayer,
    Concat,
    Graph,
    MaxPool2d,
    TensorSpec,
    macs,
    parameter_bytes,
    parameters,
)
from cnnaccel.ir.verify import accumulator_bits


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose columns after the first are aligned right where they hold numbers."""
    rows = list(rows)
    made = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        numeric = index > 0 and all(row[index][:1].isdigit() or not row[index] for row in rows)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def span(values: npt.ArrayLike, form: str = "d") -> str:
    """`low..high` of an array, or the one value."""
    array = np.asarray(values)
    low, high = (format(end.item(), form) for end in (array.min(), array.max()))
    return low if low == high else f"{low}..{high}"


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
