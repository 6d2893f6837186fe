"""The blocks of the page: tiles, tables, charts, pictures, each with its source."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cnnaccel.report.canvas import Chart


class Tile(NamedTuple):
    """A figure of the headline."""

    label: str
    value: str
    note: str
    source: str


class Cell(NamedTuple):
    """A cell of a table; css: `number`, `text`, `wide` for sentences, `good`, `bad`, `open`."""

    text: str
    css: str
    bars: tuple[str, ...] = ()
    """A bar at most: a share of the cell's width, as `12.5%`."""


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its head."""

    name: str
    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Picture(NamedTuple):
    """An image of the test set; address: a data URI."""

    address: str
    text: str
    mark: str
    css: str
    name: str
    note: str


class Card(NamedTuple):
    """A tensor: its name, a small drawing, and figures by name."""

    name: str
    svg: str
    facts: tuple[tuple[str, str], ...]


class Fold(NamedTuple):
    """Cards that are opened by a click; text: what a reader finds there."""

    text: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Block:
    """A thing to look at, where its figures come from, and what has to be said about it."""

    title: str
    source: str
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    folds: tuple[Fold, ...] = ()


class Missing(NamedTuple):
    """A result that is not there, or not up to date, and the command that makes it."""

    text: str
    command: str


@dataclass(frozen=True)
class Section:
    """A chapter; name: its id."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    missing: tuple[Missing, ...] = ()


def table(name: str, columns: Sequence[str], rows: Iterable[Sequence[str | Cell]]) -> Table:
    """Texts become cells; a column after the first is of numbers where all its cells look so."""
    found = [[one if isinstance(one, Cell) else Cell(one, "") for one in row] for row in rows]
    numeric = [
        at > 0 and all(row[at].css == "number" or _is_number(row[at].text) for row in found)
        for at in range(len(columns))
    ]
    kinds = ["number" if one else "text" for one in numeric]
    for at, title in enumerate(columns):
        if title in _SENTENCES:
            kinds[at] = "wide"
    return Table(
        name,
        tuple(Cell(text, kind) for text, kind in zip(columns, kinds, strict=True)),
        tuple(
            tuple(one._replace(css=one.css or kind) for one, kind in zip(row, kinds, strict=True))
            for row in found
        ),
    )


def bar(text: str, share: float) -> Cell:
    """A number with a bar of so much of the cell beneath."""
    return Cell(text, "number", (f"{100 * min(max(share, 0.0), 1.0):.1f}%",))


_SENTENCES = ("source", "result", "made with", "most often mistaken for")
"""Columns that hold some."""


def _is_number(text: str) -> bool:
    return not text or text.lstrip("+-")[:1].isdigit() or text in ("inf", "not run", "-")


def picture(image: npt.NDArray[np.uint8], number: int, name: str, actual: str) -> Picture:
    """A picture of image uint8[C, H, W], taken for `name`; other than 1 or 3 channels show the
    first. Without names nobody says whether it was taken rightly."""
    right = name == actual
    if not name:
        kind = "data:image/png;base64," + base64.b64encode(png(image)).decode()
        return Picture(kind, f"test image {number}", "", "right", f"image {number}", "")
    kind = "data:image/png;base64," + base64.b64encode(png(image)).decode()
    return Picture(
        kind,
        f"test image {number}, " + ("taken rightly for" if right else "taken wrongly for"),
        "\u2713" if right else "\u2717",
        "right" if right else "wrong",
        name,
        "" if right else f"is {actual}",
    )


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """uint8[C, H, W] as a PNG file; other than 3 channels show the first."""
    colour = len(image) == 3
    rows = image.transpose(1, 2, 0) if colour else image[0][:, :, None]
    height, width, channels = rows.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter, 0
    lines[:, 1:] = rows.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if colour else 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
