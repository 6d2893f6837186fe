"""Models whose end is the host's: heads of detectors, segmenters, embeddings, many operators."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHAPE = (3, 4, 4)


class Detector(nn.Module):
    """Boxes from offsets and anchors, as SSD decodes them, beside class probabilities."""

    anchors: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, padding=1)
        self.classes = nn.Conv2d(8, 2 * 3, 1)
        self.offsets = nn.Conv2d(8, 2 * 4, 1)
        self.register_buffer(
            "anchors", torch.rand(32, 4, generator=torch.Generator().manual_seed(2))
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.body(x))
        count = x.shape[0]
        scores = self.classes(x).permute(0, 2, 3, 1).reshape(count, -1, 3)
        offsets = self.offsets(x).permute(0, 2, 3, 1).reshape(count, -1, 4)
        middle = self.anchors[:, :2] + 0.1 * offsets[..., :2] * self.anchors[:, 2:]
        size = self.anchors[:, 2:] * torch.exp(0.2 * offsets[..., 2:])
        boxes = torch.cat([middle - size / 2, middle + size / 2], -1)
        return {"scores": scores.softmax(-1), "boxes": boxes}


class Grid(nn.Module):
    """A head as YOLO has it, with a grid made in forward and one map of features beside."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 2 * 7, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = F.relu(self.body(x))
        found = self.head(features)
        count, _, rows, columns = found.shape
        found = found.view(count, 2, 7, rows, columns).permute(0, 1, 3, 4, 2).sigmoid()
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        grid = torch.stack([x, y], -1).to(found.dtype)
        middle = (found[..., :2] * 2 - 0.5 + grid) * 8
        size = (found[..., 2:4] * 2) ** 2 * 16
        return torch.cat([middle, size, found[..., 4:]], -1).view(count, -1, 7), features


class Segmenter(nn.Module):
    """A class for each pixel of an image twice the size."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        large = F.interpolate(self.body(x), scale_factor=2, mode="bilinear", align_corners=False)
        return large.argmax(1)


class Embedding(nn.Module):
    """A vector of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 5, 3)
        self.fc = nn.Linear(20, 6)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.fc(F.relu(self.body(x)).flatten(1)), dim=1)


class Operators(nn.Module):
    """About every operator that a host tail has, each an output by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 6, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Any]:
        z = self.body(x)
        count = z.shape[0]
        a = z.permute(0, 2, 3, 1).reshape(count, -1, 6)
        first, second = a.chunk(2, -1)
        values, places = a.sort(-1, descending=True)
        top, where = a.amax(-1).topk(3)
        return {
            "softmax": a.softmax(-1),
            "log_softmax": a.log_softmax(-1),
            "logsumexp": a.logsumexp(-1),
            "greatest": a.max(-1)[0],
            "argmax": a.max(-1)[1],
            "argmin": a.argmin(1, keepdim=True),
            "least": a.min(1)[0],
            "sort": values,
            "places": places,
            "top": top,
            "where_top": where,
            "quotient": first / (second + 10),
            "floor": torch.div(first, 0.3, rounding_mode="floor"),
            "normalize": F.normalize(a, dim=-1),
            "norm": torch.norm(a, dim=2),
            "one_norm": a.abs().sum(-1),
            "deviation": a.std(-1),
            "variance": a.var(1, unbiased=False),
            "mean": a.mean(1, keepdim=True),
            "sum": z.sum((1, 2)),
            "cumsum": a.cumsum(1),
            "prod": a.prod(-1),
            "bilinear": F.interpolate(z, scale_factor=2, mode="bilinear", align_corners=False),
            "corners": F.interpolate(z, size=(7, 3), mode="bilinear", align_corners=True),
            "nearest": F.interpolate(z, size=(9, 6), mode="nearest"),
            "pixel_shuffle": F.pixel_shuffle(z[:, :4], 2),
            "where": torch.where(a > 0, a, -2 * a),
            "glu": F.glu(a, -1),
            "select": z[:, 1],
            "strided": z[:, ::2, 1:],
            "hardsigmoid": F.hardsigmoid(3 * z),
            "hardswish": F.hardswish(3 * z),
            "leaky_relu": F.leaky_relu(z, 0.1),
            "elu": F.elu(z),
            "gelu": F.gelu(z),
            "gelu_tanh": F.gelu(z, approximate="tanh"),
            "mish": F.mish(z),
            "softplus": F.softplus(40 * z),
            "silu": F.silu(z),
            "tanh": z.tanh(),
            "log": (z.exp() + 1).log(),
            "rsqrt": (z.exp() + 1).rsqrt(),
            "transposed": z.flatten(2).transpose(1, 2).unsqueeze(1).squeeze(1),
            "flip": z.flip(1),
            "roll": z.roll(1, 2),
            "square": z**2,
            "cube": z**3,
            "power": 2**z,
            "rest": 1 - z,
            "clamped": z.clamp(-0.1, 0.2),
            "expand": z[:, :1].expand(count, 6, 4, 4),
            "repeat": z.repeat(1, 2, 1, 1),
            "stack": torch.stack(z.unbind(1), -1),
            "zeros": torch.zeros(count, 2) + z.amax((2, 3))[:, :2],
            "filled": z.masked_fill(z > 0, -1.0),
            "batches": z.reshape(count * 6, 16).reshape(count, 96),
            "constant": torch.arange(3).float().repeat(count, 1) * z.mean((1, 2, 3))[:, None],
        }


MODELS = {
    "detector": Detector,
    "grid": Grid,
    "segmenter": Segmenter,
    "embedding": Embedding,
    "operators": Operators,
}


def model_of(name: str) -> nn.Module:
    """A model of this module with seeded weights, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return MODELS[name]().eval()
