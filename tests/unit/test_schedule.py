"""What the compiler refuses, and that it is as good as it says: errors, choices, same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.plan.schedule import TooSmallError
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import Compute, Load, Opcode
from tests.support import graphs

PYNQ = HardwareConfig()
SMALLEST = HardwareConfig(act_kib=4, wgt_kib=4, par_groups=16)


def one_layer(layer: object, source: object) -> Graph:
    return Graph("one", source, (layer,))  # type: ignore[arg-type]


def test_a_pool_that_no_piece_of_fits_says_what_it_needs() -> None:
    """And what it says is enough, and half of it is not."""
    source = graphs.spec("image", (6, 90, 90))
    graph = one_layer(graphs.max_pool(source, (90, 90), "global"), source)
    with pytest.raises(TooSmallError, match=r"layer 'global'.*act_kib of at least 64; it is 4"):
        compile_graph(graph, SMALLEST)
    compile_graph(graph, HardwareConfig(act_kib=64, wgt_kib=4, par_groups=16))
    with pytest.raises(TooSmallError):
        compile_graph(graph, HardwareConfig(act_kib=32, wgt_kib=4, par_groups=16))


def test_a_tensor_beyond_32_bits() -> None:
    source = graphs.spec("image", (1, 2000, 40000))
    weight = np.ones((64, 1, 1, 1))
    wide = graphs.conv2d(source, weight, "wide")
    last = graphs.conv2d(wide.output, np.ones((1, 64, 1, 1)), "last")
    with pytest.raises(ProgramError, match="tensor 'wide' ends at byte 5,120,000,000 of SCRATCH"):
        compile_graph(Graph("large", source, (wide, last)), PYNQ)


def test_a_value_that_no_field_has_names_the_layer() -> None:
    source = graphs.spec("image", (1, 3, 4))
    padded = graphs.conv2d(source, np.ones((1, 1, 2, 2)), "padded", padding=(3000, 3000, 0, 0))
    with pytest.raises(ProgramError, match="layer 'padded': -3,000 as the first row"):
        compile_graph(one_layer(padded, source), PYNQ)


@pytest.mark.parametrize("images", [3, 6])
def test_images_at_a_time_are_a_multiple_of_the_lanes(images: int) -> None:
    source = graphs.spec("image", (1, 4, 4))
    first = graphs.conv2d(source, np.ones((3, 1, 3, 3)), "first")
    last = graphs.dense(first.output, np.ones((2, 12)), name="last")
    graph = Graph("two", source, (first, last))
    with pytest.raises(ProgramError, match="a multiple of P = 4"):
        compile_graph(graph, PYNQ, images)
    assert compile_graph(graph, PYNQ, 8).program.images_per_iteration == 8
    with pytest.raises(ProgramError, match="where the network ends in dense layers"):
        compile_graph(one_layer(first, source), PYNQ, 4)


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    """In processes that hash differently too."""
    code = (
        "import sys; from pathlib import Path; "
        "from cnnaccel.compiler.compile import compile_graph; "
        "from tests.support import graphs; from tests.support.hardware import SMALLEST; "
        "compile_graph(graphs.every_kind(), SMALLEST).to_files(Path(sys.argv[1]))"
    )
    for name in "ab":
        (tmp_path / name).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": str(ord(name))}
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    for file in ("program.bin", "weights.bin", "network.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def computes(graph: Graph, hw: HardwareConfig) -> list[Compute]:
    body = compile_graph(graph, hw, 1).program.body
    return [one for one in body if isinstance(one, Compute) and one.opcode is Opcode.MAC]


def test_what_fits_is_done_in_one_piece() -> None:
    """Weights resident, tensors whole: an instruction for each layer, transfers for the ends."""
    graph = graphs.every_kind()
    body = compile_graph(graph, PYNQ, 1).program.body
    # of the concatenation there is none: its inputs are written side by side; one is the fence
    assert sum(isinstance(one, Compute) for one in body) == len(graph.layers) - 1 + 1
    assert sum(isinstance(one, Load) for one in body) == 1


def test_a_reduction_larger_than_wgt_is_split() -> None:
    """Parts keep their sums: only the first clears, only the last drains."""
    source = graphs.spec("image", (200, 1, 1))
    graph = one_layer(graphs.conv2d(source, np.ones((8, 200, 1, 1)), "deep"), source)
    parts = computes(graph, HardwareConfig(wgt_kib=4, input_lanes=16, output_lanes=64))
    assert len(parts) > 1 and sum(part.bounds[8] for part in parts) == 13
    assert [part.clear for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.drain for part in parts] == [False] * (len(parts) - 1) + [True]


def test_an_image_alone_is_begun_before_all_of_it_is_there() -> None:
    """Where all weights stay on the chip; then nothing else is loaded meanwhile."""
    source = graphs.spec("image", (1, 28, 28))
    first = graphs.conv2d(source, np.ones((8, 1, 3, 3)), "first", padding=(1, 1, 1, 1))
    for channels, wgt_kib, loads in ((8, 128, 2), (256, 4, 1)):
        last = graphs.conv2d(first.output, np.ones((channels, 8, 3, 3)), "last")
        hardware = HardwareConfig(wgt_kib=wgt_kib)
        program = compile_graph(Graph("two", source, (first, last)), hardware, 1).program
        unfolds = [one for one in program.body if one.opcode is Opcode.UNFOLD]
        assert len(unfolds) == loads
        assert all(not isinstance(one, Load) for one in program.again)
        assert program.once[len(program.once) - len(program.again) :] == program.again
        assert len(program.again) < len(program.once)
