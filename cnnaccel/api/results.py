"""Findings on a quantized network: float beside int8, and how fast it will be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.predict.estimate import Estimate
from cnnaccel.report import estimate as predicted
from cnnaccel.report import notebook
from cnnaccel.report.distributions import Distributions
from cnnaccel.report.tables import table, text_of


class Shown:
    """A finding that an interpreter shows as its text, where it draws no HTML."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, eq=False, repr=False)
class Outcome(Shown):
    """Integers of an engine for some images, and what the model returns for them."""

    graph: Graph
    results: npt.NDArray[Any]
    """Integers [N, K, P, Q]; of several results, all values of an image in a row, [N, V]."""

    @property
    def network(self) -> str:
        """Name of the network."""
        return self.graph.name

    @property
    def outputs(self) -> dict[str, npt.NDArray[Any]]:
        """What the model returns, in float and by name, [N, ...] each, the host tail done."""
        return self._returned[0]

    @property
    def tail_seconds(self) -> float:
        """Seconds that this machine took to make the outputs of the integers."""
        return self._returned[1]

    @property
    def logits(self) -> npt.NDArray[np.float64]:
        """Real values of the integers, before any host tail."""
        return self.graph.real(self.results)

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """The index of the greatest value of the first output, int64[N]."""
        return golden.predictions(next(iter(self.outputs.values())))

    @property
    def tail_line(self) -> str:
        """The host tail and its time, in a sentence; empty where there is none."""
        tail = self.graph.tail
        if tail is None or not tail.operators or not len(self.results):
            return ""
        each = 1e6 * self.tail_seconds / len(self.results)
        return f"host tail ({', '.join(tail.operators)}): {each:,.1f} us an image on this machine"

    @cached_property
    def _returned(self) -> tuple[dict[str, npt.NDArray[Any]], float]:
        started = time.perf_counter()
        outputs = self.graph.returned(self.results)
        return outputs, time.perf_counter() - started


@dataclass(frozen=True)
class LayerComparison:
    """A tensor of the integer graph beside the one of the float network."""

    layer: str
    kind: str
    """The kind of layer that makes it, as `Conv2d`; `image` is the input."""
    sqnr_db: float
    """Signal to quantization noise; infinite where there is no noise."""
    noise_steps: float
    """Root of the mean square of int8 minus float, in steps of the tensor."""
    bias_steps: float
    """Mean of int8 minus float, in steps."""
    clipped: float
    """Share of the floats that lie outside of the range of 8 bits."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Float beside int8, tensor by tensor, on some images."""

    graph: Graph
    images: int
    sqnr_db: Mapping[str, float]
    """Signal to quantization noise by tensor, in dB."""
    distributions: Distributions
    """Values of the tensors, on the first of the images."""

    @property
    def layers(self) -> tuple[LayerComparison, ...]:
        """A row for each tensor that the float network has too, in the order of the graph."""
        kinds = {layer.output.name: type(layer).__name__ for layer in self.graph.layers}
        counts = {one.name: one for one in self.distributions.tensors}
        return tuple(
            LayerComparison(
                name,
                kinds.get(name, "image"),
                level,
                counts[name].noise_steps,
                counts[name].bias_steps,
                counts[name].clipped,
            )
            for name, level in self.sqnr_db.items()
            if name in counts
        )

    @property
    def worst(self) -> LayerComparison:
        """The tensor with the most noise as a share of its signal."""
        return min(self.layers, key=lambda row: row.sqnr_db)

    def __str__(self) -> str:
        rows = [
            [
                row.layer,
                row.kind,
                f"{row.sqnr_db:.1f}",
                f"{row.noise_steps:.2f}",
                f"{row.bias_steps:+.2f}",
                f"{row.clipped:.2%}",
            ]
            for row in self.layers
        ]
        columns = ["tensor", "made by", "SQNR dB", "noise, steps", "shift, steps", "clipped"]
        title = f"{self.graph.name}: float beside int8 on {self.images:,} images"
        return text_of(table(title, columns, rows))

    def _repr_html_(self) -> str:
        worst = self.worst
        line = f"Most noise: {worst.layer}, {worst.sqnr_db:.1f} dB, on {self.images:,} images."
        return notebook.comparison(self.graph, self.sqnr_db, self.distributions, [line])


@dataclass(frozen=True, repr=False)
class Prediction(Shown, Estimate):
    """Predictions of the compiler for a program; nothing in it was measured."""

    network: str = ""

    def __str__(self) -> str:
        shown = predicted.estimate_table(self.network, self)
        return f"{text_of(shown)}\n{predicted.summary(self)}"

    def _repr_html_(self) -> str:
        return notebook.prediction(self.network, self)


def class_names(classes: Sequence[str], channels: int) -> tuple[str, ...]:
    """The names of the channels of a result; numbers where there are no names."""
    return tuple(classes) if classes else tuple(map(str, range(channels)))
