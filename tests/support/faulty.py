"""An engine with faults in its RTL, as silicon or a tool may have them, behind the simulated board;
one is in its memory.

All of them are in one library, which asks the harness at each place whether it is broken now.
"""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path
from typing import Any

import pytest

from cnnaccel.api.engine import SimulatedEngine
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_hwh
from cnnaccel.render.sources import ENGINE, engine_sources, probe_sources
from cnnaccel.resources import resource
from cnnaccel.tools.verilate import build
from tests.support.mutate import instead

NONE, STUCK_BIT, DEAD_LANE, WRONG_SHIFT, DROPPED_BEAT = range(5)
VARIABLE = "CNNACCEL_FAULT"
"""Of the environment: the fault from the start."""
STUCK_WORD, STUCK_LANE, STUCK = 130, 2, 6
"""Word, output lane and bit of a weight, of input channel 0, that is always 1."""
LANE = 1
"""The output lane whose sums stay 0."""
_DROPPED = 77
"""Which of 128 beats memory does not write."""

_PLACES = {
    "cnnaccel_pkg.sv": ("endpackage", '  import "DPI-C" function int fault();\nendpackage'),
    "wgt_scratchpad.sv": (
        ".write_data_i   (load_i.data)",
        f".write_data_i   (fault() == {STUCK_BIT} && load_i.address == wgt_address_t'({STUCK_WORD})"
        f"\n      ? load_i.data | ((OutputLanes*WordBits)'(1) << {STUCK_LANE}*WordBits + {STUCK})"
        "\n      : load_i.data)",
    ),
    "mac_array.sv": (
        "assign sum_o[PackedLanes*g+i][k] = sums[i];",
        f"assign sum_o[PackedLanes*g+i][k] = fault() == {DEAD_LANE} && k == {LANE} ? '0 : sums[i];",
    ),
    "requantize.sv": (
        "shift7_q <= shift6_q[1:0];",
        f"shift7_q <= shift6_q[1:0] | 2'(fault() == {WRONG_SHIFT});",
    ),
}
"""What stands in a file once, and what takes its place."""
_WRITES = "if (word.strobes >> i & 1)"
_MEMORY = {
    _WRITES: f"if (fault() != {DROPPED_BEAT} || beats_written % 128 != {_DROPPED}) {_WRITES}",
    "write_error |= !to;": "write_error |= !to, ++beats_written;",
}
"""The same in the simulated memory."""
_BEFORE = 'extern "C" int fault();\nstatic unsigned beats_written = 0;\n'
_HARNESS = f"""
#include <cstdlib>
static int chosen = std::getenv("{VARIABLE}") ? std::atoi(std::getenv("{VARIABLE}")) : 0;
extern "C" int fault() {{ return chosen; }}
extern "C" void sim_fault(int fault) {{ chosen = fault; }}
"""


def faulty_bitstream(hardware: HardwareConfig, folder: Path) -> Path:
    """A bitstream for `SimDevice` in a folder; the library is built once and kept in the cache."""
    rtl, sources = folder / "hw/rtl", []  # as waivers of warnings name it
    rtl.mkdir(parents=True)
    for source in engine_sources():
        text = source.read_text(encoding="utf-8")
        if source.name in _PLACES:
            text = instead(text, *_PLACES[source.name])
        sources.append(rtl / source.name)
        sources[-1].write_text(text, encoding="utf-8")
    sim = resource("hw") / "sim"
    harness = folder / "engine_sim.cpp"
    memory = (sim / harness.name).read_text(encoding="utf-8")
    for right, wrong in _MEMORY.items():
        memory = instead(memory, right, wrong)
    harness.write_text(_BEFORE + memory + _HARNESS)
    library = build(ENGINE, [*sources, *probe_sources()], hardware, harness)
    bitstream = folder / "cnnaccel.bit"
    shutil.copyfile(library, bitstream)
    bitstream.with_suffix(".hwh").write_text(render_hwh(hardware), encoding="utf-8")
    return bitstream


def choose(bitstream: Path, fault: int) -> None:
    """Which fault the library has from now on, in this process."""
    ctypes.CDLL(str(bitstream)).sim_fault(fault)


def wrong_value(monkeypatch: pytest.MonkeyPatch, only: int | None = None) -> None:
    """Let the engine compute one wrong value, if the result has so many channels."""
    run = SimulatedEngine.run

    def altered(self: SimulatedEngine, *arguments: Any) -> Any:
        results = run(self, *arguments)
        if only is None or results.shape[1] == only:
            results[1, 2, 0, 0] ^= 1
        return results

    monkeypatch.setattr(SimulatedEngine, "run", altered)
