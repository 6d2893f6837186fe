"""The training loop: seeded, resumable bit by bit, and the same under torchrun.

Knows models, data and files in one folder; how progress is shown is the observer's business.

Every epoch has its own random numbers, made from the seed and the epoch's number, so a checkpoint
between epochs needs no generator state. The last images of an epoch that fill no batch wait for
the next epoch's order. Weight decay applies to kernels and matrices, not to biases and norms.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cnnaccel.config import Config
from cnnaccel.errors import CheckpointError, ConfigError, DataError, Interrupted, ModelError
from cnnaccel.figures import Figure
from cnnaccel.nn.augment import CHANCES, augment, check_augment, moved
from cnnaccel.nn.checkpoint import load_checkpoint, save_checkpoint
from cnnaccel.nn.data import Dataset, Split
from cnnaccel.nn.evaluate import outputs_of, raw_outputs, to_input
from cnnaccel.nn.history import EpochMetrics, TrainObserver, TrainResult, write_metrics
from cnnaccel.nn.losses import make_loss, target_tensor
from cnnaccel.nn.optimize import make_average, make_optimizer, make_schedule
from cnnaccel.nn.outputs import main_output, moves_every_parameter, structure_of
from cnnaccel.nn.ranks import Ranks, process_group
from cnnaccel.nn.reproduce import choose_device, flat, plain, reproducible, seed_of, settings_of
from cnnaccel.nn.tasks import Judge, Metric, configured_task
from cnnaccel.nn.transforms import make_transforms

CHECKPOINT = "checkpoint.pt"
MODEL = "model.pt"
METRICS = "metrics.jsonl"
REPORT_STEPS = 20
"""Steps between two looks at the loss, each of which waits for the arithmetic."""


_OF_TRANSFORMS = 1 << 20
"""Sets the random numbers of transforms apart from those of processes."""


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
        ModelError: the loss is not finite; or the model fails in training mode, or a loss, metric
            or transform of the user's.
        DataError: there are no targets, or such as do not fit the task.
        CheckpointError: there is nothing to resume, or it was trained otherwise.
        ConfigError: the batch or the augmentation does not fit the data.
    """
    require_trainable(config, dataset)
    masks = dataset.train.targets if config.task == "segment" else None
    check_augment(config.train.augment, dataset.shape, None if masks is None else masks.shape[1:])
    device = choose_device(config.train.device)
    with process_group(device) as ranks, reproducible(device):
        return _train(config, model, dataset, folder, resume, observer, ranks)


def require_trainable(config: Config, dataset: Dataset) -> None:
    """Look at what training needs, and at names of the user's, before any work.

    Raises:
        DataError: images have no targets that training could learn.
        ConfigError: there is no such loss, metric, transform, or argument of one.
    """
    make_loss(config)
    make_transforms(config.train.augment)
    configured_task(config, len(dataset.classes))
    for name, split in (("training", dataset.train), ("validation", dataset.validation)):
        if split.targets is None:
            raise DataError(
                f"the {name} images of {config.data.name} have no labels, so there is nothing to "
                "train on; import weights with --checkpoint or weights, or give labels"
            )


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
    else:
        training.rehearse()
        if ranks.first:
            training.save(path)
    start = len(training.history) + 1
    try:
        if ranks.first:
            observer.on_start(config.train.epochs, training.steps, start)
        for epoch in range(start, config.train.epochs + 1):
            training.run_epoch(epoch, observer)
            if ranks.first:
                write_metrics(folder / METRICS, training.history)
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
        write_metrics(folder / METRICS, training.history)
        content = {
            "model": config.model,
            "model_args": plain(config.model_args),
            "epoch": best.epoch,
            f"validation_{best.validation.key}": best.validation.value,
            "weights": dict(model.state_dict()),
        }
        save_checkpoint(folder / MODEL, content)
    return TrainResult(best.epoch, best.validation, tuple(training.history), folder / MODEL, path)


class _Training:
    """All that a checkpoint holds, and how one epoch changes it."""

    def __init__(self, config: Config, model: nn.Module, dataset: Dataset, ranks: Ranks) -> None:
        self.config, self.model, self.ranks = config, model, ranks
        self.device = torch.device(ranks.device)
        assert dataset.train.targets is not None and dataset.validation.targets is not None
        self.images, self.targets = dataset.train.images, dataset.train.targets
        self.validation, self.classes = dataset.validation, len(dataset.classes)
        self.share = share_of_batch(config.train.batch_size, len(self.images), ranks)
        self.steps = len(self.images) // (self.share * ranks.size)
        self.average = make_average(model, config.train.average)
        self.optimizer = make_optimizer(model, config.train)
        self.schedule = make_schedule(self.optimizer, config.train, self.steps)
        self.task = configured_task(config, self.classes)
        self.loss = make_loss(config)
        self.transforms = make_transforms(config.train.augment)
        self.counts = config.task == "classify" and self.loss.own is None
        self.structure = ""
        self.distributed = model
        if ranks.size > 1:
            idle = not moves_every_parameter(model, dataset.shape)
            self.distributed = DistributedDataParallel(model, find_unused_parameters=idle)
        self.history: list[EpochMetrics] = []
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] = {}

    @property
    def evaluated(self) -> nn.Module:
        """The model whose figures count: the averaged one, if there is one."""
        return self.model if self.average is None else self.average.module

    def rehearse(self) -> None:
        """Try what is the user's own before hours of training: transforms, and the metric."""
        self._batch(torch.arange(min(2, len(self.images))), torch.zeros(2, CHANCES), epoch=0)
        if isinstance(self.task, Metric):
            self._validate()

    def run_epoch(self, epoch: int, observer: TrainObserver) -> None:
        """Train over the training split once, evaluate, and keep the weights if they are best."""
        started = time.monotonic()
        learning_rate, train_loss, train_accuracy = self._train_epoch(epoch, observer)
        self.ranks.copy_from_first([*self.model.buffers(), *self.evaluated.buffers()])
        loss, figures = self._validate()
        best = self.history[self.best_epoch - 1].validation.value if self.best_epoch else None
        if best is None or figures[0].better_than(best):
            self.best_epoch = epoch
            self.best_weights = {
                name: value.clone(memory_format=torch.contiguous_format)
                for name, value in self.evaluated.state_dict().items()
            }
        seconds = time.monotonic() - started
        self.history.append(
            EpochMetrics(epoch, train_loss, train_accuracy, loss, figures, learning_rate, seconds)
        )

    def _validate(self) -> tuple[float | None, tuple[Figure, ...]]:
        """Loss and figures of the validation images, each process a part of them.

        A metric of the user's own does not add up: there every process looks at all of them, as it
        does where there are fewer images than processes.
        """
        ranks, whole, judge = self.ranks, self.validation, Judge(self.task)
        shared = not isinstance(self.task, Metric) and len(whole) >= ranks.size
        rows = np.arange(len(whole))[slice(ranks.rank, None, ranks.size) if shared else slice(None)]
        part: Split = whole.take(rows) if shared and ranks.size > 1 else whole
        assert part.targets is not None
        total = torch.zeros(1, dtype=torch.float64)
        for chunk, raw in raw_outputs(self.evaluated, part.images):
            targets = part.targets[chunk]
            judge.add(outputs_of(raw), targets)
            with torch.no_grad():
                total += len(targets) * self._loss_in_evaluation(raw, targets)
        if shared:
            assert judge.sums is not None
            sums = torch.from_numpy(np.concatenate([total.numpy(), judge.sums.ravel()]))
            ranks.add_up(sums)
            judge.sums = sums[1:].numpy().reshape(judge.sums.shape)
            total = sums[:1]
        figures = judge.figures()
        values = torch.tensor([total.item(), *(one.value for one in figures)], dtype=torch.float64)
        ranks.copy_from_first([values])
        loss, *agreed = values.tolist()
        figures = tuple(
            dataclasses.replace(one, value=value)
            for one, value in zip(figures, agreed, strict=True)
        )
        return None if np.isnan(loss) else loss / len(whole), figures

    def _loss_in_evaluation(self, raw: Any, targets: Any) -> float:
        """The loss of a batch; NaN where a loss of the user's own could not take these outputs."""
        if self.loss.own is not None and structure_of(raw) != self.structure:
            return float("nan")
        return float(self.loss(raw, target_tensor(targets).to(self.device), training=False))

    def _train_epoch(
        self, epoch: int, observer: TrainObserver
    ) -> tuple[float, float, float | None]:
        """Last learning rate, mean loss, and accuracy where there is one."""
        options, ranks = self.config.train, self.ranks
        generator = torch.Generator().manual_seed(seed_of(options.seed, epoch))
        torch.manual_seed(seed_of(options.seed, epoch, 1 + ranks.rank))  # dropout draws from it
        order = torch.randperm(len(self.images), generator=generator)
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
            self._step(*self._batch(rows, chance, epoch), sums[step])
            if (step + 1) % REPORT_STEPS == 0 or step + 1 == self.steps:
                ranks.add_up(sums[reported : step + 1])
                self._require_finite(sums[: step + 1, 0], epoch)
                reported = step + 1
                loss, accuracy = (sums[:reported].double().sum(0) / (reported * batch)).tolist()
                if ranks.first:
                    observer.on_step(epoch, reported, loss, accuracy if self.counts else None)
        return learning_rate, loss, accuracy if self.counts else None

    def _batch(self, rows: Tensor, chance: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Images as the model takes them, and their targets, changed as the epoch's chance says."""
        options, numbers = self.config.train, rows.numpy()
        pixels = torch.from_numpy(self.images[numbers])
        targets = target_tensor(self.targets[numbers])
        masks = targets if self.config.task == "segment" else None
        if self.transforms.steps:
            seeds = [seed_of(options.seed, epoch, _OF_TRANSFORMS, row) for row in rows.tolist()]
            pixels, masks = self.transforms(pixels, masks, seeds)
        pixels, chance = pixels.to(self.device), chance.to(self.device)
        if masks is not None:
            targets = moved(masks.to(self.device)[:, None], options.augment, chance)[:, 0]
        images = to_input(augment(pixels, options.augment, chance))
        images = images.contiguous(memory_format=torch.channels_last)
        return images, targets.to(self.device)

    def _step(self, images: Tensor, targets: Tensor, sums: Tensor) -> None:
        options = self.config.train
        self.optimizer.zero_grad()
        try:
            with torch.autocast(self.device.type, torch.bfloat16, options.precision == "mixed"):
                raw = self.distributed(images)
            if self.counts:
                raw = main_output(raw, training=True)
                self._require_logits(raw, len(images))
            self.structure = structure_of(raw)
            loss = self.loss(raw, targets)
            loss.backward()  # type: ignore[no-untyped-call]
        except (ModelError, DataError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"the model cannot be trained on a batch: {reason}") from error
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        sums[0] = loss.detach() * len(images)
        if self.counts:
            sums[1] = (raw.detach().argmax(1) == targets).sum()

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
            f"{'; or see to train.loss ' + self.loss.name if self.loss.own is not None else ''}"
        )

    def save(self, path: Path) -> None:
        """Write everything `restore` needs, at the end of an epoch or before the first."""
        content = {
            "config": json.dumps(settings_of(self.config)),
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
        saved, wanted = flat(json.loads(content["config"])), flat(settings_of(self.config))
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
        self.history = [EpochMetrics.stored(metrics) for metrics in content["history"]]
        self.best_epoch, self.best_weights = content["best_epoch"], content["best_weights"]


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
