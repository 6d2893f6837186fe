"""Checkpoints: torch files with a head of ours, written whole or not at all, read without pickle.

A checkpoint is a dictionary of tensors, numbers, texts, lists and dictionaries. Weights may also be
from elsewhere, in any of the forms that people have them in.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnaccel.errors import CheckpointError
from cnnaccel.nn.fit import (
    Fit,
    Table,
    differences,
    find_fit,
    notes_of,
    shorten,
    tied_pairs,
)
from cnnaccel.nn.models import Normalize
from cnnaccel.nn.values import to_model_values
from cnnaccel.nn.weights_file import OURS, read_weights_file
from cnnaccel.workspace import write_atomic

_VERSION = 1


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` in one step; on an OSError (disk full) the old file stays."""
    buffer = io.BytesIO()
    torch.save({"format": OURS, "version": _VERSION, **content}, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of a file that `save_checkpoint` wrote.

    Raises:
        CheckpointError: the file is missing, corrupt, or not one of ours.
    """
    content = _load(path)
    if not isinstance(content, dict) or content.get("format") != OURS:
        raise CheckpointError(f"{path}: a torch file, but not written by cnnaccel")
    _check_version(path, content)
    return content


def _check_version(path: Path, content: dict[str, Any]) -> None:
    if content.get("version") != _VERSION:
        raise CheckpointError(
            f"{path}: checkpoint version {content.get('version')}, this cnnaccel reads {_VERSION}"
        )


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


class LoadedWeights(dict[str, Any]):
    """Facts that came with the weights in a file: for a `model.pt` its model, epoch and the like.

    `notes` are sentences on what was done to make the weights fit, for the user to read; a file
    that fits as it is has none.
    """

    def __init__(self, rest: dict[str, Any], notes: Sequence[str] = ()) -> None:
        super().__init__(rest)
        self.notes = tuple(notes)


def load_weights(model: nn.Module, path: Path) -> LoadedWeights:
    """Put the weights in a file into `model`, from training here or from elsewhere.

    A file from elsewhere holds a `state_dict`, of the model without the normalisation before it:
    written by torch.save, safetensors or numpy.savez, by itself or beside other things, in any
    float type, under any one prefix.

    Raises:
        CheckpointError: no such file, no weights, another architecture's, or not finite.
    """
    found = read_weights_file(path)
    ours = isinstance(found, dict) and found.get("format") == OURS
    if ours:
        _check_version(path, found)
    try:
        return _load_ours(model, dict(found)) if ours else _load_foreign(model, found)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _load_ours(model: nn.Module, content: dict[str, Any]) -> LoadedWeights:
    """Load the weights of a `model.pt`, whose names are exactly the model's."""
    weights = content.pop("weights", None)
    if not isinstance(weights, dict):
        raise CheckpointError("holds no trained model; finish the training first")
    expected = model.state_dict()
    fit = Fit(Table((), weights), {key: key for key in expected if key in weights})
    if found_amiss := differences(expected, fit) + [f"{key} is unexpected" for key in fit.extra]:
        raise CheckpointError(
            f"trained as another architecture ({content.get('model', 'unknown')}): "
            f"{shorten(found_amiss)}; train again, or set model and model_args to what they were"
        )
    _require_same_normalization(model, weights)
    chosen = {key: weights[key] for key in fit.names}
    values, notes = to_model_values(chosen, expected, "train again")
    _put(values, model)
    return LoadedWeights(content, notes)


def _load_foreign(model: nn.Module, found: Any) -> LoadedWeights:
    """Load the weights of a file that this project did not write, whatever data it holds."""
    normalized = isinstance(getattr(model, "normalize", None), Normalize)
    if normalized and not (isinstance(found, dict) and "normalize.running_mean" in found):
        model = model.get_submodule("model")
    expected = {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    fit = find_fit(expected, found)
    chosen = {ours: fit.table.values[theirs] for ours, theirs in fit.names.items()}
    _require_same_normalization(model, chosen)
    values, changes = to_model_values(chosen, expected, "give those of an earlier epoch")
    for first, second in tied_pairs(expected):
        if {first, second} <= values.keys() and not torch.equal(values[first], values[second]):
            raise CheckpointError(
                f"{first} and {second} are one tensor in the model and two in the file; set model "
                "and model_args to what these weights were made with"
            )
    _put(values, model)
    return LoadedWeights({}, [*notes_of(expected, fit), *changes])


def _put(values: dict[str, Tensor], model: nn.Module) -> None:
    try:
        model.load_state_dict(values, strict=False)
    except Exception as error:  # a model may have a load_state_dict of its own
        reason = " ".join(str(error).split())
        raise CheckpointError(f"the model's load_state_dict() fails: {reason}") from error


def _require_same_normalization(model: nn.Module, weights: dict[str, Any]) -> None:
    """Refuse a `model.pt` that was trained with another `data.mean` or `data.std`."""
    if not isinstance(normalize := getattr(model, "normalize", None), Normalize):
        return
    for name, value in normalize.state_dict().items():
        if not torch.equal(weights.get(f"normalize.{name}", value), value):
            raise CheckpointError(
                "trained with another data.mean or data.std; set them to what they were"
            )
