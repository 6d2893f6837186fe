"""A compiled program with one thing wrong: the interpreter says so, or the result differs.

Mutants of a small network's program are run: tokens taken away or added, addresses shifted, bounds
shortened. What none of these could show would be a hazard that nobody checks for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir import golden
from cnnaccel.isa.instructions import LEVELS, Base, Compute, Instruction, Load, Opcode, Store, Unit
from cnnaccel.isa.interpreter import ORDERS, run_program
from cnnaccel.isa.program import NOTHING, Program
from tests.support.graphs import small_network

ITERATIONS = 2
MOST = 150
"""Mutants of a kind that are run, evenly chosen."""
ENGINES = {
    "resident": HardwareConfig(act_kib=16),
    "streamed": HardwareConfig(act_kib=4, wgt_kib=4, par_groups=16),
    "split": HardwareConfig(input_lanes=16, output_lanes=64, act_kib=4, wgt_kib=4, par_groups=16),
}


@cache
def compiled(engine: str) -> tuple[Compiled, np.ndarray, np.ndarray]:
    """The program, images in DRAM, and the result of all iterations."""
    graph = small_network()
    found = compile_graph(graph, ENGINES[engine], 4 if engine == "resident" else 1)
    pixels = np.random.default_rng(6).integers(
        0, 256, (ITERATIONS * found.ports.images, *graph.input.shape), np.uint8
    )
    return found, found.ports.pack(pixels), golden.run(graph, pixels)


def run(engine: str, program: Program, seed: int) -> np.ndarray:
    found, packed, _ = compiled(engine)
    order = ORDERS[seed % len(ORDERS)]
    out = run_program(ENGINES[engine], program, packed, ITERATIONS, order, seed)[Base.OUTPUT]
    return found.ports.unpack(out, ITERATIONS * found.ports.images)


def changed(program: Program, at: int, **fields: Any) -> Program:
    """With other fields in the instruction `at` of once and body together."""
    instructions: list[Instruction] = [*program.once, *program.body]
    instructions[at] = dataclasses.replace(instructions[at], **fields)
    once = len(program.once)
    return dataclasses.replace(
        program, once=tuple(instructions[:once]), body=tuple(instructions[once:])
    )


def works(instruction: Instruction) -> bool:
    """Whether it does more than carry tokens."""
    return dataclasses.replace(instruction, wait_for=Unit(0), signal_to=Unit(0)) != NOTHING


def tokens(program: Program) -> Iterator[tuple[str, Program]]:
    """One token less, or one more, on one side; and every `wait_drain` off."""
    for at, instruction in enumerate((*program.once, *program.body)):
        own = instruction.opcode.unit
        for other in Unit:
            for name in ("wait_for", "signal_to"):
                if other is not own:
                    value = getattr(instruction, name) ^ other
                    yield f"{at} {name} {value}", changed(program, at, **{name: value})
        if isinstance(instruction, Compute) and instruction.wait_drain:
            yield f"{at} wait_drain", changed(program, at, wait_drain=False)


def pairs(program: Program) -> Iterator[tuple[str, Program]]:
    """A token of body less on both sides: n-th given, n-th taken."""
    once = len(program.once)
    for giver in Unit:
        for taker in Unit:
            gives = [
                at for at, i in enumerate(program.body)
                if i.opcode.unit is giver and taker in i.signal_to
            ]  # fmt: skip
            takes = [
                at for at, i in enumerate(program.body)
                if i.opcode.unit is taker and giver in i.wait_for
            ]  # fmt: skip
            for give, take in zip(gives, takes, strict=True):
                one, two = program.body[give], program.body[take]
                less = changed(program, once + give, signal_to=one.signal_to & ~taker)
                yield (
                    f"{give} to {take}",
                    changed(less, once + take, wait_for=two.wait_for & ~giver),
                )


def addresses(program: Program) -> Iterator[tuple[str, Program]]:
    """One address a word further: of operands, weights, parameters, results, of DRAM."""
    for at, instruction in enumerate((*program.once, *program.body)):
        if not works(instruction):
            continue
        match instruction:
            case Compute():
                names = ["a_init", "o_init"] if instruction.drain else ["a_init"]
                names += ["par_init"] if instruction.drain else []
                names += ["w_init"] if instruction.opcode is Opcode.MAC else []
                step = 1
            case _:
                names, step = ["address"], 1
        for name in names:
            value = getattr(instruction, name) + step
            yield f"{at} {name}", changed(program, at, **{name: value})
        if isinstance(instruction, Load | Store):
            unfolds = instruction.opcode is Opcode.UNFOLD
            step = instruction.pixel_bytes if unfolds and isinstance(instruction, Load) else 8
            moved = instruction.dram_offset + 2 * step
            yield f"{at} dram_offset", changed(program, at, dram_offset=moved)


def bounds(program: Program) -> Iterator[tuple[str, Program]]:
    """One bound of a nest, or one count of a transfer, shorter by one."""
    for at, instruction in enumerate((*program.once, *program.body)):
        if isinstance(instruction, Compute):
            for level, bound in enumerate(instruction.bounds):
                if bound > 1:
                    less = list(instruction.bounds)
                    less[level] -= 1
                    yield f"{at} {LEVELS[level]}", changed(program, at, bounds=tuple(less))
        else:
            counts = ["runs"] + (
                ["columns"] if instruction.opcode is Opcode.UNFOLD else ["run_words"]
            )
            for name in counts:
                if getattr(instruction, name) > 1:
                    yield (
                        f"{at} {name}",
                        changed(program, at, **{name: getattr(instruction, name) - 1}),
                    )


@pytest.mark.parametrize("engine", ENGINES)
def test_the_program_itself(engine: str) -> None:
    found, _, expected = compiled(engine)
    assert expected.std() > 20
    for seed in range(len(ORDERS)):
        assert np.array_equal(run(engine, found.program, seed), expected)


@pytest.mark.parametrize("mutants", [tokens, pairs, addresses, bounds])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_mutant_is_found(engine: str, mutants: Any) -> None:
    found, _, expected = compiled(engine)
    missed, total = [], 0
    every = list(mutants(found.program))
    for seed, (name, mutant) in enumerate(every[:: 1 + len(every) // MOST]):
        total += 1
        try:
            if np.array_equal(run(engine, mutant, seed), expected):
                missed.append(name)
        except ProgramError:
            continue
    assert total >= 10
    assert not missed, f"{len(missed)} of {total}: {missed}"
