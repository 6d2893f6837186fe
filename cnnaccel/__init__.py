"""cnnaccel: a PyTorch CNN, exact in int8, on a small FPGA.

    import cnnaccel as ca

    network = ca.quantize(model, images)
    program = network.compile(board="pynq_z1")
    program.estimate()
    program.simulate(images[:16])

Names are loaded when they are first used, since torch takes its time. This file is also on boards,
where only `cnnaccel.runtime` is beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [  # those of cnnaccel.api
    "AcceleratedModule",
    "CnnaccelError",
    "Comparison",
    "CompiledNetwork",
    "Deployment",
    "Evaluation",
    "HardwareConfig",
    "LayerComparison",
    "NoisyNetworkWarning",
    "Prediction",
    "QuantizeConfig",
    "QuantizedNetwork",
    "Simulation",
    "accelerate",
    "calibrate",
    "load",
    "load_hardware",
    "quantize",
]

if TYPE_CHECKING:
    from cnnaccel.api import (
        AcceleratedModule,
        CnnaccelError,
        Comparison,
        CompiledNetwork,
        Deployment,
        Evaluation,
        HardwareConfig,
        LayerComparison,
        NoisyNetworkWarning,
        Prediction,
        QuantizeConfig,
        QuantizedNetwork,
        Simulation,
        accelerate,
        calibrate,
        load,
        load_hardware,
        quantize,
    )

else:  # a type checker would take every name for one of these

    def __getattr__(name: str) -> Any:
        """A name of the Python API, which is loaded now."""
        if name not in __all__:
            raise AttributeError(f"module 'cnnaccel' has no attribute '{name}'")
        from importlib import import_module

        try:
            value = getattr(import_module("cnnaccel.api"), name)
        except ModuleNotFoundError as error:
            if error.name != "cnnaccel.api":
                raise
            raise ImportError(
                f"cnnaccel.{name} is not here: this is the runtime for boards alone; where the "
                "whole package is wanted, uninstall cnnaccel-runtime and install cnnaccel"
            ) from None
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """The names of the package, those of the Python API among them."""
    return sorted({*globals(), *__all__})
