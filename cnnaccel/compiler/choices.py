"""Every way to do a task that is worth it, with what it costs.

Costs are estimates to choose by; `estimate` plays the program that comes of the choice.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from cnnaccel.compiler.isa import Base, Compute, Load
from cnnaccel.compiler.tasks import Task, Tensor
from cnnaccel.compiler.tiling import (
    ISSUE_CYCLES,
    PIPELINE_CYCLES,
    SPREAD,
    Buffers,
    Cut,
    Situation,
    Slots,
    Tiling,
    lanes_for,
    lengths,
    parts,
    region_unit,
    round_up,
    sizes,
    under,
    unfold_cycles,
)
from cnnaccel.hardware import HardwareConfig

_ALONE = 0.5
"""Of the time until an image's first block is there, that much counts: as if every other image came
when nothing is under way."""


def tilings(
    hardware: HardwareConfig, task: Task, tensors: Mapping[str, Tensor], situation: Situation
) -> list[Tiling]:
    """Ways to do a task that are worth it: the more words of act, the lower the cost."""
    choices = _Choices(hardware, task, tensors, situation)
    by_words = sorted(choices.all(), key=lambda found: (found[0], found[1].cost))
    front: list[Tiling] = []
    for _, tiling in by_words:
        if not front or tiling.cost < front[-1].cost:
            front.append(tiling)
    return front


def least_words(
    hardware: HardwareConfig, task: Task, tensors: Mapping[str, Tensor], situation: Situation
) -> int | None:
    """Words of act that a task needs at least; None where its weights fit in no way."""
    buffered = _Choices(hardware, task, tensors, situation).buffered()
    return min((words for words, _, _, _ in buffered), default=None)


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
class _Flow:
    """What passes through a buffer, over all pieces of a task."""

    words: int
    """Of one buffer."""
    pieces: int
    cycles: float
    """Of the bus, or of the unit that unfolds."""
    dram_bytes: int
    instructions: int


class _Choices:
    """All tilings of a task, with their costs."""

    def __init__(
        self,
        hardware: HardwareConfig,
        task: Task,
        tensors: Mapping[str, Tensor],
        situation: Situation,
    ) -> None:
        self.hardware, self.task, self.situation = hardware, task, situation
        self.work = task.work
        self.sources = [tensors[view.tensor] for view in task.reads]
        self.width = hardware.input_lanes
        self.speed = hardware.dram_bytes_per_cycle
        self.latency = hardware.dram_latency_cycles
        self.unit = region_unit(hardware)
        self.lanes = lanes_for(hardware, task, situation.sources[0])
        self.groups = self.work.channels.groups
        self.elementwise = self.work.window is None
        self.whole = (self.work.whole,)
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
        held, target = all(self.situation.sources), self.situation.target
        for many in (2, 1):
            yield 0 if held else many, weights, 0 if target else many
        if not held and not target:
            yield 2, weights, 1

    def _weight_slots(self, cut: Cut) -> int | None:
        """0 where weights are resident; None where they do not fit."""
        if self.situation.resident:
            return 0
        wgt = max(self.task.wgt_words(cut.groups, part) for part in cut.parts)
        par = self.task.par_words(cut.groups)
        for slots in (2, 1):
            if wgt * slots <= self.situation.wgt_words and par * slots <= self.situation.par_words:
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
            (f"source {number}.{slot}", self._piece(number, tensor, cut)[0])
            for number, tensor in enumerate(self.sources)
            if not self.situation.sources[number]
            for slot in range(slots[0])
        ]
        if self.task.addition is not None:
            found.append(("middle", result))
        return (*found, *((f"result {slot}", result) for slot in range(slots[2])))

    # -- costs ---------------------------------------------------------------------------------

    def _tiling(self, cut: Cut, slots: Slots, buffers: Buffers) -> Tiling:
        pieces = self._blocks(cut) * self._chunks(cut)
        sources = [
            self._source(number, tensor, cut)
            for number, tensor in enumerate(self.sources)
            if not self.situation.sources[number]
        ]
        weights = self._weights(cut)
        results = self._results(cut)
        computes = pieces * (len(cut.parts) + self._additions(cut))
        flows = [*sources, *([weights] if weights else []), *([results] if results else [])]
        transfers = sum(flow.instructions for flow in flows)
        instruction_bytes = computes * Compute.BYTES + transfers * Load.BYTES
        compute = self._compute(cut) + computes * ISSUE_CYCLES
        if self.task.addition is not None:
            compute += 2 * pieces * PIPELINE_CYCLES
        overlapped = instruction_bytes / self.speed
        serial = float(PIPELINE_CYCLES)
        for flow, tensor in zip(sources, self._streamed(), strict=True):
            if slots[0] == 1:
                serial += flow.cycles + flow.pieces * self.latency
            else:
                overlapped += flow.cycles
                first = flow.cycles / flow.pieces + self.latency
                if tensor.base is not Base.INPUT:
                    serial += first
                elif self.situation.alone:  # else it is loaded during the image before
                    serial += _ALONE * first
        if weights is not None and slots[1] == 1 and weights.pieces > 1:
            serial += weights.cycles + weights.pieces * self.latency
        elif weights is not None:
            overlapped += weights.cycles
        stores = 0.0
        if results is not None and slots[2] == 1:
            serial += results.cycles + results.pieces * self.latency
        elif results is not None:
            stores = results.cycles
            serial += results.cycles / results.pieces + self.latency
        return Tiling(
            cut, slots, buffers, max(compute, overlapped, stores) + serial,
            instruction_bytes + sum(flow.dram_bytes for flow in flows), computes + transfers,
        )  # fmt: skip

    def _streamed(self) -> list[Tensor]:
        pairs = zip(self.sources, self.situation.sources, strict=True)
        return [tensor for tensor, held in pairs if not held]

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

    def _source(self, number: int, tensor: Tensor, cut: Cut) -> _Flow:
        size, words, rows, columns = self._piece(number, tensor, cut)
        blocks, chunks = self._blocks(cut), self._chunks(cut)
        elementwise = self.elementwise or number >= len(self.task.sources)
        strips = -(-self.task.rows // cut.rows)
        all_rows = strips * rows
        if not elementwise:
            all_rows = min(all_rows, self._rows_with_halo(cut.rows, strips, rows, tensor))
        if cut.part_sources:
            times = chunks * len(cut.parts)
        elif elementwise or self.work.channels.advance or not cut.blocks_outer:
            times = chunks
        else:
            times = 1
        if blocks == 1 and not (elementwise or cut.part_sources or self.work.channels.advance):
            times = 1
        pieces = blocks * times
        read_rows = all_rows * -(-self.task.columns // cut.columns) * times
        if tensor.unfold is not None:
            pixels = columns * tensor.unfold.stride_x + tensor.unfold.kernel_w
            pixels = min(pixels, tensor.unfold.row_pixels)
            moved = read_rows * pixels * tensor.unfold.pixel_bytes
            made = columns, words, tensor.unfold.kernel_w, tensor.unfold.stride_x
            cycles = max(moved / self.speed, unfold_cycles(read_rows, *made))
            return _Flow(size, pieces, cycles, moved, pieces)
        moved = read_rows * columns * words * self.width
        if elementwise:
            moved = self.task.rows * self.task.columns * self.task.words * self.width
        served = blocks * chunks * len(cut.parts) // pieces  # computes that a piece serves
        loads = pieces * (words if columns < tensor.columns else min(words, served, SPREAD))
        cycles = moved / self.speed + loads * ISSUE_CYCLES
        return _Flow(size, pieces, cycles, moved, loads)

    def _rows_with_halo(self, rows: int, strips: int, under: int, tensor: Tensor) -> int:
        """Rows that all strips together read."""
        assert self.work.window is not None
        pool_y = self.task.pool[0] if self.task.pool else 1
        apart = rows * pool_y * self.work.window.stride[0]
        return tensor.rows + (strips - 1) * (under - apart) if under > apart else strips * under

    def _weights(self, cut: Cut) -> _Flow | None:
        if self.situation.resident:
            return None
        blocks, chunks = self._blocks(cut), self._chunks(cut)
        again = len(cut.parts) > 1 or (cut.blocks_outer and chunks > 1)
        times = blocks if again else 1
        whole, shared = self.work.whole, self.elementwise or self.work.one_weight
        words = self.task.wgt_words(self.groups, whole)
        if shared or self.task.addition is not None:  # once for each chunk
            added = self.task.wgt_words(0, whole)
            words += (chunks - 1) * added
        if self.work.one_weight:
            words *= len(cut.parts)
        moved = times * (
            words * self.hardware.wgt_word_bytes
            + self.task.par_words(self.groups) * self.hardware.par_word_bytes
        )
        pieces = times * chunks * len(cut.parts)
        loads = pieces + times * chunks
        return _Flow(0, pieces, moved / self.speed + loads * ISSUE_CYCLES, moved, loads)

    def _results(self, cut: Cut) -> _Flow | None:
        if self.situation.target:
            return None
        pieces = self._blocks(cut) * self._chunks(cut)
        moved = self.task.rows * self.task.columns * self.task.words * self.width
        made = min(cut.groups * self.work.channels.words, self.task.words)
        stores = pieces * (made if cut.columns < self.task.columns else 1)
        return _Flow(0, pieces, moved / self.speed + stores * ISSUE_CYCLES, moved, stores)

    def _additions(self, cut: Cut) -> int:
        """Instructions that add, of a piece: one for each word where blocks differ in shape."""
        made = min(cut.groups * self.work.channels.words, self.task.words)
        if self.elementwise:
            held = [bool(at) for at in self.situation.sources]
            apart = len(set(held)) > 1 and cut.rows < self.task.rows
            return made - 1 if apart else 0
        if self.task.addition is None:
            return 0
        apart = bool(self.situation.sources[-1]) and cut.rows < self.task.rows
        return made if apart else 1

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
        """Of a block, without the windows of a pool."""
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
