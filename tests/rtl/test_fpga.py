"""What the driver asks before it touches a register, and what it says where it gets no memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pynq
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.errors import EngineError
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.runtime import fpga, preflight
from cnnaccel.runtime.device import BASE, SimDevice
from cnnaccel.runtime.driver import Accelerator
from cnnaccel.runtime.simulator import Timing
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support.graphs import small_network

TINY = load_hardware("tiny")
GRAPH = small_network()
IMAGES = np.random.default_rng(3).integers(0, 256, (2, *GRAPH.input.shape), np.uint8)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says of the FPGA."""
    monkeypatch.setenv(fpga.FOLDER, str(tmp_path))
    (tmp_path / "state").write_text("operating\n")
    return tmp_path / "state"


class Board(SimDevice):
    """Counts what is done to it."""

    def __init__(self, allocate: Callable[[], None] = lambda: None, **values: Any) -> None:
        super().__init__(memory_bytes=8 << 20, **values)
        self.accesses = self.downloads = 0
        self.before_allocation = allocate

    def _read(self, address: int) -> int:
        self.accesses += 0 <= address - self._engine < 256
        return super()._read(address)

    def download(self, bitstream: Any, parser: Any = None) -> None:
        super().download(bitstream, parser)
        self.downloads += 1

    def allocate(self, *shape: Any, **values: Any) -> Any:
        self.before_allocation()
        return super().allocate(*shape, **values)


@pytest.fixture
def board() -> Board:
    """With the engine loaded."""
    made = Board()
    pynq.Overlay(str(simulated_bitstream(TINY)), device=made)
    made.accesses = made.downloads = 0
    return made


@pytest.mark.parametrize("said", ["unknown", "power off", "write error", ""])
def test_no_register_is_touched_where_no_logic_is(state: Path, board: Board, said: str) -> None:
    state.write_text(said + "\n")
    bitstream = simulated_bitstream(TINY)
    if not said:  # the kernel says nothing
        assert Accelerator(bitstream, board, download=False).digest == TINY.digest
        return
    match = f"FPGA manager says '{said}', not 'operating'.*leave download=False out"
    with pytest.raises(EngineError, match=match):
        Accelerator(bitstream, board, download=False)
    with pytest.raises(EngineError, match=f"'{said}'.*loading the bitstream failed"):
        Accelerator(bitstream, board)
    assert board.accesses == 0


def test_another_bitstream_is_loaded(state: Path, board: Board, tmp_path: Path) -> None:
    """As pynq knows; the same in another place is the same."""
    bitstream = simulated_bitstream(TINY)
    for suffix, more in ((".bit", b""), (".hwh", b"")):
        copy = tmp_path / f"copy{suffix}"
        copy.write_bytes(bitstream.with_suffix(suffix).read_bytes() + more)
    assert board.bitfile_name == str(bitstream)
    assert Accelerator(tmp_path / "copy.bit", board, download=False).digest == TINY.digest
    (tmp_path / "copy.bit").write_bytes(bitstream.read_bytes() + b"other")
    board.bitfile_name = str(bitstream)
    board.accesses = 0
    with pytest.raises(EngineError, match=r"the FPGA holds .*cnnaccel\.bit, as pynq says, not"):
        Accelerator(tmp_path / "copy.bit", board, download=False)
    assert board.accesses == 0
    board.bitfile_name = str(tmp_path / "gone.bit")
    assert Accelerator(bitstream, board, download=False).digest == TINY.digest


@pytest.mark.parametrize("when", ["load", "run"])
def test_overlay_that_pynq_does_not_know_is_loaded_once(
    board: Board, tmp_path: Path, when: str
) -> None:
    """pynq 2.7 and later allocate only after an overlay was loaded, as they say."""

    def forget() -> None:
        if board.downloads == 0:
            raise RuntimeError("Overlay is not downloaded")

    compile_graph(GRAPH, TINY, 1).to_files(tmp_path)
    engine = Accelerator(simulated_bitstream(TINY), board, download=False)
    if when == "load":
        board.before_allocation = forget
    engine.load(tmp_path)
    board.before_allocation = forget
    assert np.array_equal(engine.run(IMAGES), golden.run(GRAPH, IMAGES))
    assert board.downloads == 1
    engine.buffers.clear()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("Overlay is not downloaded"), "pynq allocates no .*: Overlay is not down"),
        (RuntimeError("XRT design does not contain PS memory"), "pynq allocates no .*: XRT design"),
        (OSError(13, "Permission denied"), "pynq allocates no .*Permission denied"),
        (RuntimeError("Allocate failed: 4294967295"), r"no 3,.* contiguous .*failed: 4.*cma="),
        (RuntimeError("BO allocation failed: bad"), r"no .* contiguous .*failed: bad.*cma="),
        (MemoryError("all is used"), r"no .* bytes of contiguous .*all is used.*cma="),
    ],
)
def test_why_there_is_no_memory(board: Board, tmp_path: Path, error: Exception, words: str) -> None:
    """The reason is kept, and only where memory is short the way out is more of it."""

    def fail() -> None:
        raise error

    compile_graph(GRAPH, TINY, 1).to_files(tmp_path)
    engine = Accelerator(simulated_bitstream(TINY), board)
    board.before_allocation = fail
    with pytest.raises(EngineError, match=words) as caught:
        engine.load(tmp_path)
    assert ("cma=" in str(caught.value)) == ("cma=" in words)


def test_what_of_cma_is_free_is_said(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("CmaTotal:  131072 kB\nCmaFree:  1024 kB\n")
    monkeypatch.setattr(preflight, "_MEMINFO", meminfo)
    compile_graph(GRAPH, TINY, 1).to_files(tmp_path)
    engine = Accelerator(simulated_bitstream(TINY), board)
    engine.load(tmp_path)
    with pytest.raises(EngineError, match="; 1,048,576 of 134,217,728 bytes of CMA are free"):
        engine.run(np.zeros((40_000, *GRAPH.input.shape), np.uint8))
    engine.buffers.clear()


def test_an_engine_that_was_left_at_work(board: Board) -> None:
    """With a burst that takes its time, or that DRAM never answers."""
    engine = Accelerator(simulated_bitstream(TINY), board)
    assert not fpga.come_to_rest(engine.registers, 1.0)
    for timing in (Timing(latency=100_000), Timing(bus_permille=0)):
        board.running().slow(timing)
        for name, value in (("program_address", BASE), ("once_bytes", 4096), ("count", 1)):
            engine.write(name, value)
        engine.write("control", 1)
        if timing.bus_permille:
            assert fpga.come_to_rest(engine.registers, 5.0)
            assert engine.read("status") == 0
    with pytest.raises(EngineError, match=r"does not come to rest.*switch the board off and on"):
        fpga.come_to_rest(engine.registers, 0.1)
