"""Sample images that go with a program, and the integers that must come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.runtime.samples import SAMPLES, Samples

MOST_SAMPLES = 20
_OF_A_CLASS = 2
_MOST_BYTES = 4 << 20
_SEED = 0


def choose(labels: npt.NDArray[np.int64], image_bytes: int) -> npt.NDArray[np.int64]:
    """Rows of a seeded sample: up to two of each class, 20 in all, and 4 MiB."""
    order = np.random.default_rng(_SEED).permutation(len(labels))
    taken: dict[int, int] = {}
    rows = []
    for row in order.tolist():
        label = int(labels[row])
        if taken.get(label, 0) < _OF_A_CLASS:
            taken[label] = taken.get(label, 0) + 1
            rows.append(row)
    most = max(1, min(MOST_SAMPLES, _MOST_BYTES // image_bytes))
    return np.sort(np.array(rows[:most], np.int64))


def write_samples(
    folder: Path,
    graph: Graph,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64] | None,
) -> Path:
    """Write `SAMPLES` into a folder: images, and what golden makes of them."""
    Samples(images, golden.run(graph, images), labels).to_file(folder)
    return folder / SAMPLES
