"""Engines that suit a network: many are compiled for, and the Pareto set is kept.

An engine is judged by frames per second in a batch, by the latency of one image, and by its area:
the largest share of the device's DSPs, BRAMs or LUTs that it takes. All are predictions; the clock
is that of the configuration, however large the engine.

Not every engine is compiled for. What is left out, all of it because a larger scratchpad should
never make a network slower:

- engines that take no less area than one with the same lanes and scratchpads at least as large;
- engines with smaller scratchpads than one that is too small for a layer, or whose program is too
  long to be of use;
- engines that could be at most 2 % better, in speed and latency, than one found that is no larger:
  with the same lanes and larger scratchpads none was.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context, parent_process
from threading import Thread

from cnnaccel.compiler.compile import choose, compile_graph, compile_schedule
from cnnaccel.compiler.plan.allocate import DoesNotFitError
from cnnaccel.compiler.plan.schedule import TooSmallError
from cnnaccel.errors import CnnaccelError, ProgramError
from cnnaccel.fields import FieldError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph, operations
from cnnaccel.predict.estimate import estimate

_CLOSE = 0.98
"""An engine is not compiled for where one found has this share of the best that it could be."""
_WAVE = 16
"""Engines compiled for before the next are chosen, on any number of processors."""
_MOST_INSTRUCTIONS = 1 << 16
"""Most instructions of an image; scratchpads far too small cut a network into millions of
pieces."""
_TOO_SMALL = "too small for a layer"
_TOO_LONG = f"with more than {_MOST_INSTRUCTIONS:,} instructions an image"
_NO_BETTER = "no better than one found"
_KIB = tuple(4 << n for n in range(11))
"""Sizes of scratchpads up to 4 MiB; the devices hold less."""


@dataclass(frozen=True)
class Sweep:
    """The values of parameters that are combined."""

    pixel_lanes: tuple[int, ...] = (1, 2, 4, 8)
    input_lanes: tuple[int, ...] = (4, 8, 16)
    output_times: tuple[int, ...] = (1, 2, 4)
    """K / C."""
    act_kib: tuple[int, ...] = _KIB
    wgt_kib: tuple[int, ...] = _KIB


@dataclass(frozen=True)
class Point:
    """An engine and what it is predicted to do with the network."""

    hardware: HardwareConfig
    images: int
    """Images in a batch."""
    frames_per_second: float
    latency_us: float
    """Microseconds of a single image, weights on the chip."""
    utilization: float

    @property
    def area(self) -> float:
        """The largest share of the device that it takes."""
        return area(self.hardware)

    def surpasses(self, other: Point) -> bool:
        """Whether this point is nowhere worse, and somewhere better."""
        own, its = self._goodness, other._goodness
        return own != its and all(a >= b for a, b in zip(own, its, strict=True))

    @property
    def _goodness(self) -> tuple[float, float, float]:
        return self.frames_per_second, -self.latency_us, -self.area


@dataclass(frozen=True)
class Exploration:
    """The result of a sweep over engines."""

    base: HardwareConfig
    points: tuple[Point, ...]
    """Every engine that was compiled for, by area."""
    front: tuple[Point, ...]
    """The Pareto set: engines that none surpasses, fastest first."""
    dropped: Mapping[str, int]
    """Number of engines that were not compiled for, or could not be, by reason."""


def explore(
    graph: Graph,
    base: HardwareConfig,
    progress: Callable[[int, int], None] = lambda done, total: None,
    sweep: Sweep = Sweep(),
) -> Exploration:
    """Engines on the device of `base`, with its clock and all else that is not swept.

    progress: told how many engines of how many are done with. The result is the same on any number
    of processors.

    Raises:
        CnnaccelError: no engine is any use, or a process ended before its work.
    """
    candidates, dropped = _candidates(base, sweep)
    search = _Search(candidates, dropped)
    with _workers() as pool:
        while wave := search.next_wave():
            futures = [pool.submit(measure, graph, hardware) for hardware in wave]
            for hardware, future in zip(wave, futures, strict=True):
                try:
                    search.add(hardware, future.result())
                except BrokenProcessPool:
                    raise CnnaccelError(
                        "a process that compiled ended before its work; is there enough memory?"
                    ) from None
                progress(search.done, len(candidates))
    progress(len(candidates), len(candidates))
    points = tuple(search.points)
    if not points:
        reasons = "; ".join(f"{count:,} {why}" for why, count in sorted(dropped.items()))
        raise CnnaccelError(f"'{graph.name}': no engine on {base.part} computes it: {reasons}")
    return Exploration(base, points, pareto_front(points), dict(sorted(dropped.items())))


def measure(graph: Graph, hardware: HardwareConfig) -> Point | str:
    """The point of an engine, or the reason why it cannot run the network."""
    try:
        chosen = choose(graph, hardware)
        if chosen.instructions > _MOST_INSTRUCTIONS * chosen.network.images:
            return _TOO_LONG
        alone = batch = estimate(compile_schedule(graph, chosen), operations(graph))
        if batch.images > 1:
            alone = estimate(compile_graph(graph, hardware, images=1), operations(graph))
    except (TooSmallError, DoesNotFitError):
        return _TOO_SMALL
    except ProgramError as error:
        return str(error)
    best = max(batch, alone, key=lambda found: found.frames_per_second)
    return Point(hardware, best.images, best.frames_per_second, alone.latency_us, best.utilization)


def pareto_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that none surpasses, fastest first; of equal ones the first."""
    kept: dict[tuple[float, float, float], Point] = {}
    for point in points:
        if not any(other.surpasses(point) for other in points):
            kept.setdefault(point._goodness, point)
    return tuple(sorted(kept.values(), key=lambda point: point._goodness, reverse=True))


def area(hardware: HardwareConfig) -> float:
    """The largest share of DSPs, BRAMs or LUTs of its device that an engine takes."""
    take, have = hardware.estimated_resources, hardware.device
    return max(take.dsp / have.dsp, take.bram36 / have.bram36, take.lut / have.lut)


def yaml_line(hardware: HardwareConfig, board: HardwareConfig) -> str:
    """The line of YAML that makes the engine of a board this one, as `overrides: {pixel_lanes: 8,
    wgt_kib: 64}`."""
    changed = [
        f"{field.name}: {json.dumps(getattr(hardware, field.name))}"
        for field in dataclasses.fields(HardwareConfig)
        if "internal" not in field.metadata
        and getattr(hardware, field.name) != getattr(board, field.name)
    ]
    return f"overrides: {{{', '.join(changed)}}}"


def _candidates(base: HardwareConfig, sweep: Sweep) -> tuple[list[HardwareConfig], Counter[str]]:
    """Engines that fit the device, and how many do not."""
    found, dropped = [], Counter[str]()
    for p, c, times, act, wgt in product(
        sweep.pixel_lanes, sweep.input_lanes, sweep.output_times, sweep.act_kib, sweep.wgt_kib
    ):
        try:
            hardware = dataclasses.replace(
                base, pixel_lanes=p, input_lanes=c, output_lanes=c * times, act_kib=act, wgt_kib=wgt
            )
        except FieldError as error:
            dropped[f"with {error.field} that no engine has"] += 1
            continue
        if exceeds := hardware.exceeds():
            _, _, have = exceeds[0].partition(" of ")
            dropped[f"with more than {have}"] += 1
        else:
            found.append(hardware)
    return found, dropped


class _Search:
    """Chooses what to compile for next: first the largest scratchpads, then by rising area."""

    def __init__(self, candidates: Sequence[HardwareConfig], dropped: Counter[str]) -> None:
        self.points: list[Point] = []
        self.dropped = dropped
        self.done = 0
        self.failed: list[tuple[HardwareConfig, str]] = []
        useful = [own for own in candidates if not self._pointless(own, candidates)]
        self._drop(_NO_BETTER, len(candidates) - len(useful))
        self.largest = [
            own for own in useful if not any(_has_room_of(other, own) for other in useful)
        ]
        self.others = sorted(set(useful) - set(self.largest), key=_order)

    def next_wave(self) -> list[HardwareConfig]:
        """Empty at the end."""
        if self.largest:
            wave, self.largest = self.largest, []
            return wave
        wave = []
        while self.others and len(wave) < _WAVE:
            hardware = self.others.pop(0)
            failed = [why for other, why in self.failed if _has_room_of(other, hardware)]
            if failed:
                self._drop(failed[0])
            elif self._surpassed(hardware):
                self._drop(_NO_BETTER)
            else:
                wave.append(hardware)
        return wave

    def add(self, hardware: HardwareConfig, found: Point | str) -> None:
        """Take in the result of an engine of the last wave."""
        self.done += 1
        if isinstance(found, str):
            self.dropped[found] += 1
            if found in (_TOO_SMALL, _TOO_LONG):
                self.failed.append((hardware, found))
        else:
            self.points.append(found)
            self.points.sort(key=lambda point: _order(point.hardware))

    def _drop(self, reason: str, count: int = 1) -> None:
        if count:
            self.dropped[reason] += count
            self.done += count

    def _pointless(self, own: HardwareConfig, candidates: Sequence[HardwareConfig]) -> bool:
        return any(_has_room_of(other, own) and area(other) <= area(own) for other in candidates)

    def _surpassed(self, hardware: HardwareConfig) -> bool:
        """Whether a point is as good as the best that this engine can be."""
        bounds = [point for point in self.points if _has_room_of(point.hardware, hardware)]
        if not bounds:
            return False
        fastest = min(point.frames_per_second for point in bounds)
        soonest = max(point.latency_us for point in bounds)
        size = area(hardware)
        return any(
            point.frames_per_second >= _CLOSE * fastest
            and _CLOSE * point.latency_us <= soonest
            and point.area <= size
            for point in self.points
        )


def _has_room_of(larger: HardwareConfig, smaller: HardwareConfig) -> bool:
    """Whether one engine is the other but for scratchpads, of which one at least is larger."""
    room = larger.act_kib, larger.wgt_kib
    least = smaller.act_kib, smaller.wgt_kib
    return (
        larger.lanes == smaller.lanes
        and room != least
        and all(a >= b for a, b in zip(room, least, strict=True))
    )


def _order(hardware: HardwareConfig) -> tuple[float, ...]:
    return area(hardware), *hardware.lanes, hardware.act_kib, hardware.wgt_kib


@contextmanager
def _workers() -> Iterator[Executor]:
    """A process per processor; on any error those that work finish, and nothing else begins."""
    pool = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _start_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C ends a worker without a word, and none outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
