"""Why a layer was or was not joined, kept on the chip, split: sentences, a paragraph for each task.

Asks the search of `plan/schedule` again what the other choice would have cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from cnnaccel.compiler.compile import Compiled
from cnnaccel.compiler.lower.network import Task
from cnnaccel.compiler.plan.blocks import pieces
from cnnaccel.compiler.plan.schedule import Schedule, Search
from cnnaccel.compiler.plan.tiling import Tiling, buffer_words
from cnnaccel.isa.instructions import Base


def explain(compiled: Compiled) -> str:
    """The reasons behind the schedule of a program."""
    return "\n".join(_lines(compiled.schedule))


def _lines(schedule: Schedule) -> Iterator[str]:
    network = schedule.network
    search = Search.of(schedule)
    yield (
        f"{network.images} images at a time: dense layers at the end share their weights among them"
        if network.images > 1
        else "one image at a time: more are no cheaper, or the network does not end in dense layers"
    )
    for number, (task, tiling) in enumerate(zip(network.tasks, schedule.tilings, strict=True)):
        yield f"{task.name}"
        for sentence in (
            *_joined(schedule, task),
            *_kept(schedule, search, task),
            *_resident(schedule, task),
            *_split(search, number, task, tiling),
        ):
            yield f"  {sentence}"


def _joined(schedule: Schedule, task: Task) -> Iterator[str]:
    if task.addition is not None:
        yield f"joined: addition '{task.joined}' is done on its results before they are written"
    elif task.joined is not None:
        yield f"joined: max pool '{task.joined}' is done before results are written"
    reason = schedule.network.apart.get(task.name)
    if reason is not None:
        yield f"not joined to the layer before: {reason}"


def _kept(schedule: Schedule, search: Search, task: Task) -> Iterator[str]:
    """Reasons why the result of a task stays on the chip or not, and what the other choice
    costs."""
    name = task.target.tensor
    tensor = schedule.network.tensors[name]
    if tensor.base is not Base.SCRATCH:
        yield f"stored: '{name}' is the result"
        return
    if task.flat:
        yield f"kept: '{name}' must be in act, as images are written side by side"
        return
    more = search.saving(name)
    words = f"'{name}', {tensor.size:,} words"
    if name in schedule.resident:
        if math.isinf(more):
            yield f"kept: {words}; in DRAM no way to do its tasks would be left"
        else:
            yield f"kept: {words}; in DRAM its tasks would cost {more:,.0f} cycles more"
    elif math.isinf(more):
        yield f"in DRAM: {words}; in act no room for a tile would be left to the tasks meanwhile"
    elif more > 0:
        yield f"in DRAM: {words}; in act its tasks would cost {more:,.0f} cycles more"
    else:
        yield f"in DRAM: {words}; act had no place for it beside what else lives then"


def _resident(schedule: Schedule, task: Task) -> Iterator[str]:
    """Reasons why the weights of a task stay on the chip or not."""
    groups = task.work.channels.groups
    wgt, par = task.wgt_words(groups, task.work.whole), task.par_words(groups)
    if task.name in schedule.stored:
        yield f"weights stay on the chip: {wgt:,} words of wgt, {par:,} of par"
    else:
        yield (
            f"weights stream: {wgt:,} words of wgt, {par:,} of par, and all weights of the network "
            f"take more than {schedule.hardware.wgt_words:,} and {schedule.hardware.par_groups:,}"
        )


def _split(search: Search, number: int, task: Task, tiling: Tiling) -> Iterator[str]:
    """Into how many pieces, and why not in one."""
    count = len(pieces(task, tiling.cut))
    if count == 1:
        return
    budget = search.budget(number)
    whole = search.whole(number)
    parts = f", the reduction in {len(tiling.cut.parts)} parts" if len(tiling.cut.parts) > 1 else ""
    if whole is None:
        words = task.wgt_words(task.work.channels.groups, task.work.whole)
        yield (
            f"{count} pieces{parts}: {words:,} words of weights at once do not fit the "
            f"{len(search.wgt):,} of wgt that weights pass through"
        )
    elif (words := buffer_words(search.hardware, whole)) > budget:
        yield f"{count} pieces{parts}: one takes {words:,} words of act, {budget:,} are free"
    else:
        yield (
            f"{count} pieces{parts}: one would take {whole.cycles:,.0f} cycles, these "
            f"{tiling.cycles:,.0f}, as loads and stores overlap with computing"
        )
