"""The driver for a long time: what it returns stays the same, what it takes stays flat."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.runtime.device import SimDevice
from cnnaccel.runtime.driver import Accelerator
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support import graphs

TINY = load_hardware("tiny")
COUNT = 10_000
MOST_GROWTH_BYTES = 512 << 10
"""Of Python's own arenas; 10,000 small objects that stay would take more."""


def few_cycles() -> Graph:
    """A convolution and a dense layer, which take hundreds of cycles."""
    rng = np.random.default_rng(5)
    image = graphs.spec("image", (1, 6, 6))
    scaled = graphs.requant(rng.integers(2**14, 2**15, 4), 20)
    one = graphs.conv2d(image, rng.integers(-99, 99, (4, 1, 3, 3)), "one", 9, scaled)
    signed = graphs.requant(20_000, 21, "int8")
    weight = rng.integers(-99, 99, (5, 64))
    two = graphs.dense(one.output, weight, name="two", requant=signed, dtype="int8")
    return Graph("few", image, (one, two))


GRAPH = few_cycles()


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture
def board(tmp_path: Path) -> Accelerator:
    compile_graph(GRAPH, TINY, 4).to_files(tmp_path)
    accelerator = Accelerator(simulated_bitstream(TINY), SimDevice(memory_bytes=64 << 20))
    accelerator.load(tmp_path)
    return accelerator


def images_for(count: int) -> np.ndarray:
    shape = (count, *GRAPH.input.shape)
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def test_many_images_in_one_call(board: Accelerator) -> None:
    images = images_for(COUNT)
    expected = golden.run(GRAPH, images)
    board.run(images)  # until numpy and Python have what they keep
    before = resident()
    for _ in range(2):
        assert np.array_equal(board.run(images), expected)
    growth = resident() - before
    print(f"{growth:,} bytes more after {2 * COUNT:,} images")
    assert growth < MOST_GROWTH_BYTES


@pytest.mark.slow
def test_one_image_many_times(board: Accelerator) -> None:
    image = images_for(1)
    expected = golden.run(GRAPH, image).tobytes()
    board.run(image)
    board.run(image)
    warm = dict(board.counters)
    for _ in range(COUNT // 10):
        board.run(image)
    before, memory = resident(), dict(board.device.default_memory.used)
    for _ in range(COUNT):
        assert board.run(image).tobytes() == expected
    growth = resident() - before
    print(f"{growth:,} bytes more after {COUNT:,} runs")
    assert board.counters == warm and board.device.default_memory.used == memory
    assert growth < MOST_GROWTH_BYTES
