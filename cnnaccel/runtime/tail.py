"""The host's part of a network: what a model's forward() does after the engine's last layer.

Float, in numpy, the same on a host and on a board. A tail is a list of steps, each an operator of
torch's ATen on values made before, as `softmax.int` on `head`; `operations.py` computes them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import ProgramError
from cnnaccel.runtime.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Array = npt.NDArray[Any]


_MOVES = {"view", "_unsafe_view", "reshape", "clone", "alias", "expand", "slice", "getitem"}
"""Operators that name no work worth a word."""


@dataclass(frozen=True)
class Value:
    """An argument that is the value of this name."""

    name: str


@dataclass(frozen=True)
class Batch:
    """An argument that is the number of images times this."""

    times: int = 1


@dataclass(frozen=True)
class Step:
    """One operator; arguments are `Value`, `Batch`, numbers, texts, None, or lists of those."""

    name: str
    """Name of the value it makes."""
    operator: str
    """Overload of ATen, as `softmax.int`: a key of `OPERATIONS`."""
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...] = ()
    """Arguments by name."""


@dataclass(frozen=True)
class Source:
    """A result of the engine as the tail reads it."""

    name: str
    """Name of the value."""
    tensor: str
    """Name of the result."""
    shape: tuple[int, ...]
    """Shape of one image; any that holds as many elements."""


@dataclass(frozen=True, eq=False)
class HostTail:
    """Steps from the engine's results to what the model returns."""

    sources: tuple[Source, ...]
    steps: tuple[Step, ...]
    constants: Mapping[str, Array]
    """Anchors, grids and the like, by the names of their values."""
    outputs: tuple[tuple[str, str], ...]
    """Name of each output, in the model's order, and of the value that it is."""

    @property
    def operators(self) -> tuple[str, ...]:
        """Names of the operators that compute something, each once, in their first order."""
        names = dict.fromkeys(step.operator.partition(".")[0] for step in self.steps)
        return tuple(name for name in names if name not in _MOVES)

    def run(self, results: Mapping[str, Array], images: int) -> dict[str, Array]:
        """The model's outputs by name, [N, ...] each, of so many images.

        results: real values [N, K, P, Q] of the engine's results, by tensor.

        Raises:
            ProgramError: a step does not fit the values it gets.
        """
        values: dict[str, Any] = dict(self.constants)
        for source in self.sources:
            whole = results[source.tensor]
            values[source.name] = whole.astype(np.float32).reshape(images, *source.shape)
        for step in self.steps:
            arguments = [_filled(argument, values, images) for argument in step.arguments]
            options = {name: _filled(value, values, images) for name, value in step.options}
            try:
                # as torch does: infinite where a division is by 0, without a word
                with np.errstate(all="ignore"):
                    values[step.name] = OPERATIONS[step.operator](*arguments, **options)
            except (ValueError, TypeError, IndexError, KeyError) as error:
                raise ProgramError(
                    f"host tail: {step.operator} of '{step.name}' fails: {error}"
                ) from None
        return {name: np.asarray(values[value]) for name, value in self.outputs}

    def to_json(self) -> dict[str, Any]:
        """The tail in JSON's types; `read_tail` reads it."""
        return {
            "sources": [[one.name, one.tensor, list(one.shape)] for one in self.sources],
            "steps": [
                [
                    step.name,
                    step.operator,
                    _plain(step.arguments),
                    {name: _plain(value) for name, value in step.options},
                ]
                for step in self.steps
            ],
            "constants": {name: _packed(value) for name, value in self.constants.items()},
            "outputs": [list(output) for output in self.outputs],
        }


def read_tail(values: Any) -> HostTail:
    """The tail in the JSON of a `network.json` or `graph.json`.

    Raises:
        KeyError, TypeError, ValueError: what is missing, or what no tail has.
    """
    sources = tuple(
        Source(str(name), str(tensor), tuple(int(size) for size in shape))
        for name, tensor, shape in values["sources"]
    )
    constants = {str(name): _unpacked(value) for name, value in values["constants"].items()}
    known = {source.name for source in sources} | set(constants)
    steps = []
    for name, operator, arguments, options in values["steps"]:
        if operator not in OPERATIONS:
            raise ValueError(f"no operation {operator!r} in a host tail")
        step = Step(
            str(name),
            operator,
            tuple(_read(argument) for argument in arguments),
            tuple((str(key), _read(value)) for key, value in options.items()),
        )
        missing = _read_values([step.arguments, [value for _, value in step.options]]) - known
        if missing:
            raise ValueError(f"step {name!r} reads {sorted(missing)}, which no step before makes")
        known.add(step.name)
        steps.append(step)
    outputs = tuple((str(name), str(value)) for name, value in values["outputs"])
    if not outputs or {value for _, value in outputs} - known:
        raise ValueError(f"outputs {outputs}")
    return HostTail(sources, tuple(steps), constants, outputs)


def _filled(argument: Any, values: Mapping[str, Any], images: int) -> Any:
    """An argument with values in place of their names."""
    if isinstance(argument, Value):
        return values[argument.name]
    if isinstance(argument, Batch):
        return argument.times * images
    if isinstance(argument, (list, tuple)):
        return [_filled(item, values, images) for item in argument]
    return argument


def _read_values(argument: Any) -> set[str]:
    """Names of the values that arguments hold."""
    if isinstance(argument, Value):
        return {argument.name}
    if isinstance(argument, (list, tuple)):
        return set().union(*map(_read_values, argument))
    return set()


def _plain(argument: Any) -> Any:
    if isinstance(argument, Value):
        return {"value": argument.name}
    if isinstance(argument, Batch):
        return {"batch": argument.times}
    if isinstance(argument, (list, tuple)):
        return [_plain(item) for item in argument]
    if isinstance(argument, float) and not np.isfinite(argument):
        return {"number": str(argument)}  # JSON has none
    return argument


def _read(argument: Any) -> Any:
    if isinstance(argument, list):
        return tuple(_read(item) for item in argument)
    if isinstance(argument, dict):
        ((kind, value),) = argument.items()
        makers: dict[str, Any] = {"value": Value, "batch": Batch, "number": float}
        return makers[kind](value)
    if argument is not None and not isinstance(argument, (int, float, str)):
        raise TypeError(f"an argument {json.dumps(argument)}")
    return argument


def _packed(value: Array) -> dict[str, Any]:
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    text = base64.b64encode(little.tobytes()).decode("ascii")
    return {"type": str(value.dtype), "shape": list(value.shape), "base64": text}


def _unpacked(value: Any) -> Array:
    kind = np.dtype(value["type"])
    if kind.kind not in "biuf":
        raise ValueError(f"a constant of {kind}")
    data = base64.b64decode(value["base64"], validate=True)
    array = np.frombuffer(data, kind.newbyteorder("<")).reshape(value["shape"])
    return np.asarray(array, kind)
