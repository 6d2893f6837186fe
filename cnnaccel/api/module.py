"""A network on an engine in place of the float one: as `nn.Module`, and behind `torch.compile`."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import TreeSpec, tree_leaves, tree_structure, tree_unflatten

from cnnaccel.api.compiled import CompiledNetwork
from cnnaccel.api.engine import SimulatedEngine
from cnnaccel.api.quantized import quantize
from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import ConfigError, ModelError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.report.measured import Measured
from cnnaccel.tools.simulation import require_simulator

TARGETS = ("sim", "golden")
_CALIBRATED = "cnnaccel_accelerated"
"""Attribute of a calibrated model's parameters: the accelerated network."""


class AcceleratedModule(nn.Module):
    """A network whose forward runs on an engine, in int8. `accelerate` makes one.

    forward takes what the float network took, floats [N, C, H, W] or uint8 pixels, and returns
    what the float network returned, on the device of the input. Nothing of it can be trained.
    """

    def __init__(self, network: CompiledNetwork, target: str, structure: TreeSpec) -> None:
        super().__init__()
        _require_target(target)
        self.network = network
        self.target = target
        self.structure = structure
        """The way in which the float network puts its outputs together."""
        self.engine: SimulatedEngine | None = None
        self._images = 0

    def __getstate__(self) -> dict[str, Any]:
        """All but the engine, which belongs to this process: a copy makes its own."""
        return {**self.__dict__, "engine": None}

    @property
    def measured(self) -> Measured | None:
        """Figures of the last forward, from the engine's counters; None before, and of golden."""
        if self.engine is None or not self.engine.accelerator.counters:
            return None
        return self.engine.measured(self.network.graph, self._images)

    def forward(self, images: Tensor) -> Any:
        """What the float network returns of images, by the engine and the host tail.

        Raises:
            DataError: images that do not fit the network.
            ToolError: pynq, verilator or g++ is missing.
        """
        pixels = self.network.network.pixels(images)
        self._images = len(pixels)
        if len(pixels) == 0:
            results = np.empty((0, *self.network.graph.result_shape), np.int8)
        elif self.target == "golden":
            results = golden.run(self.network.graph, pixels)
        else:
            results = self._engine().accelerator.run(pixels)
        outputs = self.network.graph.returned(results).values()
        tensors = [torch.from_numpy(np.ascontiguousarray(one)) for one in outputs]
        return tree_unflatten([one.to(images.device) for one in tensors], self.structure)

    def _engine(self) -> SimulatedEngine:
        """The engine with the program loaded, made once."""
        if self.engine is None:
            engine = SimulatedEngine(self.network.hardware)
            with TemporaryDirectory() as folder:
                engine.accelerator.load(self.network.save(folder))
            self.engine = engine
        return self.engine

    def extra_repr(self) -> str:
        """Text of `repr` between the brackets."""
        hardware = self.network.hardware
        return f"{self.network.name} on {hardware.name or hardware.part}, target={self.target}"


def _require_target(target: str) -> None:
    """What a forward runs on must exist, and be there.

    Raises:
        ConfigError: there is no such target.
        ToolError: pynq, verilator or g++ is missing for the simulated engine.
    """
    if target not in TARGETS:
        raise ConfigError(f"target '{target}': it is one of {', '.join(TARGETS)}")
    if target == "sim":
        require_simulator()


def accelerate(
    model: nn.Module,
    images: Any,
    *,
    board: str | Path | HardwareConfig = "pynq_z1",
    target: str = "sim",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    config: QuantizeConfig | None = None,
) -> AcceleratedModule:
    """A drop-in for a trained network: quantized, compiled, its forward on an engine.

    images: calibration images, as for `quantize`. target: `sim`, the RTL in Verilator, or
    `golden`, the same integers by numpy, which is faster.

    Raises:
        DataError, ModelError, GraphError: as `quantize`.
        ConfigError, ProgramError: as `QuantizedNetwork.compile`.
        ToolError: pynq, verilator or g++ is missing for target `sim`.
    """
    _require_target(target)
    network = quantize(model, images, mean=mean, std=std, config=config)
    assert network.model is not None and network.images is not None
    with torch.no_grad():
        returned = network.model(torch.from_numpy(network.images[:1]).float() / 255)
    return AcceleratedModule(network.compile(board), target, tree_structure(returned))


def calibrate(model: nn.Module, images: Any, **settings: Any) -> None:
    """Make a network ready for `torch.compile(model, backend="cnnaccel")`.

    settings: as `accelerate` takes them. What is made belongs to the weights that the model has
    now; after training it must be calibrated again.

    Raises:
        ModelError: it has no parameters, by which the backend knows it again.
        DataError, GraphError, ConfigError, ProgramError: as `accelerate`.
    """
    parameters = list(model.parameters())
    if not parameters:
        raise ModelError("the model has no parameters, so torch.compile cannot know it again")
    ready = _Calibrated(accelerate(model, images, **settings), model)
    for parameter in parameters:
        setattr(parameter, _CALIBRATED, ready)


class _Calibrated:
    """An accelerated network, and the model and weights that it stands for."""

    def __init__(self, module: AcceleratedModule, model: nn.Module) -> None:
        self.module = module
        self.model = weakref.ref(model)
        self.weights = _weights(model)

    def current(self) -> bool:
        """Whether the model still has the weights it was calibrated with."""
        model = self.model()
        return model is not None and _weights(model) == self.weights


def _weights(model: nn.Module) -> dict[str, int]:
    """How often each tensor of a model was written to, by name."""
    return {name: tensor._version for name, tensor in model.state_dict(keep_vars=True).items()}


def backend(graph: fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
    """The function that `torch.compile(model, backend="cnnaccel")` calls with a traced graph.

    Raises:
        ModelError: the model is not calibrated, was trained since, or is traced in several parts.
    """
    found = {getattr(one, _CALIBRATED, None) for one in (*inputs, *graph.parameters())} - {None}
    if len(found) != 1:
        raise ModelError(
            "torch.compile(backend='cnnaccel') needs scales: call cnnaccel.calibrate(model, "
            "images) before, with some hundred images"
        )
    (ready,) = found
    assert isinstance(ready, _Calibrated)
    if not ready.current():
        raise ModelError("the weights changed since cnnaccel.calibrate; calibrate again")
    module = ready.module
    places = [
        at
        for at, one in enumerate(inputs)
        if isinstance(one, Tensor) and not hasattr(one, _CALIBRATED) and _is_batch(module, one)
    ]
    _require_whole(graph, inputs, places, ready)

    def run(*arguments: Any) -> Any:
        return tuple(tree_leaves(module(arguments[places[0]])))

    return run


def _is_batch(module: AcceleratedModule, tensor: Tensor) -> bool:
    """Whether a tensor has the shape of images of a network."""
    return tuple(tensor.shape[1:]) == module.network.graph.input.shape


def _require_whole(
    graph: fx.GraphModule, inputs: Sequence[Any], places: Sequence[int], ready: _Calibrated
) -> None:
    """A traced graph must compute what the whole model does.

    Raises:
        ModelError: it is a part of it, or more than it.
    """
    model = ready.model()
    message = (
        "torch.compile traced only a part of the calibrated model, or more than it; "
        "fullgraph=True says where a model breaks in parts"
    )
    if len(places) != 1 or model is None:
        raise ModelError(message)
    with torch.no_grad():
        made = graph(*inputs)
        expected = tree_leaves(model(inputs[places[0]]))
    if len(made) != len(expected) or not all(map(torch.equal, made, expected)):
        raise ModelError(message)
