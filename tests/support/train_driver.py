"""Trains a small network and says how far it is: what the tests interrupt, and run under torchrun.

Usage: train_driver.py FOLDER EPOCHS MODEL. Each process writes its weights to FOLDER/rank<i>.pt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnaccel.config import AugmentConfig, Config, DataConfig, TrainConfig
from cnnaccel.errors import Interrupted
from cnnaccel.fields import Call
from cnnaccel.nn.data import Dataset, load_dataset
from cnnaccel.nn.history import EpochMetrics
from cnnaccel.nn.models import make_model
from cnnaccel.nn.ranks import ranks_from_environment
from cnnaccel.nn.train import train


def small_config(epochs: int, model: str = "resnet8") -> Config:
    """Augmentation and averaging on images made up here; resnet8 has batch norm, lenet has none."""
    shape = (1, 8, 8) if model == "resnet8" else (1, 28, 28)
    return Config(
        model=model,
        model_args={"in_channels": 1, "classes": 4},
        data=DataConfig(name="synthetic", shape=shape, classes=4, images=300, validation=40),
        train=TrainConfig(
            epochs=epochs,
            batch_size=64,
            average=0.9,
            label_smoothing=0.1,
            augment=AugmentConfig(
                flip=True,
                shift=1,
                erase=2,
                transforms=(
                    Call("RandomCrop", {"size": shape[1], "padding": 1}),
                    Call("RandomChoice", {"transforms": ["RandomVerticalFlip", "RandomErasing"]}),
                ),
            ),
        ),
    )


def small_data(config: Config) -> Dataset:
    """The images of `small_config`."""
    return load_dataset(config.data, None)


class TwoHeads(nn.Module):
    """Returns a second head's logits too while it is trained, as GoogLeNet does."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(in_channels, 4, 3, stride=3), nn.ReLU(), nn.Flatten())
        self.head, self.aux = nn.Linear(4 * 81, classes), nn.Linear(4 * 81, classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.body(x)
        return (self.head(x), self.aux(x)) if self.training else self.head(x)


class Speaker:
    """Prints a line per epoch."""

    def on_start(self, epochs: int, steps_per_epoch: int, start_epoch: int) -> None:
        print(f"start {epochs} {steps_per_epoch} {start_epoch}", flush=True)

    def on_step(self, epoch: int, step: int, loss: float, accuracy: float | None) -> None:
        pass

    def on_epoch(self, metrics: EpochMetrics) -> None:
        print(f"epoch {metrics.epoch}", flush=True)


def main() -> int:
    """Train in this process, which may be one of several."""
    torch.set_num_threads(1)
    folder, config = Path(sys.argv[1]), small_config(int(sys.argv[2]), sys.argv[3])
    data = small_data(config)
    model = make_model(config, data.shape, len(data.classes))
    try:
        train(config, model, data, folder, False, Speaker())
    except Interrupted as error:
        print(error)
        return error.exit_code
    torch.save(model.state_dict(), folder / f"rank{ranks_from_environment().rank}.pt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
