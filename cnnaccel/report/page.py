"""The page of a configuration: what was found, as tiles and sections for `report.html.j2`.

Every figure says what measured or predicted it; what is missing names the command that makes it.
"""

from __future__ import annotations

from cnnaccel.ir.graph import macs, parameter_bytes
from cnnaccel.report import charts, speed
from cnnaccel.report.blocks import Block, Cell, Missing, Section, Tile, bar, picture, table
from cnnaccel.report.findings import Evaluation, Findings, Taken, Training
from cnnaccel.report.quantization import QuantizationReport
from cnnaccel.report.templates import render

_GOOD_DB = 60.0
"""Signal to quantization noise that fills a bar."""


def page(found: Findings) -> str:
    """One HTML document that needs no other file; the same findings give the same bytes."""
    return render(
        "report.html.j2",
        title=found.name,
        style=render("report.css.j2"),
        facts=_facts(found),
        tiles=_tiles(found),
        sections=[
            _accuracy(found),
            _training(found),
            _quantization(found),
            *speed.sections(found),
            _hardware(found),
            _sources(found),
        ],
    )


def _facts(found: Findings) -> list[tuple[str, str]]:
    """What network on what engine."""
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
    points = 100 * (quantized.int8_accuracy - quantized.float_accuracy)
    note = f"float {quantized.float_accuracy:.2%}, so {points:+.2f} points"
    if run is not None and run.accuracy is not None:
        source = f"{run.measured.images:,} test images, {speed.source(found, run)}"
        return Tile("Accuracy in int8", f"{run.accuracy:.2%}", note, source)
    source = found.aged("quantize", f"{_GOLDEN}, {quantized.test_images:,} test images")
    return Tile("Accuracy in int8", f"{quantized.int8_accuracy:.2%}", note, source)


def _device_tile(found: Findings) -> Tile:
    rows = _resources(found)[0]
    most = max(rows, key=lambda row: row.used / row.available)
    note = f"{most.used:,g} of {most.available:,g} {most.name}, of which it takes the largest share"
    return Tile("Share of the device", f"{most.used / most.available:.1%}", note, most.source)


# ---- accuracy --------------------------------------------------------------------------------

_GOLDEN = "golden executor, the integer graph in numpy"


def _accuracy(found: Findings) -> Section:
    levels = table(
        "Accuracy by level",
        ["level", "right", "test images", "compared", "source"],
        _levels(found),
    )
    blocks = [
        Block(
            "The same network at every level", "named in each row", (levels,),
            notes=("Below float all levels compute the same integers, compared with == over "
                   "every value.",),
        )
    ]  # fmt: skip
    if found.evaluation is not None:
        blocks.append(_classes(found, found.evaluation))
    if found.samples is not None:
        shown = found.samples
        pictures = tuple(
            picture(*one)
            for one in zip(
                shown.images, shown.numbers, shown.predictions, shown.labels, strict=True
            )
        )
        blocks.append(
            Block("Test images and what they were taken for", shown.by, pictures=pictures,
                  notes=("The first of the test split, then the first that were taken wrongly.",))
        )  # fmt: skip
    gone = speed.missing(found, "evaluate", "deploy")
    if found.samples is None:
        gone += (Missing("No sample images: the dataset is not at hand, or another one.", ""),)
    return Section("accuracy", "Accuracy", tuple(blocks), gone)


def _levels(found: Findings) -> list[list[str | Cell]]:
    quantized = found.quantization
    images = f"{quantized.test_images:,}"
    rows: list[list[str | Cell]] = [
        ["float", f"{quantized.float_accuracy:.2%}", images,
         f"same answer as int8 on {quantized.agreement:.2%}",
         found.aged("quantize", "PyTorch, float32")],
        ["int8, golden", f"{quantized.int8_accuracy:.2%}", images, "defines the result",
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
        right = "" if run.accuracy is None else f"{run.accuracy:.2%}"
        result = Cell("equal to golden", "good")
        if not run.equal:
            wrong = "; ".join(f"{k}: {v}" for k, v in run.differences.items() if v)
            result = Cell(f"differs: {wrong}", "bad")
        rows.append([name, right, f"{run.measured.images:,}", result, speed.source(found, run)])
    return rows


def _classes(found: Findings, evaluated: Evaluation) -> Block:
    """How many of each class are recognised, and what the others are taken for most often."""
    rows: list[list[str | Cell]] = []
    for at, (name, row) in enumerate(zip(evaluated.classes, evaluated.confusion, strict=True)):
        total = sum(row)
        share = row[at] / total if total else 0.0
        wrong = sorted(
            ((count, other) for other, count in enumerate(row) if count and other != at),
            key=lambda one: (-one[0], one[1]),
        )
        taken = ", ".join(f"{evaluated.classes[other]} {count:,}" for count, other in wrong[:3])
        rows.append([name, f"{total:,}", bar(f"{share:.1%}", share), taken])
    rows.sort(key=lambda row: float(getattr(row[2], "text", "0").rstrip("%")))
    return Block(
        "By class, the hardest first",
        found.aged("evaluate", f"{_GOLDEN}, {evaluated.images:,} test images"),
        (table("Classes", ["class", "images", "recognised", "else taken for"], rows[:40]),),
    )


# ---- training and quantization ---------------------------------------------------------------


def _training(found: Findings) -> Section:
    blocks: tuple[Block, ...] = ()
    if found.training is not None:
        trained: Training = found.training
        which = "The best" if trained.chosen is None else f"Number {trained.chosen}"
        note = (
            f"{which} of {len(trained.history)} epochs was taken, with "
            f"{trained.validation_accuracy:.2%} of the validation images right. Accuracy in "
            "training is of augmented images; the test images chose nothing."
        )
        drawn = tuple(charts.curves(trained))
        source = found.aged("train", "PyTorch, after every epoch of cnnaccel train")
        blocks = (Block("Loss and accuracy", source, charts=drawn, notes=(note,)),)
    return Section("training", "Training", blocks, speed.missing(found, "train"))


def _quantization(found: Findings) -> Section:
    report: QuantizationReport = found.quantization
    columns = ["tensor", "made by", "type", "scale", "zero", "weight scale", "multiplier", "shift"]
    rows = [
        [row.name, row.kind, row.dtype, row.scale, row.zero_point, row.weight_scale,
         row.multiplier, row.shift, _noise(row.sqnr_db)]
        for row in report.layers
    ]  # fmt: skip
    return Section(
        "quantization",
        "Quantization",
        (
            Block(
                "Scales, shifts and signal to quantization noise",
                f"cnnaccel quantize, {report.options}; SQNR of golden against the float network, "
                "on the first calibration images",
                (table("Scales and shifts", [*columns, "SQNR, dB"], rows),),
                notes=(f"{report.size()}.", "Ranges are over the output channels of a layer."),
            ),
        ),
        speed.missing(found, "quantize"),
    )


def _noise(decibels: str) -> str | Cell:
    try:
        return bar(decibels, float(decibels) / _GOOD_DB)
    except ValueError:
        return Cell(decibels, "number")


# ---- hardware and sources --------------------------------------------------------------------


def _resources(found: Findings) -> list[list[Taken]]:
    """What the engine takes, by source, the one nearest to a bitstream first."""
    hardware = found.hardware
    take, have = hardware.estimated_resources, hardware.device
    estimated = [
        Taken(name, used, available, "estimated from the lanes and scratchpads")
        for name, used, available in (
            ("DSP", take.dsp, have.dsp),
            ("BRAM36", take.bram36, have.bram36),
            ("LUT", take.lut, have.lut),
        )
    ]
    made = [
        [row._replace(source=found.aged(stage, row.source)) for row in one.resources]
        for stage, one in (("build-hw", found.built), ("check", found.checked))
        if one is not None and one.resources
    ]
    return [*made, estimated]


def _hardware(found: Findings) -> Section:
    rows: list[list[str | Cell]] = [
        [row.name, f"{row.used:,g}", f"{row.available:,g}",
         bar(f"{row.used / row.available:.1%}", row.used / row.available), row.source]
        for rows in _resources(found)
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
