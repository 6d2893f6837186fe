"""The table of a self-test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from cnnaccel.report.tables import table
from cnnaccel.runtime.selftest import RANDOM


def outcomes_table(title: str, outcomes: Iterable[Mapping[str, Any]]) -> Table:
    """Random programs in one row, each layer, the network: what `run_cases` says of them."""
    some = list(outcomes)
    rows = [_row(outcome) for outcome in some if outcome["kind"] != RANDOM]
    if programs := [outcome for outcome in some if outcome["kind"] == RANDOM]:
        wrong = [outcome for outcome in programs if outcome["found"]]
        said = "equal" if not wrong else f"different in {len(wrong)}: {wrong[0]['found']}"
        values = sum(outcome["values"] for outcome in programs)
        rows.insert(0, [f"{len(programs)} random programs", "", f"{values:,}", said])
    return table(title, ["what", "how", "values", "result"], [[*map(escape, row)] for row in rows])


def _row(outcome: Mapping[str, Any]) -> list[str]:
    name, values, found = outcome["name"], outcome["values"], outcome["found"]
    if not values and not found:
        return [name, outcome["remark"], "", "not run"]
    name = name if outcome["kind"] == "layer" else f"{name}, whole"
    return [name, outcome["remark"], f"{values:,}", f"different: {found}" if found else "equal"]
