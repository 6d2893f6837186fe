"""Post-training quantization, end to end: canonical form, calibration, conversion, lowering."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import DataError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.quant.bias import correct_biases
from cnnaccel.quant.canonical import CanonicalModel, canonicalize
from cnnaccel.quant.frontend import Shape, quiet_torch
from cnnaccel.quant.lower import lower
from cnnaccel.quant.quantizer import EngineQuantizer, fused_clamp

Images = npt.NDArray[np.uint8]
_BATCH = 64
_BIAS_IMAGES = 256


@dataclass(frozen=True)
class Quantized:
    """The integer graph beside the float model it came from."""

    graph: Graph
    weight_scales: dict[str, npt.NDArray[np.float64]]
    canonical: CanonicalModel


def quantize(
    model: nn.Module,
    name: str,
    calibration: Images,
    config: QuantizeConfig,
    on_batch: Callable[[int], None] = lambda done: None,
) -> Quantized:
    """Quantize a trained model with calibration images uint8[N, C, H, W].

    `on_batch` is told how many images have been seen.

    Raises:
        ModelError: unsupported layers, or values that are not finite.
        DataError: no calibration images.
        GraphError: no integer graph can hold this network.
    """
    if len(calibration) == 0:
        raise DataError("no calibration images; set quantize.calibration_images to 1 or more")
    channels, rows, columns = calibration.shape[1:]
    canonical = canonicalize(model, (channels, rows, columns))
    with quiet_torch(), torch.no_grad():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        prepared = prepare_pt2e(copy.deepcopy(canonical.module), EngineQuantizer(config))
        for start in range(0, len(calibration), _BATCH):
            images = torch.from_numpy(calibration[start : start + _BATCH])
            prepared(canonical.prepare_input(images))
            on_batch(min(start + _BATCH, len(calibration)))
        converted = convert_pt2e(prepared)
    shift_only = config.requantize == "shift"
    lowered = lower(converted, name, canonical.normalization, shift_only)
    graph, scales = lowered.graph, lowered.weight_scales
    if config.bias_correction:
        graph = correct_biases(graph, scales, canonical, calibration[:_BIAS_IMAGES])
    return Quantized(graph, scales, canonical)


def check_supported(model: nn.Module, shape: Shape) -> None:
    """Raise ModelError, before any work, where the engine has no place for a layer of `model`."""
    canonicalize(model, shape)


def layer_sqnr(quantized: Quantized, images: Images) -> dict[str, float]:
    """Signal to quantization noise per tensor, in dB: 10 log10(sum x^2 / sum (x - q*scale)^2).

    Pixels are integers to begin with and have no entry.
    """
    with torch.no_grad():
        floats = float_tensors(quantized.canonical, torch.from_numpy(images))
    integers = golden.trace(quantized.graph, images)
    result = {}
    for name, spec in quantized.graph.tensors().items():
        if name in floats and not (name == "image" and quantized.graph.input_table is None):
            exact = floats[name].double().numpy()
            noise = exact - integers[name].astype(np.float64) * spec.scale
            power, error = float((exact**2).sum()), float((noise**2).sum())
            result[name] = 10 * np.log10(power / error) if error and power else float("inf")
    return result


def float_tensors(canonical: CanonicalModel, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The float value of each tensor of the graph, by the name it has there."""
    values: dict[fx.Node, torch.Tensor] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> torch.Tensor:
            values[n] = super().run_node(n)
            return values[n]

    Recorder(canonical.module).run(canonical.prepare_input(images))
    named = {}
    for node in canonical.module.graph.nodes:
        if "layer" in node.meta:
            named[node.meta["layer"]] = values[fused_clamp(node) or node]
    return named
