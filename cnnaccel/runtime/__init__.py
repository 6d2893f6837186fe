"""What runs beside an engine, on a board or simulated: needs numpy and pynq, Python 3.8 or later.

Knows registers, buffers and files, nothing of networks, compilers or how the engine was made. Of
the rest of the package it uses `errors` alone, so these two are all that a board needs. Pictures
are read by Pillow, where it is installed.

    from cnnaccel.runtime import CnnaccelEngine     # the class that pynq binds to the engine
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnaccel.runtime.engine import CnnaccelEngine

__all__ = ["CnnaccelEngine"]


def __getattr__(name: str) -> Any:
    """The class for pynq, which takes its time to import."""
    if name == "CnnaccelEngine":
        from cnnaccel.runtime.engine import CnnaccelEngine

        return CnnaccelEngine
    raise AttributeError(f"module 'cnnaccel.runtime' has no attribute '{name}'")
