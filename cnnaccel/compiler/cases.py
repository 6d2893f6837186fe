"""The cases of a self-test, what an engine runs and what must come out: random programs, as the
interpreter runs them, and layers of a network, each as a program of its own with inputs from
golden.

`runtime/selftest.py` runs them from one file, which it describes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.compiler.lower.fuse import Step, fuse
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.ir.graph import (
    Add,
    AnyLayer,
    Concat,
    Conv2d,
    Depthwise,
    Graph,
    MaxPool2d,
    Requant,
    TensorSpec,
)
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.interpreter import run_program
from cnnaccel.isa.program import Program
from cnnaccel.isa.random_program import draw, last_writers
from cnnaccel.runtime.ports import Ports
from cnnaccel.runtime.selftest import LAYER, NETWORK, RANDOM

Array = npt.NDArray[Any]
_CONTENTS = 1
"""Seed of the WEIGHTS that all random programs share."""
_SIGN = 0x80
"""Pixels of uint8 as int8: x - 128."""


@dataclass(frozen=True)
class Case:
    """One run: a program, INPUT, what must come out."""

    kind: str
    """One of those of `runtime/selftest.py`."""
    name: str
    arrays: Mapping[str, Array]
    """`program`, `weights`, `input` as bytes; then `expected`, [N, K, P, Q] of golden, or `output`
    and `scratch` of the interpreter, with the `writers` of each word."""
    description: Mapping[str, Any]
    """The parts of `network.json` that a host needs; empty for the network that lies beside."""
    remark: str = ""
    """Which part of the layer runs, if not all of it; or why the layer cannot run."""


# -- random programs -------------------------------------------------------------------------------


def random_cases(hardware: HardwareConfig, seeds: Iterable[int], length: int) -> Iterator[Case]:
    """A random program for each seed, with about so many instructions in body."""
    for seed in seeds:
        drawn = draw(hardware, seed, length, _CONTENTS)
        program = drawn.program
        buffers = run_program(hardware, program, drawn.images, drawn.count)
        writers = last_writers(hardware, drawn)
        arrays = _bytes_of(program) | {
            "input": drawn.images,
            "output": buffers[Base.OUTPUT],
            "scratch": _without_fill(buffers[Base.SCRATCH], program.weights),
            "writers": np.concatenate([writers[Base.OUTPUT], writers[Base.SCRATCH]]),
        }
        opcodes = [one.opcode.name for one in (*program.once, *program.body)]
        description = {
            "width": hardware.input_lanes,
            "notes": [["random", name] for name in opcodes],
        }
        yield Case(RANDOM, f"seed {seed}", arrays, description)


def _without_fill(scratch: Array, weights: bytes) -> Array:
    """SCRATCH, xor what section once puts into act: of words that nothing changes 0 is left, which
    takes no room in a file."""
    half = len(scratch) // 2
    return np.asarray(scratch ^ np.tile(np.frombuffer(weights, np.uint8)[-half:], 2))


# -- layers ----------------------------------------------------------------------------------------


def layer_cases(
    graph: Graph,
    hardware: HardwareConfig,
    images: npt.NDArray[np.uint8],
    most_weights: int | None = None,
) -> Iterator[Case]:
    """Every layer by itself, on what golden gives it for some images, or on random values where
    golden's lead to one result everywhere.

    A max pool that the engine does before it writes a layer's results runs with that layer. What
    two layers read goes as one image. most_weights: bytes; a layer with more runs with its first
    output channels alone.
    """
    values = golden.trace(graph, images)
    before = _pooled(graph, hardware)
    for layer in graph.layers:
        if isinstance(layer, Concat):
            yield _not_run(layer, "nothing to compute: its inputs are written side by side")
            continue
        part, remark = _narrowed(before.get(layer.name, layer), hardware, most_weights)
        chain: tuple[AnyLayer, ...] = (part,)
        if layer.name in before:
            assert isinstance(layer, MaxPool2d)
            rows = (part.output.shape[0], *layer.output.shape[1:])
            chain += (dataclasses.replace(layer, output=_shaped(layer.output, rows)),)
            remark = ", ".join(filter(None, [f"behind {part.name}", remark]))
        if len(set(part.inputs)) > 1:
            remark = "its inputs picked out of one image"
        sources = [graph.tensors()[name] for name in dict.fromkeys(part.inputs)]
        alone, pixels = _alone(graph, chain, sources, [values[s.name] for s in sources], images)
        try:
            compiled = compile_graph(alone, hardware, 1)
        except ProgramError as error:
            yield _not_run(layer, f"not by itself: {error}")
            continue
        expected = values[layer.output.name][:, : chain[-1].output.shape[0]]
        if expected.min() == expected.max():  # a layer that is wrong might give the same
            same = int(expected.max())
            pixels = np.random.default_rng(_CONTENTS).integers(0, 256, pixels.shape, np.uint8)
            expected = golden.run(alone, pixels)
            why = f"random inputs, golden's give {same} everywhere"
            remark = ", ".join(filter(None, [remark, why]))
        yield _layer_case(layer, compiled, pixels, expected, remark)


def network_case(graph: Graph, ports: Ports, images: npt.NDArray[np.uint8]) -> Case:
    """The network by the program that lies beside the file, which has these ports."""
    arrays = {"input": ports.pack(images), "expected": golden.run(graph, images)}
    return Case(NETWORK, graph.name, arrays, {})


def _pooled(graph: Graph, hardware: HardwareConfig) -> dict[str, AnyLayer]:
    """The layer that each max pool is done with, by the pool's name."""
    steps: tuple[Step, ...] = fuse(graph, hardware.input_lanes).steps
    return {step.pool.name: step.layer for step in steps if step.pool is not None}


def _not_run(layer: AnyLayer, why: str) -> Case:
    return Case(LAYER, layer.name, {}, {}, remark=why)


def _narrowed(
    layer: AnyLayer, hardware: HardwareConfig, most_weights: int | None
) -> tuple[AnyLayer, str]:
    """The layer with its first output channels, as many as weights may take, in groups of K; a
    remark on that."""
    if not isinstance(layer, Conv2d) or layer.groups > 1 or most_weights is None:
        return layer, ""
    lanes = hardware.output_lanes
    count = max(1, most_weights // layer.weight[0].size // lanes) * lanes
    if count >= len(layer.weight):
        return layer, ""

    def first(values: Array) -> Array:
        return values[:count] if len(values) > 1 else values

    scale = dataclasses.replace(
        layer.requant,
        multiplier=first(layer.requant.multiplier),
        shift=first(layer.requant.shift),
    )
    made = dataclasses.replace(
        layer,
        weight=layer.weight[:count],
        bias=layer.bias[:count],
        requant=scale,
        output=_shaped(layer.output, (count, *layer.output.shape[1:])),
    )
    return made, f"channels 0 to {count - 1} of {len(layer.weight):,}"


def _shaped(spec: TensorSpec, shape: tuple[int, ...]) -> TensorSpec:
    channels, rows, columns = shape
    return dataclasses.replace(spec, shape=(channels, rows, columns))


def _alone(
    graph: Graph,
    chain: tuple[AnyLayer, ...],
    sources: list[TensorSpec],
    values: list[Array],
    images: npt.NDArray[np.uint8],
) -> tuple[Graph, npt.NDArray[np.uint8]]:
    """A graph of these layers, which read `sources`, and its images for their values."""
    name = f"{graph.name}: {chain[-1].name}"
    if sources == [graph.input]:
        return Graph(name, graph.input, chain, graph.input_table), images
    if len(sources) == 1:
        return _fed(name, sources[0], chain), values[0].view(np.uint8)
    first, second = sources
    assert isinstance(chain[0], Add)
    channels, rows, columns = first.shape
    both = TensorSpec("both", (channels, rows, 2 * columns), "int8", 1.0)
    pixels = np.empty((len(images), *both.shape), np.uint8)
    for at, (spec, tensor) in enumerate(zip(sources, values, strict=True)):
        pixels[..., at::2] = tensor.view(np.uint8) ^ (_SIGN if spec.dtype == "uint8" else 0)
    picks = (_every_second(both, first, 0), _every_second(both, second, 1))
    return _fed(name, both, (*picks, *chain)), pixels


def _fed(name: str, image: TensorSpec, layers: tuple[AnyLayer, ...]) -> Graph:
    """A graph whose pixels are the bytes of a tensor."""
    table = None
    if image.dtype == "int8":
        table = np.arange(256, dtype=np.uint8).view(np.int8)[None].repeat(image.shape[0], 0)
    return Graph(name, image, layers, table)


def _every_second(both: TensorSpec, spec: TensorSpec, first: int) -> Depthwise:
    """The columns `first`, first + 2, ... of a tensor of int8; x - 128 becomes x of uint8 again."""
    weight = np.zeros((spec.shape[0], 1, 2), np.int8)
    weight[:, 0, first] = 1
    bias = np.full(spec.shape[0], _SIGN if spec.dtype == "uint8" else 0, np.int32)
    same = Requant(np.ones(1, np.uint16), np.zeros(1, np.uint8), *spec.range)
    name = f"{spec.name}, picked"
    return Depthwise(name, (both.name,), spec, weight, bias, same, stride=(1, 2))


def _layer_case(
    layer: AnyLayer, compiled: Compiled, pixels: Array, expected: Array, remark: str
) -> Case:
    arrays = _bytes_of(compiled.program)
    arrays |= {"input": compiled.ports.pack(pixels), "expected": expected}
    ports = dataclasses.asdict(dataclasses.replace(compiled.ports, input_table=None))
    notes = [list(note) for note in compiled.program.notes]
    return Case(LAYER, layer.name, arrays, {"ports": ports, "notes": notes}, remark)


# -- the file --------------------------------------------------------------------------------------


def to_file(cases: Iterable[Case], path: Path, before: Path | None = None) -> None:
    """Write the file; the same cases give the same bytes, and equal arrays are in it once.

    before: a file whose cases come first.
    """
    blobs: dict[str, Array] = {}
    index = []
    if before is not None:
        with np.load(before, allow_pickle=False) as file:
            blobs = {key: file[key] for key in file.files if key != "index"}
            index = json.loads(file["index"].tobytes())
    for case in cases:
        keys = {}
        for name, array in case.arrays.items():
            text = f"{array.dtype}{array.shape}".encode()
            key = hashlib.sha256(text + np.ascontiguousarray(array).tobytes()).hexdigest()[:24]
            keys[name], blobs[key] = key, array
        values = dataclasses.asdict(dataclasses.replace(case, arrays={}))
        index.append({**values, "arrays": keys})
    text = json.dumps(index).encode()
    np.savez_compressed(path, index=np.frombuffer(text, np.uint8), **blobs)


def _bytes_of(program: Program) -> dict[str, Array]:
    return {
        "program": np.frombuffer(program.pack(), np.uint8),
        "weights": np.frombuffer(program.weights, np.uint8),
    }
