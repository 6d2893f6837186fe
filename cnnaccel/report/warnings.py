"""Faults that the figures tell: a line each for the top of the page, and what to do.

To add one, write a function from `Findings` to the `Warned` it finds, and name it in `_CHECKS`,
whose order is that of the page. It says what is so with its figures, then what may help.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cnnaccel.report.findings import Findings, Run
from cnnaccel.report.quantization import TRY

_OFF = 0.1
"""Share of the cycles by which a prediction may be wrong."""
_UNCLEAR = 5
"""Classes that are named."""


class Warned(NamedTuple):
    """A fault; what to do about it; a command, where one is all that is needed."""

    text: str
    remedy: str
    command: str = ""


def warnings(found: Findings) -> list[Warned]:
    """All of them, the gravest first."""
    return [one for check in _CHECKS for one in check(found)]


def _different(found: Findings) -> Iterator[Warned]:
    """A level that computed other values than golden."""
    runs: tuple[Run | None, ...] = (found.simulation, found.stalled, found.deployed, found.board)
    for run in runs:
        for level, text in run.differences.items() if run is not None else ():
            if run is not None and text:
                yield Warned(
                    f"{run.stage}: {level} differs from golden: {text}.",
                    "This is a bug: no network and no setting may do so. The layer where it "
                    "begins is told by",
                    f"{found.stages[run.stage].command} --layers",
                )


def _dropped(found: Findings) -> Iterator[Warned]:
    """The fault that quantize warned of: int8 far below float, and the layer where that begins."""
    for text in found.quantization.warnings:
        what, cause, tips = text.partition(TRY)
        yield Warned(what.rstrip(), f"{cause.strip()} {tips}." if tips else "")


def _blind(found: Findings) -> Iterator[Warned]:
    """Classes of which no image is recognised."""
    if (evaluated := found.evaluation) is None or not evaluated.confusion:
        return
    blind = [
        name
        for at, (name, row) in enumerate(zip(evaluated.classes, evaluated.confusion, strict=True))
        if sum(row) and not row[at]
    ]
    if blind:
        names = ", ".join(blind[:_UNCLEAR])
        more = f" and {len(blind) - _UNCLEAR} more" if len(blind) > _UNCLEAR else ""
        yield Warned(
            f"No image of {len(blind)} of {len(evaluated.classes)} classes is recognised: "
            f"{names}{more}.",
            "Train for longer, or look at the labels of these classes.",
        )


def _exceeded(found: Findings) -> Iterator[Warned]:
    """More of a resource than the device has, as the source nearest to a bitstream says."""
    for row in found.resources[0]:
        if row.used > row.available:
            yield Warned(
                f"The engine exceeds the {found.hardware.part}: {row.used:,g} of "
                f"{row.available:,g} {row.name}, {row.source}.",
                "Take fewer lanes or smaller scratchpads (hardware.overrides), or a larger board. "
                "Engines that fit are found by",
                found.stages["compile"].command.replace(" compile ", " explore ", 1),
            )


def _late(found: Findings) -> Iterator[Warned]:
    """A bitstream that missed its timing."""
    if found.built is not None and found.built.worst_slack_ns < 0:
        yield Warned(
            f"Timing is missed by {-found.built.worst_slack_ns:.3f} ns.",
            "Lower the clock (hardware.overrides.clock_mhz) and build again:",
            found.stages["build-hw"].command,
        )


def _mispredicted(found: Findings) -> Iterator[Warned]:
    """A run without stalls that took other cycles than predicted."""
    run = found.simulation
    if run is not None and run.predicted_cycles is not None:
        error = run.predicted_cycles / run.measured.cycles - 1
        if abs(error) > _OFF:
            yield Warned(
                f"The compiler predicted {run.predicted_cycles:,} cycles for a run that took "
                f"{run.measured.cycles:,}: {error:+.1%}.",
                "What the compiler chose by this prediction may not be the fastest; section "
                "Layers shows which layers are off.",
            )


def _stale(found: Findings) -> Iterator[Warned]:
    """Stages whose figures are not of the configuration as it is now."""
    for state in found.stages.values():
        if state.present and not state.current:
            text = f"Figures of {state.name} are out of date: {state.state}."
            yield Warned(text, "Make them again:", state.command)


_CHECKS = (_different, _dropped, _blind, _exceeded, _late, _mispredicted, _stale)
