"""The sweep over engines: all it keeps fits, none surpasses the front, timing changes nothing."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from cnnaccel.compiler.plan.allocate import DoesNotFitError, Region
from cnnaccel.errors import CnnaccelError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir.graph import Graph
from cnnaccel.predict import explore as module
from cnnaccel.predict.explore import (
    Exploration,
    Point,
    Sweep,
    area,
    explore,
    measure,
    pareto_front,
    yaml_line,
)
from cnnaccel.report import plots
from cnnaccel.report.estimate import exploration_lines, exploration_summary, exploration_table
from tests.support import imagenet

BASE = HardwareConfig()
SWEEP = Sweep((2, 8), (4, 8), (1, 4), (4, 16, 256, 1024), (4, 32, 128))


def digits() -> Graph:
    """About as large as one for 8x8 digits."""
    net = imagenet._Network(8, 0)
    x = net.conv("conv1", net.image, 8, 3)
    x = net.max_pool("pool1", x, 2, 2)
    x = net.conv("conv2", x, 40, 3)
    net.linear("fc", x, 10, "int8")
    return net.graph("digits")


@pytest.fixture(scope="module")
def found() -> Exploration:
    return explore(digits(), BASE, sweep=SWEEP)


def test_every_engine_is_counted_once(found: Exploration) -> None:
    count = 2 * 2 * 2 * 4 * 3
    assert len(found.points) + sum(found.dropped.values()) == count
    assert len({point.hardware for point in found.points}) == len(found.points)
    assert "with more than 220 DSP" in found.dropped
    assert "with more than 140 BRAM36" in found.dropped


def test_every_engine_fits_and_is_the_base_but_for_what_is_swept(found: Exploration) -> None:
    swept = ("pixel_lanes", "input_lanes", "output_lanes", "act_kib", "wgt_kib")
    for point in found.points:
        assert point.hardware.fits() and 0 < point.area <= 1
        same = {name: getattr(BASE, name) for name in swept}
        assert dataclasses.replace(point.hardware, **same) == BASE


def test_the_front_is_what_none_surpasses(found: Exploration) -> None:
    assert set(found.front) <= set(found.points)
    for point, other in itertools.product(found.front, found.points):
        assert not other.surpasses(point)
    for point in set(found.points) - set(found.front):
        assert any(
            kept.surpasses(point)
            or (kept.frames_per_second, kept.latency_us, kept.area)
            == (point.frames_per_second, point.latency_us, point.area)
            for kept in found.front
        )
    speeds = [point.frames_per_second for point in found.front]
    assert speeds == sorted(speeds, reverse=True) and speeds[0] > speeds[-1]


def test_what_is_left_out_is_at_most_two_percent_better(found: Exploration) -> None:
    graph = digits()
    lanes = found.front[0].hardware.lanes
    tried = 0
    for act, wgt in itertools.product(SWEEP.act_kib, SWEEP.wgt_kib):
        p, c, k = lanes
        hardware = dataclasses.replace(
            BASE, pixel_lanes=p, input_lanes=c, output_lanes=k, act_kib=act, wgt_kib=wgt
        )
        point = measure(graph, hardware) if hardware.fits() else "too large"
        if isinstance(point, Point):
            tried += 1
            assert any(
                kept.frames_per_second >= 0.98 * point.frames_per_second
                and 0.98 * kept.latency_us <= point.latency_us
                and kept.area <= point.area
                for kept in found.points
            )
    assert tried > 3


def test_processors_and_timing_change_nothing(
    found: Exploration, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    again = explore(digits(), BASE, lambda *done: seen.append(done), SWEEP)
    assert again == found
    done, totals = zip(*seen, strict=True)
    assert list(done) == sorted(done) and len(set(totals)) == 1 and done[-1] == totals[0]


def test_point_is_what_the_compiler_predicts() -> None:
    point = measure(digits(), BASE)
    assert isinstance(point, Point)
    assert point.images > 1 and point.frames_per_second > 1e6 / point.latency_us
    assert measure(digits(), dataclasses.replace(BASE, wgt_kib=4, act_kib=4)) != point


def test_why_an_engine_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    large = imagenet.alexnet(classifier=False)
    tiny = load_hardware("tiny")
    assert measure(large, tiny) == "with more than 65,536 instructions an image"

    def fails(*_: object, **__: object) -> None:
        raise DoesNotFitError(Region("x", 3, 0, 0), 2, 2)

    monkeypatch.setattr(module, "compile_graph", fails)
    assert measure(digits(), tiny) == "too small for a layer"


def test_surpassing() -> None:
    slow, small = Point(BASE, 1, 10, 5, 0.5), dataclasses.replace(BASE, output_lanes=16)
    assert area(small) > area(BASE)
    assert not slow.surpasses(slow)
    assert dataclasses.replace(slow, frames_per_second=11).surpasses(slow)
    assert not dataclasses.replace(slow, frames_per_second=11, latency_us=6).surpasses(slow)
    assert slow.surpasses(dataclasses.replace(slow, hardware=small))
    equal = dataclasses.replace(slow, images=4)
    assert pareto_front([slow, equal]) == (slow,)
    assert pareto_front([]) == ()


def test_a_budget_of_dsps_lets_products_be_luts() -> None:
    one = Sweep((4,), (8,), (2,), (128,), (64,))
    with pytest.raises(CnnaccelError, match=r"'digits': no engine on xc7z020.*: 1 with more than"):
        explore(digits(), BASE, sweep=one)
    budget = dataclasses.replace(BASE, dsp_budget=200)
    assert len(explore(digits(), budget, sweep=one).points) == 1


def test_yaml_line_makes_the_engine_of_the_board(found: Exploration) -> None:
    board = load_hardware("pynq_z1")
    example = dataclasses.replace(
        board, pixel_lanes=2, output_lanes=16, act_kib=128, wgt_kib=64, dsp_packing=False
    )
    assert yaml_line(example, board) == (
        "overrides: {pixel_lanes: 2, output_lanes: 16, act_kib: 128, wgt_kib: 64, "
        "dsp_packing: false}"
    )
    assert yaml_line(board, board) == "overrides: {}"
    lines = exploration_lines(found, board).splitlines()
    for number, (line, point) in enumerate(zip(lines, found.front, strict=True), start=1):
        written, _, copied = line.strip().partition("  ")
        overrides = yaml.safe_load(copied)["overrides"]
        made = load_hardware("pynq_z1", [f"{k}={json.dumps(v)}" for k, v in overrides.items()])
        assert int(written) == number
        assert made == dataclasses.replace(point.hardware, name="pynq_z1")


def test_table_and_picture(found: Exploration, tmp_path: Path) -> None:
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(exploration_table("digits", found))
    text = console.export_text()
    assert "predicted" in text and "LUT (estimated)" in text
    assert f"{found.front[0].frames_per_second:,.1f}" in text
    assert max(map(len, text.splitlines())) <= 150
    assert text.count("│ ") and "too small" not in text
    assert f"{len(found.points)} engines compiled" in exploration_summary(found)
    plots.pareto("digits", found, tmp_path / "explore.png")
    assert (tmp_path / "explore.png").stat().st_size > 10_000
    alone = dataclasses.replace(found, points=found.front[:1], front=found.front[:1])
    plots.pareto("alone", alone, tmp_path / "alone.png")


# ---- processes -------------------------------------------------------------------------------


def _die(graph: Graph, hardware: HardwareConfig) -> Point | str:
    os._exit(9)


def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "measure", _die)
    with pytest.raises(CnnaccelError, match="memory"):
        explore(digits(), BASE, sweep=SWEEP)


SCRIPT = """
import sys
from cnnaccel.predict.explore import explore
from cnnaccel.hardware import HardwareConfig
from tests.support import imagenet

if __name__ == "__main__":
    try:
        explore(
            imagenet.vgg16(112, classifier=False),
            HardwareConfig(),
            lambda done, total: print(done, "of", total, flush=True),
        )
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", ["Ctrl-C", pytest.param("killed", marks=pytest.mark.slow)])
def test_nothing_is_left_running(how: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    root = Path(__file__).parents[2]
    started = subprocess.Popen(
        [sys.executable, str(script)], cwd=root, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert started.stdout is not None and b" of " in started.stdout.readline()  # they work now
    assert len(_of_session(started.pid)) > 1
    if how == "Ctrl-C":
        os.killpg(started.pid, signal.SIGINT)
    else:
        started.kill()
    _, errors = started.communicate(timeout=120)
    assert started.returncode == (130 if how == "Ctrl-C" else -signal.SIGKILL)
    assert b"Traceback" not in errors
    _wait_for(lambda: not _of_session(started.pid))


def _of_session(leader: int) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def _wait_for(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
