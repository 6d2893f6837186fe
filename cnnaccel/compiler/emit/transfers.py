"""Blocks of tensors between DRAM and act, as operations of load and store.

Knows how tensors lie in DRAM: [word][y][x] of C bytes, the image as the host gives it.
"""

from __future__ import annotations

from typing import Any

from cnnaccel.compiler.emit.tokens import Cells, InDram, Op
from cnnaccel.compiler.lower.network import Tensor
from cnnaccel.compiler.lower.place import Place
from cnnaccel.compiler.plan.blocks import RUN, Block, in_one_transfer, unfolded_pixels
from cnnaccel.compiler.plan.schedule import Schedule
from cnnaccel.compiler.plan.tiling import region_unit
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Base, Load, Memory, Opcode, Store
from cnnaccel.isa.program import Note


def act_cells(hardware: HardwareConfig, first: int, last: int) -> Cells:
    """The units of act from word `first` to before `last`."""
    unit = region_unit(hardware)
    return Cells(Memory.ACT, slice(0, 1), slice(first // unit, -(-last // unit)))


def place_cells(hardware: HardwareConfig, place: Place) -> Cells:
    """The units of act that a buffer takes."""
    return act_cells(hardware, place.base, place.base + place.size)


def move(
    schedule: Schedule,
    kind: type[Load] | type[Store],
    tensor: Tensor,
    block: Block,
    place: Place,
    layer: str,
    image: int = 0,
) -> list[Op]:
    """A block of a tensor to or from a place that holds no more.

    image: of the iteration, for the tensor that is the input.
    """
    width = schedule.hardware.input_lanes
    row_bytes = tensor.columns * width
    plane_bytes = tensor.rows * row_bytes
    start = schedule.dram.get(tensor.name, 0)
    if tensor.base is Base.INPUT:
        start += image * schedule.network.image_bytes
    start += block.words.start * plane_bytes + block.rows.start * row_bytes
    start += block.columns.start * width
    words, pixels = len(block.words), len(block.rows) * len(block.columns)
    together = in_one_transfer(tensor, len(block.rows), len(block.columns))
    shapes: list[dict[str, Any]]
    if together and len(block.rows) == tensor.rows and words * pixels <= RUN:
        shapes = [{"dram_offset": start, "address": place.base, "run_words": words * pixels}]
    elif together:
        shapes = [
            dict(
                dram_offset=start, dram_stride=plane_bytes, runs=words, run_words=pixels,
                address=place.base, stride=place.plane,
            )
        ]  # fmt: skip
    else:
        shapes = [
            dict(
                dram_offset=start + word * plane_bytes, dram_stride=row_bytes,
                runs=len(block.rows), run_words=len(block.columns),
                address=place.base + word * place.plane, stride=place.row,
            )
            for word in range(words)
        ]  # fmt: skip
    common: dict[str, Any] = {
        "base": tensor.base,
        "advances": tensor.base is not Base.SCRATCH,
        "interleave": place.interleave,
    }
    act = (place_cells(schedule.hardware, place),)
    dram: tuple[Cells, ...] = ()
    if tensor.base is not Base.INPUT:
        rows = slice(block.rows.start, block.rows.stop)
        words_too = slice(block.words.start, block.words.stop)
        dram = (Cells(InDram(tensor.name), words_too, rows),)
    reads, writes = (dram, act) if kind is Load else (act, dram)
    note = Note(layer, block.of(tensor))
    return [Op(kind(**common, **shape), note, reads, writes) for shape in shapes]


def unfold(
    schedule: Schedule, tensor: Tensor, block: Block, place: Place, layer: str, image: int
) -> list[Op]:
    """Rows of the raw image into words of a place that holds just this block."""
    how = tensor.unfold
    assert how is not None
    padding, start, pixels = unfolded_pixels(tensor, block.columns)
    row_bytes = how.row_pixels * how.pixel_bytes
    offset = image * schedule.network.image_bytes + block.rows.start * row_bytes
    load = Load(
        opcode=Opcode.UNFOLD, base=Base.INPUT, advances=True, interleave=place.interleave,
        dram_offset=offset + start * how.pixel_bytes, dram_stride=row_bytes,
        runs=len(block.rows), address=place.base, stride=place.row, plane=place.plane,
        pixel_bytes=how.pixel_bytes, row_pixels=pixels,
        columns=len(block.columns), kernel_w=how.kernel_w, stride_x=how.stride_x,
        pad_left=padding, column_words=tensor.words,
    )  # fmt: skip
    cells = place_cells(schedule.hardware, place)
    return [Op(load, Note(layer, block.of(tensor)), writes=(cells,))]


def transfer_bytes(hardware: HardwareConfig, instruction: Load | Store) -> int:
    """Bytes that a transfer moves between DRAM and the chip."""
    match instruction.opcode:
        case Opcode.UNFOLD:
            assert isinstance(instruction, Load)
            return instruction.runs * instruction.row_pixels * instruction.pixel_bytes
        case Opcode.LOAD_WGT:
            word = hardware.wgt_word_bytes
        case Opcode.LOAD_PAR:
            word = hardware.par_word_bytes
        case _:
            word = hardware.input_lanes
    return instruction.runs * instruction.run_words * word
