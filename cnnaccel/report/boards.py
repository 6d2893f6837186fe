"""The boards as a table: engine, share of the device, what was seen of each.

Shipped boards are simulated and mock-built because tests do both with every file of
`configs/boards` (`tests/rtl/test_boards.py`, `tests/flow/test_vivado_tcl.py`); what was seen on
silicon, a board's file says.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from cnnaccel.hardware import HardwareConfig, shipped_boards
from cnnaccel.render.template import render_template
from cnnaccel.report.tables import table

COLUMNS = (
    "board",
    "part",
    "P x C x K = MACs",
    "act + wgt, KiB",
    "MHz",
    "DSP",
    "BRAM36",
    "LUT",
    "seen",
)
_TITLE = "boards, with estimated shares of the device; on silicon only those that say so"


def boards_table(boards: Iterable[HardwareConfig]) -> Table:
    """One line per board, for the terminal."""
    return table(_TITLE, list(COLUMNS), map(board_row, boards))


def board_row(board: HardwareConfig) -> list[str]:
    """The cells of `COLUMNS`."""
    take, have = board.estimated_resources, board.device
    shares = ((take.dsp, have.dsp), (take.bram36, have.bram36), (take.lut, have.lut))
    shipped = board.file in shipped_boards().values()
    seen = ["simulated", "mock-built"] if shipped else []
    seen += [f"on silicon: {board.on_silicon}"] if board.on_silicon else []
    return [
        board.name,
        board.part,
        f"{'x'.join(map(str, board.lanes))} = {board.peak_macs:,}",
        f"{board.act_kib} + {board.wgt_kib}",
        f"{board.system.clock_mhz(board.clock_mhz):.6g}",
        *(f"{used / most:.0%}" for used, most in shares),
        ", ".join(seen),
    ]


def render_boards_page(boards: Iterable[HardwareConfig]) -> str:
    """`docs/boards.md`."""
    return render_template("boards.md.j2", columns=COLUMNS, rows=list(map(board_row, boards)))
