"""Results as HTML for a notebook: what `_repr_html_` of a result returns.

Tables and charts are those of the report's page, with its style kept to the fragment itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnaccel.figures import Compared
from cnnaccel.ir.graph import Graph
from cnnaccel.predict.estimate import Estimate
from cnnaccel.render.template import render_template
from cnnaccel.report import charts, confusion, drawing, precision, speed
from cnnaccel.report import estimate as predicted
from cnnaccel.report.activity import Recorded
from cnnaccel.report.blocks import Block, Cell, table
from cnnaccel.report.distributions import Distributions
from cnnaccel.report.findings import Evaluation
from cnnaccel.report.measured import Measured, speed_lines
from cnnaccel.report.quantization import LAYER_COLUMNS as TENSOR_COLUMNS
from cnnaccel.report.quantization import LayerRow


def quantized(graph: Graph, rows: Sequence[LayerRow], lines: Sequence[str], width: int) -> str:
    """A quantized network: a row for each tensor, and a drawing. width: channels of a word."""
    noisy = any(row.sqnr_db for row in rows)
    shown = slice(None) if noisy else slice(-1)
    cells = [row.cells[shown] for row in rows]
    tensors = table("tensors", TENSOR_COLUMNS[shown], cells)
    blocks = [
        Block("Tensors", "calibration images", (tensors,)),
        Block("Network", "the integer graph", charts=(drawing.network(graph, width),)),
    ]
    return _fragment(f"{graph.name} in int8", lines, blocks)


def evaluation(name: str, lines: Sequence[str], counted: Evaluation) -> str:
    """Accuracy, with the classes and what they are mistaken for."""
    classes, notes = confusion.classes_table(counted)
    said = f"golden executor on {counted.images:,} images"
    blocks = [
        Block("Confusion", said, charts=(confusion.matrix(counted),)),
        Block("Classes", said, (classes,), notes=notes),
    ]
    return _fragment(name, lines, blocks)


def figures(name: str, found: Sequence[Compared], images: int) -> str:
    """Figures of a network, float beside int8."""
    rows = [
        [one.int8.name, one.exact_text, one.int8_text, f"{one.points:+.2f} {one.unit}"]
        for one in found
    ]
    shown = table("figures", ["figure", "float", "int8", "int8 gains"], rows)
    said = f"golden executor on {images:,} images"
    return _fragment(name, [found[0].text], [Block("Figures", said, (shown,))])


def comparison(
    graph: Graph, noise: Mapping[str, float], found: Distributions, lines: Sequence[str]
) -> str:
    """Float beside int8, tensor by tensor. noise: SQNR in dB."""
    blocks = precision.comparison(dict(noise), graph, found, "images that were given")
    return _fragment(f"{graph.name}: float beside int8", lines, blocks)


def prediction(name: str, estimate: Estimate) -> str:
    """The predicted speed of a program, layer by layer, under its roof."""
    rows = predicted.layer_rows(estimate)
    layers = table("layers", predicted.LAYER_COLUMNS, rows)
    blocks = [
        Block("Layers", "predicted by the compiler", (layers,)),
        Block("Roofline", "predicted by the compiler", charts=(charts.roofline(estimate, None),)),
    ]
    return _fragment(
        predicted.title(name, estimate), predicted.summary(estimate).splitlines(), blocks
    )


def simulation(
    name: str,
    differences: Mapping[str, str],
    measured: Measured,
    recorded: Recorded,
    error: str,
) -> str:
    """Each level against golden, where the cycles went, and what the units did."""
    rows: list[list[str | Cell]] = [
        [level, Cell(found or "equal to golden", "bad" if found else "good")]
        for level, found in differences.items()
    ]
    levels = table("levels", ["level", "all values of all images"], rows)
    source = f"counters of the RTL in Verilator; {measured.images:,} images"
    layers: dict[str, int] = {}
    for stretch in recorded.stretches:
        layers.setdefault(stretch.layer, len(layers) + 1)
    blocks = [
        Block("Exactness", "RTL in Verilator", (levels,)),
        speed.counters_block(measured, source),
        Block("Activity", source, charts=(charts.activity(recorded, layers),)),
    ]
    return _fragment(name, [*speed_lines(measured).splitlines(), error], blocks)


def deployment(name: str, measured: Measured, host: str, remark: str) -> str:
    """Where the cycles of a run on a board went."""
    source = f"counters of the engine; {measured.images:,} images"
    lines = [remark, *speed_lines(measured, host).splitlines()]
    return _fragment(name, lines, [speed.counters_block(measured, source)])


def _fragment(title: str, lines: Sequence[str], blocks: Sequence[Block]) -> str:
    style = render_template("report.css.j2").replace(":root", "&")
    return render_template("notebook.html.j2", style=style, title=title, lines=lines, blocks=blocks)
