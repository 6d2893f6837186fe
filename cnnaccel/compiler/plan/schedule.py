"""The schedule: residency of tensors and weights, tilings of tasks, and addresses.

Chooses by the cost model of `cost`, in a local search: a tensor stays in act from its first writer
to its last reader if the whole then costs less, buffers of the tasks between them included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from cnnaccel.compiler.lower.network import Network, Task, View
from cnnaccel.compiler.plan.allocate import DoesNotFitError, Region, allocate
from cnnaccel.compiler.plan.cost import least_words, shape_of, tilings, whole_tiling
from cnnaccel.compiler.plan.tiling import (
    Buffer,
    Residency,
    Role,
    Tiling,
    buffer_words,
    region_unit,
    round_up,
    wanted_interleave,
)
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Base

_PASSES = 4
ADDRESSES = 1 << 32
"""Bytes of a DRAM buffer."""
_SHARES = (0.0, 0.5)
"""Shares of wgt that resident weights may take, where not all are resident."""

ParetoSets = dict[tuple[Hashable, Residency], tuple[list[int], list[Tiling]]]
"""Pareto sets of tilings, and the words they take, of tasks that were looked at."""


@dataclass(frozen=True)
class TaskBuffer:
    """A buffer, and the number of the task it belongs to."""

    task: int
    buffer: Buffer

    def __str__(self) -> str:
        return f"{self.task}:{self.buffer}"


ActKey = str | TaskBuffer
"""Key of a region of act: a tensor's name, or a buffer."""


class TooSmallError(ProgramError):
    """No tiling of a task fits the scratchpads. words: of act that it needs; None: more wgt."""

    def __init__(self, task: Task, hardware: HardwareConfig, words: int | None) -> None:
        need = f"wgt_kib greater than {hardware.wgt_kib}, or more par_groups"
        if words is not None:
            kib = 4
            while kib * 1024 // hardware.input_lanes < words:
                kib *= 2
            need = f"act_kib of at least {kib}; it is {hardware.act_kib}"
        super().__init__(f"layer '{task.name}': not even a single tile fits; it needs {need}")
        self.task = task


@dataclass(frozen=True)
class Stored:
    """Addresses of a task's resident weights and parameters, those of its first group."""

    wgt: int
    par: int


@dataclass(frozen=True, eq=False)
class Schedule:
    """Every choice about a network on an engine."""

    hardware: HardwareConfig
    network: Network
    resident: Mapping[str, int]
    """Interleave L of the region of each tensor that stays on the chip."""
    lives: Mapping[str, range]
    """The tasks during which those tensors lie there."""
    tilings: tuple[Tiling, ...]
    """The tiling of each task."""
    stored: Mapping[str, Stored]
    """Addresses of resident weights, by the name of the task."""
    wgt_stream: range
    """Words of wgt that the others' weights pass through."""
    par_stream: range
    act: Mapping[ActKey, int]
    """First word of every resident tensor, and of every buffer."""
    dram: Mapping[str, int]
    """First byte in its buffer of every other tensor."""
    scratch_bytes: int

    @property
    def cost(self) -> float:
        """Estimate for one iteration of body, in cycles or so."""
        return sum(t.cost * self.network.times(n) for n, t in enumerate(self.tilings))

    @property
    def instructions(self) -> int:
        """Estimate of those of body."""
        return sum(t.instructions * self.network.times(n) for n, t in enumerate(self.tilings))


def schedule(hardware: HardwareConfig, network: Network, pareto_sets: ParetoSets) -> Schedule:
    """The best schedule found. pareto_sets: filled here, shared by all schedules on an engine.

    Raises:
        TooSmallError: a task fits in no pieces.
        ProgramError: a tensor is beyond 32-bit addressing.
    """
    found: list[Schedule] = []
    failures: list[TooSmallError] = []
    for stored, wgt, par in _residencies(hardware, network):
        try:
            found.append(Search(hardware, network, stored, wgt, par, pareto_sets).schedule())
        except TooSmallError as error:
            failures.append(error)
    if not found:
        raise failures[0]
    return min(found, key=lambda schedule: schedule.cost)


def _residencies(
    hardware: HardwareConfig, network: Network
) -> list[tuple[dict[str, Stored], range, range]]:
    """Choices of resident weights, each with the words left for the others to pass through."""
    demands = []
    for number, task in enumerate(network.tasks):
        groups = task.work.channels.groups
        wgt, par = task.wgt_words(groups, task.work.whole), task.par_words(groups)
        demands.append((-network.times(number), wgt, par, task.name))
    sizes = (hardware.wgt_words, hardware.par_groups)
    needed = sum(wgt for _, wgt, _, _ in demands), sum(par for _, _, par, _ in demands)
    all_fit = needed[0] <= sizes[0] and needed[1] <= sizes[1]
    found = []
    for share in (1.0,) if all_fit else _SHARES:
        at = [0, 0]
        stored = {}
        for _, wgt, par, name in sorted(demands):
            if at[0] + wgt <= share * sizes[0] and at[1] + par <= share * sizes[1]:
                stored[name] = Stored(*at)
                at = [at[0] + wgt, at[1] + par]
        found.append((stored, range(at[0], sizes[0]), range(at[1], sizes[1])))
    return found


class Search:
    """The search for the resident tensors, for one choice of resident weights."""

    def __init__(
        self,
        hardware: HardwareConfig,
        network: Network,
        stored: Mapping[str, Stored],
        wgt: range,
        par: range,
        pareto_sets: ParetoSets,
    ) -> None:
        self.hardware, self.network = hardware, network
        self.stored, self.wgt, self.par = stored, wgt, par
        self.unit = region_unit(hardware)
        self.tasks = network.tasks
        self.tensors = dict(network.tensors)
        self.interleaves = _interleaves(hardware, network)
        self.lives = _lives(network)
        self.shapes = [shape_of(task, self.tensors) for task in self.tasks]
        self.pareto_sets = pareto_sets
        flat = {task.target.tensor for task in network.each if task.flat}
        self.needed = frozenset(flat)
        self.resident = set(flat)

    @classmethod
    def of(cls, schedule: Schedule) -> Search:
        """The search as it stood when it ended in this schedule."""
        found = cls(
            schedule.hardware,
            schedule.network,
            schedule.stored,
            schedule.wgt_stream,
            schedule.par_stream,
            {},
        )
        found.resident = set(schedule.resident)
        return found

    def saving(self, name: str) -> float:
        """Cycles that its tasks would cost more by the other choice for a tensor, on the chip or
        not."""
        numbers = self._range(name)
        before = sum(self._cost(number) for number in numbers)
        self.resident ^= {name}
        after = sum(self._cost(number) for number in numbers)
        self.resident ^= {name}
        return after - before

    def whole(self, number: int) -> Tiling | None:
        """The cheapest way to do a task in one piece, however large act must be; None where its
        weights do not fit."""
        return whole_tiling(
            self.hardware, self.tasks[number], self.tensors, self._residency(number)
        )

    def schedule(self) -> Schedule:
        """The best choice found."""
        self._improve()
        while True:
            chosen = [self._best(number) for number in range(len(self.tasks))]
            try:
                act = self._place(chosen)
                break
            except DoesNotFitError as error:
                self._drop(error.region)
        dram, scratch_bytes = self._dram()
        return Schedule(
            hardware=self.hardware,
            network=self.network,
            resident={name: self.interleaves[name] for name in sorted(self.resident)},
            lives={name: self._range(name) for name in sorted(self.resident)},
            tilings=tuple(chosen),
            stored=self.stored,
            wgt_stream=self.wgt,
            par_stream=self.par,
            act=act,
            dram=dram,
            scratch_bytes=scratch_bytes,
        )

    def _dram(self) -> tuple[dict[str, int], int]:
        """First byte of every tensor in SCRATCH and OUTPUT, and how large SCRATCH is."""
        width = self.hardware.input_lanes
        away = {name: t for name, t in self.tensors.items() if name not in self.resident}
        regions = [
            Region(name, tensor.size, *self._life(name))
            for name, tensor in away.items()
            if tensor.base is Base.SCRATCH
        ]
        scratch = allocate(regions, sum(region.words for region in regions), 1)
        words, results = dict(scratch), 0
        for layout in self.network.outputs:
            words[layout.root] = results
            results += self.tensors[layout.root].size
        ends = {name: (words.get(name, 0) + t.size) * width for name, t in away.items()}
        for name, end in ends.items():
            if end > ADDRESSES:
                raise ProgramError(
                    f"tensor '{name}' ends at byte {end:,} of {away[name].base.name}; "
                    f"an instruction addresses {ADDRESSES:,}"
                )
        size = max((ends[name] for name in scratch), default=0)
        return {name: at * width for name, at in words.items()}, size

    # -- residency -----------------------------------------------------------------------------

    def _improve(self) -> None:
        candidates = [
            name
            for name, tensor in self.tensors.items()
            if tensor.base is Base.SCRATCH and name not in self.needed
        ]
        length = {name: len(self._range(name)) for name in candidates}
        candidates.sort(key=lambda name: (length[name], self.lives[name][0], name))
        costs = [self._cost(number) for number in range(len(self.tasks))]
        for _ in range(_PASSES):
            changed = False
            for name in candidates:
                touched = self._range(name)
                self.resident ^= {name}
                new = {number: self._cost(number) for number in touched}
                if sum(new.values()) < sum(costs[number] for number in touched):
                    changed = True
                    for number, cost in new.items():
                        costs[number] = cost
                else:
                    self.resident ^= {name}
            if not changed:
                return

    def _drop(self, region: Region[ActKey]) -> None:
        """Send one tensor to DRAM that lives when a region found no place."""
        costs = {}
        for name in self.resident - self.needed:
            first, last = self._life(name)
            if first <= region.last and region.first <= last:
                before = sum(self._cost(number) for number in self._range(name))
                self.resident.remove(name)
                costs[name] = sum(self._cost(number) for number in self._range(name)) - before
                self.resident.add(name)
        if not costs:
            raise DoesNotFitError(region, self.hardware.act_words, 0)
        self.resident.remove(min(costs, key=lambda name: (costs[name], name)))

    def _range(self, name: str) -> range:
        first, last = self._life(name)
        return range(first, last + 1)

    def _life(self, name: str) -> tuple[int, int]:
        """First and last task that needs the tensor; that of many images meets all tasks."""
        first, last = self.lives[name]
        return (0 if name in self.needed else first), last

    def _cost(self, number: int) -> float:
        tiling = self._fitting(number)
        if tiling is None:
            return float("inf")
        return tiling.cost * self.network.times(number)

    def _best(self, number: int) -> Tiling:
        tiling = self._fitting(number)
        if tiling is None:
            task, taken = self.tasks[number], self.hardware.act_words - self.budget(number)
            least = least_words(self.hardware, task, self.tensors, self._residency(number))
            raise TooSmallError(task, self.hardware, None if least is None else least + taken)
        return tiling

    def _fitting(self, number: int) -> Tiling | None:
        words, pareto = self._pareto_set(number)
        at = bisect_right(words, self.budget(number))
        return pareto[at - 1] if at else None

    def budget(self, number: int) -> int:
        """Words of act that the buffers of a task may take."""
        alive = [name for name in self.resident if number in self._range(name)]
        return self.hardware.act_words - sum(
            round_up(self.tensors[name].size, self.unit) for name in alive
        )

    def _pareto_set(self, number: int) -> tuple[list[int], list[Tiling]]:
        residency = self._residency(number)
        key = (self.shapes[number], residency)
        if key not in self.pareto_sets:
            pareto = tilings(self.hardware, self.tasks[number], self.tensors, residency)
            words = [buffer_words(self.hardware, tiling) for tiling in pareto]
            self.pareto_sets[key] = words, pareto
        return self.pareto_sets[key]

    def _residency(self, number: int) -> Residency:
        task = self.tasks[number]
        return Residency(
            tuple(
                self.interleaves[v.tensor] if v.tensor in self.resident else 0 for v in task.reads
            ),
            task.target.tensor in self.resident,
            task.name in self.stored,
            len(self.wgt),
            len(self.par),
            self.network.images == 1 and len(self.stored) == len(self.tasks),
        )

    # -- where it lies -------------------------------------------------------------------------

    def _place(self, chosen: Sequence[Tiling]) -> Mapping[ActKey, int]:
        """Addresses in act. Buffers first live longer than they must, so that units overlap."""
        for image, results in ((True, True), (False, True), (False, False)):
            try:
                return allocate(
                    self._regions(chosen, image, results), self.hardware.act_words, self.unit
                )
            except DoesNotFitError:
                if not results:
                    raise
        raise AssertionError("unreachable")

    def _regions(
        self, chosen: Sequence[Tiling], image: bool, results: bool
    ) -> list[Region[ActKey]]:
        regions: list[Region[ActKey]] = [
            Region(name, self.tensors[name].size, *self._life(name))
            for name in sorted(self.resident)
        ]
        for number, tiling in enumerate(chosen):
            task = self.tasks[number]
            for buffer, words in tiling.buffers:
                first = last = number
                if results and buffer.role is Role.RESULT:
                    last = min(number + 1, len(self.tasks) - 1)
                is_source = buffer.role is Role.SOURCE
                if image and is_source and task.reads[buffer.source].tensor == self.network.image:
                    first, last = 0, len(self.tasks) - 1
                regions.append(Region(TaskBuffer(number, buffer), words, first, last))
        return regions


def _lives(network: Network) -> dict[str, tuple[int, int]]:
    """First and last task that writes or reads each tensor."""
    found: dict[str, tuple[int, int]] = {}
    for number, task in enumerate(network.tasks):
        for view in (*task.reads, task.target):
            first, _ = found.get(view.tensor, (number, number))
            found[view.tensor] = (first, number)
    return found


def _interleaves(hardware: HardwareConfig, network: Network) -> dict[str, int]:
    """L of each tensor, if it is resident: the greatest that a reader wants; alike for operands."""
    found = dict.fromkeys(network.tensors, 1)
    pairs: list[Sequence[View]] = []
    for task in network.tasks:
        name = task.sources[0].tensor
        found[name] = max(found[name], wanted_interleave(hardware, task))
        if len(task.sources) == 2:
            pairs.append(task.sources)
    changed = True
    while changed:
        changed = False
        for first, second in pairs:
            most = max(found[first.tensor], found[second.tensor])
            changed |= found[first.tensor] != most or found[second.tensor] != most
            found[first.tensor] = found[second.tensor] = most
    return found
