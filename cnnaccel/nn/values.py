"""The values of a file's tensors as the floats of a model: exact, or the nearest float32."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnaccel.errors import CheckpointError

COUNT = "num_batches_tracked"
"""Ending of the names of batch norm's counts of steps, which only training uses."""
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_SMALL_FLOATS = (
    torch.float8_e4m3fn,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2,
    torch.float8_e5m2fnuz,
)
_NUMBERS = (*_FLOATS, *_SMALL_FLOATS, torch.complex64, torch.complex128)
"""Types of which it can be told whether a value is finite."""


def to_model_values(
    found: Mapping[str, Any], expected: Mapping[str, Tensor], if_diverged: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Dense tensors of the model's types, by the model's names; and what was done to get them.

    `if_diverged` is what to do about values that are not finite.

    Raises:
        CheckpointError: a tensor holds nothing, no numbers a network computes with, or NaN.
    """
    done: Counter[str] = Counter()
    values = {}
    for name, value in found.items():
        try:
            dense = _dense(name, _tensor(name, value), done)
            if not _finite(dense):
                raise CheckpointError(f"{name} has NaN or infinite values; {if_diverged}")
            values[name] = _value(name, dense, expected[name], done).reshape(expected[name].shape)
        except CheckpointError:
            if not name.endswith(COUNT):  # half a million steps are infinite in float16
                raise
    notes = [f"{count} tensor{'s' if count > 1 else ''} {what}" for what, count in done.items()]
    return values, notes


def _value(name: str, tensor: Tensor, wanted: Tensor, done: Counter[str]) -> Tensor:
    kind = _kind(tensor)
    if tensor.is_complex():
        raise CheckpointError(
            f"{name} holds complex numbers ({kind}); the engine computes with real ones: give "
            "weights of a real network"
        )
    if not wanted.is_floating_point():
        return _whole(name, tensor, wanted)
    if not tensor.is_floating_point():
        raise CheckpointError(
            f"{name} holds {kind}, which mean nothing without their scale; give the float weights "
            "from before they were quantized"
        )
    if tensor.dtype not in _NUMBERS:
        raise CheckpointError(f"{name} holds {kind}, which are no weights; give float32 ones")
    result = tensor.to(wanted.dtype)
    if not _finite(result):
        raise CheckpointError(f"{name} has values that no {_kind(wanted)} holds")
    if tensor.dtype != wanted.dtype:
        done[f"of {kind} taken as {_kind(wanted)}"] += 1
    return result


def _tensor(name: str, value: Any) -> Tensor:
    """A tensor or a NumPy array as a tensor."""
    if isinstance(value, Tensor):
        return value.detach()
    array = np.asarray(value)
    try:
        return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))
    except TypeError:
        raise CheckpointError(
            f"{name} is a NumPy array of {array.dtype}, which are no weights; give float32 ones"
        ) from None


def _dense(name: str, tensor: Tensor, done: Counter[str]) -> Tensor:
    """`tensor` with every value in its place, as a plain number."""
    if tensor.is_meta:
        raise CheckpointError(
            f"{name} holds no values: saved from a model on the meta device; give the weights "
            "that were trained"
        )
    if tensor.layout is not torch.strided:
        done["stored sparse, made dense"] += 1
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        done["quantized in the file, dequantized"] += 1
        tensor = tensor.dequantize()
    return tensor


def _finite(tensor: Tensor) -> bool:
    plain = tensor.float() if tensor.dtype in _SMALL_FLOATS else tensor
    return tensor.dtype not in _NUMBERS or bool(torch.isfinite(plain).all())


def _whole(name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    """A count as whole numbers, for a tensor of the model that holds such."""
    result = tensor.to(wanted.dtype)
    if not torch.equal(result.double(), tensor.double()):
        raise CheckpointError(f"{name} holds {_kind(tensor)}, where the model has {_kind(wanted)}")
    return result


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
