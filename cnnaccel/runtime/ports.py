"""How images and results lie in DRAM: what a host packs before a run and takes after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import ProgramError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

MOST_SIZE = (1 << 16) - 1
"""Channels, rows or columns that a host counts."""


@dataclass(frozen=True)
class Output:
    """A tensor that the engine gives back, and where the host finds its channels and pixels."""

    name: str
    shape: tuple[int, int, int]
    """K, P, Q of one image."""
    dtype: str
    scale: float
    """Real value of one step."""
    lanes: tuple[int, ...]
    """The channel in each lane of its words, -1 for none. It holds, for an iteration,
    [word][y][x][image]."""
    offset: int = 0
    """First of its bytes in an iteration of OUTPUT."""

    @property
    def elements(self) -> int:
        """Elements of one image."""
        channels, rows, columns = self.shape
        return channels * rows * columns


@dataclass(frozen=True)
class Ports:
    """Where the host finds channels and pixels. Shapes are C, H, W of one image."""

    input_shape: tuple[int, int, int]
    raw: bool
    """INPUT holds rows of pixels of channels, as a camera gives them; else [word][y][x] of C
    lanes, which hold the channels in order."""
    outputs: tuple[Output, ...]
    """The results, one after another in an iteration of OUTPUT."""
    images: int
    """Images of one iteration."""
    width: int
    """C: lanes, and bytes, of a word."""
    input_table: tuple[tuple[int, ...], ...] | None = None
    """[C, 256] int8; where present, the host maps each pixel through it."""
    transposed: bool = False
    """Rows and columns are exchanged in INPUT and OUTPUT; not in the shapes here."""

    def pack(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """The buffer INPUT for uint8[N, C, H, W], with empty images up to a whole iteration.

        Raises:
            ProgramError: images of another shape or type.
        """
        if images.shape[1:] != self.input_shape or images.dtype != np.uint8:
            raise ProgramError(
                f"the program takes uint8 images of {list(self.input_shape)}, got "
                f"{images.dtype}{list(images.shape[1:])}"
            )
        if self.input_table is not None:
            channel = np.arange(self.input_shape[0])[:, None, None]
            images = np.array(self.input_table, np.int8)[channel, images].view(np.uint8)
        empty = np.zeros((-len(images) % self.images, *self.input_shape), np.uint8)
        padded = np.concatenate([images, empty])
        if self.transposed:
            padded = padded.swapaxes(2, 3)
        if self.raw:
            return np.ascontiguousarray(padded.transpose(0, 2, 3, 1)).reshape(-1)
        count, channels, rows, columns = padded.shape
        lanes = np.pad(padded, ((0, 0), (0, -channels % self.width), (0, 0), (0, 0)))
        words = lanes.reshape(count, -1, self.width, rows, columns).transpose(0, 1, 3, 4, 2)
        return np.ascontiguousarray(words).reshape(-1)

    def unpack(self, output: npt.NDArray[np.uint8], count: int) -> npt.NDArray[Any]:
        """Results of the first `count` images of the buffer OUTPUT, as `join` puts them."""
        stride = sum(len(one.lanes) * self._pixels(one) * self.images for one in self.outputs)
        iterations = output.reshape(-1, stride)
        return join([self._unpack(one, iterations, count) for one in self.outputs])

    def _unpack(self, one: Output, iterations: npt.NDArray[np.uint8], count: int) -> Any:
        """[N, K, P, Q] of one output."""
        channels, rows, columns = one.shape
        if self.transposed:
            rows, columns = columns, rows
        lanes = np.array(one.lanes)
        words = len(lanes) // self.width
        size = len(lanes) * self._pixels(one) * self.images
        part = iterations[:, one.offset : one.offset + size]
        laid = part.reshape(-1, words, rows, columns, self.images, self.width)
        by_image = laid.transpose(0, 4, 1, 5, 2, 3).reshape(-1, len(lanes), rows, columns)
        order = [int(np.flatnonzero(lanes == channel)[0]) for channel in range(channels)]
        results = by_image[:count, order]
        if self.transposed:
            results = results.swapaxes(2, 3)
        return np.ascontiguousarray(results).view(one.dtype)

    @staticmethod
    def _pixels(one: Output) -> int:
        return one.shape[1] * one.shape[2]


def join(results: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Results as one array: [N, K, P, Q] of one, else [N, V], all values of an image in a row.

    Of int8 and uint8 together the values are int16.
    """
    if len(results) == 1:
        return results[0]
    return np.concatenate([one.reshape(len(one), -1) for one in results], axis=1)


def split(
    results: npt.NDArray[Any], shapes: Sequence[tuple[int, int, int]]
) -> list[npt.NDArray[Any]]:
    """[N, K, P, Q] of each result in what `join` made."""
    if len(shapes) == 1:
        return [results]
    ends = np.cumsum([channels * rows * columns for channels, rows, columns in shapes])
    parts = np.split(results, ends[:-1], axis=1)
    return [parts[i].reshape(len(results), *shape) for i, shape in enumerate(shapes)]


def read_ports(values: Any) -> Ports:
    """The ports in the JSON of a `network.json`.

    Raises:
        KeyError, TypeError, ValueError: what is missing, or what `pack` and `unpack` cannot use.
    """
    plain = {name: _tuples(value) for name, value in values.items() if name != "outputs"}
    outputs = tuple(_read_output(one) for one in values["outputs"])
    ports = Ports(outputs=outputs, **plain)
    if len(ports.input_shape) != 3 or not all(map(_is_size, ports.input_shape)):
        raise ValueError(f"input_shape {ports.input_shape}")
    for name in ("images", "width"):
        if not _is_size(getattr(ports, name)):
            raise ValueError(f"{name} {getattr(ports, name)}")
    if type(ports.raw) is not bool or type(ports.transposed) is not bool:
        raise ValueError(f"raw {ports.raw}, transposed {ports.transposed}")
    at = 0
    for one in outputs:
        if len(one.lanes) % ports.width or one.offset != at:
            raise ValueError(f"output {one.name}: {len(one.lanes)} lanes at {one.offset}")
        at += len(one.lanes) * one.shape[1] * one.shape[2] * ports.images
    if not outputs or len({one.name for one in outputs}) != len(outputs):
        raise ValueError(f"outputs {[one.name for one in outputs]}")
    if ports.input_table is not None:
        table = np.array(ports.input_table)
        if table.shape != (ports.input_shape[0], 256) or table.dtype.kind != "i":
            raise ValueError(f"input_table {table.dtype}{list(table.shape)}")
        if table.min() < -128 or table.max() > 127:
            raise ValueError(f"input_table with {table.min()}..{table.max()}")
    return ports


def _read_output(values: Any) -> Output:
    one = Output(**{name: _tuples(value) for name, value in values.items()})
    if len(one.shape) != 3 or not all(map(_is_size, one.shape)):
        raise ValueError(f"output {one.name} of shape {one.shape}")
    if one.dtype not in ("int8", "uint8") or type(one.offset) is not int:
        raise ValueError(f"output {one.name} of {one.dtype} at {one.offset}")
    if not (isinstance(one.scale, (int, float)) and 0 < one.scale < float("inf")):
        raise ValueError(f"output {one.name} of scale {one.scale}")
    if sorted({*one.lanes, -1}) != list(range(-1, one.shape[0])):
        raise ValueError(f"lanes {one.lanes} of output {one.name}")
    return one


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _is_size(value: object) -> bool:
    return type(value) is int and 0 < value <= MOST_SIZE
