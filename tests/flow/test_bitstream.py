"""build-hw with a mock of Vivado: whole builds, those that stop half way, and what they leave."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cnnaccel.pipeline import bitstream, build_hw
from cnnaccel.render import handoff as render_hw
from cnnaccel.tools import vivado
from cnnaccel.tools.vivado_check import STEPS, mock_vivado
from cnnaccel.tools.yosys import Synthesis
from tests.support.commands import ROOT, Cnnaccel, Result
from tests.support.processes import alive

NAME = "lenet_fashionmnist"
pytestmark = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="tclsh is not on PATH: apt install tcl"
)
RENDERED = (
    "params.svh",
    "params.h",
    "config.tcl",
    "hw.json",
    "cnnaccel.dtsi",
    "cnnaccel-overlay.dts",
)


@dataclass(frozen=True)
class Bench:
    """build-hw in a folder of its own, by a Vivado that notes what it was started for."""

    cnnaccel: Cnnaccel
    folder: Path

    @property
    def stage(self) -> Path:
        return self.folder / NAME / "build-hw"

    @property
    def partial(self) -> Path:
        return self.stage.with_name("build-hw.partial")

    @property
    def command(self) -> Path:
        return self.folder / "bin" / "vivado"

    def options(self) -> tuple[str | Path, ...]:
        return "build-hw", NAME, "--build-dir", self.folder, "--vivado", self.command

    def run(self, *options: str) -> Result:
        """Forget what was noted, then run it."""
        (self.folder / "calls").write_text("")
        return self.cnnaccel(*self.options(), *options)

    def steps(self) -> list[str]:
        """The steps that the last run started."""
        calls = (self.folder / "calls").read_text(encoding="utf-8")
        return re.findall(r"-source \S*/(\w+)\.tcl ", calls)

    def results(self) -> dict[str, Any]:
        return dict(json.loads((self.stage / "results.json").read_text(encoding="utf-8")))

    def after(self, shell: str) -> None:
        """Let the Vivado do something more at the end of each step."""
        self.command.parent.mkdir(exist_ok=True)
        self.command.write_text(
            f'#!/bin/sh\ncalls={self.folder}/calls\necho $$ > $calls.pid; echo "$@" >> $calls\n'
            + (f'exec {mock_vivado()} "$@"\n' if not shell else f'{mock_vivado()} "$@"\n{shell}\n'),
            encoding="utf-8",
        )
        self.command.chmod(0o755)


@pytest.fixture
def bench(cnnaccel: Cnnaccel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("CNNACCEL_MOCK_VERSION", "2023.2")
    made = Bench(cnnaccel, tmp_path)
    made.after("")
    return made


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Vivado in a usual place."""
    monkeypatch.setattr(vivado, "_PLACES", ())


def test_a_whole_build(bench: Bench) -> None:
    result = bench.run("--jobs", "3")
    assert result.code == 0, result.err
    assert bench.steps() == list(STEPS)
    assert "-tclargs config.tcl 3\n" in (bench.folder / "calls").read_text(encoding="utf-8")
    assert not bench.partial.exists()
    left = {path.name for path in bench.stage.iterdir()}
    wanted = {"cnnaccel.bit", "cnnaccel.hwh", "cnnaccel.xsa", "reports", "logs", "steps.json"}
    wanted |= {"routed.dcp", "ip", "tcl", "preset.tcl", *RENDERED}
    assert left == wanted | {"manifest.json", "results.json"}
    page = (ROOT / "docs/bitstream.md").read_text(encoding="utf-8")
    assert all(f"`{name}" in page for name in wanted), "what is left is documented"
    assert sorted(path.stem for path in (bench.stage / "logs").iterdir()) == sorted(STEPS)
    for name in ("utilization", "timing", "power", "clocks"):
        assert (bench.stage / "reports" / f"{name}.json").is_file()
    results = bench.results()
    assert {r["source"] for r in results["resources"]} == {"Vivado 2023.2 (mock)"}
    assert [r["name"] for r in results["resources"]][:3] == ["DSP", "BRAM36", "LUT"]
    assert results["timing"]["source"] == results["clock"]["source"] == "Vivado 2023.2 (mock)"
    assert "Vivado 2023.2 (mock)" in results["headline"] and results["headline"] in result.out
    assert results["clock"]["mhz"] == 100 and list(results["seconds"]) == list(STEPS)
    hardware = json.loads((bench.stage / "hw.json").read_text(encoding="utf-8"))
    assert hardware["digest"] == results["digest"]
    for line in result.out.splitlines():
        if line.startswith("│"):
            assert "(mock)" in line, "every figure has its source"


def test_the_engine_in_a_design_of_your_own(bench: Bench) -> None:
    """By the lines of docs/build-hw.md, from a copy, without this checkout's scripts."""
    assert bench.run().code == 0
    page = (ROOT / "docs/build-hw.md").read_text(encoding="utf-8")
    section = page.split("## The engine in a design of your own\n")[1].split("\n## ")[0]
    copy, project, ip = (
        [line[4:] for line in block.splitlines()]
        for block in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    )
    (bench.folder / "build").symlink_to(bench.folder)
    run: dict[str, Any] = {"cwd": bench.folder, "shell": True, "capture_output": True, "text": True}
    done = subprocess.run(copy[0], check=False, **run)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(bench.stage)
    script = bench.folder / "own.tcl"
    script.write_text("\n".join([*ip, 'puts "made [get_property CONFIG.WordBytes $engine]"']))
    vivado = f"{mock_vivado()} -mode batch -source"
    done = subprocess.run(f"{vivado} {script}", check=False, **run)
    assert done.returncode == 0 and "made 8\n" in done.stdout, done.stdout
    command = project[1].replace("vivado", f"{mock_vivado()} -mode batch", 1)
    done = subprocess.run(f"{project[0]} && {command}", check=False, **run)
    assert done.returncode == 0 and "project/cnnaccel.xpr is open" in done.stdout, done.stdout
    assert (bench.folder / "my_engine/project/cnnaccel.xpr").is_file()
    component = (bench.folder / "my_engine/ip/component.xml").read_text(encoding="utf-8")
    assert "<spirit:name>cnnaccel_engine</spirit:name>" in component
    assert len(list((bench.folder / "my_engine/ip/src").iterdir())) > 30


def test_what_is_built_is_not_built_again(
    bench: Bench, nowhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.run().code == 0
    manifest = (bench.stage / "manifest.json").read_bytes()
    result = bench.run()
    assert result.code == 0 and bench.steps() == [] and "up to date" in result.out
    assert "│" in result.out and "cnnaccel.bit" in result.out
    monkeypatch.setenv("PATH", "/bin:/usr/bin")  # copied from where there is a Vivado
    result = bench.cnnaccel(*bench.options()[:-2])
    assert result.code == 0 and "up to date" in result.out
    assert (bench.stage / "manifest.json").read_bytes() == manifest
    assert bench.run("--restart").code == 0 and bench.steps() == list(STEPS)


def test_the_first_on_path_serves(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{bench.command.parent}:{os.environ['PATH']}")
    result = bench.cnnaccel(*bench.options()[:-2])
    assert result.code == 0 and bench.steps() == list(STEPS)
    assert str(bench.command) in result.out


def test_the_same_bytes_every_time(bench: Bench) -> None:
    def rendered() -> dict[str, bytes]:
        return {name: (bench.stage / name).read_bytes() for name in RENDERED}

    assert bench.run().code == 0
    before = rendered()
    assert bench.run("--restart").code == 0 and rendered() == before


@pytest.mark.parametrize("step", STEPS)
def test_it_goes_on_after_a_crash(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    monkeypatch.setenv("CNNACCEL_MOCK_CRASH", step)
    result = bench.run()
    assert result.code == 3 and f"error: {step}: " in result.err, result.err
    assert str(bench.partial / f"{step}.log") in result.err
    assert (bench.partial / f"{step}.log").is_file() and not bench.stage.exists()
    assert bench.steps() == list(STEPS[: STEPS.index(step) + 1])
    monkeypatch.delenv("CNNACCEL_MOCK_CRASH")
    result = bench.run()
    assert result.code == 0, result.err
    assert bench.steps() == list(STEPS[STEPS.index(step) :])
    assert result.out.count("finished before") == STEPS.index(step)
    assert list(bench.results()["seconds"]) == list(STEPS)


def test_other_inputs_start_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNACCEL_MOCK_CRASH", "synthesize")
    assert bench.run().code == 3
    result = bench.run("--clock", "125")
    assert result.code == 3 and "starting over: parameters changed" in result.out
    assert bench.steps() == ["package", "design", "synthesize"]
    monkeypatch.setenv("CNNACCEL_MOCK_VERSION", "2022.1")
    result = bench.run("--clock", "125")
    assert result.code == 3 and "starting over: Vivado changed" in result.out
    (bench.partial / "steps.json").write_text("{", encoding="utf-8")
    result = bench.run("--clock", "125")
    assert result.code == 3 and "steps.json cannot be read" in result.out
    assert bench.steps() == ["package", "design", "synthesize"]
    monkeypatch.setattr(bitstream, "wrapper_sources", lambda: [Path(__file__)])
    result = bench.run("--clock", "125")
    assert "starting over: engine changed" in result.out


def test_another_release_of_ours_is_no_other_engine(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.run().code == 0
    monkeypatch.setattr(render_hw, "__version__", "99.0")
    assert bench.run().code == 0 and bench.steps() == []


def test_it_is_stopped_while_it_tidies_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(folder: Path) -> None:
        shutil.rmtree(folder / "project")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bitstream, "_tidy", stop)
        assert bench.run().code == 130 and not bench.stage.exists()
    result = bench.run()
    assert result.code == 0 and bench.steps() == [], result.err
    assert list(bench.results()["seconds"]) == list(STEPS)


def test_the_clock_goes_all_the_way(bench: Bench) -> None:
    assert bench.run("--clock", "125").code == 0
    assert bench.results()["clock"]["mhz"] == 125
    assert "125 MHz" in bench.results()["headline"]
    hardware = json.loads((bench.stage / "hw.json").read_text(encoding="utf-8"))
    assert hardware["clock_mhz"] == 125
    result = bench.run("--clock", "150")
    assert result.code == 0 and bench.results()["clock"]["mhz"] == 142.857
    assert "of 150 MHz the board makes 142.857" in result.out


def test_one_that_is_estimated_to_be_too_large_is_tried_all_the_same(bench: Bench) -> None:
    result = bench.run("--set", "hardware.overrides.act_kib=1024")
    assert result.code == 0 and "warning: the engine is estimated to take" in result.out
    assert "of 140 BRAM36 of xc7z020" in result.out


def test_a_path_that_is_too_slow(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.run().code == 0
    good = (bench.stage / "cnnaccel.bit").read_bytes()
    monkeypatch.setenv("CNNACCEL_MOCK_WNS", "-0.412")
    result = bench.run("--clock", "125")
    assert result.code == 1, result.err
    assert "pynq_z1 misses 125 MHz: setup slack -0.412 ns" in result.err
    assert "--clock 111.111 gives" in result.err  # 1000 / (8 + 0.412) = 118.9; 1000 / 9 is made
    assert "the worst paths at 125 MHz" in result.out and "-0.412" in result.out
    assert (bench.stage / "cnnaccel.bit").read_bytes() == good
    assert bench.results()["clock"]["mhz"] == 100
    assert (bench.partial / "reports" / "timing.rpt").is_file()
    monkeypatch.delenv("CNNACCEL_MOCK_WNS")
    assert bench.run().code == 0 and bench.steps() == []  # that of 100 MHz is still good


def test_a_second_way_that_meets_timing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNACCEL_MOCK_WNS", "-0.412")
    monkeypatch.setenv("CNNACCEL_MOCK_WNS_2", "0.034")
    result = bench.run()
    assert result.code == 0, result.err
    said = " ".join(result.out.split())
    assert "timing is met by the second way: setup slack -0.412 ns, hold slack +0.050" in said
    assert "setup slack +0.034 ns, hold slack +0.050 ns by Performance_ExplorePostRo" in said
    assert bench.results()["timing"]["wns_ns"] == 0.034
    first, second = bench.results()["attempts"]
    assert (first["wns_ns"], first["taken"]) == (-0.412, False)
    assert (second["wns_ns"], second["taken"]) == (0.034, True)
    assert (bench.stage / "routed.dcp").read_text() == "mock of Vivado: impl_2\n"
    monkeypatch.setenv("CNNACCEL_MOCK_WNS_2", "-0.100")
    result = bench.run("--restart")
    assert result.code == 1 and "misses 100 MHz: setup slack -0.100 ns" in result.err
    assert "two ways were tried: setup slack -0.412 ns, hold slack +0.050 ns by Viv" in result.err
    assert "setup slack -0.100 ns, hold slack +0.050 ns by Performance_Explore" in result.err
    assert bench.results()["timing"]["wns_ns"] == 0.034  # the earlier one is as it was


# ---- what synthesis takes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"DSP": "0"}, "DSP: 0 found, 144 predicted (must be equal)"),
        ({"DSP": "145"}, "DSP: 145 found, 144 predicted (must be equal)"),
        ({"BRAM36": "94"}, "BRAM36: 94 found, 99.5 predicted (may be off by 4.975)"),
        ({"LUT": "51000"}, "predicted (may be 50% to 125% of it)"),
        ({"LUT": "3000", "DSP": "16"}, "DSP: 16 found, 144 predicted (must be equal); LUT: 3,000"),
    ],
)
def test_other_resources_than_predicted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, found: dict[str, str], message: str
) -> None:
    for name, value in found.items():
        monkeypatch.setenv(f"CNNACCEL_MOCK_{name}", value)
    result = bench.run()
    assert result.code == 1 and message in result.err, result.err
    assert "than the estimate of `build-hw --check` predicts" in result.err
    assert "--accept-resources goes on with step implement" in result.err
    assert bench.steps() == ["package", "design", "synthesize"] and "\n" not in result.err.strip()
    assert bench.run().code == 1 and bench.steps() == [], "it is compared again, not synthesized"
    result = bench.run("--accept-resources")
    assert result.code == 0, result.err
    assert bench.steps() == ["implement", "bitstream", "report"]
    said = result.out.replace("\n", " ")
    assert "warning: synthesis made another engine than" in said and message in said


def test_what_yosys_counted_is_the_prediction(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_hw, "lint_engine", lambda hardware: None)
    monkeypatch.setattr(build_hw, "check_tcl", lambda hardware, folder: None)
    cells = {"DSP48E1": 143, "RAMB36E1": 99, "RAMB18E1": 1, "LUT6": 16000}
    monkeypatch.setattr(build_hw, "synthesize", lambda *_: Synthesis(cells))
    monkeypatch.setenv("CNNACCEL_MOCK_DSP", "144")
    assert bench.cnnaccel(*bench.options()[:-2], "--check").code == 0
    result = bench.run()
    assert result.code == 1 and "DSP: 144 found, 143 predicted" in result.err
    assert re.search(r"than Yosys \S+ predicts", result.err)
    result = bench.run("--clock", "125")  # the check was of other files, but the same engine
    assert result.code == 0, result.err


# ---- a part of the way -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "left"),
    [
        ("package", "ip/component.xml"),
        ("design", "project/cnnaccel.xpr"),
        ("synthesize", "reports/synthesized.rpt"),
        ("implement", "implemented.txt"),
        ("bitstream", "cnnaccel.xsa"),
    ],
)
def test_until(bench: Bench, last: str, left: str) -> None:
    result = bench.run("--until", last)
    assert result.code == 0, result.err
    done = STEPS[: STEPS.index(last) + 1]
    assert bench.steps() == list(done) and not bench.stage.exists()
    said = " ".join(result.out.split())
    assert f"ended after {last}, as asked for: {bench.partial}; " in said.replace("- ", "-")
    assert re.split(r"[/.]", left)[0] in said.split("as asked for")[1]
    assert (bench.partial / left).is_file()
    result = bench.run("--until", last)
    assert result.code == 0 and bench.steps() == [] and f"ended after {last}" in result.out
    result = bench.run()
    assert result.code == 0 and bench.steps() == list(STEPS[len(done) :])
    result = bench.run("--until", last)
    assert result.code == 0 and bench.steps() == [] and "up to date" in result.out


def test_until_no_step(bench: Bench) -> None:
    result = bench.run("--until", "report")
    assert result.code == 2 and "'report' is not one of 'package'" in result.err


@pytest.mark.parametrize(
    ("slack", "said", "advice", "other"),
    [
        ("WHS", "hold slack -0.050 ns", "--restart", "--clock"),
        ("WPWS", "pulse width slack -0.050 ns", "lower --clock", "--restart"),
    ],
)
def test_a_hold_or_pulse_that_is_too_short(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, slack: str, said: str, advice: str, other: str
) -> None:
    monkeypatch.setenv(f"CNNACCEL_MOCK_{slack}", "-0.050")
    result = bench.run()
    assert result.code == 1 and said in result.err, result.err
    assert advice in result.err and other not in result.err
    assert not bench.stage.exists()


def test_a_report_without_its_table(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.after("test -f reports/power.rpt && echo nothing > reports/power.rpt; exit 0")
    result = bench.run()
    assert result.code == 3 and "Total On-Chip Power (W)" in result.err, result.err
    assert str(bench.partial / "reports" / "power.rpt") in result.err
    bench.after("")
    assert bench.run().code == 0 and bench.steps() == ["report"]
    monkeypatch.setenv("CNNACCEL_MOCK_NO_TABLE", "1")
    result = bench.run("--restart")
    assert result.code == 3 and "reports/" in result.err, result.err
    assert bench.results()["vivado"] == "2023.2 (mock)"


@pytest.mark.parametrize("name", ["cnnaccel.bit", "cnnaccel.hwh", "cnnaccel.xsa"])
def test_a_file_that_is_not_made(bench: Bench, name: str) -> None:
    bench.after(f"test -f {name} && : > {name}; exit 0")
    result = bench.run()
    assert result.code == 3 and f"{name} is not there, or empty" in result.err
    assert not bench.stage.exists()


def test_a_vivado_that_is_too_old(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNACCEL_MOCK_VERSION", "2019.2")
    result = bench.run()
    assert result.code == 3 and "2020.1 or later is needed" in result.err
    assert not bench.partial.exists()


def test_a_disk_that_is_full(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.run().code == 0
    good = (bench.stage / "cnnaccel.bit").read_bytes()

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(bitstream, "write_atomic", full)
        result = bench.run("--restart")
    assert result.code == 1 and "No space left on device" in result.err
    assert (bench.stage / "cnnaccel.bit").read_bytes() == good
    assert bench.run().code == 0 and bench.steps() == []


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--jobs", "0"), 2, "0 is not in the range"),
        (("--clock", "fast"), 2, "'fast' is not a valid float"),
        (("--check", "--restart"), 2, "--check needs no Vivado"),
        (("--check", "--asic"), 2, "one at a time"),
        (("--asic", "--jobs", "2"), 2, "--asic needs no Vivado"),
        (("--check", "--until", "package"), 2, "--check needs no Vivado"),
        (("--check", "--accept-resources"), 2, "--check needs no Vivado"),
        (("--clock", "0"), 1, "clock_mhz must be positive"),
        (("--clock", "nan"), 1, "clock_mhz must be a finite number"),
        (("--clock", "1e6"), 1, "makes clocks up to 250 MHz"),
        (("--clock", "0.01"), 1, "the nearest to this is 0.25"),
        (("--set", "hardware.overrides.part=xczu3eg-sbva484-1-e"), 1, "ps_preset pynq_z1"),
        (("--vivado", "/nowhere"), 3, "no vivado there"),
    ],
)
def test_options_that_cannot_be(
    bench: Bench, options: tuple[str, ...], code: int, message: str
) -> None:
    result = bench.run(*options)
    assert result.code == code and message in result.err, result.err
    assert bench.steps() == [] and not bench.partial.exists()


def test_ctrl_c_ends_vivado_and_the_next_run_goes_on(bench: Bench) -> None:
    assert bench.run().code == 0
    good = (bench.stage / "cnnaccel.bit").read_bytes()
    (bench.folder / "calls").write_text("")
    command = [sys.executable, "-m", "cnnaccel", *bench.options(), "--clock", "125"]
    slow = {**os.environ, "CNNACCEL_MOCK_SECONDS": "1.5"}
    process = subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, env=slow, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    until = time.monotonic() + 60
    while bench.steps() != ["package", "design"] and time.monotonic() < until:
        time.sleep(0.05)
    pid = int((bench.folder / "calls.pid").read_text(encoding="utf-8"))
    assert alive(pid)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted in step design" in said, said
    assert "Traceback" not in said and not alive(pid)
    assert (bench.stage / "cnnaccel.bit").read_bytes() == good
    result = bench.run("--clock", "125")
    assert result.code == 0 and bench.steps() == list(STEPS[1:])
    assert bench.results()["clock"]["mhz"] == 125
