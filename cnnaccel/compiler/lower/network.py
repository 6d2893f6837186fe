"""A network as tasks: the result of lowering. Knows no addresses.

A task is a layer with all that happens to its results before they are written: a max pool, an
addition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnnaccel.compiler.lower.fuse import Layout
from cnnaccel.compiler.lower.loopnest import Pair
from cnnaccel.compiler.lower.mapping import Part, Work
from cnnaccel.isa.instructions import Base


@dataclass(frozen=True)
class Unfold:
    """The way in which `load` makes words of raw pixels."""

    pixel_bytes: int
    row_pixels: int
    kernel_w: int = 1
    stride_x: int = 1
    pad_left: int = 0


@dataclass(frozen=True)
class Tensor:
    """Channel words of pixels, on the chip or in DRAM."""

    name: str
    words: int
    rows: int
    columns: int
    signed: bool
    base: Base = Base.SCRATCH
    """The buffer it lies in while it is not on the chip."""
    unfold: Unfold | None = None

    @property
    def size(self) -> int:
        """Words of all pixels."""
        return self.words * self.rows * self.columns


@dataclass(frozen=True)
class View:
    """Some channel words of a tensor: those of one part of a concatenation."""

    tensor: str
    first: int
    words: int


@dataclass(frozen=True, eq=False)
class Addition:
    """An addition to a task's results before they are written."""

    name: str
    work: Work
    other: View
    results_first: bool
    """The task's results are the first operand."""


@dataclass(frozen=True, eq=False)
class Task:
    """One layer and what follows at once. Rows and columns are those of what is written."""

    name: str
    work: Work
    sources: tuple[View, ...]
    target: View
    rows: int
    columns: int
    pool: Pair | None = None
    addition: Addition | None = None
    joined: str | None = None
    """The pool's or addition's name."""
    flat: bool = False
    """The target is written flattened, images side by side."""
    macs: int = 0
    """Useful multiply-accumulates of one image, without depthwise layers."""

    @property
    def words(self) -> int:
        """Channel words of a pixel of what is written."""
        return self.work.output_words(range(self.work.channels.groups)).stop

    def wgt_words(self, groups: int, part: Part) -> int:
        """Words of wgt that so many groups need for a part, the addition's weights included."""
        added = self.addition.work if self.addition else None
        return self.work.weight_count(groups, part) + (
            added.weight_count(1, added.whole) if added else 0
        )

    def par_words(self, groups: int) -> int:
        """Words of par that so many groups need, the addition's parameters included."""
        own = 1 if self.work.one_parameter else groups
        if self.addition is None:
            return own
        made = min(groups * self.work.channels.words, self.words)
        return own + (1 if self.addition.work.one_parameter else made)

    @property
    def reads(self) -> tuple[View, ...]:
        """Every view that the task reads."""
        return self.sources + ((self.addition.other,) if self.addition else ())


@dataclass(frozen=True, eq=False)
class Network:
    """Tasks for `images` images: `each` for one after another, then `together` for all."""

    tensors: Mapping[str, Tensor]
    each: tuple[Task, ...]
    together: tuple[Task, ...]
    images: int
    image: str
    """The tensor that is the input."""
    image_bytes: int
    """Bytes of one image in DRAM."""
    outputs: tuple[Layout, ...]
    """Layouts of the tensors in OUTPUT, in the order in which they lie there."""
    apart: Mapping[str, str]
    """Why a max pool or an addition is a task of its own, by its name."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in the order of their first execution."""
        return self.each + self.together

    def times(self, number: int) -> int:
        """Number of times that an iteration does a task."""
        return self.images if number < len(self.each) else 1
