"""Results of the stages, read from their files and typed; a missing one is None.

Readers take what a stage wrote. A file that is none of theirs raises KeyError, TypeError,
ValueError, AttributeError, ArithmeticError or OSError, or an error of the dataclass it fills.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnaccel.figures import Figure, figure_of
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.predict.estimate import Estimate
from cnnaccel.report import activity, distributions, measured, quantization
from cnnaccel.report import estimate as predicted
from cnnaccel.report.activity import Recorded
from cnnaccel.report.distributions import Distributions
from cnnaccel.report.measured import Measured
from cnnaccel.report.quantization import QuantizationReport

SIMULATED = "sim"
_ACCURACY = "validation_accuracy"


class Epoch(NamedTuple):
    """A line of metrics.jsonl."""

    epoch: int
    train_loss: float
    train_figure: float | None
    """None where it was not measured in training."""
    validation_loss: float | None
    validation_figure: float
    """The figure by which the epoch was chosen."""


@dataclass(frozen=True)
class Training:
    """The epochs, and which of them was taken."""

    history: tuple[Epoch, ...]
    chosen: int | None
    """None where an older version did not note it."""
    figure: Figure | None
    """The figure of the weights that were kept; None where there was nothing to measure it by."""
    imported: str = ""
    """Name of the file that the weights were imported from; then there is no history."""


@dataclass(frozen=True)
class Evaluation:
    """The score of the golden executor on the test images."""

    figure: Figure
    """The figure that counts."""
    images: int
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Counts of how often each class [row] was taken for each class [column]; empty of a network
    that is judged otherwise."""


@dataclass(frozen=True)
class Run:
    """The engine on test images, in a simulation or on a board."""

    stage: str
    """The stage that ran it: simulate, deploy or board."""
    measured: Measured
    target: str
    """Simulated, or a board: where it is, and what pynq calls it."""
    memory: str
    """The memory of the run, in words."""
    figure: Figure | None
    """The figure of the task; None where it was not measured."""
    predicted_cycles: int | None
    """Cycles predicted for this very run."""
    differences: Mapping[str, str]
    """Differences from golden, by level; empty where a level is equal."""
    recorded: Recorded | None
    stalls: float = 0.0
    """Share of the handshakes with memory that chance held up."""

    @property
    def equal(self) -> bool:
        """Whether every value was golden's."""
        return not any(self.differences.values())


class Taken(NamedTuple):
    """The amount of a resource of the device that is taken, and who says so."""

    name: str
    used: float
    available: float
    source: str


@dataclass(frozen=True)
class Built:
    """Figures of a tool about the engine as hardware."""

    resources: tuple[Taken, ...]
    others: tuple[tuple[str, str, str], ...]
    """Timing and power: name, value, source."""
    worst_slack_ns: float = math.inf
    """Negative where timing is missed."""


@dataclass(frozen=True)
class StageState:
    """A stage: whether its figures are of the configuration as it is now."""

    name: str
    command: str
    """Makes it again."""
    state: str
    """`up to date`, or what is the matter with it."""
    current: bool
    present: bool
    """Whether it ever ended well."""
    headline: str
    versions: str


@dataclass(frozen=True)
class Samples:
    """Some test images uint8[N, C, H, W], what they are, and what they were taken for.

    Of segmentation: image, mask and what was taken for it side by side, and no words.
    """

    images: npt.NDArray[np.uint8]
    numbers: tuple[int, ...]
    """Numbers of the images in the test split."""
    labels: tuple[str, ...]
    predictions: tuple[str, ...]
    by: str
    """Who said so."""


@dataclass(frozen=True)
class Findings:
    """All that is known of a configuration."""

    name: str
    model: str
    data: str
    graph: Graph
    hardware: HardwareConfig
    stages: Mapping[str, StageState]
    quantization: QuantizationReport
    training: Training | None = None
    evaluation: Evaluation | None = None
    estimate: Estimate | None = None
    verified_images: int = 0
    simulation: Run | None = None
    stalled: Run | None = None
    """A simulation with handshakes held up by chance, kept apart from the one without."""
    deployed: Run | None = None
    """The run on the simulated board."""
    board: Run | None = None
    checked: Built | None = None
    built: Built | None = None
    samples: Samples | None = None
    distributions: Distributions | None = None

    def aged(self, stage: str, text: str) -> str:
        """The source of a figure, and that it is out of date where the stage is."""
        return text if self.stages[stage].current else f"{text}; out of date"

    @property
    def best_run(self) -> Run | None:
        """The one nearest to a board, then the one of the most images."""
        return self.board or self.deployed or self.traced

    @property
    def traced(self) -> Run | None:
        """The simulation that layers and units are shown of: one without stalls, if there is."""
        return self.simulation or self.stalled

    @property
    def resources(self) -> list[list[Taken]]:
        """Resources of the engine, by source, the one nearest to a bitstream first."""
        take, have = self.hardware.estimated_resources, self.hardware.device
        estimated = [
            Taken(name, used, available, "estimated from the lanes and scratchpads")
            for name, used, available in (
                ("DSP", take.dsp, have.dsp),
                ("BRAM36", take.bram36, have.bram36),
                ("LUT", take.lut, have.lut),
            )
        ]
        made = [
            [row._replace(source=self.aged(stage, row.source)) for row in one.resources]
            for stage, one in (("build-hw", self.built), ("check", self.checked))
            if one is not None and one.resources
        ]
        return [*made, estimated]


def _results(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def _counted(results: Any) -> Measured:
    found = measured.from_figures(results)
    measured.counter_rows(found)  # every counter is there
    return found


def _number(row: Mapping[str, Any], name: str) -> float | None:
    return float(row[name]) if name in row else None


def read_training(folder: Path) -> Training:
    """The training in `metrics.jsonl` and `results.json`; of an import in the latter alone."""
    results = _results(folder)
    if "source" in results:
        name = Path(str(results["source"])).name
        return Training((), None, figure_of(results, _ACCURACY), name)
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    if (figure := figure_of(results, _ACCURACY)) is None or not rows:
        raise ValueError("no epochs, or no figure of them")
    history = [
        Epoch(
            int(row["epoch"]),
            float(row["train_loss"]),
            _number(row, f"train_{figure.key}"),
            _number(row, "validation_loss"),
            float(row[f"validation_{figure.key}"]),
        )
        for row in rows
    ]
    chosen = int(results["epoch"]) if "epoch" in results else None
    return Training(tuple(history), chosen, figure)


def read_quantization(folder: Path) -> QuantizationReport:
    """The quantization in `report.json`."""
    text = (folder / "report.json").read_text(encoding="utf-8")
    return quantization.from_json(json.loads(text))


def read_distributions(folder: Path) -> Distributions:
    """The histograms in `distributions.json`."""
    text = (folder / distributions.FILE).read_text(encoding="utf-8")
    return distributions.from_json(json.loads(text))


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation in `results.json`."""
    results = _results(folder)
    if (figure := figure_of(results)) is None:
        raise ValueError("no figure")
    confusion = tuple(tuple(int(count) for count in row) for row in results.get("confusion", ()))
    classes = tuple(str(name) for name in results["classes"])
    if confusion and {len(confusion), *map(len, confusion)} != {len(classes)}:
        raise ValueError("as many rows and columns as classes are expected")
    return Evaluation(figure, int(results["images"]), classes, confusion)


def read_estimate(folder: Path) -> tuple[Estimate, int]:
    """The estimate in `estimate.json`, and on how many images the program was interpreted."""
    text = (folder / "estimate.json").read_text(encoding="utf-8")
    found = predicted.from_json(json.loads(text))
    predicted.summary(found)  # nothing is divided by 0
    return found, int(_results(folder)["verified_images"])


def read_simulation(folder: Path) -> Run:
    """The simulation in `results.json` and `activity.json`."""
    results = _results(folder)
    recorded = activity.from_json(json.loads((folder / activity.FILE).read_text(encoding="utf-8")))
    differences = {str(level): str(found) for level, found in results["differences"].items()}
    cycles = int(results["predicted_cycles"])
    counted = _counted(results)
    return Run(
        folder.name, counted, SIMULATED, str(results["memory"]), None, cycles, differences,
        recorded, float(results["stalls"]),
    )  # fmt: skip


def read_deployment(folder: Path) -> Run:
    """The deployment in `results.json`; `deploy` writes it only where everything is equal to
    golden."""
    results = _results(folder)
    counted = _counted(results)
    target, memory = str(results["target"]), str(results.get("memory", ""))
    if target != SIMULATED:
        target += f", {results['checks']['device']}"
    figure = figure_of(results)
    return Run(folder.name, counted, target, memory, figure, None, {"engine": ""}, None)


def read_built(folder: Path) -> Built:
    """The hardware in `results.json` of `check` and `build-hw`."""
    results = _results(folder)
    rows = [
        Taken(str(r["name"]), float(r["used"]), float(r["available"]), str(r["source"]))
        for r in results["resources"]
    ]
    if any(row.available <= 0 for row in rows):
        raise ValueError("a device has more than nothing of a resource")
    others: list[tuple[str, str, str]] = []
    slack = math.inf
    if "timing" in results:
        timing = results["timing"]
        for name, key in (("setup slack", "wns_ns"), ("hold slack", "whs_ns")):
            slack = min(slack, float(timing[key]))
            others.append((name, f"{float(timing[key]):.3f} ns", str(timing["source"])))
    if "clock" in results:
        clock = results["clock"]
        others.append(("clock", f"{float(clock['mhz']):g} MHz", str(clock["source"])))
    if "power" in results:
        power = results["power"]
        name = f"power, confidence {power['confidence']}"
        others.append((name, f"{float(power['total_w']):.3f} W", str(power["source"])))
    return Built(tuple(rows), tuple(others), slack)
