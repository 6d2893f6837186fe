"""The driver on the simulated board: the real pynq, the real RTL, and what goes wrong."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import gc
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pynq
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.errors import EngineError, ProgramError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import Header, Load, Opcode
from cnnaccel.render.params import render_hwh
from cnnaccel.runtime import driver, layout
from cnnaccel.runtime.device import SimDevice
from cnnaccel.runtime.driver import Accelerator
from cnnaccel.runtime.network import load_network
from cnnaccel.runtime.simulator import EVENTS, Activity, Simulator, Timing
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support import graphs
from tests.support.graphs import small_network, spilling

TINY = load_hardware("tiny")
GRAPH = small_network()
RUNTIME = sorted(Path(driver.__file__).parent.glob("*.py"))


def images_for(count: int, seed: int = 3) -> np.ndarray:
    shape = (count, *GRAPH.input.shape)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="module")
def bitstream() -> Path:
    return simulated_bitstream(TINY)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a program of four images at a time."""
    folder = tmp_path_factory.mktemp("network")
    compile_graph(GRAPH, TINY, 4).to_files(folder)
    return folder


@pytest.fixture
def board(bitstream: Path) -> Iterator[Accelerator]:
    accelerator = Accelerator(bitstream, SimDevice(memory_bytes=8 << 20), timeout_seconds=0.5)
    yield accelerator
    accelerator.buffers.clear()


@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_results_are_goldens(board: Accelerator, network: Path, count: int) -> None:
    board.load(network)
    images = images_for(count)
    results = board.run(images)
    assert results.dtype == GRAPH.results[0].dtype
    assert np.array_equal(results, golden.run(GRAPH, images))


def test_paths_are_texts_and_one_image_is_one(bitstream: Path, network: Path) -> None:
    """As a user types them."""
    board = Accelerator(str(bitstream), SimDevice(memory_bytes=8 << 20), timeout_seconds=0.5)
    board.load(str(network))
    image = images_for(1)
    for same in (image[0], image[0].tolist()):
        assert np.array_equal(board.run(same), golden.run(GRAPH, image))
    with pytest.raises(ProgramError, match=r"the program takes uint8 images of \[.*got float32"):
        board.run(image.astype(np.float32))
    board.buffers.clear()
    with pytest.raises(EngineError, match=r"nowhere\.bit: needs this file"):
        Accelerator("nowhere.bit", SimDevice(memory_bytes=8 << 20))


def test_many_starts_and_progress(
    board: Accelerator, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images in chunks of two iterations; what they cost is added up."""
    board.load(network)
    images = images_for(30)
    seen: list[int] = []
    board.device.cycles_per_poll = 1000
    stride = load_network(network).header["input_stride"]
    monkeypatch.setattr(driver, "_CHUNK_BYTES", 2 * stride)
    assert np.array_equal(board.run(images, seen.append), golden.run(GRAPH, images))
    assert seen == sorted(seen) and len(set(seen)) > 4 and seen[-1] <= 30
    cold_and_three_warm = board.counters["cycles"]
    board.load(network)
    cold, warm = ((board.run(images[:8]), board.counters["cycles"])[1] for _ in range(2))
    assert cold_and_three_warm == cold + 3 * warm


def test_same_bytes_and_cycles_every_time(board: Accelerator, network: Path) -> None:
    """Cold, with all weights to load, and warm."""
    image = images_for(1)
    found: list[list[Any]] = []
    for _ in range(2):
        board.load(network)
        found.append([(board.run(image).tobytes(), *board.counters.values()) for _ in range(30)])
    assert found[0] == found[1]
    cold, *warm = found[0]
    assert len(set(warm)) == 1 and cold[0] == warm[0][0]
    assert cold[1] > warm[0][1]


@pytest.mark.parametrize("make", [graphs.every_kind, spilling])
@pytest.mark.parametrize("at_a_time", [1, None])
def test_weights_stay_on_the_chip(
    board: Accelerator, tmp_path: Path, make: Callable[[], Graph], at_a_time: int | None
) -> None:
    """A start that leaves out their loads computes the same, resident, streamed or both."""
    graph = make()
    compile_graph(graph, TINY, at_a_time).to_files(tmp_path)
    board.load(tmp_path)
    pixels = np.random.default_rng(5).integers(0, 256, (3, *graph.input.shape), np.uint8)
    expected = golden.run(graph, pixels)
    read = []
    for _ in range(3):
        assert np.array_equal(board.run(pixels), expected)
        read.append(board.counters["read_bytes"])
    assert read[0] >= read[1] == read[2]


def test_memory_stays_flat(board: Accelerator, network: Path) -> None:
    board.load(network)
    memory = board.device.default_memory
    board.run(images_for(4))
    used = dict(memory.used)
    for _ in range(5):
        board.run(images_for(4))
        board.load(network)
        board.run(images_for(2))
    gc.collect()
    assert sum(memory.used.values()) == sum(used.values()) and len(memory.used) == len(used)


# -- pynq -----------------------------------------------------------------------------------------


def test_overlay_is_what_pynq_makes_of_a_board(board: Accelerator) -> None:
    engine = board.overlay.engine
    assert engine.read(0) == layout.MAGIC
    assert engine.register_map.version[31:0] == layout.FORMAT_VERSION
    engine.register_map.count = 77
    assert board.read("count") == 77
    engine.register_map.interrupt_enable.done = 1
    assert board.read("interrupt_enable") == layout.INTERRUPT_ENABLE_DONE
    assert board.overlay.is_loaded() and board.overlay.ip_dict["engine"]["registers"]
    assert pynq.Clocks.fclk0_mhz == TINY.clock_mhz
    assert board.digest == TINY.digest


def test_boards_share_an_engine_and_not_its_clock(bitstream: Path) -> None:
    slower = dataclasses.replace(TINY, name="another", clock_mhz=50.0)
    other = simulated_bitstream(slower)
    assert other.samefile(bitstream) or other.read_bytes() == bitstream.read_bytes()
    for board, made in ((TINY, bitstream), (slower, other)):
        assert made.with_suffix(".hwh").read_text(encoding="utf-8") == render_hwh(board)


def test_both_processing_systems(bitstream: Path, tmp_path: Path) -> None:
    """An overlay for UltraScale+ has its own clocks and addresses."""
    board = dataclasses.replace(load_hardware("zcu104"), clock_mhz=150.0)
    for suffix in (".bit", ".hwh"):
        shutil.copy(bitstream.with_suffix(suffix), tmp_path / f"other{suffix}")
    (tmp_path / "other.hwh").write_text(render_hwh(board))
    accelerator = Accelerator(tmp_path / "other.bit", SimDevice(arch="aarch64"))
    assert pynq.Clocks.fclk0_mhz == pytest.approx(150, abs=0.01)
    assert accelerator.digest == TINY.digest


def test_interrupt(board: Accelerator, network: Path) -> None:
    """pynq's Interrupt ends its wait when the engine is done, through AXI INTC and UIO."""
    board.load(network)
    images = images_for(4)
    expected = board.run(images)

    async def wait() -> None:
        line = pynq.Interrupt("engine/irq")
        board.write("interrupt_status", 3)
        board.write("interrupt_enable", layout.INTERRUPT_ENABLE_DONE)
        board.write("control", layout.CONTROL_START)
        await asyncio.wait_for(line.wait(), 30)

    board.buffers["output"][:] = 0
    board.buffers["output"].flush()
    asyncio.run(wait())
    assert board.read("status") == layout.STATUS_DONE
    board.buffers["output"].invalidate()
    got = load_network(network).ports.unpack(np.array(board.buffers["output"]), 4)
    assert np.array_equal(got, expected)


def test_memory_forgets_what_is_not_flushed(board: Accelerator) -> None:
    """Caches as on a board: a driver that forgets to flush or invalidate fails here too."""
    dram = board.device.default_memory.dram
    buffer = pynq.allocate((16,), np.uint8, target=board.device)
    at = buffer.device_address - 0x1000_0000
    buffer[:] = 5
    assert not dram[at : at + 16].any()
    buffer.flush()
    assert (dram[at : at + 16] == 5).all()
    dram[at : at + 16] = 9
    assert (buffer == 5).all()
    buffer[4:8].invalidate()
    assert list(buffer) == [5] * 4 + [9] * 4 + [5] * 8
    other = pynq.allocate((4096,), np.uint8, target=board.device)
    assert other.device_address >= buffer.device_address + 16
    buffer.freebuffer()
    again = pynq.allocate((16,), np.uint8, target=board.device)
    assert again.device_address - 0x1000_0000 == at


# -- what goes wrong ------------------------------------------------------------------------------


def test_memory_that_never_answers(board: Accelerator, network: Path) -> None:
    """The driver says what each unit waits for, and when memory answers again all is well."""
    board.load(network)
    images = images_for(4)
    board.device.on_start = lambda simulator: simulator.slow(Timing(bus_permille=0))
    with pytest.raises(EngineError, match=r"nothing for .* s: fetch waits for instr"):
        board.run(images)
    with pytest.raises(EngineError, match="does not end its reset: reset, or a failure, waits"):
        board.reset()
    board.device.on_start = lambda _: None
    board.device.running().slow(Timing())
    board.reset()
    assert np.array_equal(board.run(images), golden.run(GRAPH, images))


def broken(network: Path, folder: Path, at: int, **changes: Any) -> Path:
    """The network with an instruction changed, and checksums that fit."""
    compiled = compile_graph(GRAPH, TINY, 4)
    body = list(compiled.program.body)
    loads = [i for i, one in enumerate(body) if isinstance(one, Load)]
    body[loads[at]] = dataclasses.replace(body[loads[at]], **changes)
    program = dataclasses.replace(compiled.program, body=tuple(body))
    program.to_files(folder)
    shutil.copy(network / "network.json", folder)
    return folder


def test_failure_names_the_instruction(board: Accelerator, network: Path, tmp_path: Path) -> None:
    board.load(broken(network, tmp_path, 0, dram_offset=1 << 24))
    with pytest.raises(EngineError, match=r"outside its buffer, at instruction body 0 \(one: wei"):
        board.run(images_for(4))
    board.load(network)
    images = images_for(4)
    assert np.array_equal(board.run(images), golden.run(GRAPH, images))


def test_an_interrupt_right_at_the_start_resets_the_engine(
    board: Accelerator, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that comes while the register is written by which the engine starts."""
    board.load(network)
    write = board.write

    def interrupted(name: str, value: int) -> None:
        write(name, value)
        if name == "control" and value == layout.CONTROL_START:
            raise KeyboardInterrupt

    monkeypatch.setattr(board, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        board.run(images_for(4))
    monkeypatch.undo()
    assert board.read("status") == 0
    assert np.array_equal(board.run(images_for(4)), golden.run(GRAPH, images_for(4)))


def test_interrupted_run_leaves_an_engine_that_works(board: Accelerator, network: Path) -> None:
    board.load(network)
    board.device.cycles_per_poll = 500

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        board.run(images_for(40), stop)
    images = images_for(4)
    assert np.array_equal(board.run(images), golden.run(GRAPH, images))


def test_program_for_another_engine(board: Accelerator, tmp_path: Path) -> None:
    other = HardwareConfig(act_kib=512)
    compile_graph(GRAPH, other, 1).to_files(tmp_path)
    with pytest.raises(ProgramError, match=f"made for hardware {other.digest:016x}, this engine"):
        board.load(tmp_path)
    with pytest.raises(EngineError, match="no network is loaded"):
        board.run(images_for(1))


def test_images_of_another_shape(board: Accelerator, network: Path) -> None:
    board.load(network)
    with pytest.raises(ProgramError, match="takes uint8 images"):
        board.run(np.zeros((1, 2, 3, 4), np.uint8))


def test_too_little_memory(bitstream: Path, network: Path) -> None:
    board = Accelerator(bitstream, SimDevice(memory_bytes=64 << 10))
    board.load(network)
    with pytest.raises(EngineError, match="bytes of contiguous memory for input"):
        board.run(images_for(4000))


@pytest.mark.parametrize("name", ["program.bin", "weights.bin", "network.json"])
def test_damaged_files(network: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(network, tmp_path / "net"))
    whole = (folder / name).read_bytes()
    for damaged in (whole[:-9], whole[:40], b""):
        (folder / name).write_bytes(damaged)
        with pytest.raises(ProgramError, match=name):
            load_network(folder)
    (folder / name).unlink()
    with pytest.raises(ProgramError, match=f"{name}: No such file"):
        load_network(folder)


def test_header_of_another_version(network: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(network, tmp_path / "net"))
    packed = (folder / "program.bin").read_bytes()
    header = dataclasses.replace(
        Header.unpack(packed[: Header.BYTES]), version=layout.FORMAT_VERSION + 1
    )
    (folder / "program.bin").write_bytes(header.pack() + packed[Header.BYTES :])
    with pytest.raises(ProgramError, match="of format version"):
        load_network(folder)
    description = json.loads((network / "network.json").read_text())
    description["notes"] = description["notes"][1:]
    shutil.copy(network / "program.bin", folder)
    (folder / "network.json").write_text(json.dumps(description))
    with pytest.raises(ProgramError, match="of another program"):
        load_network(folder)


def test_what_is_no_bitstream(bitstream: Path, tmp_path: Path) -> None:
    device = SimDevice()
    with pytest.raises(EngineError, match="no bitstream is loaded"):
        device.running()
    path = tmp_path / "some.bit"
    with pytest.raises(EngineError, match="needs this file and its"):
        Accelerator(path, device)
    path.write_bytes(b"nothing")
    shutil.copy(bitstream.with_suffix(".hwh"), tmp_path / "some.hwh")
    with pytest.raises(EngineError, match="no simulated engine"):
        Accelerator(path, device)
    text = bitstream.with_suffix(".hwh").read_text()
    shutil.copy(bitstream, path)
    (tmp_path / "some.hwh").write_text(text.replace("cnnaccel_engine:1.0", "other:1.0"))
    with pytest.raises(EngineError, match="has 0 engines of cnnaccel among"):
        Accelerator(path, device)


# -- what the simulator records -------------------------------------------------------------------


def test_activity_counts_what_the_registers_count(board: Accelerator, network: Path) -> None:
    board.load(network)
    recorded: list[Activity] = []

    def record(simulator: Simulator) -> None:
        recorded.append(Activity(simulator.now, 64, 4000, 1000))
        simulator.record(recorded[0])

    board.device.on_start = record
    board.run(images_for(8))
    sums = dict(zip(EVENTS, recorded[0].counts.sum(axis=0).tolist(), strict=True))
    for name in EVENTS[:6]:
        assert sums[name] == board.counters[name], name
    for name in ("read", "written"):
        beats = sums[f"{name}_beats"] * TINY.input_lanes
        assert beats == board.counters[f"{name}_bytes"]
    begun = recorded[0].instructions
    header = load_network(network).header
    once, body = header["once_instructions"], header["body_instructions"]
    assert len(begun) == once + 2 * body
    assert sorted(set(begun[:, 2].tolist())) == list(range(once + body))
    assert (np.diff(begun[:, 0].astype(np.int64)) >= 0).all()


# -- what a board needs ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", RUNTIME, ids=lambda path: path.stem)
def test_runs_on_the_python_of_a_board(path: Path) -> None:
    """PYNQ 2.7 has Python 3.8; beside the runtime there are numpy, pynq and `cnnaccel.errors`.

    Pillow may be missing: it is imported inside functions, or for type checkers.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        for name in names:
            first = name.split(".")[0]
            ours = name.startswith(("cnnaccel.runtime", "cnnaccel.errors"))
            later = first == "PIL" and node not in tree.body
            known = first in {"numpy", "pynq", "pynqmetadata"} | sys.stdlib_module_names or later
            assert ours or known, f"{path.name} imports {name}"


def test_unfold_is_what_loads_the_image(network: Path) -> None:
    """The network of these tests begins with raw pixels, so that byte addresses are tried."""
    assert any(one.opcode is Opcode.UNFOLD for one in compile_graph(GRAPH, TINY, 4).program.body)
    assert load_network(network).ports.raw
