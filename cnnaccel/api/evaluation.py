"""How good a network is on some images, int8 beside float, by its task or a metric of the user's.

Images go through both networks some at a time, so that outputs as large as maps need no memory for
all of them; a metric of the user's own gets all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from rich.console import Console

from cnnaccel.api.images import Pixels, as_labels, as_targets
from cnnaccel.api.results import Shown, class_names
from cnnaccel.errors import DataError
from cnnaccel.figures import Compared, Figure
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph, output_shapes
from cnnaccel.nn.evaluate import predict
from cnnaccel.nn.tasks import Features, Judge, Outputs, Task, task_of
from cnnaccel.report import notebook
from cnnaccel.report.findings import Evaluation as Counted
from cnnaccel.report.progress import counter

if TYPE_CHECKING:
    from cnnaccel.api.quantized import QuantizedNetwork

TaskName = Literal["classify", "segment", "regress", "features"]
_BATCH = 512
_BATCH_BYTES = 64 << 20
"""Most values of tensors, as the integer graph has them, of the images that go through at once."""


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Shown):
    """Figures of a network on some images, int8 beside float.

    Of a classifier also what each image was taken for: predictions int64[N], the confusion [K, K].
    """

    network: str
    images: int
    """How many images were looked at."""
    figures: tuple[Compared, ...]
    """The one that counts first."""
    classes: tuple[str, ...] = ()
    labels: npt.NDArray[np.int64] | None = None
    """The class of each image; None of a network that is judged otherwise."""
    predictions: npt.NDArray[np.int64] | None = None
    """The class that the int8 network takes each image for."""
    float_predictions: npt.NDArray[np.int64] | None = None
    """The class that the float network takes it for; None where there is none at hand."""

    @property
    def accuracy(self) -> float:
        """The share of the images that the int8 network recognises.

        Raises:
            DataError: no classes were counted.
        """
        labels, predictions = self._counted()
        return float((predictions == labels).mean())

    @property
    def float_accuracy(self) -> float | None:
        """The share of the images that the float network recognises."""
        if self.float_predictions is None:
            return None
        return float((self.float_predictions == self.labels).mean())

    @property
    def agreement(self) -> float | None:
        """The share of the images that both take for the same."""
        if self.float_predictions is None:
            return None
        return float((self.float_predictions == self.predictions).mean())

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """How often each class [row] was taken for each class [column] in int8.

        Raises:
            DataError: no classes were counted.
        """
        matrix = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(matrix, self._counted(), 1)
        return matrix

    def _counted(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        if self.labels is None or self.predictions is None:
            raise DataError("no classes were counted: see `.figures`")
        return self.labels, self.predictions

    def __str__(self) -> str:
        first, *others = self.figures
        if self.labels is None:
            texts = "; ".join(one.text for one in self.figures)
            return f"{texts}; {self.images:,} images"
        text = f"int8 {first.int8_text} of {self.images:,} images"
        if self.agreement is not None:
            text += (
                f", float {first.exact_text} ({first.points:+.2f} points), same answer on "
                f"{self.agreement:.2%}"
            )
        return "; ".join([text, *(one.text for one in others)])

    def _repr_html_(self) -> str:
        if self.labels is None:
            return notebook.figures(self.network, self.figures, self.images)
        rows = tuple(map(tuple, self.confusion.tolist()))
        counted = Counted(self.figures[0].int8, self.images, self.classes, rows)
        return notebook.evaluation(self.network, [str(self)], counted)


def evaluate(
    network: QuantizedNetwork,
    images: Any,
    labels: Any,
    task: TaskName,
    metric: str | Callable[..., Any] | None,
    goal: Literal["max", "min"],
    console: Console,
) -> Evaluation:
    """What `QuantizedNetwork.evaluate` gives."""
    pixels = network.pixels(images)
    judged = _task(network, task, metric, goal, labels is not None, len(pixels))
    counts = judged.name == "classify"
    targets = None
    if labels is not None:
        targets = as_labels(labels, len(pixels)) if counts else as_targets(labels, len(pixels))
    channels = _first_shape(network.graph)[0] if counts else 0
    if counts:
        assert targets is not None
        _require_classes(targets, channels)
    ours, theirs = Judge(judged), Judge(judged)
    compares = isinstance(judged, Features)
    taken: list[npt.NDArray[np.int64]] = []
    exactly: list[npt.NDArray[np.int64]] = []
    for chunk, outputs, exact in _outputs(network, pixels, console):
        wanted = None if targets is None else targets[chunk]
        ours.add(outputs, exact if compares else wanted)
        if exact is not None and not compares:
            theirs.add(exact, wanted)
        if counts:
            taken.append(golden.predictions(outputs[0]))
            exactly += [] if exact is None else [golden.predictions(exact[0])]
    figures = ours.figures()
    exact_figures = theirs.figures() if network.model is not None and not compares else ()
    compared = compare(figures, exact_figures, compares)
    if not counts:
        return Evaluation(network.name, len(pixels), compared, network.classes)
    return Evaluation(
        network.name,
        len(pixels),
        compared,
        class_names(network.classes, channels),
        targets,
        np.concatenate(taken),
        np.concatenate(exactly) if exactly else None,
    )


def compare(
    figures: tuple[Figure, ...], exact: tuple[Figure, ...], to_float: bool = False
) -> tuple[Compared, ...]:
    """Figures of int8 beside those of float by name. to_float: they compare with float, which
    itself has 1."""
    values = {one.name: one.value for one in exact}
    return tuple(Compared(one, 1.0 if to_float else values.get(one.name)) for one in figures)


def _task(
    network: QuantizedNetwork,
    task: TaskName,
    metric: str | Callable[..., Any] | None,
    goal: Literal["max", "min"],
    labelled: bool,
    images: int,
) -> Task:
    shape = _first_shape(network.graph)
    if images == 0:
        raise DataError("evaluate counts on at least one image; got none")
    judged = task_of(task, shape[0] if shape else 0, metric, goal)
    if judged.wants_targets and not labelled:
        judged = Features()
    if isinstance(judged, Features) and network.model is None:
        raise DataError(
            "without labels a network is judged by how near it is to the float one, which is not "
            "at hand; give labels, or quantize the model again"
        )
    if judged.name == "classify" and (not shape or set(shape[1:]) > {1}):
        raise DataError(
            f"evaluate counts classes; this network gives {'x'.join(map(str, shape))} for an "
            "image: task='segment' and 'regress' judge such outputs, `.compare(images)` sets float "
            "beside int8 for every tensor"
        )
    return judged


def _outputs(
    network: QuantizedNetwork, pixels: Pixels, console: Console
) -> Iterator[tuple[slice, Outputs, Outputs | None]]:
    """Which images, the outputs of int8, and those of float where that is at hand."""
    size = sum(spec.elements for spec in network.graph.tensors().values())
    batch = max(1, min(_BATCH, _BATCH_BYTES // size))
    with counter(console, "golden", len(pixels)) as progress:
        for start in range(0, len(pixels), batch):
            chunk = slice(start, min(start + batch, len(pixels)))
            some = pixels[chunk]
            exact = None
            if network.model is not None:
                ((_, exact),) = predict(network.model, some, batch)
            yield chunk, real_outputs(network.graph, network.integers(some)), exact
            progress(chunk.stop)


def _require_classes(labels: npt.NDArray[np.int64], channels: int) -> None:
    if labels.min() < 0 or labels.max() >= channels:
        raise DataError(
            f"labels are {labels.min()} to {labels.max()}, the network has classes 0 to "
            f"{channels - 1}"
        )


def real_outputs(graph: Graph, integers: npt.NDArray[Any]) -> Outputs:
    """The outputs of a network as float32 arrays [N, ...], made of its integers."""
    return tuple(np.asarray(one, np.float32) for one in graph.returned(integers).values())


def _first_shape(graph: Graph) -> tuple[int, ...]:
    """Shape of the first output of one image."""
    return next(iter(output_shapes(graph).values()))
