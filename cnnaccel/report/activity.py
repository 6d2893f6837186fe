"""The activity of the units over time, as a simulation recorded it: the numbers behind pictures.

One file, `activity.json`, beside the picture that matplotlib draws of it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnaccel.isa.instructions import Unit
from cnnaccel.isa.program import Program
from cnnaccel.predict.estimate import spans
from cnnaccel.runtime.simulator import EVENTS, Activity

FILE = "activity.json"
UNITS = (
    # row of the picture, event of the counters, label
    (3, "load_busy", "load busy"),
    (2, "steps", "array steps"),
    (2, "compute_waits_load", "compute waits for load"),
    (2, "compute_waits_store", "compute waits for store"),
    (1, "store_busy", "store busy"),
    (0, "read_beats", "DRAM reads"),
    (0, "written_beats", "DRAM writes"),
)
"""Rows and colours of pictures of activity; events of one row stand on top of one another."""


class Stretch(NamedTuple):
    """Cycles since the start in which compute begins instructions of one layer alone."""

    layer: str
    begin: int
    end: int


@dataclass(frozen=True)
class Recorded:
    """The beginning of a run of the engine."""

    images: int
    """Images of one iteration."""
    bin_cycles: int
    counts: Mapping[str, tuple[int, ...]]
    """Cycles in which each of `EVENTS` was so, or its beats, by bin."""
    stretches: tuple[Stretch, ...]
    iteration: str
    """The iteration that `layer_cycles` is of, in words."""
    layer_cycles: Mapping[str, int]
    """Cycles from a layer's instructions of compute to the next ones, as `Usage.span_cycles`."""

    def write(self, folder: Path) -> None:
        """`activity.json` into `folder`."""
        text = json.dumps(dataclasses.asdict(self), separators=(",", ":"))
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @property
    def shares(self) -> dict[str, list[float]]:
        """Events per cycle by bin, to the last bin in which anything was counted."""
        last = max((at for at, cycles in enumerate(self.counts["cycles"], 1) if cycles), default=1)
        return {
            event: [count / self.bin_cycles for count in counts[:last]]
            for event, counts in self.counts.items()
        }


def recorded(activity: Activity, program: Program, iterations: int, cycles: int) -> Recorded:
    """The record of a run of so many iterations that took so many cycles from start to done."""
    rows = activity.instructions
    compute = list(Unit).index(Unit.COMPUTE)
    begun = [(int(at), int(index)) for at, unit, index in rows if unit == compute]
    shown = activity.cycles * int(np.count_nonzero(activity.counts[:, 0]))
    counts = activity.counts.T.tolist()
    iteration, layer_cycles = _layers(begun, program, iterations, cycles)
    return Recorded(
        program.images_per_iteration,
        activity.cycles,
        {event: tuple(counts[at]) for at, event in enumerate(EVENTS)},
        _stretches(begun, program, shown),
        iteration,
        layer_cycles,
    )


def from_json(document: Any) -> Recorded:
    """The object of a file that `Recorded.write` wrote.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it did not write this.
    """
    return Recorded(
        int(document["images"]),
        int(document["bin_cycles"]),
        {event: tuple(map(int, document["counts"][event])) for event in EVENTS},
        tuple(Stretch(str(a), int(b), int(c)) for a, b, c in document["stretches"]),
        str(document["iteration"]),
        {str(name): int(count) for name, count in document["layer_cycles"].items()},
    )


def _layer(program: Program, index: int) -> str:
    return program.notes[index].layer if index < len(program.notes) else ""


def _stretches(begun: Sequence[tuple[int, int]], program: Program, end: int) -> tuple[Stretch, ...]:
    """begun: cycle and index of every instruction of compute."""
    found: list[Stretch] = []
    for (at, index), (until, _) in zip(begun, [*begun[1:], (end, 0)], strict=False):
        layer = _layer(program, index)
        if found and found[-1].layer == layer:
            at = found.pop().begin
        found.append(Stretch(layer, at, until))
    return tuple(found)


def _layers(
    begun: Sequence[tuple[int, int]], program: Program, iterations: int, cycles: int
) -> tuple[str, dict[str, int]]:
    """Cycles by layer of the last iteration whose end is in the record, and which one that is."""
    once, firsts, previous = len(program.once), [], -1
    for place, (_, index) in enumerate(begun):
        if index >= once and not once <= previous < index:
            firsts.append(place)
        previous = index
    if len(firsts) > 1:
        one, last = begun[firsts[-2] : firsts[-1]], begun[firsts[-1]][0]
        text = f"iteration {len(firsts) - 1} of {iterations:,}, to the first step of the next"
    elif firsts and iterations == 1:
        one, last = begun[firsts[0] :], cycles
        text = "the only iteration, which waits for the first loads, to the end of the run"
    else:
        return "", {}
    found = spans([(_layer(program, index), at) for at, index in one], last)
    return text, {layer: round(count) for layer, count in found.items()}
