"""Vivado's reports as its versions print them, read; and those that lack what is looked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnaccel.errors import ToolError
from cnnaccel.tools import reports
from cnnaccel.tools.reports import Clock, Power, SlowPath, Timing, Usage

# report_utilization: three columns of numbers until 2020.2, a fourth, Prohibited, since 2021.1.
ZYNQ_2020 = """\
1. Slice Logic
--------------

+----------------------------+-------+-------+-----------+-------+
|          Site Type         |  Used | Fixed | Available | Util% |
+----------------------------+-------+-------+-----------+-------+
| Slice LUTs                 | 14210 |     0 |     53200 | 26.71 |
|   LUT as Logic             | 12711 |     0 |     53200 | 23.89 |
|   LUT as Memory            |  1499 |     0 |     17400 |  8.61 |
|     LUT as Distributed RAM |  1200 |     0 |           |       |
| Slice Registers            | 20345 |     0 |    106400 | 19.12 |
|   Register as Latch        |     0 |     0 |    106400 |  0.00 |
+----------------------------+-------+-------+-----------+-------+


2. Slice Logic Distribution
---------------------------

+------------------------------------------+-------+-------+-----------+-------+
|                 Site Type                |  Used | Fixed | Available | Util% |
+------------------------------------------+-------+-------+-----------+-------+
| LUT as Memory                            |   999 |     0 |     17400 |  5.74 |
+------------------------------------------+-------+-------+-----------+-------+


3. Memory
---------

+-------------------+------+-------+-----------+-------+
|     Site Type     | Used | Fixed | Available | Util% |
+-------------------+------+-------+-----------+-------+
| Block RAM Tile    | 99.5 |     0 |       140 | 71.07 |
|   RAMB36/FIFO*    |   71 |     0 |       140 | 50.71 |
|   RAMB18          |   57 |     0 |       280 | 20.36 |
+-------------------+------+-------+-----------+-------+


4. DSP
------

+----------------+------+-------+-----------+-------+
|    Site Type   | Used | Fixed | Available | Util% |
+----------------+------+-------+-----------+-------+
| DSPs           |  144 |     0 |       220 | 65.45 |
|   DSP48E1 only |  144 |       |           |       |
+----------------+------+-------+-----------+-------+
"""
ULTRASCALE_2023 = """\
1. CLB Logic
------------

+----------------------------+-------+-------+------------+-----------+-------+
|          Site Type         |  Used | Fixed | Prohibited | Available | Util% |
+----------------------------+-------+-------+------------+-----------+-------+
| CLB LUTs*                  | 61007 |     0 |          0 |    230400 | 26.48 |
|   LUT as Logic             | 58001 |     0 |          0 |    230400 | 25.17 |
|   LUT as Memory            |  3006 |     0 |          0 |    101760 |  2.95 |
| CLB Registers              | 90211 |     0 |          0 |    460800 | 19.58 |
+----------------------------+-------+-------+------------+-----------+-------+
* Warning! The Final LUT count, after physical optimizations, is typically lower.

3. BLOCKRAM
-----------

+-------------------+------+-------+------------+-----------+-------+
|     Site Type     | Used | Fixed | Prohibited | Available | Util% |
+-------------------+------+-------+------------+-----------+-------+
| Block RAM Tile    |  212 |     0 |          0 |       312 | 67.95 |
|   RAMB36/FIFO*    |  212 |     0 |          0 |       312 | 67.95 |
| URAM              |    0 |     0 |          0 |        96 |  0.00 |
+-------------------+------+-------+------------+-----------+-------+

4. ARITHMETIC
-------------

+----------------+------+-------+------------+-----------+-------+
|    Site Type   | Used | Fixed | Prohibited | Available | Util% |
+----------------+------+-------+------------+-----------+-------+
| DSPs           | 1056 |     0 |          0 |      1728 | 61.11 |
|   DSP48E2 only | 1056 |       |            |           |       |
+----------------+------+-------+------------+-----------+-------+
"""
CHECK_2020 = """\
1. checking no_clock
--------------------
 There are 0 register/latch pins with no clock.

"""
CHECK_2022 = """\
1. checking no_clock (0)
------------------------
 There are 0 register/latch pins with no clock.

"""
TIMING = """\
------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)\
  THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints\
  TPWS Total Endpoints
    -------      -------  ---------------------  -------------------      -------      -------\
  ---------------------  -------------------     --------     --------  ----------------------\
  --------------------
     {wns}        0.000                      0                61234        0.021        0.000\
                      0                61234        3.750        0.000                       0\
                 22790


All user specified timing constraints are met.


------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock       Waveform(ns)         Period(ns)      Frequency(MHz)
-----       ------------         ----------      --------------
clk_fpga_0  {{0.000 5.000}}        10.000          100.000
"""
POWER = """\
1. Summary
----------

+--------------------------+--------------+
| Total On-Chip Power (W)  | 1.871        |
| Design Power Budget (W)  | Unspecified* |
| Power Budget Margin (W)  | NA           |
| Dynamic (W)              | 1.729        |
| Device Static (W)        | 0.142        |
| Effective TJA (C/W)      | 11.5         |
| Max Ambient (C)          | 63.4         |
| Junction Temperature (C) | 46.6         |
| Confidence Level         | Low          |
| Setting File             | ---          |
+--------------------------+--------------+
* Specify Design Power Budget using, set_operating_conditions -design_power_budget <value in Watts>

1.1 On-Chip Components
----------------------

+--------------------------+-----------+----------+-----------+-----------------+
| On-Chip                  | Power (W) | Used     | Available | Utilization (%) |
+--------------------------+-----------+----------+-----------+-----------------+
| Clocks                   |     0.112 |        3 |       --- |             --- |
| Dynamic (W)              |     0.300 |
+--------------------------+-----------+----------+-----------+-----------------+
"""
CLOCKS = """\
Clock Report


Clock       Period(ns)  Waveform(ns)   Attributes  Sources
clk_fpga_0  10.000      {0.000 5.000}  P           {cnnaccel_i/ps/inst/PS7_i/FCLKCLK[0]}


====================================================
User Uncertainty
====================================================
"""
SUMMARY = """\
lut 14210
lutram 1499
ff 20345
bram36 99.5
dsp 144
wns 0.123
tns 0.000
failing_endpoints 0
whs 0.021
failing_hold_endpoints 0
wpws 3.75
failing_pulse_endpoints 0
power_w 1.871
clock_mhz 100.000
vivado 2023.2
"""


VERSIONS = sorted(path.name for path in (Path(__file__).parent / "vivado_reports").glob("20*"))


@dataclass
class Build:
    """A folder of reports that a test may spoil."""

    folder: Path

    def put(self, name: str, change: Callable[[str], str]) -> None:
        path = self.folder / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.fixture
def build(tmp_path: Path) -> Build:
    texts = {
        "utilization.rpt": ZYNQ_2020,
        "timing.rpt": CHECK_2022 + TIMING.format(wns="0.123"),
        "power.rpt": POWER,
        "clocks.rpt": CLOCKS,
        "summary.txt": SUMMARY,
        "paths.txt": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return Build(tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
def test_layouts_of_releases(version: str, tmp_path: Path) -> None:
    """One design by three releases: the same figures."""
    for path in (Path(__file__).parent / "vivado_reports" / version).iterdir():
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "summary.txt").write_text(SUMMARY, encoding="utf-8")
    found = reports.read_reports(tmp_path)
    assert found.utilization == reports.utilization(ZYNQ_2020)
    assert found.timing == Timing(0.123, 0.0, 0, 61234, 0.021, 0.0, 0, 3.75, 0)
    assert found.power == Power(1.871, 1.729, 0.142, "Low")
    assert found.clocks == (Clock("clk_fpga_0", 10.0),)


def test_there_are_three_releases() -> None:
    assert VERSIONS == ["2022.2", "2023.2", "2024.2"]


def test_utilization_of_both_families() -> None:
    assert reports.utilization(ZYNQ_2020) == (
        Usage("DSP", 144, 220),
        Usage("BRAM36", 99.5, 140),
        Usage("LUT", 14210, 53200),
        Usage("LUT as memory", 1499, 17400),
        Usage("flip-flop", 20345, 106400),
    )
    of = {usage.name: usage for usage in reports.utilization(ULTRASCALE_2023)}
    assert (of["LUT"].used, of["LUT"].available) == (61007, 230400)
    assert (of["DSP"].used, of["BRAM36"].used, of["flip-flop"].used) == (1056, 212, 90211)
    assert of["DSP"].share == 1056 / 1728


@pytest.mark.parametrize("check", ["", CHECK_2020, CHECK_2022])
@pytest.mark.parametrize(("wns", "met"), [("0.123", True), ("-0.412", False)])
def test_timing(check: str, wns: str, met: bool) -> None:
    found = reports.timing(check + TIMING.format(wns=wns))
    assert found == Timing(float(wns), 0.0, 0, 61234, 0.021, 0.0, 0, 3.75, 0)
    assert found.met is met


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("NA NA NA NA NA NA NA NA NA NA NA NA", "a number where 'NA' stands"),
        ("inf 0.000 0 61234 inf 0.000 0 61234 3.750 0.000 0 22790", "a number where 'inf' stands"),
        ("0.000 0 61234 0.021 0.000 0 61234 3.750 0.000 0 22790", "12 cells, found 11"),
        ("0.123 0.000 NA 61234 0.021 0.000 0 61234 3.750 0.000 0 22790", "in every column"),
    ],
)
def test_a_row_of_slacks_that_says_nothing(cells: str, message: str) -> None:
    """Without a clock, without a path, with an empty cell: no slack, and no cell of another."""
    text = TIMING.format(wns="0.123")
    row = next(line for line in text.splitlines() if " 0.123 " in line)
    with pytest.raises(reports._MissingError, match=message):
        reports.timing(text.replace(row, "  " + "  ".join(cells.split())))


def test_wide_negative_slacks() -> None:
    """Numbers wider than their column leave one space."""
    text = TIMING.format(wns="-45.561").replace("        0.000      ", " -15428123.046      ", 1)
    found = reports.timing(text)
    assert (found.wns_ns, found.tns_ns, found.met) == (-45.561, -15428123.046, False)


def test_ways_of_placing_and_routing() -> None:
    text = SUMMARY + "run impl_2\nstrategy B c\nstrategy_1 A a\nwns_1 -0.3\nwhs_1 0.01\n"
    second = "strategy_2 B c\nwns_2 0.123\nwhs_2 0.021\n"
    first, other = reports.attempts(text + second)
    assert first == reports.Attempt("A a", -0.3, 0.01, taken=False) and other.taken
    assert other.slacks == "setup slack +0.123 ns, hold slack +0.021 ns"
    tiny = reports.attempts(text.replace("whs_1 0.01", "whs_1 8e-06") + second)[0]
    assert tiny.whs_ns == 0.000008
    for broken in (SUMMARY, text, text + second.replace("whs_2 0.021\n", "")):
        with pytest.raises(reports._MissingError):
            reports.attempts(broken)


def test_power_and_clocks() -> None:
    assert reports.power(POWER) == Power(1.871, 1.729, 0.142, "Low")
    assert reports.clocks(CLOCKS) == (Clock("clk_fpga_0", 10.0),)
    assert reports.clocks(CLOCKS)[0].mhz == 100


def test_paths() -> None:
    text = "hold -0.010 0.2 0 a/C b/D\nsetup -0.412 6.9 7 u/a_reg[0]/C u/b_reg[1]/D\n"
    worst, other = reports.slow_paths(text)
    assert worst == SlowPath("setup", -0.412, 6.9, 7, "u/a_reg[0]/C", "u/b_reg[1]/D")
    assert other.kind == "hold" and reports.slow_paths("") == ()


def test_all_of_a_build_as_json(build: Build) -> None:
    found = reports.read_reports(build.folder)
    reports.write_json(found, "Vivado 2023.2", build.folder)
    utilization, timing, power, clocks = (
        json.loads((build.folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("utilization", "timing", "power", "clocks")
    )
    first = {"name": "DSP", "used": 144, "available": 220, "share": 0.6545}
    assert utilization["resources"][0] == first
    assert timing["met"] and timing["wns_ns"] == 0.123 and power["confidence"] == "Low"
    assert clocks["clocks"] == [{"name": "clk_fpga_0", "period_ns": 10, "mhz": 100}]
    assert {part["source"] for part in (utilization, timing, power, clocks)} == {"Vivado 2023.2"}


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("utilization.rpt", "| Slice LUTs ", "| Slices ", "'Slice LUTs or CLB LUTs'"),
        ("utilization.rpt", "Available", "There", "columns Used and Available"),
        ("utilization.rpt", "|  144 |     0 |", "|  --- |     0 |", "a number where '---' stands"),
        ("timing.rpt", "WNS(ns)", "WNS", "a table that begins with WNS"),
        ("timing.rpt", "0.123", "NA", "a number where 'NA' stands"),
        ("timing.rpt", "WHS(ns)", "WHS", "column WHS"),
        ("timing.rpt", "There are 0 register", "There are 12 register", "12 have none"),
        ("power.rpt", "Total On-Chip Power (W)", "Total", "'Total On-Chip Power (W)'"),
        ("clocks.rpt", "Period(ns)", "Period", "column Period(ns)"),
        ("clocks.rpt", "clk_fpga_0", "", "a number where"),
        ("summary.txt", "wns 0.123", "", "looked for 'wns'"),
        ("summary.txt", "dsp 144", "dsp 143", "says dsp 143 and utilization.rpt beside it 144"),
        ("summary.txt", "wns 0.123", "wns 0.1236", "timing.rpt beside it 0.123"),
        ("summary.txt", "wpws 3.75", "wpws -0.1", "timing.rpt beside it 3.75"),
        ("summary.txt", "clock_mhz 100", "clock_mhz 125", "clocks.rpt beside it 100"),
    ],
)
def test_what_is_missing_or_differs(
    build: Build, name: str, old: str, new: str, message: str
) -> None:
    build.put(name, lambda text: text.replace(old, new))
    with pytest.raises(ToolError) as raised:
        reports.read_reports(build.folder)
    assert message in str(raised.value) and str(build.folder / name) in str(raised.value)


@pytest.mark.parametrize("name", ["utilization.rpt", "timing.rpt", "power.rpt", "clocks.rpt"])
def test_a_report_that_is_cut_off_or_not_there(build: Build, name: str) -> None:
    build.put(name, lambda text: text[:40])
    with pytest.raises(ToolError, match=f"{name}: looked for"):
        reports.read_reports(build.folder)
    (build.folder / name).unlink()
    with pytest.raises(ToolError, match=f"{name} is not there"):
        reports.read_reports(build.folder)


def test_a_line_of_paths_that_is_none(build: Build) -> None:
    build.put("paths.txt", lambda _: "setup -0.1 a b")
    with pytest.raises(ToolError, match="six words"):
        reports.read_paths(build.folder / "paths.txt")
