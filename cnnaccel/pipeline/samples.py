"""The stage samples: test images with what must come out, made once for a graph."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from cnnaccel.api.samples import most_samples, write_samples
from cnnaccel.errors import DataError, WorkspaceError
from cnnaccel.pipeline.identity import samples_inputs, stored_graph
from cnnaccel.pipeline.job import Job, write_results
from cnnaccel.report.progress import working
from cnnaccel.runtime.samples import SAMPLES

STAGE = "samples"


def samples_file(job: Job) -> Path | None:
    """The file for the graph of the configuration, made if it is not there yet; None, and a line
    that says why, where data or graph are not at hand."""
    stage = job.workspace.stage(STAGE)
    stage.finish_swap()
    try:
        inputs = samples_inputs(job)
        if stage.why_stale(inputs) is None:
            return stage.folder / SAMPLES
        graph = stored_graph(job)
        if not job.data_at_hand:
            raise DataError("the data are not at hand")
        test = job.dataset.test
    except (DataError, WorkspaceError) as error:
        if isinstance(error, WorkspaceError) and not job.stored:
            raise
        job.say(f"no sample images: {error}")
        return None
    rows = np.sort(test.sample(most_samples(math.prod(graph.input.shape))))
    some = np.asarray(test.images[rows])
    labels = test.known_classes
    with (
        working(job.console, f"golden on {len(rows)} sample images"),
        stage.write(inputs) as folder,
    ):
        write_samples(folder, graph, some, None if labels is None else labels[rows])
        write_results(folder, f"{len(rows)} test images")
    return stage.folder / SAMPLES
