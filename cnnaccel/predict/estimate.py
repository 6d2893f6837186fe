"""Predicted cycles and bytes of a program: the units played against the clock.

Cycles of a nest follow its drain (`execute.cost`); a transfer takes its bytes at the speed of the
bus, instructions included, and begins after the latency of a read. Nothing here was measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cnnaccel.compiler.compile import Compiled
from cnnaccel.compiler.emit.transfers import transfer_bytes
from cnnaccel.compiler.plan.tiling import region_unit, round_up, unfold_cycles
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.execute import cost
from cnnaccel.isa.instructions import Compute, Instruction, Load, Opcode, Store, Unit
from cnnaccel.isa.latency import ISSUE_CYCLES, PIPELINE_CYCLES
from cnnaccel.isa.program import Note

_ITERATIONS = 3
"""Iterations that are played; all later ones keep the pace of the last."""
_START_CYCLES = 12
"""Cycles from start to the address of the first instruction."""
_AHEAD_BYTES = 1024
"""Bytes of instructions that are read before the first word of the first load: what fetch holds."""


@dataclass(frozen=True)
class Usage:
    """Figures of one layer over one iteration."""

    layer: str
    macs: int
    """Useful multiply-accumulates; those of depthwise layers are not counted."""
    compute_cycles: int
    """Cycles in which the layer's nests hold the array."""
    load_wait: int
    """Cycles in which compute waits for load."""
    store_wait: int
    drain_wait: int
    """Cycles in which compute waits for its own last write."""
    issue_cycles: int
    """Cycles in which compute begins the layer's instructions."""
    read_bytes: int
    written_bytes: int
    instruction_bytes: int
    act_words: int
    """Words of act in use while the layer runs: buffers, and all that stays there."""
    wgt_words: int
    """Words of wgt in use: resident weights, and the buffers that the layer's own pass through."""
    span_cycles: int
    """Cycles from the layer's instructions of compute to the next layer's, as `simulate` measures
    them: what the next one waits for before it begins counts here."""

    @property
    def cycles(self) -> int:
        """Cycles of the layer: its nests, its waits, and those in which its instructions begin."""
        waits = self.load_wait + self.store_wait + self.drain_wait
        return self.compute_cycles + waits + self.issue_cycles

    @property
    def dram_bytes(self) -> int:
        """Bytes of DRAM, the layer's instructions included."""
        return self.read_bytes + self.written_bytes + self.instruction_bytes


@dataclass(frozen=True)
class Estimate:
    """The prediction for a program; figures are of an iteration, which computes `images` images."""

    hardware: HardwareConfig
    images: int
    operations: int
    """2 for each multiply-accumulate of the network, depthwise ones too, of one image."""
    cycles: int
    """Cycles from iteration to iteration."""
    start_cycles: int
    """Cycles of section once, from start."""
    first_cycles: int
    """Cycles of the first iteration after section once."""
    alone_cycles: int
    """Cycles of a single iteration from start to done, weights on the chip: its images' latency."""
    layers: tuple[Usage, ...]

    def run_cycles(self, iterations: int) -> int:
        """Cycles from start to done, section once included."""
        return self.start_cycles + self.first_cycles + (iterations - 1) * self.cycles

    @property
    def cycles_per_image(self) -> float:
        """Cycles per image at the pace of a batch."""
        return self.cycles / self.images

    @property
    def compute_cycles(self) -> float:
        """Cycles of an image's nests alone, nothing waiting."""
        return sum(usage.compute_cycles for usage in self.layers) / self.images

    @property
    def frames_per_second(self) -> float:
        """Images per second at the clock of the configuration."""
        return self.hardware.clock_mhz * 1e6 / self.cycles_per_image

    @property
    def latency_us(self) -> float:
        """Microseconds from start to the results of a single iteration, weights on the chip."""
        return self.alone_cycles / self.hardware.clock_mhz

    @property
    def gops(self) -> float:
        """Operations per second, in 10**9."""
        return self.operations * self.frames_per_second / 1e9

    @property
    def peak_gops(self) -> float:
        """Operations per second that the array could do, in 10**9."""
        return 2 * self.hardware.peak_macs * self.hardware.clock_mhz / 1e3

    @property
    def bus_gbytes(self) -> float:
        """Bytes that DRAM gives or takes per second, in 10**9."""
        return self.hardware.dram_bytes_per_cycle * self.hardware.clock_mhz / 1e3

    @property
    def dram_wait(self) -> float:
        """The share of all cycles in which compute waits for load or store."""
        return sum(usage.load_wait + usage.store_wait for usage in self.layers) / self.cycles

    @property
    def utilization(self) -> float:
        """Useful MACs as a share of what the array could do in the same cycles."""
        useful = sum(usage.macs for usage in self.layers)
        return useful / (self.cycles * self.hardware.peak_macs)

    @property
    def dram_bytes(self) -> float:
        """Bytes of DRAM per image, instructions included."""
        return sum(usage.dram_bytes for usage in self.layers) / self.images


def estimate(compiled: Compiled, operations: int) -> Estimate:
    """Play a program. operations: of one image; see `Estimate.operations`."""
    program, hardware = compiled.program, compiled.schedule.hardware
    once = len(program.once)
    alone = _Player(hardware)
    alone.play(program.again, program.notes[once - len(program.again) : once])
    alone.play(program.body, program.notes[once:])
    player = _Player(hardware)
    player.play(program.once, program.notes[:once])
    ends = [player.now()]
    for _ in range(_ITERATIONS):
        player.used, player.begun = {}, []
        player.play(program.body, program.notes[once:])
        ends.append(player.now())
    network = compiled.schedule.network
    macs = {task.name: task.macs * network.images for task in network.tasks}
    held = occupancy(compiled)
    pace = ends[-1] - ends[-2]
    lasts = spans(player.begun, player.begun[0][1] + pace) if player.begun else {}
    layers = [
        Usage(
            layer,
            macs.get(layer, 0),
            used.compute,
            round(used.load_wait),
            round(used.store_wait),
            round(used.drain_wait),
            used.issue,
            used.read_bytes,
            used.written_bytes,
            used.instruction_bytes,
            *held.get(layer, (0, 0)),
            round(lasts.get(layer, 0)),
        )
        for layer, used in player.used.items()
    ]
    return Estimate(
        hardware, network.images, operations, round(pace), round(ends[0]),
        round(ends[1] - ends[0]), round(alone.now()), tuple(layers),
    )  # fmt: skip


def spans(begun: Sequence[tuple[str, float]], end: float) -> dict[str, float]:
    """Cycles by layer: from each of its instructions to the next one, of the last one to `end`.

    begun: layer and cycle of every instruction of compute.
    """
    found: dict[str, float] = {}
    for (layer, at), (_, until) in zip(begun, [*begun[1:], ("", end)], strict=False):
        found[layer] = found.get(layer, 0) + until - at
    return found


def occupancy(compiled: Compiled) -> Mapping[str, tuple[int, int]]:
    """Words of act and of wgt in use while each layer runs."""
    chosen = compiled.schedule
    unit = region_unit(chosen.hardware)
    found: dict[str, tuple[int, int]] = {}
    for number, task in enumerate(chosen.network.tasks):
        tiling = chosen.tilings[number]
        act = sum(
            round_up(chosen.network.tensors[name].size, unit)
            for name in chosen.resident
            if number in chosen.lives[name]
        )
        act += sum(round_up(words, unit) for _, words in tiling.buffers)
        wgt = chosen.wgt_stream.start  # the resident ones
        if task.name not in chosen.stored:
            cut = tiling.cut
            wgt += tiling.slots[1] * max(task.wgt_words(cut.groups, part) for part in cut.parts)
        found[task.name] = act, wgt
        if task.addition is not None:
            found[task.addition.name] = act, wgt
    return found


@dataclass
class _Used:
    """Sums over the instructions of a layer."""

    layer: str
    compute: int = 0
    load_wait: float = 0.0
    store_wait: float = 0.0
    drain_wait: float = 0.0
    issue: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    instruction_bytes: int = 0


@dataclass
class _Player:
    """The time at which each unit is free, and at which tokens are given."""

    hardware: HardwareConfig
    free: dict[Unit, float] = field(init=False)
    drained: float = 0.0
    """When compute has written all it has begun."""
    bus: float = field(init=False)
    """When the last word of the last load has come."""
    stored: float = 0.0
    fetched: int = -_AHEAD_BYTES
    """Bytes of instructions that the next load waits behind."""
    tokens: dict[tuple[Unit, Unit], deque[float]] = field(default_factory=dict)
    used: dict[str, _Used] = field(default_factory=dict)
    begun: list[tuple[str, float]] = field(default_factory=list)
    """Layer and cycle of every instruction of compute."""

    def __post_init__(self) -> None:
        self.free = dict.fromkeys(Unit, _START_CYCLES + self.hardware.dram_latency_cycles)
        self.bus = self.free[Unit.LOAD] + _AHEAD_BYTES / self._speed

    def now(self) -> float:
        """When everything so far has ended."""
        return max(self.drained, self.bus, self.stored)

    def play(self, instructions: Sequence[Instruction], notes: Sequence[Note]) -> None:
        for instruction, note in zip(instructions, notes, strict=True):
            used = self.used.setdefault(note.layer, _Used(note.layer))
            used.instruction_bytes += instruction.BYTES
            self.fetched += instruction.BYTES
            unit = instruction.opcode.unit
            arrivals = {
                giver: self.tokens[giver, unit].popleft()
                for giver in Unit
                if giver in instruction.wait_for
            }
            match instruction:
                case Compute():
                    done = self._compute(instruction, arrivals, used)
                case Load():
                    done = self._load(instruction, arrivals, used)
                case Store():
                    done = self._store(instruction, arrivals, used)
            for taker in Unit:
                if taker in instruction.signal_to:
                    self.tokens.setdefault((unit, taker), deque()).append(done)

    def _compute(self, instruction: Compute, arrivals: Mapping[Unit, float], used: _Used) -> float:
        free = self.free[Unit.COMPUTE]
        ready = free
        if instruction.wait_drain:
            ready = max(ready, self.drained)
            used.drain_wait += ready - free
        start = max(ready, *arrivals.values()) if arrivals else ready
        if start > ready:
            late = max(arrivals, key=lambda giver: arrivals[giver])
            if late is Unit.LOAD:
                used.load_wait += start - ready
            else:
                used.store_wait += start - ready
        self.begun.append((used.layer, start))
        spent = cost(self.hardware.pixel_lanes, instruction)
        last = spent.last_drain
        nothing = instruction.opcode is Opcode.MAX and instruction.out_w == 0
        if not nothing:
            used.compute += spent.cycles - last
        used.issue += ISSUE_CYCLES
        self.free[Unit.COMPUTE] = start + spent.cycles - last + ISSUE_CYCLES
        self.drained = max(self.drained, start + spent.cycles + PIPELINE_CYCLES)
        return self.drained

    def _load(self, instruction: Load, arrivals: Mapping[Unit, float], used: _Used) -> float:
        start = max([self.free[Unit.LOAD], *arrivals.values()])
        moved = transfer_bytes(self.hardware, instruction)
        used.read_bytes += moved
        busy = moved / self._speed
        if instruction.opcode is Opcode.UNFOLD:
            unfolded = unfold_cycles(
                instruction.runs, instruction.columns, instruction.column_words,
                instruction.kernel_w, instruction.stride_x,
            )  # fmt: skip
            busy = max(busy, unfolded)
        busy += max(self.fetched, 0) / self._speed
        self.fetched = min(self.fetched, 0)
        self.bus = max(start + self.hardware.dram_latency_cycles, self.bus) + busy
        self.free[Unit.LOAD] = max(
            start + ISSUE_CYCLES, self.bus - self.hardware.dram_latency_cycles
        )
        return self.bus

    def _store(self, instruction: Store, arrivals: Mapping[Unit, float], used: _Used) -> float:
        start = max([self.free[Unit.STORE], *arrivals.values()])
        moved = transfer_bytes(self.hardware, instruction)
        used.written_bytes += moved
        self.free[Unit.STORE] = start + moved / self._speed + ISSUE_CYCLES
        self.stored = self.free[Unit.STORE] + self.hardware.dram_latency_cycles
        return self.stored

    @property
    def _speed(self) -> float:
        """Bytes per cycle."""
        return self.hardware.dram_bytes_per_cycle
