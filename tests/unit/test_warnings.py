"""What the page says is wrong: each found from its figures, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cnnaccel.figures import Compared, Figure
from cnnaccel.hardware import HardwareConfig
from cnnaccel.report.findings import Built, Evaluation, Findings, Run, StageState, Taken
from cnnaccel.report.measured import Measured
from cnnaccel.report.quantization import TRY, QuantizationReport
from cnnaccel.report.warnings import warnings
from tests.support.graphs import every_kind

RIGHT = Figure("accuracy", 0.9, "share")
NAMES = ("train", "quantize", "evaluate", "compile", "simulate", "deploy", "board", "check",
         "build-hw")  # fmt: skip
QUANTIZED = QuantizationReport(
    "net", "", (), 1000, (Compared(Figure("accuracy", 0.945, "share"), 0.95),), 0.99, 4, 1, False
)
STAGES = {
    name: StageState(name, f"cnnaccel {name} net.yaml", "up to date", True, True, "", "")
    for name in NAMES
}


def run(stage: str = "simulate", predicted: int | None = 1000, **differences: str) -> Run:
    measured = Measured(HardwareConfig(), 4, 10, 20, {"cycles": 1000}, 0.1)
    return Run(stage, measured, "sim", "", None, predicted, differences, None)


def found(**known: Any) -> Findings:
    return Findings(
        "net", "net", "data", every_kind(), HardwareConfig(), STAGES, QUANTIZED, **known
    )


def test_nothing_is_wrong() -> None:
    evaluated = Evaluation(RIGHT, 30, ("a", "b"), ((9, 1), (1, 19)))
    assert warnings(found(evaluation=evaluated, simulation=run(engine=""), deployed=run())) == []


def test_int8_drops() -> None:
    told = f"int8 is 77.50 points below float. Noise breaks in at layer 'b1'.{TRY}this; that"
    (one,) = warnings(replace(found(), quantization=replace(QUANTIZED, warnings=(told,))))
    assert one.text == "int8 is 77.50 points below float. Noise breaks in at layer 'b1'."
    assert one.remedy == "Try, in this order: this; that."


def test_stages_out_of_date() -> None:
    old = StageState(
        "compile", "cnnaccel compile net.yaml", "hardware changed", False, True, "", ""
    )
    gone = StageState("board", "cnnaccel deploy", "not there yet", False, False, "", "")
    (one,) = warnings(replace(found(), stages={**STAGES, "compile": old, "board": gone}))
    assert one.text == "Figures of compile are out of date: hardware changed."
    assert one.command == "cnnaccel compile net.yaml"


@pytest.mark.parametrize("place", ["simulation", "stalled"])
def test_a_difference_comes_first(place: str) -> None:
    worse = replace(QUANTIZED, warnings=("int8 is bad.",))
    differs = run(interpreter="", engine="image 1, channel 2")
    one, two = warnings(replace(found(**{place: differs}), quantization=worse))
    assert one.text == "simulate: engine differs from golden: image 1, channel 2."
    assert one.command == "cnnaccel simulate net.yaml --layers" and "int8" in two.text


def test_classes_that_are_never_recognised() -> None:
    names = tuple("abcdefgh")
    rows = tuple(tuple(5 if to == 0 else 0 for to in range(8)) for _ in range(8))
    (one,) = warnings(found(evaluation=Evaluation(RIGHT, 40, names, rows)))
    assert one.text == "No image of 7 of 8 classes is recognised: b, c, d, e, f and 2 more."
    empty = Evaluation(RIGHT, 3, ("a", "b"), ((3, 0), (0, 0)))
    assert warnings(found(evaluation=empty)) == []  # no image of b is in the test split


def test_more_than_the_device_has() -> None:
    built = Built((Taken("DSP", 300, 220, "Yosys"), Taken("LUT", 1, 2, "Yosys")), ())
    (one,) = warnings(found(checked=built))
    assert "300 of 220 DSP, Yosys" in one.text and one.command == "cnnaccel explore net.yaml"
    large = replace(found(), hardware=HardwareConfig(pixel_lanes=8, output_lanes=32))
    assert all("exceeds" in one.text for one in warnings(large)) and warnings(large)


def test_timing_is_missed() -> None:
    (one,) = warnings(found(built=Built((), (), -0.25)))
    assert one.text == "Timing is missed by 0.250 ns." and "build-hw" in one.command


def test_a_prediction_that_is_off() -> None:
    (one,) = warnings(found(simulation=run(predicted=1150)))
    assert "+15.0%" in one.text
    assert warnings(found(stalled=run(predicted=500))) == []  # chance held it up
