"""The stages quantize and evaluate: the integer graph, and its score by the golden executor."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from cnnaccel.figures import stored
from cnnaccel.pipeline.accuracy import quantize_model
from cnnaccel.pipeline.identity import evaluate_inputs, import_inputs, quantize_inputs, stored_graph
from cnnaccel.pipeline.job import Job, draw, write_results
from cnnaccel.pipeline.score import float_model, score_of, segmented
from cnnaccel.pipeline.train import check_engine, import_weights
from cnnaccel.pipeline.weights import stage_of, weights_stage
from cnnaccel.report.tables import table

_PICTURES = 8
"""Test images in the picture of segments."""


def import_and_quantize(job: Job, sensitive: bool = False) -> None:
    """Import weights of the user's own if there are some to import, then quantize."""
    if weights_stage(job) == "import" and not job.stored:
        stage = stage_of(job, "train")
        stage.finish_swap()
        if stage.why_stale(import_inputs(job)):
            import_weights(job)
    quantize(job, sensitive)


def quantize(job: Job, sensitive: bool = False) -> None:
    """Quantize the network with the weights of `train`, and measure the result.

    sensitive: also what each layer costs.
    """
    from cnnaccel.nn.checkpoint import load_weights

    inputs = quantize_inputs(job)
    model = job.model()
    load_weights(model, stage_of(job, "train").folder / "model.pt")
    check_engine(job, model)
    quantize_model(job, model, inputs, sensitive)


def evaluate(job: Job) -> None:
    """Run the golden executor on the test images."""
    from cnnaccel.api.evaluation import real_outputs
    from cnnaccel.api.quantized import QuantizedNetwork

    inputs = evaluate_inputs(job)
    graph = stored_graph(job)
    test, classes = job.dataset.test, job.dataset.classes
    started = time.perf_counter()
    network = QuantizedNetwork(graph, classes, float_model(job))
    score = score_of(job, network)
    seconds = time.perf_counter() - started
    rate = len(test) / seconds
    figures = [one.int8 for one in score.figures]
    found = {"images": len(test), "images_per_second": rate, "classes": list(classes)}
    if score.labels is None:
        headline = f"{score}, {rate:,.0f} images/s"
    else:
        further = "".join(f", {one.text}" for one in figures[1:])
        headline = (
            f"int8 {score.accuracy:.2%} of {len(test):,} test images{further}, {rate:,.0f} images/s"
        )
        found["confusion"] = score.confusion.tolist()
    pictures = segmented(job, lambda some: real_outputs(graph, network.integers(some)))
    with job.workspace.stage("evaluate").write(inputs) as folder:
        if score.labels is not None:
            draw("confusion", score.confusion, classes, folder / "confusion.png")
        if pictures is not None:
            draw("segments", pictures[:_PICTURES], folder / "segments.png")
        named = {one.key: one.value for one in figures}
        write_results(folder, headline, **{**named, **stored(figures[0])}, **found)
    if score.labels is not None:
        _say_classes(job, graph.name, classes, score.confusion)
    job.say(f"golden: {headline}")


def _say_classes(
    job: Job, name: str, classes: tuple[str, ...], matrix: npt.NDArray[np.int64]
) -> None:
    recalls = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    rows = [
        [name, f"{total:,}", f"{recall:.2%}"]
        for name, total, recall in zip(classes, matrix.sum(axis=1), recalls, strict=True)
    ]
    if len(classes) <= 20:
        job.console.print(table(f"{name}, golden", ["class", "images", "recognised"], rows))
