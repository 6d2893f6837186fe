"""Any `nn.Module` becomes the canonical float graph, or is refused with the layer and a way out.

torch.export gives aten operators; this rewrites them, one by one, into the few that the quantizer
and the lowering know. In the canonical graph every tensor is [N, C, H, W] and the operators are

    conv2d  relu  hardtanh(0, high)  max_pool2d  avg_pool2d  add  cat  pad

A linear layer has become a conv2d whose kernel is its input; batch norm is in the convolution
before it, or is a depthwise 1x1 convolution; dropout, flatten and identity are gone; a ReLU stands
before a max pool, not after it. `pad` only ever feeds one convolution or pool. What follows the
last of these and is none of them is the host's, a `HostTail`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn

from cnnaccel.errors import ModelError
from cnnaccel.quant import operators
from cnnaccel.quant.builder import Builder, Value, is_unsigned, pair
from cnnaccel.quant.frontend import (
    Shape,
    arguments,
    check_known,
    export,
    features,
    op_name,
    refusal,
)
from cnnaccel.quant.host import Host, has_value, named_outputs
from cnnaccel.quant.operators import OPERATORS, Form, aten
from cnnaccel.runtime.tail import HostTail

_TRANSPARENT = {
    target
    for known in OPERATORS
    if known.form in (Form.IDENTITY, Form.RESHAPE)
    for target in known.targets
}
_Affine = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class CanonicalModel:
    """A float graph of canonical operators and what the host does before it."""

    module: fx.GraphModule
    normalization: _Affine | None
    """(factor, offset), float64[C]: where present, the host feeds factor * pixel + offset."""
    tail: HostTail
    """The host's part after the graph; it knows the outputs by the `layer` of their nodes."""

    def prepare_input(self, images: torch.Tensor) -> torch.Tensor:
        """float32[N, C, H, W] for the graph, from uint8 pixels."""
        x = images.to(torch.float32) / 255
        if self.normalization is None:
            return x
        factor, offset = (t.float().to(x.device)[:, None, None] for t in self.normalization)
        return x * factor + offset


def canonicalize(model: nn.Module, input_shape: Shape) -> CanonicalModel:
    """The canonical form of `model` in evaluation mode, for images of `input_shape`.

    Raises:
        ModelError: the model cannot be exported, or has a layer without a place on the engine.
    """
    return _Canonicalizer(export(model, input_shape)).run(input_shape)


@dataclass
class _Canonicalizer:
    """One walk over an exported graph: a handler per operator, `values` by exported node."""

    source: fx.GraphModule
    out: Builder = field(default_factory=Builder)
    values: dict[fx.Node, Value] = field(default_factory=dict)
    normalization: _Affine | None = None
    host: Host = field(init=False)

    def __post_init__(self) -> None:
        self.host = Host(self.source)

    def run(self, input_shape: Shape) -> CanonicalModel:
        handlers = self._handlers()
        check_known(
            self.source,
            lambda node: node.target in handlers or self.host.can_take(node) or not has_value(node),
        )
        for node in self.source.graph.nodes:
            if node.op == "placeholder":
                self.values[node] = self.out.image(input_shape)
            elif node.op == "call_function" and self._is_computed(node):
                self._compute(node, handlers.get(node.target))
        tail = self._outputs()
        return CanonicalModel(self.out.module(input_shape), self.normalization, tail)

    def _is_computed(self, node: fx.Node) -> bool:
        """Whether a node has a value that depends on the image."""
        return has_value(node) and node not in self.host.constants

    def _compute(self, node: fx.Node, handler: Callable[[fx.Node], Value] | None) -> None:
        """Make a node the engine's; or the host's, where it must be and can."""
        able = node in self.host.able
        if handler is not None and not self.host.reads(node):
            try:
                self.values[node] = handler(node)
                return
            except ModelError:
                if not able:
                    raise
        if not able:
            raise refusal(node, operators.BEHIND_HOST)
        inputs = [one for one in node.all_input_nodes if one in self.values]
        for one in inputs:
            self._require_result(node, one)
        self.host.take(node, inputs)

    def _require_result(self, reader: fx.Node, node: fx.Node) -> None:
        """Refuse what the engine does not make, or not whole."""
        value = self.values[node]
        if value.node.op == "placeholder":
            raise refusal(reader, operators.IMAGE_ON_HOST)
        if any(value.padding):
            raise refusal(reader, operators.PADDED)

    def _outputs(self) -> HostTail:
        """End the canonical graph with all that the host reads."""
        outputs = []
        for name, node in named_outputs(self.source):
            if node in self.values:
                value = self.values[node]
                if any(value.padding) or value.node.op == "placeholder":
                    raise ModelError(
                        "the model's last step must be a layer that computes something"
                    )
            outputs.append((name, self.host.output(node)))
        made = {node: self.values[node].node for node in self.host.sources}
        if not made:
            raise ModelError(operators.NO_LAST_LAYER)
        results = tuple(dict.fromkeys(made.values()))
        self.out.graph.output(results[0] if len(results) == 1 else results)
        tensors = {node: str(one.meta["layer"]) for node, one in made.items()}
        return self.host.tail(tensors, outputs)

    def _handlers(self) -> dict[Any, Callable[[fx.Node], Value]]:
        handlers = {
            Form.CONV2D: self._conv2d,
            Form.LINEAR: self._linear,
            Form.BATCH_NORM: self._batch_norm,
            Form.CLAMP: self._clamp,
            Form.MAX_POOL: self._max_pool,
            Form.AVG_POOL: self._avg_pool,
            Form.ADAPTIVE_AVG_POOL: self._adaptive_avg_pool,
            Form.MEAN: self._mean,
            Form.ADD: self._add,
            Form.CAT: self._cat,
            Form.PAD: self._pad,
            Form.IDENTITY: self._identity,
            Form.RESHAPE: self._reshape,
        }
        return {target: handlers[known.form] for known in OPERATORS for target in known.targets}

    # -- looking around in the exported graph -----------------------------------------------------

    def _value(self, node: fx.Node, source: Any, padding_ok: bool = False) -> Value:
        """The value that `node` reads from `source`, whatever its shape."""
        value = self.values.get(source)
        if value is None:
            raise refusal(node, operators.CONSTANT)
        if any(value.padding) and not padding_ok:
            raise refusal(node, operators.PADDED)
        return value

    def _input(self, node: fx.Node, padding_ok: bool = False) -> Value:
        """The first operand, which has the shape [C, H, W] it was made with, or is flat."""
        source = arguments(node)[0]
        value = self._value(node, source, padding_ok)
        if features(source) not in (value.padded_shape, (math.prod(value.shape),)):
            shapes = {"made": list(value.shape), "wanted": list(features(source))}
            raise refusal(node, operators.RESHAPED.format(**shapes))
        return value

    def _tensor(self, node: fx.Node, constant: fx.Node | None) -> torch.Tensor | None:
        if constant is None:
            return None
        value = self.host.constants.get(constant)
        if value is None:
            raise refusal(node, operators.COMPUTED_WEIGHTS)
        assert isinstance(value, torch.Tensor)
        return value.detach()

    def _readers(self, node: fx.Node) -> list[fx.Node]:
        """The nodes that use a value, seen through identities and reshapes."""
        found: list[fx.Node] = []
        for user in node.users:
            if user.target in _TRANSPARENT:
                found += self._readers(user)
            elif user.op != "call_module" and user.target is not aten.sym_size.int:
                found.append(user)
        return found

    def _origin(self, node: fx.Node) -> fx.Node:
        """The node that computed what `node` passes on."""
        while node.target in _TRANSPARENT:
            node = arguments(node)[0]
        return node

    def _sole_reader(self, node: fx.Node) -> bool:
        """Whether nothing but `node` reads its input."""
        return len(self._readers(self._origin(arguments(node)[0]))) == 1

    # -- handlers ---------------------------------------------------------------------------------

    def _identity(self, node: fx.Node) -> Value:
        return self._value(node, arguments(node)[0], padding_ok=True)

    def _reshape(self, node: fx.Node) -> Value:
        value = self._value(node, arguments(node)[0])
        shape = features(node)
        flat = shape == (math.prod(value.shape),)
        squeezed = [d for d in shape if d != 1] == [d for d in value.shape if d != 1]
        if not (flat or squeezed):
            shapes = {"made": list(value.shape), "wanted": list(shape)}
            raise refusal(node, operators.RESHAPES.format(**shapes))
        return value

    def _conv2d(self, node: fx.Node) -> Value:
        value = self._input(node, padding_ok=True)
        _, w, b, stride, padding, dilation, groups = arguments(
            node, None, None, None, [1, 1], [0, 0], [1, 1], 1
        )
        weight, bias, dilation = self._tensor(node, w), self._tensor(node, b), pair(dilation)
        assert weight is not None
        if isinstance(padding, str):
            spans = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
            rows, columns = spans if padding == "same" else (0, 0)
            value = value.padded(
                (rows // 2, rows - rows // 2, columns // 2, columns - columns // 2)
            )
            padding = [0, 0]
        window = (pair(stride), pair(padding), dilation)
        return self.out.conv(node, value, weight, bias, *window, groups)

    def _linear(self, node: fx.Node) -> Value:
        x, w, b = arguments(node, None, None, None)
        if x.meta["val"].dim() != 2:
            raise refusal(node, operators.NOT_FLAT)
        value = self._input(node)
        weight = self._tensor(node, w)
        assert weight is not None
        kernel = weight.reshape(len(weight), *value.shape)
        return self.out.conv(node, value, kernel, self._tensor(node, b))

    def _batch_norm(self, node: fx.Node) -> Value:
        value = self._input(node)
        _, gamma, beta, mean, var, _, eps = arguments(node)
        gamma, beta, mean, var = (
            None if t is None else t.double()
            for t in (self._tensor(node, n) for n in (gamma, beta, mean, var))
        )
        factor = (var + eps).rsqrt() * (1 if gamma is None else gamma)
        offset = (0 if beta is None else beta) - mean * factor
        if len(factor) != value.shape[0]:
            raise refusal(node, operators.SINGLE_PIXELS)
        sole = self._sole_reader(node)
        if sole and value.node.op == "placeholder" and value.affine is None:
            return self._normalize_image(node, value, factor, offset)
        if sole and value.node.target is aten.conv2d.default:
            self.out.scale_conv(value.node, factor, offset)
            return value
        kernel = factor.reshape(-1, 1, 1, 1)
        return self.out.conv(node, value, kernel, offset, groups=len(factor), kind="batch_norm")

    def _normalize_image(
        self, node: fx.Node, value: Value, factor: torch.Tensor, offset: torch.Tensor
    ) -> Value:
        """The first layers' weights take it in; where one pads with zeros, which would not be
        zeros of the normalised image, the host normalises."""
        if self.normalization is not None:  # a second one
            first_factor, first_offset = self.normalization
            factor, offset = factor * first_factor, factor * first_offset + offset
        foldable = all(
            reader.target is aten.linear.default
            or (
                reader.target is aten.conv2d.default
                and not any(pair(arguments(reader, *[None] * 4, 0)[4]))
            )
            for reader in self._readers(node)
        )
        if foldable and self.normalization is None:
            return replace(value, affine=(factor, offset))
        self.normalization = (factor, offset)
        value.node.meta["unsigned"] = False
        return value

    def _clamp(self, node: fx.Node) -> Value:
        value = self._value(node, arguments(node)[0], padding_ok=True)
        match op_name(node):
            case "relu":
                low, high = 0, None
            case "relu6":
                low, high = 0, 6
            case "hardtanh":
                _, low, high = arguments(node, None, -1, 1)
            case _:
                _, low, high = arguments(node, None, None, None)
        if low != 0 or (high is not None and high <= 0):
            raise refusal(node, operators.OTHER_CLAMP.format(low=low, high=high))
        base, reader = self._before_pools(node, value.node)
        op, limits = (aten.relu, ()) if high is None else (aten.hardtanh, (0.0, float(high)))
        if reader is None:
            return replace(value, node=self.out.call(node, "relu", op.default, (base, *limits)))
        with self.out.graph.inserting_before(reader):
            made = self.out.call(node, "relu", op.default, (base, *limits))
        reader.replace_input_with(base, made)
        return value

    def _before_pools(self, node: fx.Node, base: fx.Node) -> tuple[fx.Node, fx.Node | None]:
        """The node behind which a ReLU goes, and the pool that then reads it.

        relu(max_pool(x)) = max_pool(relu(x)), and there it joins the layer that makes x.
        """
        reader = None
        while base.target is aten.max_pool2d.default and self._sole_reader(node):
            source = base.all_input_nodes[0]
            if source.target is aten.pad.default:
                break
            base, reader, node = source, base, self._origin(arguments(node)[0])
        return base, reader

    def _max_pool(self, node: fx.Node) -> Value:
        value = self._input(node, padding_ok=True)
        _, kernel, stride, padding, dilation, ceil = arguments(
            node, None, None, [], [0, 0], [1, 1], False
        )
        if any(value.padding) and not is_unsigned(value.node):
            raise refusal(node, operators.NEGATIVE_PADDED)
        windows = [list(pair(v)) for v in (kernel, stride or kernel, padding, dilation)]
        args = (self.out.read(value), *windows, ceil)
        made = self.out.call(node, "max_pool", aten.max_pool2d.default, args)
        channels, rows, columns = features(node)
        return Value(made, (channels, rows, columns))

    def _avg_pool(self, node: fx.Node) -> Value:
        value = self._input(node, padding_ok=True)
        _, kernel, stride, padding, ceil, include, divisor = arguments(
            node, None, None, [], [0, 0], False, True, None
        )
        kernel, stride, padding = pair(kernel), pair(stride or kernel), pair(padding)
        if any(padding) and not include:
            raise refusal(node, operators.UNEVEN_DIVISOR)
        if divisor not in (None, kernel[0] * kernel[1]):
            raise refusal(node, operators.OWN_DIVISOR)
        if ceil and features(node)[1:] != value.windows(kernel, stride, padding):
            raise refusal(node, operators.BEYOND_EDGE)
        return self.out.avg_pool(node, value, kernel, stride, padding)

    def _adaptive_avg_pool(self, node: fx.Node) -> Value:
        value = self._input(node)
        rows, columns = pair(arguments(node)[1])
        if value.shape[1] % rows or value.shape[2] % columns:
            made, wanted = f"{value.shape[1]}x{value.shape[2]}", f"{rows}x{columns}"
            raise refusal(node, operators.UNEQUAL_WINDOWS.format(made=made, wanted=wanted))
        window = (value.shape[1] // rows, value.shape[2] // columns)
        return self.out.avg_pool(node, value, window, window)

    def _mean(self, node: fx.Node) -> Value:
        value = self._input(node)
        x, dims = arguments(node)[:2]
        rank = x.meta["val"].dim()
        if rank != 4 or {d % rank for d in dims or range(rank)} != {2, 3}:
            raise refusal(node, operators.OTHER_MEAN)
        window = (value.shape[1], value.shape[2])
        return self.out.avg_pool(node, value, window, window)

    def _add(self, node: fx.Node) -> Value:
        operands = arguments(node)
        if not all(n in self.values for n in operands) or node.kwargs.get("alpha", 1) != 1:
            raise refusal(node, operators.CONSTANT_ADDED)
        a, b = (self._value(node, n) for n in operands)
        shapes = [list(features(n)) for n in operands]
        if shapes[0] != shapes[1] or a.shape != b.shape:
            first, second = shapes
            made = {"first_made": list(a.shape), "second_made": list(b.shape)}
            reason = operators.UNEQUAL_SHAPES.format(first=first, second=second, **made)
            raise refusal(node, reason)
        return Value(self.out.call(node, "add", aten.add.Tensor, (a.node, b.node)), a.shape)

    def _cat(self, node: fx.Node) -> Value:
        parts, dim = arguments(node, None, 0)
        values = [self._value(node, part) for part in parts]
        rank = node.meta["val"].dim()
        if dim % rank != 1:
            raise refusal(node, operators.OTHER_AXIS)
        if any(features(p) != v.shape[: rank - 1] for p, v in zip(parts, values, strict=True)):
            raise refusal(node, operators.JOINS_RESHAPED)
        channels = sum(value.shape[0] for value in values)
        made = self.out.call(node, "cat", aten.cat.default, ([v.node for v in values], 1))
        return Value(made, (channels, *values[0].shape[1:]))

    def _pad(self, node: fx.Node) -> Value:
        value = self._input(node, padding_ok=True)
        if node.target is aten.pad.default:
            _, amounts, mode, fill = arguments(node, None, None, "constant", None)
        else:
            (_, amounts, fill), mode = arguments(node, None, None, 0), "constant"
        if mode != "constant" or fill or min(amounts) < 0 or any(amounts[4:]):
            raise refusal(node, operators.OTHER_PADDING)
        left, right, top, bottom = [*amounts, 0, 0][:4]
        return value.padded((top, bottom, left, right))
