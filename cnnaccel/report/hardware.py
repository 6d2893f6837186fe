"""Resources, speed and power of an engine on its device; every figure with its source.

Reads the values of a stage's results.json, so that a table of today and one of last week are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os.path import commonpath
from typing import Any

from rich.table import Table

from cnnaccel.report.tables import table

_COLUMNS = ("figure", "value", "device", "share", "source")


def resources_table(title: str, resources: Iterable[Mapping[str, Any]]) -> Table:
    """One line per resource: `name`, `used`, `available`, `source`."""
    return table(title, ["resource", *_COLUMNS[1:]], map(_resource, resources))


def build_table(title: str, results: Mapping[str, Any]) -> Table:
    """Resources, timing, power and clock of a bitstream."""
    timing, power, clock = results["timing"], results["power"], results["clock"]
    rows = [_resource(resource) for resource in results["resources"]]
    rows += [
        _figure("setup slack", f"{timing['wns_ns']:.3f} ns", timing),
        _figure("hold slack", f"{timing['whs_ns']:.3f} ns", timing),
        _figure("clock", f"{clock['mhz']:g} MHz", clock),
        _figure(
            f"power, confidence {power['confidence'].lower()}", f"{power['total_w']:.3f} W", power
        ),
    ]
    return table(title, list(_COLUMNS), rows)


def paths_table(title: str, paths: Iterable[Mapping[str, Any]]) -> Table:
    """The worst paths: `kind`, `slack_ns`, `delay_ns`, `levels`, `start`, `end`.

    What all ends have in common stands in the title.
    """
    paths = list(paths)
    cells = [path[end].rpartition("/")[0] for path in paths for end in ("start", "end")]
    common = commonpath(cells) if cells else ""
    rows = [
        [
            path["kind"],
            f"{path['slack_ns']:+.3f}",
            f"{path['delay_ns']:.3f}",
            str(path["levels"]),
            *(path[end].removeprefix(f"{common}/") for end in ("start", "end")),
        ]
        for path in paths
    ]
    columns = ["path", "slack, ns", "delay, ns", "levels", "from", "to"]
    return table(f"{title}, in {common}" if common else title, columns, rows)


def _resource(resource: Mapping[str, Any]) -> list[str]:
    used, available = resource["used"], resource["available"]
    share = f"{used / available:.1%}"
    return [resource["name"], f"{used:,g}", f"{available:,g}", share, resource["source"]]


def _figure(name: str, value: str, of: Mapping[str, Any]) -> list[str]:
    return [name, value, "", "", of["source"]]
