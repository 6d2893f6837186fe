"""A float network in int8: quantized, scored, compared with what it was, compiled."""

from __future__ import annotations

import copy
import dataclasses
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from rich.console import Console
from torch import nn

from cnnaccel.api import evaluation
from cnnaccel.api.describe import preprocessing_for
from cnnaccel.api.evaluation import Evaluation, TaskName
from cnnaccel.api.images import Normalization, Pixels, as_pixels, normalization
from cnnaccel.api.results import Comparison, Shown
from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import ConfigError, DataError, ModelError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.ir.storage import load_graph, save_graph
from cnnaccel.nn.models import with_normalization
from cnnaccel.nn.wrappers import unwrap
from cnnaccel.quant import ptq
from cnnaccel.quant.distributions import distributions
from cnnaccel.quant.ptq import ImageSets, Quantized
from cnnaccel.report import notebook
from cnnaccel.report.distributions import from_json as counted
from cnnaccel.report.progress import counter, silent, working
from cnnaccel.report.quantization import Equalization, LayerRow, layer_rows
from cnnaccel.report.tables import graph_table, outputs_line, text_of
from cnnaccel.runtime.pictures import Preprocessing

if TYPE_CHECKING:
    from cnnaccel.api.compiled import CompiledNetwork

WARN_DB = 15.0
"""Logits with less signal to noise are worth a warning, whatever test images say: in trials 12 to
16 dB cost up to a point of accuracy, 5 dB a quarter of all answers."""
_SQNR_IMAGES = 64
_DEFAULT_BOARD = "pynq_z1"


class NoisyNetworkWarning(UserWarning):
    """int8 that is far from the float network."""


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedNetwork(Shown):
    """An integer graph, and the float network that it was made from. `quantize` makes one."""

    graph: Graph
    """The network in integers: what golden, interpreter, RTL and boards compute."""
    classes: tuple[str, ...] = ()
    """Names of the classes; empty where they have none."""
    model: nn.Module | None = None
    """The float network, which takes pixels from 0 to 1; None where it was not kept."""
    quantized: Quantized | None = None
    """The float graph beside the integer one; None where it was not kept."""
    images: Pixels | None = None
    """Calibration images; None where they were not kept."""
    normalized: Normalization | None = None
    """Normalisation of float images before they come here."""
    preprocessing: Preprocessing | None = None
    """The way from a picture to an image of the network's; None where no picture can go in."""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.graph.name

    @property
    def equalization(self) -> Equalization | None:
        """The outcome of equalizing channels; None where no image was left to try it on."""
        trial = None if self.quantized is None else self.quantized.trial
        return None if trial is None else Equalization(**dataclasses.asdict(trial))

    @property
    def logits_db(self) -> float | None:
        """Signal to quantization noise of the logits, in dB, on images held out of calibration."""
        return None if self.equalization is None else self.equalization.logits_db

    def pixels(self, images: Any) -> Pixels:
        """uint8[N, C, H, W] of images as `quantize` took them; or of pictures of any size: names of
        files or folders, arrays uint8[H, W, 3].

        Raises:
            DataError: another shape or type, or floats outside of the range of pixels.
        """
        return as_pixels(images, self.graph.input.shape, self.normalized, self.preprocessing)

    def integers(self, images: Any) -> npt.NDArray[Any]:
        """The engine's results as integers, by the golden executor: [N, K, P, Q], or of several
        results, all values of an image in a row, [N, V].

        Raises:
            DataError: as `pixels`.
        """
        return golden.run(self.graph, self.pixels(images))

    def logits(self, images: Any) -> npt.NDArray[np.float64]:
        """The engine's results as real values, by the golden executor, in the same shape.

        Raises:
            DataError: as `pixels`.
        """
        return self.graph.real(self.integers(images))

    def outputs(self, images: Any) -> dict[str, npt.NDArray[Any]]:
        """What the model returns, by the golden executor and the host tail: [N, ...] by name.

        Raises:
            DataError: as `pixels`.
        """
        return self.graph.returned(self.integers(images))

    def evaluate(
        self,
        images: Any,
        labels: Any = None,
        *,
        task: TaskName = "classify",
        metric: str | Callable[..., Any] | None = None,
        goal: Literal["max", "min"] = "max",
        progress: bool | Console = False,
    ) -> Evaluation:
        """Score the network on images, and the float one where it is at hand.

        labels: what is wanted of each image: for `classify` its class, a whole number; for
        `segment` a mask [N, H, W] of classes, 255 where nobody judges; for `regress` numbers.
        Without labels int8 is set beside float. metric: a function of outputs, a tuple of arrays,
        and labels, that gives a number, or numbers by name, in place of the task's figures; goal:
        whether more or less of it is better.

        Raises:
            DataError: images or labels do not fit the network.
            ModelError: the outputs do not fit the task, or the metric fails.
        """
        console = console_of(progress)
        return evaluation.evaluate(self, images, labels, task, metric, goal, console)

    def compare(self, images: Any = None, *, progress: bool | Console = False) -> Comparison:
        """Set float beside int8 for every tensor, on images or else on those of the calibration.

        Raises:
            ModelError: the float network was not kept.
            DataError: as `pixels`.
        """
        if self.quantized is None or self.images is None:
            raise ModelError(
                f"network '{self.name}' was loaded without its float model; `quantize` makes one "
                "that can be compared"
            )
        pixels = self.images[:_SQNR_IMAGES] if images is None else self.pixels(images)
        if len(pixels) == 0:
            raise DataError("compare needs at least one image")
        with working(console_of(progress), "measuring the noise of every layer"):
            sqnr = ptq.layer_sqnr(self.quantized, pixels)
            found = counted(dataclasses.asdict(distributions(self.quantized, pixels)))
        return Comparison(self.graph, len(pixels), sqnr, found)

    def rows(self, sqnr_db: Mapping[str, float] | None = None) -> tuple[LayerRow, ...]:
        """A row of texts for the image and each layer, with the noise of each where it is given."""
        scales = {} if self.quantized is None else self.quantized.weight_scales
        return layer_rows(self.graph, scales, sqnr_db or {})

    def compile(
        self,
        board: str | Path | HardwareConfig = _DEFAULT_BOARD,
        *,
        images: int | None = None,
        **overrides: Any,
    ) -> CompiledNetwork:
        """Compile the network for an engine.

        board: a shipped one, as `pynq_z1`, a YAML file, or the engine itself. images: how many are
        computed at a time; None for what takes the least time an image. overrides: keys of the
        board's file, as `clock_mhz=125`.

        Raises:
            ConfigError: no such board, or no such engine.
            ProgramError: a layer that this engine has no room for.
        """
        from cnnaccel.api.compiled import CompiledNetwork

        hardware = engine_of(board, overrides)
        if misfit := hardware.misfit():
            warnings.warn(misfit, stacklevel=2)
        return CompiledNetwork.of(self, hardware, images)

    def save(self, folder: str | Path) -> Path:
        """Write the integer graph, without the float network, into a folder; `load` reads it."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        save_graph(self.graph, path)
        return path

    def __str__(self) -> str:
        return "\n".join([text_of(graph_table(self.graph)), *self._lines()])

    def _repr_html_(self) -> str:
        return notebook.quantized(self.graph, self.rows(), self._lines(), width=8)

    def _lines(self) -> list[str]:
        trial = [] if self.equalization is None else [self.equalization.remark()]
        return [line for line in (outputs_line(self.graph), *trial) if line]


def quantize(
    model: nn.Module,
    images: Any,
    *,
    name: str | None = None,
    classes: Sequence[str] = (),
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    config: QuantizeConfig | None = None,
    progress: bool | Console = False,
    device: str = "cpu",
) -> QuantizedNetwork:
    """Quantize a trained network to int8.

    model: takes float32[N, C, H, W]: pixels from 0 to 1, or normalised by `mean` and `std` where
    those are given. It is copied, and stays as it is. images: calibration images, some hundreds
    that look like those to come: uint8 pixels [N, C, H, W], or floats as the model takes them.
    preprocessing: what becomes of picture files, where a program meets them, as {"crop": "squash"};
    size and colour are the network's, the usual crop is `center`. progress: True shows how far it
    is. device: of torch's, as "cuda", where calibration and the float network run.

    Raises:
        ConfigError: mean, std or preprocessing do not fit the network.
        DataError: no images, or some that are no pixels.
        ModelError: a layer that no engine has a place for, or values that are not finite.
        GraphError: no integer graph can hold this network.
    """
    console, normalized = console_of(progress), normalization(mean, std)
    sets = images if isinstance(images, ImageSets) else as_pixels(images, None, normalized)
    every = sets.calibration if isinstance(sets, ImageSets) else sets
    inner = _copied(model)
    called = name or type(inner).__name__
    prepared = _normalizing(inner, every.shape[1], normalized)
    channels, rows, columns = every.shape[1:]
    framed = preprocessing_for((channels, rows, columns), preprocessing, mean, std)
    settings = config or QuantizeConfig()
    work = sets if isinstance(sets, ImageSets) else ImageSets.of(sets)
    with counter(console, "quantizing", work.work(settings)) as done:
        quantized = ptq.quantize(prepared, called, sets, settings, done, device)
    made = QuantizedNetwork(
        quantized.graph,
        tuple(map(str, classes)),
        prepared.to(device),
        quantized,
        every,
        normalized,
        framed,
    )
    level = made.logits_db
    if level is not None and level < WARN_DB and not isinstance(images, ImageSets):
        warnings.warn(
            f"the int8 network is noisy: its logits have {level:.1f} dB of signal to quantization "
            "noise; `.compare(images)` says in which layer that begins",
            NoisyNetworkWarning,
            stacklevel=2,
        )
    return made


def load(
    folder: str | Path,
    classes: Sequence[str] = (),
    preprocessing: Mapping[str, Any] | None = None,
) -> QuantizedNetwork:
    """The integer graph in a folder of `QuantizedNetwork.save`, or in `build/<config>/quantize`.

    classes, preprocessing: as `quantize` took them; the folder does not keep them.

    Raises:
        ConfigError: preprocessing does not fit the network.
        GraphError: its files are missing or damaged.
    """
    graph = load_graph(Path(folder))
    framed = preprocessing_for(graph.input.shape, preprocessing)
    return QuantizedNetwork(graph, tuple(map(str, classes)), preprocessing=framed)


def _copied(model: nn.Module) -> nn.Module:
    """A copy of a network without wrappers, on the CPU, in float32 and evaluation mode.

    Raises:
        ModelError: it is no network of PyTorch's modules.
    """
    if not isinstance(model, nn.Module):
        raise ModelError(f"the model is a {type(model).__name__}, not a torch.nn.Module")
    return unwrap(copy.deepcopy(model)).cpu().float().eval()


def _normalizing(model: nn.Module, channels: int, normalized: Normalization | None) -> nn.Module:
    """The network, so that it takes pixels from 0 to 1.

    Raises:
        ConfigError: mean and std are of another number of channels.
    """
    if normalized is None:
        return model
    return with_normalization(model, normalized.mean, normalized.std, channels)


def engine_of(board: str | Path | HardwareConfig, overrides: Mapping[str, Any]) -> HardwareConfig:
    """The engine of a board, with some values of its own.

    Raises:
        ConfigError: no such board, key or value.
    """
    try:
        if isinstance(board, HardwareConfig):
            return dataclasses.replace(board, **overrides)
        texts = [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
        return load_hardware(board, texts)
    except (ConfigError, TypeError) as error:
        raise ConfigError(str(error).removeprefix("--set ")) from None


def console_of(progress: bool | Console) -> Console:
    """Where progress is shown: nowhere, on standard error, or on a console."""
    if isinstance(progress, Console):
        return progress
    return Console(stderr=True) if progress else silent()
