"""The loss that training lowers: one of torch's by name, or a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnaccel.config import Config
from cnnaccel.errors import ConfigError, DataError, ModelError
from cnnaccel.nn.custom import IGNORED
from cnnaccel.nn.functions import load_function, running
from cnnaccel.nn.outputs import main_output
from cnnaccel.nn.tasks import check_masks

_DEFAULTS = {"classify": "cross_entropy", "segment": "cross_entropy", "regress": "mse"}
_OF_NUMBERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
}


@dataclass(frozen=True)
class Loss:
    """The loss of a batch, a mean over its images."""

    name: str
    own: Callable[[Any, Tensor], Any] | None = None
    """The user's function, of all that the model returns; a named one is of the logits alone."""
    smoothing: float = 0.0

    def __call__(self, raw: Any, targets: Tensor, training: bool = True) -> Tensor:
        """The loss of what a model returned.

        Raises:
            ModelError: outputs and targets do not fit it, or the user's function fails.
            DataError: targets are out of range.
        """
        if self.own is not None:
            return self._own(raw, targets)
        output = main_output(raw, training).float()
        if self.name == "cross_entropy":
            smoothing = self.smoothing if training else 0.0
            return _cross_entropy(output, targets, smoothing)
        return _of_numbers(self.name, output, targets)

    def _own(self, raw: Any, targets: Tensor) -> Tensor:
        what = f"train.loss {self.name}"
        with running(what):
            found = self.own(raw, targets)  # type: ignore[misc]
        if not isinstance(found, Tensor) or found.numel() != 1 or not found.is_floating_point():
            shape = list(found.shape) if isinstance(found, Tensor) else ""
            raise ModelError(
                f"{what} gives a {type(found).__name__}{shape}; return a tensor of one float, "
                "as loss.mean() is"
            )
        if torch.is_grad_enabled() and not found.requires_grad:
            raise ModelError(
                f"{what} gives a number that does not depend on the model's output; compute it "
                "with torch, without detach() or item()"
            )
        return found.reshape(())


def make_loss(config: Config) -> Loss:
    """The loss of a configuration.

    Raises:
        ConfigError: there is no such function, or no loss for this task.
    """
    name = config.train.loss or _DEFAULTS.get(config.task)
    if name is None:
        raise ConfigError(
            f"task {config.task} has no loss of its own; name one in train.loss, as mse, or your "
            "own as package.module:function"
        )
    own = load_function(name, "train.loss") if ":" in name else None
    return Loss(name, own, config.train.label_smoothing)


def target_tensor(targets: Any) -> Tensor:
    """Targets as losses take them: whole numbers as int64, others as float32."""
    array = np.asarray(targets)
    kind = np.float32 if array.dtype.kind == "f" else np.int64
    return torch.from_numpy(np.ascontiguousarray(array, kind))


def _cross_entropy(output: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    if output.ndim == 2:
        if targets.ndim != 1 or targets.is_floating_point():
            raise ModelError(_misfit("cross_entropy", output, targets))
        return F.cross_entropy(output, targets, label_smoothing=smoothing)
    if output.ndim != 4 or targets.ndim != 3 or targets.is_floating_point():
        raise ModelError(_misfit("cross_entropy", output, targets))
    if output.shape[1] == 1:
        raise ModelError(
            "train.loss cross_entropy of one channel is always 0; give the model a channel for "
            "each class, or write train.loss: bce_with_logits"
        )
    output = _enlarged(output, targets)
    _require_classes(targets[targets != IGNORED], output)
    if bool((targets == IGNORED).all()):
        return output.sum() * 0.0  # the mean of nothing would be NaN
    return F.cross_entropy(output, targets, label_smoothing=smoothing, ignore_index=IGNORED)


def _of_numbers(name: str, output: Tensor, targets: Tensor) -> Tensor:
    binary = name == "bce_with_logits"
    if output.ndim == 4 and targets.ndim == 3 and output.shape[1] == 1:
        output = _enlarged(output, targets)
    if output.numel() != targets.numel() or len(output) != len(targets):
        raise ModelError(_misfit(name, output, targets))
    wanted = targets.reshape(output.shape).to(output.dtype)
    if not binary:
        return _OF_NUMBERS[name](output, wanted)
    judged = torch.ones_like(wanted, dtype=torch.bool)
    if targets.ndim == 3 and not targets.is_floating_point():
        judged = wanted != IGNORED
    if bool(((wanted[judged] < 0) | (wanted[judged] > 1)).any()):
        raise DataError(
            f"train.loss bce_with_logits takes targets from 0 to 1, got {float(wanted.min()):g} to "
            f"{float(wanted.max()):g}"
        )
    if judged.all():
        return F.binary_cross_entropy_with_logits(output, wanted)
    return F.binary_cross_entropy_with_logits(output[judged], wanted[judged], reduction="sum") / (
        judged.sum().clamp(min=1)
    )


def _enlarged(output: Tensor, masks: Tensor) -> Tensor:
    """Maps as large as the masks, each pixel repeated."""
    check_masks(np.empty((0, *masks.shape[1:]), np.uint8), output.shape)
    factor = masks.shape[1] // output.shape[2]
    if factor == 1:
        return output
    return output.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def _require_classes(targets: Tensor, output: Tensor) -> None:
    classes = output.shape[1]
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        raise DataError(
            f"targets are classes {int(targets.min())} to {int(targets.max())}, the network has "
            f"classes 0 to {classes - 1}"
        )


def _misfit(name: str, output: Tensor, targets: Tensor) -> str:
    kind = str(targets.dtype).removeprefix("torch.")
    return (
        f"train.loss {name} does not fit: the model turns {len(output)} images into "
        f"{list(output.shape)}, their targets are {kind}{list(targets.shape)}"
    )
