"""The speed of the engine on the page: predicted, and measured wherever it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnnaccel.predict.estimate import Estimate
from cnnaccel.report import charts
from cnnaccel.report.blocks import Block, Cell, Missing, Section, Table, Tile, bar, table
from cnnaccel.report.estimate import LAYER_COLUMNS, layer_rows
from cnnaccel.report.findings import SIMULATED, Findings, Run
from cnnaccel.report.measured import COUNTER_COLUMNS, Measured, counter_rows


def where(run: Run) -> str:
    """The engine that a run was measured on."""
    if run.target != SIMULATED:
        return f"the board {run.target}"
    return f"RTL in Verilator, memory with {run.memory}"


def source(found: Findings, run: Run) -> str:
    """The engine that a run was measured on, and whether the figures are out of date."""
    return found.aged(run.stage, where(run))


def counters(found: Findings, run: Run) -> str:
    """The source of counted cycles."""
    text = f"counters of {where(run)}; {run.measured.images:,} images"
    return found.aged(run.stage, text)


def model(found: Findings, estimate: Estimate) -> str:
    """The source of predicted cycles."""
    hardware = estimate.hardware
    text = (
        f"predicted by the compiler, memory with {hardware.dram_latency_cycles} cycles of latency, "
        f"{hardware.dram_share:.0%} of the bus"
    )
    return found.aged("compile", text)


def missing(found: Findings, *stages: str) -> tuple[Missing, ...]:
    """A line for each of these stages that is not up to date."""
    states = [found.stages[name] for name in stages]
    return tuple(Missing(f"{s.name}: {s.state}.", s.command) for s in states if not s.current)


# ---- headline --------------------------------------------------------------------------------


def tiles(found: Findings) -> list[Tile]:
    """Frames per second, cycles per image, share of peak."""
    run, estimate = found.best_run, found.estimate
    if run is not None:
        of, said = run.measured, counters(found, run)
        fps, cycles, share = of.frames_per_second, of.cycles_per_image, of.utilization
        hardware = of.hardware
    elif estimate is not None:
        said, hardware = model(found, estimate), estimate.hardware
        fps, cycles = estimate.frames_per_second, estimate.cycles_per_image
        share = estimate.utilization
    else:
        said = "needs cnnaccel compile"
        return [
            Tile(label, "not known", "", said)
            for label in ("Frames per second", "Cycles per image", "Share of peak")
        ]
    note = "predicted" if run is None else ""
    if run is not None and estimate is not None and _same_engine(run, estimate):
        note = f"predicted {estimate.cycles_per_image:,.0f} at the pace of a long run"
    return [
        Tile("Frames per second", f"{fps:,.0f}", f"at {hardware.clock_mhz:g} MHz, without the host",
             said),
        Tile("Cycles per image", f"{cycles:,.0f}", note, said),
        Tile("Share of peak", f"{share:.1%}",
             f"useful MACs, of {hardware.peak_macs} in every cycle", said),
    ]  # fmt: skip


def exact_tile(found: Findings) -> Tile:
    """Whether the engine computes what golden does."""
    run = found.best_run
    if run is None:
        return Tile("Engine against golden", "not run", "", "needs cnnaccel simulate or deploy")
    images = f"every value of {run.measured.images:,} test images"
    text = "equal" if run.equal else "different"
    return Tile("Engine against golden", text, images, source(found, run))


# ---- sections --------------------------------------------------------------------------------


def sections(found: Findings) -> list[Section]:
    """Speed, layers, and what the units do."""
    blocks = [_overview(found)]
    if (run := found.best_run) is not None:
        blocks.append(counters_block(run.measured, counters(found, run)))
    if (estimate := found.estimate) is not None:
        run = run if run is not None and _same_engine(run, estimate) else None
        chart = charts.roofline(estimate, run.measured if run else None)
        said = f"layers and roof {model(found, estimate)}"
        said += f"; measured: {counters(found, run)}" if run else ""
        note = (
            "Bytes are those read or those written, whichever are more, as each has a channel of "
            "its own. A layer may stand above the slope: its data came while the one before was "
            "computed."
        )
        blocks.append(Block("Roofline", said, charts=(chart,), notes=(note,)))
    return [
        Section("speed", "Speed", tuple(blocks), missing(found, "compile", "simulate", "deploy")),
        Section("layers", "Layers", tuple(_layers(found)), missing(found, "compile", "simulate")),
        _activity(found),
    ]


def _overview(found: Findings) -> Block:
    """A row for the prediction, and for each run."""
    rows: list[list[str]] = []
    if (estimate := found.estimate) is not None:
        rows.append(
            [
                "predicted, a long run",
                f"{estimate.cycles_per_image:,.1f}",
                "",
                "",
                f"{estimate.frames_per_second:,.1f}",
                "",
                f"{estimate.gops:.1f}",
                f"{estimate.utilization:.1%}",
                f"{estimate.dram_bytes:,.1f}",
                model(found, estimate),
            ]
        )
    for run in (found.simulation, found.stalled, found.deployed, found.board):
        if run is not None:
            rows.append(_run_row(found, run))
    if found.board is None:
        rows.append(["board", "not run", *[""] * 7, f"{found.stages['board'].command} runs it"])
    return Block(
        "Predicted and measured", "named in each row", (table("Speed", _FIGURES, rows),),
        notes=("Of an image. The prediction beside a run is of that very run, weights loaded, with "
               "no handshake held up by chance. Frames are per second of the configuration's "
               "clock; with the host: packing and unpacking on the machine that ran it, one after "
               "the other.",),
    )  # fmt: skip


_FIGURES = (
    "", "cycles", "predicted", "error", "frames/s", "with the host", "GOP/s", "share of peak",
    "DRAM bytes", "source",
)  # fmt: skip


def _run_row(found: Findings, run: Run) -> list[str]:
    of, cycles, estimate = run.measured, run.predicted_cycles, found.estimate
    if cycles is None and estimate is not None and _same_engine(run, estimate):
        cycles = estimate.run_cycles(-(-of.images // estimate.images))
    at = "RTL" if run.target == SIMULATED else "board"
    return [
        f"{at}, {of.images:,} images" + (f", stalls {run.stalls:g}" if run.stalls else ""),
        f"{of.cycles_per_image:,.1f}",
        "" if cycles is None else f"{cycles / of.images:,.1f}",
        "" if cycles is None else f"{cycles / of.cycles - 1:+.1%}",
        f"{of.frames_per_second:,.1f}",
        f"{of.frames_per_second_with_host:,.1f}",
        f"{of.gops:.1f}",
        f"{of.utilization:.1%}",
        f"{of.dram_bytes:,.1f}",
        source(found, run),
    ]


def counters_block(measured: Measured, source: str) -> Block:
    """Activity of compute in every cycle, of the other units, and the traffic of DRAM."""
    rows: list[Sequence[str | Cell]] = [
        [name, total, each, bar(share, float(share.split()[0]) / 100)]
        for name, total, each, share in counter_rows(measured)
    ]
    shown = table("Counters", COUNTER_COLUMNS, rows)
    text = "; ".join(
        f"{name} in {cycles / measured.cycles:.1%}" for name, cycles in measured.compute_waits
    )
    note = f"Of all cycles, {text}. Load and store work beside compute."
    return Block("Where the cycles go", source, (shown,), notes=(note,))


def _layers(found: Findings) -> list[Block]:
    estimate, run = found.estimate, found.traced
    if estimate is None:
        return []
    recorded = run.recorded if run is not None else None
    blocks = []
    if run is not None and recorded is not None and _same_program(run, estimate):
        notes = (
            "From the first instruction of compute of a layer to that of the next one; what the "
            "next layer waits for counts to the one before it. A layer that another one carries "
            "along, as pooling, is part of that one.",
        )
        shown = _layer_table(estimate, recorded.layer_cycles)
        images = f"simulation of {run.measured.images:,} images"
        said = f"{source(found, run)}: {images}, {recorded.iteration}; {model(found, estimate)}"
        blocks.append(
            Block("Cycles by layer, predicted and measured", said, (shown,),
                  notes=notes)
        )  # fmt: skip
    numbers = charts.numbers_of(estimate)
    named = [[name, str(numbers.get(name, "")), *rest] for name, *rest in layer_rows(estimate)]
    columns = [LAYER_COLUMNS[0], "no.", *LAYER_COLUMNS[1:]]
    what = table("Layers, predicted", columns, named)
    note = (
        f"Of one image, {estimate.images} at a time. Cycles are those of a layer's loop nests, its "
        "waits and the beginnings of its instructions; KB are 1000 bytes, between DRAM and chip."
    )
    blocks.append(Block("Layers, predicted", model(found, estimate), (what,), notes=(note,)))
    return blocks


def _same_engine(run: Run, estimate: Estimate) -> bool:
    """Whether a prediction is of the engine of a run; a board may have another clock."""
    hardware = run.measured.hardware
    return replace(estimate.hardware, clock_mhz=hardware.clock_mhz) == hardware


def _same_program(run: Run, estimate: Estimate) -> bool:
    """Whether layers can be compared, one by one."""
    recorded = run.recorded
    if recorded is None or not _same_engine(run, estimate) or recorded.images != estimate.images:
        return False
    return set(recorded.layer_cycles) == {usage.layer for usage in estimate.layers}


def _layer_table(estimate: Estimate, measured: Mapping[str, int]) -> Table:
    """Cycles of an image, by layer."""
    images, most = estimate.images, max(measured.values()) or 1
    rows = [
        _layer_row(one.layer, one.span_cycles / images, measured[one.layer] / images, most / images)
        for one in estimate.layers
    ]
    totals = sum(one.span_cycles for one in estimate.layers), sum(measured.values())
    rows.append(_layer_row("total", totals[0] / images, totals[1] / images, None))
    return table("Cycles by layer", ["layer", "predicted", "measured", "difference"], rows)


def _layer_row(
    name: str, predicted: float, measured: float, most: float | None
) -> list[str | Cell]:
    """most: cycles of a full bar; None draws none."""
    text = f"{measured:,.1f}"
    shown = Cell(text, "number") if most is None else bar(text, measured / most)
    return [name, f"{predicted:,.1f}", shown, f"{predicted - measured:+,.1f}"]


def _activity(found: Findings) -> Section:
    run = found.traced
    blocks: tuple[Block, ...] = ()
    if run is not None and run.recorded is not None:
        note = (
            "Section once, which loads the weights that stay, and the first two iterations. "
            "Heights are shares of the cycles; what compute leaves empty is drain, or nothing "
            "begun. A number stands for a layer of the table above."
        )
        numbers = charts.numbers_of(found.estimate) if found.estimate is not None else {}
        drawn = charts.activity(run.recorded, numbers)
        images = f"simulation of {run.measured.images:,} images"
        said = f"{source(found, run)}: {images}, every cycle until the third iteration begins"
        blocks = (Block("What the units do", said, charts=(drawn,),
                        notes=(note,)),)  # fmt: skip
    return Section("activity", "Activity", blocks, missing(found, "simulate"))
