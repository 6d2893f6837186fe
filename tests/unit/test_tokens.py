"""Tokens: as many as the order needs, no more, and the same in every iteration."""

from __future__ import annotations

from cnnaccel.compiler.emit.tokens import Cells, InDram, Op, Watched, synchronise
from cnnaccel.isa.instructions import Compute, Instruction, Load, Memory, Store, Unit
from cnnaccel.isa.program import NOTHING, Note

NOTE = Note("layer", "what")
MEMORIES: dict[Watched, tuple[int, int]] = {Memory.ACT: (1, 16)}
FENCE = Op(NOTHING, NOTE, fence=True)


def cells(*numbers: int) -> tuple[Cells, ...]:
    return tuple(Cells(Memory.ACT, slice(0, 1), slice(number, number + 1)) for number in numbers)


def load(*writes: int) -> Op:
    return Op(Load(), NOTE, (), cells(*writes))


def compute(reads: tuple[int, ...], writes: tuple[int, ...]) -> Op:
    return Op(Compute(), NOTE, cells(*reads), cells(*writes))


def store(*reads: int) -> Op:
    return Op(Store(), NOTE, cells(*reads), ())


def tokens(instructions: tuple[Instruction, ...]) -> list[tuple[str, str]]:
    """What each waits for and signals, by first letters."""

    def letters(units: Unit) -> str:
        return "".join(str(unit.name)[0].lower() for unit in Unit if unit in units)

    return [(letters(one.wait_for), letters(one.signal_to)) for one in instructions]


def test_a_chain() -> None:
    """load -> compute -> store; the next load waits for the compute that read, not for the store;
    the fence waits for the store."""
    body = [load(0), compute((0,), (1,)), store(1), FENCE]
    once, found, notes = synchronise([], body, MEMORIES)
    assert tokens(found) == [("c", "c"), ("l", "ls"), ("c", "c"), ("s", "")]
    assert tokens(once) == [("", ""), ("", "l")]
    assert len(notes) == len(once) + len(found)


def test_what_a_unit_knows_already_needs_no_token() -> None:
    """The second compute reads what the first load wrote, which the first compute has waited
    for; the store of both, and the loads of the next iteration, wait for the second alone."""
    body = [load(0), load(1), compute((1,), (2,)), compute((0,), (3,)), store(2, 3), FENCE]
    _, found, _ = synchronise([], body, MEMORIES)
    assert tokens(found)[2:] == [("l", ""), ("", "ls"), ("c", "c"), ("s", "")]


def test_compute_waits_for_its_own_drain_only_where_it_must() -> None:
    body = [load(0), compute((0,), (1,)), compute((1,), (2,)), compute((1,), (3,)), store(3), FENCE]
    _, found, _ = synchronise([], body, MEMORIES)
    waits = [one.wait_drain for one in found if isinstance(one, Compute)]
    assert waits == [False, True, False, False]


def test_a_token_can_stand_for_the_drain() -> None:
    """The load waits for the first compute; who waits for that load knows that it has drained."""
    body = [load(0), compute((0,), (1,)), load(0), compute((0, 1), (2,)), store(2), FENCE]
    _, found, _ = synchronise([], body, MEMORIES)
    assert [one.wait_drain for one in found if isinstance(one, Compute)] == [False, False, False]


def test_double_buffers_let_load_run_ahead() -> None:
    """Two buffers: each load waits for the compute two before it, so two tokens come from once."""
    body = [load(0), compute((0,), (2,)), load(1), compute((1,), (3,)), store(2), store(3), FENCE]
    once, found, _ = synchronise([], body, MEMORIES)
    assert [wait for wait, _ in tokens(found)] == ["c", "l", "c", "l", "c", "c", "s"]
    assert [signal for _, signal in tokens(once)] == ["", "l", "l"]


def test_weights_that_stay_are_waited_for_once() -> None:
    weights = load(5)
    body = [load(0), compute((0, 5), (1,)), store(1), FENCE]
    once, found, _ = synchronise([weights], body, MEMORIES)
    assert tokens(once) == [("", "c"), ("l", ""), ("", "l")]
    assert tokens(found)[1] == ("l", "ls")


def test_a_tensor_that_comes_back_from_dram() -> None:
    """store -> load: the load waits until the store's bytes have arrived."""
    there = (Cells(InDram("t"), slice(0, 2), slice(0, 3)),)
    back = Op(Load(), NOTE, there, cells(4))
    away = Op(Store(), NOTE, cells(1), there)
    body = [load(0), compute((0,), (1,)), away, back, compute((4,), (5,)), store(5), FENCE]
    _, found, _ = synchronise([], body, MEMORIES | {InDram("t"): (2, 3)})
    assert tokens(found)[2:4] == [("c", "l"), ("s", "c")]
