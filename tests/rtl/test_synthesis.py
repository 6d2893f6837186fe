"""The engine through linters and Yosys: nothing to complain of, and within its device."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cnnaccel.devices import Resources
from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig, load_hardware, shipped_boards
from cnnaccel.isa import latency
from cnnaccel.render.params import render_params_svh
from cnnaccel.render.sources import WRAPPER, engine_sources, wrapper_parameters, wrapper_sources
from cnnaccel.resources import resource
from cnnaccel.tools import lint, yosys
from cnnaccel.tools.verilate import lint as verilator
from cnnaccel.tools.yosys import synthesize

TINY, Z1 = load_hardware("tiny"), load_hardware("pynq_z1")
ENGINES = {render_params_svh(load_hardware(name).without_board): name for name in shipped_boards()}
"""A board for each engine of the shipped ones."""
BENCHES = sorted((resource("hw") / "tb").glob("*.sv"))

MODULE = """\
module part (
  input  logic       clk_i,
  input  logic       enable_i,
  input  logic [7:0] a_i,
  output logic [7:0] b_o
);
  {body}
endmodule
"""
COPY = "always_ff @(posedge clk_i) if (enable_i) b_o <= a_i;"
LATCH = "always_latch if (enable_i) b_o = a_i;"
MEMORY = """\
  (* ram_style = "distributed" *) logic [7:0] words [16];
  always_ff @(posedge clk_i) if (enable_i) words[a_i[3:0]] <= a_i;
  assign b_o = words[a_i[7:4]];"""
CLEARED = MEMORY.replace("<= a_i;", "<= a_i; else for (int i = 0; i < 16; i++) words[i] <= '0;")


def design(folder: Path, body: str) -> list[Path]:
    path = folder / "part.sv"
    path.write_text(MODULE.format(body=body), encoding="utf-8")
    return [path]


# -- lint ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ENGINES.values())
def test_nothing_to_complain_of(board: str) -> None:
    lint.lint_engine(load_hardware(board))


def test_benches_are_clean_too() -> None:
    lint.lint_texts(BENCHES)


def test_the_wrapper_must_be_told_the_widths() -> None:
    wrong = wrapper_parameters(Z1) | {"WordBytes": 4}
    with pytest.raises(ToolError, match="4 bytes for a package of 32, 8"):
        lint.elaborate(WRAPPER, wrapper_sources(), Z1, wrong)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("FIRST_STEP_CYCLES", "rows 8 cycles after their instruction, not 7"),
        ("READ_AHEAD_CYCLES", "rows 7 cycles after their instruction, not 8"),
        ("SUM_TO_WRITE_CYCLES", "words after 15 cycles, not 16"),
        ("LOAD_CYCLES", "words after 10 cycles"),
        ("_LANE_CYCLES", "sums after 15 cycles, not 16"),
    ],
)
def test_latencies_add_up(name: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, name, getattr(latency, name) + 1)
    with pytest.raises(ToolError, match=says):
        lint.elaborate(WRAPPER, wrapper_sources(), TINY, wrapper_parameters(TINY))


def test_every_linter_complains(tmp_path: Path) -> None:
    clean = design(tmp_path, COPY)
    lint.lint_texts(clean)
    lint.elaborate("part", clean, TINY, {})
    verilator("part", clean, TINY)
    with pytest.raises(ToolError, match="no-tabs"):
        lint.lint_texts(design(tmp_path, "\t" + COPY))
    with pytest.raises(ToolError, match="Wwidth-trunc"):
        lint.elaborate("part", design(tmp_path, COPY.replace("<= a_i", "<= 9'(a_i)")), TINY, {})
    inferred = "wire unused = clk_i; always_comb if (enable_i) b_o = a_i;"
    with pytest.raises(ToolError, match="LATCH"):
        verilator("part", design(tmp_path, inferred), TINY)


def test_a_missing_linter_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "find_tool", lambda name: None)
    monkeypatch.setattr(lint, "find_spec", lambda name: None)
    for call in (lambda: lint.lint_texts(BENCHES), lambda: lint.elaborate("x", BENCHES, TINY, {})):
        with pytest.raises(ToolError, match=r"pip install 'cnnaccel\[check\]'"):
            call()


# -- synthesis -------------------------------------------------------------------------------------


def test_latches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"a latch: part\.sv:7"):
        synthesize("part", design(tmp_path, LATCH), TINY, cache=tmp_path)
    assert {path.suffix for path in (tmp_path / "synthesis").iterdir()} == {".lock"}


def test_memories_are_memories(tmp_path: Path) -> None:
    made = synthesize("part", design(tmp_path, MEMORY), TINY, cache=tmp_path)
    assert made.memory_luts == made.resources.lut == 8 and made.registers == 0
    with pytest.raises(ToolError, match=r"no valid mapping found for memory part\.words"):
        synthesize("part", design(tmp_path, CLEARED), TINY, cache=tmp_path)


def test_what_is_known_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = design(tmp_path, COPY)
    made = synthesize("part", sources, TINY, cache=tmp_path)
    assert made.registers == 8 and made.resources == Resources(0, 0, 0)
    monkeypatch.setattr(yosys, "run_tool", lambda *_, **__: pytest.fail("ran again"))
    elsewhere = dataclasses.replace(TINY, name="another", clock_mhz=50.0)
    for board in (TINY, elsewhere):
        assert synthesize("part", sources, board, cache=tmp_path) == made


def test_a_missing_yosys_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys, "find_tool", lambda name: None)
    with pytest.raises(ToolError, match=r"pip install 'cnnaccel\[check\]'") as caught:
        synthesize("engine", engine_sources(), TINY)
    assert caught.value.exit_code == 3


def test_a_product_is_one_dsp_or_none() -> None:
    parts = ("cnnaccel_pkg", "lut_product", "product")
    sources = [resource("hw") / "rtl" / f"{name}.sv" for name in parts]
    one, none = (synthesize("product", sources, Z1, {"UseDsp": use}) for use in (1, 0))
    assert one.resources == Resources(dsp=1, bram36=0, lut=0)
    assert none.resources.dsp == 0 and 50 < none.resources.lut < 200


@pytest.mark.slow
def test_lut_products_beside_dsps() -> None:
    """They cost what they cost alone: nobody takes their operands away."""
    names = ("product", "dot_product", "adder_tree", "accumulator", "mac_array")
    sources = [
        path for path in engine_sources() if path.stem in ("cnnaccel_pkg", "lut_product", *names)
    ]
    some = dataclasses.replace(TINY, dsp_budget=16)
    alone, beside = (synthesize("mac_array", sources, hw).resources for hw in (TINY, some))
    assert alone.dsp - beside.dsp == TINY.array_products - some.array_dsp == 8
    assert 100 < (beside.lut - alone.lut) / 8 < 160


def whole(board: HardwareConfig, off: float = 0.05) -> Resources:
    """What the engine with its wrapper takes; its DSP and BRAM are those that are estimated.

    off: how far the estimate of its LUTs may be off, as a share.
    """
    made = synthesize(WRAPPER, wrapper_sources(), board, wrapper_parameters(board))
    print(f"{board.name}: {made.resources}, {made.registers} FF, {dict(made.cells)}")
    estimated = board.estimated_resources
    assert dataclasses.replace(made.resources, lut=estimated.lut) == estimated
    assert abs(estimated.lut / made.resources.lut - 1) < off
    return made.resources


@pytest.mark.slow
def test_pynq_z1() -> None:
    assert whole(Z1).beyond(Resources(dsp=160, bram36=110, lut=53_200 * 40 // 100)) == ()


@pytest.mark.slow
def test_pynq_z1_512() -> None:
    board = load_hardware("pynq_z1_512")
    assert whole(board).beyond(Resources(dsp=220, bram36=140, lut=53_200 * 75 // 100)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("board", ENGINES.values())
def test_every_board_has_room_for_its_engine(board: str) -> None:
    hardware = load_hardware(board)
    assert whole(hardware, 0.08).beyond(hardware.device) == ()


@pytest.mark.slow
@pytest.mark.parametrize("board", [TINY, dataclasses.replace(Z1, pixel_lanes=2, output_lanes=16)])
def test_other_engines(board: HardwareConfig) -> None:
    assert whole(board).beyond(board.device) == ()
