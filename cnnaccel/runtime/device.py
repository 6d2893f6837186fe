"""A board made of Verilator: a device of pynq whose logic is the simulated engine.

Its bitstream is the library that Verilator and g++ made, its memory an array. What a driver may
forget on a board it may not forget here: the engine sees what was flushed, the host what it
invalidated. The processing system has what pynq touches: its clocks, and an interrupt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pynq.buffer import PynqBuffer
from pynq.interrupt import _InterruptController
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynq.pl_server.device import Device
from pynq.ps import Clocks
from pynqmetadata.frontends import Metadata

from cnnaccel.errors import EngineError
from cnnaccel.runtime import layout
from cnnaccel.runtime.driver import ENGINE
from cnnaccel.runtime.simulator import Simulator, Timing

BASE = 0x1000_0000
"""Physical address of the memory."""
_PAGE = 4096
_CONTROL = layout.REGISTERS["control"][0]
_STATUS = layout.REGISTERS["status"][0]
_CLOCKS = {
    "armv7l": {0xF800_0100: 40 << 12, 0xF800_0104: 32 << 12, 0xF800_0108: 20 << 12},
    "aarch64": {0xFF5E_0020: 0x2D00, 0xFF5E_0028: 0x2D00, 0xFD1A_002C: 0x2D00},
}
"""PLL registers by address, from 50 MHz on Zynq-7000, from 33.3 MHz on UltraScale+."""


class SimDevice(Device):  # type: ignore[misc]
    """A board with one engine, the one of the overlay that was loaded last.

    memory_bytes: what the kernel keeps contiguous for such buffers. cycles_per_poll: how far the
    engine gets while a host asks for its status once. arch: of the processing system.
    """

    def __init__(
        self,
        timing: Timing | None = None,
        memory_bytes: int = 128 << 20,
        cycles_per_poll: int = 50_000,
        arch: str = "armv7l",
    ) -> None:
        super().__init__("cnnaccel simulator")
        self.name = "cnnaccel simulator"
        self.arch = arch
        self.capabilities = {"REGISTER_RW": True, "MEMORY_MAPPED": False}
        self.timing = timing or Timing()
        self.cycles_per_poll = cycles_per_poll
        self.default_memory = _Memory(self, memory_bytes)
        self.simulator: Simulator | None = None
        self.bitfile_name = self.timestamp = ""
        self._system = dict(_CLOCKS[arch])
        self._interrupts = _InterruptLines()
        self._engine = self._controller = -1
        self._waits = False  # a poll lets time pass
        self.on_start: Callable[[Simulator], None] = lambda _: None
        """Is called before a program starts, to record or trace what follows."""
        Device.active_device = self
        if "_real_instance" in vars(Clocks):  # pynq keeps the clocks of the first device it met
            del Clocks._real_instance

    # -- what pynq calls ---------------------------------------------------------------------------

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """What the `.hwh` beside a bitstream says."""
        return RuntimeMetadataParser(Metadata(input=str(Path(bitfile_name).with_suffix(".hwh"))))

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Start the engine that the file holds; memory stays as it is."""
        for ip in parser.ip_dict.values():
            if ENGINE in ip["type"]:
                self._engine = ip["phys_addr"]
            if ":axi_intc:" in ip["type"]:
                self._controller = ip["phys_addr"]
        path = Path(bitstream.bitfile_name)
        self.simulator = Simulator(path, self.default_memory.dram, BASE, self.timing)
        self._waits = False
        for controller in parser.interrupt_controllers.values():
            _InterruptController._uio_devices[controller["raw_irq"]] = _Uio(self)
        self.post_download(bitstream, parser)

    def read_registers(self, address: int, length: int) -> bytes:
        """The bytes behind some addresses."""
        words = (self._read(address + at) for at in range(0, length, 4))
        return b"".join(word.to_bytes(4, "little") for word in words)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write bytes there, in whole words."""
        for at in range(0, len(data), 4):
            self._write(address + at, int.from_bytes(data[at : at + 4], "little"))

    def flush(self, bo: int, offset: int, virtual_address: int, nbytes: int) -> None:
        """Let the engine see what the host wrote."""
        self.default_memory.copy(bo + offset, nbytes, to_dram=True)

    def invalidate(self, bo: int, offset: int, virtual_address: int, nbytes: int) -> None:
        """Let the host see what the engine wrote."""
        self.default_memory.copy(bo + offset, nbytes, to_dram=False)

    # -- addresses ---------------------------------------------------------------------------------

    def running(self) -> Simulator:
        """The engine of the overlay that is loaded.

        Raises:
            EngineError: none is.
        """
        if self.simulator is None:
            raise EngineError("no bitstream is loaded on the simulated board")
        return self.simulator

    def _read(self, address: int) -> int:
        if 0 <= address - self._engine < 256:
            offset, simulator = address - self._engine, self.running()
            if offset == _STATUS and self._waits:
                simulator.run(self.cycles_per_poll)
            value = simulator.read(offset)
            if offset == _STATUS:
                self._waits = bool(value & layout.STATUS_BUSY)
            return value
        if 0 <= address - self._controller < 32:
            return self._interrupts.read(address - self._controller, self.line())
        return self._system.get(address, 0)

    def _write(self, address: int, value: int) -> None:
        if 0 <= address - self._engine < 256:
            if address - self._engine == _CONTROL:
                self._waits = bool(value & layout.CONTROL_START)
                if self._waits:
                    self.on_start(self.running())
            self.running().write(address - self._engine, value)
        elif 0 <= address - self._controller < 32:
            self._interrupts.write(address - self._controller, value)
        else:
            self._system[address] = value

    def line(self) -> bool:
        """Whether the engine interrupts."""
        return self.running().interrupt

    def interrupted(self) -> bool:
        """Whether the processing system sees an interrupt."""
        return self._interrupts.pending(self.line())


class _Buffer(PynqBuffer):  # type: ignore[misc]
    """May be freed again, which pynq's own may not be off a board."""

    pointer = 0  # of views, which own nothing

    def freebuffer(self) -> None:
        if self.pointer:
            self.return_to.return_pointer(self.pointer)
            self.pointer = 0


class _Memory:
    """Contiguous buffers in one array, first fit; the host's view of it, and the engine's."""

    def __init__(self, device: SimDevice, size: int) -> None:
        self.device = device
        self.dram = np.zeros(size, np.uint8)
        """Memory as the engine sees it."""
        self.cached = np.zeros(size, np.uint8)
        """Memory as the host sees it."""
        self.used: dict[int, int] = {}  # size by offset

    def allocate(self, shape: Any, dtype: Any, cacheable: bool = True, **_: Any) -> _Buffer:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        at = _PAGE  # nobody gets address 0
        for start in sorted(self.used):
            if start - at >= size:
                break
            at = _pages(start + self.used[start])
        if at + size > len(self.dram):
            raise MemoryError(f"{len(self.dram):,} bytes in all, {sum(self.used.values()):,} used")
        self.used[at] = max(size, 1)
        buffer = _Buffer(
            shape, dtype, buffer=self.cached, offset=at, device=self.device,
            device_address=BASE + at, bo=at, coherent=False,
        )  # fmt: skip
        buffer.pointer, buffer.return_to = at, self
        return buffer

    def return_pointer(self, at: int) -> None:
        """A buffer is not used any more."""
        del self.used[at]

    def copy(self, at: int, size: int, to_dram: bool) -> None:
        source, target = (self.cached, self.dram) if to_dram else (self.dram, self.cached)
        target[at : at + size] = source[at : at + size]


class _InterruptLines:
    """AXI INTC with one level-sensitive input, as far as pynq uses it."""

    def __init__(self) -> None:
        self.status = self.enable = self.master = 0

    def pending(self, line: bool) -> bool:
        self.status |= line
        return bool(self.status & self.enable and self.master == 3)

    def read(self, offset: int, line: bool) -> int:
        self.status |= line
        values = {0x00: self.status, 0x04: self.status & self.enable, 0x08: self.enable}
        return values.get(offset, self.master if offset == 0x1C else 0)

    def write(self, offset: int, value: int) -> None:
        if offset == 0x08:
            self.enable = value
        elif offset == 0x0C:  # acknowledge
            self.status &= ~value
        elif offset == 0x10:
            self.enable |= value
        elif offset == 0x14:
            self.enable &= ~value
        elif offset == 0x1C:
            self.master = value


class _Uio:
    """What the kernel's interrupt is to pynq: sets an event, once, when it comes."""

    def __init__(self, device: SimDevice) -> None:
        self.device = device
        self.tasks: set[asyncio.Task[None]] = set()

    def add_event(self, event: Any, number: int) -> None:
        task = asyncio.get_event_loop().create_task(self._wait(event))
        self.tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self.tasks.discard)

    async def _wait(self, event: Any) -> None:
        while not self.device.interrupted():
            self.device.running().run(self.device.cycles_per_poll)
            await asyncio.sleep(0)
        event.set()


def _pages(size: int) -> int:
    """Rounded up."""
    return -(-size // _PAGE) * _PAGE
