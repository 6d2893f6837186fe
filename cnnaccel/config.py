"""The configuration of one network: typed dataclasses read from YAML, errors with file and line.

Knows nothing of torch or of any stage: stages receive the section they need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cnnaccel.errors import ConfigError
from cnnaccel.fields import Call, FieldError, at_least, did_you_mean, load_dataclass

SEED_MAX = 2**32 - 1
"""The largest seed numpy, torch and random all take."""


DATASETS = (
    "fashionmnist",
    "mnist",
    "kmnist",
    "emnist",
    "cifar10",
    "cifar100",
    "svhn",
    "digits",
    "synthetic",
    "folder",
    "arrays",
)
"""Names that `data.name` knows."""
TASKS = ("classify", "segment", "regress", "features")
LOSSES = ("cross_entropy", "mse", "l1", "smooth_l1", "bce_with_logits")
"""Names that `train.loss` knows."""
UNRECORDED = {"unrecorded": True}
"""Metadata of a field whose default is left out of what a stage is made from: results from before
the field was there stay what they are."""


@dataclass(frozen=True)
class DataConfig:
    """The source of images, and how the training split is divided."""

    name: str = "fashionmnist"
    """One of `DATASETS`, or yours as package.module:attribute."""
    dir: str | None = None
    """Folder that holds the dataset, or the .npz of `arrays`; --data-dir goes before it."""
    validation: int | None = at_least(1, None)
    """Images held out of the training split; they choose the epoch, the test split never does.
    null: 5000 of a known dataset, a tenth of your own."""
    size: tuple[int, ...] | None = None
    """Rows and columns that pictures of `folder` are brought to; null: all have one size."""
    crop: Literal["center", "squash", "pad"] = "center"
    """How: cut at the longer side, stretch, or put black beside."""
    colour: Literal["rgb", "grey"] = "rgb"
    """Channels of pictures of `folder`."""
    mean: tuple[float, ...] | None = None
    """Mean per channel of pixels in [0, 1]; with std, the normalisation that precedes the model."""
    std: tuple[float, ...] | None = None
    shape: tuple[int, ...] = (3, 32, 32)
    """C, H, W of the synthetic dataset; the others have their own."""
    classes: int = at_least(2, 10)
    """Number of classes of the synthetic dataset."""
    images: int = at_least(10, 1000)
    """Training images of the synthetic dataset; its test split has a fifth of that."""

    def __post_init__(self) -> None:
        """Refuse a normalisation of pixels in 0..255, which none of pixels in [0, 1] looks like."""
        own = self.name.partition(":")[2]
        if self.name not in DATASETS and not own:
            close = did_you_mean(self.name, list(DATASETS))
            raise FieldError(
                "name",
                f"is one of {', '.join(DATASETS)}, or yours as package.module:attribute; got "
                f"'{self.name}'{close}",
            )
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise FieldError("size", f"must be rows and columns, as [64, 64]; got {self.size}")
        mean, std = self.mean or (), self.std or ()
        if any(abs(value) > 1 for value in mean):
            raise FieldError("mean", _in_unit_range(mean, std, mean))
        if any(value > 1 for value in std):
            raise FieldError("std", _in_unit_range(mean, std, std))


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to training images, each drawn anew per image and epoch."""

    flip: bool = False
    """Mirror half of the images left to right."""
    shift: int = at_least(0, 0)
    """Move by up to this many pixels, filling with zeros."""
    erase: int = at_least(0, 0)
    """Blank one square of this many pixels a side."""
    transforms: tuple[Call, ...] | None = field(
        default=None, metadata={"shorthand": True, **UNRECORDED}
    )
    """Further changes, each an image at a time and before the others: names and arguments of
    torchvision's transforms v2, or a function of yours as package.module:function."""


@dataclass(frozen=True)
class TrainConfig:
    """The training loop."""

    epochs: int = at_least(1, 40)
    batch_size: int = at_least(1, 256)
    """Images per optimiser step, over all processes together."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = at_least(0.0, 4e-3)
    """Peak of the schedule."""
    weight_decay: float = at_least(0.0, 0.01)
    momentum: float = at_least(0.0, 0.9, 1.0)
    """Momentum of sgd (Nesterov); adamw keeps its usual betas."""
    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    warmup: float = at_least(0.0, 0.25, 0.9)
    """Share of all steps in which one_cycle rises to the peak."""
    label_smoothing: float = at_least(0.0, 0.0, 0.9)
    average: float = at_least(0.0, 0.0, 0.99999)
    """Decay per step of the exponential moving average of the weights; 0 switches it off."""
    seed: int = at_least(0, 0, SEED_MAX)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where training and float evaluation run; auto takes a GPU that torch sees, else the CPU."""
    precision: Literal["float32", "mixed"] = "float32"
    """mixed: bfloat16 where torch holds it safe, on a device that has it."""
    loss: str | None = field(default=None, metadata=UNRECORDED)
    """One of `LOSSES`, or yours as package.module:function; null: cross_entropy of `classify` and
    `segment`, mse of `regress`."""
    augment: AugmentConfig = AugmentConfig()

    def __post_init__(self) -> None:
        """Refuse a loss that nobody knows."""
        if self.loss is not None and self.loss not in LOSSES and not is_spec(self.loss):
            raise FieldError("loss", _unknown_name(self.loss, LOSSES))


@dataclass(frozen=True)
class QuantizeConfig:
    """Post-training quantization to int8."""

    weights: Literal["per_channel", "per_tensor"] = "per_channel"
    requantize: Literal["multiplier", "shift"] = "multiplier"
    """`shift` makes every scale a power of two, so that requantizing is a shift alone."""
    observer: Literal["minmax", "histogram"] = "histogram"
    """Choice of an activation's range: its maximum, or the clip of least squared error."""
    bias_correction: bool = True
    """Let biases take back what rounding shifts each channel by, on calibration images."""
    equalize: bool = True
    """Bring channels of a tensor to like size, in float, where logits on held out images gain."""
    calibration_images: int = at_least(1, 1024)
    """Drawn from the training split."""
    max_drop: float | None = at_least(0.0, None)
    """Points that int8 may lose of the float accuracy before it is an error; None never is. Of a
    figure that is no share of 1: percent of the float figure."""
    seed: int = at_least(0, 0, SEED_MAX)


@dataclass(frozen=True)
class BoardConfig:
    """Which engine the network runs on; `hardware.load_hardware` knows what it may be."""

    board: str = "pynq_z1"
    """A name from `configs/boards`, or the path of a YAML file like those."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Values that replace some of the board's file, as pixel_lanes: 8."""


@dataclass(frozen=True)
class CompileConfig:
    """The way from the graph to a program."""

    images: int | None = at_least(1, None)
    """Images at a time; None for the number that takes the least time an image."""
    verify_images: int = at_least(0, 16)
    """Test images on which the program must equal golden; 0 for none."""


@dataclass(frozen=True)
class Config:
    """One network on its way to the board."""

    model: str = "lenet"
    """A name from the zoo, or a module and its attribute with a colon between them; the working
    directory is importable."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for the model's constructor."""
    weights: str | None = None
    """A file of weights, from the working directory or beside the YAML file: `run` and `quantize`
    import it in place of training."""
    task: Literal["classify", "segment", "regress", "features"] = field(
        default="classify", metadata=UNRECORDED
    )
    """The meaning of the outputs, by which they are judged."""
    metric: str | None = field(default=None, metadata=UNRECORDED)
    """Figures of yours in place of the task's, as package.module:function of outputs and targets;
    the first of them counts."""
    metric_goal: Literal["max", "min"] = field(default="max", metadata=UNRECORDED)
    """Whether more or less of your figures is better."""
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    quantize: QuantizeConfig = QuantizeConfig()
    hardware: BoardConfig = BoardConfig()
    compile: CompileConfig = CompileConfig()
    name: str = field(default="", metadata={"internal": True})
    """The file's stem: names the build folder."""

    def __post_init__(self) -> None:
        """Refuse a metric that cannot be a function."""
        if self.metric is not None and not is_spec(self.metric):
            raise FieldError("metric", f"is yours as package.module:function; got '{self.metric}'")


def is_spec(text: str) -> bool:
    """Whether a text has the form package.module:attribute."""
    module, colon, attribute = text.partition(":")
    parts = (*module.split("."), *attribute.split("."))
    return bool(colon) and all(part.isidentifier() for part in parts)


def _unknown_name(name: str, known: Sequence[str]) -> str:
    close = did_you_mean(name, list(known))
    return f"is one of {', '.join(known)}, or yours as package.module:function; got '{name}'{close}"


def _in_unit_range(
    mean: tuple[float, ...], std: tuple[float, ...], wrong: tuple[float, ...]
) -> str:
    """Message on a mean or standard deviation beyond 1, with both as pixels in [0, 1] have them."""

    def scaled(values: tuple[float, ...], anyway: bool) -> str:
        by = 255 if anyway or any(abs(value) > 1 for value in values) else 1
        return "[" + ", ".join(f"{value / by:.4g}" for value in values) + "]"

    # Caffe's networks take the mean off pixels in 0..255 and divide by nothing
    whole = set(std) == {1.0}
    write = [f"mean: {scaled(mean, False)}"] if mean else []
    write += [f"std: {scaled(std, whole)}"] if std else []
    return f"is {list(wrong)}, of pixels in 0..255; here pixels are in [0, 1]: write " + ", ".join(
        write
    )


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read `path` and apply `key.sub=value` overrides.

    Raises:
        ConfigError: with file:line, for anything that is not exactly a `Config`.
    """
    config = load_dataclass(Config, path, overrides)
    _check_together(config, path)
    return dataclasses.replace(config, name=path.stem)


def _check_together(config: Config, path: Path) -> None:
    mean, std, shape = config.data.mean, config.data.std, config.data.shape
    if len(mean or ()) != len(std or ()) or () in (mean, std):
        raise ConfigError(f"{path}: data.mean and data.std go together, one number per channel")
    if std is not None and min(std) <= 0:
        raise ConfigError(f"{path}: data.std must be positive, got {list(std)}")
    if len(shape) != 3 or min(shape) < 1:
        raise ConfigError(f"{path}: data.shape is C, H, W, all positive; got {list(shape)}")
