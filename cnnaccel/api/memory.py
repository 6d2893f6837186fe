"""Memory of a program, against that which a board's image keeps contiguous."""

from __future__ import annotations

from cnnaccel.hardware import HardwareConfig
from cnnaccel.runtime.network import contiguous_bytes

_SHOWN = {"weights_bytes": "weights", "scratch_bytes": "tensors between layers"}


def shortage(hardware: HardwareConfig, header: dict[str, int]) -> str:
    """The shortage of a board for one iteration of a program, or empty.

    header: of `program.bin`.
    """
    have, need = hardware.contiguous_mib, contiguous_bytes(header)
    if have is None or need <= have * (1 << 20):
        return ""
    parts = ", ".join(f"{words} {_mib(header[name])}" for name, words in _SHOWN.items())
    return (
        f"the program takes {_mib(need)} of contiguous memory ({parts}), the image of "
        f"{hardware.name or 'the board'} keeps {have:g} MiB (contiguous_mib): no run there without "
        "a larger cma= in its bootargs; otherwise a smaller network, or another board"
    )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"
