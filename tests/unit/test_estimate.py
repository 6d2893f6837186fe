"""Predicted cycles and bytes: they add up, keep the limits set, and follow the hardware."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir.graph import Graph, macs
from cnnaccel.isa.execute import dram_runs
from cnnaccel.isa.instructions import Load, Store
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.predict import estimate as module
from cnnaccel.predict.estimate import Estimate, estimate, spans
from cnnaccel.report import charts, plots
from cnnaccel.report.estimate import estimate_table, from_json, headline, summary, write
from tests.support import graphs, imagenet
from tests.support.networks import network, quantized_module

PYNQ = HardwareConfig()
SMALL = HardwareConfig(pixel_lanes=2, input_lanes=4, output_lanes=8, act_kib=16, wgt_kib=16)
NETWORKS = ["lenet", "lenet_caffe", "resnet8", "dscnn", "every kind"]


def operations(graph: Graph) -> int:
    return 2 * sum(map(macs, graph.layers))


@pytest.fixture(scope="module")
def graph_of() -> dict[str, Graph]:
    found = {}
    for name in NETWORKS[:-1]:
        model, shape = network(name)
        found[name] = quantized_module(model, shape)
    return found | {"every kind": graphs.every_kind()}


@pytest.fixture(scope="module", params=[PYNQ, SMALL], ids=["pynq", "small"])
def hardware(request: pytest.FixtureRequest) -> HardwareConfig:
    found: HardwareConfig = request.param
    return found


@pytest.fixture(scope="module", params=NETWORKS)
def compiled(
    request: pytest.FixtureRequest, graph_of: dict[str, Graph], hardware: HardwareConfig
) -> Compiled:
    return compile_graph(graph_of[request.param], hardware)


# ---- limits ----------------------------------------------------------------------------------


def test_lenet_takes_few_cycles(graph_of: dict[str, Graph]) -> None:
    graph = graph_of["lenet"]
    batch = estimate(compile_graph(graph, PYNQ), operations(graph))
    alone = estimate(compile_graph(graph, PYNQ, images=1), operations(graph))
    print(batch.compute_cycles, batch.cycles_per_image, alone.compute_cycles, alone.cycles)
    assert 1747 < batch.compute_cycles < 1749 and batch.cycles_per_image <= 1850
    assert alone.compute_cycles <= 2800 and alone.cycles <= 3000
    assert alone.alone_cycles <= 3800  # its first rows are computed while the others come


def test_lenet_caffe_takes_few_cycles(graph_of: dict[str, Graph]) -> None:
    graph = graph_of["lenet_caffe"]
    batch = estimate(compile_graph(graph, PYNQ), operations(graph))
    print(batch.compute_cycles, batch.cycles_per_image)
    assert batch.compute_cycles <= 12_700 and batch.cycles_per_image <= 12_900


def large(name: str) -> Graph:
    """Without what comes after the convolutions; of ResNet-50, with its global average."""
    if name == "resnet50":
        whole = imagenet.resnet50()
        return dataclasses.replace(whole, layers=whole.layers[:-1])
    found: Graph = getattr(imagenet, name)(classifier=False)
    return found


def compile_large(name: str) -> tuple[Estimate, float, float]:
    """The estimate, the seconds of the compiler and the most GB that it takes."""
    graph = large(name)
    started = time.process_time()
    compiled = compile_graph(graph, PYNQ)
    seconds = time.process_time() - started
    status = Path("/proc/self/status")
    peak = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return estimate(compiled, operations(graph)), seconds, int(peak[1]) / 1e6 if peak else 0.0


@pytest.mark.parametrize(
    ("name", "convolutions", "everything", "mbytes"),
    [
        pytest.param("vgg16", 0.98, 0.98, 72, marks=pytest.mark.slow),
        pytest.param("alexnet", 0.85, 0.84, 4, marks=pytest.mark.slow),
        pytest.param("resnet50", 0.945, 0.905, 55, marks=pytest.mark.slow),
    ],
)
def test_imagenet_networks(
    name: str, convolutions: float, everything: float, mbytes: float
) -> None:
    """Shares of peak over the cycles of the nests, DRAM with instructions, time and memory."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        found, seconds, gbytes = apart.submit(compile_large, name).result()
    layers = {type(layer).__name__: set[str]() for layer in large(name).layers}
    for layer in large(name).layers:
        layers[type(layer).__name__].add(layer.name)
    useful = sum(usage.macs for usage in found.layers)
    own = sum(u.compute_cycles for u in found.layers if u.layer in layers["Conv2d"])
    whole = sum(u.compute_cycles for u in found.layers)
    share, of_all = useful / (own * PYNQ.peak_macs), useful / (whole * PYNQ.peak_macs)
    print(f"{name}: {share:.4f} {of_all:.4f} {found.utilization:.4f} of peak")
    print(f"{found.dram_bytes / 1e6:.1f} MB, {seconds:.1f} s, {gbytes:.2f} GB")
    assert useful * 2 == found.operations
    assert convolutions <= share < 1 and everything <= of_all < 1
    assert found.dram_bytes <= mbytes * 1e6
    assert seconds < 30 and gbytes < 2


# ---- sums ------------------------------------------------------------------------------------


def test_layers_add_up(compiled: Compiled) -> None:
    found = estimate(compiled, 1000)
    assert abs(sum(usage.cycles for usage in found.layers) - found.cycles) <= len(found.layers) + 1
    names = [usage.layer for usage in found.layers]
    assert len(set(names)) == len(names)
    tasks = {task.name for task in compiled.schedule.network.tasks}
    assert tasks <= set(names)
    assert found.compute_cycles * found.images <= found.cycles
    assert 0 < found.utilization < 1 and 0 <= found.dram_wait < 1
    for usage in found.layers:
        assert usage.macs <= usage.compute_cycles * found.hardware.peak_macs
        assert min(dataclasses.astuple(usage)[1:]) >= 0
        assert usage.act_words <= found.hardware.act_words
    assert found.cycles <= 1.01 * found.first_cycles  # loads queue behind those before
    assert found.first_cycles <= found.alone_cycles <= found.run_cycles(1) < found.run_cycles(2)
    loaded = any(one.opcode.name.startswith("LOAD") for one in compiled.program.once)
    assert (found.alone_cycles < found.run_cycles(1)) == loaded  # weights that stay on the chip
    assert found.cycles_per_image == found.cycles / found.images
    assert found.frames_per_second == pytest.approx(1e8 / found.cycles_per_image)
    assert found.gops == pytest.approx(1000 * found.frames_per_second / 1e9)


def test_layers_follow_one_another(compiled: Compiled) -> None:
    """From layer to layer it is one iteration; waits move to the layer before, nothing else."""
    found = estimate(compiled, 1000)
    assert abs(sum(usage.span_cycles for usage in found.layers) - found.cycles) <= len(found.layers)
    for usage in found.layers:
        assert usage.span_cycles >= usage.compute_cycles - 1, usage.layer


def test_spans() -> None:
    begun = [("a", 10.0), ("b", 12.0), ("a", 17.0)]
    assert spans(begun, 20) == {"a": 5, "b": 5}
    assert spans([], 20) == {}


def test_dram_bytes_are_what_instructions_move(compiled: Compiled) -> None:
    found = estimate(compiled, 1000)
    pads = Scratchpads.empty(found.hardware)
    moved = {"read": 0, "written": 0, "instruction": 0}
    for instruction in compiled.program.body:
        moved["instruction"] += len(instruction.pack())
        if isinstance(instruction, Load | Store):
            size = dram_runs(pads, instruction, 0).size
            moved["written" if instruction.opcode.name.startswith("STORE") else "read"] += size
    for kind, size in moved.items():
        assert sum(getattr(usage, f"{kind}_bytes") for usage in found.layers) == size
    assert found.dram_bytes == sum(moved.values()) / found.images


def test_the_pace_is_kept(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later iterations take as long as the last one played."""
    found = estimate(compiled, 1000)
    monkeypatch.setattr(module, "_ITERATIONS", 7)
    later = estimate(compiled, 1000)
    assert abs(later.cycles - found.cycles) <= 1
    assert later.first_cycles == found.first_cycles


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIPELINE_CYCLES", 100),
        ("ISSUE_CYCLES", 30),
    ],
)
def test_worse_hardware_is_never_faster(
    compiled: Compiled, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    before = estimate(compiled, 1000)
    monkeypatch.setattr(module, name, value)
    after = estimate(compiled, 1000)
    assert after.cycles >= before.cycles - 1 and after.first_cycles > before.first_cycles
    assert after.compute_cycles == before.compute_cycles
    assert after.dram_bytes == before.dram_bytes


@pytest.mark.parametrize(("name", "value"), [("dram_share", 0.1), ("dram_latency_cycles", 200)])
def test_worse_memory_is_never_faster(compiled: Compiled, name: str, value: float) -> None:
    before = estimate(compiled, 1000)
    worse: dict[str, Any] = {name: value}
    hardware = dataclasses.replace(compiled.schedule.hardware, **worse)
    chosen = dataclasses.replace(compiled.schedule, hardware=hardware)
    after = estimate(dataclasses.replace(compiled, schedule=chosen), 1000)
    assert after.cycles >= before.cycles - 1 and after.first_cycles > before.first_cycles
    assert after.compute_cycles == before.compute_cycles
    assert after.dram_bytes == before.dram_bytes


def test_the_clock_changes_time_and_not_cycles(graph_of: dict[str, Graph]) -> None:
    graph = graph_of["resnet8"]
    slow = estimate(compile_graph(graph, PYNQ), operations(graph))
    hardware = dataclasses.replace(PYNQ, clock_mhz=150)
    fast = estimate(compile_graph(graph, hardware), operations(graph))
    assert fast.layers == slow.layers and fast.cycles == slow.cycles
    for figure in ("frames_per_second", "gops", "peak_gops", "bus_gbytes"):
        assert getattr(fast, figure) == pytest.approx(1.5 * getattr(slow, figure))
    assert fast.latency_us == pytest.approx(slow.latency_us / 1.5)
    assert slow.peak_gops == 51.2 and slow.bus_gbytes == pytest.approx(0.64)


# ---- reports ---------------------------------------------------------------------------------


def test_table_shows_layers_and_totals(compiled: Compiled) -> None:
    found = estimate(compiled, 1000)
    console = Console(width=150)
    with console.capture() as captured:
        console.print(estimate_table("network", found))
    lines = captured.get().splitlines()
    assert "predicted" in lines[0] and max(map(len, lines)) <= 150
    shown = [line for line in lines if line.startswith("│")]
    assert len(shown) == len(found.layers) + 1
    cells = [cell.strip() for cell in shown[-1].strip("│").split("│")]
    assert cells[0] == "total" and cells[2] == f"{found.cycles_per_image:,.0f}"
    assert cells[3] == f"{100 * found.utilization:.1f}"


def test_sentences_say_predicted(graph_of: dict[str, Graph]) -> None:
    graph = graph_of["lenet"]
    found = estimate(compile_graph(graph, PYNQ), operations(graph))
    assert headline(found).startswith("predicted ") and "\n" not in headline(found)
    for line in summary(found).splitlines():
        assert line.startswith("predicted: ")
    assert f"in a batch of {found.images}" in summary(found) and "by the array" in summary(found)
    alone = estimate(compile_graph(graph_of["lenet_caffe"], PYNQ, 1), 1000)
    assert "single images" in summary(alone) and "bound by DRAM" in summary(alone)


def test_files(compiled: Compiled, tmp_path: Path) -> None:
    found = estimate(compiled, 1000)
    write("network", found, tmp_path)
    plots.roofline("network", found, tmp_path / "roofline.png")
    read = json.loads((tmp_path / "estimate.json").read_text(encoding="utf-8"))
    assert read["predicted"] is True and read["network"] == "network"
    assert read["cycles"] == found.cycles and len(read["layers"]) == len(found.layers)
    assert from_json(read) == found
    assert read["layers"][0] == dataclasses.asdict(found.layers[0])
    page = (tmp_path / "estimate.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == len(found.layers) + 3 and len({row.count("|") for row in rows}) == 1
    assert summary(found).splitlines()[0] in page
    assert (tmp_path / "roofline.png").stat().st_size > 10_000


def test_roofline_without_any_convolution(tmp_path: Path) -> None:
    """Operations there are none, and nothing to draw on logarithmic axes but the roof."""
    x = graphs.spec("x", (8, 8, 8))
    graph = Graph("pool", x, (graphs.max_pool(x, (2, 2)),))
    found = estimate(compile_graph(graph, load_hardware("tiny")), operations(graph))
    assert found.operations == found.utilization == 0
    plots.roofline("pool", found, tmp_path / "roofline.png")
    assert "0 layers" in charts.roofline(found, None).svg
    assert "0.0 GOP/s" in headline(found)
