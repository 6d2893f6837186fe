"""The stage deploy: the test images on a board, which may be a simulated one."""

from __future__ import annotations

import numpy as np

from cnnaccel.compiler.verify import require_equal
from cnnaccel.errors import ConfigError
from cnnaccel.ir import golden
from cnnaccel.pipeline.engine import SimulatedEngine, engine_digest
from cnnaccel.pipeline.job import (
    Job,
    artifact,
    data_inputs,
    draw,
    hardware_digest,
    stored_graph,
    write_results,
)
from cnnaccel.report.measured import counters_table, speed_lines
from cnnaccel.report.progress import counter

SIMULATED = "sim"
_PROGRAM = ("program.bin", "weights.bin", "network.json")
_LOGITS = "logits.npz"
_SHOWN = 40
"""Images in the picture of predictions."""


def deploy_inputs(job: Job) -> dict[str, str]:
    """Digests that results on the simulated board depend on."""
    return {
        **{f"compile/{name}": artifact(job, "compile", name) for name in _PROGRAM},
        **data_inputs(job),
        "hardware": hardware_digest(job),
        "engine": engine_digest(),
    }


def deploy(job: Job, target: str = SIMULATED, images: int | None = None) -> None:
    """Run the test images, or the first of them, on a board; every value must be golden's.

    Raises:
        MismatchError: one is not; the results of an earlier run are as they were.
        EngineError: the engine stopped, or does not go on.
    """
    if target != SIMULATED:
        raise ConfigError(
            f"--target {target}: this version reaches the simulated board only; leave --target out"
        )
    inputs = deploy_inputs(job)
    graph, test, classes = stored_graph(job), job.dataset.test, job.dataset.classes
    wanted, labels = test.images[:images], test.labels[:images]
    engine = SimulatedEngine(job)
    with counter(job.console, "engine", len(wanted)) as progress:
        results = engine.run(job.workspace.stage("compile").folder, wanted, progress)
    measured = engine.measured(graph, len(wanted))
    require_equal("engine", results, golden.run(graph, wanted))
    predictions = golden.predictions(results)
    accuracy = float((predictions == labels).mean())
    headline = (
        f"engine {accuracy:.2%} of {len(wanted):,} test images, equal to golden; "
        f"{measured.frames_per_second:,.0f} frames/s at {job.hardware.clock_mhz:g} MHz"
    )
    stage = job.workspace.stage("deploy")
    with stage.write(inputs if images is None else {"images": str(images)}) as folder:
        np.savez_compressed(folder / _LOGITS, logits=results)
        shown = wanted[:_SHOWN], labels[:_SHOWN], predictions[:_SHOWN]
        draw("predictions", *shown, classes, folder / "predictions.png")
        write_results(
            folder, headline, accuracy=accuracy, target=target, memory=engine.memory,
            **measured.figures(),
        )  # fmt: skip
    job.console.print(counters_table(f"{graph.name} on the simulated board", measured))
    job.say(f"simulated memory: {engine.memory}")
    job.say(speed_lines(measured))
    job.say(f"{headline}; {stage.folder / 'predictions.png'}")
