"""A simulated engine, ready to run programs, and what its counters say of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Conv2d, Graph, macs, operations
from cnnaccel.report.measured import Measured
from cnnaccel.report.progress import silent, working
from cnnaccel.tools.simulation import require_simulator, simulated_bitstream
from cnnaccel.tools.verilate import Trace


class SimulatedEngine:
    """A simulated board with an engine loaded.

    console: shows that the engine is compiled, which takes a while the first time. stalls: share of
    the handshakes with DRAM that chance holds up. trace: format of waves that it can write.

    Raises:
        ToolError: pynq, verilator or g++ is missing.
    """

    def __init__(
        self,
        hardware: HardwareConfig,
        console: Console | None = None,
        stalls: float = 0.0,
        trace: Trace | None = None,
    ) -> None:
        require_simulator()
        from cnnaccel.runtime.device import SimDevice  # pynq takes its time to import
        from cnnaccel.runtime.driver import Accelerator
        from cnnaccel.runtime.simulator import Timing

        self.hardware = hardware
        shown = console or silent()
        with working(shown, "preparing the simulated engine, built once for each board"):
            bitstream = simulated_bitstream(hardware, trace)
        timing = Timing(
            hardware.dram_latency_cycles,
            round(1000 * hardware.dram_bytes_per_cycle / hardware.input_lanes),
            hardware.dram_outstanding,
            stall_permille=round(1000 * stalls),
        )
        self.memory = f"{timing.latency} cycles of latency, {hardware.dram_share:.0%} of the bus"
        if stalls:
            self.memory += f", {stalls:.0%} of all handshakes held up"
        architecture = hardware.device.family.architecture
        self.device = SimDevice(timing, memory_bytes=1 << 30, arch=architecture)
        self.accelerator = Accelerator(bitstream, self.device)

    def run(
        self, program: Path, images: npt.NDArray[np.uint8], progress: Callable[[int], None]
    ) -> npt.NDArray[Any]:
        """[N, K, P, Q] of the program in a folder."""
        self.accelerator.load(program)
        return self.accelerator.run(images, progress)

    def measured(self, graph: Graph, images: int) -> Measured:
        """Figures of the last run."""
        engine = self.accelerator
        return measure(self.hardware, graph, images, engine.counters, engine.host_seconds)


def measure(
    hardware: HardwareConfig,
    graph: Graph,
    images: int,
    counters: Mapping[str, int],
    host_seconds: float,
) -> Measured:
    """Figures of a network, from the counters of a run."""
    useful = sum(macs(layer) for layer in graph.layers if isinstance(layer, Conv2d))
    return Measured(hardware, images, useful, operations(graph), dict(counters), host_seconds)
