"""What a user should know of a program beside its ports: class names, what pictures go through."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnaccel.errors import ConfigError
from cnnaccel.ir.graph import Graph, output_shapes
from cnnaccel.runtime.network import NETWORK_FILE
from cnnaccel.runtime.pictures import (
    COLOURS,
    CROPS,
    Framing,
    Preprocessing,
    framing_for,
)
from cnnaccel.workspace import write_atomic

Shape = tuple[int, int, int]


def preprocessing_for(
    shape: Shape,
    asked: Preprocessing | Mapping[str, Any] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Preprocessing | None:
    """What pictures go through before a network of images [C, H, W]; None where none can.

    asked: `size`, `crop`, `colour`, each of which may be left out: the network has its own size and
    colour, and crops at the center. mean, std: the normalisation it was trained with.

    Raises:
        ConfigError: another size or colour than the network's, or no such crop.
    """
    if isinstance(asked, Preprocessing):
        mean, std = asked.mean or mean, asked.std or std
        framing = asked.framing
        asked = {"size": framing.size, "crop": framing.crop, "colour": framing.colour}
    values = {name: value for name, value in (asked or {}).items() if value is not None}
    own = framing_for(shape)
    if own is None or own.size is None:
        if values:
            raise ConfigError(
                f"preprocessing: pictures have 1 or 3 channels, this takes {shape[0]}"
            )
        return None
    wanted = {"size": list(own.size), "colour": own.colour}
    for name, value in values.items():
        found = list(value) if name == "size" else value
        if name not in (*wanted, "crop"):
            raise ConfigError(f"preprocessing has size, crop and colour, not '{name}'")
        if found != wanted.get(name, found):
            raise ConfigError(
                f"preprocessing: {name} {found}, but the network takes images of {wanted['size']}, "
                f"{wanted['colour']}"
            )
    crop = values.get("crop", CROPS[0])
    if crop not in CROPS:
        raise ConfigError(f"preprocessing: crop is one of {', '.join(CROPS)}; got '{crop}'")
    both = mean is not None and std is not None
    if both and not len(mean or ()) == len(std or ()) == COLOURS[own.colour]:
        both = False  # of something else than these pixels
    return Preprocessing(
        Framing(own.size, crop, own.colour),
        tuple(map(float, mean)) if both and mean is not None else None,
        tuple(map(float, std)) if both and std is not None else None,
    )


def describe(
    folder: Path, graph: Graph, preprocessing: Preprocessing | None, classes: Sequence[str]
) -> None:
    """Add to the `network.json` of a program what people and boards should know of it.

    classes: names; they are left out where they are not as many as channels.
    """
    path = folder / NETWORK_FILE
    values = json.loads(path.read_text(encoding="utf-8"))
    values["preprocessing"] = None if preprocessing is None else preprocessing.recorded()
    channels, *_ = next(iter(output_shapes(graph).values())) or (0,)
    values["classes"] = list(classes) if len(classes) == channels else []
    write_atomic(path, json.dumps(values, indent=1).encode() + b"\n")
