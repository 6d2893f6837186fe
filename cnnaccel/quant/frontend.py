"""torch.export, and how a model is refused: which layer, where in its source, and a way out."""

from __future__ import annotations

import contextlib
import logging
import re
import traceback
import warnings
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from cnnaccel.errors import ModelError

Shape = tuple[int, int, int]
_REWRITES = {
    "silu|gelu|elu|celu|selu|mish|hardswish|leaky_relu|prelu|softplus|tanh|sigmoid|hardsigmoid": (
        "nn.ReLU or nn.ReLU6"
    ),
    "log_softmax|softmax": "nothing: return the logits, their order is the same",
    "group_norm|layer_norm|instance_norm|native_group_norm|native_layer_norm": "nn.BatchNorm2d",
    "conv1d|conv3d": "nn.Conv2d, with 1 as the size of the missing dimension",
    "conv_transpose2d|upsample_.*|pixel_shuffle": "strided nn.Conv2d layers only",
    "adaptive_max_pool2d|amax|max": "nn.MaxPool2d with an explicit kernel",
    "mul|div": "nn.BatchNorm2d, which scales each channel",
    "sub|rsub": "addition, the sign taken into the convolution's weights",
    "matmul|mm|bmm|addmm|einsum|scaled_dot_product_attention": "nn.Linear with constant weights",
    "lstm|gru|rnn_.*": "convolutions",
    "permute|transpose": "a model that keeps N, C, H, W throughout",
}
_SUPPORTED = (
    "Conv2d, Linear, BatchNorm, ReLU, ReLU6, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, residual "
    "addition, torch.cat over channels, Flatten, Dropout, ZeroPad2d"
)


def refuse_unknown(module: fx.GraphModule, known: Container[Any]) -> None:
    """Raise ModelError, naming every operator of an exported graph that is not among `known`."""
    unknown = [
        node
        for node in module.graph.nodes
        if node.op == "call_function" and node.target not in known
    ]
    if not unknown:
        return
    lines = [f"  {describe(node)}: {_rewrite(op_name(node))}" for node in unknown[:8]]
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
    places = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    where = f" at {places[-1][0]}:{places[-1][1]}" if places else ""
    return f"layer '{module_path(node) or node.name}' ({op_name(node)}){where}"


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


def export(model: nn.Module, shape: Shape) -> fx.GraphModule:
    """The aten graph of `model` in evaluation mode, free of in-place operators, for any batch size.

    Raises:
        ModelError: forward() raises, or its shapes depend on the image or the batch size.
    """
    example = torch.zeros(2, *shape)
    batch = torch.export.Dim("batch")
    try:
        with quiet_torch(), torch.no_grad():
            exported = torch.export.export(model.eval(), (example,), dynamic_shapes=({0: batch},))
            module = exported.run_decompositions({}).module()
            assert isinstance(module, fx.GraphModule)
            return module
    except Exception as error:  # the user's forward() runs here, and may raise anything
        reason = next(line for line in [*str(error).splitlines(), type(error).__name__] if line)
        raise ModelError(
            f"{_user_frame(error) or type(model).__name__}: the model cannot be captured as a "
            f"graph: {reason}\nShapes and the path through forward() must not depend on the values "
            "in the image or on the batch size: use x.flatten(1) for views, and no `if` on tensors"
        ) from error


def _user_frame(error: BaseException) -> str | None:
    """file:line of the last line of the user's own code in a traceback."""
    ours = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith((*ours, "<"))
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def _rewrite(name: str) -> str:
    for pattern, advice in _REWRITES.items():
        if re.fullmatch(pattern, name):
            return f"not supported; nearest supported rewrite: {advice}"
    return "not supported; leave it out or build it from the layers below"


def arguments(node: fx.Node, *defaults: Any) -> tuple[Any, ...]:
    """A node's positional arguments, the missing ones from `defaults`."""
    return (*node.args, *defaults[len(node.args) :])


def op_name(node: fx.Node) -> str:
    """The operator's short name, as `conv2d`."""
    name = getattr(node.target, "_opname", None) or getattr(node.target, "__name__", node.target)
    return str(name).strip("_")


def _stack(node: fx.Node) -> list[tuple[str, Any]]:
    return list((node.meta.get("nn_module_stack") or {}).values())


def module_path(node: fx.Node) -> str:
    """Where in the model a node comes from, as `layer1.0.conv1`; empty for the model itself."""
    stack = _stack(node)
    return stack[-1][0] if stack else ""


def module_class(node: fx.Node) -> str:
    """The dotted class of the module a node comes from."""
    stack = _stack(node)
    return str(stack[-1][1]) if stack else ""
