"""Sample images that go with a program, and the integers that must come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.runtime.samples import SAMPLES, Samples

MOST_SAMPLES = 20
_MOST_BYTES = 4 << 20


def most_samples(image_bytes: int) -> int:
    """The number of samples: 20, but no more than 4 MiB of images."""
    return max(1, min(MOST_SAMPLES, _MOST_BYTES // image_bytes))


def write_samples(
    folder: Path,
    graph: Graph,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64] | None,
) -> Path:
    """Write `SAMPLES` into a folder: images, and what golden makes of them."""
    Samples(images, golden.run(graph, images), labels).to_file(folder)
    return folder / SAMPLES
