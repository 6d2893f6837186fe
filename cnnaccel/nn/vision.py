"""torchvision, also where it was built for another torch than the one installed.

The registry's torchvision is linked against the CUDA torch. Beside a CPU torch its import fails,
because two operators it wants to decorate were never declared; once their schemas exist, its
datasets, transforms and models work (`ops.nms` does not).
"""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType
from typing import Any

from cnnaccel.errors import ModelError

_UNDECLARED = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """The torchvision package.

    Raises:
        ModelError: it is not installed, or does not fit the installed torch.
    """
    try:
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
        _declare_missing_operators()
        for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        return importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        raise ModelError(
            f"torchvision cannot be imported: {error}; install the version that belongs to the "
            "installed torch (see install_requires in setup.cfg)"
        ) from error


@functools.cache  # the declarations last as long as this object lives
def _declare_missing_operators() -> Any:
    from torch.library import Library

    library: Any = Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in _UNDECLARED:
        library.define(name + _SCHEMA)
    return library
