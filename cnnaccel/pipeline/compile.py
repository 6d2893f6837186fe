"""The stage compile, and the search over engines."""

from __future__ import annotations

from collections.abc import Sequence

from cnnaccel.api.describe import describe, preprocessing_for
from cnnaccel.compiler.compile import compile_graph
from cnnaccel.compiler.explain import explain
from cnnaccel.compiler.show import show
from cnnaccel.compiler.verify import verify_program
from cnnaccel.hardware import load_hardware
from cnnaccel.ir.graph import Graph, operations
from cnnaccel.pipeline.identity import compile_inputs, graph_inputs, hardware_inputs, stored_graph
from cnnaccel.pipeline.job import Job, class_names, draw, say_memory, write_results
from cnnaccel.predict.estimate import estimate
from cnnaccel.predict.explore import explore
from cnnaccel.report.progress import counter, working
from cnnaccel.runtime.network import PROGRAM_FILE
from cnnaccel.runtime.pictures import COLOURS, Preprocessing


def compile_program(job: Job) -> None:
    """Make the program, predict its speed, and show that it computes what golden does."""
    from cnnaccel.report import estimate as report

    inputs = compile_inputs(job)
    graph, settings = stored_graph(job), job.config.compile
    with working(job.console, "compiling"):
        compiled = compile_graph(graph, job.hardware, settings.images)
        predicted = estimate(compiled, operations(graph))
    program, verified = compiled.program, 0
    stage = job.workspace.stage("compile")
    with stage.write(inputs) as folder:
        compiled.to_files(folder)
        describe(folder, graph, _preprocessing(job, graph), class_names(job))
        if wanted := settings.verify_images:
            with working(job.console, "interpreting the program"):
                test, at_once = job.dataset.test, program.images_per_iteration
                some = test.images[test.sample(-(-wanted // at_once) * at_once)]
                verified = verify_program(graph, folder, some, wanted)
        report.write(graph.name, predicted, folder)
        draw("roofline", graph.name, predicted, folder / "roofline.png")
        write_results(folder, report.headline(predicted), verified_images=verified)
        size = (folder / PROGRAM_FILE).stat().st_size
    job.console.print(report.estimate_table(graph.name, predicted))
    job.say(report.summary(predicted))
    if verified:
        job.say(f"interpreter: equal to golden on {verified:,} test images")
    job.say(
        f"program: {len(program.once) + len(program.body):,} instructions, {size:,} bytes, "
        f"{program.images_per_iteration} images at a time; {stage.folder / PROGRAM_FILE}"
    )
    say_memory(job, stage.folder)


def _preprocessing(job: Job, graph: Graph) -> Preprocessing | None:
    """The pre-processing of the configuration; for a dataset without files, one that fits it."""
    data = job.config.data
    crop = {"crop": data.crop} if graph.input.shape[0] in COLOURS.values() else None
    return preprocessing_for(graph.input.shape, crop, data.mean, data.std)


def show_passes(job: Job, passes: Sequence[str], reasons: bool) -> None:
    """Print what passes of the compiler make of the network, and why; nothing is written."""
    with working(job.console, "compiling"):
        compiled = compile_graph(stored_graph(job), job.hardware, job.config.compile.images)
    texts = [show(compiled, name) for name in passes]
    if reasons:
        texts.append(explain(compiled))
    job.console.print("\n\n".join(texts), markup=False, highlight=False, soft_wrap=True)


def explore_engines(job: Job) -> None:
    """Predict the network's speed on many engines for the board's device, and show the best."""
    from cnnaccel.report import estimate as report

    graph, stage = stored_graph(job), job.workspace.stage("explore")
    with counter(job.console, "predicting engines", None) as progress:
        found = explore(graph, job.hardware, progress)
    inputs = graph_inputs(job) | hardware_inputs(job)
    with stage.write(inputs) as folder:
        draw("pareto", graph.name, found, folder / "explore.png")
    job.console.print(report.exploration_table(graph.name, found))
    job.say("for `hardware:` in a configuration, by the numbers in the table:")
    job.say(report.exploration_lines(found, load_hardware(job.config.hardware.board)))
    job.say(f"predicted: {report.exploration_summary(found)}; {stage.folder / 'explore.png'}")
