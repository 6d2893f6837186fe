"""The drawing of units over time, with the tokens that they give one another."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.isa.instructions import Compute, Load, Store, Unit
from cnnaccel.predict.estimate import _Player, _Used
from tests.pictures.shapes import Drawing
from tests.pictures.structure import BOARD, lenet


class Bar(NamedTuple):
    """When a unit is busy with an instruction, and when its last write has been done, in cycles."""

    unit: Unit
    layer: str
    start: float
    free: float
    done: float


class _Recorder(_Player):
    """The player of `estimate`, which notes when each instruction begins and ends."""

    def __init__(self, hardware: HardwareConfig) -> None:
        super().__init__(hardware)
        self.bars: list[Bar] = []

    def _compute(self, instruction: Compute, arrivals: Mapping[Unit, float], used: _Used) -> float:
        done = super()._compute(instruction, arrivals, used)
        begun = self.begun[-1][1]
        self.bars.append(Bar(Unit.COMPUTE, used.layer, begun, self.free[Unit.COMPUTE], done))
        return done

    def _load(self, instruction: Load, arrivals: Mapping[Unit, float], used: _Used) -> float:
        start = max([self.free[Unit.LOAD], *arrivals.values()])
        done = super()._load(instruction, arrivals, used)
        self.bars.append(Bar(Unit.LOAD, used.layer, start, done, done))
        return done

    def _store(self, instruction: Store, arrivals: Mapping[Unit, float], used: _Used) -> float:
        start = max([self.free[Unit.STORE], *arrivals.values()])
        done = super()._store(instruction, arrivals, used)
        self.bars.append(Bar(Unit.STORE, used.layer, start, done, done))
        return done


def played() -> tuple[list[Bar], list[tuple[int, int]]]:
    """LeNet's instructions of one iteration, and which of them give tokens to which."""
    program = lenet().program
    player = _Recorder(load_hardware(BOARD))
    once = len(program.once)
    player.play(program.once, program.notes[:once])
    player.play(program.body, program.notes[once:])
    waiting: dict[tuple[Unit, Unit], deque[int]] = {}
    tokens = []
    for number, one in enumerate((*program.once, *program.body)):
        unit = one.opcode.unit
        for other in Unit:
            if other in one.wait_for:
                tokens.append((waiting[other, unit].popleft(), number))
            if other in one.signal_to:
                waiting.setdefault((unit, other), deque()).append(number)
    return player.bars, tokens


def over_time() -> Drawing:
    """Units and tokens over time: the first images of a run of LeNet."""
    bars, tokens = played()
    first = len(lenet().program.once)
    begin, cycles = bars[first].start, 5_000
    drawing = Drawing(960, 330, "LeNet on the engine: units over time, and their tokens")
    drawing.text(24, 36, f"LeNet on {BOARD}: the first images of a run, as predicted", "bold")
    rows = {Unit.LOAD: 76, Unit.COMPUTE: 176}
    left, right = 110, 936

    def at(cycle: float) -> float:
        return left + (cycle - begin) / cycles * (right - left)

    for unit, y in rows.items():
        drawing.text(24, y + 24, str(unit.name).lower(), "bold")
    counts: dict[tuple[Unit, str], int] = {}
    shown = set()
    colours = {(Unit.LOAD, "conv1"): "memory", (Unit.COMPUTE, "conv1"): "chip"}
    for number in range(first, len(bars)):
        bar = bars[number]
        image = counts[bar.unit, bar.layer] = counts.get((bar.unit, bar.layer), 0) + 1
        if bar.unit not in rows or at(bar.free) > right:
            continue
        shown.add(number)
        what = "image" if bar.unit is Unit.LOAD else bar.layer
        drawing.box(
            colours.get((bar.unit, bar.layer), "file"),
            at(bar.start),
            rows[bar.unit],
            at(bar.free) - at(bar.start),
            40,
            what,
            str(image),
        )
    for giver, taker in tokens:
        if giver in shown and taker in shown:
            down = bars[giver].unit is Unit.LOAD
            y, to_y = (116, 175) if down else (176, 117)
            drawing.arrow((at(bars[giver].done), y), (at(bars[taker].start), to_y), css="token")
    for cycle in range(0, cycles + 1, 1_000):
        drawing.shapes.append(f'<path class="frame" d="M{at(begin + cycle):g} 240V246"/>')
        drawing.text(at(begin + cycle), 262, f"{cycle:,}", "mid small quiet")
    drawing.text(24, 262, "cycles", "small quiet")
    drawing.lines(
        24,
        292,
        "Red arrows are tokens. Down: the image is in act. Up: the buffer has been read, and the "
        "image after the next may come.",
        "There are two buffers for images, so loading runs beside computing, and compute waits "
        "for the first image alone.",
    )
    return drawing
