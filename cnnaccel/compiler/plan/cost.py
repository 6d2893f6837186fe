"""The cost model of a task: its tilings, and the Pareto set of those worth choosing.

Costs are estimates to choose by; `estimate` plays the program that comes of the choice.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cnnaccel.compiler.lower.network import Task, Tensor
from cnnaccel.compiler.plan.blocks import apart
from cnnaccel.compiler.plan.tiling import (
    Buffer,
    Buffers,
    Cut,
    Moved,
    Residency,
    Role,
    Slots,
    Tiling,
    lanes_for,
    lengths,
    parts,
    region_unit,
    round_up,
    sizes,
    under,
)
from cnnaccel.compiler.plan.traffic import Flow, Sources, results_flow, weights_flow
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.latency import ISSUE_CYCLES, PIPELINE_CYCLES

_ALONE = 0.5
"""The share that counts of the time until an image's first block is there: as if every other image
came when nothing is under way."""


def tilings(
    hardware: HardwareConfig, task: Task, tensors: Mapping[str, Tensor], residency: Residency
) -> list[Tiling]:
    """The Pareto set of a task's tilings: the more words of act, the lower the cost."""
    model = _CostModel(hardware, task, tensors, residency)
    by_words = sorted(model.all(), key=lambda found: (found[0], found[1].cost))
    pareto: list[Tiling] = []
    for _, tiling in by_words:
        if not pareto or tiling.cost < pareto[-1].cost:
            pareto.append(tiling)
    return pareto


def least_words(
    hardware: HardwareConfig, task: Task, tensors: Mapping[str, Tensor], residency: Residency
) -> int | None:
    """Words of act that a task needs at least; None where its weights fit in no way."""
    buffered = _CostModel(hardware, task, tensors, residency).buffered()
    return min((words for words, _, _, _ in buffered), default=None)


def whole_tiling(
    hardware: HardwareConfig, task: Task, tensors: Mapping[str, Tensor], residency: Residency
) -> Tiling | None:
    """The cheapest way to do a task in one piece, however large act must be; None where its weights
    do not fit."""
    found = _CostModel(hardware, task, tensors, residency).in_one_piece()
    return min(found, key=lambda tiling: tiling.cost, default=None)


def shape_of(task: Task, tensors: Mapping[str, Tensor]) -> Hashable:
    """Equal for tasks that have the same tilings."""
    work, addition = task.work, task.addition
    return (
        work.window, work.channels, work.one_weight, work.one_parameter, work.weights.shape,
        task.rows, task.columns, task.words, task.pool,
        addition and addition.work.one_parameter,
        tuple(dataclasses.replace(tensors[view.tensor], name="") for view in task.reads),
        tuple(view.words for view in task.reads),
    )  # fmt: skip


@dataclass(frozen=True)
class _Amount:
    """Cycles that a cut computes, and what it moves."""

    compute: float
    """Cycles of all instructions of compute."""
    sources: tuple[Flow, ...]
    """Flows of the sources that are in DRAM."""
    weights: Flow | None
    """Flow of the weights; None where they are resident."""
    results: Flow | None
    """Flow of the results; None where they stay on the chip."""
    moved: Moved


class _CostModel:
    """The cost model: all tilings of a task, with their costs."""

    def __init__(
        self,
        hardware: HardwareConfig,
        task: Task,
        tensors: Mapping[str, Tensor],
        residency: Residency,
    ) -> None:
        self.hardware, self.task, self.residency = hardware, task, residency
        self.work = task.work
        self.sources = [tensors[view.tensor] for view in task.reads]
        self.target = tensors[task.target.tensor]
        self.streamed = [
            Sources(hardware, task, number, tensor)
            for number, tensor in enumerate(self.sources)
            if not residency.sources[number]
        ]
        self.speed = hardware.dram_bytes_per_cycle
        self.latency = hardware.dram_latency_cycles
        self.trip = self.latency + PIPELINE_CYCLES
        self.unit = region_unit(hardware)
        self.lanes = lanes_for(hardware, task, residency.sources[0])
        self.groups = self.work.channels.groups
        self.elementwise = self.work.window is None
        self.whole = (self.work.whole,)
        self.last: Cut | None = None
        self.amount: _Amount | None = None
        self.tiles: dict[tuple[int, int], int] = {}

    def all(self) -> Iterator[tuple[int, Tiling]]:
        """Every tiling that fits an empty act, with the words its buffers take."""
        for words, cut, slots, buffers in self.buffered():
            if words <= self.hardware.act_words:
                yield words, self._tiling(cut, slots, buffers)

    def buffered(self) -> Iterator[tuple[int, Cut, Slots, Buffers]]:
        """Every cut whose weights fit, however large act must be: words, cut, slots, buffers."""
        for cut in itertools.chain(self._cuts(), self._split_reductions()):
            for slots in self._slots(cut):
                buffers = self._buffers(cut, slots)
                yield sum(round_up(count, self.unit) for _, count in buffers), cut, slots, buffers

    def in_one_piece(self) -> Iterator[Tiling]:
        """Every tiling whose cut leaves the task whole."""
        whole = (self.task.rows, self.task.columns, self.groups)
        for _, cut, slots, buffers in self.buffered():
            if (cut.rows, cut.columns, cut.groups) == whole and len(cut.parts) == 1:
                yield self._tiling(cut, slots, buffers)

    def _cuts(self) -> Iterator[Cut]:
        single = self.lanes.phases == 0  # columns that no two lanes may take
        total = self.task.columns
        blocks = [] if single else [(rows, total) for rows in lengths(self.task.rows)]
        least = 1 if single else min(self.hardware.pixel_lanes, total)
        columns = [1] if single else lengths(total, least)
        blocks += [(1, count) for count in columns if (1, count) not in blocks]
        for groups, (rows, count) in itertools.product(lengths(self.groups), blocks):
            cut = Cut(rows, count, groups, self.whole)
            yield cut
            if self._blocks(cut) > 1 and self._chunks(cut) > 1:
                yield dataclasses.replace(cut, blocks_outer=False)

    def _split_reductions(self) -> Iterator[Cut]:
        """One tile at a time, its sums kept from part to part. A maximum begins anew in every
        instruction, and so does a pool."""
        work = self.work
        if self.elementwise or self.task.pool is not None or len(work.weights) == 0:
            return
        columns = min(self.hardware.pixel_lanes, self.task.columns)
        whole = work.whole
        most = len(whole.rows) * len(whole.columns) * len(whole.words)
        while most > 1:
            most = -(-most // 2)
            cut = Cut(1, columns if self.lanes.phases == 1 else 1, 1, parts(whole, most))
            yield cut
            yield dataclasses.replace(cut, part_sources=True)

    def _slots(self, cut: Cut) -> Iterator[Slots]:
        weights = self._weight_slots(cut)
        if weights is None:
            return
        held, target = all(self.residency.sources), self.residency.target
        for many in (2, 1):
            yield 0 if held else many, weights, 0 if target else many
        if not held and not target:
            yield 2, weights, 1

    def _weight_slots(self, cut: Cut) -> int | None:
        """0 where weights are resident; None where they do not fit."""
        if self.residency.resident:
            return 0
        wgt = max(self.task.wgt_words(cut.groups, part) for part in cut.parts)
        par = self.task.par_words(cut.groups)
        for slots in (2, 1):
            if wgt * slots <= self.residency.wgt_words and par * slots <= self.residency.par_words:
                return slots
        return None

    def _blocks(self, cut: Cut) -> int:
        return -(-self.task.rows // cut.rows) * -(-self.task.columns // cut.columns)

    def _chunks(self, cut: Cut) -> int:
        return -(-self.groups // cut.groups)

    def _buffers(self, cut: Cut, slots: Slots) -> Buffers:
        made = min(cut.groups * self.work.channels.words, self.task.words)
        result = made * cut.rows * cut.columns
        found = [
            (Buffer(Role.SOURCE, slot, number), self._piece(number, tensor, cut)[0])
            for number, tensor in enumerate(self.sources)
            if not self.residency.sources[number]
            for slot in range(slots[0])
        ]
        if self.task.addition is not None:
            found.append((Buffer(Role.MIDDLE), result))
        return (*found, *((Buffer(Role.RESULT, slot), result) for slot in range(slots[2])))

    # -- costs ---------------------------------------------------------------------------------

    def _amount(self, cut: Cut) -> _Amount:
        """Cycles that a cut computes and what it moves, whatever buffers it has."""
        if cut is self.last and self.amount is not None:  # asked for again with other slots
            return self.amount
        blocks, chunks = self._blocks(cut), self._chunks(cut)
        weights = results = None
        if not self.residency.resident:
            weights = weights_flow(self.hardware, self.task, cut, blocks, chunks)
        if not self.residency.target:
            results = results_flow(self.hardware, self.task, self.target, cut, chunks)
        sources = tuple(source.flow(cut, blocks, chunks) for source in self.streamed)
        loads = [*sources, *([weights] if weights else [])]
        computes = self._computes(cut)
        moved = Moved(
            sum(flow.dram_bytes for flow in loads),
            results.dram_bytes if results else 0,
            computes,
            sum(flow.transfers for flow in loads) + (results.transfers if results else 0),
        )
        compute = self._compute(cut) + computes * ISSUE_CYCLES
        if self.task.addition is not None:
            compute += 2 * blocks * chunks * PIPELINE_CYCLES
        self.last, self.amount = cut, _Amount(compute, sources, weights, results, moved)
        return self.amount

    def _tiling(self, cut: Cut, slots: Slots, buffers: Buffers) -> Tiling:
        amount, speed = self._amount(cut), self.speed
        stages = self._blocks(cut) * self._chunks(cut) * len(cut.parts)
        ahead: list[tuple[Flow, float]] = []  # with the loads that a block comes in
        overlapped = amount.moved.instruction_bytes / speed
        serial = float(PIPELINE_CYCLES)
        for flow, source in zip(amount.sources, self.streamed, strict=True):
            cycles = flow.cycles(speed)
            if slots[0] == 1:
                serial += cycles + flow.runs * self.trip
            else:
                overlapped += cycles
                ahead.append((flow, flow.transfers / max(flow.runs, 1)))
                first = cycles / flow.runs + self.latency
                if source.tensor.base is not Base.INPUT:
                    serial += first
                elif self.residency.alone:  # else it is loaded during the image before
                    serial += _ALONE * first
        if (weights := amount.weights) is not None:
            if slots[1] == 1:
                serial += weights.cycles(speed) + weights.runs * self.trip
            else:
                overlapped += weights.cycles(speed)
                ahead.append((weights, 1.0))
        stores = 0.0
        if (results := amount.results) is not None:
            cycles = results.cycles(speed)
            if slots[2] == 1:
                serial += cycles + results.runs * self.trip
            else:
                stores = cycles
                serial += cycles / results.runs + self.latency
        stalls = self._stalls(amount, stages, ahead)
        cycles = max(amount.compute + stalls, overlapped, stores) + serial
        return Tiling(cut, slots, buffers, cycles, amount.moved)

    def _stalls(self, amount: _Amount, stages: int, ahead: Sequence[tuple[Flow, float]]) -> float:
        """Cycles in which compute waits for what is loaded while it does the piece before.

        A buffer is free when the piece that reads it has drained; its next words come a latency
        and their own time later, and are read by the next piece but one. So in two buffers two
        pieces take what one computes and a load, or what both compute. ahead: flows that have two
        buffers, and in how many loads, for as many pieces, a block comes.
        """
        if all(flow.runs == 1 for flow, _ in ahead):
            return 0.0
        compute = amount.compute / stages
        always = amount.moved.instruction_bytes / self.speed / stages
        sometimes, most = 0.0, 0.0  # cycles and number of the stages in which more is loaded
        for flow, loads in ahead:
            if flow.runs >= stages:
                always += flow.cycles(self.speed) / stages
            elif flow.runs > 1 and loads:  # else all blocks are padding
                over = min(loads, stages / flow.runs)
                sometimes += flow.cycles(self.speed) / flow.runs / over
                most = max(most, (flow.runs - 1) * over)
        each = any(flow.runs >= stages for flow, _ in ahead)
        every = max(0.0, (always + self.trip - compute) / 2) if each else 0.0
        burst = max(0.0, always + sometimes + self.trip - compute - 2 * every) if most else 0.0
        return stages * every + most * burst

    def _piece(self, number: int, tensor: Tensor, cut: Cut) -> tuple[int, int, int, int]:
        """Words of a piece of a source: all, channel words, rows, columns."""
        task, work = self.task, self.work
        if self.elementwise or number >= len(task.sources):
            words = min(cut.groups * work.channels.words, task.words)
            return words * cut.rows * cut.columns, words, cut.rows, cut.columns
        taps = self._taps(cut)
        pool_y, pool_x = task.pool or (1, 1)
        rows = under(work, 0, cut.rows, taps[0], tensor.rows, pool_y)
        columns = tensor.columns
        if cut.columns < task.columns or cut.part_sources:
            columns = under(work, 1, cut.columns, taps[1], tensor.columns, pool_x)
        words = (cut.groups - 1) * work.channels.advance + taps[2]
        if tensor.unfold is not None:
            words = tensor.words
        return words * rows * columns, words, rows, columns

    def _taps(self, cut: Cut) -> tuple[int, int, int]:
        """Most kernel rows, columns and input words that a piece is loaded for."""
        some = cut.parts if cut.part_sources else self.whole
        return (
            max(len(part.rows) for part in some),
            max(len(part.columns) for part in some),
            max(len(part.words) for part in some),
        )

    def _computes(self, cut: Cut) -> int:
        """Instructions of compute: one for each part of a piece, and what adds to it."""
        pieces, held = self._blocks(cut) * self._chunks(cut), self.residency.sources
        if not self.elementwise and self.task.addition is None:
            return pieces * len(cut.parts)
        operands = held if self.elementwise else (0, held[-1])
        one_by_one = apart([bool(at) for at in operands], self._blocks(cut))
        added = self._blocks(cut) * self.task.words if one_by_one else pieces
        return added if self.elementwise else pieces * len(cut.parts) + added

    def _compute(self, cut: Cut) -> float:
        """Cycles of all nests."""
        lanes, task, channels = self.hardware.pixel_lanes, self.task, self.work.channels
        steps = sum(len(p.rows) * len(p.columns) * len(p.words) for p in cut.parts)
        if self.elementwise:
            steps = 2
        key = cut.rows, cut.columns
        if key not in self.tiles:
            whole = cut.columns == task.columns
            self.tiles[key] = sum(
                strips * blocks * self._tiles(rows, columns, whole)
                for rows, strips in sizes(task.rows, cut.rows)
                for columns, blocks in sizes(task.columns, cut.columns)
            )
        tiles = self.tiles[key]
        if self.lanes.pool is not None:
            pool_y, pool_x = self.lanes.pool.size
            tiles *= pool_y * (1 if self.lanes.pool.by == "lanes" else pool_x)
        cycles = tiles * (
            (self.groups - 1) * max(steps, lanes * channels.words)
            + max(steps, lanes * channels.words_last)
        )
        if task.addition is not None:
            cycles += task.words * -(-task.rows * task.columns // lanes) * max(2, lanes)
        return float(cycles)

    def _tiles(self, rows: int, columns: int, whole: bool) -> int:
        """Tiles of a block, without the windows of a pool."""
        lanes, window, pool = self.hardware.pixel_lanes, self.work.window, self.lanes.pool
        unpadded = window is None or (
            window.kernel == window.stride == (1, 1) and window.padding == (0, 0)
        )
        if whole and unpadded and pool is None:
            return -(-rows * columns // lanes)
        by_lanes = pool is not None and pool.by == "lanes"
        if columns == 1 and not by_lanes:
            return rows
        slots = lanes // (pool.size[1] if pool and by_lanes else 1) * self.lanes.phases
        return rows * -(-columns // slots) * self.lanes.phases
