"""What an FPGA holds, asked before a register is touched: on a Zynq-7000 a read of an address that
no logic answers stops the processors for good.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from cnnaccel.errors import EngineError
from cnnaccel.runtime import layout

FOLDER = "CNNACCEL_FPGA"
"""Variable: the folder of the kernel's FPGA manager, else `MANAGER`."""
MANAGER = "/sys/class/fpga_manager/fpga0"
_OPERATING = "operating"


def state() -> str:
    """What the kernel says of the FPGA, as `operating`, `unknown`, `write error`; empty where it
    says nothing, as on a machine that has none."""
    try:
        path = Path(os.environ.get(FOLDER) or MANAGER) / "state"
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def is_configured() -> bool:
    """Whether its logic works, as far as the kernel tells."""
    return state() in ("", _OPERATING)


def require_configured(way_out: str) -> None:
    """Raise an EngineError where no register may be touched."""
    if not is_configured():
        raise EngineError(
            f"the FPGA holds no working bitstream: the kernel's FPGA manager says '{state()}', not "
            f"'{_OPERATING}', and a read of a register would stop the processors; {way_out}"
        )


def loaded() -> tuple[str, str]:
    """The bitstream that pynq loaded last, in any process, and when; empty where it knows none."""
    import pynq

    try:  # since pynq 3.0 a file, of which this process' own device may differ
        from pynq.pl_server.global_state import load_global_state

        known = load_global_state()
        return str(known.bitfile_name), str(known.timestamp)
    except (ImportError, OSError):
        return str(pynq.PL.bitfile_name or ""), str(pynq.PL.timestamp or "")


def require_loaded(bitstream: Path) -> None:
    """Raise an EngineError where this bitstream is not what the FPGA holds, as far as is known."""
    require_configured("leave download=False out, which loads the bitstream")
    name, _ = loaded()
    if name and not _same_content(Path(name), bitstream):
        raise EngineError(
            f"the FPGA holds {name}, as pynq says, not {bitstream}; leave download=False out, "
            "which loads the bitstream"
        )


def _same_content(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other) or one.read_bytes() == other.read_bytes()
    except OSError:  # what was loaded is gone: nobody knows
        return True


def come_to_rest(registers: Any, timeout_seconds: float) -> bool:
    """Stop an engine that somebody left at work, who was killed: it still moves data of memory
    that is not his any more, and an FPGA must not be loaded while bursts are open. Whether it was
    at work.

    registers: an MMIO of pynq, or what reads and writes as that does.

    Raises:
        EngineError: DRAM does not answer what is under way.
    """
    if registers.read(_at("id")) != layout.MAGIC:
        return False
    if not registers.read(_at("status")) & layout.STATUS_BUSY:
        return False
    registers.write(_at("control"), layout.CONTROL_RESET)
    until = time.monotonic() + timeout_seconds
    while registers.read(_at("status")):
        if time.monotonic() > until:
            raise EngineError(
                "an engine that an earlier run left at work does not come to rest: DRAM does not "
                "answer what it asked for; switch the board off and on"
            )
        time.sleep(0.001)
    return True


def _at(name: str) -> int:
    return layout.REGISTERS[name][0]
