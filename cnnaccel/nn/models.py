"""Models by name: the zoo's, or any importable `package.module:attribute`.

Importing and constructing a model runs code of the user's, so whatever that code does wrong
becomes a ModelError with its file and line.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnaccel.config import Config
from cnnaccel.errors import ConfigError, ModelError
from cnnaccel.nn.evaluate import outputs_of
from cnnaccel.nn.functions import blame
from cnnaccel.nn.outputs import take_main_output
from cnnaccel.nn.sources import find_module, imported_files, seeded, working_directory_importable
from cnnaccel.nn.tasks import Features, Task, keeps_every_output, task_of
from cnnaccel.nn.vision import import_torchvision
from cnnaccel.nn.wrappers import unwrap
from cnnaccel.nn.zoo import ZOO


def make_model(config: Config, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The configured model, initialised from the training seed, for images of `shape` (C, H, W).

    It returns its logits alone, whatever else its forward() does, unless the task takes all
    outputs. classes: 0 where images have no labels.

    Raises:
        ModelError: it cannot be made, or does not fit the images, the task or the classes.
        ConfigError: `data.mean` or `data.std` does not fit the channels.
    """
    model = build_model(config.model, config.model_args, seed=config.train.seed)
    if config.data.mean is not None and config.data.std is not None:
        model = with_normalization(model, config.data.mean, config.data.std, channels=shape[0])
    if not keeps_every_output(config):
        take_main_output(model)
    if config.task == "classify" and config.metric is None and classes:
        check_fits(model, shape, classes)
    else:
        check_task(
            model, shape, Features() if config.task == "classify" else task_of(config.task, classes)
        )
    return model


def build_model(spec: str, args: dict[str, Any], seed: int = 0) -> nn.Module:
    """Construct `spec` with keyword arguments `args` and random weights drawn from `seed`.

    What DataParallel, torch.compile and the like wrapped is taken out of it.

    The attribute may be a class, a function that returns a module, or a module.
    """
    module_name, attribute = _parse(spec)
    if attribute is None:
        made: object = ZOO[spec]
    else:
        made = _import_attribute(spec, module_name, attribute)
    if callable(made) and not isinstance(made, nn.Module):
        made = _construct(spec, made, args, seed)
    elif args:
        raise ModelError(f"model '{spec}' is not constructed, so it takes no model_args: {args}")
    if not isinstance(made, nn.Module):
        raise ModelError(f"model '{spec}' gives a {type(made).__name__}, not a torch.nn.Module")
    try:
        return unwrap(made)
    except ModelError as error:
        raise ModelError(f"model '{spec}': {error}") from None


def model_files(spec: str) -> set[Path]:
    """The modules of the user's that `spec` is made from, found without running any."""
    module_name, attribute = _parse(spec)
    if attribute is None:
        return set()
    with working_directory_importable():
        return imported_files(module_name)


def check_fits(model: nn.Module, shape: tuple[int, int, int], classes: int) -> None:
    """Run two black images through a classifier.

    Raises:
        ModelError: it fails on images of `shape`, or its output is not [2, classes].
    """
    output = _of_black_images(model, shape)
    if not isinstance(output, Tensor):
        raise ModelError(f"the model returns a {type(output).__name__}; expected one tensor")
    if output.shape != (2, classes):
        other = {2: "", 4: "; maps of classes are for task: segment"}
        hint = other.get(output.ndim, "; numbers are for task: regress")
        raise ModelError(
            f"the model turns two {_size(shape)} images into {list(output.shape)}; the data has "
            f"{classes} classes, so it must be [2, {classes}]{hint}"
        )


def check_task(model: nn.Module, shape: tuple[int, int, int], task: Task) -> None:
    """Run two black images through a model.

    Raises:
        ModelError: it fails on images of `shape`, or its outputs are none that the task judges.
    """
    outputs = outputs_of(_of_black_images(model, shape))
    for number, one in enumerate(outputs):
        if one.ndim == 0 or len(one) != 2:
            raise ModelError(
                f"the model turns two {_size(shape)} images into {list(one.shape)} as output "
                f"{number}; the first number must be that of the images, 2"
            )
    task.check([one.shape for one in outputs])


def _of_black_images(model: nn.Module, shape: tuple[int, int, int]) -> Any:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return model(torch.zeros(2, *shape))
    except ModelError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())
        raise ModelError(f"the model does not fit {_size(shape)} images: {message}") from error
    finally:
        model.train(training)


def _size(shape: tuple[int, int, int]) -> str:
    return "x".join(map(str, shape))


class Normalize(nn.BatchNorm2d):
    """(x - mean) / std per channel: a batch norm that never learns, to be folded like one."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(len(mean), eps=0.0, affine=False)
        assert self.running_mean is not None and self.running_var is not None
        self.running_mean.copy_(torch.tensor(mean))
        self.running_var.copy_(torch.tensor(std, dtype=torch.float64) ** 2)
        self.eval()

    def train(self, mode: bool = True) -> Normalize:
        """Stay in evaluation mode, whatever the model around it does."""
        return super().train(False)


def with_normalization(
    model: nn.Module, mean: Sequence[float], std: Sequence[float], channels: int
) -> nn.Module:
    """`model` behind a `Normalize`, so that it sees [0, 1] pixels; ConfigError on wrong lengths."""
    if len(mean) != channels or len(std) != channels:
        raise ConfigError(
            f"data.mean has {len(mean)} values and data.std {len(std)}, but images have {channels} "
            "channels; give one value per channel"
        )
    return nn.Sequential(OrderedDict(normalize=Normalize(mean, std), model=model))


def _parse(spec: str) -> tuple[str, str | None]:
    """Module and attribute; the attribute is None for a zoo name."""
    module_name, colon, attribute = spec.partition(":")
    if spec in ZOO:
        return "cnnaccel.nn.zoo", None
    if colon and attribute and all(part.isidentifier() for part in module_name.split(".")):
        return module_name, attribute
    close = difflib.get_close_matches(spec, ZOO, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"the zoo has {', '.join(ZOO)};"
    raise ModelError(f"unknown model '{spec}'; {hint} Your own is written package.module:attribute")


def _import_attribute(spec: str, module_name: str, attribute: str) -> object:
    import_torchvision()  # models may import it, and its plain import may fail
    with working_directory_importable():
        if find_module(module_name) is None:
            raise ModelError(
                f"model '{spec}': there is no module '{module_name}' in {Path.cwd()} or among the "
                "installed packages"
            )
        try:
            module = importlib.import_module(module_name)
        except (Exception, SystemExit) as error:
            raise ModelError(f"model '{spec}': importing it failed{blame(error)}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        names = [name for name in vars(module) if not name.startswith("_")]
        close = difflib.get_close_matches(attribute, names, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ModelError(
            f"model '{spec}': {module.__file__ or module_name} has no '{attribute}'{hint}"
        ) from None


def _construct(spec: str, maker: Any, args: dict[str, Any], seed: int) -> object:
    try:
        with working_directory_importable(), seeded(seed), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return maker(**args)
    except (Exception, SystemExit) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in args.items()) or "no arguments"
        try:
            accepted = f"; it accepts {', '.join(inspect.signature(maker).parameters)}"
        except (TypeError, ValueError):
            accepted = ""
        raise ModelError(
            f"model '{spec}' cannot be made with {given}{blame(error)}{accepted}"
        ) from error
