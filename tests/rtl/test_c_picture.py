"""Pictures in C: crop, grey and planes are Python's to the last bit; nothing is scaled."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.api.describe import describe, preprocessing_for
from cnnaccel.compiler.compile import compile_graph
from cnnaccel.hardware import load_hardware
from cnnaccel.render.model import render_model_h
from cnnaccel.render.params import render_params_h
from cnnaccel.runtime.pictures import COLOURS, CROPS, Framing
from tests.support.c_driver import BAD_ARGUMENT, CHECKED, DRIVER, STRICT, need, run
from tests.support.graphs import small_network

TINY = load_hardware("tiny")
NEEDS_SCALING, TRANSPARENT = 17, 18
ROWS, COLUMNS = 12, 15


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C function behind standard input and output, without an engine."""
    need("gcc")
    folder = tmp_path_factory.mktemp("picture")
    (folder / "params.h").write_text(render_params_h(TINY))
    run("gcc", "-O1", *CHECKED, *STRICT, f"-I{folder}", f"-I{DRIVER}", DRIVER / "picture.c",
        DRIVER / "test/picture.c", "-o", folder / "picture")  # fmt: skip
    return folder / "picture"


def in_c(
    program: Path, framing: Framing, pixels: np.ndarray, spare: int = 0
) -> tuple[int, np.ndarray]:
    """Status and image. spare: bytes between rows."""
    assert framing.size is not None
    rows, columns, channels = np.atleast_3d(pixels).shape
    laid = np.pad(pixels.reshape(rows, -1), ((0, 0), (0, spare)), constant_values=77)
    shape = COLOURS[framing.colour], *framing.size
    numbers = *shape, CROPS.index(framing.crop), rows, columns, channels, laid.shape[1]
    done = subprocess.run(
        [program, *map(str, numbers)], input=laid.tobytes(), capture_output=True, check=False
    )
    assert not done.stderr, done.stderr.decode()
    image = np.frombuffer(done.stdout, np.uint8)
    return done.returncode, image.reshape(shape) if done.returncode == 0 else image


def sizes(crop: str) -> list[tuple[int, int]]:
    """Rows and columns of pictures that need no scaling."""
    same = [(ROWS, COLUMNS)]
    wide = [(ROWS, COLUMNS + more) for more in (1, 2, 3, 8, 9)]
    high = [(ROWS + more, COLUMNS) for more in (1, 2, 5)]
    narrow = [(ROWS, COLUMNS - less) for less in (1, 2, 3, 4, 5, 6, 7)]
    flat = [(ROWS - less, COLUMNS) for less in (1, 2, 3, 4, 5)]
    return same + {"center": wide + high, "squash": [], "pad": narrow + flat}[crop]


@pytest.mark.parametrize("crop", CROPS)
def test_python_s_pixels(program: Path, crop: str) -> None:
    """Odd and even margins, which are halves of pixels, from and to every number of colours."""
    rng = np.random.default_rng(6)
    for number, (rows, columns) in enumerate(sizes(crop)):
        framing = Framing((ROWS, COLUMNS), crop, list(COLOURS)[number % 2])
        for depth in ((), (3,), (4,)):
            pixels = rng.integers(0, 256, (rows, columns, *depth), np.uint8)
            if depth == (4,):
                pixels[..., 3] = 255
            status, image = in_c(program, framing, pixels, spare=number % 3)
            assert status == 0 and np.array_equal(image, framing.frame(pixels)), pixels.shape


def test_pictures_that_are_refused(program: Path) -> None:
    def status(rows: int, columns: int, crop: str = "center", channels: int = 3) -> int:
        pixels = np.full((rows, columns, channels), 254, np.uint8)
        return in_c(program, Framing((ROWS, COLUMNS), crop, "grey"), pixels)[0]

    for size in ((ROWS + 1, COLUMNS + 1), (ROWS - 1, COLUMNS), (ROWS, COLUMNS - 1), (3, 4)):
        assert status(*size) == NEEDS_SCALING
        assert status(*size, "squash") == NEEDS_SCALING
    assert status(ROWS, COLUMNS + 1, "pad") == status(ROWS + 2, COLUMNS, "pad") == NEEDS_SCALING
    assert status(ROWS, COLUMNS, channels=4) == TRANSPARENT
    assert status(ROWS, COLUMNS, channels=2) == BAD_ARGUMENT
    for *numbers, bytes_of_pixels in ((1, 4, 4, 0, 4, 4, 3, 11, 44), (2, 4, 4, 0, 4, 4, 1, 4, 16)):
        command = [str(program), *map(str, numbers)]
        done = subprocess.run(
            command, input=bytes(bytes_of_pixels), capture_output=True, check=False
        )
        assert done.returncode == BAD_ARGUMENT


@pytest.mark.parametrize("crop", CROPS)
def test_model_says_how_to_crop(crop: str, tmp_path: Path) -> None:
    graph = small_network()
    compile_graph(graph, TINY, 1).to_files(tmp_path)
    shape = graph.input.shape
    describe(tmp_path, graph, preprocessing_for(shape, {"crop": crop}), ())
    text = render_model_h(tmp_path)
    assert (f".crop = CNNACCEL_{crop.upper()}," in text) == (crop != "center")
