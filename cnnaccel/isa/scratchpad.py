"""The on-chip memories as arrays: act in banks, wgt and par as words.

Knows where a word lies, not what it means. Depths are powers of two and addresses wrap, as they do
in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.hardware import HardwareConfig

Array = npt.NDArray[Any]
Addresses = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scratchpads:
    """act: uint8[banks, rows, C]; wgt: int8[words, K, C]; par fields: [groups, K] each."""

    act: npt.NDArray[np.uint8]
    wgt: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.uint16]
    shift: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls, hardware: HardwareConfig) -> Scratchpads:
        """The scratchpads of an engine, all zero."""
        p, c, k = hardware.lanes
        groups = (hardware.par_groups, k)
        return cls(
            np.zeros((p, hardware.act_words // p, c), np.uint8),
            np.zeros((hardware.wgt_words, k, c), np.int8),
            np.zeros(groups, np.int32),
            np.zeros(groups, np.uint16),
            np.zeros(groups, np.uint8),
        )

    def locate(self, address: Addresses, interleave: int) -> tuple[Addresses, Addresses]:
        """Bank and row of words of act, in a region of interleave L.

        L neighbouring words share a bank: bank = (A / L) mod P, row = A / (L*P) * L + A mod L.
        """
        banks, rows, _ = self.act.shape
        address = np.asarray(address, np.int64) % (banks * rows)
        block = address // interleave
        return block % banks, block // banks * interleave + address % interleave

    def read(self, address: Addresses, interleave: int) -> npt.NDArray[np.uint8]:
        """uint8[..., C] words of act."""
        return np.asarray(self.act[self.locate(address, interleave)])

    def write(self, address: Addresses, interleave: int, words: npt.NDArray[np.uint8]) -> None:
        """Put uint8[..., C] words into act."""
        self.act[self.locate(address, interleave)] = words
