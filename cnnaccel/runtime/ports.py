"""How images and results lie in DRAM: what a host packs before a run and takes after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import ProgramError

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_SIZE = (1 << 16) - 1
"""Channels, rows or columns that a host counts."""


@dataclass(frozen=True)
class Ports:
    """Where the host finds channels and pixels. Shapes are C, H, W of one image."""

    input_shape: tuple[int, int, int]
    raw: bool
    """INPUT holds rows of pixels of channels, as a camera gives them; else [word][y][x] of C
    lanes, which hold the channels in order."""
    output_shape: tuple[int, int, int]
    output_dtype: str
    output_lanes: tuple[int, ...]
    """The channel in each lane of a result's words, -1 for none. OUTPUT holds, for an iteration,
    [word][y][x][image]."""
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
        """[N, K, P, Q] for the first `count` images of the buffer OUTPUT."""
        channels, rows, columns = self.output_shape
        if self.transposed:
            rows, columns = columns, rows
        lanes = np.array(self.output_lanes)
        words = len(lanes) // self.width
        laid = output.reshape(-1, words, rows, columns, self.images, self.width)
        by_image = laid.transpose(0, 4, 1, 5, 2, 3).reshape(-1, len(lanes), rows, columns)
        order = [int(np.flatnonzero(lanes == channel)[0]) for channel in range(channels)]
        results = by_image[:count, order]
        if self.transposed:
            results = results.swapaxes(2, 3)
        return np.ascontiguousarray(results).view(self.output_dtype)


def read_ports(values: Any) -> Ports:
    """The ports in the JSON of a `network.json`.

    Raises:
        KeyError, TypeError, ValueError: what is missing, or what `pack` and `unpack` cannot use.
    """
    ports = Ports(**{name: _tuples(value) for name, value in values.items()})
    for name in ("input_shape", "output_shape"):
        shape = getattr(ports, name)
        if len(shape) != 3 or not all(map(_is_size, shape)):
            raise ValueError(f"{name} {shape}")
    for name in ("images", "width"):
        if not _is_size(getattr(ports, name)):
            raise ValueError(f"{name} {getattr(ports, name)}")
    if type(ports.transposed) is not bool:
        raise ValueError(f"transposed {ports.transposed}")
    if type(ports.raw) is not bool or ports.output_dtype not in ("int8", "uint8"):
        raise ValueError(f"raw {ports.raw}, output_dtype {ports.output_dtype}")
    if len(ports.output_lanes) % ports.width:
        raise ValueError(f"width {ports.width} with {len(ports.output_lanes)} output_lanes")
    if sorted({*ports.output_lanes, -1}) != list(range(-1, ports.output_shape[0])):
        raise ValueError(f"output_lanes {ports.output_lanes}")
    if ports.input_table is not None:
        table = np.array(ports.input_table)
        if table.shape != (ports.input_shape[0], 256) or table.dtype.kind != "i":
            raise ValueError(f"input_table {table.dtype}{list(table.shape)}")
        if table.min() < -128 or table.max() > 127:
            raise ValueError(f"input_table with {table.min()}..{table.max()}")
    return ports


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _is_size(value: object) -> bool:
    return type(value) is int and 0 < value <= MOST_SIZE
