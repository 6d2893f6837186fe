"""Programs on a memory image: any order of units gives golden's bytes; mistakes are reported."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pytest

from cnnaccel.compiler.lower import pack
from cnnaccel.compiler.lower.loopnest import Pool, interleave_for
from cnnaccel.compiler.lower.place import Place
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.isa.execute import execute, reads, writes
from cnnaccel.isa.instructions import Base, Compute, Instruction, Load, Memory, Opcode, Store, Unit
from cnnaccel.isa.interpreter import ORDERS, Order, run_program
from cnnaccel.isa.program import NOTHING, Program
from cnnaccel.isa.scratchpad import Scratchpads
from tests.support import graphs
from tests.support.example import Example, example
from tests.support.hardware import PYNQ, TINY
from tests.support.nests import map_layer, par_bytes

LOAD, COMPUTE, STORE = Unit


def to_words(images: np.ndarray, width: int) -> bytes:
    """[N, C, H, W] as words [n][g][y][x]."""
    n, channels, rows, columns = images.shape
    padded = np.pad(images, ((0, 0), (0, -channels % width), (0, 0), (0, 0)))
    return padded.reshape(n, -1, width, rows, columns).transpose(0, 1, 3, 4, 2).tobytes()


def from_words(words: np.ndarray, shape: Any, width: int) -> np.ndarray:
    """[N, C, H, W] of int8 from words."""
    channels, rows, columns = shape
    laid = words.view(np.int8).reshape(-1, -(-channels // width), rows, columns, width)
    return laid.transpose(0, 1, 4, 2, 3).reshape(len(laid), -1, rows, columns)[:, :channels]


def check_example(
    made: Example, program: Program, images: np.ndarray, expected: np.ndarray, **how: Any
) -> None:
    """Raises a ProgramError, or is no golden output, if the program is wrong."""
    width = made.hardware.input_lanes
    dram = run_program(made.hardware, program, to_words(images, width), **how)
    out = from_words(dram[Base.OUTPUT], made.layer.output.shape, width)
    assert np.array_equal(out, expected)


def images_and_golden(made: Example, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    count = made.program.count * made.program.images_per_iteration
    images = np.random.default_rng(seed).integers(0, 256, (count, 5, 6, 7)).astype(np.uint8)
    expected = golden.run_layer(made.layer, [images])
    assert expected.std() > 20
    return images, expected


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("hardware", [TINY, PYNQ], ids=["tiny", "pynq"])
def test_any_order_equals_golden(hardware: HardwareConfig, order: Order) -> None:
    made = example(hardware, count=3)
    images, expected = images_and_golden(made)
    for seed in range(5 if order == "random" else 1):
        check_example(made, made.program, images, expected, order=order, seed=seed)
    check_example(made, made.program, images[:2], expected[:2], order=order, count=1)


def test_input_as_an_array() -> None:
    made = example()
    images, _ = images_and_golden(made)
    words = to_words(images, 4)
    array = np.frombuffer(words, np.uint8)
    assert np.array_equal(
        run_program(TINY, made.program, array.reshape(4, -1))[Base.OUTPUT],
        run_program(TINY, made.program, words)[Base.OUTPUT],
    )


def mutants(program: Program, changes: Any) -> Iterator[Program]:
    """Each program in which one instruction has one change."""
    for section in ("once", "body"):
        instructions = getattr(program, section)
        for index, instruction in enumerate(instructions):
            for change in changes(instruction):
                other = dataclasses.replace(instruction, **change)
                changed = (*instructions[:index], other, *instructions[index + 1 :])
                yield _with(program, **{section: changed})


def _with(program: Program, **changes: Any) -> Program:
    return dataclasses.replace(program, **changes)


def tokens(instruction: Instruction) -> Iterator[dict[str, Any]]:
    """One token less or more."""
    for name, unit in itertools.product(("wait_for", "signal_to"), Unit):
        if unit != instruction.UNIT:
            yield {name: getattr(instruction, name) ^ unit}


def addresses(instruction: Instruction) -> Iterator[dict[str, Any]]:
    """One address or jump that is used is another."""
    match instruction:
        case Load() | Store():
            yield {"dram_offset": instruction.dram_offset + 4}
            yield {"address": instruction.address + 1}
        case Compute(drain=True):
            for name in ("a_init", "x_init", "y_init", "w_init", "par_init", "o_init"):
                yield {name: getattr(instruction, name) + 1}
            for name in ("a_jumps", "x_jumps", "y_jumps", "o_jumps"):
                jumps = getattr(instruction, name)
                for level, jump in enumerate(jumps):
                    if instruction.bounds[level] > 1:
                        yield {name: (*jumps[:level], jump + 1, *jumps[level + 1 :])}


def bounds(instruction: Instruction) -> Iterator[dict[str, Any]]:
    """One loop is shorter."""
    match instruction:
        case Load() | Store():
            if instruction.run_words > 1:
                yield {"run_words": instruction.run_words - 1}
        case Compute():
            for level, bound in enumerate(instruction.bounds):
                if bound > 1:
                    shorter = (*instruction.bounds[:level], bound - 1)
                    yield {"bounds": shorter + instruction.bounds[level + 1 :]}


def places_to_load(program: Program) -> int:
    """Tokens of compute for load before body."""
    return sum((LOAD in i.signal_to) - (COMPUTE in i.wait_for) for i in program.once)


@pytest.mark.parametrize("changes", [tokens, addresses, bounds])
def test_every_mutation_is_reported(changes: Any) -> None:
    made = example()
    images, expected = images_and_golden(made)
    checked = 0
    for mutant in mutants(made.program, changes):
        if places_to_load(mutant) == 1:  # nothing goes wrong, but nothing overlaps
            check_example(made, mutant, images, expected)
            continue
        with pytest.raises((ProgramError, AssertionError)):
            check_example(made, mutant, images, expected)
        checked += 1
    assert checked > 15


@pytest.mark.parametrize("order", ORDERS)
def test_lost_synchronization_is_reported_in_any_order(order: Order) -> None:
    """A wait and the token it takes are gone: balanced, never a deadlock, but unordered."""
    made = example(count=4)
    images, expected = images_and_golden(made)
    body = made.program.body
    pairs = [(0, 2), (1, 3), (2, 0), (3, 1), (2, 4), (3, 5), (4, 3)]  # who gives, who takes it
    for i, j in pairs:
        changed = list(body)
        assert body[j].UNIT in body[i].signal_to and body[i].UNIT in body[j].wait_for
        changed[i] = dataclasses.replace(body[i], signal_to=body[i].signal_to ^ body[j].UNIT)
        changed[j] = dataclasses.replace(changed[j], wait_for=body[j].wait_for ^ body[i].UNIT)
        with pytest.raises(ProgramError, match=r"nothing orders it after|nothing has written"):
            check_example(made, dataclasses.replace(made.program, body=tuple(changed)),
                          images, expected, order=order)  # fmt: skip


def tiny(*body: Instruction, once: tuple[Instruction, ...] = (), **rest: Any) -> Program:
    return Program(digest=TINY.digest, once=once, body=body, **rest)


def take(instruction: Instruction, *units: Unit) -> Instruction:
    return dataclasses.replace(instruction, wait_for=reduce(or_, units, Unit(0)))


def give(instruction: Instruction, *units: Unit) -> Instruction:
    return dataclasses.replace(instruction, signal_to=reduce(or_, units, Unit(0)))


ACT = Load(base=Base.INPUT)
BACK = Store(base=Base.OUTPUT)


def refuse(program: Program, message: str, images: bytes = bytes(64)) -> None:
    for order in ORDERS:
        with pytest.raises(ProgramError, match=message):
            run_program(TINY, program, images, order=order)


def test_load_and_store() -> None:
    program = tiny(
        give(Load(base=Base.INPUT, run_words=3, runs=2, dram_stride=16, address=9, stride=-8,
                  distance=2, interleave=4), STORE),
        take(Store(base=Base.OUTPUT, run_words=3, runs=2, dram_stride=12, address=9, stride=-8,
                   distance=2, interleave=4), LOAD),
        output_stride=24,
    )  # fmt: skip
    data = np.arange(28, dtype=np.uint8)
    out = run_program(TINY, program, data)[Base.OUTPUT]
    assert out.tolist() == [*range(12), *range(16, 28)]


@pytest.mark.parametrize(("kernel", "stride", "pad"), [(3, 1, 1), (5, 2, 2), (2, 3, 0), (7, 4, 3)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("hardware", [TINY, PYNQ], ids=["tiny", "pynq"])
def test_unfold(
    hardware: HardwareConfig, channels: int, kernel: int, stride: int, pad: int
) -> None:
    """Rows of raw pixels from an odd byte address; the last kernel goes beyond the row."""
    width, pixels, rows = hardware.input_lanes, 11, 3
    columns, words = pixels // stride + 1, -(-kernel * channels // width)
    image = np.random.default_rng(2).integers(1, 256, (rows, pixels, channels)).astype(np.uint8)
    plane = rows * columns
    load = Load(opcode=Opcode.UNFOLD, base=Base.INPUT, advances=True, dram_offset=5,
                dram_stride=pixels * channels, runs=rows, stride=columns, pixel_bytes=channels,
                row_pixels=pixels, columns=columns, kernel_w=kernel, stride_x=stride, pad_left=pad,
                column_words=words, plane=plane, signal_to=STORE)  # fmt: skip
    store = Store(base=Base.OUTPUT, run_words=words * plane, wait_for=LOAD)
    program = Program(digest=hardware.digest, body=(load, store),
                      output_stride=words * plane * width)  # fmt: skip
    out = run_program(hardware, program, bytes(5) + image.tobytes())[Base.OUTPUT]
    got = out.reshape(words, rows, columns, width).transpose(1, 2, 0, 3).reshape(rows, columns, -1)
    padded = np.pad(image, ((0, 0), (pad, kernel * stride), (0, 0)))
    for column in range(columns):
        under = padded[:, column * stride : column * stride + kernel].reshape(rows, -1)
        assert np.array_equal(got[:, column, : kernel * channels], under[:, ::-1])


def test_par_words() -> None:
    values = {
        "bias": np.array([1, -2, 2**31 - 1, -(2**31)]),
        "multiplier": np.array([0, 65535, 256, 1]),
        "shift": np.array([0, 47, 16, 1]),
    }
    program = tiny(
        Load(opcode=Opcode.LOAD_PAR, dram_offset=16),
        Load(opcode=Opcode.LOAD_WGT),
        Load(base=Base.INPUT, signal_to=COMPUTE),
        Compute(out_w=1, o_init=8, wait_for=LOAD, signal_to=STORE),
        Store(base=Base.OUTPUT, address=8, wait_for=COMPUTE),
        weights=bytes(16) + par_bytes(values),
        output_stride=4,
    )
    with pytest.raises(ProgramError, match="shift 48, at most 47"):
        run_program(TINY, dataclasses.replace(
            program, weights=bytes(16) + bytes(6) + b"\x30" + bytes(21)), bytes(4))  # fmt: skip
    out = run_program(TINY, program, bytes(4))[Base.OUTPUT].view(np.int8)
    assert out.tolist() == [0, 0, 127, -128]


def test_deadlock_says_who_waits_for_whom() -> None:
    refuse(
        tiny(take(give(ACT, COMPUTE), COMPUTE), take(give(NOTHING, LOAD), LOAD)),
        "deadlock: body 0 LOAD_ACT of iteration 0 waits for compute; "
        "body 1 MAX of iteration 0 waits for load; store has ended",
    )


def test_unbalanced_tokens() -> None:
    refuse(
        tiny(give(ACT, COMPUTE), give(ACT, COMPUTE), take(NOTHING, LOAD)),
        "body gives 2 tokens of load for compute and takes 1; .* body 1 LOAD_ACT",
    )
    refuse(
        tiny(ACT, take(NOTHING, STORE)),
        "body gives 0 tokens of store for compute and takes 1; .* body 1 MAX",
    )
    refuse(
        tiny(once=(give(NOTHING, STORE),)),
        "once gives 1 tokens of compute for store and takes 0; .* once 0 MAX",
    )


def test_token_overflow() -> None:
    program = tiny(give(ACT, COMPUTE), take(NOTHING, LOAD), count=300)
    with pytest.raises(ProgramError, match=r"LOAD_ACT of iteration 255: more than 255 tokens"):
        run_program(TINY, program, bytes(4), order="load first")
    run_program(TINY, program, bytes(4), order="compute first")


def test_words_never_written() -> None:
    refuse(tiny(BACK, output_stride=4), "body 0 STORE .*: reads word 0 of act, which nothing")
    spilled = Load(base=Base.SCRATCH, dram_offset=4)
    refuse(tiny(spilled, scratch_bytes=8), "reads word 1 of SCRATCH, which nothing has written")
    ready = give(ACT, COMPUTE)
    refuse(
        tiny(ready, take(Compute(out_w=1, o_init=8), LOAD)), "body 1 MAC .*: reads word 0 of wgt"
    )
    weights = Load(opcode=Opcode.LOAD_WGT)
    program = tiny(weights, ready, take(Compute(out_w=1, o_init=8), LOAD), weights=bytes(16))
    refuse(program, "body 2 MAC .*: reads word 0 of par")


def test_a_region_has_one_interleave() -> None:
    """Word 1 lies elsewhere if L is 2."""
    load = give(Load(base=Base.INPUT, run_words=2), STORE)
    store = take(Store(base=Base.OUTPUT, run_words=2, interleave=2), LOAD)
    refuse(tiny(load, store, output_stride=8), "STORE .*, which nothing has written")


@pytest.mark.parametrize("offset", [0, 4, 60, 64, 2**32 - 4])
def test_addresses_outside_a_buffer(offset: int) -> None:
    load = Load(base=Base.INPUT, run_words=2, dram_offset=offset, advances=True)
    program = tiny(give(load, STORE), take(BACK, LOAD), output_stride=4, input_stride=4)
    if offset + 8 <= 64:
        run_program(TINY, program, bytes(64))
    else:
        refuse(program, f"body 0 LOAD_ACT of iteration 0: bytes {offset} to {offset + 7} of INPUT")


def test_addresses_outside_a_buffer_later() -> None:
    body = give(Load(base=Base.INPUT, run_words=3, advances=True), STORE), take(BACK, LOAD)
    late = tiny(*body, count=3, input_stride=8, output_stride=4)
    late = dataclasses.replace(late, body=(take(give(body[0], STORE), STORE), give(body[1], LOAD)),
                               once=(give(ACT, STORE), give(take(BACK, LOAD), LOAD)))  # fmt: skip
    refuse(late, "body 0 LOAD_ACT of iteration 2: bytes 16 to 27 of INPUT with 20", bytes(20))
    down = Load(base=Base.INPUT, runs=2, stride=1, dram_stride=-4)
    refuse(tiny(down), "bytes -4 to 3 of INPUT")
    row = Load(opcode=Opcode.UNFOLD, base=Base.INPUT, dram_offset=60, row_pixels=5)
    refuse(tiny(row), "UNFOLD of iteration 0: bytes 60 to 64 of INPUT with 64")
    store = Store(base=Base.SCRATCH, wait_for=LOAD)
    refuse(tiny(give(ACT, STORE), store), "body 1 STORE .*: bytes 0 to 3 of SCRATCH with 0")


def test_spilled_words_wait_for_the_store() -> None:
    first = give(ACT, STORE)
    spill = Store(base=Base.SCRATCH, wait_for=LOAD, signal_to=LOAD)
    reload = Load(base=Base.SCRATCH, address=8, wait_for=STORE, signal_to=STORE)
    last = Store(base=Base.OUTPUT, address=8, wait_for=LOAD)
    right = tiny(first, spill, reload, last, scratch_bytes=4, output_stride=4)
    for order in ORDERS:
        out = run_program(TINY, right, b"abcd", order=order)
        assert out[Base.OUTPUT].tobytes() == out[Base.SCRATCH].tobytes() == b"abcd"
    wrong = tiny(first, give(spill), take(reload), last, scratch_bytes=4, output_stride=4)
    refuse(
        wrong, "word 0 of SCRATCH(, which nothing has written|; nothing orders it after body [12])"
    )


def test_overwriting_words_still_to_be_read() -> None:
    """The second load may come before the store has read what the first one loaded."""
    refuse(
        tiny(give(ACT, STORE), take(BACK, LOAD), ACT, output_stride=4),
        "body 2 LOAD_ACT of iteration 0: writes word 0 of act; nothing orders it after "
        "body 1 STORE of iteration 0 reads it|"
        "body 1 STORE of iteration 0: reads word 0 of act; nothing orders it after "
        "body 2 LOAD_ACT of iteration 0 writes it",
    )


MOVE = Compute(opcode=Opcode.MAX, out_w=1, low=-128, high=127, signed_first=True)


def moves(*instructions: Instruction) -> Program:
    """Loads word 0 of act, moves it about, and stores word 24."""
    ones = {"bias": np.zeros(4, int), "multiplier": np.ones(4, int), "shift": np.zeros(4, int)}
    first, *rest = instructions
    return tiny(
        Load(opcode=Opcode.LOAD_PAR), give(ACT, COMPUTE), take(first, LOAD), *rest,
        Store(base=Base.OUTPUT, address=24, wait_for=COMPUTE),
        weights=par_bytes(ones), output_stride=4,
    )  # fmt: skip


@pytest.mark.parametrize("between", [0, 1])
def test_reading_what_still_drains(between: int) -> None:
    """`wait_drain` is needed by the reader, or by any instruction between it and the writer."""
    a, b = dataclasses.replace(MOVE, o_init=8), dataclasses.replace(MOVE, a_init=8, o_init=24)
    gap = [NOTHING] * between
    late = dataclasses.replace(b, wait_drain=True)
    right = [moves(a, *gap, give(late, STORE))]
    if between:
        waiting = dataclasses.replace(NOTHING, wait_drain=True)
        right += [moves(a, waiting, give(b, STORE))]
    for program, order in itertools.product(right, ORDERS):
        assert run_program(TINY, program, b"abcd", order=order)[Base.OUTPUT].tobytes() == b"abcd"
    refuse(
        moves(a, *gap, give(b, STORE)),
        rf"body {3 + between} MAX .*: reads word 8 of act; nothing orders it after "
        r"body 2 MAX of iteration 0 writes it",
    )


def test_writing_what_the_instruction_before_reads_is_in_order() -> None:
    a, b = dataclasses.replace(MOVE, o_init=24), dataclasses.replace(MOVE, a_init=1, o_init=0)
    both = dataclasses.replace(ACT, run_words=2)
    program = moves(a, give(b, STORE))
    program = dataclasses.replace(
        program, body=(program.body[0], give(both, COMPUTE), *program.body[2:])
    )
    assert run_program(TINY, program, b"abcdefgh")[Base.OUTPUT].tobytes() == b"abcd"


def test_an_instruction_reads_no_word_it_writes() -> None:
    refuse(moves(give(MOVE, STORE)), "body 2 MAX writes 1 words of act that it reads itself")


def test_lanes_outside_read_nothing() -> None:
    """Word 1, under lane 1, is never written: padding, or beyond the output."""
    masks: list[dict[str, Any]] = [{"in_w": 1, "out_w": 2}, {"out_w": 1}]
    for masked in masks:
        lone = dataclasses.replace(MOVE, o_init=24, signal_to=STORE, **masked)
        assert run_program(TINY, moves(lone), b"abcd")[Base.OUTPUT].tobytes() == b"abcd"
    refuse(moves(dataclasses.replace(MOVE, o_init=24, signal_to=STORE, out_w=2)),
           "reads word 1 of act, which nothing has written")  # fmt: skip


X = graphs.spec("x", (10, 9, 11), "int8")
LAYERS: dict[str, Any] = {
    "conv": graphs.conv2d(X, np.ones((7, 10, 3, 2)), padding=(1, 1, 0, 1)),
    "stride": graphs.conv2d(X, np.ones((7, 10, 3, 3)), padding=(2, 0, 1, 1), stride=(2, 2)),
    "depthwise": graphs.depthwise(X, np.ones((10, 3, 3)), stride=(3, 3)),
    "max": graphs.max_pool(X, (3, 3), stride=(1, 1), padding=(1, 1, 1, 1)),
    "average": graphs.avg_pool(X, (2, 2)),
    "pooled": graphs.conv2d(X, np.ones((7, 10, 2, 2))),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("hw", [TINY, PYNQ, HardwareConfig(pixel_lanes=8, output_lanes=32)],
                         ids=["tiny", "pynq", "8x8x32"])  # fmt: skip
def test_reads_and_writes_are_all_that_matters(hw: HardwareConfig, name: str) -> None:
    """What lies in other words changes no result; no other word changes."""
    layer, width, rng = LAYERS[name], hw.input_lanes, np.random.default_rng(0)
    pool = Pool((2, 2), "lanes") if name == "pooled" else None
    rows, columns = (4, 5) if pool else layer.output.shape[1:]
    interleave = 1 if pool else interleave_for(hw, layer.stride[1])
    lanes = [pack.in_order(10, width), pack.in_order(layer.output.shape[0], width)]
    source, target = (
        Place(base, len(held) // width, *shape, False, interleave)
        for base, held, shape in ((0, lanes[0], (9, 11)), (320, lanes[1], (rows, columns)))
    )
    instruction = map_layer(hw, layer, [source], target, lanes, pool=pool).instruction
    read = reads(Scratchpads.empty(hw), instruction)
    written = writes(Scratchpads.empty(hw), instruction)
    assert set(written) == {Memory.ACT} and len(written[Memory.ACT]) == target.size
    assert read[Memory.ACT].min() >= source.base and read[Memory.ACT].max() < source.size
    content = rng.integers(0, 256, (len(read[Memory.ACT]), width)).astype(np.uint8)
    kernel = rng.integers(-128, 128, (len(read.get(Memory.WGT, [])), hw.output_lanes, width))
    results = []
    for _ in range(2):
        pads = Scratchpads.empty(hw)
        pads.act[:] = rng.integers(0, 256, pads.act.shape)
        pads.wgt[:] = rng.integers(-128, 128, pads.wgt.shape)
        for field in (pads.bias, pads.multiplier, pads.shift):
            field[:] = rng.integers(0, 40, field.shape)
        pads.write(read[Memory.ACT], instruction.interleave_in, content)
        pads.wgt[read.get(Memory.WGT, [])] = kernel
        for field, value in ((pads.bias, 5), (pads.multiplier, 9), (pads.shift, 9)):
            field[read[Memory.PAR]] = value
        before = pads.act.copy()
        execute(pads, instruction, np.zeros((hw.pixel_lanes, hw.output_lanes), np.int64))
        results.append(pads.read(written[Memory.ACT], instruction.interleave_out))
        other = np.ones(pads.act.shape[:2], bool)
        other[pads.locate(written[Memory.ACT], instruction.interleave_out)] = False
        assert (pads.act[other] == before[other]).all()
    assert np.array_equal(results[0], results[1]) and results[0].std() > 0
