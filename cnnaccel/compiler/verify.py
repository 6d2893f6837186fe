"""Programs against golden: whole tensors, every bit.

Knows what levels below the graph must compute, not how any of them does it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from cnnaccel.errors import MismatchError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.description import load_compiled, load_description
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.interpreter import run_program
from cnnaccel.isa.program import Program
from cnnaccel.runtime.compare import difference
from cnnaccel.runtime.ports import Ports

Array = npt.NDArray[Any]


def verify_program(graph: Graph, folder: Path, images: Array, wanted: int) -> int:
    """Interpret the program in a folder on so many of the images, and those that fill its last
    iteration, all in one run; on how many it was.

    images: uint8[N, C, H, W] pixels.

    Raises:
        MismatchError: the output is not that of golden.
        ProgramError: the files are damaged, or the program breaks a rule of the interpreter.
    """
    program, hardware = load_compiled(folder)
    ports = load_description(folder).ports
    images = images[: -(-wanted // ports.images) * ports.images]
    got = interpret(hardware, program, ports, images)
    require_equal("interpreter", got, golden.run(graph, images))
    return len(images)


def interpret(hardware: HardwareConfig, program: Program, ports: Ports, images: Array) -> Array:
    """[N, K, P, Q] of the interpreter, all images in one run."""
    dram = run_program(hardware, program, ports.pack(images), -(-len(images) // ports.images))
    return ports.unpack(dram[Base.OUTPUT], len(images))


def require_equal(who: str, got: Array, expected: Array) -> None:
    """Compare the results of a level below golden with golden's, [N, K, P, Q] each.

    Raises:
        MismatchError: where they differ first, and in how many values.
    """
    if found := difference(got, expected):
        raise MismatchError(
            f"{who}: {found}. This is a bug of cnnaccel; what was made before is as it was"
        )
