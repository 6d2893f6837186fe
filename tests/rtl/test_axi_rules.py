"""What watches AXI in every simulation of the engine names the rule that a broken engine breaks.

One engine has all the faults; `FAULT` in the environment says which it has. And the rule that no
simulation sees: no output hangs on an input of the same cycle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from cnnaccel.errors import EngineError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.random_program import draw
from cnnaccel.render.params import render_params_svh
from cnnaccel.render.sources import ENGINE, engine_sources, probe_sources
from cnnaccel.resources import resource
from cnnaccel.runtime.simulator import Style, Timing
from cnnaccel.tools.tool import run_tool
from cnnaccel.tools.verilate import build
from cnnaccel.tools.yosys import yosys_command
from tests.support import engine as engines
from tests.support.engine import Engine
from tests.support.mutate import instead

SMALL = HardwareConfig(
    pixel_lanes=1, input_lanes=4, output_lanes=4, act_kib=4, wgt_kib=4, par_groups=16
)
HW = resource("hw")
STALLED = Timing(stall_permille=300)
FAST = Timing(latency=200, outstanding=32)


@dataclasses.dataclass(frozen=True)
class Fault:
    """Another text in a module, and what is said of it."""

    module: str
    old: str
    new: str
    says: str
    timing: Timing = STALLED


GAPS = dataclasses.replace(STALLED, style=Style.GAPS)
FAULTS = (
    Fault(
        "axi_write_master",
        "= beat_out.data;",
        "= beat_out.data ^ {8 * WordBytes{FAULT && axi_wready_i}};",
        "W changes before it is taken",
    ),
    Fault(
        "burst_issue",
        "if (issue_o) begin",
        "if (issue_o || FAULT) begin",
        "changes before it is taken",
    ),
    Fault(
        "burst_issue",
        "<= burst_len;",
        "<= burst_len + (FAULT ? 8'd16 : 8'd0);",
        "a burst of more than 16 beats",
    ),
    Fault(
        "burst_issue",
        "<= burst_address;",
        "<= burst_address | AddressBits'(FAULT);",
        "a burst that begins within a word",
    ),
    Fault(
        "burst_issue",
        "axi_addr_o <= ",
        "axi_addr_o <= (FAULT && &burst_address[11:6] ? AddressBits'(WordBytes) : '0) | ",
        "a burst that crosses 4 KiB",
    ),
    Fault(
        "axi_write_master",
        "last: count_q == open_len",
        "last: count_q == open_len - 8'(FAULT && open_len != '0)",
        "a wrong WLAST",
    ),
    Fault(
        "axi_write_master",
        "{WordBytes{!flush_i}}",
        "{WordBytes{!flush_i}} & ~WordBytes'(FAULT)",
        "strobes that are not all ones",
    ),
    Fault(
        "axi_read_master",
        ".range_address_i(cmd_address_i)",
        ".range_address_i(cmd_address_i + (FAULT ? AddressBits'(1 << 20) : '0))",
        "a read outside the buffers",
    ),
    Fault(
        "axi_write_master",
        ".range_address_i(cmd_address_i)",
        ".range_address_i(cmd_address_i ^ (FAULT ? AddressBits'(1 << 16) : '0))",
        "a write outside the buffers",
    ),
    Fault(
        "control",
        "if (masters_idle_i)",
        "if (masters_idle_i || FAULT)",
        "something is under way and nothing busy",
    ),
    Fault(
        "axi_read_master",
        ".queue_ready_i(queue_ready)",
        ".queue_ready_i(queue_ready || FAULT)",
        "more than 8 reads under way",
        FAST,
    ),
    Fault(
        "axi_write_master",
        ".queue_ready_i(queue_ready)",
        ".queue_ready_i(queue_ready || FAULT)",
        "more than 8 writes under way",
        FAST,
    ),
    Fault(
        "axi_lite_regs",
        "if (read) axi_rdata_o",
        "if (read || FAULT) axi_rdata_o",
        "R of a register changes",
        GAPS,
    ),
    Fault(
        "axi_lite_regs",
        "|| (axi_bvalid_o && !axi_bready_i)",
        "|| (axi_bvalid_o && !axi_bready_i && !FAULT)",
        "B of a register changes",
        GAPS,
    ),
    Fault(
        "axi_lite_regs",
        "axi_bvalid_o  <= write",
        "axi_bvalid_o <= (FAULT && axi_awvalid_i) || write",
        "B of a register that nobody wrote",
    ),
    Fault(
        "axi_write_master",
        ".valid_i(issue), .ready_o(open_ready), .data_i(issue_len)",
        ".valid_i(FAULT ? axi_awvalid_o && axi_awready_i : issue), .ready_o(open_ready), "
        ".data_i(FAULT ? axi_awlen_o : issue_len)",
        "does not end",
        dataclasses.replace(STALLED, style=Style.AFTER_WORD),
    ),
)
"""The last is the write master as it once was: its data waited until the address was taken."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an engine that has any one of the faults."""
    folder = tmp_path_factory.mktemp("faulty") / "hw" / "rtl"  # where waivers look
    folder.mkdir(parents=True)
    sources = []
    for path in engine_sources():
        text = path.read_text(encoding="utf-8")
        for number, fault in enumerate(FAULTS, start=1):
            if fault.module == path.stem:
                broken = fault.new.replace("FAULT", f"(fault == {number})")
                text = instead(text, fault.old, broken)
        if path.stem == "cnnaccel_pkg":
            asked = r"std::getenv(\"FAULT\") ? std::atoi(std::getenv(\"FAULT\")) : 0"
            text = text.replace("endpackage", f'int fault = $c32("{asked}");\nendpackage')
        else:
            text = text.replace("(fault ==", "(cnnaccel_pkg::fault ==")
        sources.append(folder / path.name)
        sources[-1].write_text(text, encoding="utf-8")
    harness = HW / "sim" / "engine_sim.cpp"
    return build(ENGINE, (*sources, *probe_sources()), SMALL, harness)


def complaint(library: Path, timing: Timing, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of random programs, each but the first with a soft reset in its midst."""
    monkeypatch.setattr(engines, "simulated_bitstream", lambda *_, **__: library)
    engine = Engine(SMALL, timing=timing)
    try:
        for seed, moment in enumerate((0, *range(500, 4000, 700))):
            drawn = draw(SMALL, seed % 3, 60)
            engine.put(drawn.program, drawn.images, drawn.count)
            engine.write("control", 1)
            for _ in range(moment // 50 or 20_000):
                engine.step(50)
                engine.read("cycles")
                if engine.simulator.interrupt:
                    break
            engine.write("interrupt_status", 3)
            engine.write("control", 2 if moment else 0)
            engine.step(5000)
            if engine.read("status") == 1:
                return "does not end"
    except EngineError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("number", [0, *range(1, len(FAULTS) + 1)])
def test_each_fault_is_named(number: int, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the engine without a fault, number 0, nothing is said."""
    monkeypatch.setenv("FAULT", str(number))
    if number == 0:
        for timing in (FAST, GAPS):
            assert not complaint(library, timing, monkeypatch)
    else:
        fault = FAULTS[number - 1]
        assert fault.says in complaint(library, fault.timing, monkeypatch), fault


# -- between inputs and outputs --------------------------------------------------------------------

PATHS = """\
read_slang -j 1 -I . -D SYNTHESIS --top {top} {sources}
hierarchy -top {top}
proc
memory_collect
memory_map t:$mem_v2 r:SIZE<=32 %i
select -write paths.txt i:* i:clk_i %d i:rst_ni %d %coe* o:* %cie* %i
"""
"""Small memories are read in the cycle of their address, large ones in the next."""


def paths(top: str, sources: Sequence[Path], folder: Path) -> set[str]:
    """Outputs of a module that hang on an input of the same cycle."""
    for path in sources:
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "params.svh").write_text(render_params_svh(SMALL), encoding="utf-8")
    script = PATHS.format(top=top, sources=" ".join(path.name for path in sources))
    (folder / "run.ys").write_text(script, encoding="utf-8")
    run_tool([yosys_command(), "-q", "run.ys"], timeout_seconds=300, folder=folder)
    found = (folder / "paths.txt").read_text(encoding="utf-8").split()
    return {name for name in found if name.count(".") == 0 and name.endswith("_o")}


def test_no_output_hangs_on_an_input(tmp_path: Path) -> None:
    """IHI0022, A3.2.1, of all that the engine has: AXI, AXI4-Lite and the interrupt."""
    assert paths(ENGINE, engine_sources(), tmp_path) == set()


@pytest.mark.parametrize(
    ("old", "new", "output"),
    [
        ("= !axi_rvalid_o;", "= !axi_rvalid_o || axi_rready_i;", "axi_arready_o"),
        (
            "axi_wready_o = axi_awready_o;",
            "axi_wready_o = axi_awready_o && axi_awvalid_i;",
            "axi_wready_o",
        ),
    ],
)
def test_a_path_is_found(old: str, new: str, output: str, tmp_path: Path) -> None:
    package, regs = (HW / "rtl" / f"{name}.sv" for name in ("cnnaccel_pkg", "axi_lite_regs"))
    text = regs.read_text(encoding="utf-8")
    changed = tmp_path / "changed" / regs.name
    changed.parent.mkdir()
    changed.write_text(instead(text, old, new), encoding="utf-8")
    assert paths("axi_lite_regs", (package, changed), tmp_path) == {f"axi_lite_regs/{output}"}
