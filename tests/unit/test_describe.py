"""What a program says of pictures and classes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnaccel.api.describe import describe, preprocessing_for
from cnnaccel.api.images import as_pixels
from cnnaccel.compiler.compile import compile_graph
from cnnaccel.config import DataConfig
from cnnaccel.errors import ConfigError, DataError
from cnnaccel.hardware import load_hardware
from cnnaccel.nn.data import load_dataset
from cnnaccel.runtime.images import read_named
from cnnaccel.runtime.network import load_network
from cnnaccel.runtime.pictures import Framing, Preprocessing
from tests.support.graphs import small_network

RGB, GREY = (3, 8, 12), (1, 8, 12)


def test_record_of_a_program(tmp_path: Path) -> None:
    """Written beside the program, and read with it; a program without it has none."""
    graph = small_network()
    compile_graph(graph, load_hardware("tiny"), 1).to_files(tmp_path)
    before = load_network(tmp_path)
    assert (before.preprocessing, before.classes) == (None, ())
    made = preprocessing_for(graph.input.shape, {"crop": "pad"})
    names = [f"class {at}" for at in range(graph.results[0].shape[0])]
    describe(tmp_path, graph, made, names)
    after = load_network(tmp_path)
    assert (after.preprocessing, after.classes) == (made, tuple(names))
    describe(tmp_path, graph, None, ["of", "something", "else"])
    values = json.loads((tmp_path / "network.json").read_text())
    assert values["preprocessing"] is None and values["classes"] == []


@pytest.mark.parametrize(
    ("shape", "asked", "words"),
    [
        (RGB, {"crop": "zoom"}, "crop is one of center, squash, pad; got 'zoom'"),
        (RGB, {"size": [8, 8]}, r"size \[8, 8\], but the network takes images of \[8, 12\], rgb"),
        (RGB, {"colour": "grey"}, "colour grey, but the network takes images"),
        (RGB, {"colours": "grey"}, "has size, colour, crop, not 'colours'"),
        ((2, 8, 8), {"crop": "pad"}, "pictures have 1 or 3 channels, this network takes 2"),
    ],
)
def test_what_is_refused(shape: Any, asked: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        preprocessing_for(shape, asked)


def test_what_is_taken() -> None:
    assert preprocessing_for((2, 8, 8)) is None
    framed = preprocessing_for(RGB, {"size": (8, 12), "colour": "rgb"}, [0.5] * 3, [0.25] * 3)
    assert framed == Preprocessing(Framing((8, 12), "center", "rgb"), (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("crop", ["center", "squash", "pad"])
def test_training_and_boards_see_the_same_pixels(crop: Any, tmp_path: Path) -> None:
    """Of a folder of photographs: the dataset's images are those that a board makes."""
    rng = np.random.default_rng(8)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            pixels = rng.integers(0, 256, (*rng.integers(5, 30, 2), 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    config = DataConfig(name="folder", size=(8, 12), crop=crop, colour="grey", validation=1)
    data = load_dataset(config, tmp_path)
    made = preprocessing_for(GREY, {"crop": crop})
    names, pixels = read_named([tmp_path], GREY, made)
    seen = np.concatenate([part.images[:] for part in (data.train, data.validation, data.test)])
    assert len(seen) == len(names) == 8
    assert sorted(one.tobytes() for one in seen) == sorted(one.tobytes() for one in pixels)
    assert np.array_equal(as_pixels(tmp_path, GREY, None, made), pixels)
    with pytest.raises(DataError, match="no `preprocessing`"):
        as_pixels(str(tmp_path), GREY)
