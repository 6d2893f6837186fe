"""The page of a configuration: what was found, as tiles and sections for `report.html.j2`.

Every figure says what measured or predicted it; what is missing names the command that makes it.
"""

from __future__ import annotations

from cnnaccel.figures import ACCURACY
from cnnaccel.ir.graph import macs, parameter_bytes
from cnnaccel.render.template import render_template
from cnnaccel.report import charts, confusion, drawing, precision, speed
from cnnaccel.report.blocks import Block, Cell, Missing, Section, Tile, bar, picture, table
from cnnaccel.report.findings import Evaluation, Findings, Training
from cnnaccel.report.masks import SIDE_BY_SIDE
from cnnaccel.report.quantization import SENSITIVITY_COLUMNS, QuantizationReport
from cnnaccel.report.warnings import warnings

_GOOD_DB = 60.0
"""Signal to quantization noise that fills a bar."""


def page(found: Findings) -> str:
    """One HTML document that needs no other file; the same findings give the same bytes."""
    warned = warnings(found)
    return render_template(
        "report.html.j2",
        title=found.name,
        style=render_template("report.css.j2"),
        facts=_facts(found),
        warnings=warned,
        sound=() if warned else ("Nothing is wrong, as far as these figures tell.",),
        tiles=_tiles(found),
        sections=[
            _accuracy(found),
            _network(found),
            _training(found),
            _quantization(found),
            *speed.sections(found),
            _hardware(found),
            _sources(found),
        ],
    )


def _facts(found: Findings) -> list[tuple[str, str]]:
    """The network and the engine, as facts for the head of the page."""
    hardware, graph = found.hardware, found.graph
    p, c, k = hardware.lanes
    work = sum(map(macs, graph.layers))
    size = sum(map(parameter_bytes, graph.layers))
    return [
        ("Network", f"{found.model}: {len(graph.layers)} layers, {work:,} MACs per image"),
        ("Parameters", f"{size:,} bytes of weights, biases, multipliers and shifts"),
        ("Data", f"{found.data}, images of {'x'.join(map(str, graph.input.shape))}"),
        ("Engine", f"{p}x{c}x{k} lanes, {hardware.peak_macs} MACs per cycle, "
                   f"{hardware.act_kib} KiB of act, {hardware.wgt_kib} KiB of wgt"),
        ("Board", f"{hardware.name}: {hardware.part} at {hardware.clock_mhz:g} MHz"),
        ("Digest", f"{hardware.digest:016x}"),
    ]  # fmt: skip


# ---- headline --------------------------------------------------------------------------------


def _tiles(found: Findings) -> list[Tile]:
    return [
        _accuracy_tile(found),
        *speed.tiles(found),
        _device_tile(found),
        speed.exact_tile(found),
    ]


def _accuracy_tile(found: Findings) -> Tile:
    quantized, run = found.quantization, found.board or found.deployed
    figure = quantized.figure
    note = f"float {figure.exact_text}, so {figure.points:+.2f} {figure.unit}"
    title = f"{_capital(figure.int8.name)} in int8"
    if run is not None and run.figure is not None and run.figure.name == figure.int8.name:
        source = f"{run.measured.images:,} test images, {speed.source(found, run)}"
        return Tile(title, run.figure.write(run.figure.value), note, source)
    source = found.aged("quantize", f"{_GOLDEN}, {quantized.test_images:,} test images")
    return Tile(title, figure.int8_text, note, source)


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _device_tile(found: Findings) -> Tile:
    rows = found.resources[0]
    most = max(rows, key=lambda row: row.used / row.available)
    note = f"{most.used:,g} of {most.available:,g} {most.name}, of which it takes the largest share"
    return Tile("Share of the device", f"{most.used / most.available:.1%}", note, most.source)


# ---- accuracy --------------------------------------------------------------------------------

_GOLDEN = "golden executor, the integer graph in numpy"


def _accuracy(found: Findings) -> Section:
    name = found.quantization.figure.int8.name
    levels = table(
        "Accuracy by level",
        [
            "level",
            "right" if name == ACCURACY else name,
            "test images",
            "compared",
            "source",
        ],
        _levels(found),
    )
    blocks = [
        Block(
            "The same network at every level", "named in each row", (levels,),
            notes=("Below float all levels compute the same integers, compared with == over "
                   "every value.",),
        )
    ]  # fmt: skip
    if len(found.quantization.figures) > 1:
        blocks.append(_figures(found))
    if found.evaluation is not None and found.evaluation.confusion:
        blocks += _classes(found, found.evaluation)
    if found.samples is not None:
        shown = found.samples
        pictures = tuple(
            picture(*one)
            for one in zip(
                shown.images, shown.numbers, shown.predictions, shown.labels, strict=True
            )
        )
        note = "The first of the test split, then the first that were taken wrongly."
        if not any(shown.labels):
            note = "The first of the test split. " + SIDE_BY_SIDE
        blocks.append(
            Block(
                "Test images and what they were taken for",
                shown.by,
                pictures=pictures,
                notes=(note,),
            )
        )
    gone = speed.missing(found, "evaluate", "deploy")
    if found.samples is None:
        gone += (Missing("No sample images: the dataset is not at hand, or another one.", ""),)
    return Section("accuracy", "Accuracy", tuple(blocks), gone)


def _levels(found: Findings) -> list[list[str | Cell]]:
    quantized = found.quantization
    images = f"{quantized.test_images:,}"
    rows: list[list[str | Cell]] = [
        ["float", quantized.figure.exact_text, images,
         "" if quantized.agreement is None
         else f"same answer as int8 on {quantized.agreement:.2%}",
         found.aged("quantize", "PyTorch, float32")],
        ["int8, golden", quantized.figure.int8_text, images, "defines the result",
         found.aged("quantize", _GOLDEN)],
    ]  # fmt: skip
    if found.verified_images:
        rows.append(
            ["program", "", f"{found.verified_images:,}", Cell("equal to golden", "good"),
             found.aged("compile", "interpreter, as cnnaccel compile runs it")]
        )  # fmt: skip
    for name, run in (
        ("RTL", found.simulation), ("RTL, with stalls", found.stalled),
        ("RTL, behind pynq", found.deployed), ("board", found.board),
    ):  # fmt: skip
        if run is None:
            if name == "board":
                rows.append(
                    [
                        "board",
                        "not run",
                        "not run",
                        "",
                        f"{found.stages['board'].command} runs it",
                    ]
                )
            continue
        right = "" if run.figure is None else run.figure.write(run.figure.value)
        result = Cell("equal to golden", "good")
        if not run.equal:
            wrong = "; ".join(f"{k}: {v}" for k, v in run.differences.items() if v)
            result = Cell(f"differs: {wrong}", "bad")
        rows.append([name, right, f"{run.measured.images:,}", result, speed.source(found, run)])
    return rows


def _figures(found: Findings) -> Block:
    """All figures of the task, float beside int8."""
    rows = [
        [one.int8.name, one.exact_text, one.int8_text, f"{one.points:+.2f} {one.unit}"]
        for one in found.quantization.figures
    ]
    source = found.aged("quantize", f"{_GOLDEN}, and PyTorch in float32")
    shown = table("Figures", ["figure", "float", "int8", "int8 gains"], rows)
    return Block("All figures", source, (shown,))


def _classes(found: Findings, evaluated: Evaluation) -> list[Block]:
    """Classes as they were taken for one another, and how many of each were recognised."""
    source = found.aged("evaluate", f"{_GOLDEN}, {evaluated.images:,} test images")
    shown, notes = confusion.classes_table(evaluated)
    note = "A row holds all images of a class; where it was recognised they stand on the diagonal."
    drawn = confusion.matrix(evaluated)
    blocks = [Block("Which class was taken for which", source, charts=(drawn,), notes=(note,))]
    if len(evaluated.classes) > confusion.COUNTED:
        worst = confusion.worst_table(evaluated)
        blocks.append(Block("The most frequent confusions", source, (worst,)))
    blocks.append(Block("By class, the hardest first", source, (shown,), notes=notes))
    return blocks


# ---- network, training, quantization ---------------------------------------------------------


def _network(found: Findings) -> Section:
    """A drawing of the integer graph."""
    notes = (
        "From the image down. A box tells name, operation and result: channels, rows, columns, "
        "type. ReLU and batch norm are part of the layer before them.",
    )
    drawn = drawing.network(found.graph, found.hardware.input_lanes)
    source = found.aged("quantize", "the integer graph; steps as the compiler fuses them")
    block = Block("Layers and tensors", source, charts=(drawn,), notes=notes)
    return Section("network", "Network", (block,), speed.missing(found, "quantize"))


def _training(found: Findings) -> Section:
    blocks: tuple[Block, ...] = ()
    if found.training is not None and found.training.imported:
        note = f"Weights were imported from {found.training.imported}{_validated(found.training)}."
        source = found.aged("train", "the float network, in PyTorch")
        blocks = (Block("Weights of your own", source, notes=(note,)),)
    elif found.training is not None:
        trained: Training = found.training
        which = "The best" if trained.chosen is None else f"Number {trained.chosen}"
        note = (
            f"{which} of {len(trained.history)} epochs was taken{_validated(trained)}. "
            f"{_capital(_name(trained))} in "
            "training is of augmented images; the test images chose nothing."
        )
        drawn = tuple(charts.curves(trained))
        source = found.aged("train", "PyTorch, after every epoch of cnnaccel train")
        blocks = (Block(f"Loss and {_name(trained)}", source, charts=drawn, notes=(note,)),)
    return Section("training", "Training", blocks, speed.missing(found, "train"))


def _name(training: Training) -> str:
    return ACCURACY if training.figure is None else training.figure.name


def _validated(training: Training) -> str:
    """The figure of the validation images, in words."""
    figure = training.figure
    if figure is None:
        return ""
    if figure.name == ACCURACY:
        return f", with {figure.text} of the validation images right"
    return f", with {figure.text} on validation images"


def _quantization(found: Findings) -> Section:
    report: QuantizationReport = found.quantization
    columns = ["tensor", "made by", "type", "scale", "zero", "weight scale", "multiplier", "shift"]
    rows = [
        [row.name, row.kind, row.dtype, row.scale, row.zero_point, row.weight_scale,
         row.multiplier, row.shift, _noise(row.sqnr_db)]
        for row in report.layers
    ]  # fmt: skip
    measured = found.aged(
        "quantize", "cnnaccel quantize, golden against the float network on calibration images"
    )
    return Section(
        "quantization",
        "Quantization",
        (
            *precision.blocks(report, found.graph, found.distributions, measured),
            Block(
                "Scales, shifts and signal to quantization noise",
                f"cnnaccel quantize, {report.options}; SQNR of golden against the float network, "
                "on the first calibration images",
                (table("Scales and shifts", [*columns, "SQNR, dB"], rows),),
                notes=(
                    f"{report.size()}.",
                    "Ranges are over the output channels of a layer.",
                    *(f"{remark[0].upper()}{remark[1:]}." for remark in report.remarks()),
                ),
            ),
            *_sensitivity(found),
        ),
        speed.missing(found, "quantize"),
    )


def _sensitivity(found: Findings) -> list[Block]:
    """The cost of each layer, where that was measured."""
    return [
        Block(
            "What each layer costs",
            found.aged("quantize", "cnnaccel quantize --sensitivity, a simulation in float"),
            (table("Sensitivity", list(SENSITIVITY_COLUMNS), one.rows()),),
            notes=(f"{one.title()[0].upper()}{one.title()[1:]}.",),
        )
        for one in found.quantization.measured_layers()
    ]


def _noise(decibels: str) -> str | Cell:
    try:
        return bar(decibels, float(decibels) / _GOOD_DB)
    except ValueError:
        return Cell(decibels, "number")


# ---- hardware and sources --------------------------------------------------------------------


def _hardware(found: Findings) -> Section:
    rows: list[list[str | Cell]] = [
        [row.name, f"{row.used:,g}", f"{row.available:,g}",
         bar(f"{row.used / row.available:.1%}", row.used / row.available), row.source]
        for rows in found.resources
        for row in rows
    ]  # fmt: skip
    columns = ["resource", "used", "available", "share", "source"]
    taken = table("Resources", columns, rows)
    blocks = [Block(f"What it takes of the {found.hardware.part}", "named in each row", (taken,))]
    others = [row for one in (found.built, found.checked) if one for row in one.others]
    if others:
        shown = table("Timing and power", ["figure", "value", "source"], others)
        blocks.append(Block("Timing and power", "named in each row", (shown,)))
    return Section("hardware", "Hardware", tuple(blocks), speed.missing(found, "check", "build-hw"))


_STATES = {(True, True): "good", (False, True): "bad", (False, False): "open"}
"""Class of a state, by whether it is current, and there at all."""


def _sources(found: Findings) -> Section:
    rows: list[list[str | Cell]] = [
        [one.name, Cell(one.state, _STATES[one.current, one.present]), one.headline, one.versions]
        for one in found.stages.values()
    ]
    made = table("Stages", ["stage", "state", "result", "made with"], rows)
    block = Block("Stages behind this page", "the manifest of each stage, held against the "
                  "configuration and its artifacts", (made,))  # fmt: skip
    return Section("stages", "Stages", (block,))
