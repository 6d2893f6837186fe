"""The stage simulate: some test images through golden, interpreter and engine."""

from __future__ import annotations

from collections.abc import Sequence

from cnnaccel.api.simulation import Simulation, Waves, layer_by_layer
from cnnaccel.api.simulation import simulate as simulate_images
from cnnaccel.compiler.compile import compile_graph
from cnnaccel.errors import MismatchError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import operations
from cnnaccel.pipeline.identity import simulate_inputs, stored_graph
from cnnaccel.pipeline.job import Job, draw, say_memory, write_results
from cnnaccel.pipeline.own_images import read_own
from cnnaccel.predict.estimate import estimate
from cnnaccel.report.measured import counters_table, layers_table, levels_table, speed_lines
from cnnaccel.report.progress import working
from cnnaccel.tools.simulation import require_simulator
from cnnaccel.tools.verilate import best_trace

STALLED = "simulate-stalls"
"""The stage of a run in which chance holds handshakes up."""
OWN = "simulate-own"
"""The stage of a run on images of a user's."""


def simulate(
    job: Job,
    images: int,
    layers: bool = False,
    trace: range | None = None,
    stalls: float = 0.0,
    named: Sequence[str] = (),
) -> None:
    """Compare all three on a sample of the test images.

    named: files of images in their place, in a stage of its own. trace: cycles, from the start,
    whose waves to write. A run with `stalls` is a stage of its own, so that it replaces no run
    without.

    Raises:
        MismatchError: they differ; says in which layer first.
        ToolError: pynq, verilator or g++ is missing.
    """
    require_simulator()
    graph, hardware = stored_graph(job), job.hardware
    own = read_own(job, named) if named else None
    if own is None:
        test = job.dataset.test
        some = test.images[test.sample(images)]
    else:
        some = own.pixels
    with working(job.console, "compiling"):
        compiled = compile_graph(graph, hardware, job.config.compile.images)
        predicted = estimate(compiled, operations(graph))
    stage = job.workspace.stage(OWN if own else STALLED if stalls else "simulate")
    with stage.write(simulate_inputs(job, data=own is None)) as folder:
        waves = None if trace is None else Waves(folder / f"waves.{best_trace()}", trace)
        found, engine = simulate_images(
            graph,
            compiled,
            predicted,
            some,
            folder=folder / "program",
            console=job.console,
            stalls=stalls,
            waves=waves,
        )
        found.recorded.write(folder)
        draw("activity", graph.name, found.recorded, folder / "activity.png")
        write_results(
            folder, found.error, memory=found.memory, stalls=stalls,
            predicted_cycles=found.predicted_cycles, differences=dict(found.differences),
            **found.measured.figures(),
        )  # fmt: skip
    _say(job, found, "images" if own else "test images")
    if own is not None:
        own.say(job, golden.run(graph, some))
    say_memory(job, stage.folder / "program")
    job.say(f"what the units did: {stage.folder / 'activity.png'}")
    if waves is not None:
        where = stage.folder / waves.path.name
        job.say(f"waves of cycles {waves.cycles.start}:{waves.cycles.stop}: {where}")
    if layers or not found.equal:
        rows = layer_by_layer(engine, graph, some, job.console)
        job.console.print(layers_table(f"{graph.name}, layer by layer", rows))
        if wrong := rows[-1].difference:
            raise MismatchError(f"engine: layer '{rows[-1].layer}', {wrong}")
    if not found.equal:
        raise MismatchError(f"{found.mismatch}. Every layer alone, as above, is equal")


def _say(job: Job, found: Simulation, what: str) -> None:
    title = f"{found.network}, {found.measured.images:,} {what}"
    job.console.print(levels_table(title, found.differences))
    job.console.print(counters_table(f"{found.network} on the engine", found.measured))
    job.say(f"simulated memory: {found.memory}")
    job.say(speed_lines(found.measured))
    job.say(found.error)
    if found.tail_line:
        job.say(found.tail_line)
