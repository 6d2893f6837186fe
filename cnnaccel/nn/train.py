"""The training loop: seeded, resumable bit by bit, and the same under torchrun.

Knows models, data and files in one folder; how progress is shown is the observer's business.

Every epoch has its own random numbers, made from the seed and the epoch's number, so a checkpoint
between epochs needs no generator state. The last images of an epoch that fill no batch wait for
the next epoch's order. Weight decay applies to kernels and matrices, not to biases and norms.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cnnaccel.config import Config
from cnnaccel.errors import CheckpointError, ConfigError, Interrupted, ModelError
from cnnaccel.nn.augment import CHANCES, augment, check_augment
from cnnaccel.nn.checkpoint import load_checkpoint, save_checkpoint
from cnnaccel.nn.data import Dataset, Split
from cnnaccel.nn.evaluate import score, to_input
from cnnaccel.nn.optimize import make_average, make_optimizer, make_schedule
from cnnaccel.nn.outputs import main_output, moves_every_parameter
from cnnaccel.nn.ranks import Ranks, process_group
from cnnaccel.workspace import write_atomic

CHECKPOINT = "checkpoint.pt"
MODEL = "model.pt"
METRICS = "metrics.jsonl"
REPORT_STEPS = 20
"""Steps between two looks at the loss, each of which waits for the arithmetic."""


@dataclass(frozen=True)
class EpochMetrics:
    """One line of metrics.jsonl. Accuracies are shares; training ones are of augmented images."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    """Learning rate of the epoch's last step."""
    seconds: float


@dataclass(frozen=True)
class TrainResult:
    """The chosen epoch, the first of those with the highest validation accuracy."""

    epoch: int
    validation_accuracy: float
    history: tuple[EpochMetrics, ...]
    model: Path
    checkpoint: Path


class TrainObserver(Protocol):
    """Whoever wants to know how the training goes; called in the first process only."""

    def on_start(self, epochs: int, steps_per_epoch: int, start_epoch: int) -> None:
        """Before the first step; epochs count from 1."""

    def on_step(self, epoch: int, step: int, loss: float, accuracy: float) -> None:
        """After some of the steps; means over the epoch so far."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """After each epoch, its checkpoint written."""


def train(
    config: Config,
    model: nn.Module,
    dataset: Dataset,
    folder: Path,
    resume: bool,
    observer: TrainObserver,
) -> TrainResult:
    """Train `model` in place; it ends with the weights of the best epoch, as in `model.pt`.

    Raises:
        Interrupted: by Ctrl-C; `resume` continues after the last whole epoch.
        ModelError: the loss is not finite, or the model fails in training mode.
        CheckpointError: there is nothing to resume, or it was trained otherwise.
        ConfigError: the batch or the augmentation does not fit the data.
    """
    check_augment(config.train.augment, dataset.shape)
    device = choose_device(config.train.device)
    with process_group(device) as ranks, _reproducible(device):
        return _train(config, model, dataset, folder, resume, observer, ranks)


def _train(
    config: Config,
    model: nn.Module,
    dataset: Dataset,
    folder: Path,
    resume: bool,
    observer: TrainObserver,
    ranks: Ranks,
) -> TrainResult:
    """`train` among processes that have found each other."""
    path = folder / CHECKPOINT
    model.to(ranks.device)
    _lay_out(model, torch.channels_last)  # a fifth faster on a CPU
    training = _Training(config, model, dataset, ranks)
    if resume:
        training.restore(path)
    elif ranks.first:
        training.save(path)
    start = len(training.history) + 1
    try:
        if ranks.first:
            observer.on_start(config.train.epochs, training.steps, start)
        for epoch in range(start, config.train.epochs + 1):
            training.run_epoch(epoch, observer)
            if ranks.first:
                _write_metrics(folder / METRICS, training.history)
                training.save(path)
                observer.on_epoch(training.history[-1])
    except KeyboardInterrupt:
        raise Interrupted(
            f"training interrupted; {path} holds its last whole epoch, --resume continues it"
        ) from None
    model.load_state_dict(training.best_weights)
    model.cpu()
    _lay_out(model, torch.contiguous_format)
    best = training.history[training.best_epoch - 1]
    if ranks.first:
        _write_metrics(folder / METRICS, training.history)
        content = {
            "model": config.model,
            "model_args": _plain(config.model_args),
            "epoch": best.epoch,
            "validation_accuracy": best.validation_accuracy,
            "weights": dict(model.state_dict()),
        }
        save_checkpoint(folder / MODEL, content)
    return TrainResult(
        best.epoch, best.validation_accuracy, tuple(training.history), folder / MODEL, path
    )


class _Training:
    """All that a checkpoint holds, and how one epoch changes it."""

    def __init__(self, config: Config, model: nn.Module, dataset: Dataset, ranks: Ranks) -> None:
        self.config, self.model, self.ranks = config, model, ranks
        self.device = torch.device(ranks.device)
        self.images = dataset.train.images
        self.labels = torch.from_numpy(dataset.train.labels)
        part = slice(ranks.rank, None, ranks.size)
        self.validation_images = len(dataset.validation)
        self.validation = Split(dataset.validation.images[part], dataset.validation.labels[part])
        self.share = share_of_batch(config.train.batch_size, len(self.labels), ranks)
        self.steps = len(self.labels) // (self.share * ranks.size)
        self.average = make_average(model, config.train.average)
        self.optimizer = make_optimizer(model, config.train)
        self.schedule = make_schedule(self.optimizer, config.train, self.steps)
        self.classes = len(dataset.classes)
        self.distributed = model
        if ranks.size > 1:
            idle = not moves_every_parameter(model, dataset.shape)
            self.distributed = DistributedDataParallel(model, find_unused_parameters=idle)
        self.history: list[EpochMetrics] = []
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] = {}

    @property
    def evaluated(self) -> nn.Module:
        """The model whose accuracy counts: the averaged one, if there is one."""
        return self.model if self.average is None else self.average.module

    def run_epoch(self, epoch: int, observer: TrainObserver) -> None:
        """Train over the training split once, evaluate, and keep the weights if they are best."""
        started = time.monotonic()
        learning_rate, train_loss, train_accuracy = self._train_epoch(epoch, observer)
        self.ranks.copy_from_first([*self.model.buffers(), *self.evaluated.buffers()])
        sums = torch.tensor(score(self.evaluated, self.validation), dtype=torch.float64)
        self.ranks.add_up(sums)
        loss, accuracy = (sums / self.validation_images).tolist()
        if not self.best_epoch or accuracy > self.history[self.best_epoch - 1].validation_accuracy:
            self.best_epoch = epoch
            self.best_weights = {
                name: value.clone(memory_format=torch.contiguous_format)
                for name, value in self.evaluated.state_dict().items()
            }
        seconds = time.monotonic() - started
        self.history.append(
            EpochMetrics(epoch, train_loss, train_accuracy, loss, accuracy, learning_rate, seconds)
        )

    def _train_epoch(self, epoch: int, observer: TrainObserver) -> tuple[float, float, float]:
        """Last learning rate, mean loss and accuracy."""
        options, ranks = self.config.train, self.ranks
        generator = torch.Generator().manual_seed(_seed(options.seed, epoch))
        torch.manual_seed(_seed(options.seed, epoch, 1 + ranks.rank))  # dropout draws from it
        order = torch.randperm(len(self.labels), generator=generator)
        batch = self.share * ranks.size
        mine = slice(ranks.rank * self.share, (ranks.rank + 1) * self.share)
        sums = torch.zeros(self.steps, 2)  # per step: loss times images, correct images
        loss = accuracy = learning_rate = 0.0
        reported = 0
        self.distributed.train()
        for step in range(self.steps):
            learning_rate = self.optimizer.param_groups[0]["lr"]
            rows = order[step * batch : (step + 1) * batch][mine]
            chance = torch.rand(batch, CHANCES, generator=generator)[mine]
            self._step(rows, chance, sums[step])
            if (step + 1) % REPORT_STEPS == 0 or step + 1 == self.steps:
                ranks.add_up(sums[reported : step + 1])
                self._require_finite(sums[: step + 1, 0], epoch)
                reported = step + 1
                loss, accuracy = (sums[:reported].double().sum(0) / (reported * batch)).tolist()
                if ranks.first:
                    observer.on_step(epoch, reported, loss, accuracy)
        return learning_rate, loss, accuracy

    def _step(self, rows: Tensor, chance: Tensor, sums: Tensor) -> None:
        options = self.config.train
        labels = self.labels[rows].to(self.device)
        pixels = torch.from_numpy(self.images[rows.numpy()]).to(self.device)
        images = to_input(augment(pixels, options.augment, chance.to(self.device)))
        images = images.contiguous(memory_format=torch.channels_last)
        self.optimizer.zero_grad()
        try:
            with torch.autocast(self.device.type, torch.bfloat16, options.precision == "mixed"):
                logits = main_output(self.distributed(images), training=True)
            self._require_logits(logits, len(rows))
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=options.label_smoothing)
            loss.backward()  # type: ignore[no-untyped-call]
        except ModelError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"the model cannot be trained on a batch: {reason}") from error
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        sums[0] = loss.detach() * len(rows)
        sums[1] = (logits.detach().argmax(1) == labels).sum()

    def _require_logits(self, logits: Tensor, images: int) -> None:
        if logits.shape != (images, self.classes) or not logits.is_floating_point():
            raise ModelError(
                f"in training mode the model turns {images} images into {list(logits.shape)} of "
                f"{str(logits.dtype).removeprefix('torch.')}; expected logits of "
                f"{[images, self.classes]}"
            )

    def _require_finite(self, losses: Tensor, epoch: int) -> None:
        if losses.isfinite().all():
            return
        step = int(losses.isfinite().logical_not().nonzero()[0]) + 1
        raise ModelError(
            f"the loss is no longer finite in epoch {epoch}, step {step}; lower "
            f"train.learning_rate ({self.config.train.learning_rate:g}), or lengthen the warmup"
        )

    def save(self, path: Path) -> None:
        """Write everything `restore` needs, at the end of an epoch or before the first."""
        content = {
            "config": json.dumps(_identity(self.config)),
            "weights_in_training": dict(self.model.state_dict()),
            "average": None if self.average is None else dict(self.average.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [dataclasses.asdict(metrics) for metrics in self.history],
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }
        save_checkpoint(path, content)

    def restore(self, path: Path) -> None:
        """Continue from what `save` wrote under the same configuration."""
        content = load_checkpoint(path)
        if "weights_in_training" not in content:
            raise CheckpointError(f"{path}: a finished model, not a training to resume")
        saved, wanted = _flat(json.loads(content["config"])), _flat(_identity(self.config))
        differing = sorted(k for k in {*saved, *wanted} if saved.get(k) != wanted.get(k))
        if differing:
            raise CheckpointError(
                f"{path}: was trained with another {', '.join(differing)}; set it back, or start "
                "anew without --resume"
            )
        try:
            self.model.load_state_dict(content["weights_in_training"])
            if self.average is not None:
                self.average.load_state_dict(content["average"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.schedule.load_state_dict(content["schedule"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path}: does not fit the model as it is now ({error}); start anew without "
                "--resume"
            ) from error
        self.history = [EpochMetrics(**metrics) for metrics in content["history"]]
        self.best_epoch, self.best_weights = content["best_epoch"], content["best_weights"]


def choose_device(wanted: str) -> str:
    """The device that `train.device` names, of this process among those of a torchrun.

    Raises:
        ConfigError: this machine has none.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    have = {"cuda": cuda, "mps": mps, "cpu": True}
    if wanted == "auto":
        wanted = next(name for name in have if have[name])
    if not have[wanted]:
        raise ConfigError(f"train.device is {wanted}, which torch does not see here; take auto")
    if wanted != "cuda":
        return wanted
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    torch.cuda.set_device(device)
    return device


def _lay_out(model: nn.Module, memory_format: torch.memory_format) -> None:
    model.to(memory_format=memory_format)  # type: ignore[call-overload]


def share_of_batch(batch_size: int, images: int, ranks: Ranks) -> int:
    """Images per step and process."""
    if batch_size % ranks.size:
        raise ConfigError(
            f"train.batch_size {batch_size} cannot be shared by {ranks.size} processes evenly"
        )
    share = min(batch_size, images) // ranks.size
    if share == 0:
        raise ConfigError(f"{images} training images are too few for {ranks.size} processes")
    return share


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _write_metrics(path: Path, history: list[EpochMetrics]) -> None:
    lines = [json.dumps(dataclasses.asdict(metrics)) + "\n" for metrics in history]
    write_atomic(path, "".join(lines).encode())


def _plain(value: Any) -> Any:
    """`value` in the types of JSON, which are the same after a checkpoint is read back."""
    return json.loads(json.dumps(value, default=str))


def _identity(config: Config) -> dict[str, Any]:
    """Values that must be equal in a checkpoint and its continuation; data may move."""
    whole = _plain(dataclasses.asdict(config))
    del whole["data"]["dir"], whole["train"]["device"]
    return {key: whole[key] for key in ("model", "model_args", "data", "train")}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one dictionary of dotted keys."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        nested = isinstance(inner, dict)
        flat |= _flat(inner, f"{prefix}{key}.") if nested else {prefix + key: inner}
    return flat


@contextmanager
def _reproducible(device: str) -> Iterator[None]:
    """Deterministic arithmetic inside the block; torch's global settings and random state after."""
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else sums differ by run
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    options: Any = torch.utils.deterministic
    fill = options.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    options.fill_uninitialized_memory = False  # costs time, and nothing here reads such memory
    try:
        with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
            yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        options.fill_uninitialized_memory = fill
