"""What `quantize` does once the weights are there: the integer graph, and what it cost in accuracy.

All images that decide anything are of the training split; test images are only counted.
"""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import AccuracyError
from cnnaccel.figures import ACCURACY
from cnnaccel.ir.graph import parameter_bytes
from cnnaccel.ir.storage import save_graph
from cnnaccel.pipeline.job import Job, draw, write_results
from cnnaccel.pipeline.score import score_of
from cnnaccel.report.distributions import FILE as DISTRIBUTIONS
from cnnaccel.report.progress import counter, duration, step
from cnnaccel.report.quantization import (
    TRY,
    QuantizationReport,
    Sensitivity,
    SensitivityRow,
)

if TYPE_CHECKING:
    from torch import nn

    from cnnaccel.nn.data import Dataset, Split
    from cnnaccel.quant.ptq import ImageSets, Quantized

WARN_POINTS = 1.0
"""int8 that loses more of the float accuracy is worth a warning."""
_WARN_PERCENT = 5.0
"""The same for a figure that is no share, as an error, in percent of it."""
_CHANCE_IMAGES = 2
"""Test images that may change sides without a warning: of 80, two are more than a point."""
_NOISE_IMAGES = 64


def images_of_size(most: int, pixels: int, shape: tuple[int, int, int]) -> int:
    """`most` images, or as many as have so many pixels together, but at least 16."""
    return max(16, min(most, pixels // (shape[1] * shape[2])))


def divide(data: Dataset, config: QuantizeConfig) -> tuple[ImageSets, Split]:
    """The images that quantization looks at, and labelled ones that calibration has not seen.

    What is held out is of the training split; where calibration leaves too few, validation images
    follow. How many depends on the size of the images, so that ResNet-50 ends as well.
    """
    from cnnaccel.nn.data import Split
    from cnnaccel.quant.ptq import ImageSets

    train, validation = data.train, data.validation
    order = np.random.default_rng(config.seed).permutation(len(train))
    chosen, rest = order[: config.calibration_images], order[config.calibration_images :]
    held_out = images_of_size(256, 1 << 20, data.shape)
    mine, others = train.take(rest[:held_out]), validation
    labelled = all(one.targets is not None and one.targets.ndim == 1 for one in (mine, others))
    aside = Split(
        np.concatenate([mine.images, others.images])[:held_out],
        np.concatenate([mine.labels, others.labels])[:held_out] if labelled else None,
    )
    further = max(0, images_of_size(1024, 1 << 22, data.shape) - len(chosen))
    surveyed = np.concatenate([chosen, rest[held_out : held_out + further]])
    sets = ImageSets(
        calibration=train.images[np.sort(chosen)],
        survey=train.images[np.sort(surveyed)],
        held_out=aside.images,
    )
    return sets, aside


def quantize_model(
    job: Job, model: nn.Module, inputs: dict[str, Any], sensitive: bool = False
) -> None:
    """Quantize a network that has its weights, measure the result and write the stage.

    sensitive: also what each layer costs.

    Raises:
        AccuracyError: int8 loses more than `quantize.max_drop`; an earlier result stays.
    """
    from cnnaccel.api.quantized import quantize
    from cnnaccel.nn.reproduce import choose_device

    config, data = job.config.quantize, job.dataset
    sets, aside = divide(data, config)
    network = quantize(
        model,
        sets,
        name=job.config.name,
        config=config,
        classes=data.classes,
        progress=job.console,
        device=choose_device(job.config.train.device),
    )
    graph, quantized = network.graph, network.quantized
    assert quantized is not None
    score = score_of(job, network)
    compared = network.compare(progress=job.console)
    report = QuantizationReport(
        network=job.config.name,
        options=f"weights {config.weights}, requantize {config.requantize}, {config.observer} "
        f"observer, {len(sets.calibration)} calibration images",
        layers=network.rows(compared.sqnr_db),
        test_images=len(data.test),
        figures=score.figures,
        agreement=score.agreement,
        float_bytes=4 * sum(p.numel() for p in model.parameters()),
        int8_bytes=sum(map(parameter_bytes, graph.layers)),
        host_normalizes=graph.input_table is not None,
        equalization=network.equalization,
        dropped_weights=quantized.dropped_weights,
    )
    if sensitive:
        report = dataclasses.replace(report, sensitivity=_sensitivity(job, quantized, aside))
    report = dataclasses.replace(report, warnings=_warnings(job, quantized, report, aside))
    _check_drop(config, report)
    stage = job.workspace.stage("quantize")
    with stage.write(inputs) as folder:
        save_graph(graph, folder)
        report.write(folder)
        text = json.dumps(dataclasses.asdict(compared.distributions), separators=(",", ":"))
        (folder / DISTRIBUTIONS).write_text(text + "\n", encoding="utf-8")
        draw("sqnr", compared.sqnr_db, folder / "sqnr.png")
        if report.sensitivity is not None:
            draw("sensitivity", report.sensitivity, folder / "sensitivity.png")
        write_results(folder, report.headline(), classes=list(data.classes), **_results(report))
    _say(job, report, str(stage.folder / "report.md"))


def _results(report: QuantizationReport) -> dict[str, Any]:
    equalization = report.equalization
    return {
        **report.by_key(),
        "equalization": None if equalization is None else dataclasses.asdict(equalization),
        "dropped_weights": report.dropped_weights,
        "warnings": list(report.warnings),
    }


def _say(job: Job, report: QuantizationReport, place: str) -> None:
    job.console.print(report.table())
    if report.sensitivity is not None:
        job.console.print(report.sensitivity.table())
    for remark in report.remarks():
        job.say(remark)
    job.say(report.headline())
    job.say(f"{report.size()}; {place}")
    for warning in report.warnings:
        job.say(f"warning: {warning}")


# ---- where accuracy goes ------------------------------------------------------------------------


def _warnings(
    job: Job, quantized: Quantized, report: QuantizationReport, aside: Split
) -> tuple[str, ...]:
    """One text, or none: that int8 is bad, where that begins, and what to try."""
    from cnnaccel.api.quantized import WARN_DB

    config, equalization = job.config.quantize, report.equalization
    logits_db = None if equalization is None else equalization.logits_db
    noisy = logits_db is not None and logits_db < WARN_DB
    figure = report.figure
    warn = WARN_POINTS if figure.int8.form == "share" else _WARN_PERCENT
    limit = warn if config.max_drop is None else min(warn, config.max_drop)
    lost = round(-report.points / 100 * report.test_images)
    chance = figure.int8.name == ACCURACY and lost <= _CHANCE_IMAGES
    dropped = _lost(report, limit) and (not chance or _lost(report, config.max_drop))
    if not (dropped or noisy):
        return ()
    found = []
    if dropped:
        below = "below" if figure.int8.higher else "above"
        found.append(
            figure.int8.called("") + f"int8 is {-report.points:.2f} {figure.unit} {below} float, "
            f"{figure.int8_text} instead of {figure.exact_text}"
        )
    if noisy:
        found.append(f"the logits have {logits_db:.1f} dB of signal to quantization noise")
    tips = "; ".join(_advice(config, report))
    text = f"{', and '.join(found)}. {_where(job, quantized, aside)}.{TRY}{tips}"
    return (text,)


def _where(job: Job, quantized: Quantized, aside: Split) -> str:
    """The first layer where noise breaks in, in words."""
    from cnnaccel.quant import noise

    names, images = noise.layers_that_round(quantized), aside.images[:_NOISE_IMAGES]
    with counter(job.console, "where noise breaks in", len(names)) as progress:
        first = noise.first_noisy(noise.alone(quantized, images, progress))
    kinds = {layer.name: type(layer).__name__ for layer in quantized.graph.layers}
    kind = kinds.get(first.layer, "host table")
    return (
        f"Noise breaks in at layer '{first.layer}' ({kind}): with that one alone in int8 the "
        f"logits have {first.alone_db:.1f} dB"
    )


def _advice(config: QuantizeConfig, report: QuantizationReport) -> list[str]:
    """What is not so yet, what helps most first."""
    tips = []
    if not config.equalize:
        tips.append("quantize.equalize: true")
    if config.weights == "per_tensor":
        tips.append("quantize.weights: per_channel")
    if config.requantize == "shift":
        tips.append("quantize.requantize: multiplier")
    tips.append(f"more than {config.calibration_images} quantize.calibration_images")
    other = "minmax" if config.observer == "histogram" else "histogram"
    tips.append(f"quantize.observer: {other}")
    if report.sensitivity is None:
        tips.append("`cnnaccel quantize CONFIG --sensitivity`, which says what each layer costs")
    return tips


def _lost(report: QuantizationReport, limit: float | None) -> bool:
    """Whether int8 lost more points than `limit`, if there is one."""
    return limit is not None and report.points < -limit - 1e-9


def _check_drop(config: QuantizeConfig, report: QuantizationReport) -> None:
    if _lost(report, config.max_drop):
        raise AccuracyError(
            f"{' '.join(report.warnings)}\nquantize.max_drop allows {config.max_drop:g} "
            f"{report.figure.unit}; "
            "nothing was written, an earlier result is as it was"
        )


def _sensitivity(job: Job, quantized: Quantized, aside: Split) -> Sensitivity:
    from cnnaccel.quant import noise

    names = noise.layers_that_round(quantized)
    kinds = {layer.name: type(layer).__name__ for layer in quantized.graph.layers}
    started = time.perf_counter()
    with step(job.console, "sensitivity", "") as tell:
        found = noise.sensitivity(
            quantized,
            aside.images,
            aside.targets if job.config.task == "classify" else None,
            lambda done: tell(f"layer {done} of {len(names)}, {names[done - 1]}"),
        )
    seconds = time.perf_counter() - started
    job.say(
        f"sensitivity: {len(names)} layers on {found.images} held out images, {duration(seconds)}"
    )
    rows = tuple(
        SensitivityRow(kind=kinds.get(row.layer, "host table"), **dataclasses.asdict(row))
        for row in found.layers
    )
    return Sensitivity(found.images, found.float_accuracy, found.int8_accuracy, found.int8_db, rows)
