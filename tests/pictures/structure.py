"""Drawings of what is connected to what: the flow, an engine, a loop nest, a tensor in act.

Engines, loop bounds and banks come from the code that a drawing is about.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.hardware import load_hardware
from cnnaccel.isa.instructions import LEVELS, Compute, Opcode
from cnnaccel.isa.scratchpad import Scratchpads
from tests.pictures.shapes import Drawing
from tests.support.networks import quantized

BOARD = "pynq_z1"


@cache
def lenet() -> Compiled:
    """LeNet on the drawn board; its weights are random, which no figure here depends on."""
    return compile_graph(quantized("lenet"), load_hardware(BOARD))


def flow() -> Drawing:
    """From a module to a board, and where the same integers are computed."""
    drawing = Drawing(960, 384, "From a PyTorch module to a board")
    files = (
        (24, "nn.Module", "your Python, your data"),
        (262, "float weights", "train/model.pt"),
        (500, "integer graph", "quantize/graph.json"),
        (738, "program", "compile/program.bin"),
    )
    for left, *lines in files:
        drawing.box("file", left, 40, 152, 56, *lines)
    for (left, *_), command in zip(files, ("train", "quantize", "compile"), strict=False):
        drawing.arrow((left + 152, 68), (left + 236, 68), label=command)
    drawing.box("code-box", 440, 170, 130, 74, "golden", "runs the graph", "in numpy")
    drawing.box("code-box", 610, 170, 130, 74, "interpreter", "runs the program", "in numpy")
    drawing.box("chip", 780, 170, 150, 74, "engine", "SystemVerilog", "in Verilator")
    drawing.box("chip", 780, 292, 150, 60, "engine", "on an FPGA board")
    drawing.arrow((548, 96), (516, 168))
    drawing.text(490, 136, "evaluate", "mid small quiet")
    drawing.arrow((776, 96), (690, 168))
    drawing.arrow((826, 96), (848, 168))
    drawing.text(786, 140, "simulate", "mid small quiet")
    drawing.arrow((876, 96), (876, 126), (945, 126), (945, 322), (932, 322))
    drawing.text(911, 120, "deploy", "mid small quiet")
    for x, y in ((590, 212), (760, 212), (855, 272)):
        drawing.text(x, y, "==", "mid bold code")
    drawing.box("file", 226, 292, 152, 60, "board.yaml", "lanes, memory, clock")
    drawing.box("file", 492, 292, 152, 60, "bitstream", "build-hw/cnnaccel.bit")
    drawing.arrow((378, 322), (490, 322), label="build-hw")
    drawing.arrow((644, 322), (778, 322), label="pynq, or C")
    drawing.text(24, 176, "Floats end at the integer graph.", "bold")
    drawing.lines(
        24,
        198,
        "Every level after it computes the same integers:",
        "all values of all images are compared with ==,",
        "never with a tolerance.",
    )
    drawing.text(24, 316, "The board's file sets the engine,", "small quiet")
    drawing.text(24, 334, "and what compile aims at.", "small quiet")
    return drawing


def engine() -> Drawing:
    """The units of an engine and what lies between them."""
    hardware = load_hardware(BOARD)
    p, c, k = hardware.lanes
    drawing = Drawing(960, 470, f"The engine of {BOARD}: four units and three scratchpads")
    drawing.box("memory", 24, 44, 110, 392, "DRAM", "program", "weights", "images", "results")
    drawing.box("frame", 176, 44, 760, 392)
    drawing.text(192, 66, f"engine of {BOARD}: P = {p} pixels, C = {c}, K = {k} channels", "bold")
    drawing.text(192, 84, f"{hardware.peak_macs} multiply-accumulates a cycle", "small quiet")
    drawing.box("chip", 200, 104, 130, 60, "fetch", "instructions, in", "order, to the units")
    drawing.box("chip", 200, 202, 130, 60, "load", "rows of images", "become words")
    drawing.box("chip", 200, 356, 130, 60, "store", "words of act", "to DRAM")
    drawing.arrow((136, 134), (198, 134), label="read")
    drawing.arrow((136, 232), (198, 232), label="read")
    drawing.arrow((200, 386), (136, 386), label="write")
    drawing.box(
        "memory",
        400,
        202,
        150,
        60,
        f"act, {hardware.act_kib} KiB",
        f"{p} banks of words",
        f"of {c} bytes",
    )
    drawing.box(
        "memory",
        400,
        120,
        150,
        60,
        f"wgt, {hardware.wgt_kib} KiB",
        "words of",
        f"{c} x {k} weights",
    )
    drawing.box(
        "memory",
        400,
        284,
        150,
        60,
        f"par, {hardware.par_groups} groups",
        f"{k} biases, multipliers,",
        "shifts each",
    )
    drawing.arrow((330, 222), (365, 222), (365, 150), (398, 150))
    drawing.arrow((330, 232), (398, 232))
    drawing.arrow((330, 242), (365, 242), (365, 314), (398, 314))
    drawing.box("frame dash", 592, 104, 328, 312)
    drawing.text(606, 124, "compute: one loop nest an instruction", "bold")
    drawing.box(
        "chip", 606, 136, 300, 44, "loop counters and walkers", "nine levels, seven addresses"
    )
    drawing.box(
        "chip",
        606,
        204,
        300,
        58,
        f"array of {p} x {c} x {k} multipliers",
        f"each cycle: {p} words of act, one word of wgt",
        "adder trees and 32-bit sums",
    )
    drawing.box(
        "chip", 606, 286, 300, 44, "requantize", "(sum + bias) * multiplier >> shift, clamp"
    )
    drawing.box("chip", 606, 354, 300, 44, "max pool", "over lanes and over the window")
    drawing.arrow((756, 180), (756, 202))
    drawing.arrow((756, 262), (756, 284))
    drawing.arrow((756, 330), (756, 352))
    drawing.arrow((550, 232), (604, 232))
    drawing.arrow((550, 150), (576, 150), (576, 220), (604, 220))
    drawing.arrow((550, 314), (604, 314))
    drawing.arrow((606, 376), (572, 376), (572, 254), (552, 254))
    drawing.text(478, 380, "results: words of act", "mid small quiet")
    drawing.arrow((400, 252), (382, 252), (382, 392), (332, 392))
    return drawing


def loop_nest() -> Drawing:
    """The loop nest of LeNet's second convolution, and what one step of it does in the lanes."""
    hardware = load_hardware(BOARD)
    p, c, k = hardware.lanes
    nest = next(
        one
        for one in lenet().program.body
        if isinstance(one, Compute) and one.opcode is Opcode.MAC and one.bounds[1] == 6
    )
    meaning = {
        "co": f"groups of {k} output channels",
        "oy": "rows of results",
        "ox": f"{p} lanes of columns at a time",
        "phase": "columns by turns, for strides",
        "wy": "rows of the pool's window",
        "wx": "columns of the pool's window" + (": lanes" if nest.lanes_per_slot > 1 else ""),
        "ky": "kernel rows",
        "kx": "kernel columns",
        "ci": f"words of {c} input channels",
    }
    drawing = Drawing(960, 452, "One instruction is a loop nest of nine levels")
    drawing.text(24, 38, "LeNet's conv2 with its max pool: one instruction", "bold")
    for depth, (level, bound) in enumerate(zip(LEVELS, nest.bounds, strict=True)):
        y = 66 + 26 * depth
        css = "code bold" if bound > 1 else "code quiet"
        drawing.text(24 + 14 * depth, y, f"for {level} < {bound}", css)
        drawing.text(250, y, meaning[level], "small" if bound > 1 else "small quiet")
    drawing.text(24 + 14 * 9, 66 + 26 * 9, "one step of the array: one cycle", "code bold")
    steps = int(np.prod(nest.bounds))
    tile = int(np.prod(nest.bounds[6:]))
    drawing.lines(
        24,
        340,
        f"{steps:,} steps in all. ky, kx, ci make one tile of {tile} steps:",
        f"{p} x {k} sums. Then they are requantized, pooled and written,",
        "while the next tile is computed.",
    )
    drawing.lines(
        24,
        404,
        "An address is no formula of nine counters: when a counter moves,",
        "its walker adds one jump, a constant of the instruction.",
    )
    drawing.text(520, 38, f"One step: {p} x {c} x {k} = {hardware.peak_macs} products", "bold")
    drawing.box(
        "memory", 520, 60, 416, 40, f"one word of wgt: {k} output channels x {c} input channels"
    )
    width = 416 / p
    for lane in range(p):
        left = 520 + width * lane
        drawing.arrow((left + width / 2 - 4, 100), (left + width / 2 - 4, 138))
        drawing.box(
            "chip",
            left,
            140,
            width - 8,
            70,
            f"lane p = {lane}",
            f"{c} x {k} products",
            f"{k} adder trees",
        )
        drawing.arrow((left + width / 2 - 4, 248), (left + width / 2 - 4, 212))
        drawing.box(
            f"bank{lane % 4}",
            left,
            250,
            width - 8,
            56,
            f"bank {lane}",
            f"a word of {c}",
            "channels",
        )
        drawing.text(
            left + width / 2 - 4,
            330,
            ("x", "x + D", f"x + {lane} D")[min(lane, 2)],
            "mid code",
            width,
        )
    drawing.lines(
        520,
        358,
        "Lanes are neighbouring columns of the output. D is the distance of",
        "their windows in words of act (stride, pool): with D/L odd, all lanes",
        "meet different banks, and no step waits. Lanes outside of the input",
        "are padding: they read 0, in a max pool the least value.",
    )
    return drawing


def memory() -> Drawing:
    """Where the channels, rows and columns of a tensor lie in act."""
    hardware = load_hardware(BOARD)
    p, c, _ = hardware.lanes
    channels, rows, columns = 20, 2, 8
    pads = Scratchpads.empty(hardware)
    words = -(-channels // c)
    drawing = Drawing(960, 444, "A tensor in the scratchpad act")
    drawing.text(
        24,
        36,
        f"A tensor of {channels} channels, {rows} rows, {columns} columns "
        f"is {words} planes of words of {c} channels",
        "bold",
    )
    cell = 38
    for word in range(words):
        left = 24 + word * 312
        first, last = word * c, min(channels, (word + 1) * c) - 1
        unused = "" if last - first + 1 == c else f", {c - (last - first + 1)} lanes unused"
        drawing.text(left, 62, f"word {word}: channels {first} to {last}{unused}", "small")
        for y in range(rows):
            for x in range(columns):
                address = (word * rows + y) * columns + x
                bank = int(pads.locate(np.int64(address), 1)[0])  # type: ignore[arg-type]
                drawing.box(
                    f"bank{bank}", left + x * cell, 72 + y * cell, cell - 4, cell - 4, str(address)
                )
    drawing.text(
        24, 172, "Numbers are addresses: [word][row][column]. Colours are banks.", "small quiet"
    )
    for number, (interleave, why) in enumerate(
        ((1, "stride 1: lanes are 1 word apart"), (2, "stride 2: lanes are 2 words apart"))
    ):
        top = 208 + number * 112
        drawing.text(24, top, f"L = {interleave}; {why}", "bold")
        for address in range(16):
            bank, row = (int(one) for one in pads.locate(np.int64(address), interleave))  # type: ignore[arg-type]
            drawing.box(
                f"bank{bank}", 24 + address * cell, top + 12, cell - 4, cell - 4, str(address)
            )
            drawing.text(24 + address * cell + 17, top + 64, f"{bank}.{row}", "mid small quiet")
        read = [lane * interleave for lane in range(p)]
        banks = [int(pads.locate(np.int64(one), interleave)[0]) for one in read]  # type: ignore[arg-type]
        assert len(set(banks)) == p, "lanes meet different banks"
        drawing.text(660, top + 22, f"{p} lanes read {', '.join(map(str, read))}", "small")
        drawing.text(660, top + 40, f"in banks {', '.join(map(str, banks))}: no conflict", "small")
    drawing.text(
        24,
        424,
        "Below each word: bank.row. L neighbouring words share a bank: bank = (A / L) mod P.",
        "small quiet",
    )
    return drawing
