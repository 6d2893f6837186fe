"""A small network as tasks, and some ways to cut each of them."""

from __future__ import annotations

from functools import cache

import numpy as np

from cnnaccel.compiler.lower.network import Network, Task
from cnnaccel.compiler.lower.tasks import build
from cnnaccel.compiler.plan.tiling import Cut
from cnnaccel.ir.graph import Graph
from tests.support import graphs
from tests.support.hardware import SMALL


@cache
def network() -> Network:
    """Convolutions: unfolded, strided, a kernel wider than the input; an addition, a pool."""
    image = graphs.spec("image", (3, 11, 13))
    first = graphs.conv2d(image, np.ones((9, 3, 3, 3)), "first", padding=(1, 1, 1, 1))
    strided = graphs.conv2d(
        first.output, np.ones((20, 9, 3, 2)), "strided", stride=(2, 3), padding=(1, 0, 0, 1)
    )
    twice = graphs.add(strided.output, strided.output, name="twice")
    pool = graphs.max_pool(twice.output, (2, 2), "pool", stride=(1, 1))
    # every output of this one lies over all columns
    wide = graphs.conv2d(pool.output, np.ones((4, 20, 1, 9)), "wide", padding=(0, 0, 4, 4))
    return build(Graph("g", image, (first, strided, twice, pool, wide)), SMALL)


def cuts(task: Task) -> list[Cut]:
    """Whole, strips, single tiles, chunks; with either order of blocks and chunks."""
    groups, whole = task.work.channels.groups, (task.work.whole,)
    return [
        Cut(rows, columns, chunk, whole, outer)
        for rows, columns in ((task.rows, task.columns), (2, task.columns), (1, 2))
        for chunk in {1, groups}
        for outer in (True, False)
    ]


TASKS = ("first", "strided", "twice", "pool", "wide")


def task_of(name: str) -> Task:
    return next(task for task in network().tasks if task.name == name)
