"""The quantization report: one record, shown as a table, written as JSON and Markdown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from cnnaccel.ir.graph import Graph
from cnnaccel.report.tables import multiplier_and_shift, span, table
from cnnaccel.report.templates import render


@dataclass(frozen=True)
class LayerRow:
    """One tensor of the graph; texts, ready to show."""

    name: str
    kind: str
    dtype: str
    scale: str
    zero_point: str
    weight_scale: str
    multiplier: str
    shift: str
    sqnr_db: str


@dataclass(frozen=True)
class QuantizationReport:
    """What quantizing cost and gained. Accuracies and agreement are shares of the test images."""

    network: str
    options: str
    layers: tuple[LayerRow, ...]
    test_images: int
    float_accuracy: float
    int8_accuracy: float
    agreement: float
    float_bytes: int
    int8_bytes: int
    host_normalizes: bool

    def headline(self) -> str:
        """The result in one line."""
        return (
            f"float {self.float_accuracy:.2%}, int8 {self.int8_accuracy:.2%} "
            f"({100 * (self.int8_accuracy - self.float_accuracy):+.2f} points), "
            f"same answer on {self.agreement:.2%} of {self.test_images:,} test images"
        )

    def size(self) -> str:
        """Bytes before and after."""
        return (
            f"{self.float_bytes / 1e6:.4f} MB of float32 parameters -> {self.int8_bytes / 1e6:.4f} "
            f"MB of weights, biases, multipliers and shifts"
        )

    def table(self) -> Table:
        """For the terminal."""
        columns = ["tensor", "made by", "type", "scale", "zero", "weight scale"]
        columns += ["multiplier", "shift", "SQNR dB"]
        rows = [dataclasses.astuple(row) for row in self.layers]
        return table(f"{self.network}: {self.options}", columns, rows)

    def write(self, folder: Path) -> None:
        """`report.json` and `report.md` into `folder`."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        page = render("quantize.md.j2", report=self)
        (folder / "report.md").write_text(page, encoding="utf-8")


def from_json(document: Any) -> QuantizationReport:
    """What `QuantizationReport.write` wrote into `report.json`.

    Raises:
        KeyError, TypeError, ValueError: it did not write this.
    """
    rows = [
        LayerRow(**{field.name: str(row[field.name]) for field in dataclasses.fields(LayerRow)})
        for row in document["layers"]
    ]
    return QuantizationReport(
        network=str(document["network"]),
        options=str(document["options"]),
        layers=tuple(rows),
        test_images=int(document["test_images"]),
        float_accuracy=float(document["float_accuracy"]),
        int8_accuracy=float(document["int8_accuracy"]),
        agreement=float(document["agreement"]),
        float_bytes=int(document["float_bytes"]),
        int8_bytes=int(document["int8_bytes"]),
        host_normalizes=bool(document["host_normalizes"]),
    )


def layer_rows(
    graph: Graph,
    weight_scales: Mapping[str, npt.NDArray[np.float64]],
    sqnr_db: Mapping[str, float],
) -> tuple[LayerRow, ...]:
    """A row for the image and for every layer."""

    def noise(name: str) -> str:
        return f"{sqnr_db[name]:.1f}" if name in sqnr_db else ""

    image = graph.input
    kind = "pixels" if graph.input_table is None else "host table"
    rows = [
        LayerRow(
            image.name, kind, image.dtype, f"{image.scale:.5g}", "0", "", "", "", noise(image.name)
        )
    ]
    for layer in graph.layers:
        out = layer.output
        scales = weight_scales.get(layer.name)
        rows.append(
            LayerRow(
                out.name,
                type(layer).__name__,
                out.dtype,
                f"{out.scale:.5g}",
                "0",
                "" if scales is None else span(scales, ".3g"),
                *multiplier_and_shift(layer),
                noise(out.name),
            )
        )
    return tuple(rows)
