"""A network on the engine of every shipped board, in Verilator: what `simulated` of docs/boards.md
says. Boards with the same engine share one build."""

from __future__ import annotations

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.hardware import load_hardware, shipped_boards
from cnnaccel.ir import golden
from cnnaccel.render.params import render_params_svh
from tests.support.engine import Engine, run
from tests.support.graphs import images_for
from tests.support.networks import quantized

ENGINES: dict[str, list[str]] = {}
"""Names of the boards with each engine."""
for name in shipped_boards():
    ENGINES.setdefault(render_params_svh(load_hardware(name).without_board), []).append(name)
QUICK = ("tiny", "pynq_z1")
"""Boards whose engines other tests of every day build as well."""


@pytest.mark.parametrize(
    "boards",
    [
        pytest.param(boards, marks=() if set(boards) & set(QUICK) else pytest.mark.slow)
        for boards in ENGINES.values()
    ],
    ids=" ".join,
)
def test_lenet_on_the_engine_of_a_board(boards: list[str]) -> None:
    board = load_hardware(boards[0])
    graph = quantized("lenet")
    images = images_for(graph, 3)
    compiled = compile_graph(graph, board, None)
    assert np.array_equal(run(Engine(board), compiled, images), golden.run(graph, images))
