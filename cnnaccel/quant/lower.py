"""The converted PT2E graph, with its quantize and dequantize nodes, becomes the integer Graph.

The last place where floats decide anything: scales turn into multipliers and shifts, biases into
integers. One layer per accumulating node, its ReLU folded into the clamp of its requantization.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import fx

from cnnaccel.errors import GraphError
from cnnaccel.ir import intmath
from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    AvgPool2d,
    Concat,
    Conv2d,
    Depthwise,
    Dtype,
    Graph,
    MaxPool2d,
    Padding,
    Pair,
    Requant,
    TensorSpec,
)
from cnnaccel.ir.verify import verify
from cnnaccel.quant.builder import pair
from cnnaccel.quant.frontend import arguments
from cnnaccel.quant.operators import aten
from cnnaccel.quant.quantizer import ACCUMULATING, CLAMPS, PIXEL_SCALE, fused_clamp
from cnnaccel.runtime.tail import HostTail

decomposed = torch.ops.quantized_decomposed
FloatArray = npt.NDArray[np.float64]
_BIAS_LIMIT = 2**30
"""Biases stay below this, so that they leave the products the other half of int32."""


@dataclass(frozen=True)
class Lowered:
    """The verified graph, and the scale of each output channel's weights by layer, float64[K]."""

    graph: Graph
    weight_scales: dict[str, FloatArray]


def lower(
    converted: fx.GraphModule,
    name: str,
    normalization: tuple[torch.Tensor, torch.Tensor] | None,
    tail: HostTail,
    shift_only: bool,
) -> Lowered:
    """The integer graph of a converted canonical model.

    normalization: (factor, offset) per channel where the host normalises pixels, else None.
    tail: of the canonical model.
    shift_only: scales are powers of two, and every multiplier is one.

    Raises:
        GraphError: the result breaks the graph's contract, as when an accumulator could overflow.
    """
    lowering = Lowering(converted, shift_only)
    return Lowered(lowering.graph(name, normalization, tail), lowering.weight_scales)


def producer(node: fx.Node) -> fx.Node:
    """The canonical node whose quantized value `node` is: looks through quantize and dequantize."""
    while node.target in (
        decomposed.quantize_per_tensor.default,
        decomposed.dequantize_per_tensor.default,
    ):
        node = arguments(node)[0]
    return node


@dataclass
class Lowering:
    """One walk over a converted model; `graph` makes it."""

    module: fx.GraphModule
    shift_only: bool
    layers: list[AnyLayer] = field(default_factory=list)
    specs: dict[str, TensorSpec] = field(default_factory=dict)
    tensor_of: dict[fx.Node, str] = field(default_factory=dict)
    weight_scales: dict[str, FloatArray] = field(default_factory=dict)

    def graph(
        self, name: str, normalization: tuple[torch.Tensor, torch.Tensor] | None, tail: HostTail
    ) -> Graph:
        """The verified graph, as `lower` says."""
        for node in self.module.graph.nodes:
            self.visit(node)
        image = self.specs["image"]
        table = None if normalization is None else _input_table(image, *normalization)
        (output,) = self.module.graph.find_nodes(op="output")
        made = [producer(one) for one in output.all_input_nodes]
        tensors = {str(one.meta["layer"]): self.tensor_of[one] for one in made}
        sources = tuple(replace(one, tensor=tensors[one.tensor]) for one in tail.sources)
        outputs = tuple(dict.fromkeys(tensors.values()))
        ending = replace(tail, sources=sources)
        return verify(Graph(name, image, tuple(self.layers), table, outputs, ending))

    def visit(self, node: fx.Node) -> None:
        """Append the layer of one node, where it is one."""
        if node.op == "placeholder":
            spec = self._spec("image", node)
            if spec.dtype == "uint8":  # torchao knows the scale of pixels as a float32
                spec = replace(spec, scale=PIXEL_SCALE)
            self._define(node, "image", spec)
        elif node.target in ACCUMULATING:
            self._accumulate(node, fused_clamp(node))
        elif node.target in CLAMPS and node not in self.tensor_of:
            source = self._source(node)
            out = self._spec(node.meta["layer"], node)
            self._append(node, self._rescale(out.name, source, out, node))
        elif node.target is aten.max_pool2d.default:
            self._append(node, self._max_pool(node))
        elif node.target is aten.cat.default:
            self._append(node, self._concat(node))

    # -- tensors --------------------------------------------------------------------------------

    def _define(self, node: fx.Node, tensor: str, spec: TensorSpec) -> None:
        self.specs[tensor] = spec
        self.tensor_of[node] = tensor

    def _append(self, node: fx.Node, layer: AnyLayer) -> None:
        self.layers.append(layer)
        self._define(node, layer.output.name, layer.output)

    def _source(self, node: fx.Node, index: int = 0) -> TensorSpec:
        """The tensor that argument `index` of a node reads, padding seen through."""
        source = producer(arguments(node)[index])
        if source.target is aten.pad.default:
            source = producer(arguments(source)[0])
        return self.specs[self.tensor_of[source]]

    def _spec(self, name: str, node: fx.Node) -> TensorSpec:
        """The tensor that the quantize node behind `node` describes; its shape is that of the
        export."""
        (quantize,) = (u for u in node.users if u.target is decomposed.quantize_per_tensor.default)
        scale, dtype = float(arguments(quantize)[1]), arguments(quantize)[5]
        channels, rows, columns = (int(d) for d in node.meta["val"].shape[1:])
        kind: Dtype = "uint8" if dtype is torch.uint8 else "int8"
        return TensorSpec(name, (channels, rows, columns), kind, scale)

    def _output(self, node: fx.Node, clamp: fx.Node | None) -> TensorSpec:
        """The tensor an accumulating node makes.

        Where its only reader is a concatenation it takes that one's scale at once, so that numbers
        are rounded once instead of twice (unless a shift could not get there).
        """
        last = clamp or node
        own = self._spec(node.meta["layer"], last)
        readers = _readers(last)
        if len(readers) == 1 and readers[0].target is aten.cat.default:
            joined = self._spec(own.name, readers[0])
            if not self.shift_only or _is_power_of_two(joined.scale / own.scale):
                return replace(joined, shape=own.shape)
        return own

    # -- layers ---------------------------------------------------------------------------------

    def _accumulate(self, node: fx.Node, clamp: fx.Node | None) -> None:
        out = self._output(node, clamp)
        if node.target is aten.conv2d.default:
            layer: AnyLayer = self._conv(node, out, clamp)
        elif node.target is aten.avg_pool2d.default:
            layer = self._avg_pool(node, out, clamp)
        else:
            layer = self._add(node, out, clamp)
        self._append(node, layer)
        if clamp is not None:
            self.tensor_of[clamp] = out.name

    def _conv(self, node: fx.Node, out: TensorSpec, clamp: fx.Node | None) -> AnyLayer:
        source = self._source(node)
        weight, scale, int_bias = self._integers(node, source.scale)
        self.weight_scales[out.name] = scale
        requant = self._requant(source.scale * scale / out.scale, out, clamp)
        stride, padding, dilation = (pair(arguments(node)[i]) for i in (3, 4, 5))
        groups = arguments(node)[6]
        common: dict[str, Any] = {
            "bias": int_bias,
            "requant": requant,
            "stride": stride,
            "padding": _padding(node, padding),
            "dilation": dilation,
        }
        names = (out.name, (source.name,), out)
        if groups == len(weight) == source.shape[0]:
            return Depthwise(*names, weight=weight[:, 0], **common)
        return Conv2d(*names, weight=weight, groups=groups, **common)

    def _avg_pool(self, node: fx.Node, out: TensorSpec, clamp: fx.Node | None) -> AvgPool2d:
        source = self._source(node)
        kernel, stride, padding = (pair(arguments(node)[i]) for i in (1, 2, 3))
        ratio = source.scale / (out.scale * kernel[0] * kernel[1])
        requant = self._requant(np.array([ratio]), out, clamp)
        names = (out.name, (source.name,), out)
        return AvgPool2d(*names, kernel, stride, requant, _padding(node, padding))

    def _add(self, node: fx.Node, out: TensorSpec, clamp: fx.Node | None) -> Add:
        sources = [self._source(node, index) for index in (0, 1)]
        ratios = [source.scale / out.scale for source in sources]
        (a, b), factor = integer_weights(ratios, self.shift_only)
        requant = self._requant(np.array([factor]), out, clamp)
        return Add(out.name, (sources[0].name, sources[1].name), out, (a, b), requant)

    def _max_pool(self, node: fx.Node) -> MaxPool2d:
        source = self._source(node)
        kernel, stride, padding, dilation = (pair(arguments(node)[i]) for i in (1, 2, 3, 4))
        spec = self._spec(node.meta["layer"], node)
        out = TensorSpec(spec.name, spec.shape, source.dtype, source.scale)
        top, bottom, left, right = _padding(node, padding)
        if arguments(node)[5]:  # ceil_mode: the last window may reach beyond the padding
            reach = [
                (out.shape[1 + i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1
                for i in (0, 1)
            ]
            bottom = max(bottom, reach[0] - source.shape[1] - top)
            right = max(right, reach[1] - source.shape[2] - left)
        full = (top, bottom, left, right)
        return MaxPool2d(out.name, (source.name,), out, kernel, stride, full, dilation)

    def _concat(self, node: fx.Node) -> Concat:
        out = self._spec(node.meta["layer"], node)
        names = []
        for index, part in enumerate(arguments(node)[0]):
            source = self.specs[self.tensor_of[producer(part)]]
            if (source.dtype, source.scale) != (out.dtype, out.scale):
                name = f"{out.name}.input_{index}"
                target = TensorSpec(name, source.shape, out.dtype, out.scale)
                self.layers.append(self._rescale(name, source, target, None))
                source = self.specs[name] = target
            names.append(source.name)
        return Concat(out.name, tuple(names), out)

    def _rescale(
        self, name: str, source: TensorSpec, out: TensorSpec, clamp: fx.Node | None
    ) -> Depthwise:
        """A layer that changes nothing but the scale and the clamp."""
        channels = source.shape[0]
        (number,), factor = integer_weights([source.scale / out.scale], self.shift_only)
        requant = self._requant(np.full(channels, factor), out, clamp)
        weight = np.full((channels, 1, 1), number, np.int8)
        bias = np.zeros(channels, np.int32)
        return Depthwise(name, (source.name,), out, weight, bias, requant)

    # -- numbers --------------------------------------------------------------------------------

    def _tensor(self, node: fx.Node) -> torch.Tensor:
        return cast(torch.Tensor, getattr(self.module, str(node.target)).detach())

    def _integers(
        self, node: fx.Node, input_scale: float
    ) -> tuple[npt.NDArray[np.int8], FloatArray, npt.NDArray[np.int32]]:
        """Weights, their scales and the bias of a convolution."""
        weight, scale = self._weights(arguments(node)[1])
        bias = self._constant(arguments(node)[2])
        return _fit_bias(weight, scale, bias, input_scale, self.shift_only)

    def _constant(self, node: fx.Node) -> FloatArray:
        return cast(FloatArray, self._tensor(node).double().numpy())

    def _weights(self, node: fx.Node) -> tuple[npt.NDArray[np.int8], FloatArray]:
        """int8[K, C, R, S] and its scales, float64[K]."""
        weight = cast(npt.NDArray[np.int8], self._tensor(arguments(node)[0]).numpy())
        scale = arguments(node)[1]
        if isinstance(scale, fx.Node):
            return weight, self._constant(scale)
        return weight, np.full(len(weight), float(scale))

    def _requant(self, ratios: FloatArray, out: TensorSpec, clamp: fx.Node | None) -> Requant:
        """Multipliers and shifts for acc * ratio, and the limits that include a fused ReLU."""
        low, high = out.range
        if clamp is not None:
            low = 0
            if clamp.target is aten.hardtanh.default:
                high = min(high, math.floor(arguments(clamp)[2] / out.scale + 0.5))
        convert = _power_of_two if self.shift_only else intmath.multiplier_and_shift
        try:
            pairs = [convert(float(ratio)) for ratio in ratios]
        except GraphError as error:
            raise GraphError(f"layer '{out.name}': {error}") from None
        multipliers, shifts = zip(*pairs, strict=True)
        return Requant(np.array(multipliers, np.uint16), np.array(shifts, np.uint8), low, high)


def integer_weights(ratios: Sequence[float], shift_only: bool) -> tuple[list[int], float]:
    """Integers w up to 127 and the one factor with w[i] * factor = ratios[i], nearly.

    ratios: one or two positive numbers. The factor goes into the requantization; for shift_only it
    is a power of two, and the greatest of the weights is 64..127.
    """
    greatest = max(ratios)
    if shift_only:
        factor = 2.0 ** (math.floor(math.log2(greatest) + 1e-9) - 6)
        return [min(math.floor(ratio / factor + 0.5), 127) for ratio in ratios], factor
    least = min(ratios) / greatest

    def error(weight: int) -> float:
        return abs(math.floor(weight * least + 0.5) / weight - least)

    weight = min(range(127, 63, -1), key=error)
    factor = greatest / weight
    return [math.floor(ratio / factor + 0.5) for ratio in ratios], factor


def _is_power_of_two(ratio: float) -> bool:
    return abs(ratio / 2.0 ** round(math.log2(ratio)) - 1) < 1e-5


def _power_of_two(ratio: float) -> tuple[int, int]:
    """Multiplier and shift, the multiplier 1 for any ratio up to 1."""
    exponent = round(math.log2(ratio))
    if not _is_power_of_two(ratio) or 2**exponent > intmath.MULTIPLIER_MAX:
        raise GraphError(f"requantizing by {ratio} is no shift; use requantize: multiplier")
    # an int32 shifted right by more than 32 is 0, by how much more does not matter
    return 2 ** max(exponent, 0), min(max(-exponent, 0), intmath.SHIFT_MAX)


def _fit_bias(
    weight: npt.NDArray[np.int8],
    scale: FloatArray,
    bias: FloatArray,
    input_scale: float,
    power_of_two: bool,
) -> tuple[npt.NDArray[np.int8], FloatArray, npt.NDArray[np.int32]]:
    """Biases as integers; a channel whose bias would not fit gets coarser weights.

    Batch norm on a channel that has died leaves tiny weights beside an ordinary bias.
    """
    needed = np.abs(bias) / (input_scale * _BIAS_LIMIT)
    growth = np.maximum(needed / scale, 1.0)
    if power_of_two:
        growth = 2.0 ** np.ceil(np.log2(growth))
    weight = np.floor(weight / growth[:, None, None, None] + 0.5).astype(np.int8)
    scale = scale * growth
    return weight, scale, np.floor(bias / (input_scale * scale) + 0.5).astype(np.int32)


def _input_table(
    image: TensorSpec, factor: torch.Tensor, offset: torch.Tensor
) -> npt.NDArray[np.int8]:
    """int8[C, 256]: what the host puts in place of each pixel value."""
    pixels = np.arange(256) / 255
    values = factor.numpy()[:, None] * pixels + offset.numpy()[:, None]
    low, high = image.range
    table: npt.NDArray[np.float64] = np.clip(np.floor(values / image.scale + 0.5), low, high)
    return table.astype(np.int8)


def _readers(node: fx.Node) -> list[fx.Node]:
    """The canonical nodes that read a node's quantized value."""
    found: list[fx.Node] = []
    for user in node.users:
        quantization = user.target in (
            decomposed.quantize_per_tensor.default,
            decomposed.dequantize_per_tensor.default,
        )
        found += _readers(user) if quantization else [user]
    return found


def _padding(node: fx.Node, own: Pair) -> Padding:
    """The node's own padding plus that of a pad node before it."""
    source = producer(arguments(node)[0])
    left, right, top, bottom = (
        arguments(source)[1] if source.target is aten.pad.default else (0, 0, 0, 0)
    )
    return own[0] + top, own[0] + bottom, own[1] + left, own[1] + right
