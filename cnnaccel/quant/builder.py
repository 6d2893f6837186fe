"""Writes a canonical graph node by node: names, constants, shapes, pending padding and scaling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.passes.fake_tensor_prop import FakeTensorProp

from cnnaccel.errors import ModelError
from cnnaccel.ir.graph import window_shape
from cnnaccel.quant.frontend import Shape, module_class, module_path
from cnnaccel.quant.operators import aten

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
"""Rows above, rows below, columns left, columns right."""


@dataclass(frozen=True)
class Value:
    """A canonical node's result, and what its reader still has to take in."""

    node: fx.Node
    shape: Shape
    padding: Padding = (0, 0, 0, 0)
    """Zeros around it."""
    affine: tuple[torch.Tensor, torch.Tensor] | None = None
    """The reader sees factor * value + offset, per channel, float64[C] each."""

    def padded(self, more: Padding) -> Value:
        """The value with further zeros around it."""
        top, bottom, left, right = (a + b for a, b in zip(self.padding, more, strict=True))
        return replace(self, padding=(top, bottom, left, right))

    @property
    def padded_shape(self) -> Shape:
        """Shape of the value with the zeros around it."""
        top, bottom, left, right = self.padding
        channels, rows, columns = self.shape
        return channels, rows + top + bottom, columns + left + right

    def windows(self, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1)) -> Pair:
        """Rows and columns a sliding window makes of it, rounded down."""
        _, rows, columns = self.padded_shape
        down, across = padding
        return window_shape((rows, columns), kernel, stride, (down, down, across, across), dilation)


@dataclass
class Builder:
    """The canonical graph so far. Each method that computes returns its Value."""

    root: nn.Module = field(default_factory=nn.Module)
    graph: fx.Graph = field(default_factory=fx.Graph)
    names: set[str] = field(default_factory=set)

    def image(self, shape: Shape) -> Value:
        """The graph's input; pixels are never negative."""
        node = self.graph.placeholder("image")
        node.meta.update(layer="image", unsigned=True)
        self.names.add("image")
        return Value(node, shape)

    def call(self, source: fx.Node, kind: str, op: Any, args: tuple[Any, ...]) -> fx.Node:
        """A node named after the module that `source` is from, or for a function after `kind`."""
        node = self.graph.call_function(op, args)
        path = module_path(source)
        leaf = path and module_class(source).startswith("torch.nn.modules")
        base = path if leaf else f"{path}.{kind}" if path else kind
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        node.meta["layer"] = name
        return node

    def read(self, value: Value) -> fx.Node:
        """The node that a window operator reads: the value, behind a pad node if need be."""
        if not any(value.padding):
            return value.node
        top, bottom, left, right = value.padding
        args = (value.node, [left, right, top, bottom], "constant", 0.0)
        return self.graph.call_function(aten.pad.default, args)

    def conv(
        self,
        source: fx.Node,
        value: Value,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        dilation: Pair = (1, 1),
        groups: int = 1,
        *,
        kind: str = "conv",
    ) -> Value:
        """A convolution with weights [K, C / groups, R, S] and bias [K]."""
        if bias is None:
            bias = torch.zeros(len(weight))
        if value.affine is not None:
            weight, bias = _fold(weight, bias, groups, *value.affine)
        node = self.call(source, kind, aten.conv2d.default, (self.read(value),))
        with self.graph.inserting_before(node):
            w, b = self._constant(weight), self._constant(bias)
        node.args = (*node.args, w, b, list(stride), list(padding), list(dilation), groups)
        kernel = (weight.shape[2], weight.shape[3])
        return Value(node, (len(weight), *value.windows(kernel, stride, padding, dilation)))

    def scale_conv(self, node: fx.Node, factor: torch.Tensor, offset: torch.Tensor) -> None:
        """Make a convolution's result factor * result + offset, per channel."""
        weight, bias = (self.root.get_buffer(str(n.target)) for n in node.all_input_nodes[1:])
        weight.copy_((weight.double() * factor[:, None, None, None]).float())
        bias.copy_((bias.double() * factor + offset).float())

    def avg_pool(
        self, source: fx.Node, value: Value, kernel: Pair, stride: Pair, padding: Pair = (0, 0)
    ) -> Value:
        """An average pool that counts padding as zeros."""
        args = (self.read(value), list(kernel), list(stride), list(padding))
        node = self.call(source, "avg_pool", aten.avg_pool2d.default, args)
        return Value(node, (value.shape[0], *value.windows(kernel, stride, padding)))

    def module(self, input_shape: Shape) -> fx.GraphModule:
        """The finished graph, checked, with shapes on its nodes.

        Raises:
            ModelError: weights or biases that are not finite.
        """
        self.graph.eliminate_dead_code()
        self.graph.lint()
        for node in self.graph.find_nodes(op="call_function", target=aten.conv2d.default):
            constants = [self.root.get_buffer(str(n.target)) for n in node.all_input_nodes[1:]]
            if not all(bool(constant.isfinite().all()) for constant in constants):
                raise ModelError(
                    f"layer '{node.meta['layer']}': its weights, with the batch norm behind it, "
                    "are not finite; train again with a smaller learning rate"
                )
        module = fx.GraphModule(self.root, self.graph)
        # PT2E observes only what it knows to be a tensor
        shapes = FakeTensorProp(module, FakeTensorMode(allow_non_fake_inputs=True))
        shapes.propagate(torch.zeros(2, *input_shape))
        return module

    def _constant(self, value: torch.Tensor) -> fx.Node:
        attribute = f"constant_{len(list(self.root.buffers()))}"
        self.root.register_buffer(attribute, value.detach().clone().float())
        return self.graph.get_attr(attribute)


def _fold(
    weight: torch.Tensor,
    bias: torch.Tensor,
    groups: int,
    factor: torch.Tensor,
    offset: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and bias that make of x what the given ones make of factor * x + offset."""
    group = torch.arange(len(weight)) // (len(weight) // groups)
    channels = group[:, None] * weight.shape[1] + torch.arange(weight.shape[1])  # [K, C / groups]
    weight = weight.double()
    total = bias.double() + (weight * offset[channels][:, :, None, None]).sum((1, 2, 3))
    return weight * factor[channels][:, :, None, None], total


def is_unsigned(node: fx.Node) -> bool:
    """Whether a canonical node's value is never negative, whatever the image."""
    if node.op == "placeholder":
        return bool(node.meta["unsigned"])
    if node.target in (aten.relu.default, aten.hardtanh.default):
        return True
    if node.target == aten.conv2d.default:
        return False
    return all(is_unsigned(source) for source in node.all_input_nodes)


def pair(value: Any) -> Pair:
    """Rows and columns, from one number for both or a list of one or two."""
    values = [value] if isinstance(value, int) else list(value)
    return int(values[0]), int(values[-1])
