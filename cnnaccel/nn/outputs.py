"""The one tensor of logits among what a model returns.

In training a model may return more: the outputs of auxiliary heads after its own, in a tuple, or
what carries the logits by name. A classifier is trained and judged by its logits alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cnnaccel.errors import ModelError

_NAMES = ("logits", "out")


def main_output(output: Any, training: bool) -> Tensor:
    """The logits: the output itself, its only part, or its part `logits` or `out`.

    In training the first of several parts is taken too, as auxiliary heads come after it.

    Raises:
        ModelError: it cannot be told which part they are.
    """
    if isinstance(output, Tensor):
        return output
    for name in _NAMES:
        part = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if isinstance(part, Tensor):
            return part
    parts = _parts(output)
    if parts and (len(parts) == 1 or (training and isinstance(output, tuple | list))):
        first = parts[0]
        if isinstance(first, Tensor):
            return first
    mode = "training" if training else "evaluation"
    raise ModelError(
        f"the model returns {_described(output)} in {mode} mode; return the logits alone, one "
        "tensor, or name them 'logits'; task: features and a metric of yours take all outputs"
    )


def take_main_output(model: nn.Module) -> nn.Module:
    """`model`, made to return its logits alone in evaluation, also where it is exported or copied.

    In training it returns all that it did: a loss of the user's own may want the rest.
    """
    model.register_forward_hook(_hook)
    return model


def moves_every_parameter(model: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether the loss reaches all that can be trained; it does not reach auxiliary heads."""
    probe = copy.deepcopy(model).train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            logits = main_output(probe(torch.rand(2, *shape)), training=True)
        logits.sum().backward()  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - the first step says what is wrong
        return True
    return all(p.grad is not None for p in probe.parameters() if p.requires_grad)


def structure_of(output: Any) -> str:
    """A text of what a model returned that is equal for outputs of like parts."""
    if isinstance(output, Mapping):
        return f"{{{', '.join(f'{key}: {structure_of(one)}' for key, one in output.items())}}}"
    if isinstance(output, tuple | list):
        return f"({', '.join(map(structure_of, output))})"
    return type(output).__name__


def _hook(module: nn.Module, _arguments: Any, output: Any) -> Any:
    return output if module.training else main_output(output, training=False)


def _parts(output: Any) -> list[Any]:
    if isinstance(output, Mapping):
        return list(output.values())
    return list(output) if isinstance(output, tuple | list) else []


def _described(output: Any) -> str:
    name = type(output).__name__
    if isinstance(output, Mapping):
        return f"a {name} of {', '.join(map(str, output)) or 'nothing'}"
    return f"a {name} of {len(output)}" if isinstance(output, tuple | list) else f"a {name}"
