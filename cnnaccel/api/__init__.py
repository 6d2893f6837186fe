"""The door for Python: functions and results behind `import cnnaccel`, and under the commands."""

from cnnaccel.api.compiled import CompiledNetwork
from cnnaccel.api.deployment import Deployment
from cnnaccel.api.evaluation import Evaluation
from cnnaccel.api.module import AcceleratedModule, accelerate, calibrate
from cnnaccel.api.quantized import NoisyNetworkWarning, QuantizedNetwork, load, quantize
from cnnaccel.api.results import Comparison, LayerComparison, Prediction
from cnnaccel.api.simulation import Simulation
from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import CnnaccelError
from cnnaccel.hardware import HardwareConfig, load_hardware

__all__ = [
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
