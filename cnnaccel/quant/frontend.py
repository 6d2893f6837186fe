"""torch.export, and how a model is refused: which layer, where in its source, and a way out."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import operator
import re
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from cnnaccel.errors import ModelError
from cnnaccel.quant.operators import REWRITES

Shape = tuple[int, int, int]
_SUPPORTED = (
    "Conv2d, Linear, BatchNorm, ReLU, ReLU6, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, residual "
    "addition, torch.cat over channels, Flatten, Dropout, ZeroPad2d"
)


def check_known(module: fx.GraphModule, known: Callable[[fx.Node], bool]) -> None:
    """Raise ModelError, naming every operator of an exported graph that is not known."""
    unknown = [
        node for node in module.graph.nodes if node.op == "call_function" and not known(node)
    ]
    if not unknown:
        return
    lines = [f"  {describe(node)}: {_rewrite(node)}" for node in unknown[:8]]
    more = [f"  and {len(unknown) - 8} more"] if len(unknown) > 8 else []
    raise ModelError(
        "the engine has no place for these layers:\n"
        + "\n".join(lines + more)
        + f"\nIt runs {_SUPPORTED}"
    )


def refusal(node: fx.Node, reason: str) -> ModelError:
    """The error for one exported node."""
    return ModelError(f"{describe(node)}: {reason}")


def describe(node: fx.Node) -> str:
    """An exported node as its author knows it: module path, operator, file and line."""
    path, name = module_path(node), op_name(node)
    what = f"layer '{path}' ({name})" if path else f"'{name}' in the model's forward()"
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    place = _users_place(frames)
    return f"{what} at {place}" if place else what


@contextlib.contextmanager
def quiet_torch() -> Iterator[None]:
    """Keep torch's and torchao's chatter off the user's screen."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and afterwards each module's own mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def export(model: nn.Module, shape: Shape) -> fx.GraphModule:
    """The aten graph of `model` in evaluation mode, free of in-place operators, for any batch size.

    The model itself is left as it was.

    Raises:
        ModelError: forward() raises, or its shapes depend on the image or the batch size.
    """
    example = torch.zeros(2, *shape)
    batch = torch.export.Dim("batch")
    try:
        # where forward() branches on a tensor, torch prints the graph so far to stderr
        with quiet_torch(), contextlib.redirect_stderr(io.StringIO()):
            with torch.no_grad(), _evaluating(model):
                exported = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
            module = exported.run_decompositions({}).module()
            assert isinstance(module, fx.GraphModule)
            return module
    except Exception as error:  # the user's forward() runs here, and may raise anything
        raise ModelError(_export_failure(model, shape, error)) from error


def graph_digest(module: fx.GraphModule) -> str:
    """Hex digest of an exported graph: operators, arguments, shapes, and constants by value.

    Of parameters the shapes alone count; their values are what training changes.
    """
    digest = hashlib.sha256()
    names: dict[fx.Node, str] = {}
    for node in module.graph.nodes:
        names[node] = f"%{len(names)}"
        arguments = fx.node.map_arg((node.args, node.kwargs), lambda n: names[n])
        line = [node.op, "" if node.op in ("placeholder", "get_attr") else str(node.target)]
        if isinstance(node.meta.get("val"), torch.Tensor):
            line += [str(node.meta["val"].dtype), str(features(node))]
        digest.update(f"{line} {arguments}\n".encode())
        if node.op == "get_attr":
            value = operator.attrgetter(str(node.target))(module)
            if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
                plain = value.detach().cpu().contiguous()
                digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _export_failure(model: nn.Module, shape: Shape, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = _users_place([(frame.filename, frame.lineno) for frame in frames])
    name = type(model).__name__
    start = f"model '{name}' at {where}" if where else f"model '{name}'"
    kind, text = type(error), str(error)
    reason = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    if not kind.__module__.startswith("torch."):  # forward() itself
        size = "x".join(map(str, shape))
        return (
            f"{start}: forward() fails on float32 images of {size}: {kind.__name__}: {reason}\n"
            "It must take one batch of images and compute with torch operators alone"
        )
    if "Constraints violated" in reason:
        return (
            f"{start}: works for one batch size only\n"
            "Leave the first dimension open: x.flatten(1) in place of x.view(2, -1), and no loop "
            "over images"
        )
    return (
        f"{start}: cannot be captured as a graph: {reason}\n"
        "Shapes and the path through forward() must not depend on the values in the image: "
        "no `if` on tensors"
    )


def _users_place(frames: Sequence[tuple[str, Any]]) -> str | None:
    """file:line of the last frame, of a stack from outside in, that is the user's own code."""
    ours = (Path(torch.__file__).parent, Path(__file__).parent)
    library = Path(sysconfig.get_path("stdlib"))
    for file, line in reversed(frames):
        path = Path(file)
        standard = path.is_relative_to(library) and "site-packages" not in path.parts
        if not (file.startswith("<") or standard or any(path.is_relative_to(p) for p in ours)):
            return f"{file}:{line}"
    return None


def _rewrite(node: fx.Node) -> str:
    name = op_name(node)
    if re.fullmatch("f?(max|min)(imum)?|a(max|min)|clamp(_max|_min)?", name):
        return f"not supported; {_rewrite_of_extremum(node)}"
    for names, advice in REWRITES.items():
        if any(fnmatchcase(name, pattern) for pattern in names.split()):
            return f"not supported; {advice}"
    return "not supported; leave it out or build it from the layers below"


def _rewrite_of_extremum(node: fx.Node) -> str:
    """Advice on a maximum or minimum: of two tensors, over rows and columns, over channels, or all.

    max(a, b) = a + relu(b - a), and min(a, b) = a - relu(a - b).
    """
    x, other = arguments(node, None, ())[:2]
    name = op_name(node)
    if isinstance(other, fx.Node) or name.startswith("clamp"):
        conv = "an nn.Conv2d with kernel 1 on torch.cat((a, b), 1), of weights"
        way = f"a + relu(b - a): b - a is {conv} -1 and 1"
        if name in ("min", "minimum", "fmin", "clamp_max") or other is None:
            way = f"a + n(relu(a - b)): a - b is {conv} 1 and -1, n a depthwise one of weight -1"
        return (
            "an elementwise maximum or minimum of two tensors has no place; against 0 use nn.ReLU; "
            f"else use a + b, or write it as {way}"
        )
    rank = x.meta["val"].dim()
    dims = {d % rank for d in (other if isinstance(other, list | tuple) else [other])}
    if not dims:
        return "compute the same for every image; decide on the logits, after the model"
    if rank != 4 or not dims <= {2, 3}:
        return "nothing is compared across channels; mix them with an nn.Conv2d of kernel 1"
    if "min" in name:
        return "use nn.MaxPool2d with an explicit kernel, between two layers of weight -1"
    return "use nn.MaxPool2d with an explicit kernel"


def arguments(node: fx.Node, *defaults: Any) -> tuple[Any, ...]:
    """A node's positional arguments, the missing ones from `defaults`."""
    return (*node.args, *defaults[len(node.args) :])


def features(node: fx.Node) -> tuple[int, ...]:
    """The shape of an exported tensor without its batch; -1 where a size depends on the batch."""
    return tuple(d if isinstance(d, int) else -1 for d in node.meta["val"].shape[1:])


def op_name(node: fx.Node) -> str:
    """The operator's short name, as `conv2d`."""
    name = getattr(node.target, "_opname", None) or getattr(node.target, "__name__", node.target)
    return str(name).strip("_")


def _stack(node: fx.Node) -> list[tuple[str, Any]]:
    return list((node.meta.get("nn_module_stack") or {}).values())


def module_path(node: fx.Node) -> str:
    """Path in the model to a node's module, as `layer1.0.conv1`; empty for the model itself."""
    stack = _stack(node)
    return stack[-1][0] if stack else ""


def module_class(node: fx.Node) -> str:
    """The dotted class of the module a node comes from."""
    stack = _stack(node)
    return str(stack[-1][1]) if stack else ""
