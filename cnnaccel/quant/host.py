"""The end of a model that is the host's: which nodes of an exported graph, and as a `HostTail`.

A node can be the host's if numpy has its operator and nothing behind it is a layer of the engine.
What does not depend on the image at all, as anchors and grids, is computed here, once.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import torch
from torch import fx

from cnnaccel.errors import ModelError
from cnnaccel.quant.frontend import arguments, features, refusal
from cnnaccel.quant.operators import ACROSS_IMAGES, aten
from cnnaccel.runtime.operations import OPERATIONS
from cnnaccel.runtime.tail import Batch, HostTail, Source, Step, Value

_IGNORED = {"device", "layout", "pin_memory", "memory_format", "non_blocking", "generator"}
"""Arguments that change no number."""


def has_value(node: fx.Node) -> bool:
    """Whether a node of an exported graph makes a tensor, or several: not a size, not a check."""
    if node.target is aten._assert_tensor_metadata.default:  # left behind by a conversion of types
        return False
    return not isinstance(node.meta.get("val"), torch.SymInt)


def overload(node: fx.Node) -> str:
    """The operator of an exported node as `OPERATIONS` names it, as `softmax.int`."""
    if node.target is operator.getitem:
        return "getitem"
    name = str(node.target).removeprefix("aten.")
    return name.removesuffix(".default")


@dataclass
class Host:
    """The host's nodes of an exported graph, taken over one by one in their order."""

    source: fx.GraphModule
    able: set[fx.Node] = field(default_factory=set)
    """Nodes that can be the host's."""
    constants: dict[fx.Node, Any] = field(default_factory=dict)
    """Values that depend on no image."""
    steps: dict[fx.Node, Step] = field(default_factory=dict)
    sources: dict[fx.Node, Source] = field(default_factory=dict)
    used: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Constants that steps read, by the names of their nodes."""

    def __post_init__(self) -> None:
        for node in reversed(self.source.graph.nodes):
            readers = (user for user in node.users if has_value(user))
            if overload(node) in OPERATIONS and all(
                user.op == "output" or user in self.able for user in readers
            ):
                self.able.add(node)
        for node in self.source.graph.nodes:
            self._fold(node)

    def _fold(self, node: fx.Node) -> None:
        """Compute a node that depends on no image and no number of images."""
        if node.op == "get_attr":
            self.constants[node] = operator.attrgetter(str(node.target))(self.source)
            return
        inputs = node.all_input_nodes
        if node.op != "call_function" or any(one not in self.constants for one in inputs):
            return
        tags = getattr(node.target, "tags", ())
        changes = getattr(getattr(node.target, "_schema", None), "is_mutable", False)
        if not has_value(node) or torch.Tag.nondeterministic_seeded in tags or changes:
            return
        filled = fx.node.map_arg((node.args, node.kwargs), lambda one: self.constants[one])
        with torch.no_grad():
            self.constants[node] = node.target(*filled[0], **filled[1])  # type: ignore[operator]

    def can_take(self, node: fx.Node) -> bool:
        """Whether a node needs nothing of the engine."""
        return node in self.able or node in self.constants

    def reads(self, node: fx.Node) -> bool:
        """Whether a node reads what the host computed."""
        return any(one in self.steps for one in node.all_input_nodes)

    def take(self, node: fx.Node, engine: Sequence[fx.Node]) -> None:
        """Make a node a step of the host. engine: those of its inputs that the engine computes.

        Raises:
            ModelError: it mixes images, or has an argument that no tail has.
        """
        made: Any = node.meta["val"]
        first = made[0] if isinstance(made, tuple | list) else made
        if sum(isinstance(size, torch.SymInt) for size in first.shape) != 1:
            raise refusal(node, ACROSS_IMAGES)
        for one in engine:
            self.sources[one] = Source(one.name, "", features(one))
        taken = tuple(self._argument(node, argument) for argument in node.args)
        named = tuple(
            (name, self._argument(node, value))
            for name, value in node.kwargs.items()
            if name not in _IGNORED and value is not None
        )
        self.steps[node] = Step(node.name, overload(node), taken, named)

    def output(self, node: fx.Node) -> str:
        """The name of the value that a node of the host, of the engine, or a constant is."""
        if node in self.constants and node not in self.steps:
            self._constant(node)
        elif node not in self.steps:
            self.sources[node] = Source(node.name, "", features(node))
        return node.name

    def tail(self, tensors: dict[fx.Node, str], outputs: Sequence[tuple[str, str]]) -> HostTail:
        """The whole. tensors: the name of the result that each node of the engine is."""
        sources = tuple(
            Source(source.name, tensors[node], source.shape)
            for node, source in self.sources.items()
        )
        return HostTail(sources, tuple(self.steps.values()), dict(self.used), tuple(outputs))

    def _argument(self, reader: fx.Node, argument: Any) -> Any:
        """An argument in the types of a tail."""
        if isinstance(argument, fx.Node):
            if isinstance(argument.meta.get("val"), torch.SymInt):
                return Batch(_times(reader, argument))
            if argument in self.constants:
                self._constant(argument)
            return Value(argument.name)
        if isinstance(argument, list | tuple):
            return tuple(self._argument(reader, one) for one in argument)
        if isinstance(argument, torch.dtype):
            return str(argument).removeprefix("torch.")
        if argument is None or isinstance(argument, int | float | str):
            return argument
        raise refusal(reader, f"takes a {type(argument).__name__}, which no host tail has")

    def _constant(self, node: fx.Node) -> None:
        value = self.constants[node]
        if not isinstance(value, torch.Tensor):
            raise ModelError(f"'{node.name}' is a constant that is no tensor; index it first")
        self.used[node.name] = value.detach().cpu().contiguous().numpy()


def _times(reader: fx.Node, node: fx.Node) -> int:
    """The factor of a number that is a multiple of the number of images.

    Raises:
        ModelError: it is none.
    """
    expression = node.meta["val"].node.expr
    symbols: list[Any] = list(expression.free_symbols)
    if len(symbols) == 1:
        times = expression.subs(symbols[0], 1)
        if times.is_integer and expression.equals(times * symbols[0]):
            return int(times)
    raise refusal(
        reader, f"has a size of {expression}; sizes are numbers, or times the number of images"
    )


def named_outputs(source: fx.GraphModule) -> Iterator[tuple[str, fx.Node]]:
    """The model's outputs in its order, with the names that its structure gives them.

    One tensor is `output`, those of a tuple `output_0` and so on, those of a dictionary have its
    keys; of nested ones the parts are joined by a dot.

    Raises:
        ModelError: an output that is no tensor.
    """
    (node,) = source.graph.find_nodes(op="output")
    flat = arguments(node)[0]
    flat = flat if isinstance(flat, tuple | list) else (flat,)
    paths = _paths(source, len(flat))
    for path, one in zip(paths, flat, strict=True):
        if not isinstance(one, fx.Node) or not isinstance(one.meta.get("val"), torch.Tensor):
            raise ModelError(
                f"the model returns {one!r} as '{path}', which is no tensor; return tensors alone"
            )
        shape = one.meta["val"].shape
        if not shape or not isinstance(shape[0], torch.SymInt):
            raise ModelError(
                f"the model returns {list(shape)} as '{path}', which is not of each image; the "
                "first dimension of an output counts images"
            )
        yield path, one


def _paths(source: fx.GraphModule, count: int) -> list[str]:
    pytree: Any = torch.utils._pytree
    spec = getattr(source, "_out_spec", None)
    if spec is None or spec.num_leaves != count:
        return ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    tree = pytree.tree_unflatten(list(range(count)), spec)
    paths, _ = pytree.tree_flatten_with_path(tree)
    return [_path(path) for path, _ in paths]


def _path(keys: Sequence[Any]) -> str:
    """A path in the model's output as a name."""
    parts = []
    for key in keys:
        for kind in ("key", "name", "idx"):
            if hasattr(key, kind):
                parts.append(str(getattr(key, kind)))
                break
    if not parts:
        return "output"
    return "output_" + ".".join(parts) if parts[0].isdigit() else ".".join(parts)
