"""The engine's counters after a run: figures, tables, sentences."""

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
    """Seconds in which the host packed, copied and unpacked."""

    @property
    def cycles(self) -> int:
        """Cycles of the whole run, with the loading of weights."""
        return self.counters["cycles"]

    @property
    def cycles_per_image(self) -> float:
        """Cycles of the whole run for each image, with the loading of weights."""
        return self.cycles / self.images

    @property
    def utilization(self) -> float:
        """Useful MACs as a share of what the array could do in the same cycles."""
        return self.macs * self.images / (self.cycles * self.hardware.peak_macs)

    @property
    def engine_seconds(self) -> float:
        """Seconds of the engine at the clock of the configuration."""
        return self.cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def frames_per_second(self) -> float:
        """Frames per second at the clock of the configuration, without the host."""
        return self.images / self.engine_seconds

    @property
    def frames_per_second_with_host(self) -> float:
        """Frames per second with the host's time and then the engine's, one after the other."""
        return self.images / (self.engine_seconds + self.host_seconds)

    @property
    def gops(self) -> float:
        """Operations per second, in 10**9, without the host."""
        return self.operations * self.frames_per_second / 1e9

    @property
    def dram_bytes(self) -> float:
        """DRAM traffic of an image in bytes, weights and instructions included."""
        moved = self.counters["read_bytes"] + self.counters["written_bytes"]
        return moved / self.images

    def figures(self) -> dict[str, Any]:
        """Figures for a JSON file."""
        names = (
            "images", "macs", "operations", "cycles_per_image", "utilization", "frames_per_second",
            "frames_per_second_with_host", "gops", "dram_bytes", "host_seconds",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {
            "counters": dict(self.counters),
            "hardware": self.hardware.recorded,
        }

    @property
    def compute_waits(self) -> tuple[tuple[str, int], ...]:
        """Shares of compute in all cycles of the run: it takes a step, or waits, and for whom."""
        found = [(text, self.counters[name]) for text, name in _COMPUTE]
        rest = self.cycles - sum(cycles for _, cycles in found)
        return (*found, ("compute drains or begins", rest))


def from_figures(figures: Mapping[str, Any]) -> Measured:
    """The object of a dictionary that `Measured.figures` gave.

    Raises:
        KeyError, TypeError, ValueError, ConfigError: it did not give this.
    """
    return Measured(
        HardwareConfig(**figures["hardware"]),
        int(figures["images"]),
        int(figures["macs"]),
        int(figures["operations"]),
        {name: int(count) for name, count in dict(figures["counters"]).items()},
        float(figures["host_seconds"]),
    )


_COMPUTE = (
    ("the array takes a step", "steps"),
    ("compute waits for load", "compute_waits_load"),
    ("compute waits for store", "compute_waits_store"),
)
_OTHERS = (("load is busy", "load_busy"), ("store is busy", "store_busy"))
_MOVED = (("read from DRAM", "read_bytes"), ("written to DRAM", "written_bytes"))
COUNTER_COLUMNS = ("cycles in which", "run", "image", "share")


def counters_table(title: str, measured: Measured) -> Table:
    """A table of where the cycles go, and of what DRAM moves."""
    return table(f"{title}: measured", COUNTER_COLUMNS, counter_rows(measured))


def counter_rows(measured: Measured) -> list[list[str]]:
    """Cells under `COUNTER_COLUMNS`."""
    counters = measured.counters
    others = [(text, counters[name]) for text, name in _OTHERS]
    rows = [
        _counter_row(measured, text, count, measured.cycles, "")
        for text, count in (("all", measured.cycles), *measured.compute_waits, *others)
    ]
    bus = measured.cycles * measured.hardware.bus_bytes
    return rows + [
        _counter_row(measured, f"{text}, bytes", counters[name], bus, " of the bus")
        for text, name in _MOVED
    ]


def _counter_row(of: Measured, text: str, count: int, whole: int, unit: str) -> list[str]:
    share = f"{100 * count / whole:.1f} %{unit}"
    return [text, f"{count:,}", f"{count / of.images:,.1f}", share]


def speed_lines(measured: Measured, host: str = "this machine") -> str:
    """Speed with and without the host, in two lines. host: where packing and unpacking ran."""
    clock = f"{measured.hardware.clock_mhz:g} MHz"
    return (
        f"measured: {measured.cycles_per_image:,.1f} cycles per image over {measured.images:,} "
        f"images, {measured.utilization:.1%} of peak; {measured.frames_per_second:,.1f} frames/s "
        f"and {measured.gops:.1f} GOP/s at {clock}\n"
        f"measured: {measured.frames_per_second_with_host:,.1f} frames/s with the host's "
        f"{measured.host_seconds / measured.images * 1e6:,.1f} us per image on {host}"
    )


def error_line(measured: Measured, predicted_cycles: int) -> str:
    """Prediction beside measurement."""
    error = predicted_cycles / measured.cycles - 1
    if predicted_cycles == measured.cycles:
        said = "exact"
    elif abs(error) < 0.001:
        said = "less than 0.1 % off"
    else:
        said = f"{100 * abs(error):.1f} % too {'low' if error < 0 else 'high'}"
    return (
        f"cycles of the run: predicted {predicted_cycles:,}, measured {measured.cycles:,}; the "
        f"prediction is {said}"
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
