"""The contract of a Graph, checked after each step that makes one.

Besides types, shapes and ranges it proves, from the actual weights, that no int32 accumulator can
overflow whatever the image: the sum of all products that can be positive, and of all that can be
negative, each fit, so every partial sum in any order does, and so does the sum with the bias.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from cnnaccel.errors import GraphError
from cnnaccel.ir import intmath
from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    AvgPool2d,
    Concat,
    Conv2d,
    Depthwise,
    Graph,
    MaxPool2d,
    Pair,
    Requant,
    TensorSpec,
    Windowed,
    window_shape,
)


def verify(graph: Graph) -> Graph:
    """Return the graph unchanged.

    Raises:
        GraphError: naming the layer and what is wrong with it.
    """
    _check_types(f"graph '{graph.name}'", graph)
    _check_input(graph)
    if not graph.layers:
        raise GraphError(f"graph '{graph.name}' has no layers")
    known = {graph.input.name: graph.input}
    names: set[str] = set()
    for layer in graph.layers:
        _check_types(_label(layer), layer)
        for source in layer.inputs:
            if source not in known:
                _fail(layer, f"reads '{source}', which no earlier layer makes")
        if layer.name in names:
            _fail(layer, "an earlier layer has the same name")
        if layer.output.name in known:
            _fail(layer, f"makes '{layer.output.name}', which exists already")
        _check_spec(_label(layer), layer.output)
        inputs = [known[source] for source in layer.inputs]
        _check_layer(layer, inputs)
        low, high = accumulator_bounds(layer, [spec.range for spec in inputs])
        if low < intmath.INT32_MIN or high > intmath.INT32_MAX:
            _fail(
                layer,
                f"its accumulator could reach {low}..{high}, beyond int32; "
                "split the layer or use fewer input channels",
            )
        names.add(layer.name)
        known[layer.output.name] = layer.output
    _check_outputs(graph, known)
    return graph


def _check_outputs(graph: Graph, known: dict[str, TensorSpec]) -> None:
    """Results are tensors that layers make, each once, and the tail reads nothing else."""
    owner = f"graph '{graph.name}'"
    for name in graph.outputs:
        if name not in known or name == graph.input.name or graph.outputs.count(name) > 1:
            raise GraphError(f"{owner}: '{name}' is no tensor of a layer, or twice a result")
    results = {spec.name: spec for spec in graph.results}
    for source in graph.tail.sources if graph.tail is not None else ():
        if source.tensor not in results:
            raise GraphError(f"{owner}: its host tail reads '{source.tensor}', which is no result")
        if math.prod(source.shape) != results[source.tensor].elements:
            raise GraphError(
                f"{owner}: its host tail reads '{source.tensor}' as {list(source.shape)}, it is "
                f"{list(results[source.tensor].shape)}"
            )


def accumulator_bounds(layer: AnyLayer, inputs: list[Pair]) -> Pair:
    """Least and greatest value any partial sum can take, for operands in the ranges `inputs`."""
    low, high = inputs[0]
    match layer:
        case Conv2d() | Depthwise():
            return _sum_bounds(layer.weight, layer.bias, min(0, low), max(0, high))
        case AvgPool2d():
            area = math.prod(layer.kernel)
            return min(0, low) * area, max(0, high) * area
        case Add():
            products = [(w * a, w * b) for w, (a, b) in zip(layer.weights, inputs, strict=True)]
            return (
                sum(min(0, *pair) for pair in products),
                sum(max(0, *pair) for pair in products),
            )
        case MaxPool2d() | Concat():
            return min(a for a, _ in inputs), max(b for _, b in inputs)
        case _:
            assert_never(layer)


def accumulator_bits(layer: AnyLayer, inputs: list[Pair]) -> int:
    """Bits of the two's complement number that holds `accumulator_bounds`."""
    low, high = accumulator_bounds(layer, inputs)
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


def _sum_bounds(
    weight: npt.NDArray[np.int8], bias: npt.NDArray[np.int32], low: int, high: int
) -> Pair:
    """Over all output channels, for operands in low..high, where low <= 0 <= high."""
    rows = weight.reshape(len(weight), -1)
    positive = np.maximum(rows, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(rows, 0).sum(axis=1, dtype=np.int64)
    # the bias may come first or last, so the bounds count both without and with it
    least = positive * low + negative * high + np.minimum(bias, 0)
    greatest = positive * high + negative * low + np.maximum(bias, 0)
    return int(least.min()), int(greatest.max())


def _label(layer: AnyLayer) -> str:
    return f"layer '{layer.name}' ({type(layer).__name__})"


def _fail(layer: AnyLayer, reason: str) -> NoReturn:
    raise GraphError(f"{_label(layer)}: {reason}")


def _check_types(owner: str, value: Any) -> None:
    """Every field of a dataclass, and of those inside it, is what its annotation says."""
    hints = typing.get_type_hints(type(value))
    for field in dataclasses.fields(value):
        item, hint = getattr(value, field.name), hints[field.name]
        if not _is_a(item, hint):
            found = f"{item.dtype} array" if isinstance(item, np.ndarray) else repr(item)
            raise GraphError(f"{owner}: {field.name} is {found}, not {field.type}")
        if isinstance(item, TensorSpec | Requant):
            _check_types(f"{owner}: {field.name}", item)


def _is_a(value: Any, hint: Any) -> bool:
    """isinstance, for the annotations `ir.graph` uses; no bool or numpy number is an int."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is np.ndarray:
        (element,) = typing.get_args(args[1])
        return isinstance(value, np.ndarray) and value.dtype == element
    if origin is tuple and args[-1] is ...:
        return isinstance(value, tuple) and all(_is_a(item, args[0]) for item in value)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) == len(args) and all(map(_is_a, value, args))
    if origin is Literal:
        return isinstance(value, str) and value in args
    if args:  # a union
        return any(_is_a(value, arg) for arg in args)
    if hint is float:
        return isinstance(value, float) or type(value) is int
    return type(value) is int if hint is int else isinstance(value, hint)


def _check_spec(owner: str, spec: TensorSpec) -> None:
    if min(spec.shape) < 1:
        raise GraphError(f"{owner}: shape {spec.shape} of '{spec.name}' is not all positive")
    if not 0 < spec.scale < math.inf:
        raise GraphError(f"{owner}: scale {spec.scale} of '{spec.name}' is not a positive number")


def _check_input(graph: Graph) -> None:
    owner = f"graph '{graph.name}'"
    table, spec = graph.input_table, graph.input
    _check_spec(owner, spec)
    if table is None and spec.dtype != "uint8":
        raise GraphError(f"{owner}: its input is {spec.dtype}, but no table makes that from pixels")
    if table is not None and (table.dtype != spec.dtype or table.shape != (spec.shape[0], 256)):
        raise GraphError(
            f"{owner}: the input table is {table.dtype}{list(table.shape)}, "
            f"its input needs {spec.dtype}[{spec.shape[0]}, 256]"
        )


def _check_layer(layer: AnyLayer, inputs: list[TensorSpec]) -> None:
    wanted = 2 if isinstance(layer, Add) else 1
    if len(inputs) < wanted or (len(inputs) > wanted and not isinstance(layer, Concat)):
        _fail(layer, f"has {len(inputs)} inputs, not {wanted}")
    channels = inputs[0].shape[0]
    match layer:
        case Conv2d():
            _check_weights(layer, channels)
            _check_window(layer, inputs[0], layer.weight.shape[0])
        case Depthwise():
            _check_weights(layer, channels)
            _check_window(layer, inputs[0], channels)
        case AvgPool2d():
            _check_requant(layer, layer.requant, channels)
            _check_window(layer, inputs[0], channels)
        case MaxPool2d():
            _check_window(layer, inputs[0], channels)
            _check_no_window_is_empty(layer, inputs[0])
            _check_same_numbers(layer, inputs)
        case Add():
            _check_requant(layer, layer.requant, channels)
            if {spec.shape for spec in inputs} != {layer.output.shape}:
                _fail(layer, f"adds {[s.shape for s in inputs]} to {layer.output.shape}")
            if not all(-128 <= weight <= 127 for weight in layer.weights):
                _fail(layer, f"weights {layer.weights} are not int8")
        case Concat():
            _check_same_numbers(layer, inputs)
            expected = (sum(s.shape[0] for s in inputs), *inputs[0].shape[1:])
            if layer.output.shape != expected or len({s.shape[1:] for s in inputs}) != 1:
                _fail(layer, f"joins {[s.shape for s in inputs]} to {layer.output.shape}")
        case _:
            assert_never(layer)


def _check_weights(layer: Conv2d | Depthwise, channels: int) -> None:
    """Rank and channels of the weights, bias and requantization; `_check_window` sees the rest."""
    shape = layer.weight.shape
    if isinstance(layer, Conv2d):
        if len(shape) != 4:
            _fail(layer, f"weights {list(shape)} are not [K, C / groups, R, S]")
        if layer.groups < 1 or channels % layer.groups or shape[0] % layer.groups:
            _fail(layer, f"{layer.groups} groups do not divide {channels} and {shape[0]} channels")
        if shape[1] != channels // layer.groups:
            _fail(layer, f"weights {list(shape)} do not fit {channels} input channels")
    elif len(shape) != 3 or shape[0] != channels:
        _fail(layer, f"weights {list(shape)} are not [{channels}, R, S]")
    if layer.bias.shape != shape[:1]:
        _fail(layer, f"bias {list(layer.bias.shape)} is not [{shape[0]}]")
    _check_requant(layer, layer.requant, shape[0])


def _check_requant(layer: AnyLayer, requant: Requant, channels: int) -> None:
    for name, array in (("multiplier", requant.multiplier), ("shift", requant.shift)):
        if array.shape not in ((channels,), (1,)):
            _fail(layer, f"requant.{name} {list(array.shape)} is neither [{channels}] nor [1]")
    if int(requant.shift.max()) > intmath.SHIFT_MAX:
        _fail(layer, f"requant.shift {int(requant.shift.max())} is over {intmath.SHIFT_MAX}")
    low, high = layer.output.range
    if not low <= requant.low <= requant.high <= high:
        _fail(layer, f"clamps to {requant.low}..{requant.high}, outside {layer.output.dtype}")


def _check_window(layer: Windowed, source: TensorSpec, channels: int) -> None:
    if min(*layer.kernel, *layer.stride, *layer.dilation) < 1:
        _fail(layer, f"kernel {layer.kernel}, stride {layer.stride}, dilation {layer.dilation}")
    if min(layer.padding) < 0:
        _fail(layer, f"padding {layer.padding} is negative")
    shape = window_shape(
        source.shape[1:], layer.kernel, layer.stride, layer.padding, layer.dilation
    )
    if layer.output.shape != (channels, *shape):
        _fail(layer, f"makes {(channels, *shape)} of {source.shape}, not {layer.output.shape}")


def _check_no_window_is_empty(layer: MaxPool2d, source: TensorSpec) -> None:
    for axis in (0, 1):
        first = np.arange(layer.output.shape[1 + axis]) * layer.stride[axis]
        taps = np.arange(layer.kernel[axis]) * layer.dilation[axis]
        position = first[:, None] + taps - layer.padding[2 * axis]
        inside = (position >= 0) & (position < source.shape[1 + axis])
        if not inside.any(axis=1).all():
            _fail(layer, f"padding {layer.padding} leaves a window without any element")


def _check_same_numbers(layer: AnyLayer, inputs: list[TensorSpec]) -> None:
    for spec in inputs:
        if (spec.dtype, spec.scale) != (layer.output.dtype, layer.output.scale):
            _fail(
                layer,
                f"'{spec.name}' is {spec.dtype} of scale {spec.scale!r}, "
                f"its output {layer.output.dtype} of scale {layer.output.scale!r}",
            )
