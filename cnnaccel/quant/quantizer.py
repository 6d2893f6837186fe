"""The instructions to torchao's PT2E: which tensors are quantized, to which type, by which scale.

Zero points are 0 everywhere: activations are uint8 where they cannot be negative, int8 elsewhere,
weights int8 in -127..127. With `requantize: shift` every scale is a power of two times the tensor's
*unit*, a constant that absorbs what no power of two can express (1/255 of a pixel, 1/49 of an
average): a convolution's weights carry the inverse, so that after it the unit is 1 again.
"""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import torch
from torch import fx

from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import ModelError, ToolError
from cnnaccel.quant.builder import is_unsigned
from cnnaccel.quant.frontend import arguments, quiet_torch
from cnnaccel.quant.operators import aten

with quiet_torch():
    try:
        from torchao.quantization.pt2e.observer import ObserverBase
        from torchao.quantization.pt2e.quantizer import (
            FixedQParamsQuantizationSpec,
            QuantizationAnnotation,
            QuantizationSpec,
            QuantizationSpecBase,
            Quantizer,
            SharedQuantizationSpec,
        )
    except ImportError as error:
        raise ToolError(
            f"torchao {version('torchao')} does not go with torch {torch.__version__} ({error}); "
            "install one of its time: 0.13 for torch 2.8, 0.18 for torch 2.13"
        ) from None

PIXEL_SCALE = 1 / 255
ACCUMULATING = (aten.conv2d.default, aten.avg_pool2d.default, aten.add.Tensor)
CLAMPS = (aten.relu.default, aten.hardtanh.default)
KEEPS_NUMBERS = (aten.max_pool2d.default, aten.pad.default)
_WEIGHT_LIMIT = 127
_LEAST_WEIGHT = 1e-30
"""A channel of smaller weights counts as zero: the inverse of its scale would leave float32."""
_BINS = 1 << 15
_HALVINGS = 5
"""The search clips at no less than 2**-5 of the maximum: 1,024 bins for at most 255 steps."""


def fused_clamp(node: fx.Node) -> fx.Node | None:
    """The ReLU that is part of an accumulating node's requantization, if it has one."""
    users = list(node.users)
    if node.target in ACCUMULATING and len(users) == 1 and users[0].target in CLAMPS:
        return users[0]
    return None


def unit(node: fx.Node) -> float:
    """The constant u of a canonical node: with `requantize: shift` its scale is u * 2**k."""
    if node.op == "placeholder":
        return 256 / 255 if node.meta["unsigned"] else 1.0
    if node.target is aten.avg_pool2d.default:
        source, kernel = arguments(node)[:2]
        area = int(math.prod(kernel))
        return unit(source) * float(2 ** math.ceil(math.log2(area))) / area
    if node.target in (*KEEPS_NUMBERS, *CLAMPS):
        return unit(arguments(node)[0])
    if node.target is aten.cat.default:
        units = {unit(source) for source in node.all_input_nodes}
        return units.pop() if len(units) == 1 else 1.0
    return 1.0


class EngineQuantizer(Quantizer):  # type: ignore[misc]
    """Annotates a canonical graph with the types the engine computes in."""

    def __init__(self, config: QuantizeConfig) -> None:
        super().__init__()
        self.config = config

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        for node in model.graph.nodes:
            annotation = QuantizationAnnotation(_annotated=True)
            if node.target is aten.conv2d.default:
                annotation.input_qspec_map[arguments(node)[1]] = self._weights(node)
            if node.op in ("placeholder", "call_function") and not fused_clamp(node):
                annotation.output_qspec = self._activation(node)
            node.meta["quantization_annotation"] = annotation
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """The canonical form leaves nothing to object to."""

    def _activation(self, node: fx.Node) -> QuantizationSpecBase:
        if node.target in KEEPS_NUMBERS:
            return SharedQuantizationSpec(arguments(node)[0])
        dtype, low, high = (torch.uint8, 0, 255) if is_unsigned(node) else (torch.int8, -128, 127)
        if node.op == "placeholder" and node.meta["unsigned"]:
            return FixedQParamsQuantizationSpec(
                dtype, PIXEL_SCALE, 0, low, high, torch.per_tensor_symmetric
            )
        observer = ActivationObserver.with_args(
            name=node.meta.get("layer", node.name),
            search=self.config.observer == "histogram",
            unit=self._unit(node),
        )
        return QuantizationSpec(dtype, observer, low, high, torch.per_tensor_symmetric)

    def _weights(self, node: fx.Node) -> QuantizationSpec:
        per_channel = self.config.weights == "per_channel"
        source_unit = self._unit(arguments(node)[0])
        observer = WeightObserver.with_args(unit=None if source_unit is None else 1 / source_unit)
        scheme = torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric
        return QuantizationSpec(torch.int8, observer, -_WEIGHT_LIMIT, _WEIGHT_LIMIT, scheme, 0)

    def _unit(self, node: fx.Node) -> float | None:
        return unit(node) if self.config.requantize == "shift" else None


class ActivationObserver(ObserverBase):  # type: ignore[misc]
    """One scale for a tensor, from a histogram of its magnitudes over all calibration images.

    `search` picks the clip with the least squared error, else nothing is clipped. `unit` not None
    restricts the scale to unit * 2**k. Seeing what is not finite raises ModelError with `name`.
    """

    def __init__(
        self,
        dtype: torch.dtype,
        quant_min: int,
        quant_max: int,
        qscheme: torch.qscheme,
        *,
        name: str,
        search: bool,
        unit: float | None,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, is_dynamic)
        self.quant_min, self.quant_max, self.qscheme = quant_min, quant_max, qscheme
        self.name, self.search, self.unit = name, search, unit
        self.greatest = 0.0  # of the magnitudes seen
        self.limit = 0.0  # upper end of the histogram
        self.histogram = torch.zeros(_BINS, dtype=torch.float64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        magnitude = x.detach().abs().flatten().float()
        greatest = float(magnitude.max())
        if not math.isfinite(greatest):
            raise ModelError(
                f"layer '{self.name}': its output is not finite on the calibration images; "
                "train again with a smaller learning rate"
            )
        self.greatest = max(self.greatest, greatest)
        if self.limit == 0.0:
            self.limit = greatest
        while 0 < self.limit < greatest:  # halve the resolution, double the range
            pairs = self.histogram.reshape(-1, 2).sum(1)
            self.histogram = torch.cat([pairs, torch.zeros_like(pairs)])
            self.limit *= 2
        if self.limit > 0:
            self.histogram += torch.histc(magnitude, _BINS, 0.0, self.limit).cpu().double()
        return x

    def calculate_qparams(self, **_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        widest = (self.greatest or 1.0) / self.quant_max
        if self.unit is None:
            halvings = range(_HALVINGS * 32 + 1) if self.search else [0]  # of the clip, in 32nds
            candidates = [widest * 2.0 ** (-halving / 32) for halving in halvings]
        else:
            top = math.ceil(math.log2(widest / self.unit) - 1e-9)
            halvings = range(_HALVINGS + 1) if self.search else [0]
            candidates = [self.unit * 2.0 ** (top - halving) for halving in halvings]
        scale = min(candidates, key=self._squared_error)  # the first of equals, the widest
        return torch.tensor([scale], dtype=torch.float64), torch.zeros(1, dtype=torch.int64)

    def _squared_error(self, scale: float) -> float:
        width = self.limit / _BINS
        centers = (torch.arange(_BINS, dtype=torch.float64) + 0.5) * width
        rounded = torch.clamp(torch.round(centers / scale), max=self.quant_max) * scale
        return float((self.histogram * (centers - rounded) ** 2).sum())


class WeightObserver(ObserverBase):  # type: ignore[misc]
    """Scales for a weight tensor [K, C, R, S]: per output channel, or one for all.

    The greatest magnitude becomes 127. `unit` not None restricts scales to unit * 2**k; of the two
    powers around the exact scale the one with the least squared error is taken.
    """

    def __init__(
        self,
        dtype: torch.dtype,
        quant_min: int,
        quant_max: int,
        qscheme: torch.qscheme,
        *,
        unit: float | None,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, is_dynamic)
        self.quant_min, self.quant_max, self.qscheme = quant_min, quant_max, qscheme
        self.ch_axis = 0  # convert_pt2e reads it
        self.unit = unit
        self.rows = torch.zeros(1, 1)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        per_channel = self.qscheme == torch.per_channel_symmetric
        rows = weight.detach().reshape(len(weight) if per_channel else 1, -1)
        self.rows = rows.cpu().double()  # not every device has float64
        return weight

    def calculate_qparams(self, **_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        greatest = self.rows.abs().amax(1)
        scale = torch.where(greatest > _LEAST_WEIGHT, greatest, 1.0) / self.quant_max
        if self.unit is not None:
            wide = self.unit * 2.0 ** torch.ceil(torch.log2(scale / self.unit) - 1e-9)
            narrow = wide / 2
            better = self._squared_error(narrow) < self._squared_error(wide)
            scale = torch.where(better, narrow, wide)
        return scale.float(), torch.zeros(len(scale), dtype=torch.int64)

    def _squared_error(self, scale: torch.Tensor) -> torch.Tensor:
        steps = torch.round(self.rows / scale[:, None]).clamp(self.quant_min, self.quant_max)
        return ((self.rows - steps * scale[:, None]) ** 2).sum(1)
