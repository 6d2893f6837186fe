"""The part of a `network.json` that is for people: pre-processing, class names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnaccel.errors import ConfigError
from cnnaccel.ir.graph import Graph, output_shapes
from cnnaccel.runtime.network import NETWORK_FILE
from cnnaccel.runtime.pictures import CROPS, Preprocessing, framing_for
from cnnaccel.workspace import write_atomic

Shape = tuple[int, int, int]


def preprocessing_for(
    shape: Shape,
    asked: Mapping[str, Any] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Preprocessing | None:
    """The pre-processing of pictures for a network of images [C, H, W]; None where none can go in.

    asked: `size`, `crop`, `colour`, each of which may be left out: the network has its own size and
    colour, and the usual crop is at the center. mean, std: the normalisation it was trained with.

    Raises:
        ConfigError: another size or colour than the network's, no such crop, no such key.
    """
    framing = framing_for(shape)
    if framing is None:
        if asked:
            raise ConfigError(
                f"preprocessing: pictures have 1 or 3 channels, this network takes {shape[0]}"
            )
        return None
    own = {"size": list(shape[1:]), "colour": framing.colour, "crop": framing.crop}
    for name, value in (asked or {}).items():
        if name not in own:
            raise ConfigError(f"preprocessing has {', '.join(own)}, not '{name}'")
        if name == "crop" and value not in CROPS:
            raise ConfigError(f"preprocessing: crop is one of {', '.join(CROPS)}; got '{value}'")
        found = list(value) if name == "size" else value
        if name != "crop" and found != own[name]:
            raise ConfigError(
                f"preprocessing: {name} {found}, but the network takes images of {own['size']}, "
                f"{own['colour']}"
            )
    framing = replace(framing, crop=str((asked or {}).get("crop", framing.crop)))
    if mean is None or std is None:
        return Preprocessing(framing)
    return Preprocessing(framing, tuple(map(float, mean)), tuple(map(float, std)))


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
