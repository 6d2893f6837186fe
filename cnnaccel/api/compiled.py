"""A quantized network as the program of an engine: predicted, simulated, exported, deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from cnnaccel.api.board import Place
from cnnaccel.api.deployment import Deployment, run_deployed, run_simulated
from cnnaccel.api.describe import describe
from cnnaccel.api.evaluation import Evaluation
from cnnaccel.api.export import NO_BITSTREAM, Bitstream, Contents, NetworkFiles, find_bitstream
from cnnaccel.api.images import as_labels
from cnnaccel.api.quantized import QuantizedNetwork, console_of
from cnnaccel.api.results import Comparison, Prediction, Shown
from cnnaccel.api.samples import MOST_SAMPLES, write_samples
from cnnaccel.api.selftest import LAYER_IMAGES, write_layers, write_selftest
from cnnaccel.api.simulation import Simulation, Waves, simulate
from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.compiler.explain import explain
from cnnaccel.compiler.show import show
from cnnaccel.errors import DataError, WorkspaceError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph, operations
from cnnaccel.isa.program import disassemble
from cnnaccel.predict.estimate import estimate
from cnnaccel.remote.ssh import parse_target
from cnnaccel.report.findings import SIMULATED
from cnnaccel.runtime.board import ALWAYS, FIRST, NEVER, SELF_TEST
from cnnaccel.tools.simulation import require_simulator
from cnnaccel.tools.verilate import best_trace
from cnnaccel.workspace import Stage, sha256_of

_EXPORTED = "exported"
"""Key of the inputs in the manifest of an exported folder."""
_WHEN = {None: FIRST, True: ALWAYS, False: NEVER}


@dataclass(frozen=True, eq=False, repr=False)
class CompiledNetwork(Shown):
    """The program of a network for one engine. `QuantizedNetwork.compile` makes one."""

    network: QuantizedNetwork
    """The network that it computes."""
    hardware: HardwareConfig
    """The engine that it runs on."""
    compiled: Compiled
    """The program, and how it came about."""

    @staticmethod
    def of(
        network: QuantizedNetwork, hardware: HardwareConfig, images: int | None
    ) -> CompiledNetwork:
        """Compile a network; `QuantizedNetwork.compile` says what may be asked for."""
        return CompiledNetwork(network, hardware, compile_graph(network.graph, hardware, images))

    @property
    def name(self) -> str:
        """The network's name."""
        return self.network.name

    @property
    def graph(self) -> Graph:
        """The network in integers."""
        return self.network.graph

    @property
    def images_at_a_time(self) -> int:
        """How many images an iteration of the program computes."""
        return self.compiled.program.images_per_iteration

    def estimate(self) -> Prediction:
        """Predict cycles, frames per second and memory traffic, layer by layer."""
        return self._predicted

    @cached_property
    def _predicted(self) -> Prediction:
        found = estimate(self.compiled, operations(self.graph))
        return Prediction(**vars(found), network=self.name)

    def show(self, name: str) -> str:
        """The result of a pass of the compiler as text: lower, plan, emit or tokens."""
        return show(self.compiled, name)

    def explain(self) -> str:
        """Why layers were or were not joined, kept on the chip, split."""
        return explain(self.compiled)

    def disassemble(self) -> str:
        """The instructions of the program, a line for each."""
        return "\n".join(disassemble(self.compiled.program, self.hardware))

    def evaluate(self, images: Any, labels: Any = None, **settings: Any) -> Evaluation:
        """Score the network on images, as `QuantizedNetwork.evaluate` does with these settings.

        By the golden executor, whose every value is the engine's: `simulate` shows that.
        """
        return self.network.evaluate(images, labels, **settings)

    def compare(self, images: Any = None, *, progress: bool | Console = False) -> Comparison:
        """Set float beside int8, tensor by tensor, as `QuantizedNetwork.compare` does."""
        return self.network.compare(images, progress=progress)

    def simulate(
        self,
        images: Any,
        *,
        stalls: float = 0.0,
        waves: str | Path | None = None,
        cycles: range | None = None,
        progress: bool | Console = False,
    ) -> Simulation:
        """Run images through golden, the interpreter and the RTL, which must be equal.

        stalls: share of the handshakes with memory that chance holds up. waves: a file for the
        waves of some cycles, counted from the start of the run; its ending becomes `.fst` or
        `.vcd`, whichever this Verilator writes. The engine is compiled the first time, which takes
        about a minute, and kept.

        Raises:
            DataError: images that do not fit the network.
            MismatchError: a level differs from golden; which, and where.
            ToolError: pynq, verilator or g++ is missing.
        """
        require_simulator()
        if (waves is None) != (cycles is None):
            raise DataError("waves and cycles go together: a file, and a range of cycles")
        wanted = None
        if waves is not None and cycles is not None:
            wanted = Waves(Path(waves).with_suffix(f".{best_trace()}"), cycles)
        pixels = self._some(images)
        with TemporaryDirectory() as name:
            found, _ = simulate(
                self.graph,
                self.compiled,
                self._predicted,
                pixels,
                folder=Path(name) / "program",
                console=console_of(progress),
                stalls=stalls,
                waves=wanted,
            )
        found.require_equal()
        return found

    def save(self, folder: str | Path) -> Path:
        """Write `program.bin`, `weights.bin` and `network.json` into a folder."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self._write(path)
        return path

    def _write(self, folder: Path) -> None:
        self.compiled.to_files(folder)
        describe(folder, self.graph, self.network.preprocessing, self.network.classes)

    def export(
        self,
        folder: str | Path,
        *,
        bitstream: str | Path | None = None,
        samples: Any = None,
        labels: Any = None,
        progress: bool | Console = False,
    ) -> Path:
        """Write one folder with all that a board needs to run the network; README.md says how.

        samples: images that go with it, with the integers that must come out; some of those of the
        calibration where none are given. labels: the class of each. bitstream: the folder that
        `cnnaccel build-hw` wrote for this engine; without it the folder says what is missing. The
        folder is whole or as it was; one that holds anything else than an earlier export is left
        alone.

        Raises:
            WorkspaceError: the folder holds something else, or the bitstream is of another engine.
            DataError: samples or labels that do not fit the network.
        """
        path = Path(folder).absolute()
        found = NO_BITSTREAM if bitstream is None else self._bitstream(bitstream)
        stage = Stage(path)
        empty = not path.exists() or (path.is_dir() and not any(path.iterdir()))
        if not empty and _EXPORTED not in (stage.manifest() or {"inputs": {}})["inputs"]:
            raise WorkspaceError(
                f"{path} holds something else than an earlier export; choose a new folder"
            )
        with self._program(progress) as (program, console):
            write_selftest(program, self.hardware, self.graph, program, console)
            made_of = self._contents(program, found, samples, labels)
            digests = {one.name: sha256_of(one) for one in sorted(program.iterdir())}
            with stage.write({_EXPORTED: self.name, **digests, **made_of.inputs()}) as partial:
                made_of.write(partial)
        return path

    def deploy(
        self,
        target: str = SIMULATED,
        images: Any = None,
        *,
        bitstream: str | Path | None = None,
        self_test: bool | None = None,
        layers: bool = False,
        ssh_config: str | Path | None = None,
        remote_dir: str = "",
        password: Callable[[], str] | None = None,
        progress: bool | Console = False,
    ) -> Deployment:
        """Run images on a board, by default a simulated one; every value must be golden's.

        target: `sim`, `local` where this machine is the board, or `USER@HOST[:PORT]`. images: those
        of the calibration where none are given. bitstream: the folder that `cnnaccel build-hw`
        wrote, for a board. self_test: before the images, test engine and network; None does so
        where a board sees the bitstream for the first time. layers: compare each layer by itself
        on the first images. ssh_config, remote_dir, password: how a board is reached, where its
        copy lies, who is asked for the password of sudo.

        Raises:
            DataError: images that do not fit the network.
            MismatchError: a value differs from golden's, or a test fails.
            EngineError: the board is not reached, lacks something, or fails.
            WorkspaceError: no bitstream for this engine.
            ToolError: the simulated board lacks pynq, verilator or g++.
        """
        if target == SIMULATED:
            require_simulator()
        pixels = self._some(self.network.images if images is None else images)
        with self._program(progress) as (program, console):
            file = None
            if layers:
                some = pixels[:LAYER_IMAGES]
                file = write_layers(program, self.hardware, self.graph, program, some, console)
            if target == SIMULATED:
                tests = {}
                if self_test:
                    write_selftest(program, self.hardware, self.graph, program, console)
                    tests["self-test"] = program / SELF_TEST
                if file is not None:
                    tests["layer by layer"] = file
                ran = run_simulated(self.graph, self.hardware, program, pixels, tests, console)
            else:
                if bitstream is None:
                    raise WorkspaceError(
                        f"a deploy to {target} needs bitstream=, the folder that `cnnaccel "
                        "build-hw` wrote for this engine"
                    )
                place = Place(
                    parse_target(target),
                    None if ssh_config is None else Path(ssh_config),
                    remote_dir,
                    password,
                )
                exported = self.export(program / "exported", bitstream=bitstream, progress=console)
                ran = run_deployed(
                    self.graph,
                    self.hardware,
                    place,
                    self.name,
                    exported,
                    pixels,
                    _WHEN[self_test],
                    file,
                    console,
                )
            ran.require_golden(self.graph, pixels, console)
        return ran

    def __str__(self) -> str:
        program = self.compiled.program
        count = len(program.once) + len(program.body)
        line = (
            f"program: {count:,} instructions, {len(program.weights):,} bytes of weights, "
            f"{program.images_per_iteration} images at a time"
        )
        return f"{self.estimate()}\n{line}"

    def _repr_html_(self) -> str:
        return self.estimate()._repr_html_()

    def _some(self, images: Any) -> npt.NDArray[np.uint8]:
        """The pixels of images, at least one.

        Raises:
            DataError: none, or some that do not fit the network.
        """
        pixels = self.network.pixels(images) if images is not None else None
        if pixels is None or len(pixels) == 0:
            raise DataError("no images were given; one is enough")
        return pixels

    def _bitstream(self, folder: str | Path) -> Bitstream:
        found = find_bitstream(Path(folder), self.hardware)
        if found.missing:
            raise WorkspaceError(found.missing)
        return found

    def _contents(self, program: Path, bitstream: Bitstream, samples: Any, labels: Any) -> Contents:
        if samples is None:
            pixels, labels = self.network.images, None
            pixels = None if pixels is None else pixels[:MOST_SAMPLES]
        else:
            pixels = self._some(samples)
            labels = None if labels is None else as_labels(labels, len(pixels))
        file = None if pixels is None else write_samples(program, self.graph, pixels, labels)
        one = NetworkFiles(self.name, program, program / SELF_TEST, file)
        return Contents(self.hardware, bitstream, (one,))

    @contextmanager
    def _program(self, progress: bool | Console) -> Iterator[tuple[Path, Console]]:
        """A folder with the program, and a console."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            self._write(folder)
            yield folder, console_of(progress)
