"""Images that a user names on the command line: pictures of any size, or arrays, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import DataError, ProgramError
from cnnaccel.pipeline.identity import require
from cnnaccel.pipeline.job import Job
from cnnaccel.runtime.images import read_named
from cnnaccel.runtime.network import Network, load_network
from cnnaccel.runtime.results import rank


@dataclass(frozen=True)
class OwnImages:
    """Images of a user's, as the network takes them."""

    network: Network
    names: list[str]
    pixels: npt.NDArray[np.uint8]

    def say(self, job: Job, results: npt.NDArray[Any]) -> None:
        """Print the largest channels of each result, as a board does."""
        for name, best in zip(self.names, rank(self.network, results), strict=True):
            job.say(f"{name}: {', '.join(map(str, best))}")


def read_own(job: Job, names: Sequence[str]) -> OwnImages:
    """The images in files, by the pre-processing that is noted in the program.

    Raises:
        DataError: a file that is no image for this network.
    """
    network = load_network(require(job, "compile").folder)
    try:
        labels, pixels = read_named(names, network.ports.input_shape, network.preprocessing)
    except ProgramError as error:
        raise DataError(str(error)) from None
    return OwnImages(network, labels, pixels)
