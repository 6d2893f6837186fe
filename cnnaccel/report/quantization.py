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

from cnnaccel.figures import Compared, compared_from_json
from cnnaccel.ir.graph import Graph
from cnnaccel.render.template import render_template
from cnnaccel.report.tables import multiplier_and_shift, span, table

TRY = " Try, in this order: "
"""Words in a warning between what is wrong and what may help."""


LAYER_COLUMNS = (
    "tensor",
    "made by",
    "type",
    "scale",
    "zero",
    "weight scale",
    "multiplier",
    "shift",
    "SQNR dB",
)


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

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts under `LAYER_COLUMNS`."""
        return dataclasses.astuple(self)


@dataclass(frozen=True)
class Equalization:
    """The outcome of equalizing channels: SQNR of the logits in dB, on held out images."""

    images: int
    plain_db: float | None
    """None where no integer graph can hold the network as it is."""
    equalized_db: float | None
    """None where it was not tried, or did not work."""
    kept: bool

    @property
    def logits_db(self) -> float | None:
        """SQNR in dB of the logits of the graph that was kept."""
        return self.equalized_db if self.kept else self.plain_db

    def remark(self) -> str:
        """The outcome in one line."""
        plain, other = (
            "none" if level is None else f"{level:.1f} dB"
            for level in (self.plain_db, self.equalized_db)
        )
        where = f"on {self.images} images that calibration has not seen"
        if self.equalized_db is None:
            return f"channels not equalized: logits have {plain} {where}"
        verdict = "kept" if self.kept else "not kept, no clear gain"
        return f"channels equalized, {verdict}: logits had {plain} without, {other} with, {where}"


@dataclass(frozen=True)
class SensitivityRow:
    """The cost of one layer: SQNR of the logits in dB."""

    layer: str
    kind: str
    alone_db: float
    """This layer in int8, all others in float."""
    without_db: float
    """This layer in float, all others in int8."""
    gain_db: float
    """Gain of `without_db` in dB over all layers in int8."""
    accuracy: float | None
    """Accuracy with this layer in float, a share of the images; None without labels."""


@dataclass(frozen=True)
class Sensitivity:
    """Results of keeping one layer at a time in float, on held out images."""

    images: int
    float_accuracy: float | None
    int8_accuracy: float | None
    int8_db: float
    layers: tuple[SensitivityRow, ...]

    def title(self) -> str:
        """The figures that all rows are compared with."""
        text = f"one layer at a time in float; all in int8: {self.int8_db:.1f} dB"
        if self.int8_accuracy is None or self.float_accuracy is None:
            return f"{text} on {self.images} held out images"
        return (
            f"{text}, {self.int8_accuracy:.2%} of {self.images} held out images, float "
            f"{self.float_accuracy:.2%}"
        )

    def rows(self) -> list[list[str]]:
        """The rows as texts, under `SENSITIVITY_COLUMNS`."""
        return [
            [row.layer, row.kind, f"{row.alone_db:.1f}", f"{row.without_db:.1f}",
             f"{row.gain_db:+.1f}", "" if row.accuracy is None else f"{row.accuracy:.2%}"]
            for row in self.layers
        ]  # fmt: skip

    def table(self) -> Table:
        """A table for the terminal."""
        return table(self.title(), list(SENSITIVITY_COLUMNS), self.rows())


SENSITIVITY_COLUMNS = ("layer", "made by", "alone, dB", "without, dB", "gain, dB", "accuracy")


@dataclass(frozen=True)
class QuantizationReport:
    """Costs and gains of quantizing, in figures of the test images."""

    network: str
    options: str
    layers: tuple[LayerRow, ...]
    test_images: int
    figures: tuple[Compared, ...]
    """The one that counts first."""
    agreement: float | None
    """Share of the images that both take for the same; None where nothing is counted so."""
    float_bytes: int
    int8_bytes: int
    host_normalizes: bool
    equalization: Equalization | None = None
    """None where no image was left to hold out."""
    dropped_weights: int = 0
    warnings: tuple[str, ...] = ()
    """Faults of the accuracy, and what to try."""
    sensitivity: Sensitivity | None = None
    """None where it was not asked for."""

    @property
    def figure(self) -> Compared:
        """The figure that counts."""
        return self.figures[0]

    @property
    def points(self) -> float:
        """Points, or percent, that int8 gains over float."""
        return self.figure.points

    def by_key(self) -> dict[str, float | None]:
        """Figures as `float_accuracy`, `int8_accuracy`."""
        return {
            f"{level}_{one.int8.key}": value
            for one in self.figures
            for level, value in (("float", one.exact), ("int8", one.int8.value))
        }

    def remarks(self) -> list[str]:
        """Changes of the network before its scales were found, a line each."""
        found = [] if self.equalization is None else [self.equalization.remark()]
        if self.dropped_weights:
            found.append(f"{self.dropped_weights:,} weights on inputs that are always 0 left out")
        if self.host_normalizes:
            found.append("the host normalises pixels through a table: a padded layer reads them")
        return found

    def measured_layers(self) -> list[Sensitivity]:
        """The sensitivity, where there is one."""
        return [] if self.sensitivity is None else [self.sensitivity]

    def headline(self) -> str:
        """The result in one line."""
        first, *others = self.figures
        if self.agreement is None:
            texts = "; ".join(one.text for one in self.figures)
            return f"{texts}; {self.test_images:,} test images"
        text = (
            f"float {first.exact_text}, int8 {first.int8_text} "
            f"({self.points:+.2f} points), "
            f"same answer on {self.agreement:.2%} of {self.test_images:,} test images"
        )
        return "; ".join([text, *(one.text for one in others)])

    def size(self) -> str:
        """Bytes before and after."""
        return (
            f"{self.float_bytes / 1e6:.4f} MB of float32 parameters -> {self.int8_bytes / 1e6:.4f} "
            f"MB of weights, biases, multipliers and shifts"
        )

    def table(self) -> Table:
        """A table for the terminal."""
        rows = [row.cells for row in self.layers]
        return table(f"{self.network}: {self.options}", LAYER_COLUMNS, rows)

    def write(self, folder: Path) -> None:
        """`report.json` and `report.md` into `folder`."""
        text = json.dumps(dataclasses.asdict(self) | self.by_key(), indent=1)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        page = render_template("quantize.md.j2", report=self)
        (folder / "report.md").write_text(page, encoding="utf-8")


def from_json(document: Any) -> QuantizationReport:
    """The report in a file `report.json` that `QuantizationReport.write` wrote.

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
        figures=tuple(map(compared_from_json, document["figures"])),
        agreement=None if document["agreement"] is None else float(document["agreement"]),
        float_bytes=int(document["float_bytes"]),
        int8_bytes=int(document["int8_bytes"]),
        host_normalizes=bool(document["host_normalizes"]),
        equalization=_equalization(document.get("equalization")),
        dropped_weights=int(document.get("dropped_weights", 0)),
        warnings=tuple(str(text) for text in document.get("warnings", ())),
        sensitivity=_sensitivity(document.get("sensitivity")),
    )


def _equalization(value: Any) -> Equalization | None:
    if value is None:
        return None
    plain, other = (
        None if value[key] is None else float(value[key]) for key in ("plain_db", "equalized_db")
    )
    return Equalization(int(value["images"]), plain, other, bool(value["kept"]))


def _sensitivity(value: Any) -> Sensitivity | None:
    if value is None:
        return None
    rows = [
        SensitivityRow(
            str(row["layer"]),
            str(row["kind"]),
            float(row["alone_db"]),
            float(row["without_db"]),
            float(row["gain_db"]),
            _optional(row["accuracy"]),
        )
        for row in value["layers"]
    ]
    return Sensitivity(
        int(value["images"]),
        _optional(value["float_accuracy"]),
        _optional(value["int8_accuracy"]),
        float(value["int8_db"]),
        tuple(rows),
    )


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


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
