"""The meaning of a network's outputs, and how good they are: a class for each task.

An output is what a model's forward returns for a batch, flattened to a tuple of arrays
float32[N, ...] in the model's order; a target is what a dataset wants in their place. A task adds
up over images, so that a split may be judged piece by piece, and by several processes: `tally`
gives sums for some images, and `figures` what the sums of all of them say. The first figure counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from cnnaccel.config import TASKS, Config
from cnnaccel.errors import ConfigError, DataError, ModelError
from cnnaccel.fields import did_you_mean
from cnnaccel.figures import ACCURACY, Figure
from cnnaccel.nn.custom import IGNORED
from cnnaccel.nn.functions import load_function, running

Outputs = tuple[npt.NDArray[Any], ...]
Targets = npt.NDArray[Any]
Tally = npt.NDArray[np.float64]
TOP_5_FROM = 20
"""Classes from which on it counts too whether the right one is among five."""


class Summed(Protocol):
    """A task whose figures come of sums over images."""

    name: str
    wants_targets: bool
    """Whether a split without targets cannot be judged."""

    def check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raise ModelError unless outputs of these shapes [N, ...] are such as the task judges."""

    def tally(self, outputs: Outputs, targets: Any) -> Tally:
        """Sums over some images."""

    def figures(self, tally: Tally) -> tuple[Figure, ...]:
        """The figures of images that add up to `tally`."""


@dataclass(frozen=True)
class Classify:
    """One class for each image: outputs [N, K], targets whole numbers [N]."""

    classes: int
    name = "classify"
    wants_targets = True

    def check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raise ModelError unless there is one number for each class."""
        only = _only(self.name, shapes)
        if only[1:] != (self.classes,):
            raise ModelError(
                f"task classify judges one number for each of {self.classes} classes, [N, "
                f"{self.classes}]; the model gives {_batch(only)}{_another_task(only, self.name)}"
            )

    def tally(self, outputs: Outputs, targets: Targets) -> Tally:
        """Images, those recognised, those whose class is among the best five."""
        (logits,) = outputs
        if targets.shape != (len(logits),) or targets.dtype.kind not in "iu":
            raise DataError(_wanted("classify", "one whole number for each image, [N]", targets))
        if len(targets) and not 0 <= targets.min() <= targets.max() < logits.shape[1]:
            raise DataError(
                f"labels are {targets.min()} to {targets.max()}, the network has classes 0 to "
                f"{logits.shape[1] - 1}"
            )
        own = np.take_along_axis(logits, targets[:, None].astype(np.int64), axis=1)
        before = np.arange(logits.shape[1]) < targets[:, None]  # of equals the first is taken
        better = ((logits > own) | ((logits == own) & before)).sum(axis=1)
        right = logits.argmax(axis=1) == targets
        return np.array([len(targets), right.sum(), (better < 5).sum()], np.float64)

    def figures(self, tally: Tally) -> tuple[Figure, ...]:
        """The accuracy, and of many classes whether the right one is among five."""
        images, right, near = tally.tolist()
        best = Figure(ACCURACY, right / images, "share")
        if self.classes < TOP_5_FROM:
            return (best,)
        return best, Figure("top 5", near / images, "share")


@dataclass(frozen=True)
class Segment:
    """One class for each pixel: outputs [N, K, P, Q], targets whole numbers [N, H, W].

    A network with one channel tells class 1 from class 0 by the sign. Where the masks are larger
    than the output by a whole factor, each pixel of the output stands for a square.
    """

    classes: int = 0
    """How many the data names; 0 where they have no names."""
    name = "segment"
    wants_targets = True

    def check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raise ModelError unless there is a map for each class."""
        only = _only(self.name, shapes)
        if len(only) != 4:
            raise ModelError(
                f"task segment judges a map for each class, [N, classes, H, W]; the model gives "
                f"{_batch(only)}{_another_task(only, self.name)}"
            )
        if self.classes > 1 and self.classes != max(2, only[1]):
            raise ModelError(
                f"the data has {self.classes} classes, the model gives {only[1]} maps, "
                f"{_batch(only)}; it must be a map for each class"
            )

    def tally(self, outputs: Outputs, targets: Targets) -> Tally:
        """How often each class [row] was taken for each class [column], over pixels."""
        (maps,) = outputs
        classes = max(2, maps.shape[1])
        masks = check_masks(targets, maps.shape)
        judged = masks != IGNORED
        highest = int(masks[judged].max(initial=0))
        if highest >= classes:
            raise DataError(
                f"a mask has class {highest}, the network has classes 0 to {classes - 1}; "
                f"{IGNORED} marks pixels that nobody judges"
            )
        pairs = classes * masks[judged].astype(np.int64) + classes_of(maps, masks.shape)[judged]
        return np.bincount(pairs, minlength=classes**2).astype(np.float64)

    def figures(self, tally: Tally) -> tuple[Figure, ...]:
        """Intersection over union, as the mean of the classes that occur, and right pixels."""
        matrix = tally.reshape(round(len(tally) ** 0.5), -1)
        both = matrix.diagonal()
        union = matrix.sum(axis=0) + matrix.sum(axis=1) - both
        if not union.any():
            raise DataError(f"no pixel of the masks has a class: all are {IGNORED}, left out")
        mean = float((both[union > 0] / union[union > 0]).mean())
        right = float(both.sum() / matrix.sum())
        return (Figure("mean IoU", mean, "share"), Figure("pixel accuracy", right, "share"))


@dataclass(frozen=True)
class Regress:
    """Numbers: one output, targets of as many numbers for each image."""

    name = "regress"
    wants_targets = True

    def check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raise ModelError where there are several outputs."""
        _only(self.name, shapes)

    def tally(self, outputs: Outputs, targets: Targets) -> Tally:
        """Count, errors, their squares, targets, their squares, for each number of an image."""
        found = outputs[0].reshape(len(outputs[0]), -1).astype(np.float64)
        wanted = check_numbers(targets, outputs[0].shape).reshape(found.shape).astype(np.float64)
        error = found - wanted
        count = np.full(found.shape[1], float(len(found)))
        sums = [np.abs(error), error**2, wanted, wanted**2]
        return np.stack([count, *(one.sum(axis=0) for one in sums)])

    def figures(self, tally: Tally) -> tuple[Figure, ...]:
        """Mean absolute error, root of the mean square error, R^2 where targets differ at all.

        R^2 is the mean over the numbers of an image, as scikit-learn's r2_score has it.
        """
        count, absolute, square, total, squares = tally
        spread = squares - total**2 / count
        varied = spread > 1e-9 * squares
        errors = (
            Figure("mean absolute error", float(absolute.sum() / count.sum()), higher=False),
            Figure("RMSE", float(np.sqrt(square.sum() / count.sum())), higher=False),
        )
        if not varied.any():
            return errors
        share = 1 - square[varied] / spread[varied]
        return *errors, Figure("R^2", float(share.mean()))


@dataclass(frozen=True)
class Features:
    """Any outputs, judged by how near int8 is to float; in place of targets the float outputs."""

    name = "features"
    wants_targets = False

    def check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Any outputs will do."""

    def tally(self, outputs: Outputs, targets: Sequence[npt.NDArray[Any]]) -> Tally:
        """Images, and for each output the cosines with the float one, summed."""
        cosines = [_cosines(a, b).sum() for a, b in zip(outputs, targets, strict=True)]
        return np.array([len(outputs[0]), *cosines], np.float64)

    def figures(self, tally: Tally) -> tuple[Figure, ...]:
        """The cosine; of several outputs the least first, then that of each."""
        images, *sums = tally.tolist()
        means = [one / images for one in sums]
        if len(means) == 1:
            return (Figure("cosine to float", means[0], "cosine"),)
        each = [Figure(f"cosine of output {at}", one, "cosine") for at, one in enumerate(means)]
        return (Figure("least cosine to float", min(means), "cosine"), *each)


@dataclass(frozen=True)
class Metric:
    """A function of a user's own, of the outputs and targets of all images at once."""

    spec: str
    function: Callable[[Outputs, Any], Any]
    higher: bool = True
    name = "metric"
    wants_targets = False

    def measure(self, outputs: Outputs, targets: Any) -> tuple[Figure, ...]:
        """The figures that the function gives.

        Raises:
            ModelError: it fails, or gives something else than finite numbers.
        """
        what = f"metric {self.spec}"
        with running(what):
            found = self.function(outputs, targets)
        named = found if isinstance(found, Mapping) else {self.spec.rpartition(":")[2]: found}
        if not named:
            raise ModelError(f"{what} gives no figures; return a number, or numbers by name")
        return tuple(
            Figure(str(name), _number(value, what), higher=self.higher)
            for name, value in named.items()
        )

    def check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """The function says itself what does not fit."""


Task: TypeAlias = Summed | Metric
"""The judge of outputs: sums over images, or a function of a user's own of all of them."""


class Judge:
    """Judges the outputs of some images, handed over piece by piece."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.sums: Tally | None = None
        self._kept: list[tuple[Outputs, Any]] = []

    def add(self, outputs: Outputs, targets: Any) -> None:
        """Take in the next images."""
        if isinstance(self.task, Metric):
            self._kept.append((outputs, targets))
            return
        if self.sums is None:
            self.task.check([one.shape for one in outputs])
        found = self.task.tally(outputs, targets)
        self.sums = found if self.sums is None else self.sums + found

    def figures(self) -> tuple[Figure, ...]:
        """The figures of all images, the one that counts first."""
        if isinstance(self.task, Metric):
            parts, targets = zip(*self._kept, strict=True)
            whole = tuple(np.concatenate(one) for one in zip(*parts, strict=True))
            wanted = None if targets[0] is None else np.concatenate(targets)
            return self.task.measure(whole, wanted)
        assert self.sums is not None, "at least one image"
        return self.task.figures(self.sums)


def task_of(
    name: str,
    classes: int,
    metric: str | Callable[..., Any] | None = None,
    goal: Literal["max", "min"] = "max",
) -> Task:
    """A task by its name, or a function of the user's in place of its figures.

    Raises:
        ConfigError: there is no such function.
    """
    if isinstance(metric, str):
        return Metric(metric, load_function(metric, "metric"), goal == "max")
    if metric is not None:
        return Metric(getattr(metric, "__name__", "metric"), metric, goal == "max")
    match name:
        case "classify":
            return Classify(classes)
        case "segment":
            return Segment(classes)
        case "regress":
            return Regress()
        case "features":
            return Features()
        case _:
            near = did_you_mean(str(name), list(TASKS))
            raise ConfigError(f"task '{name}': it is one of {', '.join(TASKS)}{near}")


def configured_task(config: Config, classes: int) -> Task:
    """The task of a configuration."""
    return task_of(config.task, classes, config.metric, config.metric_goal)


def keeps_every_output(config: Config) -> bool:
    """Whether all that a model returns is judged, not its logits alone."""
    return config.metric is not None or config.task == "features"


def classes_of(maps: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[np.int64]:
    """int64[N, H, W]: the class of each pixel of masks of a shape, from maps [N, K, P, Q]."""
    taken = (maps[:, 0] > 0) if maps.shape[1] == 1 else maps.argmax(axis=1)
    factor = shape[1] // maps.shape[2]
    return np.asarray(taken.astype(np.int64).repeat(factor, axis=1).repeat(factor, axis=2))


def check_masks(masks: Targets, maps: Sequence[int]) -> Targets:
    """Masks [N, H, W], once they are known to fit maps of a shape [N, K, P, Q].

    Raises:
        DataError: they do not.
    """
    if masks.ndim != 3 or masks.dtype.kind not in "iub":
        raise DataError(_wanted("segment", "masks of whole numbers, [N, H, W]", masks))
    (height, width), (rows, columns) = masks.shape[1:], maps[2:]
    if height % rows or width % columns or height // rows != width // columns:
        raise DataError(
            f"masks are {height}x{width}, the network gives {rows}x{columns}: give masks of that "
            "size, or of a multiple of it"
        )
    if masks.dtype.kind != "u" and masks.min(initial=0) < 0:
        raise DataError(f"a mask has class {masks.min()}; classes are whole numbers from 0")
    return masks


def check_numbers(numbers: Targets, outputs: Sequence[int]) -> Targets:
    """Numbers, once they are known to be as many as outputs of a shape [N, ...].

    Raises:
        DataError: they are not.
    """
    each = int(np.prod(outputs[1:]))
    if numbers.dtype.kind not in "iufb" or numbers.size != each * len(numbers):
        shape = ", ".join(map(str, ("N", *outputs[1:])))
        raise DataError(_wanted("regress", f"the numbers that the model gives, [{shape}]", numbers))
    return numbers


def _only(task: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if len(shapes) != 1:
        raise ModelError(
            f"task {task} judges one output, the model gives {len(shapes)}; return that one alone, "
            "or name it 'logits'; task: features and a metric of yours take them all"
        )
    return shapes[0]


def _another_task(shape: Sequence[int], task: str) -> str:
    """The task that an output of a shape [N, ...] would fit."""
    fits = {2: ["classify", "regress"], 4: ["segment", "regress"]}.get(len(shape), ["regress"])
    return "; it would fit task: " + " or ".join(one for one in fits if one != task)


def _batch(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, ('N', *shape[1:])))}]"


def _wanted(task: str, wanted: str, targets: Any) -> str:
    if not isinstance(targets, np.ndarray):
        return f"task {task} wants {wanted}; there are none"
    return f"targets are {targets.dtype}{_batch(targets.shape)}; task {task} wants {wanted}"


def _cosines(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """float64[N]: of two zeros 1, of a zero and anything else 0."""
    a, b = (array.reshape(len(array), -1).astype(np.float64) for array in (one, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    equal = (a == b).all(axis=1)
    products = (a * b).sum(axis=1) / np.where(lengths, lengths, 1)
    return np.where(equal, 1.0, np.minimum(products, 1.0))


def _number(value: Any, what: str) -> float:
    """A finite number."""
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.dtype.kind not in "iufb":
            raise TypeError
        number = float(array.reshape(()))
    except (TypeError, ValueError):
        shape = list(getattr(value, "shape", ()))
        shown = f"{type(value).__name__}{shape or ''}"
        raise ModelError(f"{what} gives a {shown}; return a number, or numbers by name") from None
    if not np.isfinite(number):
        raise ModelError(f"{what} gives {number}; return a finite number")
    return number
