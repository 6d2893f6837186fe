"""Predictions of the compiler, and a sweep over engines: tables, sentences, files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.table import Table

from cnnaccel.hardware import HardwareConfig
from cnnaccel.predict.estimate import Estimate, Usage
from cnnaccel.predict.explore import Exploration, Point, yaml_line
from cnnaccel.render.template import render_template
from cnnaccel.report.tables import table

LAYER_COLUMNS = (
    "layer", "MMAC", "cycles", "util %", "wait load", "wait store", "wait drain",
    "KB read", "KB written", "KB program", "act KiB", "wgt KiB",
)  # fmt: skip


def estimate_table(name: str, estimate: Estimate) -> Table:
    """One line per layer, all figures of one image, and the total."""
    return table(title(name, estimate), LAYER_COLUMNS, layer_rows(estimate))


def headline(estimate: Estimate) -> str:
    """The result in one line."""
    return (
        f"predicted {estimate.frames_per_second:,.1f} frames/s, {estimate.gops:.1f} GOP/s "
        f"at {estimate.hardware.clock_mhz:g} MHz, latency {estimate.latency_us:,.1f} us"
    )


def summary(estimate: Estimate) -> str:
    """Speed, latency and bounds, in two lines."""
    images = f"a batch of {estimate.images}" if estimate.images > 1 else "a stream of single images"
    waits = estimate.dram_wait
    busy = sum(usage.compute_cycles for usage in estimate.layers) / estimate.cycles
    bound = "the array" if busy >= waits else "DRAM"
    return (
        f"predicted: {estimate.cycles_per_image:,.0f} cycles per image in {images}, "
        f"{estimate.frames_per_second:,.1f} frames/s and {estimate.gops:.1f} GOP/s at "
        f"{estimate.hardware.clock_mhz:g} MHz, {estimate.utilization:.1%} of peak; "
        f"{estimate.dram_bytes / 1e6:.3f} MB of DRAM per frame\n"
        f"predicted: {estimate.latency_us:,.1f} us for one iteration ({estimate.images} "
        f"image{'s' * (estimate.images > 1)}), weights on the chip; computes in {busy:.0%} of the "
        f"cycles, waits for DRAM in {waits:.0%}: bound by {bound}"
    )


def write(name: str, estimate: Estimate, folder: Path) -> None:
    """`estimate.json` and `estimate.md` into `folder`; the page shows `roofline.png`."""
    figures = {
        "network": name,
        "predicted": True,
        "cycles_per_image": estimate.cycles_per_image,
        "frames_per_second": estimate.frames_per_second,
        "gops": estimate.gops,
        "utilization": estimate.utilization,
        "latency_us": estimate.latency_us,
        "dram_bytes_per_image": estimate.dram_bytes,
        **dataclasses.asdict(estimate),
        "hardware": estimate.hardware.recorded,
    }
    text = json.dumps(figures, indent=1)
    (folder / "estimate.json").write_text(text + "\n", encoding="utf-8")
    page = render_template(
        "estimate.md.j2",
        title=title(name, estimate),
        lines=summary(estimate).splitlines(),
        columns=LAYER_COLUMNS,
        rows=layer_rows(estimate),
    )
    (folder / "estimate.md").write_text(page, encoding="utf-8")


def from_json(document: Any) -> Estimate:
    """The estimate in a file `estimate.json` that `write` wrote.

    Raises:
        KeyError, TypeError, ValueError, ConfigError: it did not write this.
    """
    numbers = ("images", "operations", "cycles", "start_cycles", "first_cycles", "alone_cycles")
    counts = [field.name for field in fields(Usage) if field.name != "layer"]
    layers = [
        Usage(str(one["layer"]), **{name: int(one[name]) for name in counts})
        for one in document["layers"]
    ]
    return Estimate(
        HardwareConfig(**document["hardware"]),
        **{name: int(document[name]) for name in numbers},
        layers=tuple(layers),
    )


def exploration_table(name: str, exploration: Exploration) -> Table:
    """The front, fastest first; shares are of the device."""
    device = exploration.base.device
    rows = []
    for number, point in enumerate(exploration.front, start=1):
        take = point.hardware.estimated_resources
        rows.append(
            [
                str(number),
                lanes(point),
                f"{point.hardware.act_kib} + {point.hardware.wgt_kib}",
                f"{take.dsp:,} ({take.dsp / device.dsp:.0%})",
                f"{take.bram36:,} ({take.bram36 / device.bram36:.0%})",
                f"{take.lut:,} ({take.lut / device.lut:.0%})",
                f"{point.frames_per_second:,.1f}",
                f"{point.latency_us:,.1f}",
                f"{100 * point.utilization:.1f}",
            ]
        )
    columns = ["", "P x C x K", "act + wgt KiB", "DSP", "BRAM36", "LUT (estimated)"]
    columns += ["frames/s", "latency us", "util %"]
    title = (
        f"{name} on {exploration.base.part} at {exploration.base.clock_mhz:g} MHz, predicted: "
        f"{len(exploration.front)} engines that none surpasses"
    )
    return table(title, columns, rows)


def exploration_lines(exploration: Exploration, board: HardwareConfig) -> str:
    """Lines for `hardware:` in a configuration, one for every row of the table.

    board: of that configuration, without its overrides.
    """
    return "\n".join(
        f"{number:>3}  {yaml_line(point.hardware, board)}"
        for number, point in enumerate(exploration.front, start=1)
    )


def exploration_summary(exploration: Exploration) -> str:
    """Numbers of engines that were looked at, and of those left out, with reasons."""
    dropped = "; ".join(f"{count:,} {reason}" for reason, count in exploration.dropped.items())
    return f"{len(exploration.points):,} engines compiled; dropped: {dropped or 'none'}"


def lanes(point: Point) -> str:
    """`4x8x16`."""
    return "x".join(map(str, point.hardware.lanes))


def title(name: str, estimate: Estimate) -> str:
    hardware = estimate.hardware
    p, c, k = hardware.lanes
    return (
        f"{name}: predicted, per image, {estimate.images} at a time, on {p}x{c}x{k} lanes, "
        f"{hardware.act_kib} KiB of act, {hardware.wgt_kib} KiB of wgt"
    )


def layer_rows(estimate: Estimate) -> list[list[str]]:
    """Cells under `LAYER_COLUMNS`: a row for each layer, and the total."""
    lines = [_row(usage.layer, [usage], usage.cycles, estimate) for usage in estimate.layers]
    return [*lines, _row("total", estimate.layers, estimate.cycles, estimate)]


def _row(name: str, usages: Sequence[Usage], cycles: int, of: Estimate) -> list[str]:
    hardware = of.hardware
    macs = sum(usage.macs for usage in usages)
    peak = cycles * hardware.peak_macs
    act = max(usage.act_words for usage in usages) * hardware.input_lanes / 1024
    wgt = max(usage.wgt_words for usage in usages) * hardware.wgt_word_bytes / 1024

    def image(field: str, unit: float, form: str) -> str:
        return format(sum(getattr(usage, field) for usage in usages) / of.images / unit, form)

    return [
        name,
        image("macs", 1e6, ",.3f"),
        f"{cycles / of.images:,.0f}",
        f"{100 * macs / peak if peak else 0:.1f}",
        *(image(f"{unit}_wait", 1, ",.0f") for unit in ("load", "store", "drain")),
        *(image(f"{kind}_bytes", 1e3, ",.2f") for kind in ("read", "written", "instruction")),
        f"{act:,.1f} of {hardware.act_kib}",
        f"{wgt:,.1f} of {hardware.wgt_kib}",
    ]
