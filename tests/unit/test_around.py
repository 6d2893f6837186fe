"""LUTs around the engine: more for a wider bus, and as the sources say at 64 bits."""

from __future__ import annotations

import dataclasses

from cnnaccel.hardware import HardwareConfig
from cnnaccel.predict.around import luts_around


def test_the_bus_makes_the_difference() -> None:
    wide = HardwareConfig(input_lanes=8)
    assert luts_around(wide) == 533 + 3000 + 100 + 20, "8 lanes of 8 bits"
    narrow = dataclasses.replace(wide, input_lanes=4, output_lanes=4)
    assert luts_around(narrow) == luts_around(wide) - 750
    wider = dataclasses.replace(wide, input_lanes=16, output_lanes=16)
    assert luts_around(wider) == luts_around(wide) + 1500
