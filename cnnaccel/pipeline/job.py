"""One configuration at work, and what every stage needs: inputs, artifacts, results."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from cnnaccel.config import Config
from cnnaccel.errors import WorkspaceError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.ir.storage import load_graph
from cnnaccel.workspace import Workspace, sha256_of_value, write_atomic

if TYPE_CHECKING:
    from torch import nn

    from cnnaccel.nn.data import Dataset

RESULTS = "results.json"


@dataclass(frozen=True)
class Job:
    """One configuration at work: where its data, its artifacts and its messages go."""

    config: Config
    hardware: HardwareConfig
    workspace: Workspace
    console: Console
    data_option: Path | None = None
    """What --data-dir says."""

    @cached_property
    def data_dir(self) -> Path | None:
        """The folder that holds the dataset; None where it needs none."""
        from cnnaccel.nn.data import find_data_dir

        return find_data_dir(self.config.data, self.data_option)

    @cached_property
    def data_digest(self) -> str:
        """Digest of what the images are read or made from."""
        from cnnaccel.nn.data import fingerprint

        return fingerprint(self.config.data, self.data_dir)

    @cached_property
    def dataset(self) -> Dataset:
        """The images themselves, loaded once."""
        from cnnaccel.nn.data import load_dataset

        return load_dataset(self.config.data, self.data_dir)

    def model(self) -> nn.Module:
        """The network with fresh weights, known to fit the images."""
        from cnnaccel.nn.models import make_model

        return make_model(self.config, self.dataset.shape, len(self.dataset.classes))

    def lock(self) -> AbstractContextManager[None]:
        """Keep others out of the build folder; of the processes of a torchrun, one does."""
        from cnnaccel.nn.ranks import ranks_from_environment

        return self.workspace.lock() if ranks_from_environment().first else nullcontext()

    def say(self, text: str) -> None:
        """A line for the user."""
        self.console.print(escape(text))


def data_inputs(job: Job) -> dict[str, str]:
    """Of the data, and of all of its section but where the files lie."""
    values = dataclasses.asdict(job.config.data)
    del values["dir"]
    return {"data": job.data_digest, "data settings": sha256_of_value(values)}


def graph_inputs(job: Job) -> dict[str, str]:
    return {f"quantize/{n}": artifact(job, "quantize", n) for n in ("graph.json", "tensors.npz")}


def hardware_digest(job: Job) -> str:
    return sha256_of_value(dataclasses.asdict(job.hardware))


def stored_graph(job: Job) -> Graph:
    """The graph that `quantize` wrote."""
    artifact(job, "quantize", "graph.json")
    return load_graph(job.workspace.stage("quantize").folder)


def artifact(job: Job, stage: str, name: str) -> str:
    """The recorded digest of another stage's artifact, which must be there unaltered."""
    folder = job.workspace.stage(stage)
    folder.finish_swap()
    manifest = folder.manifest()
    if manifest is None:
        raise WorkspaceError(
            f"{folder.folder / name} is not there; run `cnnaccel {stage}` first, or `cnnaccel run` "
            "for every stage that is needed"
        )
    if reason := folder.why_stale(manifest["inputs"]):
        raise WorkspaceError(f"{folder.folder}: {reason}; `cnnaccel run` makes it again")
    return str(manifest["artifacts"][name])


def write_results(folder: Path, headline: str, **values: Any) -> None:
    text = json.dumps({"headline": headline, **values}, indent=1)
    write_atomic(folder / RESULTS, text.encode() + b"\n")


def headline_of(folder: Path) -> str:
    results: Mapping[str, Any] = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    return str(results["headline"])


def draw(picture: str, *arguments: Any) -> None:
    from cnnaccel.report import plots  # matplotlib takes its time to import

    getattr(plots, picture)(*arguments)
