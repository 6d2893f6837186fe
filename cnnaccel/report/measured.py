"""What the engine's counters say of a run: figures, tables, sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from cnnaccel.hardware import HardwareConfig
from cnnaccel.report.tables import table


@dataclass(frozen=True)
class Measured:
    """A run of the engine, from start to done, counted by itself."""

    hardware: HardwareConfig
    images: int
    macs: int
    """Useful ones of an image; those of depthwise layers are not counted."""
    operations: int
    """2 for each multiply-accumulate of an image, depthwise ones too."""
    counters: Mapping[str, int]
    host_seconds: float
    """In which the host packed, copied and unpacked."""

    @property
    def cycles(self) -> int:
        """Of the whole run, weights loaded."""
        return self.counters["cycles"]

    @property
    def cycles_per_image(self) -> float:
        """Of the whole run, weights loaded."""
        return self.cycles / self.images

    @property
    def utilization(self) -> float:
        """Useful MACs as a share of what the array could do in the same cycles."""
        return self.macs * self.images / (self.cycles * self.hardware.peak_macs)

    @property
    def engine_seconds(self) -> float:
        """At the clock of the configuration."""
        return self.cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def frames_per_second(self) -> float:
        """At the clock of the configuration, without the host."""
        return self.images / self.engine_seconds

    @property
    def frames_per_second_with_host(self) -> float:
        """One after the other: the host's time, and the engine's at its clock."""
        return self.images / (self.engine_seconds + self.host_seconds)

    @property
    def gops(self) -> float:
        """Operations per second, in 10**9, without the host."""
        return self.operations * self.frames_per_second / 1e9

    @property
    def dram_bytes(self) -> float:
        """Of an image, weights and instructions included."""
        moved = self.counters["read_bytes"] + self.counters["written_bytes"]
        return moved / self.images

    def figures(self) -> dict[str, Any]:
        """For a JSON file."""
        names = (
            "images", "cycles_per_image", "utilization", "frames_per_second",
            "frames_per_second_with_host", "gops", "host_seconds",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"counters": dict(self.counters)}


_ROWS = (
    ("the array takes a step", "steps"),
    ("compute waits for load", "compute_waits_load"),
    ("compute waits for store", "compute_waits_store"),
    ("load is busy", "load_busy"),
    ("store is busy", "store_busy"),
)


def counters_table(title: str, measured: Measured) -> Table:
    """Where the cycles go, and what DRAM moves."""
    counters, images = measured.counters, measured.images
    rows = [["all", f"{measured.cycles:,}", f"{measured.cycles_per_image:,.1f}", "100.0 %"]]
    for text, name in _ROWS:
        share = 100 * counters[name] / measured.cycles
        rows.append(
            [text, f"{counters[name]:,}", f"{counters[name] / images:,.1f}", f"{share:.1f} %"]
        )
    waits = sum(counters[name] for _, name in _ROWS[:3])
    rest = measured.cycles - waits
    rows.insert(
        4,
        ["compute drains or begins", f"{rest:,}", f"{rest / images:,.1f}",
         f"{100 * rest / measured.cycles:.1f} %"],
    )  # fmt: skip
    for text, name in (("read from DRAM", "read_bytes"), ("written to DRAM", "written_bytes")):
        bus = measured.cycles * measured.hardware.bus_bytes
        rows.append(
            [f"{text}, bytes", f"{counters[name]:,}", f"{counters[name] / images:,.1f}",
             f"{100 * counters[name] / bus:.1f} % of the bus"]
        )  # fmt: skip
    return table(f"{title}: measured", ["cycles in which", "run", "image", "share"], rows)


def speed_lines(measured: Measured) -> str:
    """Speed with and without the host, in two lines."""
    clock = f"{measured.hardware.clock_mhz:g} MHz"
    return (
        f"measured: {measured.cycles_per_image:,.1f} cycles per image over {measured.images:,} "
        f"images, {measured.utilization:.1%} of peak; {measured.frames_per_second:,.1f} frames/s "
        f"and {measured.gops:.1f} GOP/s at {clock}\n"
        f"measured: {measured.frames_per_second_with_host:,.1f} frames/s with the host's "
        f"{measured.host_seconds / measured.images * 1e6:,.1f} us per image on this machine"
    )


def error_line(measured: Measured, predicted_cycles: int) -> str:
    """Prediction beside measurement."""
    error = predicted_cycles / measured.cycles - 1
    return (
        f"cycles of the run: predicted {predicted_cycles:,}, measured {measured.cycles:,}; the "
        f"prediction is {error:+.1%} off"
    )


def levels_table(title: str, differences: Mapping[str, str]) -> Table:
    """Each level against golden."""
    rows = [[level, found or "equal to golden"] for level, found in differences.items()]
    return table(title, ["level", "all values of all images"], rows)


def layers_table(title: str, rows: Sequence[tuple[str, str, int, int, str]]) -> Table:
    """Layers, each as the end of a program of its own: name, shape, values, cycles, difference."""
    return table(
        title,
        ["up to layer", "result", "values", "cycles", "engine"],
        [
            [name, shape, f"{values:,}", f"{cycles:,}", found or "equal to golden"]
            for name, shape, values, cycles, found in rows
        ],
    )
