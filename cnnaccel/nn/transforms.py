"""Random changes to training images by torchvision's transforms v2, or by a user's function.

Each image is changed by itself, with random numbers of its own: drawn from the seed, the epoch and
the image's number, they are the same whoever trains, in whatever batch. Masks go with their image.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnaccel.config import AugmentConfig, is_spec
from cnnaccel.errors import ConfigError, ModelError
from cnnaccel.fields import Call, did_you_mean
from cnnaccel.nn.functions import load_function, running
from cnnaccel.nn.sources import seeded
from cnnaccel.nn.vision import import_torchvision

_KEY = "train.augment"


@dataclass(frozen=True)
class Transforms:
    """Changes of one image uint8[C, H, W], and of its mask [H, W] where it has one."""

    steps: tuple[tuple[str, Callable[..., Any]], ...]
    """Each with its name for errors."""

    def __call__(
        self, images: Tensor, masks: Tensor | None, seeds: Sequence[int]
    ) -> tuple[Tensor, Tensor | None]:
        """Images uint8[N, C, H, W] and masks [N, H, W], changed with a seed for each.

        torch's, numpy's and Python's global random numbers are afterwards as before.

        Raises:
            ModelError: a step fails, or gives images of another shape or type.
        """
        if not self.steps:
            return images, masks
        state = torch.get_rng_state()
        try:
            pairs = [
                self._one(image, None if masks is None else masks[at], seeds[at])
                for at, image in enumerate(images)
            ]
        finally:
            torch.set_rng_state(state)
        changed = torch.stack([image for image, _ in pairs])
        return changed, None if masks is None else torch.stack(
            [m for _, m in pairs if m is not None]
        )

    def _one(self, image: Tensor, mask: Tensor | None, seed: int) -> tuple[Tensor, Tensor | None]:
        tensors = _tv_tensors()
        given = [tensors.Image(image)] + ([] if mask is None else [tensors.Mask(mask)])
        with seeded(seed):
            torch.default_generator.manual_seed(seed)
            for name, step in self.steps:
                with running(f"{_KEY}: {name}"):
                    found = step(*given)
                made = list(found) if isinstance(found, tuple | list) else [found]
                if len(made) != len(given):
                    raise ModelError(
                        f"{_KEY}: {name} gives {len(made)} values for {len(given)}; "
                        f"return the image{' and its mask' if mask is not None else ''}"
                    )
                for what, before, after in zip(("image", "mask"), given, made, strict=False):
                    _require_alike(name, what, before, after)
                given = [
                    type(before)(torch.as_tensor(after))
                    for before, after in zip(given, made, strict=True)
                ]
        plain = [one.as_subclass(Tensor) for one in given]
        return plain[0], plain[1] if mask is not None else None


def make_transforms(config: AugmentConfig) -> Transforms:
    """The transforms of a configuration.

    Raises:
        ConfigError: a name or an argument that torchvision does not have, with its place.
    """
    return Transforms(tuple(_made(call, _place(call.name)) for call in config.transforms or ()))


def _made(call: Call, place: str) -> tuple[str, Callable[..., Any]]:
    name = str(call.name)
    if is_spec(name):
        if call.arguments:
            raise ConfigError(f"{place}: {name} is called with images, and takes no arguments here")
        return name, load_function(name, _KEY)
    known = _known()
    if name not in known:
        near = _near(name, list(known))
        raise ConfigError(
            f"{place}: {_KEY}: torchvision.transforms.v2 has no '{name}'{near}; your own is "
            "written package.module:function"
        )
    maker = known[name]
    accepted = inspect.signature(maker).parameters
    given = {}
    for key, value in call.arguments.items():
        if key not in accepted:
            near = _near(str(key), list(accepted)) or f"; it takes {', '.join(accepted)}"
            raise ConfigError(f"{_place(key, place)}: {_KEY}: {name} has no argument '{key}'{near}")
        given[str(key)] = _value(value, accepted[key].default, place)
    shown = ", ".join(f"{key}={value!r}" for key, value in call.arguments.items())
    try:
        return f"{name}({shown})", maker(**given)
    except Exception as error:  # noqa: BLE001 - whatever torchvision has against the arguments
        said = " ".join(str(error).split())
        raise ConfigError(f"{place}: {_KEY}: {name}({shown}) cannot be made: {said}") from None


def _value(value: Any, default: Any, place: str) -> Any:
    """An argument, where YAML has it as a text or as a list of further transforms."""
    if isinstance(default, enum.Enum) and isinstance(value, str):
        names = [str(one.value) for one in type(default)]
        if value not in names:
            raise ConfigError(f"{place}: {_KEY}: '{value}' is none of {', '.join(names)}")
        return type(default)(value)
    if isinstance(value, list) and value and all(_is_call(one) for one in value):
        return [_made(one, place)[1] for one in map(_as_call, value)]
    return value


def _is_call(value: Any) -> bool:
    name = next(iter(value)) if isinstance(value, Mapping) and len(value) == 1 else value
    return isinstance(name, str) and (name in _known() or name[:1].isupper())


def _as_call(value: Any) -> Call:
    if isinstance(value, str):
        return Call(value)
    ((name, arguments),) = value.items()
    return Call(str(name), dict(arguments or {}))


def _known() -> dict[str, Any]:
    """The transforms of an image, by name."""
    module = _v2()
    base: Any = module.Transform
    return {
        name: made
        for name, made in vars(module).items()
        if isinstance(made, type) and issubclass(made, base) and made is not base
    }


def _v2() -> Any:
    import_torchvision()
    return importlib.import_module("torchvision.transforms.v2")


def _tv_tensors() -> Any:
    import_torchvision()
    return importlib.import_module("torchvision.tv_tensors")


def _near(word: str, known: Sequence[str]) -> str:
    """A hint at the known name that a word is nearest to, whatever letters are capitals."""
    lower = {name.lower(): name for name in known}
    hint = did_you_mean(word, list(lower))
    return f"; did you mean '{lower[hint.split(chr(39))[1]]}'?" if hint else ""


def _place(text: str, otherwise: str = _KEY) -> str:
    return str(getattr(text, "place", otherwise))


def _require_alike(name: str, what: str, before: Tensor, after: Any) -> None:
    if isinstance(after, Tensor) and after.shape == before.shape and after.dtype == before.dtype:
        return
    shown = type(after).__name__
    if isinstance(after, Tensor):
        shown = f"{str(after.dtype).removeprefix('torch.')}{list(after.shape)}"
    wanted = f"{str(before.dtype).removeprefix('torch.')}{list(before.shape)}"
    raise ModelError(
        f"{_KEY}: {name} makes {shown} of the {what} {wanted}; it must keep shape and type"
    )
