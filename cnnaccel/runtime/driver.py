"""An engine on an overlay: loads networks, runs images, tells what it is doing.

The same on a board and on the simulated device, which differ in `pynq`'s device alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pynq

from cnnaccel.errors import EngineError, ProgramError
from cnnaccel.runtime import fpga, layout
from cnnaccel.runtime.folder import find_network
from cnnaccel.runtime.images import as_images
from cnnaccel.runtime.network import Network, load_network
from cnnaccel.runtime.preflight import contiguous_memory

if TYPE_CHECKING:
    import numpy.typing as npt

ENGINE = ":cnnaccel_engine:"
"""Part of the type of the engine's IP, which is vendor:library:name:version."""
_CHUNK_BYTES = 32 << 20
"""Most bytes of images or results in one run of the engine: contiguous memory is scarce."""
_SPIN_SECONDS = 0.002
_SLEEP_SECONDS = 0.0005
_REST_SECONDS = 1.0
"""Time for DRAM to end what is under way when a run is broken off."""
_NOT_LOADED = "verlay is not downloaded"
"""Part of what pynq says where it keeps no record of an overlay."""
_LACK = re.compile(r"alloc\w* failed|failed to alloc|cannot allocate memory", re.IGNORECASE)
"""What XRT says where memory is short: pynq 2.7 and 3.0 `Allocate failed: -1`, 3.1 `BO allocation
failed: ...`."""
_INTERRUPTS = layout.INTERRUPT_ENABLE_DONE | layout.INTERRUPT_ENABLE_FAILED
_MOVING = ("iteration", "steps", "read_bytes", "written_bytes")
"""Registers of which one changes while an engine works."""


class Engine:
    """An engine behind its registers, and the network that is loaded.

    where: how messages call it. registers: an MMIO of pynq. place: their physical address, and
    their bytes. folder: of the networks that `load` knows by name. device: of pynq, else its active
    one. timeout_seconds: how long an engine may do nothing.

    Raises:
        EngineError: what answers is no engine, or one of another format.
    """

    def __init__(
        self,
        where: str,
        registers: Any,
        place: tuple[int, int],
        folder: Path,
        device: Any = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        self.registers, self.place, self.folder = registers, place, folder
        self.device, self.timeout_seconds = device, timeout_seconds
        self.network: Network | None = None
        self.loaded_from: Path | None = None
        """The folder of the network, as `load` found it."""
        self.counters: dict[str, int] = {}
        """Counters of the last `run`: sums over its starts."""
        self.host_seconds = 0.0
        """Time of the last `run` in which the engine had nothing to do."""
        self.load_seconds = 0.0
        """Time of the last `load`: what it takes to switch to another network."""
        self.buffers: dict[str, Any] = {}
        self._kept: dict[str, int] = {}  # registers that a loaded overlay must have again
        self._skipped = 0  # instructions of section once, in this run
        self._resident = False  # the chip holds the weights of the network
        if self.read("id") != layout.MAGIC:
            raise EngineError(
                f"{where}: at 0x{self.place[0]:08x} answers 0x{self.read('id'):08x}, no "
                "engine; is the bitstream that of this .hwh, and is it loaded?"
            )
        if self.read("version") != layout.FORMAT_VERSION:
            raise EngineError(
                f"{where}: engine of format version {self.read('version')}, this runtime "
                f"speaks {layout.FORMAT_VERSION}; build the bitstream again"
            )
        self.digest = self.read("digest")
        self.reset()

    def read(self, name: str) -> int:
        """The value of a register; of 64 bits one word after the other."""
        at, words = layout.REGISTERS[name]
        return sum(int(self.registers.read(at + 4 * i)) << 32 * i for i in range(words))

    def write(self, name: str, value: int) -> None:
        """Set a register."""
        if name != "control":
            self._kept[name] = value
        at, words = layout.REGISTERS[name]
        for i in range(words):
            self.registers.write(at + 4 * i, value >> 32 * i & 0xFFFFFFFF)

    def reset(self) -> None:
        """Stop what runs and forget it; registers and memory stay.

        Raises:
            EngineError: memory does not answer what is under way.
        """
        if not self._rests(self.timeout_seconds):
            raise EngineError(f"the engine does not end its reset: {self.activity()}")

    def _rests(self, seconds: float) -> bool:
        """Reset, and wait so long for DRAM to end what is under way; whether it did."""
        self.write("control", layout.CONTROL_RESET)
        until = time.monotonic() + seconds
        while self.read("status"):
            if time.monotonic() > until:
                return False
        return True

    def load(self, folder: str | Path) -> Network:
        """Take over the program in a folder: into memory, not yet to the engine.

        folder: or the name of a network in the folder of the bitstream.

        Raises:
            ProgramError: its files are damaged, or made for another engine; no such network.
            EngineError: there is not enough memory.
        """
        started = time.perf_counter()
        if not Path(folder).is_dir():
            folder = find_network(self.folder, str(folder))
        network = load_network(folder)
        self.take(network, folder)
        self.loaded_from = Path(folder)
        self.load_seconds = time.perf_counter() - started
        return network

    def take(self, network: Network, where: str | Path) -> None:
        """Take over a network that has been read, as `load` does. where: for messages."""
        if network.header["digest"] != self.digest:
            raise ProgramError(
                f"{where}: made for hardware {network.header['digest']:016x}, this engine is "
                f"{self.digest:016x}; compile for this board, or load its own bitstream"
            )
        self.network, self._resident = None, False
        self.buffers.clear()
        self._put("program", network.sections)
        self._put("weights", network.weights)
        self._allocate("scratch", network.header["scratch_bytes"])
        for name in ("body_bytes", "input_stride", "output_stride"):
            self.write(name, network.header[name])
        self.network = network

    def run(self, images: Any, progress: Callable[[int], None] | None = None) -> npt.NDArray[Any]:
        """Results [N, K, P, Q] of images; progress: is told how many are done.

        images: uint8[N, C, H, W], or one image, or what else `images.as_images` takes, as the name
        of a picture.

        Raises:
            EngineError: nothing is loaded, the engine stopped with an error, or does not go on.
            ProgramError: images of another shape or type than the network's.
            DataError: a picture that is broken, or whose pixels would be guessed.
        """
        if self.network is None:
            raise EngineError("no network is loaded; call load first")
        header, ports = self.network.header, self.network.ports
        images = as_images(images, ports.input_shape, self.network.preprocessing)
        largest = max(header["input_stride"], header["output_stride"])
        chunk = max(1, _CHUNK_BYTES // largest) * ports.images
        self.counters = dict.fromkeys(layout.COUNTERS, 0)
        self.host_seconds = -time.perf_counter()
        parts = []
        for at in range(0, len(images), chunk):
            some = images[at : at + chunk]

            def tell(iterations: int, first: int = at) -> None:
                if progress is not None:
                    progress(min(first + iterations * ports.images, len(images)))

            parts.append(ports.unpack(self.run_packed(ports.pack(some), tell), len(some)))
        results: npt.NDArray[Any] = np.concatenate(
            parts or [ports.unpack(np.zeros(0, np.uint8), 0)]
        )
        self.host_seconds += time.perf_counter()
        return results

    def run_packed(
        self, packed: npt.NDArray[np.uint8], tell: Callable[[int], None] = lambda _: None
    ) -> npt.NDArray[np.uint8]:
        """The bytes of OUTPUT for those of INPUT, whole iterations, by one start.

        Counters are added to those of the run before. Raises: as `run`.
        """
        assert self.network is not None
        self.reset()
        header = self.network.header
        count = len(packed) // header["input_stride"]
        self._put("input", packed)
        size = count * header["output_stride"]
        target = self._allocate("output", size)
        self._begin_at_weights(header)
        self.write("count", count)
        self.write("interrupt_status", _INTERRUPTS)
        self.write("interrupt_enable", _INTERRUPTS)
        self.host_seconds += time.perf_counter()
        try:
            self.write("control", layout.CONTROL_START)
            self._wait(tell)
        except BaseException:  # whoever ends this may free memory that the engine still writes
            self._rests(_REST_SECONDS)
            raise
        self._resident = True
        self.host_seconds -= time.perf_counter()
        for name in layout.COUNTERS:
            self.counters[name] = self.counters.get(name, 0) + self.read(name)
        target.invalidate()
        return np.array(target[:size])

    def scratch(self) -> npt.NDArray[np.uint8]:
        """The bytes of SCRATCH, as the last start left them."""
        assert self.network is not None
        buffer = self.buffers["scratch"]
        buffer.invalidate()
        return np.array(buffer[: self.network.header["scratch_bytes"]])

    def _begin_at_weights(self, header: dict[str, int]) -> None:
        """Section once, or what of it is left to do while the chip holds the weights."""
        whole, again = header["once_bytes"], header["again_bytes"]
        skipped = whole - again if self._resident else 0
        self.write("program_address", self.buffers["program"].device_address + skipped)
        self.write("once_bytes", whole - skipped)
        self._skipped = header["once_instructions"] - header["again_instructions"]
        self._skipped *= self._resident
        self._resident = False  # unless this run ends well

    def _wait(self, tell: Callable[[int], None]) -> None:
        """Wait for the end of a run, and tell how many iterations have ended."""
        started = changed = time.monotonic()
        seen = None
        while self.read("status") & layout.STATUS_BUSY:
            now = time.monotonic()
            moving = [self.read(name) for name in _MOVING]
            if moving != seen:
                seen, changed = moving, now
                tell(max(0, moving[0] - 1))
            elif now - changed > self.timeout_seconds:
                raise EngineError(
                    f"the engine has done nothing for {self.timeout_seconds:g} s: {self.activity()}"
                )
            if now - started > _SPIN_SECONDS:
                time.sleep(_SLEEP_SECONDS)
        if self.read("status") != layout.STATUS_DONE:
            raise EngineError(self._failure())

    def _failure(self) -> str:
        assert self.network is not None
        code = self.read("error")
        name = self.network.instruction(self._skipped + self.read("failing_instruction"))
        return (
            f"the engine stopped with error {code}, {layout.ERRORS.get(code, 'unknown')}, at "
            f"instruction {name}, iteration {self.read('iteration')}; it is reset, and the next "
            "run begins anew"
        )

    def activity(self) -> str:
        """What each unit does or waits for, in words."""
        waiting = self.read("waiting")
        found = [meaning for bit, meaning in layout.WAITING.items() if waiting & bit]
        return "; ".join(found) or "it is at rest"

    def _put(self, name: str, data: Any) -> Any:
        """A buffer that begins with these bytes, which the engine sees."""
        values = np.frombuffer(data, np.uint8)
        buffer = self._allocate(name, len(values))
        buffer[: len(values)] = values
        buffer.flush()
        return buffer

    def _allocate(self, name: str, size: int) -> Any:
        """A buffer of so many bytes at least, kept for the next time; the engine is told of it."""
        buffer = self.buffers.get(name)
        if buffer is None or len(buffer) < size:
            self.buffers.pop(name, None)
            self.buffers[name] = buffer = self._contiguous(name, max(size, 1))
        self.write(f"{name}_address", buffer.device_address)
        if name != "program":
            self.write(f"{name}_bytes", size)
        return buffer

    def _contiguous(self, name: str, size: int) -> Any:
        """A new buffer. Where pynq gives none before it has loaded an overlay itself, it does.

        Raises:
            EngineError: there is none, and why.
        """
        for again in (False, True):
            try:
                return pynq.allocate((size,), np.uint8, target=self.device)
            except (MemoryError, RuntimeError, OSError) as error:
                reason = error
            if again or _NOT_LOADED not in str(reason) or not self._download():
                break
            for register, value in list(self._kept.items()):
                self.write(register, value)
            self.reset()
            self._resident = False
        raise EngineError(_why_no_memory(name, size, reason)) from None

    def _download(self) -> bool:
        """Load the bitstream again; whether that could be done."""
        return False


class Accelerator(Engine):
    """The engine of a bitstream, which is loaded.

    bitstream: path of a `.bit` with its `.hwh` beside. device: of pynq, else its active one.
    download: off where the bitstream is loaded already. timeout_seconds: how long an engine may do
    nothing.

    Raises:
        EngineError: no such file, no engine in it, or one of another format; or the FPGA holds no
            bitstream, or another one.
    """

    def __init__(
        self,
        bitstream: str | Path,
        device: Any = None,
        download: bool = True,
        timeout_seconds: float = 10.0,
    ) -> None:
        bitstream = Path(bitstream)
        if not bitstream.with_suffix(".hwh").is_file() or not bitstream.is_file():
            raise EngineError(f"{bitstream}: needs this file and its .hwh beside it")
        if not download:
            fpga.require_loaded(bitstream)
        self.overlay = pynq.Overlay(str(bitstream), download=download, device=device)
        fpga.require_configured("loading the bitstream failed; `dmesg` on the board says why")
        found = [ip for ip in self.overlay.ip_dict.values() if ENGINE in ip["type"]]
        if len(found) != 1:
            kinds = ", ".join(sorted(ip["type"] for ip in self.overlay.ip_dict.values()))
            raise EngineError(f"{bitstream}: has {len(found)} engines of cnnaccel among {kinds}")
        place = int(found[0]["phys_addr"]), int(found[0]["addr_range"])
        registers = pynq.MMIO(*place, device=device)
        super().__init__(
            str(bitstream), registers, place, bitstream.parent, device, timeout_seconds
        )

    def _download(self) -> bool:
        self.overlay.download()
        return True


def _why_no_memory(name: str, size: int, reason: Exception) -> str:
    """What pynq or XRT said, and the way out where it is that memory is short."""
    if not isinstance(reason, MemoryError) and not _LACK.search(str(reason)):
        return f"pynq allocates no {size:,} bytes for {name}: {reason}"
    have = contiguous_memory()
    free = f"; {have[0]:,} of {have[1]:,} bytes of CMA are free" if have else ""
    return (
        f"no {size:,} bytes of contiguous memory for {name} ({reason}{free}); end other programs "
        "that use the FPGA, run fewer images at a time, or reboot the board with a larger cma= in "
        "its bootargs"
    )
