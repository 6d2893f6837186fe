"""The report: what every stage left behind, and whether it still fits, on one page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import CnnaccelError, StaleError, WorkspaceError
from cnnaccel.ir import golden
from cnnaccel.pipeline.bitstream import build_inputs
from cnnaccel.pipeline.build_hw import check_inputs
from cnnaccel.pipeline.identity import INPUTS, Inputs, simulate_inputs, stored_graph
from cnnaccel.pipeline.job import Job, headline_of, write_results
from cnnaccel.pipeline.score import segmented
from cnnaccel.pipeline.simulate import STALLED
from cnnaccel.pipeline.weights import stage_of
from cnnaccel.report import findings
from cnnaccel.report.findings import Findings, Samples, StageState
from cnnaccel.workspace import MANIFEST, Stage

PAGE = "report.html"
T = TypeVar("T")
_INPUTS: dict[str, Callable[[Job], Inputs]] = INPUTS | {
    STALLED: simulate_inputs,
    "check": lambda job: check_inputs(job, ""),
    "build-hw": lambda job: build_inputs(job, ""),
}
_STAGES = (
    "train", "quantize", "evaluate", "compile", "simulate", STALLED, "deploy", "board", "check",
    "build-hw",
)  # fmt: skip
_COMMANDS = {
    "board": "deploy {config} --target USER@HOST",
    "check": "build-hw {config} --check",
    STALLED: "simulate {config} --stalls 0.3",
}
_ASIDE = (STALLED,)
"""Stages that nothing else needs: on the page only where they have run."""
_AS_RECORDED = ("target", "images", "Vivado", "Yosys")
"""Inputs of which any is right: the board it ran on, how many images, the version that built it."""
_FIRST, _WRONG = 20, 10
"""Sample images: the first of the test split, and the first that are taken wrongly."""


def report(job: Job, config: str) -> Path:
    """Write `report.html`; config: as the user calls the configuration, for commands on the page.

    Raises:
        WorkspaceError: nothing is quantized yet, or a file of a stage is damaged.
    """
    graph = stored_graph(job)
    at_hand = job.data_at_hand
    states = {name: _state(job, name, config, at_hand) for name in _STAGES}
    for name in _ASIDE:
        if not states[name].present:
            del states[name]
    reader = _Reader(job, states)
    quantized = reader.read("quantize", findings.read_quantization)
    if quantized is None:
        raise WorkspaceError(
            f"{job.workspace.stage('quantize').folder}: written by another version of cnnaccel; "
            f"`{states['quantize'].command}` writes it anew"
        )
    estimated = reader.read("compile", findings.read_estimate)
    found = Findings(
        job.config.name,
        job.config.model,
        job.config.data.name,
        graph,
        job.hardware,
        states,
        quantized,
        reader.read("train", findings.read_training),
        reader.read("evaluate", findings.read_evaluation),
        estimated[0] if estimated else None,
        estimated[1] if estimated else 0,
        reader.read("simulate", findings.read_simulation),
        reader.read(STALLED, findings.read_simulation),
        reader.read("deploy", findings.read_deployment),
        reader.read("board", findings.read_deployment),
        reader.read("check", findings.read_built),
        reader.read("build-hw", findings.read_built),
        distributions=reader.read("quantize", findings.read_distributions),
    )
    if at_hand:
        found = replace(found, samples=_samples(job, found))
    from cnnaccel.report.page import page

    text = page(found)
    inputs = {name: _digest(stage_of(job, name)) for name in _STAGES}
    stage = job.workspace.stage("report")
    with stage.write(inputs) as folder:
        (folder / PAGE).write_text(text, encoding="utf-8")
        current = sum(state.current for state in states.values())
        headline = f"{current} of {len(states)} stages up to date, {len(text) / 1e6:.2f} MB"
        write_results(folder, headline)
    for state in states.values():
        if not state.current:
            job.say(f"{state.name}: {state.state}; `{state.command}`")
    job.say(f"report: {headline}; {stage.folder / PAGE}")
    return stage.folder / PAGE


class _Reader:
    """Reads what stages wrote, and notes in `states` what another version wrote."""

    def __init__(self, job: Job, states: dict[str, StageState]) -> None:
        self.job, self.states = job, states

    def read(self, name: str, reader: Callable[[Path], T]) -> T | None:
        """What a stage found; None where it has not run, or as another version of this package.

        Raises:
            WorkspaceError: its files are not what it wrote, and cannot be read.
        """
        stage, state = stage_of(self.job, name), self.states.get(name)
        manifest = stage.manifest()
        if manifest is None or state is None:
            return None
        try:
            return reader(stage.folder)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, OSError,
                RecursionError, CnnaccelError) as error:  # fmt: skip
            if altered := stage.why_stale(manifest["inputs"]):
                raise WorkspaceError(
                    f"{stage.folder}: {altered} and cannot be read ({error!r}); "
                    f"`{state.command}` writes it anew"
                ) from None
            self.states[name] = replace(
                state, state="written by another version of cnnaccel", current=False
            )
            return None


def _state(job: Job, name: str, config: str, at_hand: bool) -> StageState:
    stage = stage_of(job, name)
    stage.finish_swap()
    manifest = stage.manifest()
    command = "cnnaccel " + _COMMANDS.get(name, f"{name} {{config}}").format(config=config)
    if manifest is None:
        return StageState(name, command, stage.why_stale({}) or "", False, False, "", "")
    reason = _why_stale(job, stage, manifest, at_hand)
    versions = ", ".join(f"{k} {v}" for k, v in manifest.get("versions", {}).items())
    try:
        headline = headline_of(stage.folder)
    except (OSError, ValueError, KeyError, TypeError):
        headline = ""
    return StageState(name, command, reason or "up to date", not reason, True, headline, versions)


def _why_stale(job: Job, stage: Stage, manifest: dict[str, Any], at_hand: bool) -> str | None:
    """The reason in a few words, about names and never about places on this machine."""
    recorded = manifest["inputs"]
    wanted = _INPUTS[stage.folder.name]
    if not at_hand:
        untold = "whether it still fits cannot be told without the dataset"
        return stage.why_stale(recorded) or untold
    try:
        kept = {name: recorded[name] for name in _AS_RECORDED if name in recorded}
        return stage.why_stale(wanted(job) | kept)
    except StaleError as error:
        return f"what it was made from is out of date: {error.what}"
    except WorkspaceError:
        return "what it was made from is missing or was altered"
    except CnnaccelError as error:
        return f"whether it still fits cannot be told: {error}"


def _digest(stage: Stage) -> str:
    """Digest of a stage's manifest, so of all that it wrote; empty where it has not run."""
    path = stage.folder / MANIFEST
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _samples(job: Job, found: Findings) -> Samples | None:
    """From the logits of the engine, or by golden; None where the images are others by now."""
    test, classes = job.dataset.test, job.dataset.classes
    if test.images.shape[1:] != found.graph.input.shape:
        return None
    if job.config.task == "segment":
        return _segmented(job, found)
    if job.config.task != "classify" or test.targets is None:
        return None
    logits, rows, by = _logits(job, found, len(test))
    if logits is None:
        rows = test.sample(_GOLDEN_IMAGES)
        logits, by = golden.run(found.graph, test.images[rows]), "golden executor"
    predictions, labels = golden.predictions(logits), test.labels[rows]
    wrong = np.flatnonzero(predictions != labels)
    wrong = wrong[wrong >= _FIRST][:_WRONG]
    shown = [*range(min(_FIRST, len(labels))), *wrong.tolist()]

    def name(index: int) -> str:
        return classes[index] if index < len(classes) else f"class {index}"

    return Samples(
        test.images[rows[shown]],
        tuple(rows[shown].tolist()),
        tuple(name(int(labels[at])) for at in shown),
        tuple(name(int(predictions[at])) for at in shown),
        by,
    )


def _segmented(job: Job, found: Findings) -> Samples | None:
    """The first test images, each with its mask and the one of int8."""
    from cnnaccel.api.evaluation import real_outputs

    graph = found.graph
    pictures = segmented(job, lambda images: real_outputs(graph, golden.run(graph, images)))
    if pictures is None:
        return None
    none = ("",) * len(pictures)
    return Samples(pictures, tuple(range(len(pictures))), none, none, "golden executor")


_GOLDEN_IMAGES = 500


def _logits(
    job: Job, found: Findings, images: int
) -> tuple[np.ndarray[Any, Any] | None, npt.NDArray[np.int64], str]:
    """What the engine gave, on which test images, on the nearest to a board there is, and what
    that was."""
    from cnnaccel.report.speed import where

    for name, run in (("board", found.board), ("deploy", found.deployed)):
        if run is not None and found.stages[name].current:
            path = job.workspace.stage(name).folder / "logits.npz"
            with np.load(path, allow_pickle=False) as stored:
                logits: np.ndarray[Any, Any] = stored["logits"]
                rows = stored["rows"] if "rows" in stored else np.arange(len(logits))
            if rows.max() < images:
                return logits, rows, where(run)
    return None, np.arange(0), ""
