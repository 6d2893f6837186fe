"""Every bound of the instruction set: refused before training where a network passes it, by layer.

Each field is in one of three lists: a network passes its bound and is refused, is handled another
way, or the field is out of a network's reach, for the reason given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnaccel.compiler import limits
from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.compiler.lower.loopnest import MOST_ROWS, counted_rows
from cnnaccel.compiler.lower.orient import transposed
from cnnaccel.config import QuantizeConfig
from cnnaccel.errors import GraphError, ProgramError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.instructions import (
    INSTRUCTIONS,
    Base,
    Compute,
    Header,
    Instruction,
    Load,
    Par,
    Store,
)
from cnnaccel.isa.interpreter import run_program
from cnnaccel.isa.program import Note, Program
from cnnaccel.isa.record import layout
from cnnaccel.quant.canonical import canonicalize
from cnnaccel.quant.outline import outline
from cnnaccel.quant.ptq import check_supported, quantize
from tests.support import graphs
from tests.support.bounds import HANDLED, REFUSED, conv, net
from tests.support.networks import Net, Shape, network, pixels

PYNQ = load_hardware("pynq_z1")


def equals_golden(model: nn.Module, shape: Shape, hardware: HardwareConfig = PYNQ) -> Compiled:
    """Found to be supported, quantized, compiled; the interpreter computes what golden does."""
    check_supported(model, shape, hardware)
    images = pixels(shape, 2)
    config = QuantizeConfig(bias_correction=False)
    graph = quantize(model, "net", images, config).graph
    compiled = compile_graph(graph, hardware)
    count = -(-len(images) // compiled.ports.images)
    packed = compiled.ports.pack(images)
    output = run_program(hardware, compiled.program, packed, count, "random", seed=1)[Base.OUTPUT]
    got = compiled.ports.unpack(output, len(images))
    assert np.array_equal(got, golden.run(graph, images))
    assert len(np.unique(got)) > 1, "a result that is the same everywhere shows little"
    return compiled


# ---- the lists -------------------------------------------------------------------------------


_ACT = "a place in act, which has at most 2**19 words; what does not fit is done in pieces"
_WGT = "a place in wgt, which has at most 2**16 words; what does not fit is done in parts"
_MOVED = "runs of more words, and more runs, are several instructions"
_CHOSEN = "chosen by the compiler from a few values, whatever the network"
_FLAG = "a flag or a code"
_WIDE = "more than 65,535 columns are refused by who reads them: a layer's in_w, or the host"
_LONG = "a program of 2**20 instructions is refused before, 128 MiB at most"
_GIB = "takes 2 GiB or more; `test_bytes_of_dram` has the check"
REASONS = {
    "Compute": dict.fromkeys(("opcode", "wait_for", "signal_to", "clear", "drain"), _FLAG)
    | dict.fromkeys(("wait_drain", "signed_first", "signed_rest"), _FLAG)
    | dict.fromkeys(("interleave_in", "interleave_out", "lanes_per_slot", "words"), _CHOSEN)
    | dict.fromkeys(("words_last", "out_lane_columns"), _CHOSEN)
    | dict.fromkeys(("w_init", "w_rewind"), _WGT)
    | dict.fromkeys(("w_step", "w_co", "par_co"), _CHOSEN)
    | dict.fromkeys(("o_init", "out_plane", "out_lane_distance"), _ACT)
    | dict.fromkeys(("ox_jumps", "out_w"), _WIDE)
    | {
        "o_jumps": "wraps as a_jumps do",
        "par_init": "a place in par, at most 1,024 words; groups that do not fit are done apart",
        "low": "a value of the output's type",
        "high": "a value of the output's type",
    },
    "Transfer": dict.fromkeys(("opcode", "wait_for", "signal_to", "base", "advances"), _FLAG)
    | dict.fromkeys(("run_words", "runs"), _MOVED)
    | dict.fromkeys(("address", "stride"), _ACT)
    | dict.fromkeys(("interleave", "distance"), _CHOSEN)
    | dict.fromkeys(("dram_offset", "dram_stride"), _GIB),
    "Load": {
        "column_words": "64 bytes of a kernel row are at most 16 words, longer ones not unfolded",
        "plane": _ACT,
    },
    "Par": {
        "bias": "weights are made coarser until it fits (`lower._fit_bias`)",
        "multiplier": "requantizing by more is refused when scales are known (`intmath`)",
        "shift": "an int32 shifted further is 0",
    },
    "Header": dict.fromkeys(("magic", "version", "digest"), "not of the network")
    | dict.fromkeys(("sections_crc", "weights_crc", "header_crc"), "a checksum")
    | dict.fromkeys(("once_bytes", "body_bytes", "again_bytes"), _LONG)
    | dict.fromkeys(("once_instructions", "body_instructions", "again_instructions"), _LONG)
    | dict.fromkeys(("weights_bytes", "scratch_bytes", "input_stride", "output_stride"), _GIB)
    | {"count": "the host's", "images_per_iteration": "at most 64, or as compile.images says"},
}  # fmt: skip


def test_every_field_is_in_one_list() -> None:
    for record in (*INSTRUCTIONS, Par, Header):
        kind = "Transfer" if record in (Load, Store) else record.__name__
        for field in layout(record):
            own = f"{record.__name__}.{field.name}"
            reasons = REASONS[kind] | REASONS.get(record.__name__, {})
            lists = [own in REFUSED, own in HANDLED, field.name in reasons]
            assert sum(lists) == 1, f"{own} is in {sum(lists)} lists"


def test_the_refused_fields_have_words_for_people() -> None:
    assert {name.removeprefix("Compute.") for name in REFUSED} <= set(limits.FIELDS)


# ---- just inside, just outside ---------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_just_inside(name: str) -> None:
    bound = REFUSED[name]
    equals_golden(bound.network(bound.inside), bound.shape)


@pytest.mark.parametrize("name", REFUSED)
def test_just_outside(name: str) -> None:
    bound = REFUSED[name]
    with pytest.raises(ProgramError, match=bound.message):
        check_supported(bound.network(bound.outside), bound.shape, PYNQ)


@pytest.mark.parametrize("name", HANDLED)
def test_handled(name: str) -> None:
    model, shape = HANDLED[name]
    equals_golden(model(), shape)


# ---- rows and columns exchanged, rows that are not counted -----------------------------------

TALL: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "one column": (lambda: net(conv(2, 6, (15, 1)), nn.ReLU()), (2, 3000, 1)),
    "words": (lambda: net(conv(5, 3, (4, 1), stride=(3, 1))), (5, 2048, 2)),
    "every layer": (
        lambda: net(
            conv(1, 4, (5, 3), stride=(4, 1), padding=(2, 0)), nn.ReLU(),
            nn.Conv2d(4, 4, (3, 2), padding=(1, 0), groups=4), nn.MaxPool2d((3, 2), (2, 1)),
            nn.AvgPool2d((2, 1)), conv(4, 4, (2, 1), dilation=(3, 1)), nn.Flatten(),
            nn.LazyLinear(5),
        ),
        (1, 2100, 6),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TALL)
@pytest.mark.parametrize("board", ["pynq_z1", "tiny"])
def test_tall_images_are_laid_down(name: str, board: str) -> None:
    model, shape = TALL[name]
    built = model()
    built(torch.zeros(1, *shape))
    compiled = equals_golden(built, shape, load_hardware(board))
    assert compiled.ports.transposed and compiled.ports.input_shape == shape


def test_wide_images_are_as_they_were() -> None:
    assert not equals_golden(net(conv(1, 2, (1, 3))), (1, 2, 3000)).ports.transposed


def test_a_transposed_graph_computes_the_same() -> None:
    graph = graphs.every_kind()
    images = pixels(graph.input.shape, 3)
    turned = golden.run(transposed(graph), np.ascontiguousarray(images.swapaxes(2, 3)))
    assert np.array_equal(turned.swapaxes(2, 3), golden.run(graph, images))


def test_more_rows_and_columns_than_in_h_counts() -> None:
    """Both are over 2,047: pieces count the rows from their own first one."""
    compiled = equals_golden(
        net(conv(1, 2, (3, 3), stride=(8, 9), padding=(1, 1))), (1, 2056, 2049)
    )
    assert not compiled.ports.transposed


def test_counted_rows() -> None:
    assert counted_rows(100, -1, 100) == (0, 100)
    assert counted_rows(5000, -1, 20) == (0, MOST_ROWS)
    assert counted_rows(6000, 3000, 3100) == (3000, MOST_ROWS)
    assert counted_rows(5000, 4000, 5003) == (4000, 1000)
    assert counted_rows(5000, 0, 4999) == (0, 5000), "to be refused"


# ---- what is no field of an instruction ------------------------------------------------------


def test_what_a_host_counts() -> None:
    with pytest.raises(ProgramError, match=r"result of layer '1'.* 65,536 channels.* 65,535"):
        check_supported(net(nn.Flatten(), nn.Linear(4, 65_536)), (1, 2, 2), PYNQ)
    with pytest.raises(ProgramError, match=r"the image has 65,536 channels.* 65,535"):
        check_supported(net(conv(65_536, 2, 1)), (65_536, 1, 1), PYNQ)


def test_averages_over_too_many_pixels() -> None:
    """Known without weights; what weights add up to is known when they are there."""
    model = net(conv(1, 1, 1), nn.ReLU(), nn.AvgPool2d(2903))
    with pytest.raises(GraphError, match=r"layer '2' .*accumulator could reach .* beyond int32"):
        check_supported(model, (1, 2903, 2903), PYNQ)


def test_scratchpads_too_small() -> None:
    model = net(conv(1, 2, 1), nn.MaxPool2d(40, stride=1))
    with pytest.raises(ProgramError, match=r"layer '1': .* it needs act_kib of at least \d+"):
        check_supported(model, (1, 41, 41), load_hardware("tiny"))


def test_far_outside_the_input_must_not_wrap_into_it() -> None:
    """Rows below -2,048 or over 4,095 would be inside again on the engine."""
    for first, step, refused in ((-2048, 1, False), (1, 2047, False), (3, 2047, True),
                                 (-2048, -1, True)):  # fmt: skip
        instruction = dataclasses.replace(
            Compute(), bounds=(1, 3, *[1] * 7), y_init=first, y_jumps=(0, step, *[0] * 5)
        )
        if refused:
            with pytest.raises(ProgramError, match="layer 'conv': its window goes from rows"):
                checked(instruction)
        else:
            checked(instruction)


def test_bytes_of_dram() -> None:
    checked(Load(dram_stride=2**31 - 8))
    with pytest.raises(ProgramError, match=r"layer 'conv': 2,147,483,648 bytes of DRAM between"):
        checked(Store(dram_stride=2**31))
    for name, what in (("input_stride", "images"), ("output_stride", "results")):
        with pytest.raises(ProgramError, match=rf"'net': 4,294,967,296 bytes of {what} .*images"):
            checked(Load(), **{name: 2**32})


def checked(instruction: Instruction, **values: Any) -> None:
    """`limits.check` of a program with one instruction, of the layer `conv`."""
    graph = Graph("net", graphs.spec("image", (1, 4, 4)), graphs.every_kind().layers)
    program = Program(
        digest=PYNQ.digest, body=(instruction,), notes=(Note("conv", "rows 0"),), **values
    )
    limits.check(graph, PYNQ, program)


# ---- the outline is the network --------------------------------------------------------------


def branches(m: Net, x: torch.Tensor) -> torch.Tensor:
    """Every kind of layer, and what is added for scales: before a concatenation, between types."""
    x = m.first(x).relu()
    y = m.down(m.across(x)).clamp(0, 6) + m.pool(x)
    joined = torch.cat([m.average(y), m.keep(y.relu()), m.large(x)], 1)
    return m.dense(joined.flatten(1))


def every_kind() -> nn.Module:
    torch.manual_seed(0)
    large = nn.Conv2d(6, 6, 2, 2)  # the scale of the concatenation is its own alone
    nn.init.normal_(large.weight, std=2)
    return Net(
        branches, first=nn.Conv2d(3, 6, 3, padding=1), across=nn.Conv2d(6, 6, 3, 1, 1, groups=6),
        down=nn.Conv2d(6, 6, 2, 2), pool=nn.MaxPool2d(2), average=nn.AvgPool2d(3, 1, 1),
        keep=nn.MaxPool2d(3, 1, 1), large=large,
        dense=nn.Linear(18 * 36, 10),
    )  # fmt: skip


@pytest.mark.parametrize("board", ["pynq_z1", "tiny"])
@pytest.mark.parametrize("name", ["every kind", "lenet"])
def test_an_outline_has_the_program_of_the_network(name: str, board: str) -> None:
    """Every instruction is the same, but for the limits of results, which follow from scales."""
    model, shape = (every_kind(), (3, 12, 12)) if name == "every kind" else network(name)
    hardware = load_hardware(board)
    sketch = compile_graph(outline(canonicalize(model, shape), name), hardware)
    config = QuantizeConfig(bias_correction=False)
    real = compile_graph(quantize(model, name, pixels(shape, 4), config).graph, hardware)
    assert sketch.program.notes == real.program.notes
    for section in ("once", "body"):
        got, wanted = getattr(sketch.program, section), getattr(real.program, section)
        assert list(map(without_limits, got)) == list(map(without_limits, wanted))
    assert len(sketch.program.weights) == len(real.program.weights)


def without_limits(instruction: Instruction) -> Instruction:
    if isinstance(instruction, Compute):
        return dataclasses.replace(instruction, low=0, high=0)
    return instruction
