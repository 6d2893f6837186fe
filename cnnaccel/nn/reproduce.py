"""Device, arithmetic, seeds and settings: all that makes a training repeat bit for bit."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from cnnaccel.config import Config
from cnnaccel.errors import ConfigError


def choose_device(wanted: str) -> str:
    """The device that `train.device` names, of this process among those of a torchrun.

    Raises:
        ConfigError: this machine has none.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    have = {"cuda": cuda, "mps": mps, "cpu": True}
    if wanted == "auto":
        wanted = next(name for name in have if have[name])
    if not have[wanted]:
        raise ConfigError(f"train.device is {wanted}, which torch does not see here; take auto")
    if wanted != "cuda":
        return wanted
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    torch.cuda.set_device(device)
    return device


def seed_of(*numbers: int) -> int:
    """A seed of 32 bits, for each sequence of numbers another."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def plain(value: Any) -> Any:
    """`value` in the types of JSON, which are the same after a checkpoint is read back."""
    return json.loads(json.dumps(value, default=str))


def settings_of(config: Config) -> dict[str, Any]:
    """Values that must be equal in a checkpoint and its continuation; data may move."""
    whole = plain(dataclasses.asdict(config))
    del whole["data"]["dir"], whole["train"]["device"]
    keys = ["model", "model_args", "data", "train"]
    keys += [key for key in ("metric", "metric_goal") if config.metric is not None]
    keys += ["task"] if config.task != Config.task else []  # checkpoints from before know no tasks
    return {key: whole[key] for key in keys}


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one dictionary of dotted keys."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        nested = isinstance(inner, dict)
        found |= flat(inner, f"{prefix}{key}.") if nested else {prefix + key: inner}
    return found


@contextmanager
def reproducible(device: str) -> Iterator[None]:
    """Deterministic arithmetic inside the block; torch's global settings and random state after."""
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else sums differ by run
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    options: Any = torch.utils.deterministic
    fill = options.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    options.fill_uninitialized_memory = False  # costs time, and nothing here reads such memory
    try:
        with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
            yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        options.fill_uninitialized_memory = fill
