"""A program of one convolution, by hand, for tests of program files."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.place import Place
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Conv2d
from cnnaccel.isa.instructions import Base, Load, Opcode, Store, Unit
from cnnaccel.isa.program import (
    NOTHING,
    Program,
)
from tests.support import graphs
from tests.support.hardware import TINY
from tests.support.nests import map_layer, par_bytes


@dataclass(frozen=True)
class Example:
    """A convolution of two images per iteration, in two places in turn."""

    hardware: HardwareConfig
    layer: Conv2d
    source: Place
    target: Place
    program: Program


def example(hardware: HardwareConfig = TINY, count: int = 2) -> Example:
    rng, width = np.random.default_rng(3), hardware.input_lanes
    source_spec = graphs.spec("x", (5, 6, 7), "uint8")
    layer = graphs.conv2d(
        source_spec,
        rng.integers(-128, 128, (6, 5, 3, 3)),
        bias=rng.integers(-5000, 5000, 6),
        requant=graphs.requant(rng.integers(2**14, 2**16, 6), rng.integers(23, 26, 6), "int8"),
        dtype="int8",
        padding=(1, 1, 1, 1),
    )
    lanes = [pack.in_order(5, width), pack.in_order(6, width)]
    size = -(-84 // (4 * hardware.pixel_lanes)) * 4 * hardware.pixel_lanes
    places = [Place(n * size, len(lanes[n // 2]) // width, 6, 7, n > 1) for n in range(4)]
    mapped = [map_layer(hardware, layer, [places[n]], places[2 + n], lanes) for n in range(2)]
    parameters = par_bytes(mapped[0].parameters)
    weights = mapped[0].weights.tobytes()
    image, result = (place.size * width for place in (places[0], places[2]))
    load, compute, store = Unit.LOAD, Unit.COMPUTE, Unit.STORE
    begin = dataclasses.replace(NOTHING, signal_to=load)
    program = Program(
        digest=hardware.digest,
        once=(
            begin,
            begin,
            Load(opcode=Opcode.LOAD_WGT, run_words=len(mapped[0].weights)),
            Load(
                opcode=Opcode.LOAD_PAR,
                dram_offset=len(weights),
                run_words=len(mapped[0].parameters["bias"]),
            ),
        ),
        body=(
            *(
                Load(
                    wait_for=compute,
                    signal_to=compute,
                    base=Base.INPUT,
                    advances=True,
                    dram_offset=n * image,
                    run_words=places[n].size,
                    address=places[n].base,
                )
                for n in range(2)
            ),
            dataclasses.replace(mapped[0].instruction, wait_for=load, signal_to=load | store),
            # Once the first result is stored, so that the next first one finds its place free.
            dataclasses.replace(
                mapped[1].instruction, wait_for=load | store, signal_to=load | store
            ),
            *(
                Store(
                    wait_for=compute,
                    signal_to=(compute, Unit(0))[n],
                    base=Base.OUTPUT,
                    advances=True,
                    dram_offset=n * result,
                    run_words=places[2 + n].size,
                    address=places[2 + n].base,
                )
                for n in range(2)
            ),
        ),
        weights=weights + parameters,
        count=count,
        images_per_iteration=2,
        input_stride=2 * image,
        output_stride=2 * result,
    )
    return Example(hardware, layer, places[0], places[2], program)
