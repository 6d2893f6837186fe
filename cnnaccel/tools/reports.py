"""Vivado's four reports on a routed design and our summary of them, read and compared.

Reads texts as Vivado 2020.1 and later print them, for Zynq-7000 and UltraScale+; starts nothing.
The tables are what counts: `summary.txt`, which our Tcl writes from the design's properties, must
agree.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cnnaccel.errors import ToolError
from cnnaccel.workspace import write_atomic

T = TypeVar("T")
_SITES = {
    "DSP": ("DSPs",),
    "BRAM36": ("Block RAM Tile",),
    "LUT": ("Slice LUTs", "CLB LUTs"),
    "LUT as memory": ("LUT as Memory",),
    "flip-flop": ("Slice Registers", "CLB Registers"),
}
"""Our name of a resource, and the row of report_utilization by either family."""
_IN_SUMMARY = {
    "DSP": "dsp",
    "BRAM36": "bram36",
    "LUT": "lut",
    "LUT as memory": "lutram",
    "flip-flop": "ff",
}


@dataclass(frozen=True)
class Usage:
    """Amount of a resource that is used, and that the device has."""

    name: str
    used: float
    available: float

    @property
    def share(self) -> float:
        """Share of the device, 0 to 1 or beyond."""
        return self.used / self.available if self.available else 0.0


@dataclass(frozen=True)
class Timing:
    """Slacks in ns, negative where a path is too slow; over all clocks."""

    wns_ns: float
    tns_ns: float
    setup_failing: int
    setup_endpoints: int
    whs_ns: float
    ths_ns: float
    hold_failing: int
    wpws_ns: float
    pulse_failing: int

    @property
    def met(self) -> bool:
        """Whether every path, hold and pulse is long or short enough."""
        return min(self.wns_ns, self.whs_ns, self.wpws_ns) >= 0


@dataclass(frozen=True)
class Attempt:
    """One way of placing and routing, by the name that Vivado has for it, and its worst slacks."""

    strategy: str
    wns_ns: float
    whs_ns: float
    taken: bool
    """The bitstream is of this one."""

    @property
    def slacks(self) -> str:
        """Both slacks in words."""
        return f"setup slack {self.wns_ns:+.3f} ns, hold slack {self.whs_ns:+.3f} ns"


@dataclass(frozen=True)
class Power:
    """Estimated by Vivado, in W; `confidence` is its own word for how well it knows."""

    total_w: float
    dynamic_w: float
    static_w: float
    confidence: str


@dataclass(frozen=True)
class Clock:
    """A clock of the design."""

    name: str
    period_ns: float

    @property
    def mhz(self) -> float:
        """Frequency of the clock."""
        return 1000 / self.period_ns


@dataclass(frozen=True)
class SlowPath:
    """One of the worst paths."""

    kind: str
    """The kind of check: setup or hold."""
    slack_ns: float
    delay_ns: float
    levels: int
    """Levels of logic."""
    start: str
    end: str


@dataclass(frozen=True)
class Reports:
    """All that is read of one build."""

    utilization: tuple[Usage, ...]
    timing: Timing
    power: Power
    clocks: tuple[Clock, ...]


def read_reports(folder: Path) -> Reports:
    """The reports in `folder`, which must agree with its `summary.txt`.

    Raises:
        ToolError: a file is missing, has no such table, or says other than the summary.
    """
    reports = Reports(
        _read(folder / "utilization.rpt", utilization),
        _read(folder / "timing.rpt", timing),
        _read(folder / "power.rpt", power),
        _read(folder / "clocks.rpt", clocks),
    )
    _compare(reports, _read(folder / "summary.txt", summary), folder)
    return reports


def read_paths(path: Path) -> tuple[SlowPath, ...]:
    """The paths that fail, worst first: `<kind> <slack> <delay> <levels> <start> <end>` a line."""
    return _read(path, slow_paths)


def read_utilization(path: Path) -> tuple[Usage, ...]:
    """One report of report_utilization."""
    return _read(path, utilization)


def read_attempts(folder: Path) -> tuple[Attempt, ...]:
    """The ways in which the design was placed and routed, one or two, by the summary."""
    return _read(folder / "summary.txt", attempts)


def attempts(text: str) -> tuple[Attempt, ...]:
    """The ways of routing in summary.txt: `strategy_N`, `wns_N`, `whs_N` for N from 1.

    `run` says which was taken.
    """
    said = summary(text)
    found: list[Attempt] = []
    while (key := f"strategy_{len(found) + 1}") in said:
        number = len(found) + 1
        try:
            slacks = _number(said[f"wns_{number}"]), _number(said[f"whs_{number}"])
        except KeyError as error:
            raise _MissingError(f"'{error.args[0]}' beside '{key}'") from None
        found.append(Attempt(said[key], *slacks, said.get("run") == f"impl_{number}"))
    if sum(attempt.taken for attempt in found) != 1:
        raise _MissingError("'strategy_1', and 'run' that names the one taken")
    return tuple(found)


def slow_paths(text: str) -> tuple[SlowPath, ...]:
    """The paths of paths.txt, a line each."""
    paths = []
    for line in text.splitlines():
        match line.split():
            case [kind, slack, delay, levels, start, end]:
                numbers = _number(slack), _number(delay), int(_number(levels))
                paths.append(SlowPath(kind, *numbers, start, end))
            case _:
                raise _MissingError(f"six words in the line '{line}'")
    return tuple(sorted(paths, key=lambda path: path.slack_ns))


def write_json(reports: Reports, source: str, folder: Path) -> None:
    """`utilization.json`, `timing.json`, `power.json`, `clocks.json`, each with its source."""
    values: dict[str, Mapping[str, Any]] = {
        "utilization": {
            "resources": [
                {**dataclasses.asdict(usage), "share": round(usage.share, 4)}
                for usage in reports.utilization
            ]
        },
        "timing": {**dataclasses.asdict(reports.timing), "met": reports.timing.met},
        "power": dataclasses.asdict(reports.power),
        "clocks": {
            "clocks": [
                {**dataclasses.asdict(clock), "mhz": round(clock.mhz, 3)}
                for clock in reports.clocks
            ]
        },
    }
    for name, value in values.items():
        text = json.dumps({"source": source, **value}, indent=1)
        write_atomic(folder / f"{name}.json", text.encode() + b"\n")


def utilization(text: str) -> tuple[Usage, ...]:
    """The rows of report_utilization that our table shows."""
    rows = list(_boxed(text))
    header: Sequence[str] = ()
    found: dict[str, Usage] = {}
    for row in rows:
        if "Used" in row and "Available" in row:
            header = row
        cells = dict(zip(header, row, strict=False))
        site = row[0].rstrip("*").strip()  # a synthesized design has a star and a note
        for name, sites in _SITES.items():
            if site in sites and name not in found and cells.get("Available"):
                found[name] = Usage(name, _number(cells["Used"]), _number(cells["Available"]))
    for name, sites in _SITES.items():
        if name not in found:
            raise _MissingError(f"a row '{' or '.join(sites)}' with columns Used and Available")
    return tuple(found[name] for name in _SITES)


def timing(text: str) -> Timing:
    """The table Design Timing Summary of report_timing_summary."""
    if unclocked := re.search(r"There are ([1-9]\d*) register/latch pins with no clock", text):
        raise _MissingError(f"a clock for every register, {unclocked[1]} have none")
    names, rows = _columns(text, "WNS(ns)")
    # numbers wider than their column are one space apart; an empty cell must not be its neighbour's
    cells = " ".join(rows[0] if rows else ()).split()
    if len(cells) != len(names):
        raise _MissingError(f"a timing summary of {len(names)} cells, found {len(cells)}")
    row = dict(zip(names, cells, strict=True))
    try:
        return Timing(
            wns_ns=_number(row["WNS(ns)"]),
            tns_ns=_number(row["TNS(ns)"]),
            setup_failing=int(row["TNS Failing Endpoints"]),
            setup_endpoints=int(row["TNS Total Endpoints"]),
            whs_ns=_number(row["WHS(ns)"]),
            ths_ns=_number(row["THS(ns)"]),
            hold_failing=int(row["THS Failing Endpoints"]),
            wpws_ns=_number(row["WPWS(ns)"]),
            pulse_failing=int(row["TPWS Failing Endpoints"]),
        )
    except KeyError as error:
        raise _MissingError(f"the column {error.args[0]} of the design's timing summary") from None
    except ValueError:
        raise _MissingError("a number in every column of the design's timing summary") from None


def power(text: str) -> Power:
    """The summary of report_power."""
    values = {row[0]: row[1] for row in reversed(list(_boxed(text))) if len(row) == 2}
    try:
        return Power(
            total_w=_number(values["Total On-Chip Power (W)"]),
            dynamic_w=_number(values["Dynamic (W)"]),
            static_w=_number(values["Device Static (W)"]),
            confidence=values["Confidence Level"],
        )
    except KeyError as error:
        raise _MissingError(f"a row '{error.args[0]}'") from None


def clocks(text: str) -> tuple[Clock, ...]:
    """The clocks of report_clocks."""
    names, rows = _columns(text, "Clock")
    if "Period(ns)" not in names or not rows:
        raise _MissingError("a table of clocks with a column Period(ns)")
    at = names.index("Period(ns)")
    return tuple(Clock(row[0], _number(row[at])) for row in rows if len(row) > at)


def summary(text: str) -> dict[str, str]:
    """Keys and values of summary.txt."""
    lines = (line.strip().partition(" ") for line in text.splitlines())
    return {key: value for key, _, value in lines if key}


class _MissingError(Exception):
    """A thing that a report lacks; `_read` adds which report."""


def _read(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        raise ToolError(
            f"{path} is not there: Vivado ended without a complaint and did not write it; look at "
            "report.log beside its folder"
        ) from None
    except _MissingError as error:
        raise ToolError(
            f"{path}: looked for {error}, which is not there; this Vivado prints another form than "
            "2020.1 to 2025.1, or the file is cut off. `build-hw --restart` builds anew"
        ) from None


def _boxed(text: str) -> Iterator[list[str]]:
    """Rows of tables drawn with `|`, their cells without the space around."""
    for line in text.splitlines():
        if line.startswith("|") and line.rstrip().endswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _columns(text: str, first: str) -> tuple[list[str], list[list[str]]]:
    """Names and rows of the first table of columns two spaces apart that begins with `first`."""
    lines = iter(text.splitlines())
    for line in lines:
        names = re.split(r"\s{2,}", line.strip())
        if names[0] == first and len(names) > 1:
            break
    else:
        raise _MissingError(f"a table that begins with {first}")
    rows = []
    for line in lines:
        if not line.strip():
            break
        if set(line) - {"-", " "}:
            rows.append(re.split(r"\s{2,}", line.strip()))
    return names, rows


def _number(text: str) -> float:
    """A number as Vivado prints it, an int where it is one; a note in parentheses may follow.

    NA and inf, which stand where a design has no clock or no path, are none.
    """
    value = re.fullmatch(r"([-+]?\d+(?:\.\d+)?(?:e-?\d+)?)(?:\s*\([^)]*\))?", text.strip())
    if value is None:
        raise _MissingError(f"a number where '{text.strip()}' stands")
    return int(value[1]) if value[1].isdigit() else float(value[1])


def _compare(reports: Reports, said: Mapping[str, str], folder: Path) -> None:
    """Both come from one design; integers are equal, ns, W and MHz as they are printed."""
    timing_ = reports.timing
    read: dict[str, tuple[float, str]] = {
        **{_IN_SUMMARY[u.name]: (u.used, "utilization.rpt") for u in reports.utilization},
        "wns": (timing_.wns_ns, "timing.rpt"),
        "whs": (timing_.whs_ns, "timing.rpt"),
        "tns": (timing_.tns_ns, "timing.rpt"),
        "wpws": (timing_.wpws_ns, "timing.rpt"),
        "failing_endpoints": (timing_.setup_failing, "timing.rpt"),
        "failing_hold_endpoints": (timing_.hold_failing, "timing.rpt"),
        "failing_pulse_endpoints": (timing_.pulse_failing, "timing.rpt"),
        "power_w": (reports.power.total_w, "power.rpt"),
        "clock_mhz": (reports.clocks[0].mhz, "clocks.rpt"),
    }
    for key, (value, name) in read.items():
        try:
            stated = float(said[key])
        except (KeyError, ValueError):
            raise ToolError(
                f"{folder / 'summary.txt'}: looked for '{key}' and a number, which is not there"
            ) from None
        if round(stated, 3) != round(value, 3):
            raise ToolError(
                f"{folder / 'summary.txt'} says {key} {stated:g} and {name} beside it {value:g}; "
                "they are of one design, so one of them is not to be trusted: "
                "`build-hw --restart` builds anew"
            )
