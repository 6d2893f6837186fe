"""Limits of the instruction set that a network passes: the layer, the bound, the value, a way out.

Knows the fields of `isa` and which of them a network's sizes reach; `tests/unit/test_limits.py`
walks them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import LEVELS, Compute, Instruction
from cnnaccel.isa.program import Program
from cnnaccel.isa.record import Field, layout
from cnnaccel.isa.walkers import strides
from cnnaccel.runtime.ports import MOST_SIZE

_SMALLER = "stride or pool before it, or cut the images into parts"
_NEARER = "take a smaller padding, dilation or stride, or smaller images"
_LEVELS = {
    "co": "groups of output channels",
    "oy": "rows of results",
    "ox": "columns of results, {lanes} at a time,",
    "phase": "phases",
    "wy": "rows of the pool's window",
    "wx": "columns of the pool's window",
    "ky": "kernel rows",
    "kx": "kernel columns",
    "ci": "words of input channels",
}


class _Words(NamedTuple):
    """A field in words for people: what it counts, and what to do where it cannot."""

    counts: str
    way_out: str


FIELDS = {
    "bounds": _Words("", "make it smaller, or split it into several layers"),
    "a_init": _Words("words of act from a tensor's first pixel to its window", _NEARER),
    "a_jumps": _Words("words of act that its window moves by at once", _NEARER),
    "y_init": _Words("as the first row under its window", "take a smaller padding"),
    "y_jumps": _Words("rows that its window moves by at once", _NEARER),
    "x_init": _Words("as the first column under its window", "take a smaller padding"),
    "x_jumps": _Words("columns that its window moves by at once", _NEARER),
    "o_jumps": _Words("words of act from result to result", _SMALLER),
    "ox_jumps": _Words("columns of results", _SMALLER),
    "lane_distance": _Words(
        "columns between results that are computed side by side", "take a smaller stride or pool"
    ),
    "in_w": _Words("columns of its input", _SMALLER),
    "in_h": _Words(
        "rows of its input",
        f"{_SMALLER}; of columns there may be more, and a network none of whose tensors has as "
        "many columns is compiled with rows and columns exchanged",
    ),
    "out_w": _Words("columns of results", _SMALLER),
    "dram_stride": _Words("bytes of DRAM between rows or channels", _SMALLER),
}
"""Fields of instructions whose bounds sizes of a network can pass."""


def check(graph: Graph, hardware: HardwareConfig, program: Program) -> None:
    """Check that instructions, header and `network.json` can hold all that a program says.

    Raises:
        ProgramError: which layer asks for too much of what, and the way out.
    """
    _check_ports(graph)
    for section, index, instruction in program.sections():
        note = program.note(section, index)
        layer = note.layer if note else program.name_of(section, index)
        for field, text, value in _beyond(instruction, hardware):
            words = FIELDS.get(field.name)
            if words is None:
                continue  # no network does this: `pack` says which instruction it is
            raise ProgramError(
                f"layer '{layer}': {value:,} {text or words.counts}, an instruction counts "
                f"{field.low:,} to {field.high:,} ({field.name}); {words.way_out}"
            )
        if isinstance(instruction, Compute):
            _check_reach(layer, instruction, hardware)
    _check_iteration(graph, program)
    program.pack()


def _beyond(instruction: Instruction, hardware: HardwareConfig) -> Iterator[tuple[Field, str, int]]:
    """Fields whose value is out of range, with what it counts where that depends on the level."""
    packed = instruction.normal() if isinstance(instruction, Compute) else instruction
    for field in layout(type(packed)):
        value = getattr(packed, field.name)
        for level, element in enumerate((value,) if field.count is None else value):
            if not field.low <= element <= field.high:
                text = _LEVELS[LEVELS[level]] if field.name == "bounds" else ""
                yield field, text.format(lanes=hardware.pixel_lanes), element


def _check_reach(layer: str, instruction: Compute, hardware: HardwareConfig) -> None:
    """Rows and columns far outside the input must not wrap back into it.

    The engine's walkers have the bits of their first value. Beyond the last value they go on with
    the least, which is padding too; below the least they would be inside again.
    """
    lanes = (hardware.pixel_lanes - 1) * instruction.lane_distance
    for axis, init, jumps, name, beside in (
        ("rows", instruction.y_init, instruction.y_jumps, "y_init", 0),
        ("columns", instruction.x_init, instruction.x_jumps, "x_init", lanes),
    ):
        field = next(field for field in layout(Compute) if field.name == name)
        by = strides(instruction.bounds, jumps)
        ends = [(bound - 1) * step for bound, step in zip(instruction.bounds, by, strict=True)]
        first = init + sum(min(0, end) for end in ends)
        last = init + sum(max(0, end) for end in ends)
        most = max(field.high, 2 * field.high + 1 - beside)
        if first < field.low or last > most:
            raise ProgramError(
                f"layer '{layer}': its window goes from {axis} {first:,} to {last:,} of its input, "
                f"an instruction from {field.low:,} to {most:,} ({name}); take a smaller padding"
            )


def _check_ports(graph: Graph) -> None:
    """Sizes of an image and of a result, which hosts count in 16 bits."""
    results = [(f"the result of layer '{spec.name}'", spec.shape) for spec in graph.results]
    for what, shape in [("the image", graph.input.shape), *results]:
        for name, size in zip(("channels", "rows", "columns"), shape, strict=True):
            if size > MOST_SIZE:
                raise ProgramError(f"{what} has {size:,} {name}; a host counts up to {MOST_SIZE:,}")


def _check_iteration(graph: Graph, program: Program) -> None:
    """Bytes of an iteration's images and results, which the header counts in 32 bits."""
    most = (1 << 32) - 1
    for what, size in (("images", program.input_stride), ("results", program.output_stride)):
        if size > most:
            raise ProgramError(
                f"network '{graph.name}': {size:,} bytes of {what} in an iteration of "
                f"{program.images_per_iteration:,} images, a program counts up to {most:,}; set "
                "compile.images lower, or cut the images into parts"
            )
