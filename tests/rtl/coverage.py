"""Coverage of hw/rtl by whole programs: `python -m tests.rtl.coverage [pytest arguments]`.

Runs the tests of the whole engine with counters in it, on all engines that they use, and prints
for each file how many lines and branches ran, and how many bits went up and down somewhere. A
point that never ran must be in hw/lint/coverage.txt, whose lines are

    module | text of the line | reason

and each of those must be a point that never ran.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnaccel.resources import resource
from tests.support import engine

RTL = resource("hw") / "rtl"
EXPLAINED = RTL.parent / "lint" / "coverage.txt"
TESTS = ("test_engine", "test_random_programs", "test_directed", "test_faults", "test_waiting")
_NOT_LINT = ("-k", "not lint")
_OTHER_ENGINES = ("-m", "slow", "-k", "test_some_engines")
"""Options that choose the slow tests on engines that no other test uses."""


@dataclass(frozen=True)
class Point:
    """What Verilator counts: a statement or a branch by line, or an edge of one bit by name."""

    module: str
    line: int
    kind: str
    """v_line, v_branch, v_toggle."""
    place: str
    """Which one of that line."""


def points(counts: Mapping[str, int]) -> Counter[Point]:
    """How often each point was reached, by any instance in any engine."""
    found: Counter[Point] = Counter()
    for name, count in counts.items():
        values = dict(re.findall("\x01([^\x02]*)\x02([^\x01']*)", name))
        kind = values["page"].split("/")[0]
        place = values["o"] if kind == "v_toggle" else f"{values['n']} {values['o']}"
        found[Point(Path(values["f"]).stem, int(values["l"]), kind, place)] += count
    return found


def text_of(point: Point) -> str:
    lines = (RTL / f"{point.module}.sv").read_text(encoding="utf-8").splitlines()
    return lines[point.line - 1].strip()


def explained() -> dict[tuple[str, str], str]:
    """Reasons by module and text of the line."""
    found = {}
    for line in EXPLAINED.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            module, rest = line.split("|", 1)
            text, reason = rest.rsplit("|", 1)
            found[module.strip(), text.strip()] = reason.strip()
    return found


def table(found: Mapping[Point, int]) -> Iterator[str]:
    """A row for each module, one for all."""
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for point, count in found.items():
        kind = "bits" if point.kind == "v_toggle" else "lines"
        for name in (point.module, "all"):
            total[name][kind] += 1
            total[name][f"{kind} covered"] += count > 0
    yield "| module | lines and branches | edges of bits |"
    yield "|---|---|---|"
    for name in (*sorted(total.keys() - {"all"}), "all"):
        of = total[name]
        yield (
            f"| {name} | {of['lines covered']} of {of['lines']} "
            f"| {of['bits covered']} of {of['bits']} |"
        )


def complaints(found: Mapping[Point, int]) -> Iterator[str]:
    """Points that never ran without a reason, and reasons without such a point."""
    reasons = explained()
    never = {
        (point.module, text_of(point)): point
        for point, count in found.items()
        if count == 0 and point.kind != "v_toggle"
    }
    for place, point in never.items():
        if place not in reasons:
            yield f"never ran: {point.module}.sv:{point.line} {point.place}: {place[1]}"
    for module, text in reasons.keys() - never.keys():
        yield f"explained, but it runs or is not there: {module}: {text}"


def main(arguments: Iterable[str]) -> int:
    engine.COVERAGE = counts = Counter[str]()
    tests = [str(Path(__file__).parent / f"{name}.py") for name in TESTS]
    for chosen in (_NOT_LINT, _OTHER_ENGINES):
        if pytest.main(["-q", "-x", *chosen, *arguments, *tests]):
            return 1
    found = points(counts)
    print("\n".join(table(found)))
    wrong = sorted(complaints(found))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
