"""The stages of one network and when they must run again.

    train -> model.pt      quantize -> graph.json, tensors.npz      evaluate -> results.json
    compile -> program.bin, weights.bin, network.json

A stage's inputs are digests: of the part of the configuration it reads, of the data, of the model's
source, of the artifacts before it. It is stale when one differs from what its manifest recorded.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.estimate import estimate
from cnnaccel.compiler.explore import explore
from cnnaccel.compiler.program import PROGRAM_FILE
from cnnaccel.compiler.verify import verify_program
from cnnaccel.config import Config
from cnnaccel.errors import CheckpointError, ConfigError, WorkspaceError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph, macs, parameter_bytes
from cnnaccel.ir.storage import load_graph, save_graph
from cnnaccel.report.progress import TrainingProgress, counter
from cnnaccel.report.tables import table
from cnnaccel.workspace import Workspace, sha256_of, sha256_of_value, write_atomic

if TYPE_CHECKING:
    from torch import nn

    from cnnaccel.nn.data import Dataset

RESULTS = "results.json"
_SQNR_IMAGES = 64


@dataclass(frozen=True)
class Job:
    """One configuration at work: where its data, its artifacts and its messages go."""

    config: Config
    hardware: HardwareConfig
    workspace: Workspace
    console: Console
    data_option: Path | None = None
    """What --data-dir says."""

    @cached_property
    def data_dir(self) -> Path | None:
        """The folder that holds the dataset; None where it needs none."""
        from cnnaccel.nn.data import find_data_dir

        return find_data_dir(self.config.data, self.data_option)

    @cached_property
    def data_digest(self) -> str:
        """Digest of what the images are read or made from."""
        from cnnaccel.nn.data import fingerprint

        return fingerprint(self.config.data, self.data_dir)

    @cached_property
    def dataset(self) -> Dataset:
        """The images themselves, loaded once."""
        from cnnaccel.nn.data import load_dataset

        return load_dataset(self.config.data, self.data_dir)

    def model(self) -> nn.Module:
        """The network with fresh weights, known to fit the images."""
        from cnnaccel.nn.models import make_model

        return make_model(self.config, self.dataset.shape, len(self.dataset.classes))

    def lock(self) -> AbstractContextManager[None]:
        """Keep others out of the build folder; of the processes of a torchrun, one does."""
        from cnnaccel.nn.ranks import ranks_from_environment

        return self.workspace.lock() if ranks_from_environment().first else nullcontext()

    def say(self, text: str) -> None:
        """A line for the user."""
        self.console.print(escape(text))


@dataclass(frozen=True)
class StageSpec:
    """A stage: what it depends on, and what makes it."""

    name: str
    inputs: Callable[[Job], dict[str, str]]
    build: Callable[[Job], None]


# -- train ----------------------------------------------------------------------


def train_inputs(job: Job) -> dict[str, str]:
    """Digests that a trained model depends on."""
    from cnnaccel.nn.models import model_source

    config = job.config
    source = model_source(config.model)
    return {
        "model": sha256_of_value([config.model, config.model_args]),
        "model source": "" if source is None else sha256_of(source),
        **_data_inputs(job),
        "train settings": sha256_of_value(dataclasses.asdict(config.train)),
    }


def _data_inputs(job: Job) -> dict[str, str]:
    """Of the data, and of all of its section but where the files lie."""
    values = dataclasses.asdict(job.config.data)
    del values["dir"]
    return {"data": job.data_digest, "data settings": sha256_of_value(values)}


def train(job: Job, resume: bool = False) -> None:
    """Train the network, once it is known that the engine can run it."""
    from cnnaccel.nn import train as training
    from cnnaccel.nn.ranks import ranks_from_environment
    from cnnaccel.quant.ptq import check_supported

    model = job.model()
    check_supported(model, job.dataset.shape)
    stage = job.workspace.stage("train")
    stage.finish_swap()
    progress = TrainingProgress(job.console)
    if not ranks_from_environment().first:
        training.train(job.config, model, job.dataset, stage.partial, resume, progress)
        return
    if resume and not (stage.partial / training.CHECKPOINT).exists():
        raise CheckpointError(
            f"{stage.partial / training.CHECKPOINT}: nothing to resume; "
            f"{'training has finished' if stage.manifest() else 'train without --resume'}"
        )
    with stage.write(train_inputs(job), resume=resume, resumable=True) as folder:
        with progress:
            result = training.train(job.config, model, job.dataset, folder, resume, progress)
        _draw("curves", result.history, folder / "curves.png")
        headline = f"epoch {result.epoch}, {result.validation_accuracy:.2%} on validation images"
        _write_results(folder, headline, validation_accuracy=result.validation_accuracy)
    job.say(f"trained {job.config.name}: {headline}; {stage.folder / training.MODEL}")


def _train_or_resume(job: Job) -> None:
    """Train, from an interrupted run's checkpoint where it is of these very settings."""
    from cnnaccel.nn.train import CHECKPOINT

    if (job.workspace.stage("train").partial / CHECKPOINT).exists():
        try:
            return train(job, resume=True)
        except CheckpointError as error:
            job.say(f"starting over: {error}")
    return train(job)


# -- quantize ----------------------------------------------------------------------


def quantize_inputs(job: Job) -> dict[str, str]:
    """Digests that a graph depends on."""
    return {
        "train/model.pt": _artifact(job, "train", "model.pt"),
        **_data_inputs(job),
        "quantize settings": sha256_of_value(dataclasses.asdict(job.config.quantize)),
    }


def quantize(job: Job, checkpoint: Path | None = None) -> None:
    """Quantize the trained network, or the weights in `checkpoint`, and measure the result."""
    from cnnaccel.nn.checkpoint import load_weights
    from cnnaccel.nn.evaluate import predict_logits
    from cnnaccel.quant import ptq
    from cnnaccel.report.quantization import QuantizationReport, layer_rows

    inputs = quantize_inputs(job) if checkpoint is None else {}
    model = job.model()
    load_weights(model, checkpoint or job.workspace.stage("train").folder / "model.pt")
    if checkpoint is not None:
        inputs["checkpoint"] = sha256_of(checkpoint)
    config, data = job.config.quantize, job.dataset
    order = np.random.default_rng(config.seed).permutation(len(data.train))
    calibration = data.train.images[np.sort(order[: config.calibration_images])]
    with counter(job.console, "calibrating", len(calibration)) as progress:
        quantized = ptq.quantize(model, job.config.name, calibration, config, progress)
    float_predictions = golden.predictions(predict_logits(model, data.test.images))
    int8_predictions = _golden_predictions(job, quantized.graph)
    sqnr = ptq.layer_sqnr(quantized, calibration[:_SQNR_IMAGES])
    graph = quantized.graph
    report = QuantizationReport(
        network=job.config.name,
        options=f"weights {config.weights}, requantize {config.requantize}, {config.observer} "
        f"observer, {len(calibration)} calibration images",
        layers=layer_rows(graph, quantized.weight_scales, sqnr),
        test_images=len(data.test),
        float_accuracy=float((float_predictions == data.test.labels).mean()),
        int8_accuracy=float((int8_predictions == data.test.labels).mean()),
        agreement=float((float_predictions == int8_predictions).mean()),
        float_bytes=4 * sum(p.numel() for p in model.parameters()),
        int8_bytes=sum(map(parameter_bytes, graph.layers)),
        host_normalizes=graph.input_table is not None,
    )
    stage = job.workspace.stage("quantize")
    with stage.write(inputs) as folder:
        save_graph(graph, folder)
        report.write(folder)
        _draw("sqnr", sqnr, folder / "sqnr.png")
        _write_results(folder, report.headline())
    job.console.print(report.table())
    if report.host_normalizes:
        job.say("the host normalises pixels through a table: a padded layer reads them")
    job.say(report.headline())
    job.say(f"{report.size()}; {stage.folder / 'report.md'}")


# -- evaluate ----------------------------------------------------------------------


def evaluate_inputs(job: Job) -> dict[str, str]:
    """Digests that a score depends on."""
    return _graph_inputs(job) | _data_inputs(job)


def _graph_inputs(job: Job) -> dict[str, str]:
    return {f"quantize/{n}": _artifact(job, "quantize", n) for n in ("graph.json", "tensors.npz")}


def evaluate(job: Job) -> None:
    """Run the golden executor on the test images."""
    inputs = evaluate_inputs(job)
    graph = stored_graph(job)
    test, classes = job.dataset.test, job.dataset.classes
    started = time.perf_counter()
    predictions = _golden_predictions(job, graph)
    seconds = time.perf_counter() - started
    accuracy = float((predictions == test.labels).mean())
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, (test.labels, predictions), 1)
    rate = len(test) / seconds
    headline = f"int8 {accuracy:.2%} of {len(test):,} test images, {rate:,.0f} images/s"
    with job.workspace.stage("evaluate").write(inputs) as folder:
        _draw("confusion", matrix, classes, folder / "confusion.png")
        _write_results(
            folder, headline, accuracy=accuracy, images=len(test), images_per_second=rate
        )
    recalls = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    rows = [
        [name, f"{total:,}", f"{recall:.2%}"]
        for name, total, recall in zip(classes, matrix.sum(axis=1), recalls, strict=True)
    ]
    if len(classes) <= 20:
        job.console.print(table(f"{graph.name}, golden", ["class", "images", "recognised"], rows))
    job.say(f"golden: {headline}")


def _golden_predictions(job: Job, graph: Graph) -> np.ndarray[Any, np.dtype[np.int64]]:
    images = job.dataset.test.images
    parts = []
    with counter(job.console, "golden", len(images)) as progress:
        for chunk, values in golden.run_chunks(graph, images):
            parts.append(golden.predictions(values))
            progress(chunk.stop)
    return np.concatenate(parts)


# -- compile ----------------------------------------------------------------------


def compile_inputs(job: Job) -> dict[str, str]:
    """Digests that a program depends on; of the data only where it is verified."""
    settings = job.config.compile
    return {
        **_graph_inputs(job),
        **(_data_inputs(job) if settings.verify_images else {}),
        "hardware": _hardware_digest(job),
        "compile settings": sha256_of_value(dataclasses.asdict(settings)),
    }


def _hardware_digest(job: Job) -> str:
    return sha256_of_value(dataclasses.asdict(job.hardware))


def compile_program(job: Job) -> None:
    """Make the program, predict its speed, and show that it computes what golden does."""
    from cnnaccel.report import estimate as report

    inputs = compile_inputs(job)
    graph, settings = stored_graph(job), job.config.compile
    with job.console.status("compiling"):
        compiled = compile_graph(graph, job.hardware, settings.images)
        predicted = estimate(compiled, 2 * sum(map(macs, graph.layers)))
    program, verified = compiled.program, 0
    stage = job.workspace.stage("compile")
    with stage.write(inputs) as folder:
        compiled.to_files(folder)
        if wanted := settings.verify_images:
            with job.console.status("interpreting the program"):
                verified = verify_program(graph, folder, job.dataset.test.images, wanted)
        report.write(graph.name, predicted, folder)
        _draw("roofline", graph.name, predicted, folder / "roofline.png")
        _write_results(folder, report.headline(predicted), verified_images=verified)
        size = (folder / PROGRAM_FILE).stat().st_size
    job.console.print(report.estimate_table(graph.name, predicted))
    job.say(report.summary(predicted))
    if verified:
        job.say(f"interpreter: equal to golden on {verified:,} test images")
    job.say(
        f"program: {len(program.once) + len(program.body):,} instructions, {size:,} bytes, "
        f"{program.images_per_iteration} images at a time; {stage.folder / PROGRAM_FILE}"
    )


# -- explore ----------------------------------------------------------------------


def explore_engines(job: Job) -> None:
    """Predict the network's speed on many engines for the board's device, and show the best."""
    from cnnaccel.report import estimate as report

    graph, stage = stored_graph(job), job.workspace.stage("explore")
    with Progress(console=job.console, transient=True) as bar:
        task = bar.add_task("predicting", total=None)
        found = explore(
            graph, job.hardware, lambda done, total: bar.update(task, completed=done, total=total)
        )
    inputs = _graph_inputs(job) | {"hardware": _hardware_digest(job)}
    with stage.write(inputs) as folder:
        _draw("pareto", graph.name, found, folder / "explore.png")
    job.console.print(report.exploration_table(graph.name, found))
    job.say("for `hardware:` in a configuration, by the numbers in the table:")
    job.say(report.exploration_lines(found, load_hardware(job.config.hardware.board)))
    job.say(f"predicted: {report.exploration_summary(found)}; {stage.folder / 'explore.png'}")


# -- all of them ----------------------------------------------------------------------

STAGES = (
    StageSpec("train", train_inputs, _train_or_resume),
    StageSpec("quantize", quantize_inputs, quantize),
    StageSpec("evaluate", evaluate_inputs, evaluate),
    StageSpec("compile", compile_inputs, compile_program),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)


def run(job: Job, first: str | None = None, last: str | None = None) -> None:
    """Every stage that is stale, up to `last`; those from `first` on whether stale or not."""
    begin = STAGE_NAMES.index(first) if first else len(STAGES)
    end = STAGE_NAMES.index(last) + 1 if last else len(STAGES)
    if first and begin >= end:
        order = " -> ".join(STAGE_NAMES)
        raise ConfigError(f"--from {first} comes after --until {last}; stages: {order}")
    rows = []
    for number, spec in enumerate(STAGES[:end]):
        stage = job.workspace.stage(spec.name)
        stage.finish_swap()
        reason = "asked for" if number >= begin else stage.why_stale(spec.inputs(job))
        started = time.perf_counter()
        if reason:
            job.console.rule(f"{spec.name} ({escape(reason)})", align="left")
            spec.build(job)
        seconds = f"{time.perf_counter() - started:.1f} s" if reason else ""
        rows.append([spec.name, reason or "up to date", seconds, _headline(stage.folder)])
    title = f"{job.config.name} in {job.workspace.folder}"
    job.console.print(table(title, ["stage", "why it ran", "time", "result"], rows))


def stored_graph(job: Job) -> Graph:
    """The graph that `quantize` wrote."""
    _artifact(job, "quantize", "graph.json")
    return load_graph(job.workspace.stage("quantize").folder)


def _artifact(job: Job, stage: str, name: str) -> str:
    """The recorded digest of another stage's artifact, which must be there unaltered."""
    folder = job.workspace.stage(stage)
    folder.finish_swap()
    manifest = folder.manifest()
    if manifest is None:
        raise WorkspaceError(
            f"{folder.folder / name} is not there; run `cnnaccel {stage}` first, or `cnnaccel run` "
            "for every stage that is needed"
        )
    if reason := folder.why_stale(manifest["inputs"]):
        raise WorkspaceError(f"{folder.folder}: {reason}; `cnnaccel run` makes it again")
    return str(manifest["artifacts"][name])


def _write_results(folder: Path, headline: str, **values: Any) -> None:
    text = json.dumps({"headline": headline, **values}, indent=1)
    write_atomic(folder / RESULTS, text.encode() + b"\n")


def _headline(folder: Path) -> str:
    results: Mapping[str, Any] = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    return str(results["headline"])


def _draw(picture: str, *arguments: Any) -> None:
    from cnnaccel.report import plots  # matplotlib takes its time to import

    getattr(plots, picture)(*arguments)
