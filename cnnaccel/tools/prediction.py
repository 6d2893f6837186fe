"""Figures that synthesis must find of the engine, and how far off each may be.

Vivado makes the engine of the same texts as Yosys, so it takes the same DSPs and memories; a
difference means that a multiplier or a memory became something else, which costs the clock or the
device, or that logic went away. Its LUTs are fewer: it puts two small ones into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnaccel.devices import Device, Resources
from cnnaccel.tools.reports import Usage

BRAM_SHARE = 0.05
BRAM_LEAST = 2.0
"""BRAM36 may be off by the larger: how a memory is cut into blocks is up to each tool."""
LUT_LEAST = 0.5
LUT_MOST = 1.25
"""Shares of the predicted LUTs, counted by Yosys or fitted to its counts, that Vivado may take."""


@dataclass(frozen=True)
class Prediction:
    """Resources that the engine alone should take, and who says so."""

    resources: Resources
    source: str

    def text(self, device: Device) -> str:
        """Lines of `key value`, as in summary.txt; those of the device begin with `available_`."""
        take = self.resources
        has = {
            "dsp": device.dsp,
            "bram36": device.bram36,
            "lut": device.lut,
            "lutram": device.memory_lut,
            "ff": device.registers,
        }
        lines = [f"dsp {take.dsp}", f"bram36 {take.bram36:g}", f"lut {take.lut}"]
        return "\n".join([*lines, *(f"available_{key} {n:g}" for key, n in has.items()), ""])


@dataclass(frozen=True)
class _Band:
    name: str
    predicted: float
    least: float
    most: float
    allowed: str
    """The tolerance in words."""


def differences(found: Sequence[Usage], prediction: Prediction) -> tuple[str, ...]:
    """Figures that are not as predicted, each as `DSP: 0 found, 144 predicted (must be equal)`."""
    used = {usage.name: usage.used for usage in found}
    return tuple(
        f"{band.name}: {used[band.name]:,g} found, {band.predicted:,g} predicted ({band.allowed})"
        for band in _bands(prediction.resources)
        if not band.least <= used[band.name] <= band.most
    )


def _bands(resources: Resources) -> tuple[_Band, ...]:
    dsp, bram, lut = resources.dsp, resources.bram36, resources.lut
    off = max(BRAM_LEAST, BRAM_SHARE * bram)
    return (
        _Band("DSP", dsp, dsp, dsp, "must be equal"),
        _Band("BRAM36", bram, bram - off, bram + off, f"may be off by {off:g}"),
        _Band(
            "LUT",
            lut,
            LUT_LEAST * lut,
            LUT_MOST * lut,
            f"may be {LUT_LEAST:.0%} to {LUT_MOST:.0%} of it",
        ),
    )
