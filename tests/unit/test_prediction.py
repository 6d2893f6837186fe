"""What synthesis may find instead of what was predicted: each bound, from both sides."""

from __future__ import annotations

import dataclasses

import pytest

from cnnaccel.devices import DEVICES, Resources
from cnnaccel.tools.prediction import Prediction, differences
from cnnaccel.tools.reports import Usage

PREDICTED = Prediction(Resources(dsp=144, bram36=99.5, lut=16_000), "Yosys")


def found(**changes: float) -> tuple[str, ...]:
    used = {"DSP": 144, "BRAM36": 99.5, "LUT": 12_000} | changes
    return differences([Usage(name, value, 1e6) for name, value in used.items()], PREDICTED)


@pytest.mark.parametrize(
    ("name", "least", "most"), [("DSP", 144, 144), ("BRAM36", 95, 104), ("LUT", 8000, 20_000)]
)
def test_both_ends(name: str, least: float, most: float) -> None:
    assert found(**{name: least}) == found(**{name: most}) == ()
    for beyond in (least - 1, most + 1):
        (said,) = found(**{name: beyond})
        assert said.startswith(f"{name}: {beyond:,g} found, ") and "predicted (" in said


def test_small_memories_may_be_off_by_two() -> None:
    small = dataclasses.replace(PREDICTED, resources=Resources(dsp=144, bram36=3, lut=16_000))

    def of(brams: float) -> tuple[str, ...]:
        used = {"DSP": 144, "BRAM36": brams, "LUT": 12_000}
        return differences([Usage(name, value, 1e6) for name, value in used.items()], small)

    assert of(5) == () and of(1) == () and len(of(5.5)) == 1


def test_as_lines() -> None:
    text = PREDICTED.text(DEVICES["xc7z020"])
    assert text.startswith("dsp 144\nbram36 99.5\nlut 16000\navailable_dsp 220\n")
    assert text.endswith("available_ff 106400\n")
