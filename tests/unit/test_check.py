"""The checks of each pass's result find what is wrong with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cnnaccel.compiler.check import check_emitted, check_network, check_schedule
from cnnaccel.compiler.compile import Compiled, compile_graph
from cnnaccel.compiler.lower.network import Network, View
from cnnaccel.compiler.plan.schedule import TaskBuffer
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Memory
from tests.support import graphs
from tests.support.networks import quantized

SMALL = HardwareConfig(act_kib=4, wgt_kib=4, par_groups=16)
LARGE = HardwareConfig()


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """Through small scratchpads, tensors in DRAM."""
    return compile_graph(quantized("resnet8"), SMALL, 1)


@pytest.fixture(scope="module")
def resident() -> Compiled:
    return compile_graph(graphs.every_kind(), LARGE, 1)


def with_task(network: Network, number: int, **changes: Any) -> Network:
    tasks = list(network.each)
    tasks[number] = dataclasses.replace(tasks[number], **changes)
    return dataclasses.replace(network, each=tuple(tasks))


def test_a_tensor_is_read_before_it_is_written(compiled: Compiled) -> None:
    network = compiled.schedule.network
    swapped = (network.each[1], network.each[0], *network.each[2:])
    with pytest.raises(AssertionError, match="before it is written"):
        check_network(dataclasses.replace(network, each=swapped))


def test_a_view_leaves_its_tensor(compiled: Compiled) -> None:
    network = compiled.schedule.network
    view = network.each[0].target
    with pytest.raises(AssertionError, match=network.each[0].name):
        check_network(with_task(network, 0, target=View(view.tensor, view.first + 1, view.words)))


def test_a_tensor_is_written_twice(compiled: Compiled) -> None:
    network = compiled.schedule.network
    again = dataclasses.replace(network, each=(network.each[0], *network.each))
    with pytest.raises(AssertionError, match="again"):
        check_network(again)


def test_a_reduction_has_steps_twice(compiled: Compiled) -> None:
    schedule = compiled.schedule
    task = schedule.network.each[0]
    fewer = with_task(schedule.network, 0, rows=task.rows + 1)
    check_schedule(
        dataclasses.replace(schedule, network=fewer)
    )  # the cut is of rows, whatever many
    cut = dataclasses.replace(schedule.tilings[0].cut, parts=schedule.tilings[0].cut.parts * 2)
    tilings = (dataclasses.replace(schedule.tilings[0], cut=cut), *schedule.tilings[1:])
    with pytest.raises(AssertionError, match="parts have"):
        check_schedule(dataclasses.replace(schedule, tilings=tilings))


def test_buffers_of_a_task_share_words(compiled: Compiled) -> None:
    schedule = compiled.schedule
    act = dict(schedule.act)
    keys = [key for key in act if isinstance(key, TaskBuffer)]
    one, other = next((a, b) for a in keys for b in keys if a.task == b.task and act[a] > act[b])
    act[one] = act[other]
    with pytest.raises(AssertionError, match="share words"):
        check_schedule(dataclasses.replace(schedule, act=act))


def test_a_region_leaves_act(compiled: Compiled) -> None:
    schedule = compiled.schedule
    act = {key: at + schedule.hardware.act_words for key, at in schedule.act.items()}
    with pytest.raises(AssertionError, match=f"of {schedule.hardware.act_words}"):
        check_schedule(dataclasses.replace(schedule, act=act))


def test_tensors_in_dram_share_bytes(compiled: Compiled) -> None:
    schedule = compiled.schedule
    with pytest.raises(AssertionError, match="share words"):
        check_schedule(dataclasses.replace(schedule, dram=dict.fromkeys(schedule.dram, 0)))


def test_resident_weights_share_words(resident: Compiled) -> None:
    schedule = resident.schedule
    first = next(iter(schedule.stored.values()))
    with pytest.raises(AssertionError, match="share words"):
        check_schedule(dataclasses.replace(schedule, stored=dict.fromkeys(schedule.stored, first)))


def test_operations_beyond_a_memory(compiled: Compiled) -> None:
    emitted = compiled.emitted
    for memory in Memory:
        memories = emitted.memories | {memory: (1, 1)}
        with pytest.raises(AssertionError, match=memory.name):
            check_emitted(compiled.schedule, dataclasses.replace(emitted, memories=memories))


def test_weights_that_are_not_there(compiled: Compiled) -> None:
    emitted = dataclasses.replace(compiled.emitted, weights=b"")
    with pytest.raises(AssertionError):
        check_emitted(compiled.schedule, emitted)
