"""The engine as an attribute of an overlay, as users of PYNQ know it:

    from pynq import Overlay
    from cnnaccel.runtime import CnnaccelEngine

    overlay = Overlay("cnnaccel.bit")
    results = overlay.engine.run("photo.jpg")

pynq binds the class to the engine by its type. Where the package `cnnaccel-runtime` is installed,
pynq finds it without the second line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pynq import DefaultIP

from cnnaccel.runtime import fpga
from cnnaccel.runtime.driver import Engine
from cnnaccel.runtime.folder import find_network, networks_in
from cnnaccel.runtime.network import Network
from cnnaccel.runtime.results import Ranked, rank
from cnnaccel.runtime.samples import Samples, read_samples

if TYPE_CHECKING:
    import numpy.typing as npt

VLNV = "cnnaccel:user:cnnaccel_engine:1.0"
"""The type of the engine's IP."""


class CnnaccelEngine(DefaultIP):  # type: ignore[misc]
    """The engine of an overlay, with the networks in the folder of its bitstream.

    Raises:
        EngineError: the FPGA holds no bitstream, or what answers is no engine.
    """

    bindto = [VLNV]  # noqa: RUF012 - pynq reads it so

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description)
        fpga.require_configured("load the overlay again")
        bitstream = Path(str(getattr(self.device, "bitfile_name", "") or fpga.loaded()[0]))
        place = int(description["phys_addr"]), int(description["addr_range"])
        self.driver = Engine(str(bitstream), self.mmio, place, bitstream.parent, self.device)
        """The driver: registers, buffers, what the engine waits for."""

    @property
    def networks(self) -> list[str]:
        """The names of the networks that `load` knows."""
        return list(networks_in(self.driver.folder))

    @property
    def network(self) -> Network:
        """The network that is loaded; the one in the folder of the bitstream where none was yet.

        Raises:
            ProgramError: none was loaded, and there are several or none in that folder.
        """
        return self.driver.network or self.load()

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the last `run`, as `cycles`."""
        return self.driver.counters

    @property
    def load_seconds(self) -> float:
        """Time of the last `load`: what it takes to switch to another network."""
        return self.driver.load_seconds

    def load(self, name: str | Path | None = None) -> Network:
        """Switch to a network: by its name, or by its folder, or the only one there is.

        Raises:
            ProgramError: there is no such network, its files are damaged, or made for another
                engine.
            EngineError: there is not enough memory.
        """
        return self.driver.load(find_network(self.driver.folder) if name is None else name)

    def run(self, images: Any, progress: Callable[[int], None] | None = None) -> npt.NDArray[Any]:
        """Results of images, integers [N, K, P, Q]; of several, all values of an image in a row.

        images: names of picture files or of folders; arrays of pixels uint8[H, W], [H, W, 3] of any
        size; images as the network takes them, uint8[N, C, H, W] or one of them. progress: is told
        how many are done. Whoever interrupts it finds the engine reset, and may run again.

        Raises:
            ProgramError, DataError: images that the network cannot take.
            EngineError: the engine stopped with an error, or does not go on.
        """
        assert self.network is not None  # loads the only one
        return self.driver.run(images, progress)

    def outputs(self, results: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """What the model returns, by name, in float: scales applied, the host tail done."""
        return self.network.outputs(results)

    def best(self, results: npt.NDArray[Any], count: int = 3) -> list[list[Ranked]]:
        """The largest channels of each result, with their names and real values."""
        return rank(self.network, results, count)

    def samples(self) -> Samples | None:
        """Sample images of the network that is loaded, and what must come out; None without any."""
        assert self.network is not None  # loads the only one
        return None if self.driver.loaded_from is None else read_samples(self.driver.loaded_from)

    def reset(self) -> None:
        """Stop what runs and forget it.

        Raises:
            EngineError: memory does not answer what is under way.
        """
        self.driver.reset()
