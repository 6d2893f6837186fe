"""Networks that come with the project: plain modules, float32 [N, C, H, W] in [0, 1] to logits.

They know nothing of quantization or of the engine; neither does any other model that works here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Lenet(nn.Module):
    """LeNet-5 as torch tutorials write it, for 28x28 images: 81,194 parameters at 1 channel."""

    def __init__(self, in_channels: int = 1, classes: int = 10, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 16, 3)
        self.fc1 = nn.Linear(16 * 6 * 6, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.dropout(F.relu(self.fc1(x.flatten(1))))
        x = self.dropout(F.relu(self.fc2(x)))
        logits: Tensor = self.fc3(x)
        return logits


class LenetCaffe(nn.Module):
    """Caffe's LeNet for 28x28 images: wider, 5x5 kernels, no ReLU after the convolutions."""

    def __init__(self, in_channels: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(50 * 4 * 4, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where shapes change."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x))


class Resnet8(nn.Module):
    """MLPerf Tiny's image classification network, for 3x32x32 images."""

    def __init__(self, in_channels: int = 3, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stack1 = ResidualBlock(16, 16, stride=1)
        self.stack2 = ResidualBlock(16, 32, stride=2)
        self.stack3 = ResidualBlock(32, 64, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(x)))
        x = self.stack3(self.stack2(self.stack1(x)))
        logits: Tensor = self.fc(self.pool(x).flatten(1))
        return logits


class SeparableBlock(nn.Module):
    """A depthwise 3x3 and a pointwise 1x1 convolution, each with batch norm and ReLU6."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.bn1(self.depthwise(x)))
        return F.relu6(self.bn2(self.pointwise(x)))


class Dscnn(nn.Module):
    """MLPerf Tiny's keyword spotting network, for 1x49x10 images; ReLU6 in place of ReLU.

    `kernel`, `padding` and `stride` are the stem's. The defaults make it 25x5, as the original
    does; kernel [3, 3] and padding [1, 1] suit 28x28 images.
    """

    def __init__(
        self,
        in_channels: int = 1,
        classes: int = 12,
        kernel: Sequence[int] = (10, 4),
        padding: Sequence[int] = (5, 1),
        stride: int = 2,
        channels: int = 64,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        (kernel_y, kernel_x), (pad_y, pad_x) = kernel, padding
        self.conv = nn.Conv2d(
            in_channels, channels, (kernel_y, kernel_x), stride, (pad_y, pad_x), bias=False
        )
        self.bn = nn.BatchNorm2d(channels)
        self.blocks = nn.Sequential(*(SeparableBlock(channels) for _ in range(4)))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.bn(self.conv(x)))
        x = self.pool(self.blocks(x)).flatten(1)
        logits: Tensor = self.fc(self.dropout(x))
        return logits


ZOO: dict[str, type[nn.Module]] = {
    "lenet": Lenet,
    "lenet_caffe": LenetCaffe,
    "resnet8": Resnet8,
    "dscnn": Dscnn,
}
