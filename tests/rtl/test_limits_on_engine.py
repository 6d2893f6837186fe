"""Networks at the bounds of the instruction set on the engine: golden's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.config import QuantizeConfig
from cnnaccel.ir import golden
from cnnaccel.quant.ptq import quantize
from cnnaccel.runtime.device import SimDevice
from cnnaccel.runtime.driver import Accelerator
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support.bounds import HANDLED, REFUSED, conv, net
from tests.support.hardware import PYNQ
from tests.support.networks import pixels


@pytest.mark.parametrize("name", ["Compute.a_jumps", "Compute.y_init", "Compute.x_jumps", "rows"])
def test_at_the_bound(name: str, tmp_path: Path) -> None:
    """Addresses that wrap, rows and columns that do not, rows counted from a piece's own first."""
    if name == "rows":
        model, shape = net(conv(1, 2, (3, 3), stride=(8, 9), padding=(1, 1))), (1, 2056, 2049)
    elif name in HANDLED:
        make, shape = HANDLED[name]
        model = make()
    else:
        bound = REFUSED[name]
        model, shape = bound.network(bound.inside), bound.shape
    images = pixels(shape, 1)
    graph = quantize(model, name, images, QuantizeConfig(bias_correction=False)).graph
    compile_graph(graph, PYNQ).to_files(tmp_path)
    board = Accelerator(simulated_bitstream(PYNQ), SimDevice(memory_bytes=256 << 20))
    board.load(tmp_path)
    assert np.array_equal(board.run(images), golden.run(graph, images))
    board.buffers.clear()
