"""docs/compiler-by-example.md: the blocks of the page are what the passes print."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.explain import explain
from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.show import show
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import intmath
from cnnaccel.ir.graph import Conv2d
from cnnaccel.isa.instructions import LEVELS, Compute
from cnnaccel.isa.program import disassemble
from cnnaccel.quant.canonical import canonicalize
from cnnaccel.quant.frontend import describe, export, features, op_name
from tests.support.networks import network, quantized

PAGE = Path(__file__).parents[2] / "docs/compiler-by-example.md"
BLOCK = re.compile(r"(<!-- rendered: (\w+) -->\n```text\n)(.*?)(```\n)", re.DOTALL)
HARDWARE = load_hardware("pynq_z1")


def test_page(golden: Callable[[Path, str], None]) -> None:
    blocks = {**before_the_compiler(), **passes()}
    used = []

    def filled(found: re.Match[str]) -> str:
        used.append(found[2])
        return found[1] + blocks[found[2]] + "\n" + found[4]

    text = BLOCK.sub(filled, PAGE.read_text(encoding="utf-8"))
    assert sorted(used) == sorted(blocks)
    golden(PAGE, text)


def before_the_compiler() -> dict[str, str]:
    """The layer as the front end and the quantizer have it."""
    model, shape = network("lenet")
    exported = [
        node
        for node in export(model, shape).graph.nodes
        if node.op == "call_function" and hasattr(node.meta["val"], "shape")
    ]
    canonical = [
        node
        for node in canonicalize(model, shape).module.graph.nodes
        if node.op in ("placeholder", "call_function")
    ]
    graph = quantized("lenet")
    layer = graph.layers[0]
    assert isinstance(layer, Conv2d)
    return {
        "exported": lines(
            f"{op_name(node):12} {shaped(features(node)):12} {describe(node).split(' at ')[0]}"
            for node in exported[:3]
        ),
        "canonical": lines(
            f"{node.name:18} {shaped(features(node)):12} "
            f"reads {', '.join(one.name for one in node.all_input_nodes if 'val' in one.meta)}"
            for node in canonical[1:4]
        ),
        "graph": lines(
            [
                f"image        {graph.input.dtype}[{shaped(graph.input.shape)}]",
                f"weight       int8[{shaped(layer.weight.shape)}], bias int32[{len(layer.bias)}]",
                f"requantize   uint16 multiplier[{len(layer.requant.multiplier)}], "
                f"uint8 shift[{len(layer.requant.shift)}], "
                f"clamp to {layer.requant.low}..{layer.requant.high}",
                f"padding      {layer.padding} above, below, left, right",
                f"{layer.name:12} {layer.output.dtype}[{shaped(layer.output.shape)}]",
                f"{graph.layers[1].name:12} "
                f"{graph.layers[1].output.dtype}[{shaped(graph.layers[1].output.shape)}]",
            ]
        ),
        "arithmetic": arithmetic(9_345, 41_230, 22),
    }


def arithmetic(total: int, multiplier: int, shift: int) -> str:
    """One sum requantized, step by step; `intmath` has the last word."""
    half = 1 << (shift - 1)
    product = total * multiplier + half
    result = intmath.requantize(
        np.array([total], np.int32),
        np.array([multiplier], np.uint16),
        np.array([shift], np.uint8),
        0,
        255,
    )
    assert int(result[0]) == min(max(product >> shift, 0), 255)
    return lines(
        [
            f"sum of products, and bias   {total:,}",
            f"* {multiplier:,} + {half:,}       {product:,}",
            f">> {shift}                       {product >> shift}",
            f"clamp to 0..255             {int(result[0])}",
        ]
    )


def passes() -> dict[str, str]:
    """The layer as each pass of the compiler prints it."""
    compiled = compile_graph(quantized("lenet"), HARDWARE)
    nest = next(
        one for one in compiled.program.body if isinstance(one, Compute) and one.bounds[1] == 14
    )
    levels = [number for number, bound in enumerate(nest.bounds) if bound > 1]
    return {
        "lower": table(show(compiled, "lower"), "conv1"),
        "unfolded": unfolded(),
        "plan": table(show(compiled, "plan"), "conv1"),
        "explain": explain(compiled).split("\nconv2")[0].split("\n", 1)[1],
        "emit": table(show(compiled, "emit"), "conv1"),
        "nest": lines(
            [
                row("level", [LEVELS[one] for one in levels]),
                row("bound", [nest.bounds[one] for one in levels]),
                row("jump of a, words of act", [nest.a_jumps[one] for one in levels]),
                row("jump of y, input rows", [jump(nest.y_jumps, one) for one in levels]),
                f"lanes {nest.lane_distance} words apart, {nest.lanes_per_slot} pooled; "
                f"input {nest.in_h} rows, first row {nest.y_init}",
            ]
        ),
        "program": lines(
            line
            for line in list(disassemble(compiled.program, HARDWARE))
            if re.search(r"once .*; conv1: |body +[01] ", line)
        ),
    }


def unfolded() -> str:
    """Which kernel column each input lane of a weight word has, found by weights that say it."""
    rows, columns = 3, 3
    weight = np.zeros((8, 1, rows, columns), np.int8)
    weight[..., :] = np.arange(1, columns + 1)
    kernel = pack.unfolded_kernel(HARDWARE, weight)  # [K, lanes, R, 1]
    lanes = np.zeros(HARDWARE.input_lanes, np.int64)
    lanes[: kernel.shape[1]] = kernel[0, :, 0, 0]
    return lines(
        [
            row("input lane", list(range(len(lanes)))),
            row("kernel column", [f"{one - 1}" if one else "-" for one in lanes]),
        ]
    )


def jump(jumps: tuple[int, ...], level: int) -> int | str:
    """The jump of a level, or a dash where the walker has none."""
    return jumps[level] if level < len(jumps) else "-"


def row(name: str, cells: list[int | str] | list[str] | list[int]) -> str:
    """A line of a small table."""
    return f"{name:26}" + "".join(f"{cell!s:>6}" for cell in cells)


def table(text: str, task: str) -> str:
    """The head of a table, and the rows of a task."""
    found = text.splitlines()
    start = next(number for number, line in enumerate(found) if line.startswith("---"))
    kept = [line for line in found[start + 1 :] if re.search(rf"(^| ){task}\b", line[:20])]
    return lines([*found[: start + 1], *kept])


def lines(found: Iterator[str] | list[str]) -> str:
    """Lines as text, without spaces at their ends."""
    return "\n".join(line.rstrip() for line in found)


def shaped(shape: tuple[int, ...]) -> str:
    """A shape as people write it."""
    return " x ".join(map(str, shape))
