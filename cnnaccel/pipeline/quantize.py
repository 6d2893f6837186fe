"""The stages quantize and evaluate: the integer graph, and its score by the golden executor."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import numpy as np

from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph, parameter_bytes
from cnnaccel.ir.storage import save_graph
from cnnaccel.pipeline.identity import (
    evaluate_inputs,
    import_inputs,
    quantize_inputs,
    stage_of,
    stored_graph,
    weights_stage,
)
from cnnaccel.pipeline.job import Job, draw, write_results
from cnnaccel.pipeline.train import import_weights
from cnnaccel.report.distributions import FILE as DISTRIBUTIONS
from cnnaccel.report.progress import counter, working
from cnnaccel.report.tables import table

_SQNR_IMAGES = 64


def import_and_quantize(job: Job) -> None:
    """Import weights of the user's own if there are some to import, then quantize."""
    if weights_stage(job) == "import" and not job.stored:
        stage = stage_of(job, "train")
        stage.finish_swap()
        if stage.why_stale(import_inputs(job)):
            import_weights(job)
    quantize(job)


def quantize(job: Job) -> None:
    """Quantize the network with the weights of `train`, and measure the result."""
    from cnnaccel.nn.checkpoint import load_weights
    from cnnaccel.nn.evaluate import predict_logits
    from cnnaccel.quant import ptq
    from cnnaccel.quant.distributions import distributions
    from cnnaccel.report.quantization import QuantizationReport, layer_rows

    inputs = quantize_inputs(job)
    model = job.model()
    load_weights(model, stage_of(job, "train").folder / "model.pt")
    config, data = job.config.quantize, job.dataset
    order = np.random.default_rng(config.seed).permutation(len(data.train))
    calibration = data.train.images[np.sort(order[: config.calibration_images])]
    with counter(job.console, "calibrating", len(calibration)) as progress:
        quantized = ptq.quantize(model, job.config.name, calibration, config, progress)
    with working(job.console, f"the float network on {len(data.test):,} test images"):
        float_predictions = golden.predictions(predict_logits(model, data.test.images))
    int8_predictions = golden_predictions(job, quantized.graph)
    with working(job.console, "measuring the noise of every layer"):
        sqnr = ptq.layer_sqnr(quantized, calibration[:_SQNR_IMAGES])
        counted = distributions(quantized, calibration)
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
        text = json.dumps(dataclasses.asdict(counted), separators=(",", ":"))
        (folder / DISTRIBUTIONS).write_text(text + "\n", encoding="utf-8")
        draw("sqnr", sqnr, folder / "sqnr.png")
        write_results(folder, report.headline(), classes=list(data.classes))
    job.console.print(report.table())
    if report.host_normalizes:
        job.say("the host normalises pixels through a table: a padded layer reads them")
    job.say(report.headline())
    job.say(f"{report.size()}; {stage.folder / 'report.md'}")


def evaluate(job: Job) -> None:
    """Run the golden executor on the test images."""
    inputs = evaluate_inputs(job)
    graph = stored_graph(job)
    test, classes = job.dataset.test, job.dataset.classes
    started = time.perf_counter()
    predictions = golden_predictions(job, graph)
    seconds = time.perf_counter() - started
    accuracy = float((predictions == test.labels).mean())
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, (test.labels, predictions), 1)
    rate = len(test) / seconds
    headline = f"int8 {accuracy:.2%} of {len(test):,} test images, {rate:,.0f} images/s"
    with job.workspace.stage("evaluate").write(inputs) as folder:
        draw("confusion", matrix, classes, folder / "confusion.png")
        write_results(
            folder, headline, accuracy=accuracy, images=len(test), images_per_second=rate,
            classes=list(classes), confusion=matrix.tolist(),
        )  # fmt: skip
    recalls = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    rows = [
        [name, f"{total:,}", f"{recall:.2%}"]
        for name, total, recall in zip(classes, matrix.sum(axis=1), recalls, strict=True)
    ]
    if len(classes) <= 20:
        job.console.print(table(f"{graph.name}, golden", ["class", "images", "recognised"], rows))
    job.say(f"golden: {headline}")


def golden_predictions(job: Job, graph: Graph) -> np.ndarray[Any, np.dtype[np.int64]]:
    images = job.dataset.test.images
    parts = []
    with counter(job.console, "golden", len(images)) as progress:
        for chunk, values in golden.run_chunks(graph, images):
            parts.append(golden.predictions(values))
            progress(chunk.stop)
    return np.concatenate(parts)
