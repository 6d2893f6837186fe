"""No source of hw/rtl says what tools read differently, and each way to say it is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.render.sources import WRAPPER, wrapper_parameters, wrapper_sources
from tests.support.mutate import instead
from tests.support.portable import findings

TINY = load_hardware("tiny")
WITH_LUTS = load_hardware("pynq_z1_512")
PLAIN = replace(TINY, dsp_packing=False)


@pytest.mark.parametrize("hardware", [TINY, WITH_LUTS, PLAIN], ids=["tiny", "luts", "plain"])
def test_nothing_is_read_differently(hardware: HardwareConfig) -> None:
    assert findings(WRAPPER, wrapper_sources(), hardware, wrapper_parameters(hardware)) == set()


# What the sources said once, and forms of it: file, what is there, what is put there, the finding.
MUTANTS = {
    "size cast": (
        "adder_tree",
        "sum_q[i] <= a + b;",
        "sum_q[i] <= Width'(a) + Width'(term_i[0]);",
        "a cast widens something signed; assign it to a wider signed net",
    ),
    "type cast": (
        "accumulator",
        "assign value      = value_i;",
        "assign value      = sum_t'(value_i);",
        "a cast widens something signed; assign it to a wider signed net",
    ),
    "to unsigned": (
        "lane_address",
        "column_t'(x) +",
        "column_t'(x_i) +",
        "a cast widens something signed; assign it to a wider signed net",
    ),
    "factor": (
        "product",
        "operand_i * weight_i",
        "operand_i * Bits'(weight_i)",
        "a cast of a factor hides the widths of a DSP",
    ),
    "unsigned factor": (
        "requantize",
        "low_half_q * multiplier_q",
        "32'(low_half_q) * multiplier_q",
        "a cast of a factor hides the widths of a DSP",
    ),
    "no cast": (
        "run_commands",
        "AddressBits'(offset_q[31:0])",
        "offset_q[30:0]",
        "something unsigned is widened without a cast",
    ),
    "inside": (
        "compute",
        "InputLanes != 4 && InputLanes != 8 && InputLanes != 16",
        "!(InputLanes inside {4, 8, 16})",
        "`inside` in the condition of a generate",
    ),
    "mixed": (
        "write_back",
        "  word_t pooled;\n",
        "  word_t pooled;\n  word_t [1:0] held;\n  assign held[0] = pooled;\n"
        "  always_ff @(posedge clk_i) held[1] <= held[0];\n",
        "held is driven in a process and outside of one",
    ),
    "fields": (
        "write_back",
        "  word_t pooled;\n",
        "  word_t pooled;\n  drained_t held;\n  assign held.low = word_i.low;\n"
        "  always_ff @(posedge clk_i) held.high <= word_i.high;\n",
        "held is driven in a process and outside of one",
    ),
    "port": (
        "write_back",
        "  logic done_q;\n",
        "  logic done_q;\n  always_ff @(posedge clk_i) result[0] <= '0;\n",
        "result is driven in a process and outside of one",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_every_kind_is_found(name: str, tmp_path: Path) -> None:
    module, before, after, text = MUTANTS[name]
    sources = []
    for path in wrapper_sources():
        if path.stem == module:
            written = path.read_text(encoding="utf-8")
            path = tmp_path / path.name
            path.write_text(instead(written, before, after), encoding="utf-8")
        sources.append(path)
    found = findings(WRAPPER, sources, TINY, wrapper_parameters(TINY))
    assert found and all(line.startswith(f"{module}.sv:") for line in found)
    assert any(line.endswith(f": {text}") for line in found)
