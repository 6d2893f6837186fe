"""The networks every accelerator is measured on, layer by layer as torchvision builds them.

Batch norms are folded and all numbers are random, yet requantized so that activations stay spread
over their range to the last layer. ReLUs are clamps to uint8. Additions, for which torchvision has
no name, are called `<block>.add`. The adaptive average pool of AlexNet and VGG, which does nothing
at 224 pixels, is left out, so at other sizes their first linear layer has another length.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cnnaccel.ir import intmath
from cnnaccel.ir.graph import AnyLayer, Dtype, Graph, Requant, TensorSpec
from tests.support import graphs

CLASSES = 1000
WEIGHT_RMS = 73.3
"""Of integers in -127..127, all alike."""
PIXEL_RMS = 147.0
"""Of integers in 0..255, all alike."""
RMS = {"uint8": 74.0, "int8": 60.0}
"""What every other tensor is scaled to: few elements reach the end of the range."""
BIAS = 0.4
"""Root mean square of the biases, relative to the sum they are added to."""
ADD_WEIGHTS = (64, 90)


def vgg16(size: int = 224, seed: int = 0, classifier: bool = True) -> Graph:
    """VGG-16 (configuration D) without batch norm."""
    net = _Network(size, seed)
    x, index = net.image, 0
    for convolutions, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(convolutions):
            x = net.conv(f"features.{index}", x, channels, 3)
            index += 2  # past the ReLU
        x = net.max_pool(f"features.{index}", x, 2, stride=2)
        index += 1
    if classifier:
        x = net.linear("classifier.0", x, 4096)
        x = net.linear("classifier.3", x, 4096)
        net.linear("classifier.6", x, CLASSES, "int8")
    return net.graph("vgg16")


def alexnet(size: int = 224, seed: int = 0, classifier: bool = True) -> Graph:
    """AlexNet with one tower, as in "One weird trick for parallelizing CNNs"."""
    net = _Network(size, seed)
    x = net.conv("features.0", net.image, 64, 11, stride=4, padding=2)
    x = net.max_pool("features.2", x, 3, stride=2)
    x = net.conv("features.3", x, 192, 5)
    x = net.max_pool("features.5", x, 3, stride=2)
    x = net.conv("features.6", x, 384, 3)
    x = net.conv("features.8", x, 256, 3)
    x = net.conv("features.10", x, 256, 3)
    x = net.max_pool("features.12", x, 3, stride=2)
    if classifier:
        x = net.linear("classifier.1", x, 4096)
        x = net.linear("classifier.4", x, 4096)
        net.linear("classifier.6", x, CLASSES, "int8")
    return net.graph("alexnet")


def resnet18(size: int = 224, seed: int = 0, classifier: bool = True) -> Graph:
    """ResNet-18: two 3x3 convolutions per block."""
    return _resnet("resnet18", (2, 2, 2, 2), False, _Network(size, seed), classifier)


def resnet50(size: int = 224, seed: int = 0, classifier: bool = True) -> Graph:
    """ResNet-50 v1.5: bottlenecks whose 3x3 convolution has the stride."""
    return _resnet("resnet50", (3, 4, 6, 3), True, _Network(size, seed), classifier)


def _resnet(
    name: str, blocks: tuple[int, ...], bottleneck: bool, net: _Network, classifier: bool
) -> Graph:
    x = net.conv("conv1", net.image, 64, 7, stride=2)
    x = net.max_pool("maxpool", x, 3, stride=2, padding=1)
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _block(f"layer{stage + 1}.{block}", x, 64 << stage, stride, bottleneck, net)
    if classifier:
        x = net.global_average("avgpool", x)
        net.linear("fc", x, CLASSES, "int8")
    return net.graph(name)


def _block(
    name: str, x: TensorSpec, width: int, stride: int, bottleneck: bool, net: _Network
) -> TensorSpec:
    """A residual block; the shortcut is a projection where it changes the shape."""
    channels = 4 * width if bottleneck else width
    if bottleneck:
        branch = net.conv(f"{name}.conv1", x, width, 1)
        branch = net.conv(f"{name}.conv2", branch, width, 3, stride)
        branch = net.conv(f"{name}.conv3", branch, channels, 1, dtype="int8")
    else:
        branch = net.conv(f"{name}.conv1", x, width, 3, stride)
        branch = net.conv(f"{name}.conv2", branch, channels, 3, dtype="int8")
    if x.shape != branch.shape:
        x = net.conv(f"{name}.downsample.0", x, channels, 1, stride, dtype="int8")
    return net.add(f"{name}.add", branch, x)


class _Network:
    """Collects layers, each method returning the tensor that its layer makes."""

    def __init__(self, size: int, seed: int) -> None:
        self.image = graphs.spec("image", (3, size, size))
        self._layers: list[AnyLayer] = []
        self._rng = np.random.default_rng(seed)

    def graph(self, name: str) -> Graph:
        return Graph(name, self.image, tuple(self._layers))

    def conv(
        self,
        name: str,
        x: TensorSpec,
        channels: int,
        kernel: int,
        stride: int = 1,
        padding: int | None = None,
        dtype: Dtype = "uint8",
    ) -> TensorSpec:
        """Unless told otherwise, pads by half the kernel; int8 means that no ReLU follows."""
        weight = self._rng.integers(
            -127, 128, (channels, x.shape[0], kernel, kernel), dtype=np.int8
        )
        rms = PIXEL_RMS if x is self.image else RMS[x.dtype]
        acc = WEIGHT_RMS * rms * math.sqrt(weight[0].size)
        bias = np.rint(self._rng.normal(0, BIAS * acc, channels)).astype(np.int32)
        kept = 0.5 if dtype == "uint8" else 1.0  # of the squares, by the ReLU
        ratio = RMS[dtype] / (acc * math.hypot(1, BIAS) * math.sqrt(kept))
        spread = self._rng.uniform(0.75, 1.25, channels)
        margin = kernel // 2 if padding is None else padding
        layer = graphs.conv2d(
            x, weight, name, bias, _requant(ratio * spread, dtype), dtype,
            stride=(stride, stride), padding=_all_round(margin),
        )  # fmt: skip
        return self._append(layer)

    def linear(self, name: str, x: TensorSpec, channels: int, dtype: Dtype = "uint8") -> TensorSpec:
        """A convolution whose kernel is its input."""
        return self.conv(name, x, channels, x.shape[1], padding=0, dtype=dtype)

    def max_pool(
        self, name: str, x: TensorSpec, kernel: int, stride: int, padding: int = 0
    ) -> TensorSpec:
        layer = graphs.max_pool(
            x, (kernel, kernel), name, stride=(stride, stride), padding=_all_round(padding)
        )
        return self._append(layer)

    def global_average(self, name: str, x: TensorSpec) -> TensorSpec:
        _, rows, columns = x.shape
        requant = _requant(np.array([1 / (rows * columns)]), x.dtype)
        return self._append(graphs.avg_pool(x, (rows, columns), name, requant, x.dtype))

    def add(self, name: str, branch: TensorSpec, shortcut: TensorSpec) -> TensorSpec:
        """With a ReLU after it."""
        products = (w * RMS[x.dtype] for w, x in zip(ADD_WEIGHTS, (branch, shortcut), strict=True))
        kept = 0.9 if shortcut.dtype == "uint8" else 0.5  # of the squares; 0.9 as measured
        ratio = RMS["uint8"] / (math.hypot(*products) * math.sqrt(kept))
        requant = _requant(np.array([ratio]), "uint8")
        return self._append(graphs.add(branch, shortcut, ADD_WEIGHTS, name, requant))

    def _append(self, layer: AnyLayer) -> TensorSpec:
        self._layers.append(layer)
        return layer.output


def _requant(ratios: npt.NDArray[np.float64], dtype: Dtype) -> Requant:
    """Multiplies by `ratios` [K] or [1]."""
    pairs = [intmath.multiplier_and_shift(float(ratio)) for ratio in ratios]
    multipliers, shifts = zip(*pairs, strict=True)
    return graphs.requant(multipliers, shifts, dtype)


def _all_round(padding: int) -> tuple[int, int, int, int]:
    return (padding,) * 4
