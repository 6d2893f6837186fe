"""Networks on either side of each bound of the instruction set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from tests.support.networks import Shape


def net(*modules: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*modules)


def conv(*sizes: int | tuple[int, int], **window: tuple[int, int]) -> nn.Conv2d:
    return nn.Conv2d(*sizes, **window)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Bound:
    """A network by one size: with `inside` it fits, with `outside` it does not."""

    network: Callable[[int], nn.Module]
    shape: Shape
    inside: int
    outside: int
    message: str
    """Pattern that the refusal matches."""


REFUSED = {
    # as wide as it is tall, in another layer, so that exchanging rows and columns does not help
    "Compute.in_h": Bound(
        lambda n: net(
            conv(1, 2, (1, 2), stride=(1, 2047), padding=(n // 2, 0)), nn.AvgPool2d((n, 1))
        ),
        (1, 1, 2049),
        2047,
        2049,
        r"layer '1': 2,049 rows of its input, .* 1 to 2,047 \(in_h\)",
    ),
    "Compute.in_w": Bound(
        lambda n: net(
            conv(1, 2, (1, 2), padding=(0, (n - 3) // 2)), conv(2, 2, (1, 3), stride=(1, 3))
        ),
        (1, 1, 4),
        65_535,
        65_537,
        r"layer '1': 65,537 columns of its input, .* 65,535 \(in_w\)",
    ),
    "Compute.bounds": Bound(
        lambda n: net(conv(1, 2, (1, 2), padding=(0, (n - 3) // 2)), nn.MaxPool2d((1, n))),
        (1, 1, 4),
        16_385,
        65_537,
        r"layer '0': 65,537 columns of the pool's window, .*bounds",
    ),
    "Compute.y_init": Bound(
        lambda n: net(conv(1, 2, (2, 2), padding=(n, 0))),
        (1, 3, 4),
        2048,
        2049,
        r"layer '0': -2,049 as the first row .* -2,048 .*y_init.* padding",
    ),
    "Compute.y_jumps": Bound(
        lambda n: net(conv(1, 2, (2, 2), padding=(1100, 0), dilation=(n, 1))),
        (1, 3, 4),
        2047,
        2051,
        r"layer '0': -?2,05\d rows .* moves .* \(y_jumps\); .* dilation",
    ),
    "Compute.x_init": Bound(
        lambda n: net(conv(1, 2, (1, 2), padding=(0, n), stride=(1, 5001))),
        (1, 1, 4),
        65_000,
        65_537,
        r"layer '0': -65,537 as the first column .*x_init.* padding",
    ),
    "Compute.x_jumps": Bound(
        lambda n: net(conv(1, 2, (1, 2), padding=(0, 33_000), dilation=(1, n))),
        (1, 1, 4),
        65_535,
        65_537,
        r"layer '0': -?65,537 columns .* \(x_jumps\); .* dilation",
    ),
    "Compute.lane_distance": Bound(
        lambda n: net(conv(1, 2, (1, 2), padding=(0, 33_000), stride=(1, n))),
        (1, 1, 4),
        65_535,
        65_537,
        r"layer '0': 65,537 columns between .*lane_distance.* stride",
    ),
}
HANDLED: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "Compute.a_init": (  # wraps, and so do the other addresses of act
        lambda: net(conv(1, 2, (2, 2), padding=(300, 0), stride=(60, 9))),
        (1, 4, 3000),
    ),
    "Compute.a_jumps": (
        lambda: net(conv(1, 2, (2, 2), padding=(150, 0), stride=(60, 9), dilation=(290, 1))),
        (1, 4, 3000),
    ),
    "Load.pixel_bytes": (lambda: net(conv(5, 2, 3)), (5, 6, 6)),  # by words
    "Load.row_pixels": (lambda: net(conv(1, 2, (1, 3))), (1, 2, 4096)),
    "Load.columns": (lambda: net(conv(1, 2, (1, 3), padding=(0, 2))), (1, 2, 4095)),
    "Load.kernel_w": (lambda: net(conv(1, 2, (1, 32))), (1, 2, 60)),
    "Load.stride_x": (lambda: net(conv(1, 2, (1, 3), stride=(1, 16))), (1, 2, 60)),
    "Load.pad_left": (lambda: net(conv(1, 2, (1, 20), padding=(0, 16))), (1, 2, 60)),
}
