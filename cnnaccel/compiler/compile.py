"""The compiler, pass by pass: from the integer graph to a program. Its one entrance.

    pass     makes      of                                                      module
    orient   Graph      rows and columns exchanged, where images are very tall  lower/orient
    results  Graph      copies of results that are read on, which stay apart    lower/results
    lower    Network    layers joined to tasks, channels in words               lower/tasks
    plan     Schedule   what stays on the chip, in which pieces, where it lies  plan/schedule
    emit     Emitted    instructions in order, the buffer WEIGHTS               emit/emit
    tokens   Program    tokens that keep the units to that order                emit/tokens

`lower` and `plan` are run for several numbers of images at a time, and the cheapest schedule is
taken. `check` says what must hold of each result, `show` prints it, `explain` says why.
What the host must know beside the program is in `Ports`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnaccel.compiler import limits
from cnnaccel.compiler.check import check_emitted, check_network, check_schedule
from cnnaccel.compiler.emit.emit import Emitted, emit
from cnnaccel.compiler.emit.tokens import synchronise
from cnnaccel.compiler.lower.dense import batchable
from cnnaccel.compiler.lower.image import raw_image
from cnnaccel.compiler.lower.orient import is_tall, oriented
from cnnaccel.compiler.lower.results import with_results_apart
from cnnaccel.compiler.lower.tasks import build
from cnnaccel.compiler.plan.allocate import DoesNotFitError
from cnnaccel.compiler.plan.schedule import ADDRESSES, ParetoSets, Schedule, TooSmallError, schedule
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.description import Description
from cnnaccel.isa.program import Program
from cnnaccel.runtime.ports import Output, Ports
from cnnaccel.runtime.tail import HostTail

_WORTH = 0.95
"""Several images at a time are taken if an image then costs less than this share of one alone."""
_WORTH_MORE = 0.995
"""Even more images at a time are taken if an image then costs less than this share."""
_MOST_INSTRUCTIONS = 1 << 20
"""Most instructions of a body; a network with more needs a larger engine."""
_MOST_BATCHED = 1 << 13
"""Most instructions of a body for several images: more images repeat the tasks done one by one."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A program, and how it came about."""

    name: str
    program: Program
    ports: Ports
    schedule: Schedule
    emitted: Emitted
    tail: HostTail | None = None
    """What the host makes of the results."""

    def to_files(self, folder: Path) -> None:
        """Write `program.bin`, `weights.bin` and `network.json`.

        Raises:
            ProgramError: a value that no field of an instruction has.
        """
        self.program.to_files(folder)
        notes = self.program.notes
        hardware = self.schedule.hardware
        Description(self.name, hardware, self.ports, notes, self.tail).to_file(folder)


def compile_graph(graph: Graph, hardware: HardwareConfig, images: int | None = None) -> Compiled:
    """The program of a network. images: at a time; None for what takes the least time an image.

    Raises:
        ProgramError: as `choose` and `compile_schedule`.
    """
    return compile_schedule(graph, choose(graph, hardware, images))


def compile_schedule(graph: Graph, chosen: Schedule) -> Compiled:
    """The program of a network that has been scheduled.

    Raises:
        ProgramError: too many instructions, or what none can express, as 2,048 rows.
    """
    hardware = chosen.hardware
    if chosen.instructions > _MOST_INSTRUCTIONS:
        _, layer = max((t.instructions, n) for n, t in enumerate(chosen.tilings))
        raise ProgramError(
            f"a program of about {chosen.instructions:,} instructions, at most "
            f"{_MOST_INSTRUCTIONS:,}, most of them for layer '{chosen.network.tasks[layer].name}'; "
            f"act_kib {hardware.act_kib} and wgt_kib {hardware.wgt_kib} are far too small for it"
        )
    emitted = emit(chosen)
    check_network(chosen.network)
    check_schedule(chosen)
    check_emitted(chosen, emitted)
    if len(emitted.weights) > ADDRESSES:
        raise ProgramError(
            f"{len(emitted.weights):,} bytes of weights; an instruction addresses {ADDRESSES:,}"
        )
    once, body, notes = synchronise(emitted.once, emitted.body, emitted.memories)
    network = chosen.network
    results = sum(network.tensors[layout.root].size for layout in network.outputs)
    program = Program(
        digest=hardware.digest,
        once=once,
        body=body,
        weights=emitted.weights,
        images_per_iteration=network.images,
        input_stride=network.images * network.image_bytes,
        output_stride=results * hardware.input_lanes,
        scratch_bytes=chosen.scratch_bytes,
        notes=notes,
    )
    limits.check(graph, hardware, program)  # every value has its field
    ports = _ports(graph, chosen)
    return Compiled(graph.name, program, ports, chosen, emitted, graph.tail)


def choose(graph: Graph, hardware: HardwareConfig, images: int | None = None) -> Schedule:
    """The best schedule for so many images at a time, or for the best number of them.

    Raises:
        TooSmallError: a layer fits in no pieces; it names the layer and what it needs.
        ProgramError: a number of images that cannot be, or a tensor beyond 32-bit addresses.
    """
    graph = with_results_apart(oriented(graph))
    pareto_sets: ParetoSets = {}
    many = batchable(graph, hardware)
    if images is not None:
        if images > 1 and not (many and images % hardware.pixel_lanes == 0):
            raise ProgramError(
                f"{images} images at a time: must be 1, or a multiple of P = "
                f"{hardware.pixel_lanes} where the network ends in dense layers"
            )
        try:
            return _relaxing(graph, hardware, images, pareto_sets)
        except DoesNotFitError as error:
            raise ProgramError(
                f"act_kib {hardware.act_kib} is too small for {images} images at a time ({error}); "
                "set compile.images lower, or to null"
            ) from None
    alone = best = _relaxing(graph, hardware, 1, pareto_sets)
    for times in (1, 2, 4, 8) if many else ():
        count = times * hardware.pixel_lanes
        if count * alone.instructions > _MOST_BATCHED:
            break
        try:
            found = _relaxing(graph, hardware, count, pareto_sets)
        except (TooSmallError, DoesNotFitError):
            break
        if found.cost / count < _WORTH_MORE * best.cost / best.network.images:
            best = found
    return best if best.cost / best.network.images < _WORTH * alone.cost else alone


def _relaxing(
    graph: Graph, hardware: HardwareConfig, images: int, pareto_sets: ParetoSets
) -> Schedule:
    """A schedule; layers that do not fit joined to the one before are done apart."""
    apart: frozenset[str] = frozenset()
    while True:
        try:
            return schedule(hardware, build(graph, hardware, images, apart), pareto_sets)
        except TooSmallError as error:
            if error.task.joined is None:
                raise
            apart |= {error.task.joined}


def _ports(graph: Graph, chosen: Schedule) -> Ports:
    network, hardware, table = chosen.network, chosen.hardware, graph.input_table
    outputs = tuple(
        Output(
            name=spec.name,
            shape=spec.shape,
            dtype=spec.dtype,
            scale=spec.scale,
            lanes=tuple(layout.lanes.tolist()),
            offset=chosen.dram[layout.root],
        )
        for spec, layout in zip(graph.results, network.outputs, strict=True)
    )
    return Ports(
        input_shape=graph.input.shape,
        raw=raw_image(oriented(graph)),
        outputs=outputs,
        images=network.images,
        width=hardware.input_lanes,
        input_table=table if table is None else tuple(map(tuple, table.tolist())),
        transposed=is_tall(graph),
    )
