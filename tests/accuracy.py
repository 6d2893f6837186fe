"""What int8 costs small networks: accuracy and noise on unseen images, equalized and not.

    python -m tests.accuracy [rescaled] [outliers] [healthy]

Without a name all three, in a few minutes. Networks are trained first, in seconds each.
"rescaled" is MbNet with the channels of its batch norms spread over 0 to 4 decades. "outliers" has
one channel times 1e5, and a dense network with weights on a pixel that is always black. "healthy"
has networks that nothing ails: what equalization is not to harm. LeNet's FashionMNIST is looked for
as `cnnaccel` does.

A row is one network, mode and number of calibration images: the float network's accuracy; int8's
and the SQNR of the logits on the test images with `equalize: false` and by default; whether the
equalized network was kept. "-" where no integer graph can hold the network.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import GraphError, ModelError
from cnnaccel.ir import golden
from cnnaccel.nn.data import Dataset
from cnnaccel.nn.evaluate import predict_logits
from cnnaccel.pipeline.accuracy import divide
from cnnaccel.quant import ptq
from tests.support import trained

Case = tuple[str, nn.Module, Dataset]
COUNTS = (16, 1024)
MODES: tuple[tuple[Any, Any], ...] = (
    ("per_channel", "multiplier"),
    ("per_channel", "shift"),
    ("per_tensor", "multiplier"),
    ("per_tensor", "shift"),
)


def rescaled() -> Iterator[Case]:
    for decades in range(5):
        model = trained.rescaled(trained.trained("mbnet"), decades, seed=decades)
        yield f"MbNet {decades} decades", model, trained.digits()


def outliers() -> Iterator[Case]:
    yield "MbNet channel x 1e5", channel_times(trained.trained("mbnet"), 1e5), trained.digits()
    for weight in (100.0, 1e4, 1e30):
        model = with_weight_on_black(trained.trained("dense"), weight)
        yield f"784-64-10 black {weight:g}", model, trained.digits()


def healthy() -> Iterator[Case]:
    for title, name in (
        ("MbNet", "mbnet"),
        ("BnNet", "bnnet"),
        ("ResNet-8", "resnet8"),
        ("DS-CNN", "dscnn"),
    ):
        yield title, trained.trained(name), trained.digits()
    yield "LeNet", trained.trained("lenet_fashion"), trained.fashion()


KINDS = {"rescaled": rescaled, "outliers": outliers, "healthy": healthy}


def channel_times(mbnet: nn.Module, factor: float) -> nn.Module:
    """The same function, with one channel of the first layer so much greater."""
    model: Any = copy.deepcopy(mbnet)
    s = torch.ones(16)
    s[3] = factor
    with torch.no_grad():
        trained.scale_channels(model.features[1], model.features[3], s)
    return model


def with_weight_on_black(dense: nn.Module, weight: float) -> nn.Module:
    """The same function on digits: other weights on a pixel that none of them has."""
    model: Any = copy.deepcopy(dense)
    with torch.no_grad():
        model[1].weight[:, black_pixel()] = weight
    return model


def black_pixel() -> int:
    """A pixel that is black in every digit."""
    data = trained.digits()
    seen = np.concatenate([data.train.images, data.test.images]).reshape(-1, 784).max(0)
    return int(np.flatnonzero(seen == 0)[3])


@dataclass(frozen=True)
class Figures:
    """On the test images."""

    accuracy: float
    """In percent."""
    db: float
    """SQNR of the logits."""


@dataclass(frozen=True)
class Row:
    """One network in one mode."""

    title: str
    float_accuracy: float
    plain: Figures | None
    default: Figures
    kept: bool


def measured(case: Case, config: QuantizeConfig) -> tuple[Figures, ptq.Quantized]:
    title, model, data = case
    made = ptq.quantize(model, title, divide(data, config)[0], config)
    exact = predict_logits(model, data.test.images).astype(np.float64)
    values = golden.run(made.graph, data.test.images)
    noise = made.graph.real(values).reshape(exact.shape) - exact
    found = Figures(trained.accuracy(values, data.test.labels), ptq.decibels(exact, noise))
    return found, made


def row(case: Case, weights: Any, requantize: Any, count: int) -> Row:
    def config(equalize: bool) -> QuantizeConfig:
        return QuantizeConfig(
            weights=weights, requantize=requantize, calibration_images=count, equalize=equalize
        )

    title, model, data = case
    exact = trained.accuracy(predict_logits(model, data.test.images), data.test.labels)
    default, made = measured(case, config(True))
    kept = made.trial is not None and made.trial.kept
    plain: Figures | None = default
    if kept:
        try:
            plain, _ = measured(case, config(False))
        except (GraphError, ModelError):
            plain = None
    short = f"{title:20} {weights[4:]:7} {requantize[:5]} {count:5}"
    return Row(short, exact, plain, default, kept)


def main(kinds: list[str]) -> None:
    torch.set_num_threads(1)
    for kind in kinds or list(KINDS):
        print(f"{kind:33} images   float   off    dB     on    dB", flush=True)
        rows = []
        for case in KINDS[kind]():
            for count in COUNTS:
                for mode in MODES:
                    rows.append(row(case, *mode, count))
                    print(_line(rows[-1]), flush=True)
        print(f"{_worst(rows, kind == 'healthy')}\n", flush=True)


def _line(row: Row) -> str:
    off = "     -     -"
    if row.plain is not None:
        off = f"{row.plain.accuracy:6.2f} {row.plain.db:5.1f}"
    on = f"{row.default.accuracy:6.2f} {row.default.db:5.1f}"
    return f"{row.title} {row.float_accuracy:7.2f} {off} {on}{' kept' if row.kept else ''}"


def _worst(rows: list[Row], harmless: bool) -> str:
    """In one line; harmless: also what equalization takes from networks that do not need it."""
    points = min(row.default.accuracy - row.float_accuracy for row in rows)
    noise = min(row.default.db for row in rows)
    text = f"the worst: {points:+.2f} points to float, {noise:.1f} dB"
    if not harmless:
        return text
    pairs = [(row.plain, row.default) for row in rows if row.plain is not None]
    lost = min(on.accuracy - off.accuracy for off, on in pairs)
    less = min(on.db - off.db for off, on in pairs)
    return f"{text}; by equalization {lost:+.2f} points, {less:+.2f} dB"


if __name__ == "__main__":
    main(sys.argv[1:])
