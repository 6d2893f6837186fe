"""Sample images with what the network makes of them: a file that needs no host to compare.

`samples.npz` holds `images` uint8[N, C, H, W], `results` [N, K, P, Q], the integers that must come
out, and `labels` int64[N], where the images have any.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import MismatchError, ProgramError
from cnnaccel.runtime.compare import difference

if TYPE_CHECKING:
    import numpy.typing as npt

SAMPLES = "samples.npz"
"""The file, beside the program."""
_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Samples:
    """Sample images, and what must come of them."""

    images: npt.NDArray[np.uint8]
    results: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None = None
    """The class of each; None where they have none."""

    def to_file(self, folder: Path) -> None:
        """Write `samples.npz`; the same samples give the same bytes."""
        arrays = {"images": self.images, "results": self.results}
        if self.labels is not None:
            arrays["labels"] = self.labels
        np.savez_compressed(folder / SAMPLES, **arrays)

    def require_equal(self, results: npt.NDArray[Any]) -> None:
        """Hold results against those that must come out.

        Raises:
            MismatchError: a value differs; where.
        """
        if found := difference(results, self.results):
            raise MismatchError(f"samples: {found}; `--self-test` says where that begins")


def read_samples(folder: str | Path) -> Samples | None:
    """The samples beside a program; None where there are none.

    Raises:
        ProgramError: the file is damaged.
    """
    path = Path(folder) / SAMPLES
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            labels = file["labels"] if "labels" in file.files else None
            return Samples(file["images"], file["results"], labels)
    except _DAMAGED as error:
        raise ProgramError(f"{path}: no file of samples, or damaged ({error!r})") from None
