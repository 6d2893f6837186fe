"""A network's integer graph before there are weights: shapes, kernels, types; every weight is 0.

What the engine has to do for a network does not depend on its numbers, so that a compiler can say
of a network that is yet to be trained whether it fits. The one thing that does: where calibration
finds the same scale for a concatenation and one of its inputs, that input is not rescaled; here it
is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import fx

from cnnaccel.ir.graph import Dtype, Graph, TensorSpec
from cnnaccel.quant.builder import is_unsigned
from cnnaccel.quant.canonical import CanonicalModel
from cnnaccel.quant.frontend import arguments
from cnnaccel.quant.lower import FloatArray, Lowering
from cnnaccel.quant.quantizer import KEEPS_NUMBERS, PIXEL_SCALE

_APART = 1.001
"""Factor from scale to scale: calibrated tensors do not share one by chance."""


def outline(canonical: CanonicalModel, name: str) -> Graph:
    """The integer graph that quantizing makes of a canonical model, but for its numbers.

    Raises:
        GraphError: whatever the numbers, there is no such graph: an average over more pixels than
            int32 can sum.
    """
    outlining = _Outlining(canonical.module, shift_only=False)
    return outlining.graph(name, canonical.normalization, canonical.tail)


class _Outlining(Lowering):
    """Lowers a canonical model that was never calibrated, with weights of 0."""

    def _spec(self, name: str, node: fx.Node) -> TensorSpec:
        channels, rows, columns = (int(d) for d in node.meta["val"].shape[1:])
        kind: Dtype = "uint8" if is_unsigned(node) else "int8"
        return TensorSpec(name, (channels, rows, columns), kind, self._scale(node))

    def _scale(self, node: fx.Node) -> float:
        """A scale of the tensor's own, but where no calibration would find another."""
        while node.target in KEEPS_NUMBERS:
            node = arguments(node)[0]
        if node.op == "placeholder" and node.meta["unsigned"]:
            return PIXEL_SCALE
        number = list(self.module.graph.nodes).index(node)
        return PIXEL_SCALE * _APART**number

    def _integers(
        self, node: fx.Node, input_scale: float
    ) -> tuple[npt.NDArray[np.int8], FloatArray, npt.NDArray[np.int32]]:
        shape = self._tensor(arguments(node)[1]).shape
        return np.zeros(shape, np.int8), np.ones(shape[0]), np.zeros(shape[0], np.int32)
