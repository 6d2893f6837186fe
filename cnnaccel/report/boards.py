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
    "P x C x K",
    "MACs per cycle",
    "act + wgt, KiB",
    "clock, MHz",
    "DSP",
    "BRAM36",
    "LUT",
    "simulated",
    "mock-built",
    "on silicon",
)
_TITLE = "boards; shares of the device are estimated"


def boards_table(boards: Iterable[HardwareConfig]) -> Table:
    """One line per board, for the terminal."""
    return table(_TITLE, list(COLUMNS), map(board_row, boards))


def board_row(board: HardwareConfig) -> list[str]:
    """The cells of `COLUMNS`."""
    take, have = board.estimated_resources, board.device
    shares = ((take.dsp, have.dsp), (take.bram36, have.bram36), (take.lut, have.lut))
    shipped = board.file in shipped_boards().values()
    return [
        board.name,
        board.part,
        "x".join(map(str, board.lanes)),
        f"{board.peak_macs:,}",
        f"{board.act_kib} + {board.wgt_kib}",
        f"{board.system.clock_mhz(board.clock_mhz):.6g}",
        *(f"{used / most:.0%}" for used, most in shares),
        *(["yes", "yes"] if shipped else ["", ""]),
        board.on_silicon or "no",
    ]


def render_boards_page(boards: Iterable[HardwareConfig]) -> str:
    """`docs/boards.md`."""
    return render_template("boards.md.j2", columns=COLUMNS, rows=list(map(board_row, boards)))
