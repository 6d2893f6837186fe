"""Checkpoints: torch files with a head of ours, written whole or not at all, read without pickle.

A checkpoint is a dictionary of tensors, numbers, texts, lists and dictionaries. Weights may also be
a `state_dict` from elsewhere.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnaccel.errors import CheckpointError
from cnnaccel.nn.models import Normalize
from cnnaccel.workspace import write_atomic

_FORMAT = "cnnaccel-checkpoint"
_VERSION = 1
_NAMED_KEYS = 3


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` in one step; on an OSError (disk full) the old file stays."""
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, "version": _VERSION, **content}, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote.

    Raises:
        CheckpointError: the file is missing, corrupt, or not one of ours.
    """
    content = _load(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: a torch file, but not written by cnnaccel")
    if content.get("version") != _VERSION:
        raise CheckpointError(
            f"{path}: checkpoint version {content.get('version')}, this cnnaccel reads {_VERSION}"
        )
    return content


def _load(path: Path) -> Any:
    """Whatever a torch file holds that is data."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path} is not there; `cnnaccel train` makes it") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read this checkpoint: {error.strerror}") from error
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:100]
        raise CheckpointError(
            f"{path}: corrupt, or no checkpoint of ours ({reason}); train again"
        ) from error


def load_weights(model: nn.Module, path: Path) -> dict[str, Any]:
    """Put the trained weights of a `model.pt` into `model`; returns the rest of the file.

    The file may also be a plain `state_dict`, of the model without the normalisation before it.

    Raises:
        CheckpointError: also where the weights are another architecture's, or not finite.
    """
    found = _load(path)
    if _is_state_dict(found):
        content, weights = {}, found
        if isinstance(getattr(model, "normalize", None), Normalize):
            model = model.get_submodule("model")
    else:
        content = load_checkpoint(path)
        weights = content.pop("weights", None)
    if not isinstance(weights, dict):
        raise CheckpointError(f"{path}: holds no trained model; finish the training first")
    if differences := _differences(model.state_dict(), weights):
        shown = "; ".join(differences[:_NAMED_KEYS])
        more = len(differences) - _NAMED_KEYS
        raise CheckpointError(
            f"{path}: trained as another architecture ({content.get('model', 'unknown')}): {shown}"
            + (f"; and {more} more" if more > 0 else "")
            + "; train again, or set model and model_args to what they were"
        )
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {name} has NaN or infinite values; train again")
    model.load_state_dict(weights)
    return content


def _is_state_dict(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and len(found) > 0
        and all(isinstance(value, Tensor) for value in found.values())
    )


def _differences(expected: dict[str, Tensor], found: dict[str, Any]) -> list[str]:
    """What keeps `found` from being loaded, one sentence per key."""
    missing = [f"{key} is missing" for key in expected if key not in found]
    unexpected = [f"{key} is unexpected" for key in found if key not in expected]
    reshaped = [
        f"{key} is {_shape(found[key])}, expected {_shape(value)}"
        for key, value in expected.items()
        if key in found and _shape(found[key]) != _shape(value)
    ]
    return missing + unexpected + reshaped


def _shape(value: Any) -> str:
    return str(list(value.shape)) if isinstance(value, Tensor) else type(value).__name__
