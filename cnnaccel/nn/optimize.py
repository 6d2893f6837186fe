"""The optimiser, its schedule, and the average of the weights."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from cnnaccel.config import TrainConfig
from cnnaccel.errors import ModelError

_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = 1 / 250_000
_Tensors = tuple[Tensor, ...] | list[Tensor]


def make_optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    """AdamW, or SGD with Nesterov momentum; ModelError where there is nothing to train."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise ModelError("the model has no parameters to train")
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        return AdamW(groups, lr=config.learning_rate, fused=True)
    return SGD(
        groups,
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.momentum > 0,
        fused=True,
    )


def make_schedule(optimizer: Optimizer, config: TrainConfig, steps_per_epoch: int) -> LambdaLR:
    """The learning rate of every step."""
    steps = config.epochs * steps_per_epoch
    return LambdaLR(optimizer, lambda step: share_of_peak(config, step, steps))


def share_of_peak(config: TrainConfig, step: int, steps: int) -> float:
    """The learning rate at `step` of `steps`, from 0, as a share of its peak.

    one_cycle (Smith and Topin, arXiv:1708.07120) has the shape and ends of torch's OneCycleLR.
    """
    if config.schedule == "constant":
        return 1.0
    rise = config.warmup * steps if config.schedule == "one_cycle" else 0.0
    if step < rise:
        return _cosine(_ONE_CYCLE_START, 1.0, step / rise)
    end = _ONE_CYCLE_END if config.schedule == "one_cycle" else 0.0
    return _cosine(1.0, end, (step - rise) / (steps - rise))


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def make_average(model: nn.Module, decay: float) -> AveragedModel | None:
    """The exponential moving average of weights and buffers; None where `decay` is 0.

    In the first steps the decay is smaller, (1 + n) / (10 + n), to forget the random start.
    """
    if decay == 0:
        return None

    def update(averaged: _Tensors, current: _Tensors, count: Tensor | int) -> None:
        share = 1 - min(decay, float((1 + count) / (10 + count)))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, share)
            else:
                mean.copy_(value)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)
