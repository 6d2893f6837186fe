"""Cross-layer equalization: channels of one tensor, of very different size, become alike.

A tensor has one scale, so a channel a hundred times smaller than its neighbours keeps 2 or 3 of 256
values. In float its size is free: the rows of weights that make a channel, times s, and the columns
that read it, by s, compute the same (Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", 2019). Here the channels that must have one s in common are found
on the canonical graph, so no pattern of layers is needed:

    image, outputs                    classes of their own, s = 1
    conv2d                            a new class for each output channel
    relu, max_pool, avg_pool, pad     the classes of the input
    add                               the classes of both inputs, united channel by channel
    cat                               the classes of the parts, one after another
    hardtanh(0, high)                 those of the input, s bounded: the clamp does not move

How great s is follows from activations on images, not from the weights that make a channel: batch
norm leaves rows of 1e-30 beside ordinary biases, and those would be made great.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx

from cnnaccel.quant.canonical import CanonicalModel
from cnnaccel.quant.frontend import arguments
from cnnaccel.quant.operators import aten
from cnnaccel.quant.quantizer import fused_clamp
from cnnaccel.quant.survey import Survey, convolutions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_ROUNDS = 20
_SETTLED = 1e-3
"""A round that changes no s by more than this share is the last."""


def equalized(canonical: CanonicalModel, found: Survey, per_channel: bool) -> CanonicalModel | None:
    """A model of the same function with channels of like size; None where float32 cannot hold it.

    found: of this very graph. per_channel: whether weights have a scale per output channel.
    """
    classes = Classes.of(canonical.module)
    return rescaled(canonical, classes, factors(canonical, classes, found, per_channel))


def rescaled(canonical: CanonicalModel, classes: Classes, s: FloatArray) -> CanonicalModel | None:
    """The model with the channels of class i times s[i]; None where that is not finite.

    Classes that have s = 1 by rule must have it; those of a ReLU6 must keep below its bound.
    """
    module = copy.deepcopy(canonical.module)
    finite = True
    for node, weight, bias in convolutions(module):
        inside = torch.from_numpy(s[classes.by_node[arguments(node)[0].name]])
        outside = torch.from_numpy(s[classes.by_node[node.name]])
        grouped = weight.double().reshape(arguments(node)[6], -1, *weight.shape[1:])
        grouped = grouped / inside.reshape(len(grouped), 1, -1, 1, 1)
        weight.copy_(grouped.reshape(weight.shape) * outside[:, None, None, None])
        bias.copy_(bias.double() * outside)
        finite &= bool(weight.isfinite().all()) and bool(bias.isfinite().all())
    return replace(canonical, module=module) if finite else None


@dataclass
class Classes:
    """Channels that have their s in common. A class is a number below `count`."""

    by_node: dict[str, IntArray] = field(default_factory=dict)
    """The class of each channel, by the name of the node."""
    count: int = 0
    fixed: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Classes of the image and of the outputs."""

    @staticmethod
    def of(module: fx.GraphModule) -> Classes:
        """The classes of a canonical graph."""
        made = Classes()
        parent: list[int] = []

        def root(at: int) -> int:
            while parent[at] != at:
                parent[at] = at = parent[parent[at]]
            return at

        fixed: list[int] = []
        for node in module.graph.nodes:
            sources = [made.by_node.get(source.name) for source in node.all_input_nodes]
            if node.op == "placeholder" or node.target is aten.conv2d.default:
                channels = node.meta["val"].shape[1]
                made.by_node[node.name] = np.arange(len(parent), len(parent) + channels)
                parent.extend(range(len(parent), len(parent) + channels))
            elif node.target is aten.cat.default:
                parts = [made.by_node[part.name] for part in arguments(node)[0]]
                made.by_node[node.name] = np.concatenate(parts)
            elif node.op == "call_function":
                assert sources[0] is not None and sources[-1] is not None
                for one, other in zip(sources[0].tolist(), sources[-1].tolist(), strict=True):
                    parent[root(one)] = root(other)
                made.by_node[node.name] = sources[0]
            if node.op in ("placeholder", "output"):
                for one in [node] if node.op == "placeholder" else node.all_input_nodes:
                    fixed += made.by_node[one.name].tolist()
        numbers = {at: number for number, at in enumerate(sorted({*map(root, range(len(parent)))}))}
        dense = np.array([numbers[root(at)] for at in range(len(parent))], np.int64)
        made.by_node = {name: dense[ids] for name, ids in made.by_node.items()}
        made.count, made.fixed = len(numbers), np.unique(dense[fixed])
        return made

    def of_tensors(self, module: fx.GraphModule) -> list[tuple[str, IntArray]]:
        """Nodes whose value is stored with a scale of its own, and their classes."""
        return [
            (node.name, self.by_node[node.name])
            for node in module.graph.nodes
            if node.name in self.by_node and not fused_clamp(node)
        ]

    def meeting(self, module: fx.GraphModule) -> list[IntArray]:
        """Sets of classes: two are in one set where a tensor has both."""
        parent = np.arange(self.count)

        def root(at: int) -> int:
            while parent[at] != at:
                parent[at] = at = parent[parent[at]]
            return at

        for _, ids in self.of_tensors(module):
            for one in ids[1:].tolist():
                parent[root(one)] = root(int(ids[0]))
        roots = np.array([root(at) for at in range(self.count)])
        return [np.flatnonzero(roots == at) for at in np.unique(roots)]


def factors(
    canonical: CanonicalModel, classes: Classes, found: Survey, per_channel: bool
) -> FloatArray:
    """s of each class: what a channel takes of its tensor, and what readers make of it, balanced.

    With a the greatest magnitude of a channel and r the greatest weight that reads it, relative to
    the weights it shares a scale with, both grow alike with the noise that rounding adds. s makes
    them equal: a * s = r / s. In each set of tensors that share channels the greatest value stays
    what it was.
    """
    module = canonical.module
    a = np.zeros(classes.count)
    for name, ids in classes.of_tensors(module):
        np.maximum.at(a, ids, found.magnitude[name].numpy())
    low, high = _bounds(module, classes, found)
    readers = _Readers.of(module, classes, per_channel)
    sets = classes.meeting(module)
    s = np.ones(classes.count)
    for _ in range(_ROUNDS):
        r = readers.relative(s, a > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = np.where((a > 0) & (r > 0), np.sqrt(r * s / a), 1.0)
        _anchor(new, a, sets, high == low)
        new = np.clip(new, low, high)
        settled = np.abs(new / s - 1).max(initial=0.0) < _SETTLED
        s = new
        if settled:
            break
    # what reads a channel that was always 0 must not outweigh what reads the others
    excess = np.where(a > 0, 1.0, np.maximum(readers.relative(s, a > 0), 1.0))
    bounded: FloatArray = np.clip(s * excess, low, high)
    return bounded


def _anchor(
    s: FloatArray, a: FloatArray, sets: list[IntArray], fixed: npt.NDArray[np.bool_]
) -> None:
    """Let the greatest a * s of each set be its greatest a; beside channels that cannot move,
    the greatest a of those."""
    for ids in sets:
        free = ids[~fixed[ids] & (a[ids] > 0)]
        if len(free):
            bound = a[ids[fixed[ids]]].max(initial=0.0)
            s[free] *= (bound or a[free].max()) / (a[free] * s[free]).max()


def _bounds(
    module: fx.GraphModule, classes: Classes, found: Survey
) -> tuple[FloatArray, FloatArray]:
    """The least and the greatest s of each class.

    A clamp at h that stays where it is cuts a channel at h / s. One that has only come to m < h may
    have s up to h / m; one that reaches h has s = 1.
    """
    low, high = np.zeros(classes.count), np.full(classes.count, np.inf)
    for node in module.graph.nodes:
        if node.target is aten.hardtanh.default:
            source, _, limit = arguments(node)
            ids, top = classes.by_node[node.name], found.greatest[source.name].numpy()
            low[ids] = 1.0
            with np.errstate(divide="ignore"):
                room = np.where(top > 0, limit / np.maximum(top, 0), np.inf)
            np.minimum.at(high, ids, np.maximum(room, 1.0))
    low[classes.fixed] = high[classes.fixed] = 1.0
    return low, high


@dataclass(frozen=True)
class _Readers:
    """The convolutions, last first, as matrices of the greatest magnitude among a kernel's taps."""

    layers: tuple[tuple[FloatArray, IntArray, IntArray], ...]
    """float64[groups, K / groups, C / groups]; classes of inputs; classes of outputs."""
    per_channel: bool
    count: int
    outputs: IntArray
    """Classes that leave the graph."""

    @staticmethod
    def of(module: fx.GraphModule, classes: Classes, per_channel: bool) -> _Readers:
        layers = []
        for node, weight, _ in convolutions(module):
            most: Tensor = weight.double().abs().flatten(2).amax(2)
            grouped = most.reshape(arguments(node)[6], -1, most.shape[1]).numpy()
            inputs = classes.by_node[arguments(node)[0].name]
            layers.append((grouped, inputs, classes.by_node[node.name]))
        return _Readers(tuple(reversed(layers)), per_channel, classes.count, classes.fixed)

    def relative(self, s: FloatArray, alive: npt.NDArray[np.bool_]) -> FloatArray:
        """r of each class in the graph rescaled by s, relative to weights on classes alive.

        A row with a single input has a scale of its own, whatever its weight is: there r is what
        readers of its output make of that.
        """
        r = np.zeros(self.count)
        r[self.outputs] = 1.0
        for most, inputs, outputs in self.layers:
            groups, rows, columns = most.shape
            here = most * s[outputs].reshape(groups, rows, 1) / s[inputs].reshape(groups, 1, -1)
            live = np.where(alive[inputs].reshape(groups, 1, -1), here, 0.0)
            if not self.per_channel:
                share = here / (live.max() or here.max() or 1.0)
            elif columns == 1:
                share = here * r[outputs].reshape(groups, rows, 1)
            else:
                widest = live.max(axis=2, keepdims=True)
                widest = np.where(widest > 0, widest, here.max(axis=2, keepdims=True))
                share = here / np.where(widest > 0, widest, 1.0)
            np.maximum.at(r, inputs, share.max(axis=1).reshape(-1))
        return r
