"""Post-training quantization, end to end: canonical form, calibration, conversion, lowering."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import DataError, GraphError, ModelError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.quant.bias import ChannelMeans, with_means
from cnnaccel.quant.canonical import CanonicalModel, canonicalize
from cnnaccel.quant.equalize import equalized
from cnnaccel.quant.frontend import Shape, quiet_torch
from cnnaccel.quant.lower import lower
from cnnaccel.quant.outline import outline
from cnnaccel.quant.quantizer import EngineQuantizer, fused_clamp
from cnnaccel.quant.survey import drop_dead, drop_provable, joined, survey
from cnnaccel.runtime.ports import join

Images = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
Progress = Callable[[int], None]
_BATCH = 64
_BIAS_IMAGES = 4 * _BATCH
_LEAST_GAIN_DB = 0.5
"""Equalization is kept where the logits gain at least this much: less is noise."""
_CLEAR_GAIN_DB = 2.0
_WELL_DB = 30.0
"""Logits with more lose no answers but those that hang by a thread, whatever is gained."""
_MOST_HELD_OUT = 128
_LEAST_TO_DIVIDE = 16
_MOST_DB = 200.0


@dataclass(frozen=True)
class ImageSets:
    """Images uint8[N, C, H, W] of the training split, by what they are for."""

    calibration: Images
    """Ranges of activations, and means for the biases."""
    survey: Images
    """Images that say which inputs are always 0 and how great channels become, calibration's
    included."""
    held_out: Images
    """Images that decide whether equalization is kept; none of the others is among them."""

    @staticmethod
    def of(images: Images) -> ImageSets:
        """Calibration images alone, divided: a quarter, at most 128, of 16 or more is held out."""
        aside = min(len(images) // 4, _MOST_HELD_OUT) if len(images) >= _LEAST_TO_DIVIDE else 0
        kept = images[: len(images) - aside]
        return ImageSets(kept, kept, images[len(images) - aside :])

    def work(self, config: QuantizeConfig) -> int:
        """Images that `quantize` looks at, those of one of two passes counted twice."""
        passes = 2 if config.equalize and len(self.held_out) else 1
        return len(self.survey) + passes * len(self.calibration)


@dataclass(frozen=True)
class Trial:
    """The outcome of equalization: SQNR of the logits in dB, on images held out of calibration."""

    images: int
    plain_db: float | None
    """None where no integer graph can hold the network as it is."""
    equalized_db: float | None
    """None where it was not tried, or did not work: switched off, or beyond float32."""
    kept: bool

    @property
    def logits_db(self) -> float | None:
        """SQNR in dB of the logits of the graph that was kept."""
        return self.equalized_db if self.kept else self.plain_db


@dataclass(frozen=True)
class Quantized:
    """The integer graph beside the float model it came from."""

    graph: Graph
    weight_scales: dict[str, FloatArray]
    canonical: CanonicalModel
    """The model that was quantized: without dead weights, and equalized if that was kept."""
    trial: Trial | None = None
    """None where no image was held out."""
    dropped_weights: int = 0
    """Weights on inputs that are always 0, which became 0."""


def quantize(
    model: nn.Module,
    name: str,
    images: Images | ImageSets,
    config: QuantizeConfig,
    on_batch: Progress = lambda done: None,
    device: str = "cpu",
) -> Quantized:
    """Quantize a trained model with images uint8[N, C, H, W], calibrated on a device of torch's.

    With `equalize` and images held out, the network is quantized as it is and with its channels
    equalized, and what has the better logits on those images is kept. Images that are not divided
    yet are so for this choice, by `ImageSets.of`; what is kept is calibrated with all of them.
    `on_batch` is told how many images have been looked at, of `ImageSets.work`.

    Raises:
        ModelError: unsupported layers, or values that are not finite.
        DataError: no calibration images.
        GraphError: no integer graph can hold this network.
    """
    sets, every = _divided(images, config)
    if len(every) == 0:
        raise DataError("no calibration images; set quantize.calibration_images to 1 or more")
    channels, rows, columns = every.shape[1:]
    canonical = canonicalize(model, (channels, rows, columns))
    per_channel = config.weights == "per_channel"
    dropped = drop_provable(canonical)
    found = survey(canonical, sets.survey, on_batch)
    again = len(every) > len(sets.calibration)
    alive = joined(found, survey(canonical, sets.held_out)) if again else found
    dropped += drop_dead(canonical, alive, per_channel)

    def attempt(which: CanonicalModel, number: int, calibration: Images) -> Quantized:
        before = len(sets.survey) + number * len(sets.calibration)
        return _calibrated(which, name, calibration, config, lambda n: on_batch(before + n), device)

    if not (config.equalize and len(sets.held_out)):
        kept = attempt(canonical, 0, every)
        trial = _trial(kept, None, canonical, sets.held_out)
    else:
        plain, error = _or_error(lambda: attempt(canonical, 0, sets.calibration))
        other = equalized(canonical, found, per_channel)
        second = None
        if other is not None:
            second, _ = _or_error(lambda: attempt(other, 1, sets.calibration))
        trial = _trial(plain, second, canonical, sets.held_out)
        if (chosen := second if trial and trial.kept else plain) is None:
            assert error is not None
            raise error
        kept = attempt(chosen.canonical, 2, every) if again else chosen
    return replace(kept, trial=trial, dropped_weights=dropped)


def _divided(images: Images | ImageSets, config: QuantizeConfig) -> tuple[ImageSets, Images]:
    """Images to choose by, and all that what is chosen is calibrated with."""
    if isinstance(images, ImageSets):
        return images, images.calibration
    if not config.equalize:
        return ImageSets(images, images, images[:0]), images
    return ImageSets.of(images), images


def _or_error(
    attempt: Callable[[], Quantized],
) -> tuple[Quantized | None, ModelError | GraphError | None]:
    try:
        return attempt(), None
    except (ModelError, GraphError) as error:
        return None, error


def _trial(
    plain: Quantized | None, second: Quantized | None, canonical: CanonicalModel, images: Images
) -> Trial | None:
    if len(images) == 0:
        return None
    exact = float_logits(canonical, images)
    before = None if plain is None else _judged(plain.graph, images, exact)
    after = None if second is None else _judged(second.graph, images, exact)
    return Trial(
        len(images),
        None if before is None else before.db,
        None if after is None else after.db,
        after is not None and (before is None or _worth_it(before, after)),
    )


@dataclass(frozen=True)
class _Judged:
    """An integer graph beside the float one."""

    db: float
    """SQNR of the logits."""
    same: int
    """Images with the same answer."""
    noise: FloatArray
    """float64[N]: the sum of squares that each image adds to the noise."""


def _judged(graph: Graph, images: Images, exact: FloatArray) -> _Judged:
    values = golden.run(graph, images)
    noise = graph.real(values) - exact
    level = decibels(exact, noise)
    level = min(level, _MOST_DB) if np.isfinite(level) or level > 0 else -_MOST_DB
    same = int((golden.predictions(values) == golden.predictions(exact)).sum())
    return _Judged(level, same, (noise**2).reshape(len(noise), -1).sum(axis=1))


def _worth_it(before: _Judged, after: _Judged) -> bool:
    """Whether another graph in place of one is sure to be no worse on images not seen yet.

    A few images may make most of the noise, so counted is the gain less two of its standard errors.
    Of a network that is well no figure on a few hundred images tells a better graph from one that
    is lucky on them. So it stays as it is unless the gain is clear.
    """
    gain = after.db - before.db - 2 * _standard_error(before.noise, after.noise)
    well, no_fewer = before.db >= _WELL_DB, after.same >= before.same
    if gain >= _CLEAR_GAIN_DB:
        return no_fewer or not well
    return gain >= _LEAST_GAIN_DB and no_fewer and not well


def _standard_error(one: FloatArray, other: FloatArray) -> float:
    """Standard error of 10 log10(sum(one) / sum(other)) in dB, over the images that were drawn.

    To first order the logarithm moves with an image by what that image has more of the mean of one
    than of the other.
    """
    apart = one / (one.mean() or 1.0) - other / (other.mean() or 1.0)
    return 10 / float(np.log(10)) * float(apart.std()) / float(np.sqrt(len(apart)))


def _calibrated(
    canonical: CanonicalModel,
    name: str,
    calibration: Images,
    config: QuantizeConfig,
    on_batch: Progress,
    device: str,
) -> Quantized:
    """A canonical model as it is: scales from the calibration images, then integers."""
    with quiet_torch(), torch.no_grad():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        prepared = prepare_pt2e(copy.deepcopy(canonical.module), EngineQuantizer(config))
        prepared.to(device)
        observed = ChannelMeans(prepared)
        for start in range(0, len(calibration), _BATCH):
            images = torch.from_numpy(calibration[start : start + _BATCH]).to(device)
            observed.counts = config.bias_correction and start < _BIAS_IMAGES
            observed.run(canonical.prepare_input(images))
            on_batch(min(start + _BATCH, len(calibration)))
        converted = convert_pt2e(prepared.cpu())
    shift_only = config.requantize == "shift"
    lowered = lower(converted, name, canonical.normalization, canonical.tail, shift_only)
    graph, scales = lowered.graph, lowered.weight_scales
    if config.bias_correction:
        graph = with_means(graph, scales, observed.by_layer(), calibration[:_BIAS_IMAGES])
    return Quantized(graph, scales, canonical)


def check_supported(
    model: nn.Module, shape: Shape, hardware: HardwareConfig, images: int | None = None
) -> None:
    """Whether an engine can run `model` on images of a shape, so many at a time, before any work.

    What no weights can change: compiled is the network's outline, whose weights are 0.

    Raises:
        ModelError: a layer is of a kind that no engine has a place for.
        GraphError: an average over more pixels than an accumulator can sum.
        ProgramError: a size of a layer is beyond this engine, or beyond what programs can say.
    """
    compile_graph(outline(canonicalize(model, shape), type(model).__name__), hardware, images)


def float_logits(canonical: CanonicalModel, images: Images) -> FloatArray:
    """float64[N, K, P, Q]: the results of the float graph; of several, in a row as integers are."""
    parts = []
    with torch.no_grad():
        for at in range(0, len(images), _BATCH):
            x = canonical.prepare_input(torch.from_numpy(images[at : at + _BATCH]))
            made = canonical.module(x)
            results = made if isinstance(made, tuple) else (made,)
            parts.append(join([one.double().numpy() for one in results]))
    return np.concatenate(parts)


def decibels(signal: FloatArray, noise: FloatArray) -> float:
    """10 log10 of the ratio of the sums of squares; infinite where either is 0."""
    power, error = float((signal**2).sum()), float((noise**2).sum())
    return 10 * float(np.log10(power / error)) if error and power else float("inf")


def layer_sqnr(quantized: Quantized, images: Images) -> dict[str, float]:
    """Signal to quantization noise per tensor, in dB: 10 log10(sum x^2 / sum (x - q*scale)^2).

    Pixels are integers to begin with and have no entry.
    """
    with torch.no_grad():
        floats = float_tensors(quantized.canonical, torch.from_numpy(images))
    integers = golden.trace(quantized.graph, images)
    result = {}
    for name, spec in quantized.graph.tensors().items():
        if name in floats and not (name == "image" and quantized.graph.input_table is None):
            exact = floats[name].double().numpy()
            noise = exact - integers[name].astype(np.float64) * spec.scale
            result[name] = decibels(exact, noise)
    return result


def float_tensors(canonical: CanonicalModel, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The float value of each tensor of the graph, by the name it has there."""
    values: dict[fx.Node, torch.Tensor] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> torch.Tensor:
            values[n] = super().run_node(n)
            return values[n]

    Recorder(canonical.module).run(canonical.prepare_input(images))
    named = {}
    for node in canonical.module.graph.nodes:
        if "layer" in node.meta:
            named[node.meta["layer"]] = values[fused_clamp(node) or node]
    return named
