"""One configuration at work: where its data, its artifacts and its messages go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from cnnaccel.api.memory import shortage
from cnnaccel.config import Config
from cnnaccel.hardware import HardwareConfig
from cnnaccel.report.progress import say
from cnnaccel.runtime.network import read_header
from cnnaccel.workspace import RESULTS, Workspace, write_atomic

if TYPE_CHECKING:
    from torch import nn

    from cnnaccel.nn.data import Dataset


@dataclass(frozen=True)
class Job:
    """One configuration at work: where its data, its artifacts and its messages go."""

    config: Config
    hardware: HardwareConfig
    workspace: Workspace
    console: Console
    data_option: Path | None = None
    """What --data-dir says."""
    weights: Path | None = None
    """The user's own, as --checkpoint or `weights` of the configuration names them."""
    by_option: bool = False
    """Whether it is --checkpoint that names them."""
    stored: bool = False
    """Use earlier stages as they are, even where they were made from other values."""
    thorough: bool = False
    """Make the model to see whether it is still the one that a stage was made from."""
    arguments: str = ""
    """CONFIG and options as the user typed them, for commands in messages."""

    @cached_property
    def data_dir(self) -> Path | None:
        """The folder that holds the dataset; None where it needs none."""
        from cnnaccel.nn.data import find_data_dir

        return find_data_dir(self.config.data, self.data_option)

    @cached_property
    def data_digest(self) -> str:
        """Digest of what the images are read or made from."""
        from cnnaccel.nn.data import fingerprint, target_kind

        return fingerprint(self.config.data, self.data_dir, target_kind(self.config))

    @cached_property
    def data_at_hand(self) -> bool:
        """Whether the dataset can be read without a download."""
        from cnnaccel.nn.data import is_at_hand

        return is_at_hand(self.config.data, self.data_option)

    @cached_property
    def dataset(self) -> Dataset:
        """The images themselves, loaded once."""
        from cnnaccel.nn.data import load_dataset, target_kind

        return load_dataset(self.config.data, self.data_dir, target_kind(self.config))

    @cached_property
    def checked(self) -> dict[str, Any]:
        """Manifests, by stage, that were found to fit; `identity` keeps them."""
        return {}

    @cached_property
    def warned(self) -> set[str]:
        """What `warn` has said."""
        return set()

    @cached_property
    def model_as_made(self) -> dict[str, Any]:
        """What the model was found to be made from; `identity` keeps it."""
        return {}

    def model(self) -> nn.Module:
        """The network with fresh weights, known to fit the images."""
        from cnnaccel.nn.models import make_model

        data = self.dataset
        labelled = any(one.targets is not None for one in (data.train, data.validation, data.test))
        return make_model(self.config, data.shape, len(data.classes) if labelled else 0)

    def lock(self) -> AbstractContextManager[None]:
        """Keep others out of the build folder; of the processes of a torchrun, one does."""
        from cnnaccel.nn.ranks import ranks_from_environment

        return self.workspace.lock() if ranks_from_environment().first else nullcontext()

    def say(self, text: str) -> None:
        """A line for the user."""
        say(self.console, text)

    def warn(self, text: str) -> None:
        """A line, however long, on what will go wrong later; said once in a command."""
        if text in self.warned:
            return
        self.warned.add(text)
        self.console.print(f"[yellow]warning:[/yellow] {escape(text)}", soft_wrap=True)


def say_memory(job: Job, folder: Path) -> None:
    """Warn where the program in a folder takes more than the board of the configuration has."""
    if found := shortage(job.hardware, read_header(folder)):
        job.warn(found)


def write_results(folder: Path, headline: str, **values: Any) -> None:
    text = json.dumps({"headline": headline, **values}, indent=1)
    write_atomic(folder / RESULTS, text.encode() + b"\n")


def class_names(job: Job) -> tuple[str, ...]:
    """Names of the classes, as `quantize` noted them: the data need not be at hand."""
    try:
        results = job.workspace.stage("quantize").folder / RESULTS
        return tuple(map(str, json.loads(results.read_text(encoding="utf-8"))["classes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def headline_of(folder: Path) -> str:
    results: Mapping[str, Any] = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    return str(results["headline"])


def draw(picture: str, *arguments: Any) -> None:
    from cnnaccel.report import plots  # matplotlib takes its time to import

    getattr(plots, picture)(*arguments)
