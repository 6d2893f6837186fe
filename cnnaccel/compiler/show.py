"""The result of each pass as text for people: a line for each task."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from cnnaccel.compiler.compile import Compiled
from cnnaccel.compiler.emit.tokens import Op
from cnnaccel.compiler.emit.transfers import transfer_bytes
from cnnaccel.compiler.lower.network import Network, Task, View
from cnnaccel.compiler.plan.blocks import pieces
from cnnaccel.compiler.plan.schedule import Schedule, TaskBuffer
from cnnaccel.compiler.plan.tiling import Tiling
from cnnaccel.isa.instructions import LEVELS, Compute, Instruction, Load, Opcode, Store, Unit


def show(compiled: Compiled, name: str) -> str:
    """The result of one of PASSES."""
    return "\n".join(PASSES[name](compiled))


def _lower(compiled: Compiled) -> Iterator[str]:
    network = compiled.schedule.network
    yield (
        f"Network of {len(network.tasks)} tasks for {_count(network.images, 'image')} at a time; "
        "sizes are channel words x rows x columns"
    )
    rows = [("task", "joined", "does", "reads", "writes", "groups x steps", "wgt words", "MMAC")]
    for number, task in enumerate(network.tasks):
        work = task.work
        steps = math.prod(len(r) for r in (work.whole.rows, work.whole.columns, work.whole.words))
        rows.append(
            (
                _repeated(network, number),
                task.joined or "",
                _does(task),
                ", ".join(_size(network, view) for view in task.reads),
                _size(network, task.target) + (" flat" if task.flat else ""),
                f"{work.channels.groups} x {steps}",
                f"{task.wgt_words(work.channels.groups, work.whole):,}",
                f"{task.macs / 1e6:.2f}",
            )
        )
    yield from _aligned(rows)
    for layer, reason in network.apart.items():
        yield f"'{layer}' is a task of its own: {reason}"


def _plan(compiled: Compiled) -> Iterator[str]:
    schedule = compiled.schedule
    hardware, network = schedule.hardware, schedule.network
    yield (
        f"Schedule: act {hardware.act_words:,} words, wgt {hardware.wgt_words:,} of which "
        f"{len(schedule.wgt_stream):,} stream, par {hardware.par_groups:,} of which "
        f"{len(schedule.par_stream):,} stream; SCRATCH {schedule.scratch_bytes:,} bytes"
    )
    rows = [("task", "pieces", "reads", "writes", "weights", "buffers", "cycles", "DRAM bytes")]
    for number, (task, tiling) in enumerate(zip(network.tasks, schedule.tilings, strict=True)):
        stored = schedule.stored.get(task.name)
        rows.append(
            (
                _repeated(network, number),
                _cut(task, tiling),
                ", ".join(_where(schedule, view.tensor) for view in task.reads),
                _where(schedule, task.target.tensor),
                f"wgt {stored.wgt:,}, par {stored.par:,}" if stored else "stream",
                _buffers(schedule, number, tiling),
                f"{tiling.cycles:,.0f}",
                f"{tiling.dram_bytes:,}",
            )
        )
    yield from _aligned(rows)


def _emit(compiled: Compiled) -> Iterator[str]:
    schedule, emitted = compiled.schedule, compiled.emitted
    once, body = len(emitted.once), len(emitted.body)
    yield (
        f"Emitted: {once:,} operations once, {body:,} in body; "
        f"WEIGHTS {len(emitted.weights):,} bytes"
    )
    rows = [("section", "task", "operations", "loaded", "stored", "first compute: nest, window")]
    for section, ops in (("once", emitted.once), ("body", emitted.body)):
        for layer, own in _by_layer(ops):
            moved = Counter[type[Instruction]]()
            for op in own:
                if isinstance(op.instruction, Load | Store):
                    size = transfer_bytes(schedule.hardware, op.instruction)
                    moved[type(op.instruction)] += size
            kinds = Counter(op.instruction.opcode.name for op in own)
            rows.append(
                (
                    section,
                    layer,
                    ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
                    f"{moved[Load]:,}",
                    f"{moved[Store]:,}",
                    next((_nest(op) for op in own if isinstance(op.instruction, Compute)), ""),
                )
            )
    yield from _aligned(rows)


def _tokens(compiled: Compiled) -> Iterator[str]:
    program = compiled.program
    yield (
        f"Program: {len(program.once):,} instructions once, {len(program.body):,} in body; "
        "how many tokens pass from unit to unit"
    )
    rows = [("section", "from", "to", "tokens")]
    for section, instructions in (("once", program.once), ("body", program.body)):
        for giver in Unit:
            for taker in Unit:
                count = sum(giver == one.UNIT and taker in one.signal_to for one in instructions)
                if count:
                    rows.append((section, _unit(giver), _unit(taker), f"{count:,}"))
    yield from _aligned(rows)
    waits = sum(isinstance(one, Compute) and one.wait_drain for one in program.body)
    yield f"{waits:,} instructions of body wait for the last write of the one before"
    yield "cnnaccel disasm prints every instruction"


PASSES: dict[str, Callable[[Compiled], Iterable[str]]] = {
    "lower": _lower,
    "plan": _plan,
    "emit": _emit,
    "tokens": _tokens,
}
"""The passes whose results `show` prints, in their order."""


def _repeated(network: Network, number: int) -> str:
    """A task's name, with how often an iteration does it if that is more than once."""
    times = network.times(number)
    return network.tasks[number].name + (f" x{times}" if times > 1 else "")


def _does(task: Task) -> str:
    """The operation, its window and the max pool behind it."""
    work = task.work
    if work.window is None:
        return "add"
    (rows, columns), (down, right) = work.window.kernel, work.window.stride
    text = f"{work.opcode.name} {rows}x{columns}"
    if (down, right) != (1, 1):
        text += f"/{down}" if down == right else f"/{down},{right}"
    if task.pool is not None:
        text += f", max {task.pool[0]}x{task.pool[1]}"
    if task.addition is not None:
        text += ", add"
    return text


def _size(network: Network, view: View) -> str:
    tensor = network.tensors[view.tensor]
    part = f" from {view.first}" if view.words < tensor.words else ""
    return f"{view.tensor} {view.words}x{tensor.rows}x{tensor.columns}{part}"


def _cut(task: Task, tiling: Tiling) -> str:
    """Pieces: how many, and their size if there are several."""
    cut = tiling.cut
    count = len(pieces(task, cut))
    if count == 1:
        return "1"
    text = f"{count} of {min(cut.rows, task.rows)}x{min(cut.columns, task.columns)}"
    groups = task.work.channels.groups
    if cut.groups < groups:
        text += f", {cut.groups} of {groups} groups"
    if len(cut.parts) > 1:
        text += f", {len(cut.parts)} parts"
    return text


def _where(schedule: Schedule, tensor: str) -> str:
    """The place of a tensor: words of act with its interleave, or bytes of a buffer in DRAM."""
    if tensor in schedule.resident:
        interleave = schedule.resident[tensor]
        return f"act {schedule.act[tensor]:,}" + (f" L{interleave}" if interleave > 1 else "")
    base = schedule.network.tensors[tensor].base
    return f"{base.name} {schedule.dram.get(tensor, 0):,}"


def _buffers(schedule: Schedule, number: int, tiling: Tiling) -> str:
    """Buffers in act, with their first words."""
    found = [
        f"{buffer} at {schedule.act[TaskBuffer(number, buffer)]:,}" for buffer, _ in tiling.buffers
    ]
    return ", ".join(found)


def _by_layer(ops: Sequence[Op]) -> list[tuple[str, list[Op]]]:
    found: dict[str, list[Op]] = {}
    for op in ops:
        found.setdefault(op.note.layer, []).append(op)
    return list(found.items())


def _nest(op: Op) -> str:
    """The bounds of a nest that are not 1."""
    instruction = op.instruction
    assert isinstance(instruction, Compute)
    if instruction.opcode is Opcode.MAX and not instruction.drain:
        return "nothing: carries tokens"
    named = zip(LEVELS, instruction.bounds, strict=True)
    return " ".join(f"{level} {bound}" for level, bound in named if bound > 1)


def _unit(unit: Unit) -> str:
    return str(unit.name).lower()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell, the header underlined; empty columns left out."""
    kept = [at for at in range(len(rows[0])) if any(row[at] for row in rows[1:])]
    width = {at: max(len(row[at]) for row in rows) for at in kept}
    for number, row in enumerate(rows):
        yield "  ".join(row[at].ljust(width[at]) for at in kept).rstrip()
        if number == 0:
            yield "  ".join("-" * width[at] for at in kept)
