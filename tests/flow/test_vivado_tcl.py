"""The Tcl of hw/tcl under the mock of Vivado: every board, every fault, and what a build hands on.

The mock stands for Vivado, which exists on no machine of ours; what it cannot know is in
docs/build-hw.md.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata

from cnnaccel.devices import DEVICES, ZYNQ, Device
from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig, load_hardware, shipped_boards
from cnnaccel.render.params import render_hwh
from cnnaccel.render.tcl import PRESET
from cnnaccel.tools import vivado_check
from cnnaccel.tools.tool import find_tool, run_tool
from cnnaccel.tools.vivado_check import (
    STEPS,
    check_tcl,
    lint_tcl,
    mock_vivado,
    prepare_vivado,
    unknown_board,
    vivado_command,
)

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "hw/tcl/vivado"

pytestmark = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="tclsh is not on PATH: apt install tcl"
)


@dataclasses.dataclass(frozen=True)
class Run:
    """A build folder, and scripts to run in it, which may be a changed copy."""

    folder: Path
    scripts: Path = SCRIPTS

    def step(self, name: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run one step under the mock, with settings as CNNACCEL_MOCK_*."""
        command = [str(part) for part in vivado_command(mock_vivado(), name)]
        command[command.index("-source") + 1] = str(self.scripts / f"{name}.tcl")
        mine = {key: text for key, text in os.environ.items() if "CNNACCEL_MOCK" not in key}
        mine |= {f"CNNACCEL_MOCK_{key}": text for key, text in settings.items()}
        return subprocess.run(
            command, cwd=self.folder, env=mine, check=False, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def steps(self, *names: str, **settings: str) -> None:
        """Run steps that end well."""
        for name in names:
            done = self.step(name, **settings)
            assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """packaged(board): a folder after step package, not to be changed."""
    folders: dict[str, Path] = {}

    def make(board: str) -> Path:
        if board not in folders:
            folder = tmp_path_factory.mktemp(board)
            prepare_vivado(load_hardware(board), folder)
            Run(folder).steps("package")
            folders[board] = folder
        return folders[board]

    return make


@pytest.fixture
def run(packaged: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Run]:
    """run(board): in a copy of what the steps that follow need of such a folder."""

    def make(board: str) -> Run:
        source, build = packaged(board), tmp_path / "build"
        shutil.copytree(source / "ip", build / "ip", ignore=shutil.ignore_patterns("src"))
        for name in ("config.tcl", PRESET):
            if (source / name).is_file():
                shutil.copy(source / name, build)
        (build / "src").symlink_to(source / "src")
        return Run(build)

    return make


# ---- scripts as they are -----------------------------------------------------------------------


def ends(text: str) -> str:
    """Why a step failed: its last line."""
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize("board", shipped_boards())
def test_every_board(board: str, run: Callable[[str], Run]) -> None:
    built = run(board)
    built.steps(*STEPS[1:])
    for name in ("cnnaccel.bit", "cnnaccel.hwh", "cnnaccel.xsa", "reports/summary.txt"):
        assert "mock" in (built.folder / name).read_bytes().decode("latin1"), name
    for log in built.folder.glob("*.log"):
        assert "mock" in log.read_text() and "done" in log.read_text()
    for report in (built.folder / "reports").glob("*.rpt"):
        assert "(mock: no number here is a measurement)" in report.read_text()


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("board", ["pynq_z1", "zcu104"])
def test_every_width_of_the_bus(lanes: int, board: str, tmp_path: Path) -> None:
    hardware = dataclasses.replace(
        load_hardware(board), input_lanes=lanes, output_lanes=lanes, address_bits=36
    )
    prepare_vivado(hardware, tmp_path)
    Run(tmp_path).steps("package", "design", "synthesize")


def test_check_runs_all_and_leaves_the_results(tmp_path: Path) -> None:
    check_tcl(load_hardware("tiny"), tmp_path)
    assert (tmp_path / "cnnaccel.bit").is_file() and (tmp_path / "reports/summary.txt").is_file()


def test_lint_sees_the_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lint_tcl()
    shutil.copytree(ROOT / "hw", tmp_path / "hw")
    script = tmp_path / "hw/tcl/vivado/synthesize.tcl"
    script.write_text(script.read_text() + "puts [expr $jobs + 1]\n")
    monkeypatch.setattr(vivado_check, "resource", lambda name: tmp_path / name)
    with pytest.raises(ToolError, match=r"synthesize\.tcl:\d+.*expr"):
        lint_tcl()


def test_scripts_are_formatted() -> None:
    command = find_tool("tclfmt")
    if command is None:
        pytest.skip("tclfmt is not there: pip install 'cnnaccel[check]'")
    run_tool(
        [command, "-c", ROOT / "hw/lint/tclint.toml", "--check", ROOT / "hw/tcl", mock_vivado()],
        timeout_seconds=60,
    )


def test_check_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vivado_check, "find_tool", lambda name: None)
    with pytest.raises(ToolError, match=r"tclint is not there; `pip install 'cnnaccel\[check\]'"):
        lint_tcl()
    monkeypatch.setattr(vivado_check, "lint_tcl", lambda: None)
    with pytest.raises(ToolError, match="tclsh is not there; `apt install tcl`"):
        check_tcl(load_hardware("tiny"), tmp_path)


def test_check_passes_on_what_the_mock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vivado_check, "lint_tcl", lambda: None)
    monkeypatch.setenv("CNNACCEL_MOCK_VERSION", "2019.2")
    with pytest.raises(ToolError, match=r"package: this is Vivado 2019\.2_mock; .* 2020\.1 or"):
        check_tcl(load_hardware("tiny"), tmp_path)


@pytest.mark.parametrize("version", ["2020.1", "2020.2.2", "2024.2"])
def test_versions(version: str, run: Callable[[str], Run]) -> None:
    built = run("tiny")
    built.steps(*STEPS[1:], VERSION=version)
    assert f"vivado {version}_mock\n" in (built.folder / "reports/summary.txt").read_text()
    assert "from project/cnnaccel." in (built.folder / "bitstream.log").read_text()


@pytest.mark.parametrize(
    ("version", "message"),
    [("2019.2", "needs? 2020.1 or later"), ("2018.3", "Vivado 2018.3"), ("beta", "calls itself")],
)
def test_other_versions_are_refused(version: str, message: str, tmp_path: Path) -> None:
    prepare_vivado(load_hardware("tiny"), tmp_path)
    done = Run(tmp_path).step("package", VERSION=version)
    assert done.returncode == 1 and re.search(message, ends(done.stdout))
    assert ends(done.stdout).startswith("ERROR: [cnnaccel] package: ")


@pytest.mark.parametrize("version", ["2020.1", "2022.1"])
def test_a_run_that_fails(version: str, run: Callable[[str], Run], tmp_path: Path) -> None:
    """Newer ones make an error of it, older ones leave it to the status."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    design = tmp_path / "scripts/design.tcl"
    design.write_text(design.read_text().replace("WordBytes $config(word_bytes)", "WordBytes 16"))
    built = dataclasses.replace(run("tiny"), scripts=tmp_path / "scripts")
    built.steps("design", VERSION=version)
    done = built.step("synthesize", VERSION=version)
    assert done.returncode == 1
    assert (
        "ERROR: [Synth 8-1] /engine: WordBytes is 16, its package says InputLanes = 4"
        in done.stdout
    )
    log = built.folder / "project/cnnaccel.runs/synth_1/runme.log"
    expected = f"synthesize: run synth_1 ended with 'synth_design ERROR'; its log is {log}"
    assert ends(done.stdout).endswith(expected) and log.is_file()


@pytest.mark.parametrize("arguments", [(), ("config.tcl",), ("config.tcl", "0"), ("x.tcl", "1")])
def test_arguments_of_a_step(arguments: tuple[str, ...], tmp_path: Path) -> None:
    prepare_vivado(load_hardware("tiny"), tmp_path)
    command = [*map(str, vivado_command(mock_vivado(), "package"))][:-2]
    done = subprocess.run(
        [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.search(r"package: (wants -tclargs <config.tcl>|couldn't read)", ends(done.stdout))


def test_a_step_can_be_repeated(run: Callable[[str], Run]) -> None:
    built = run("tiny")
    built.steps(*STEPS)
    for name in reversed(STEPS[2:]):
        built.steps(name)
    built.steps("design")
    done = built.step("implement")
    assert done.returncode == 1 and "synth_1 is 'Not started'" in done.stdout


# ---- what a build hands on -----------------------------------------------------------------------


def metadata(hwh: Path) -> dict[str, Any]:
    """What pynq makes of a .hwh: registers, addresses, clocks, interrupts."""
    parsed = RuntimeMetadataParser(Metadata(input=str(hwh)))
    cells = {
        name: {key: value for key, value in entry.items() if key != "parameters"}
        for name, entry in parsed.ip_dict.items()
    }
    found = {"ip_dict": cells}
    for name in ("clock_dict", "interrupt_controllers", "interrupt_pins", "hierarchy_dict"):
        found[name] = getattr(parsed, name)
    return found


@pytest.mark.parametrize("board", ["pynq_z1", "zcu104"])
def test_pynq_reads_the_same_as_of_the_simulated_design(
    board: str, run: Callable[[str], Run], tmp_path: Path
) -> None:
    built = run(board)
    built.steps("design")
    (hwh,) = built.folder.glob("project/**/cnnaccel.hwh")
    (tmp_path / "simulated.hwh").write_text(render_hwh(load_hardware(board)))
    found, expected = metadata(hwh), metadata(tmp_path / "simulated.hwh")
    assert found == expected
    assert found["ip_dict"]["engine"]["registers"]["status"]["fields"]["busy"]
    assert found["interrupt_pins"] and found["clock_dict"]


def test_the_bitstream_has_the_header_of_one(run: Callable[[str], Run]) -> None:
    built = run("tiny")
    built.steps(*STEPS[1:])
    data = (built.folder / "cnnaccel.bit").read_bytes()
    at, fields = 13, {}
    while (key := data[at : at + 1]) != b"e":
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        fields[key] = data[at + 3 : at + 3 + size]
        at += 3 + size
    assert int.from_bytes(data[at + 1 : at + 5], "big") == len(data) - at - 5
    assert fields[b"b"] == b"7z020clg400-1\0" and fields[b"a"].startswith(b"cnnaccel_wrapper;")
    assert data[at + 5 :].startswith(b"MOCK")


def summary(folder: Path) -> dict[str, str]:
    lines = (folder / "reports/summary.txt").read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.mark.parametrize("version", ["2020.1", "2023.1"])
def test_numbers_of_the_reports(version: str, run: Callable[[str], Run]) -> None:
    built = run("pynq_z1")
    given = {"LUT": "12345", "FF": "23456", "BRAM36": "99.5", "DSP": "144", "POWER": "1.731"}
    built.steps(*STEPS[1:], VERSION=version, WNS="0.123", WHS="0.017", **given)
    found = summary(built.folder)
    assert found == found | {
        "lut": "12345", "lutram": "1300", "ff": "23456", "bram36": "99.5", "dsp": "144",
        "power_w": "1.731", "wns": "0.123", "whs": "0.017", "tns": "0.000",
        "failing_endpoints": "0", "clock_mhz": "100.000", "part": "xc7z020clg400-1",
        "digest": f"{load_hardware('pynq_z1').digest:016x}",
    }  # fmt: skip
    assert (built.folder / "reports/paths.txt").read_text() == ""
    assert {path.stem for path in (built.folder / "reports").glob("*.rpt")} == {
        "utilization", "timing", "power", "clocks", "synthesized", "synthesized_engine"
    }  # fmt: skip


@pytest.mark.parametrize("version", ["2022.2", "2023.2", "2024.2"])
def test_the_scripts_read_reports_of_each_release(version: str, tmp_path: Path) -> None:
    """The procedures of report.tcl, by tclsh, on what test_reports.py reads by Python."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    procedures = (SCRIPTS / "report.tcl").read_text().split("perform report")[0]
    script = tmp_path / "scripts/read.tcl"
    script.write_text(
        procedures + "puts [utilization_of [read_text utilization.rpt] Slice]\n"
        "puts [timing_of [read_text timing.rpt]]\n"
        "puts [cell_of [read_text power.rpt] {Total On-Chip Power \\(W\\)} power.rpt]\n"
    )
    folder = ROOT / "tests/unit/vivado_reports" / version
    done = subprocess.run(
        ["tclsh", script], cwd=folder, capture_output=True, text=True, check=False
    )
    utilization, timing, power = done.stdout.splitlines()
    assert utilization == "lut 14210 lutram 1499 ff 20345 bram36 99.5 dsp 144"
    assert timing.startswith("wns 0.123 tns 0.000 failing_endpoints 0 endpoints 61234 whs 0.021")
    assert timing.endswith("wpws 3.750 failing_pulse_endpoints 0") and power == "1.871"


def test_negative_slack(run: Callable[[str], Run]) -> None:
    built = run("pynq_z1")
    built.steps(*STEPS[1:], WNS="-0.315", WHS="-0.015", WPWS="-0.1")
    found = summary(built.folder)
    assert (found["wns"], found["tns"], found["failing_endpoints"]) == ("-0.315", "-3.150", "10")
    assert (found["whs"], found["failing_hold_endpoints"]) == ("-0.015", "10")
    assert (found["wpws"], found["failing_pulse_endpoints"]) == ("-0.100", "1")
    paths = [line.split() for line in (built.folder / "reports/paths.txt").read_text().splitlines()]
    assert [path[0] for path in paths] == ["setup"] * 10 + ["hold"] * 2
    assert paths[0][1] == "-0.315" and all(len(path) == 6 for path in paths)
    assert "route_design Complete, Failed Timing!" in (built.folder / "implement.log").read_text()


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("2022.2", "phys_opt_design (Post-Route) Complete!"),
        ("2024.2", "post_route_phys_opt_design Complete!"),
    ],
)
def test_a_second_way_where_the_first_is_too_slow(
    version: str, status: str, run: Callable[[str], Run]
) -> None:
    built = run("pynq_z1")
    built.steps(*STEPS[1:], VERSION=version, WNS="-0.315", WNS_2="0.021", WHS_2="0.003")
    log = (built.folder / "implement.log").read_text()
    assert "setup slack -0.315 ns, hold slack 0.05 ns by Vivado Implementation Defaults" in log
    assert f"cnnaccel: implement: {status}" in log
    found = summary(built.folder)
    assert found == found | {
        "run": "impl_2",
        "strategy": "Performance_ExplorePostRoutePhysOpt",
        "strategy_1": "Vivado Implementation Defaults",
        "wns_1": "-0.315",
        "whs_1": "0.05",
        "strategy_2": "Performance_ExplorePostRoutePhysOpt",
        "wns_2": "0.021",
        "whs_2": "0.003",
        "wns": "0.021",
        "whs": "0.003",
        "failing_endpoints": "0",
    }
    assert "impl_2/cnnaccel_wrapper.bit" in (built.folder / "bitstream.log").read_text()
    built.steps("bitstream", "implement", "bitstream", VERSION=version)
    assert "run impl_1\n" in (built.folder / "implemented.txt").read_text()


@pytest.mark.parametrize(("second", "taken"), [("-0.4", "impl_1"), ("-0.1", "impl_2")])
def test_the_better_of_two_that_are_too_slow_is_reported(
    second: str, taken: str, run: Callable[[str], Run]
) -> None:
    built = run("pynq_z1")
    built.steps(*STEPS[1:], WNS="-0.315", WNS_2=second)
    found = summary(built.folder)
    assert found["run"] == taken and found["wns_1"] == "-0.315" and found["wns_2"] == second
    assert float(found["wns"]) == max(-0.315, float(second))


def test_a_run_without_a_slack(run: Callable[[str], Run]) -> None:
    """Where nothing is clocked there is none, which no comparison with 0 sees."""
    built = run("tiny")
    built.steps("design", "synthesize")
    done = built.step("implement", WNS="inf")
    expected = "run impl_1 has no slack (STATS.WNS is 'Inf'): is the clock constrained?"
    assert done.returncode == 1 and ends(done.stdout).endswith(expected)


def test_a_report_without_its_table(run: Callable[[str], Run]) -> None:
    built = run("tiny")
    built.steps(*STEPS[1:5])
    done = built.step("report", NO_TABLE="1")
    assert done.returncode == 1
    expected = "ERROR: [cnnaccel] report: reports/utilization.rpt has no row 'Slice LUTs"
    assert ends(done.stdout).startswith(expected)
    assert not (built.folder / "reports/summary.txt").exists()


@pytest.mark.parametrize("step", STEPS)
def test_a_crash(step: str, run: Callable[[str], Run]) -> None:
    built = run("tiny")
    built.steps(*STEPS[1 : STEPS.index(step)])
    done = built.step(step, CRASH=step)
    assert done.returncode == 11 and "Abnormal program termination" in done.stdout
    assert (built.folder / f"{step}.log").read_text().endswith("Abnormal program term")
    built.steps(*STEPS[STEPS.index(step) :])


def test_it_can_be_interrupted(run: Callable[[str], Run]) -> None:
    built = run("tiny")
    command = [str(part) for part in vivado_command(mock_vivado(), "design")]
    process = subprocess.Popen(
        command, cwd=built.folder, env=os.environ | {"CNNACCEL_MOCK_SECONDS": "60"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process:
        while "validating" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == -signal.SIGINT
    built.steps("design")


# ---- what Vivado drops or leaves out -------------------------------------------------------------


@pytest.mark.parametrize(
    ("board", "dropped"),
    [
        ("pynq_z1", "PCW_S_AXI_HP0_DATA_WIDTH=32"),
        ("pynq_z1", "PCW_FPGA0_PERIPHERAL_FREQMHZ=50"),
        ("pynq_z1", "PCW_USE_FABRIC_INTERRUPT=0"),
        ("pynq_z1", "PCW_IRQ_F2P_INTR=0"),
        ("pynq_z1", "PCW_EN_RST0_PORT=0"),
        ("pynq_z1", "PCW_FCLK0_PERIPHERAL_CLKSRC=ARM"),
        ("zcu104", "PSU__SAXIGP2__DATA_WIDTH=64"),
        ("zcu104", "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ=100"),
        ("zcu104", "PSU__USE__IRQ0=0"),
        ("zcu104", "PSU__USE__M_AXI_GP1=1"),
        ("pynq_z1", "AddressBits=40"),
        ("pynq_z1", "WordBytes=4"),
        ("pynq_z1", "NUM_MI=1"),
        ("pynq_z1", "C_IRQ_CONNECTION=0"),
        ("pynq_z1", "C_IRQ_IS_LEVEL=0"),
        ("pynq_z1", "C_IRQ_ACTIVE=0x0"),
    ],
)
@pytest.mark.parametrize("when", ["DROPPED", "CHANGED"])
def test_what_was_set_is_read_back(
    board: str, dropped: str, when: str, run: Callable[[str], Run]
) -> None:
    """[IP_Flow 19-3374] is a warning; validation changes parameters without one."""
    done = run(board).step("design", **{when: dropped})
    name, _, kept = dropped.partition("=")
    assert done.returncode == 1, done.stdout
    assert re.search(
        rf"does not keep what .*CONFIG\.{name} is '{kept}', wanted ", ends(done.stdout)
    )
    assert ("[IP_Flow 19-3374]" in done.stdout) is (when == "DROPPED")


@pytest.mark.parametrize("when", ["DROPPED", "CHANGED"])
@pytest.mark.parametrize("kind", ["0xFFFFFFFF", "0" * 31 + "1"])
def test_an_interrupt_for_edges(when: str, kind: str, run: Callable[[str], Run]) -> None:
    done = run("pynq_z1").step("design", **{when: f"C_KIND_OF_INTR={kind}"})
    expected = f"takes its interrupt for edges: CONFIG.C_KIND_OF_INTR is {kind}"
    assert done.returncode == 1 and ends(done.stdout).endswith(expected)


def test_a_reset_that_never_ends(run: Callable[[str], Run]) -> None:
    """The reset of the processors is active low, what waits for it is not by itself."""
    built = run("pynq_z1")
    done = built.step("design", CHANGED="C_EXT_RESET_HIGH=1")
    message = "proc_sys_reset_0 does not keep what it was set to: CONFIG.C_EXT_RESET_HIGH is '1'"
    assert done.returncode == 1 and message in ends(done.stdout)
    done = built.step("design", DROPPED="C_EXT_RESET_HIGH=1")
    message = "FCLK_RESET0_N is active low, /proc_sys_reset_0/ext_reset_in is active high"
    assert done.returncode == 1 and message in done.stdout


def test_what_comes_back_in_another_form_is_the_same(run: Callable[[str], Run]) -> None:
    forms = "PCW_FPGA0_PERIPHERAL_FREQMHZ=100.000000 PCW_USE_S_AXI_HP0=true C_IRQ_ACTIVE=1"
    run("pynq_z1").steps("design", CHANGED=f"{forms} C_KIND_OF_INTR=0xFFFFFFFE")


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("params.svh", "params.svh is not in the package, whose files are accumulator.sv"),
        ("engine.sv", "engine.sv is not in the package"),
        ("include:params.svh", "src/params.svh does not keep .*IS_INCLUDE is '0', wanted '1'"),
        ("AddressBits", "parameter AddressBits: found 0 of it"),
        ("WordBytes", "parameter WordBytes: found 0 of it"),
        ("space:m_axi_mem", "address space '' of m_axi_mem: found 0 of it"),
        ("irq:SENSITIVITY", "parameter SENSITIVITY of interface irq: found 0 of it"),
        ("resetn:POLARITY", "parameter POLARITY of interface resetn: found 0 of it"),
        ("clk:ASSOCIATED_BUSIF", "parameter ASSOCIATED_BUSIF of interface clk: found 0"),
    ],
)
def test_the_package_is_whole(
    left_out: str, message: str, packaged: Callable[[str], Path], tmp_path: Path
) -> None:
    source = packaged("pynq_z1")
    shutil.copy(source / "config.tcl", tmp_path)
    (tmp_path / "src").symlink_to(source / "src")
    done = Run(tmp_path).step("package", LEFT_OUT=left_out)
    assert done.returncode == 1 and re.search(message, ends(done.stdout)), done.stdout


def test_no_procedure_takes_the_name_of_a_command() -> None:
    """The mock refuses one; here all of them, and that the list knows what Vivado has."""
    text = (ROOT / "hw/tcl/mock/commands.tcl").read_text()
    listed = set(re.sub(r"^#.*", "", text, flags=re.MULTILINE).split())
    assert {"step", "run", "help", "add_files", "write_hw_platform"} <= listed
    written = "".join(path.read_text() for path in SCRIPTS.rglob("*.tcl"))
    own = re.findall(r"^proc (\S+)", written, re.MULTILINE)
    assert len(own) > 30 and not listed & set(own)


def test_the_project_is_opened_and_made_anew(run: Callable[[str], Run]) -> None:
    built = run("pynq_z1")
    for _ in range(2):
        done = built.step("open_project")
        assert done.returncode == 0, done.stdout
        assert ends(done.stdout).startswith("cnnaccel: project/cnnaccel.xpr is open")
    assert "design: validating" not in done.stdout


# ---- the command line of the mock ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-mode", "gui", "-source", "x.tcl"], "only -mode batch"),
        (["-mode", "batch"], "-source is missing"),
        (["-mode", "batch", "-sourse", "x.tcl"], "unknown option '-sourse'"),
        (["-mode", "batch", "-source"], "-source wants a value"),
        (["-mode", "batch", "-source", "not_there.tcl"], "cannot read not_there.tcl"),
    ],
)
def test_command_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [mock_vivado(), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and message in done.stdout + done.stderr


def test_it_can_be_linked_to(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/vivado").symlink_to(mock_vivado())
    done = subprocess.run(
        ["vivado", "-version"], env=os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Vivado v2020.1 (64-bit, mock)\n")


def test_the_mock_knows_what_the_scripts_use_and_no_more(
    run: Callable[[str], Run], tmp_path: Path
) -> None:
    defined: set[str] = set()
    for path in (ROOT / "hw/tcl/mock").glob("*.tcl"):
        defined |= set(re.findall(r"^mock::define (\S+)", path.read_text(), re.MULTILINE))
    built, used = run("zcu104"), tmp_path / "used"
    built.steps(*STEPS, *STEPS[2:], "open_project", USED=str(used), WNS="-0.1")
    shutil.rmtree(built.folder)
    for board, steps in (("pynq_z1", STEPS), ("zedboard", STEPS[:2])):
        prepare_vivado(load_hardware(board), built.folder)
        built.steps(*steps, USED=str(used))
    assert set(used.read_text().split()) == defined
    written = "".join(path.read_text() for path in SCRIPTS.rglob("*.tcl"))
    own = set(re.findall(r"^proc (\w+)", written, re.MULTILINE))
    vivado = r"\b(?:ipx::\w+|(?:get|set|create|open|close|add|update|connect|assign|exclude|make"
    vivado += r"|generate|validate|save|launch|wait|reset|report|current|apply)_\w+)\b"
    code = re.sub(r"^\s*#.*$", "", written, flags=re.MULTILINE)
    code = re.sub(r'"[^"\n]*"', "", code)
    named = {name for name in re.findall(vivado, code) if name == name.lower()}
    options = {"reset_run", "report_file", "apply_board_preset", "make_external"}
    assert named - own - options <= defined


# ---- mutations -----------------------------------------------------------------------------------

WIRE = "wire proc_sys_reset_0/peripheral_aresetn $engine/resetn $intc/s_axi_aresetn"
CONTROL = "place $cell/Data $engine/s_axi_ctl/Reg $config(engine_base) $config(region_bytes)"
SECOND = "place $cell/Data $intc/S_AXI/Reg $config(interrupt_base) $config(region_bytes)"
MEMORY = "place $engine/m_axi_mem $cell/$ps(dram) 0x00000000 $config(dram_bytes)"

# File, text, what it becomes, the step that fails, what it says.
MUTATIONS = [
    # connections
    ("design", "wire $engine/irq $intc/intr", "", "design",
     "interrupt pin /axi_intc_0/intr has no source"),
    ("design", "wire $intc/irq $cell/$ps(interrupt)", "", "design",
     "interrupt pin /processing_system7_0/IRQ_F2P has no source"),
    ("design", "$engine/clk $intc/s_axi_aclk", "$intc/s_axi_aclk", "design",
     "clock pin /engine/clk has no source"),
    ("design", " $cell/$ps(memory_clock)", "", "design",
     "clock pin /processing_system7_0/S_AXI_HP0_ACLK has no source"),
    ("design", "wire $cell/$ps(clock) $cell/$ps(control_clock)", "wire $cell/$ps(control_clock)",
     "design", "clock pin /smartconnect_memory/aclk has no source"),
    ("design", WIRE, "wire proc_sys_reset_0/peripheral_aresetn $intc/s_axi_aresetn", "design",
     "reset pin /engine/resetn has no source"),
    ("design", WIRE, WIRE.replace("aresetn $e", "reset $e"), "design",
     "peripheral_reset is active high, /engine/resetn is active low"),
    ("design", WIRE, WIRE.replace("proc_sys_reset_0/peripheral_aresetn", "$intc/irq"), "design",
     r"/axi_intc_0/irq \(intr\) drives /engine/resetn \(rst\)"),
    ("design", WIRE, WIRE + "\n    wire $cell/$ps(reset) $engine/resetn", "design",
     "'/engine/resetn' is connected already"),
    ("design", WIRE, "wire $engine/resetn", "design", "wanted two pins or more"),
    ("design", WIRE, WIRE + " $engine/irq", "design", "both '.*' and '/engine/irq' drive"),
    ("design", "join_buses smartconnect_control/M01_AXI $intc/s_axi", "", "design",
     "interface /axi_intc_0/s_axi is not connected"),
    ("design", "join_buses $engine/m_axi_mem smartconnect_memory/S00_AXI", "", "design",
     "interface /engine/m_axi_mem is not connected"),
    ("design", "smartconnect_control/M01_AXI $intc/s_axi", "$engine/s_axi_ctl $intc/s_axi",
     "design", "'/engine/s_axi_ctl' is connected already, to '/smartconnect_control/M00_AXI'"),
    ("design", "join_buses smartconnect_control/M01_AXI $intc/s_axi",
     "join_buses $intc/s_axi smartconnect_memory/S00_AXI", "design", "are Slave"),
    ("ps_zynq", "foreach name {DDR FIXED_IO} {", "foreach name DDR {", "design",
     "interface /processing_system7_0/FIXED_IO is not connected"),
    ("ps_zynq", "[get_bd_intf_ports $name]", "[get_bd_intf_ports FIXED_IO]", "design",
     "'FIXED_IO' and '/processing_system7_0/DDR' are of different kinds"),
    # names
    ("design", "$engine/clk ", "$engine/clock ", "design",
     "pin engine/clock: found 0 of it"),
    ("design", "smartconnect_control/M01_AXI", "smartconnect_control/M02_AXI", "design",
     "interface smartconnect_control/M02_AXI: found 0"),
    ("design", "NUM_SI 1 NUM_MI 2", "NUM_SI 1 NUM_MI 1", "design",
     "interface smartconnect_control/M01_AXI: found 0"),
    ("ps_zynq", "PCW_USE_S_AXI_HP0 1", "PCW_USE_S_AXI_HP0 0", "design",
     "pin processing_system7_0/S_AXI_HP0_ACLK: found 0"),
    ("design", "xilinx.com:ip:smartconnect {NUM_SI 1 NUM_MI 2}", "xilinx.com:ip:smartconect",
     "design", "smartconnect_control: there is no IP xilinx.com:ip:smartconect"),
    ("design", "add_cell proc_sys_reset_0", "add_cell $intc", "design",
     "there is a cell 'axi_intc_0' already"),
    ("design", "cnnaccel:user:", "cnnaccel:users:", "design",
     "no IP cnnaccel:users:cnnaccel_engine"),
    ("design", "set_property ip_repo_paths [file normalize ./ip] [current_project]", "", "design",
     "no IP cnnaccel:user:cnnaccel_engine"),
    ("design", "[get_files -quiet cnnaccel.bd]", "[get_files -quiet system.bd]", "design",
     "file cnnaccel.bd: found 0"),
    # options and commands
    ("design", "-offset $offset", "-ofset $offset", "design", "Unknown option '-ofset'"),
    ("design", "[make_wrapper -files $design -top]", "[make_wrapper -top -files]", "design",
     "make_wrapper: option '-files' needs a value"),
    ("design", "validate_bd_design", "validate_bd", "design",
     'invalid command name "validate_bd"'),
    ("design", "update_ip_catalog", "update_ip_catalog ip", "design", "Too many positional"),
    ("design", "set settings {}", "set settings [lmap x {} {}]", "design",
     'invalid command name "lmap"'),
    ("common", "-jobs $jobs", "-jobs 0", "synthesize", "launch_runs: '0' is no value of '-jobs'"),
    ("implement", "-to_step route_design", "-to_step route", "implement",
     "'route' is no value of '-to_step'"),
    # parameters
    ("design", "NUM_SI 1 NUM_MI 2", "NUM_SI 1 NUM_M 2", "design",
     "'/smartconnect_control' has no parameter 'CONFIG.NUM_M'"),
    ("design", "C_IRQ_CONNECTION 1", "C_IRQ_CONNECTION 2", "design",
     "'2' is out of range for parameter 'C_IRQ_CONNECTION' of cell '/axi_intc_0'"),
    ("design", "AddressBits $config(address_bits) WordBytes", "AddresBits 32 WordBytes", "design",
     "'/engine' has no parameter 'CONFIG.AddresBits'"),
    ("design", "WordBytes $config(word_bytes)", "WordBytes 4", "synthesize",
     "/engine: WordBytes is 4, its package says InputLanes = 8"),
    ("design", "AddressBits $config(address_bits)", "AddressBits 40", "synthesize",
     "/engine: AddressBits is 40, its package says AddressBits = 32"),
    (PRESET, "PCW_UIPARAM_DDR_CL 7", "PCW_UIPARAM_DDR_CAS 7", "design",
     "no parameter 'CONFIG.PCW_UIPARAM_DDR_CAS'"),
    (PRESET, "DDR_BOARD_DELAY0 0.223", "DDR_BOARD_DELAY0 223", "design",
     "'223' is out of range for parameter 'PCW_UIPARAM_DDR_BOARD_DELAY0'"),
    (PRESET, "{MIO 14 .. 15}", "{MIO 46 .. 47}", "design",
     "both PCW_UART0_UART0_IO and PCW_USB0_RESET_IO take MIO 46"),
    (PRESET, "PCW_UART0_UART0_IO {MIO 14 .. 15}", "", "design",
     "PCW_UART0_PERIPHERAL_ENABLE is 1, and PCW_UART0_UART0_IO names no pins"),
    ("ps_zynq", "$config(clock_mhz)", "400", "design",
     "'400' is out of range for parameter 'PCW_FPGA0_PERIPHERAL_FREQMHZ'"),
    # addresses
    ("design", CONTROL, CONTROL.replace("$config(engine_base)", "0x03C00000"), "design",
     "/engine/s_axi_ctl/Reg at .* the master has no such addresses"),
    ("design", CONTROL, CONTROL.replace("$config(engine_base)", "0x43C08000"), "design",
     "/engine/s_axi_ctl/Reg at .* no multiple of the range"),
    ("design", SECOND, SECOND.replace("$config(interrupt_base)", "$config(engine_base)"), "design",
     "/axi_intc_0/S_AXI/Reg at .* overlaps with /engine/s_axi_ctl/Reg"),
    ("design", CONTROL, CONTROL.replace("$config(region_bytes)", "0x20000"), "design",
     "the slave has 0x10000 bytes"),
    ("design", CONTROL, CONTROL.replace("$config(region_bytes)", "65000"), "design",
     "a range is a power of two"),
    ("design", CONTROL, "", "design",
     "slave segment /engine/s_axi_ctl/Reg has no address in /processing_system7_0/Data"),
    ("design", MEMORY, "", "design", "HP0_DDR_LOWOCM has no address in /engine/m_axi_mem"),
    ("design", MEMORY, MEMORY.replace("$config(dram_bytes)", "0x40000000"), "design",
     r"HP0_DDR_LOWOCM at .* the slave is fixed at <0x0 \[ 0x20000000 \]>"),
    ("design", MEMORY, MEMORY.replace("$engine/m_axi_mem", "$engine/m_axi"), "design",
     "address space engine/m_axi: found 0"),
    ("design", MEMORY, MEMORY + "\n    place $engine/m_axi_mem $intc/S_AXI/Reg 0x40000000 65536",
     "design", "/engine/m_axi_mem does not reach /axi_intc_0/S_AXI/Reg"),
    # what is left out
    ("design", "    validate_bd_design\n", "", "design", "make_wrapper: .* was not validated"),
    ("design", "set_property top cnnaccel_wrapper [current_fileset]", "", "synthesize",
     "the fileset sources_1 has no top"),
    ("design", "generate_target all $design", "", "synthesize", "was not generated"),
    ("design", "add_files -norecurse [make_wrapper", "set x [make_wrapper", "synthesize",
     "no file of the project has module 'cnnaccel_wrapper'"),
    ("synthesize", "complete synth_1 synth_design", "", "synthesize",
     "open_run synth_1: it is 'Not started'"),
    ("implement", "renew impl_1", "open_run impl_1", "implement", "impl_1: it is 'Not started'"),
    ("common", "catch {wait_on_run $run}", "", "synthesize", "run synth_1 ended with 'Running"),
    ("report", "    open_run [one", "    list [one", "report", "no run is open"),
    ("ps_zynq", "clk_fpga_0", "clk_fpga_1", "report", "clock clk_fpga_1: found 0"),
    # the package
    ("package", "set_property top $config(top) [current_fileset]", "", "package",
     "the top '' is in no Verilog file"),
    ("package", "set_property file_type {Verilog Header}", "list", "package",
     "params.svh is no Verilog Header"),
    ("package", "./src/$name", "./source/$name", "package", "'./source/params.svh' does not exist"),
    ("package", " \\\n        -import_files", "", "package", "without -import_files"),
    ("package", "set_property range $config(region_bytes) $block", "", "package", "has no RANGE"),
    ("package", "set_property slave_memory_map_ref s_axi_ctl $control", "", "package",
     "the slave interface s_axi_ctl has no memory map"),
    ("package", "address_offset $offset", "address_offset 0", "package",
     "have the same offset, 0"),
    ("package", "bit_offset $bit", "bit_ofset $bit", "package", "no property 'BIT_OFSET' to set"),
    ("package", "MAX_BURST_LENGTH $config", "MAX_BURST_LEN $config", "package",
     "core_bus:m_axi_mem has no parameter 'MAX_BURST_LEN'"),
    ("package", "$config(burst_beats)", "4096", "package", "'4096' is no value for"),
    ("package", "irq s_axi_ctl m_axi_mem", "irq s_axi_ctl m_axi", "package",
     "interface m_axi: found 0"),
    ("package", "*synthesis", "*synth", "package", "group of files for synthesis: found 0 of it"),
    ("package", "[get_property NAME $group]", "[get_property LABEL $group]", "package",
     "has no property 'LABEL'"),
    ("package", "resetn POLARITY ACTIVE_LOW", "resetn POLARITY ACTIVE_HIGH", "package",
     "interface resetn: POLARITY is 'ACTIVE_LOW', wanted 'ACTIVE_HIGH'"),
    # read-backs
    ("design", "apply_preset $controller {C_KIND_OF_INTR 0x00000000}", "", "design",
     "takes its interrupt for edges: CONFIG.C_KIND_OF_INTR is "),
    ("design", "$made $config(made_clock_mhz)", "$made 150.0", "design",
     "the clock that Vivado makes is 100.000000 MHz, 150.0 were computed"),
    # reports after synthesis, the platform
    ("synthesize", "    open_run synth_1\n", "", "synthesize", "no run is open"),
    ("synthesize", "cnnaccel_i/", "cnnaccel/", "synthesize", "cell cnnaccel/engine: found 0"),
    ("synthesize", "-cells [one", "-cell [one", "synthesize", "Unknown option '-cell'"),
    ("bitstream", "-fixed -include_bit", "-fixed", "bitstream", "without -include_bit there is no"),
    ("bitstream", "-fixed -include_bit", "-include_bit", "bitstream", "without -fixed the design"),
    ("bitstream", "cnnaccel.xsa\n", "cnnaccel.hdf\n", "bitstream", "'./cnnaccel.hdf' is no .xsa"),
    ("bitstream", "current_run -implementation $run", "current_run $run", "bitstream",
     "impl_1 is no run of -implementation"),
    ("bitstream", "[dict get [implemented] run]", "impl_3", "bitstream", "run to take: found 0"),
]  # fmt: skip

# The same, before a step begins, or with what a test wants of the mock; one that is killed is run
# once more.
MUTATIONS_OF_SOME_RUNS = [
    (
        "common",
        "proc say {",
        "proc step {",
        "package",
        "proc step: Tcl or Vivado has a command",
        {},
    ),
    ("design", "proc pin {", "proc place_ports {", "design", "proc place_ports: Tcl or Vivado", {}),
    ("report", "proc cell_of {", "proc ::source {", "report", "proc ::source: Tcl or Vivado", {}),
    (
        "implement",
        "create_run impl_2",
        "create_run impl_1",
        "implement",
        "there is a run 'impl_1' already",
        {"WNS": "-0.1"},
    ),
    (
        "implement",
        "-flow [get_property FLOW",
        "-flow [get_property STRATEGY",
        "implement",
        "this Vivado has no flow 'Vivado Implementation Defaults'",
        {"WNS": "-0.1"},
    ),
    (
        "common",
        "second_strategy Performance_Explore",
        "second_strategy Performance_Xplore",
        "implement",
        "'Performance_XplorePostRoutePhysOpt' is no value of '-strategy'",
        {"WNS": "-0.1"},
    ),
    (
        "common",
        "{phys_opt_design (Post-Route)}",
        "phys_opt_design",
        "implement",
        r"run impl_2 ended with 'phys_opt_design \(Post-Route\) Complete!'",
        {"WNS": "-0.1", "WNS_2": "0.1", "VERSION": "2022.2"},
    ),
    (
        "common",
        " post_route_phys_opt_design",
        "",
        "implement",
        "run impl_2 ended with 'post_route_phys_opt_design Complete!'",
        {"WNS": "-0.1", "WNS_2": "0.1", "VERSION": "2024.2"},
    ),
    (
        "bitstream",
        "    current_run -implementation $run\n",
        "",
        "bitstream",
        "the current run impl_1 has no bitstream",
        {"WNS": "-0.1", "WNS_2": "0.1"},
    ),
    (
        "bitstream",
        "if {![has_ended",
        "if {[has_ended",
        "bitstream",
        "needs to be reset before launching. The run is 'impl_1', its status 'Running write_bits",
        {"CRASH": "bitstream"},
    ),
    (
        "bitstream",
        " -force -file",
        " -file",
        "bitstream",
        "cnnaccel.xsa exists; -force replaces it",
        {"CRASH": "again"},
    ),
    (
        "synthesize",
        "renew *synth_1",
        "renew synth_1",
        "synthesize",
        "The run is 'cnnaccel_engine_0_synth_1', its status 'Running",
        {"CRASH": "synthesize"},
    ),
    (
        "implement",
        "    renew impl_1\n",
        "",
        "implement",
        "The run is 'impl_1', its status 'Running route_design",
        {"CRASH": "implement"},
    ),
]


@pytest.mark.parametrize(
    ("file", "text", "mutant", "step", "message", "settings"),
    MUTATIONS_OF_SOME_RUNS,
    ids=[f"{row[3]} {row[0]} {row[2]}".strip() for row in MUTATIONS_OF_SOME_RUNS],
)
def test_a_fault_of_some_runs_is_caught(
    file: str,
    text: str,
    mutant: str,
    step: str,
    message: str,
    settings: dict[str, str],
    run: Callable[[str], Run],
    tmp_path: Path,
) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    path = tmp_path / "scripts" / f"{file}.tcl"
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, mutant, 1))
    broken = dataclasses.replace(run("pynq_z1"), scripts=tmp_path / "scripts")
    broken.steps(*STEPS[1 : STEPS.index(step)], **settings)
    if "CRASH" in settings:  # `again` is the name of no step: it ends well
        broken.step(step, **settings)
        settings = {}
    done = broken.step(step, **settings)
    assert done.returncode == 1, done.stdout
    assert re.search(message, done.stdout), done.stdout


@pytest.mark.parametrize(
    ("file", "text", "mutant", "step", "message"), MUTATIONS, ids=[row[-1] for row in MUTATIONS]
)
def test_a_fault_is_caught(
    file: str, text: str, mutant: str, step: str, message: str,
    run: Callable[[str], Run], tmp_path: Path,
) -> None:  # fmt: skip
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    broken = dataclasses.replace(run("pynq_z1"), scripts=tmp_path / "scripts")
    path = broken.folder / file if file == PRESET else broken.scripts / f"{file}.tcl"
    before = path.read_text()
    assert text in before
    path.write_text(before.replace(text, mutant, 1))
    broken.steps(*STEPS[1 : STEPS.index(step)])
    done = broken.step(step)
    assert done.returncode == 1, done.stdout
    assert re.search(message, done.stdout), done.stdout
    assert ends(done.stdout).startswith(f"ERROR: [cnnaccel] {step}: ")


@pytest.mark.parametrize(
    ("change", "mutant", "message"),
    [
        (("ps_zynquplus", "PSU__USE__M_AXI_GP1 0", ""), {},
         "clock pin /zynq_ultra_ps_e_0/maxihpm1_fpd_aclk has no source"),
        (("design", "exclude_bd_addr_seg -target_address_space $space $segment", ""), {},
         "HP0_QSPI has no address in /engine/m_axi_mem"),
        ((PRESET, "GT Lane2", "GT Lane5"), {}, "'PSU__USB3_0__PERIPHERAL__IO'"),
        (("design", "join_buses $engine/m_axi_mem smartconnect_memory/S00_AXI",
          "join_buses $engine/m_axi_mem $cell/$ps(memory)"), {"input_lanes": 4, "output_lanes": 4},
         "width of /engine/m_axi_mem and /zynq_ultra_ps_e_0/S_AXI_HP0_FPD do not match: 32 a"),
    ],
)  # fmt: skip
def test_a_fault_is_caught_on_ultrascale(
    change: tuple[str, str, str], mutant: dict[str, Any], message: str, tmp_path: Path
) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    file, text, other = change
    hardware: HardwareConfig = dataclasses.replace(load_hardware("zcu104"), **mutant)
    prepare_vivado(hardware, tmp_path)
    path = tmp_path / file if file == PRESET else tmp_path / "scripts" / f"{file}.tcl"
    assert text in path.read_text()
    changed = path.read_text().replace(text, other, 1)
    if mutant:  # without the SmartConnect that would adapt the width
        for line in ("add_cell smartconnect_memory", "join_buses smartconnect_memory"):
            changed = re.sub(rf"^    {line}.*\n", "", changed, flags=re.MULTILINE)
        changed = changed.replace(" smartconnect_memory/aclk", "")
        changed = changed.replace("        smartconnect_memory/aresetn", "")
        changed = changed.replace(
            "smartconnect_control/aresetn \\\n", "smartconnect_control/aresetn\n"
        )
    path.write_text(changed)
    broken = Run(tmp_path, tmp_path / "scripts")
    broken.steps("package")
    done = broken.step("design")
    assert done.returncode == 1 and re.search(message, done.stdout), done.stdout


# ---- boards by their names -----------------------------------------------------------------------

SET_BOARD = "        set_property board_part $config(board_part) [current_project]\n"
CONFIRM_BOARD = "BOARD_PART $config(board_part) PART $config(part)"
CREATE = "    create_bd_design cnnaccel\n"
RULE = "xilinx.com:bd_rule:$config(ps_ip)"

# Board, file, text, what it becomes, what step design says.
MUTATIONS_OF_BOARDS = [
    ("zedboard", "design", SET_BOARD, "", "BOARD_PART is '', wanted 'digilentinc.com:zedboard"),
    ("zedboard", "design", SET_BOARD, "        return\n", "no board_part, so there is no preset"),
    ("zedboard", "design", CREATE, CREATE + SET_BOARD, "block design 'cnnaccel' is there already"),
    (
        "zedboard",
        "design",
        RULE,
        "xilinx.com:rule:$config(ps_ip)",
        "does not fit cell '/processing",
    ),
    ("zedboard", "ps_zynq", "apply_board_preset 1", "apply_preset 1", "no option 'apply_preset'"),
    (
        "zedboard",
        "ps_zynq",
        "apply_board_preset 1",
        "apply_board_preset 0",
        "board digilent.* is in no cell",
    ),
    (
        "kv260",
        "ps_zynquplus",
        "apply_board_preset 1",
        "apply_board_preset 0",
        "board xilinx.com:kv260.* is in no cell",
    ),
    ("zedboard", "ps_zynq", "{FIXED_IO, DDR}", "DDR", "processing_system7_0/FIXED_IO is not conn"),
    ("ultra96_v2", "ps_zynquplus", "PSU__OVERRIDE__BASIC_CLOCK 0", "", "clock .* makes is 99.99"),
    ("kv260", "ps_zynquplus", " SAXIGP2/HP0_DDR_HIGH", "", "HP0_DDR_HIGH has no address in /eng"),
]


@pytest.mark.parametrize(
    ("board", "file", "text", "mutant", "message"),
    MUTATIONS_OF_BOARDS,
    ids=[row[-1] for row in MUTATIONS_OF_BOARDS],
)
def test_a_fault_of_a_board_is_caught(
    board: str,
    file: str,
    text: str,
    mutant: str,
    message: str,
    run: Callable[[str], Run],
    tmp_path: Path,
) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    path = tmp_path / "scripts" / f"{file}.tcl"
    before = path.read_text()
    assert text in before
    if mutant.strip() == "return":  # neither set nor looked at
        before, mutant = before.replace(CONFIRM_BOARD, ""), ""
    path.write_text(before.replace(text, mutant, 1))
    done = dataclasses.replace(run(board), scripts=tmp_path / "scripts").step("design")
    assert done.returncode == 1 and re.search(message, done.stdout), done.stdout


ZED = "digilentinc.com:zedboard:part0:1."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"board_part": ZED + "9"},
            f"no files of board {ZED}9, but of avnet-tria:zedboard:part0:1.5,",
        ),
        ({"board_part": ZED + "9"}, f"{ZED}0, {ZED}1: set board_part to one of them"),
        (
            {"board_part": "me:mine:part0:1.0"},
            "no files of board me:mine:part0:1.0; Tools, Vivado S",
        ),
        (
            {"part": "xc7z020clg400-1"},
            f"{ZED}1 has the part xc7z020clg484-1, wanted xc7z020clg400-1",
        ),
    ],
)
def test_the_first_step_looks_for_the_board(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    prepare_vivado(dataclasses.replace(load_hardware("zedboard"), **change), tmp_path)
    done = Run(tmp_path).step("package")
    assert done.returncode == 1 and message in ends(done.stdout), done.stdout


def test_an_unknown_board_is_refused_as_vivado_does(
    run: Callable[[str], Run], tmp_path: Path
) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    path = tmp_path / "scripts/design.tcl"
    path.write_text(path.read_text().replace("        check_board\n", ""))
    built = dataclasses.replace(run("zedboard"), scripts=tmp_path / "scripts")
    config = built.folder / "config.tcl"
    config.write_text(config.read_text().replace("zedboard:part0:1.1", "zedbord:part0:1.1"))
    done = built.step("design")
    assert done.returncode == 1
    assert "ERROR: [Board 49-71] The board_part definition was not found for digil" in done.stdout


def test_a_board_that_the_mock_does_not_know_is_taken_on_trust(tmp_path: Path) -> None:
    board = dataclasses.replace(load_hardware("zybo_z7_20"), board_part="my.org:own:part0:1.0")
    assert "does not know board_part my.org:own:part0:1.0" in unknown_board(board)
    assert not any(unknown_board(load_hardware(name)) for name in shipped_boards())
    near = dataclasses.replace(board, board_part="digilentinc.com:zybo-z7-20:part0:1.3")
    assert unknown_board(near).endswith("Did you mean digilentinc.com:zybo-z7-20:part0:1.2?")
    check_tcl(board, tmp_path)
    assert (tmp_path / "cnnaccel.bit").is_file()
    text = (tmp_path / "design.log").read_text()
    assert "cells, with the preset of board my.org:own:part0:1.0" in text


def test_a_new_device_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEVICES, "xc7z030", Device(400, 265, 78_600, 26_600, ZYNQ))
    (tmp_path / "own.yaml").write_text("part: xc7z030fbg484-1\nps_preset: own.tcl\n")
    preset = (SCRIPTS / "boards/pynq_z1.tcl").read_text()
    (tmp_path / "own.tcl").write_text(preset.replace("xc7z020clg400", "xc7z030"))
    board = load_hardware(tmp_path / "own.yaml")
    assert board.fits() and board.device.registers == 157_200
    check_tcl(board, tmp_path / "build")
    assert "part xc7z030fbg484-1" in (tmp_path / "build/reports/summary.txt").read_text()
