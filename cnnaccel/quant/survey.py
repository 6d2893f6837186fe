"""A survey of a canonical graph: where a tensor is ever not 0, and how great it becomes.

Inputs that are always 0 need no weights. A weight on one of them costs nothing in float, but in
int8 the greatest weight sets the scale of all: one of 100 on a pixel that is always black leaves
nothing of the others. That an input is 0 is known in two ways: from the weights before it, whatever
the image, and from images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, fx

from cnnaccel.quant.builder import is_unsigned, pair
from cnnaccel.quant.canonical import CanonicalModel
from cnnaccel.quant.frontend import arguments
from cnnaccel.quant.operators import aten

Images = npt.NDArray[np.uint8]
_BATCH = 32
_WIDENS = 2.0
"""A weight on a dead input goes where it makes the steps of live weights this much coarser."""


@dataclass(frozen=True)
class Survey:
    """Observations of a canonical graph on images, by the name of the node."""

    alive: dict[str, Tensor]
    """bool[C, H, W]: whether the value was other than 0 on any image."""
    greatest: dict[str, Tensor]
    """float64[C]: the greatest value of each channel, pixels and images taken together."""
    magnitude: dict[str, Tensor]
    """float64[C]: the greatest magnitude."""


def survey(
    canonical: CanonicalModel, images: Images, on_batch: Callable[[int], None] = lambda done: None
) -> Survey:
    """Run the float graph on images uint8[N, C, H, W]; `on_batch` is told how many are done."""
    found = Survey({}, {}, {})

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Tensor:
            value: Tensor = super().run_node(n)
            if n.op in ("placeholder", "call_function"):
                top, bottom = (t.double() for t in (value.amax((0, 2, 3)), value.amin((0, 2, 3))))
                _keep(found.alive, n.name, (value != 0).any(0), torch.logical_or)
                _keep(found.greatest, n.name, top, torch.maximum)
                _keep(found.magnitude, n.name, torch.maximum(top, -bottom), torch.maximum)
            return value

    recorder = Recorder(canonical.module)
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            recorder.run(canonical.prepare_input(torch.from_numpy(images[start : start + _BATCH])))
            on_batch(min(start + _BATCH, len(images)))
    return found


def joined(one: Survey, other: Survey) -> Survey:
    """The survey of the images of both."""
    made = Survey(dict(one.alive), dict(one.greatest), dict(one.magnitude))
    for name in made.alive:
        _keep(made.alive, name, other.alive[name], torch.logical_or)
        _keep(made.greatest, name, other.greatest[name], torch.maximum)
        _keep(made.magnitude, name, other.magnitude[name], torch.maximum)
    return made


def _keep(found: dict[str, Tensor], name: str, value: Tensor, join: Callable[..., Tensor]) -> None:
    found[name] = join(found[name], value) if name in found else value


def convolutions(module: fx.GraphModule) -> Iterator[tuple[fx.Node, Tensor, Tensor]]:
    """Each convolution, its weights [K, C / groups, R, S] and its bias [K]: buffers, no copies."""
    for node in module.graph.nodes:
        if node.target is aten.conv2d.default:
            weight, bias = (module.get_buffer(str(n.target)) for n in node.all_input_nodes[1:])
            yield node, weight, bias


def drop_provable(canonical: CanonicalModel) -> int:
    """Set weights to 0, in place, on inputs that are 0 whatever the image; how many there were.

    Such are rows and columns that are padding alone, and channels that no weight makes and no bias
    lifts above 0.
    """
    alive: dict[fx.Node, Tensor] = {}
    layers = {node: (w, b) for node, w, b in convolutions(canonical.module)}
    dropped = 0
    for node in canonical.module.graph.nodes:
        if node.op == "placeholder":
            alive[node] = torch.ones(node.meta["val"].shape[1:], dtype=torch.bool)
        elif node.target is aten.conv2d.default:
            weight, bias = layers[node]
            dead = ~_alive_taps(node, alive[arguments(node)[0]], weight)
            dropped += int((dead & (weight != 0)).sum())
            weight[dead] = 0
            alive[node] = _may_be_other(node, weight, bias)
        elif node.op == "call_function":
            alive[node] = _passed_on(node, alive)
    return dropped


def _may_be_other(node: fx.Node, weight: Tensor, bias: Tensor) -> Tensor:
    """bool[K, P, Q]: False where a convolution, or all that reads it, is certainly 0."""
    constant = (weight == 0).flatten(1).all(1)
    live = ~(constant & (bias == 0))
    clamps = (aten.relu.default, aten.hardtanh.default)
    if all(user.target in clamps for user in node.users):
        never_positive = constant
        if is_unsigned(arguments(node)[0]):
            never_positive = (weight <= 0).flatten(1).all(1)
        live &= ~(never_positive & (bias <= 0))
    return live[:, None, None].expand(node.meta["val"].shape[1:])


def _passed_on(node: fx.Node, alive: dict[fx.Node, Tensor]) -> Tensor:
    """The channels alive behind an operator without weights."""
    sources = [alive[source] for source in node.all_input_nodes]
    shape = node.meta["val"].shape[1:]
    if node.target is aten.cat.default:
        return torch.cat([alive[part] for part in arguments(node)[0]])
    if node.target is aten.add.Tensor:
        return sources[0] | sources[-1]
    if node.target is aten.pad.default:
        return F.pad(sources[0], arguments(node)[1])
    if sources[0].shape == shape:
        return sources[0]
    return sources[0].flatten(1).any(1)[:, None, None].expand(shape)  # a pool


def drop_dead(canonical: CanonicalModel, found: Survey, per_channel: bool) -> int:
    """Set weights to 0, in place, that would widen a scale for inputs that were 0 on all images.

    Other weights on such inputs stay: an input may well be 0 on all images of the survey and not on
    another one.

    Returns:
        How many weights are gone.
    """
    dropped = 0
    for node, weight, _ in convolutions(canonical.module):
        live = _alive_taps(node, found.alive[arguments(node)[0].name], weight)
        magnitude = weight.double().abs()
        of_live = torch.where(live, magnitude, 0.0).flatten(1).amax(1)
        widest = of_live.amax()
        if float(widest) == 0:
            continue  # nothing to lose
        limit = widest.expand_as(of_live)
        if per_channel:
            limit = torch.where(of_live > 0, of_live, widest)
        excess = ~live & (magnitude > _WIDENS * limit[:, None, None, None])
        dropped += int(excess.sum())
        weight[excess] = 0
    return dropped


def _alive_taps(node: fx.Node, alive: Tensor, weight: Tensor) -> Tensor:
    """bool, of the shape of `weight`: whether a tap ever meets what is alive [C, H, W]."""
    stride, padding, dilation = (pair(arguments(node)[i]) for i in (3, 4, 5))
    groups = int(arguments(node)[6])
    kernel = (weight.shape[2], weight.shape[3])
    taps = torch.empty((len(alive), *kernel), dtype=torch.bool)
    padded = F.pad(alive, (padding[1], padding[1], padding[0], padding[0]))
    rows, columns = node.meta["val"].shape[2:]
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            top, left = r * dilation[0], s * dilation[1]
            seen = padded[
                :,
                top : top + (rows - 1) * stride[0] + 1 : stride[0],
                left : left + (columns - 1) * stride[1] + 1 : stride[1],
            ]
            taps[:, r, s] = seen.flatten(1).any(1)
    grouped = taps.reshape(groups, 1, -1, *kernel)  # [groups, 1, C / groups, R, S]
    spread = grouped.expand(-1, len(weight) // groups, -1, -1, -1)
    return spread.reshape(weight.shape)
