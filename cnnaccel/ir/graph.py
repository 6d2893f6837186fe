"""The integer graph: layers over int8 and uint8 tensors, in topological order.

One image is a tensor [C, H, W]; a batch puts N in front. Zero points are 0 throughout, so padding
is the number 0 (for a maximum: no element at all). `scale` is the real value of one step; no
arithmetic here reads it. What a layer computes is said in its docstring, in terms of `intmath`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cnnaccel.ir import intmath
from cnnaccel.runtime.ports import split
from cnnaccel.runtime.tail import HostTail

Dtype = Literal["uint8", "int8"]
Shape = tuple[int, int, int]
Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
"""Rows above, rows below, columns left, columns right."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor's name, shape [C, H, W], element type, and the real value of one step."""

    name: str
    shape: Shape
    dtype: Dtype
    scale: float

    @property
    def range(self) -> Pair:
        """Least and greatest value of the element type."""
        return intmath.RANGES[self.dtype]

    @property
    def elements(self) -> int:
        """Elements, which are bytes, of one image."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Requant:
    """out = clamp((acc * multiplier + half) >> shift, low, high), per output channel."""

    multiplier: npt.NDArray[np.uint16]  # [K] or [1]
    shift: npt.NDArray[np.uint8]  # [K] or [1]
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class Layer:
    """One node; makes the tensor `output` from the tensors named in `inputs`."""

    name: str
    inputs: tuple[str, ...]
    output: TensorSpec


@dataclass(frozen=True, eq=False)
class Conv2d(Layer):
    """acc[k, p, q] = sum over c, r, s of in[c, p*stride + r*dilation - pad, ...] * weight + bias.

    A linear layer is a Conv2d whose kernel is its input.
    """

    weight: npt.NDArray[np.int8]  # [K, C / groups, R, S]
    bias: npt.NDArray[np.int32]  # [K]
    requant: Requant
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def kernel(self) -> Pair:
        """Rows and columns of the window."""
        return self.weight.shape[2], self.weight.shape[3]


@dataclass(frozen=True, eq=False)
class Depthwise(Layer):
    """A Conv2d in which output channel c reads input channel c alone.

    With a 1x1 kernel it rescales a tensor, or applies a batch norm that no convolution could take.
    """

    weight: npt.NDArray[np.int8]  # [C, R, S]
    bias: npt.NDArray[np.int32]  # [C]
    requant: Requant
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)

    @property
    def kernel(self) -> Pair:
        """Rows and columns of the window."""
        return self.weight.shape[1], self.weight.shape[2]


@dataclass(frozen=True, eq=False)
class MaxPool2d(Layer):
    """out = maximum of the elements under the window that lie inside the input."""

    kernel: Pair
    stride: Pair
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)


@dataclass(frozen=True, eq=False)
class AvgPool2d(Layer):
    """acc = sum of the elements under the window, padding counted as 0; requant divides."""

    kernel: Pair
    stride: Pair
    requant: Requant
    padding: Padding = (0, 0, 0, 0)
    dilation: ClassVar[Pair] = (1, 1)


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """acc = weights[0] * a + weights[1] * b, which brings unequal scales together; then requant."""

    weights: Pair
    requant: Requant


@dataclass(frozen=True, eq=False)
class Concat(Layer):
    """The inputs one after another along the channels; all have the output's dtype and scale."""


Windowed: TypeAlias = Conv2d | Depthwise | MaxPool2d | AvgPool2d
AnyLayer: TypeAlias = Windowed | Add | Concat


@dataclass(frozen=True, eq=False)
class Graph:
    """A network for one image: `input`, then layers in topological order."""

    name: str
    input: TensorSpec
    layers: tuple[AnyLayer, ...]
    input_table: npt.NDArray[np.int8] | None = None  # [C, 256]
    """The host's map from pixels to the input, input = input_table[channel, pixel]; without it the
    input is the pixel itself, so uint8."""
    outputs: tuple[str, ...] = ()
    """Names of the tensors that are results; empty for the one that the last layer makes."""
    tail: HostTail | None = None
    """The host's part after the results, in float; None where they are what is wanted."""

    @property
    def results(self) -> tuple[TensorSpec, ...]:
        """The tensors that the engine gives back."""
        if not self.outputs:
            return (self.layers[-1].output,)
        tensors = self.tensors()
        return tuple(tensors[name] for name in self.outputs)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of one image's results: K, P, Q, or of several their values in a row."""
        results = self.results
        if len(results) == 1:
            return results[0].shape
        return (sum(spec.elements for spec in results),)

    def real(self, results: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Real values of integer results [N, ...], in the same shape."""
        specs = self.results
        if len(specs) == 1:
            return np.asarray(results * np.float64(specs[0].scale))
        steps = np.repeat([spec.scale for spec in specs], [spec.elements for spec in specs])
        return np.asarray(results * steps)

    def returned(self, results: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Outputs of the model by name, [N, ...] each, made of integer results [N, ...]."""
        specs = self.results
        parts = split(self.real(results), [spec.shape for spec in specs])
        real = {spec.name: part for spec, part in zip(specs, parts, strict=True)}
        return real if self.tail is None else self.tail.run(real, len(results))

    def tensors(self) -> dict[str, TensorSpec]:
        """Every tensor by name, the input first."""
        return {self.input.name: self.input} | {
            layer.output.name: layer.output for layer in self.layers
        }


def output_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Shape of each output that the model returns, without the number of images, by name."""
    nothing = np.zeros((1, *graph.result_shape), np.int8)
    return {name: value.shape[1:] for name, value in graph.returned(nothing).items()}


def up_to(graph: Graph, layer: AnyLayer) -> Graph:
    """The graph whose result is that of a layer; what it does not need is left out."""
    wanted, kept = {layer.output.name}, []
    for one in reversed(graph.layers):
        if one.output.name in wanted:
            kept.append(one)
            wanted.update(one.inputs)
    return dataclasses.replace(graph, layers=tuple(reversed(kept)), outputs=(), tail=None)


def window_shape(
    size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)
) -> Pair:
    """Rows and columns of the output of a sliding window; 0 or less where it does not fit."""
    top, bottom, left, right = padding
    spans = (size[0] + top + bottom, size[1] + left + right)
    rows, columns = (
        (spans[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in (0, 1)
    )
    return rows, columns


def macs(layer: AnyLayer) -> int:
    """Multiply-accumulates for one image; pooling, adding and copying count as none."""
    match layer:
        case Conv2d() | Depthwise():
            return math.prod(layer.weight.shape[1:]) * layer.output.elements
        case _:
            return 0


def operations(graph: Graph) -> int:
    """Operations of one image: 2 for each multiply-accumulate, depthwise ones too."""
    return 2 * sum(map(macs, graph.layers))


def parameters(layer: AnyLayer) -> int:
    """Weights and biases, counted as PyTorch does."""
    if isinstance(layer, Conv2d | Depthwise):
        return layer.weight.size + layer.bias.size
    return 0


def parameter_bytes(layer: AnyLayer) -> int:
    """Bytes of weights, biases, multipliers and shifts."""
    arrays: list[npt.NDArray[np.generic]] = []
    if isinstance(layer, Conv2d | Depthwise):
        arrays += [layer.weight, layer.bias]
    if not isinstance(layer, MaxPool2d | Concat):
        arrays += [layer.requant.multiplier, layer.requant.shift]
    return sum(array.nbytes for array in arrays)
