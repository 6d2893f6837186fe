"""A drawing of the network: a box for each layer, a line for each tensor that it reads.

Steps of the engine stand in ranks: each one below all that it reads. A line that passes a rank has
a place of its own there, so none runs through a box; all lines of one tensor share it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cnnaccel.compiler.lower.fuse import fuse
from cnnaccel.errors import CnnaccelError
from cnnaccel.ir.graph import Add, AnyLayer, AvgPool2d, Concat, Conv2d, Depthwise, Graph, macs
from cnnaccel.ir.graph import MaxPool2d as MaxPool
from cnnaccel.report.canvas import Canvas, Chart, Legend, shortened

_WIDTH, _HEIGHT = 228, 56
"""Pixels of a box."""
_LINE = 14
"""Width of the place of a line that passes a rank."""
_APART, _BELOW, _INNER = 22, 34, 10
"""Between boxes of a rank, ranks, and layers of one step."""
_EDGE = 14
_TALL = 1000
"""Pixels from which on a drawing scrolls in a window of its own."""
_LETTERS = 26, 28
"""Letters at most of the name of a box, and of the lines below."""
_SWEEPS = 6


@dataclass
class _Node:
    """A step of the engine, or the place of a line in a rank."""

    layers: tuple[AnyLayer, ...]
    rank: int
    tensor: str
    """The tensor that the layer makes, or that passes."""
    above: list[_Node] = field(default_factory=list)
    below: list[_Node] = field(default_factory=list)
    x: float = 0.0
    """Pixels from the left to the middle of the box."""
    top: float = 0.0
    rank_height: float = 0.0
    passing: bool = False

    @property
    def width(self) -> float:
        return _LINE if self.passing else _WIDTH

    @property
    def height(self) -> float:
        boxes = max(1, len(self.layers))
        return 0 if self.passing else boxes * _HEIGHT + (boxes - 1) * _INNER


def network(graph: Graph, width: int) -> Chart:
    """A drawing of a graph, on an engine of so many input lanes."""
    nodes, maker = _nodes(graph, _pools(graph, width))
    places = _passing(nodes, maker)
    ranks: list[list[_Node]] = [[] for _ in range(max(node.rank for node in nodes) + 1)]
    for node in [*nodes, *places.values()]:
        ranks[node.rank].append(node)
    right, bottom = _arrange(ranks)
    canvas = Canvas(math.ceil(right), math.ceil(bottom))
    for node in nodes:
        if len(node.layers) > 1:
            corner = (node.x - _WIDTH / 2 - 6, node.top - 6)
            canvas.box("fused", corner, (_WIDTH + 12, node.height + 12), "one step of the engine")
    for node in nodes:
        _edges(canvas, node, maker, places)
    for node in nodes:
        _boxes(canvas, graph, node)
    inputs = sum(len(layer.inputs) for layer in graph.layers)
    described = f"{len(graph.layers)} layers and the image, {inputs} lines between them"
    kinds = {type(layer) for layer in graph.layers}
    legend = [Legend(f"node {css}", text) for kind, css, text in _KINDS if kind in kinds]
    if any(len(node.layers) > 1 for node in nodes):
        legend.append(Legend("fused", "done in one step of the engine"))
    svg = canvas.svg("network", "the network", described)
    return Chart(svg, tuple(legend), "natural tall" if bottom > _TALL else "natural")


_KINDS = (
    (Conv2d, "conv", "convolution, linear layer"),
    (Depthwise, "depthwise", "depthwise convolution"),
    (MaxPool, "pool", "max pool"),
    (AvgPool2d, "pool", "average pool"),
    (Add, "add", "residual addition"),
    (Concat, "concat", "concatenation: its inputs are written side by side"),
)


def _pools(graph: Graph, width: int) -> dict[str, str]:
    """Max pools that are done in the step of another layer: name, and name of that layer."""
    try:
        steps = fuse(graph, width).steps
    except CnnaccelError:  # the network cannot be compiled, and is drawn all the same
        return {}
    return {step.pool.name: step.layer.name for step in steps if step.pool is not None}


# ---- ranks -----------------------------------------------------------------------------------


def _nodes(graph: Graph, pools: Mapping[str, str]) -> tuple[list[_Node], dict[str, _Node]]:
    """The image and the steps in order, and which of them makes a tensor."""
    image = _Node((), 0, graph.input.name)
    nodes, maker = [image], {graph.input.name: image}
    owner: dict[str, _Node] = {}
    for layer in graph.layers:
        if (host := owner.get(pools.get(layer.name, ""))) is not None:
            host.layers, host.tensor = (*host.layers, layer), layer.output.name
            maker[layer.output.name] = host
            continue
        rank = 1 + max(maker[name].rank for name in layer.inputs)
        node = _Node((layer,), rank, layer.output.name)
        nodes.append(node)
        owner[layer.name] = maker[layer.output.name] = node
    return nodes, maker


def _passing(nodes: Sequence[_Node], maker: Mapping[str, _Node]) -> dict[tuple[str, int], _Node]:
    """Places of lines by tensor and rank; joins every node to those above and below."""
    places: dict[tuple[str, int], _Node] = {}
    for node in nodes:
        for name in dict.fromkeys(node.layers[0].inputs) if node.layers else ():
            above = maker[name]
            for rank in range(maker[name].rank + 1, node.rank):
                if (name, rank) not in places:
                    places[name, rank] = _Node((), rank, name, passing=True)
                    _join(above, places[name, rank])
                above = places[name, rank]
            _join(above, node)
    return places


def _join(above: _Node, below: _Node) -> None:
    above.below.append(below)
    below.above.append(above)


def _arrange(ranks: Sequence[list[_Node]]) -> tuple[float, float]:
    """Give every node its place; returns width and height of it all."""
    for rank in ranks:
        _spread(rank)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for rank in ranks if down else reversed(ranks):
            wanted = {id(node): _mean(node, node.above if down else node.below) for node in rank}
            rank.sort(key=lambda node: wanted[id(node)])
            _spread(rank)
    left = min(node.x - node.width / 2 for rank in ranks for node in rank) - _EDGE
    top = float(_EDGE)
    for rank in ranks:
        height = max(node.height for node in rank)
        for node in rank:
            node.x, node.top, node.rank_height = node.x - left, top, height
        top += height + _BELOW
    right = max(node.x + node.width / 2 for rank in ranks for node in rank) + _EDGE
    return right, top - _BELOW + _EDGE


def _mean(node: _Node, others: Sequence[_Node]) -> float:
    return sum(other.x for other in others) / len(others) if others else node.x


def _spread(rank: Sequence[_Node]) -> None:
    """Side by side around 0."""
    x = -(sum(node.width for node in rank) + _APART * (len(rank) - 1)) / 2
    for node in rank:
        node.x = x + node.width / 2
        x += node.width + _APART


# ---- shapes ----------------------------------------------------------------------------------


def _edges(
    canvas: Canvas,
    node: _Node,
    maker: Mapping[str, _Node],
    places: Mapping[tuple[str, int], _Node],
) -> None:
    """A line for each tensor that a layer of a node reads."""
    for number in range(1, len(node.layers)):
        top = node.top + number * (_HEIGHT + _INNER)
        name = node.layers[number].inputs[0]
        canvas.line("edge", [(node.x, top - _INNER), (node.x, top)], name)
    inputs = node.layers[0].inputs if node.layers else ()
    order = sorted(range(len(inputs)), key=lambda at: _from(node, inputs[at], maker, places).x)
    step = min(16.0, (_WIDTH - 24) / max(1, len(inputs)))
    for place, at in enumerate(order):
        above = maker[inputs[at]]
        end = above.top + above.height
        points = [(above.x, end), (above.x, above.top + above.rank_height)]
        for rank in range(above.rank + 1, node.rank):
            passing = places[inputs[at], rank]
            points += [(passing.x, passing.top), (passing.x, passing.top + passing.rank_height)]
        x = node.x + (place - (len(inputs) - 1) / 2) * step
        canvas.line("edge", [*points, (x, node.top)], inputs[at])


def _from(
    node: _Node,
    name: str,
    maker: Mapping[str, _Node],
    places: Mapping[tuple[str, int], _Node],
) -> _Node:
    """The node that a line comes from, a rank above."""
    return places.get((name, node.rank - 1), maker[name])


def _boxes(canvas: Canvas, graph: Graph, node: _Node) -> None:
    left, top = node.x - _WIDTH / 2, node.top
    if not node.layers:
        canvas.box("node image", (left, top), (_WIDTH, _HEIGHT), graph.input.name)
        kind = "pixels" if graph.input_table is None else "pixels through a table"
        lines = [graph.input.name, kind, _shape(graph.input.shape, graph.input.dtype)]
        _words(canvas, left, top, lines)
    for layer in node.layers:
        (css,) = (css for kind, css, _ in _KINDS if isinstance(layer, kind))
        work = f", {macs(layer):,} MACs" if macs(layer) else ""
        title = f"{layer.name}: {_what(layer)}{work}"
        canvas.box(f"node {css}", (left, top), (_WIDTH, _HEIGHT), title)
        out = layer.output
        _words(canvas, left, top, [layer.name, _what(layer), _shape(out.shape, out.dtype)])
        top += _HEIGHT + _INNER


def _words(canvas: Canvas, left: float, top: float, lines: Sequence[str]) -> None:
    for number, words in enumerate(lines):
        css = "name start" if number == 0 else "tick start"
        letters = _LETTERS[min(number, 1)]
        canvas.text(css, left + 10, top + 17 + 15.5 * number, shortened(words, letters))


def _shape(shape: Sequence[int], dtype: str) -> str:
    return "x".join(map(str, shape)) + f" {dtype}"


def _what(layer: AnyLayer) -> str:
    """Kind, window, stride; `ReLU` where a result below 0 becomes 0."""
    relu = "" if isinstance(layer, MaxPool | Concat) or layer.requant.low < 0 else " + ReLU"
    match layer:
        case Conv2d() if layer.output.shape[1:] == (1, 1) and layer.groups == 1:
            return f"Linear, {layer.weight[0].size:,} inputs{relu}"
        case Conv2d():
            groups = f", {layer.groups} groups" if layer.groups > 1 else ""
            return f"Conv {_window(layer)}{groups}{relu}"
        case Depthwise():
            return f"Depthwise {_window(layer)}{relu}"
        case MaxPool():
            return f"Max pool {_window(layer)}"
        case AvgPool2d():
            return f"Average pool {_window(layer)}"
        case Add():
            return f"Add{relu}"
        case Concat():
            return f"Concat of {len(layer.inputs)}"


def _window(layer: Conv2d | Depthwise | MaxPool | AvgPool2d) -> str:
    rows, columns = layer.kernel
    down, right = layer.stride
    stride = "" if (down, right) == (1, 1) else f" / {down}"
    return f"{rows}x{columns}{stride if down == right else f' / {down}x{right}'}"
