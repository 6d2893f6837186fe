"""The engine as an attribute of pynq's overlay, with the networks in the bitstream's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pynq
import pytest

from cnnaccel.api.describe import describe, preprocessing_for
from cnnaccel.api.samples import write_samples
from cnnaccel.compiler.compile import compile_graph
from cnnaccel.errors import DataError, EngineError, MismatchError, ProgramError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.runtime import CnnaccelEngine, run
from cnnaccel.runtime.device import SimDevice
from cnnaccel.runtime.engine import VLNV
from cnnaccel.runtime.pictures import read_picture
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support.graphs import small_network, spilling
from tests.support.pictures import REFUSED, broken, readable

TINY = load_hardware("tiny")
GRAPHS = {"small": small_network(), "spilling": spilling()}
CLASSES = [f"class {at}" for at in range(GRAPHS["small"].results[0].shape[0])]


def images_for(graph: Graph, count: int = 3) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (count, *graph.input.shape), np.uint8)


def write(graph: Graph, folder: Path, hardware: HardwareConfig = TINY) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    compile_graph(graph, hardware, 1).to_files(folder)
    describe(folder, graph, preprocessing_for(graph.input.shape), CLASSES)
    write_samples(folder, graph, images_for(graph), np.arange(3))


def board(folder: Path) -> Path:
    """A folder with the simulated bitstream."""
    bitstream = simulated_bitstream(TINY)
    for suffix in (".bit", ".hwh"):
        shutil.copy(bitstream.with_suffix(suffix), folder / f"cnnaccel{suffix}")
    return folder


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """The folder of a single network."""
    write(GRAPHS["small"], tmp_path)
    return board(tmp_path)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The folder of two networks."""
    for name, graph in GRAPHS.items():
        write(graph, tmp_path / "networks" / name)
    return board(tmp_path)


@pytest.fixture(autouse=True)
def device() -> Iterator[SimDevice]:
    yield SimDevice(memory_bytes=8 << 20)
    pynq.Device.active_device = None


def engine_in(folder: Path) -> CnnaccelEngine:
    engine: CnnaccelEngine = pynq.Overlay(str(folder / "cnnaccel.bit")).engine
    return engine


def test_the_attribute_of_an_overlay(one: Path) -> None:
    """The one network beside the bitstream is loaded by the first run; pictures go in by name."""
    engine = engine_in(one)
    assert isinstance(engine, CnnaccelEngine) and CnnaccelEngine.bindto == [VLNV]
    assert engine.register_map.id and engine.driver.digest == TINY.digest
    graph, preprocessing = GRAPHS["small"], engine.network.preprocessing
    assert preprocessing is not None
    for path in readable(one / "photos")[:3]:
        pixels = read_picture(path, preprocessing.framing)[None]
        results = engine.run(str(path))
        assert np.array_equal(results, golden.run(graph, pixels))
    everything = engine.run(one / "photos")
    assert len(everything) == 9 and engine.counters["cycles"] > 0
    best = engine.best(everything, 2)
    top = everything.reshape(9, -1, everything.shape[2] * everything.shape[3]).max(2)
    assert [row[0].index for row in best] == top.argmax(1).tolist()
    first = best[0][0]
    assert first.name == f"class {first.index}" and first.value == top[0].max()
    assert first.real == first.value * graph.results[0].scale
    assert str(first) == f"{first.name} {first.value} ({first.real:.4g})"


def test_samples_are_held_against_what_must_come_out(one: Path) -> None:
    engine = engine_in(one)
    samples = engine.samples()
    assert samples is not None and samples.labels is not None
    assert samples.labels.tolist() == [0, 1, 2]
    results = engine.run(samples.images)
    samples.require_equal(results)
    results[1, 2] ^= 1
    with pytest.raises(MismatchError, match="samples: image 1, channel 2, y 0, x 0: got"):
        samples.require_equal(results)
    (one / "samples.npz").write_bytes(b"spoilt")
    with pytest.raises(ProgramError, match=r"samples\.npz: no file of samples, or damaged"):
        engine.samples()
    (one / "samples.npz").unlink()
    assert engine.samples() is None


def test_switching_between_networks(two: Path) -> None:
    """By name, back and forth: results are those of each, and the switch is timed."""
    engine = engine_in(two)
    assert engine.networks == ["small", "spilling"]
    with pytest.raises(ProgramError, match="has the networks small, spilling; name one of them"):
        engine.run(images_for(GRAPHS["small"]))
    for name in ("small", "spilling", "small", "spilling", "spilling", "small"):
        network = engine.load(name)
        assert network.preprocessing is not None and 0 < engine.load_seconds < 5
        images = images_for(GRAPHS[name])
        for _ in range(2):
            assert np.array_equal(engine.run(images), golden.run(GRAPHS[name], images))
        samples = engine.samples()
        assert samples is not None and np.array_equal(samples.images, images)


def test_networks_that_are_not_there(two: Path) -> None:
    engine = engine_in(two)
    for name in ("other", "networks/other"):
        with pytest.raises(ProgramError, match=f"no network '{name}'; it has small, spilling"):
            engine.load(name)
    write(GRAPHS["small"], two / "networks/foreign", load_hardware("pynq_z1"))
    with pytest.raises(ProgramError, match=r"made for hardware .*compile for this board"):
        engine.load("foreign")
    engine.load("small")  # still works
    shutil.rmtree(two / "networks")
    with pytest.raises(ProgramError, match="no network in this folder; `cnnaccel export` writes"):
        engine.load()


def test_a_kernel_that_is_interrupted(one: Path, device: SimDevice) -> None:
    """Ctrl-C while the engine works: it is reset, and the next run is right."""
    engine, graph = engine_in(one), GRAPHS["small"]
    device.cycles_per_poll = 100
    images = images_for(graph, 20)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            engine.run(images, stop)
        assert engine.driver.read("status") == 0
        assert np.array_equal(engine.run(images[:3]), golden.run(graph, images[:3]))


@pytest.mark.parametrize("kind", ["truncated", "deep", "absent"])
def test_pictures_that_are_refused(one: Path, kind: str) -> None:
    engine = engine_in(one)
    path = broken(kind, one)
    with pytest.raises(DataError, match=REFUSED[kind]) as error:
        engine.run(str(path))
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("preprocessing", {"size": [1, 2], "crop": "center", "colour": "grey"}),
        ("preprocessing", {"size": "large"}),
        ("preprocessing", 3),
        ("classes", "many"),
        ("tail", {"steps": []}),
    ],
)
def test_descriptions_that_are_wrong(one: Path, key: str, value: Any) -> None:
    path = one / "network.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ProgramError, match=r"network\.json: no description"):
        engine_in(one).load()


def test_without_a_bitstream_nothing_is_touched(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = pynq.Overlay(str(one / "cnnaccel.bit"))
    (tmp_path / "state").write_text("unknown")
    monkeypatch.setenv("CNNACCEL_FPGA", str(tmp_path))
    with pytest.raises(EngineError, match="the FPGA holds no working bitstream"):
        overlay.engine  # noqa: B018 - pynq makes the driver when it is asked for


def test_a_folder_without_a_bitstream(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"cnnaccel\.bit: no bitstream in here; README"):
        run._opened(tmp_path)
