"""The self-test of an engine: a file of programs with known results, and what came of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from cnnaccel.compiler import cases
from cnnaccel.errors import MismatchError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.render.params import render_params_svh
from cnnaccel.report.progress import say, working
from cnnaccel.report.selftest import outcomes_table
from cnnaccel.runtime.board import SELF_TEST
from cnnaccel.runtime.network import load_network
from cnnaccel.runtime.selftest import first_differences, summary
from cnnaccel.tools.verilate import cache_folder, digest_of, making

STAGE = "self-test"
LAYERS = "layers.npz"
"""The file of a comparison layer by layer, on images of the user's."""
LAYER_IMAGES = 4
"""Images in that, unless the user says how many."""
_PROGRAMS, _LENGTH = 12, 60
"""Random programs, and instructions in the body of each."""
_MOST_WEIGHTS = 1 << 20
"""Bytes of a layer's weights in the file of a self-test: a layer with more is cut."""
_SEED = 12


def write_selftest(
    folder: Path, hardware: HardwareConfig, graph: Graph | None, program: Path, console: Console
) -> None:
    """Write the file `SELF_TEST` into a folder: random programs, each layer, the network.

    graph: None leaves random programs alone. program: the folder of the network's program.
    """
    made: list[cases.Case] = []
    with working(console, "making the self-test: random programs, each layer by itself"):
        random = _random_file(hardware)
        if graph is not None:
            ports = load_network(program).ports
            shape = (2 * ports.images, *graph.input.shape)
            images = np.random.default_rng(_SEED).integers(0, 256, shape, np.uint8)
            made += cases.layer_cases(graph, hardware, images[:1], _MOST_WEIGHTS)
            made.append(cases.network_case(graph, ports, images))
        cases.to_file(made, folder / SELF_TEST, random)


def write_layers(
    folder: Path,
    hardware: HardwareConfig,
    graph: Graph,
    program: Path,
    images: npt.NDArray[np.uint8],
    console: Console,
) -> Path:
    """Write the file `LAYERS` into a folder: each layer and the network on these images."""
    with working(console, f"compiling each layer, golden on {len(images):,} images"):
        layers = cases.layer_cases(graph, hardware, images)
        network = cases.network_case(graph, load_network(program).ports, images)
        cases.to_file([*layers, network], folder / LAYERS)
    return folder / LAYERS


def require_passed(console: Console, what: str, where: str, outcomes: list[dict[str, Any]]) -> str:
    """Show what came of a test on an engine; its summary.

    Raises:
        MismatchError: something differs; where first.
    """
    console.print(outcomes_table(f"{what} on {where}", outcomes))
    line = f"{what}: {summary(outcomes)}"
    say(console, line)
    if found := first_differences(outcomes):
        differences = "\n".join(found)
        raise MismatchError(
            f"{where}: {what}: {differences}\nThe engine there does not compute what its program "
            "means; docs/deploy.md says what a pattern of differences points to"
        )
    return line


def _random_file(hardware: HardwareConfig) -> Path:
    """The file of an engine's random programs; kept in the cache, for it takes seconds to make."""
    sources = sorted(Path(cases.__file__).parent.glob("*.py"))
    texts = [path.read_bytes() for path in (*sources, Path(__file__))]
    key = digest_of([render_params_svh(hardware).encode(), *texts])
    path = cache_folder() / STAGE / f"{key}.npz"
    with making(path):
        if not path.is_file():
            made = path.with_suffix(".partial.npz")
            cases.to_file(cases.random_cases(hardware, range(_PROGRAMS), _LENGTH), made)
            os.replace(made, path)
    return path
