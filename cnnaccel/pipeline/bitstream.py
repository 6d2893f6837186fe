"""The stage build-hw: from parameters to a bitstream, step by step, going on where one stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnaccel.errors import ConfigError, Interrupted, MismatchError, ToolError
from cnnaccel.pipeline.clock import compare_clock
from cnnaccel.pipeline.job import Job, write_results
from cnnaccel.render.handoff import HW_FILES, render_hw_files
from cnnaccel.render.params import render_params_svh
from cnnaccel.render.sources import wrapper_sources
from cnnaccel.render.tcl import PRESET, preset_of, render_config_tcl
from cnnaccel.report.hardware import build_table, paths_table
from cnnaccel.report.progress import duration, step
from cnnaccel.resources import resource
from cnnaccel.runtime.board import BITSTREAM, HWH
from cnnaccel.tools.prediction import Prediction, differences
from cnnaccel.tools.reports import (
    Attempt,
    Clock,
    Reports,
    read_attempts,
    read_paths,
    read_reports,
    read_utilization,
    write_json,
)
from cnnaccel.tools.vivado import Vivado, run_step
from cnnaccel.tools.vivado_check import STEPS, prepare_vivado
from cnnaccel.workspace import RESULTS, Stage, sha256_of, sha256_of_value, write_atomic

STAGE = "build-hw"
PLATFORM = "cnnaccel.xsa"
_ROUTED = "routed.dcp"
_PACKAGED, _SCRIPTS = "ip", "tcl"
_PREDICTED = "predicted.txt"
"""The prediction and what the device has: for a reader, and for the mock, which reports them."""
_ROUTED_STEMS = ("_routed", "_postroute_physopt")
"""How Vivado's files of a routed design end; where a run has both, the last is the latest."""
_STEPS = "steps.json"
"""The inputs of a build under way, and the steps that it has finished, with their seconds."""
_LEFT_BY = {
    "package": "ip/ there has the engine as an IP, docs/build-hw.md says how to use it",
    "design": "`vivado project/cnnaccel.xpr` there opens the block design",
    "synthesize": "reports/synthesized.rpt there says what the design takes",
    "implement": "implemented.txt there has the slacks of the routed design",
    "bitstream": f"{BITSTREAM}, {HWH} and {PLATFORM} are there; whether every path is fast enough, "
    "the last step says",
}
"""What a build that ends after a step has left; `report` ends the whole build."""


@dataclasses.dataclass(frozen=True)
class Request:
    """How a build is to go."""

    jobs: int
    restart: bool = False
    until: str | None = None
    """The step to end after; None: the last."""
    accept_resources: bool = False
    """Go on with an engine that takes other than was predicted."""


class _StoppedError(Exception):
    """The build has come as far as it should; what is there stays for the next one."""


def build_inputs(job: Job, vivado: str) -> dict[str, str]:
    """What a bitstream depends on; vivado: the version of the one that makes it."""
    scripts = sorted((resource("hw") / "tcl" / "vivado").rglob("*.tcl"))
    preset = preset_of(job.hardware)
    return {
        "parameters": sha256_of_value(
            [render_params_svh(job.hardware), render_config_tcl(job.hardware)]
        ),
        "preset": sha256_of_value(preset.text if preset else job.hardware.board_part),
        "engine": sha256_of(*wrapper_sources()),
        "scripts": sha256_of(*scripts),
        "Vivado": vivado,
    }


def build(job: Job, vivado: Vivado, request: Request, reason: str, prediction: Prediction) -> None:
    """Every step that is not finished yet; the last good bitstream stays until the new is whole.

    reason: why it is built, in a few words.

    Raises:
        ToolError: Vivado failed, or its reports are not what they should be.
        MismatchError: the engine takes other than `prediction`.
        ConfigError: a path is too slow for the clock.
        Interrupted: by Ctrl-C; the next build goes on with the step that was under way.
    """
    stage = job.workspace.stage(STAGE)
    inputs = build_inputs(job, vivado.version)
    finished, why = ({}, "asked for") if request.restart else _finished(stage, inputs)
    if why and stage.partial.exists():
        job.say(f"starting over: {why}")
    job.say(
        f"{vivado.name} at {vivado.command}, {request.jobs} jobs, in {stage.partial} ({reason})"
    )
    try:
        with stage.write(inputs, resume=bool(finished), resumable=True) as folder:
            if not (folder / RESULTS).is_file():  # else it was stopped while it tidied up
                _make(job, vivado, folder, request, inputs, finished, prediction)
            _tidy(folder)
    except _StoppedError:
        _say_stopped(job, request.until or "", stage.partial)
        return
    show(job)


def _say_stopped(job: Job, last: str, folder: Path) -> None:
    """What is there after step `last`, and how to go on."""
    job.say(
        f"ended after {last}, as asked for: {folder}; {_LEFT_BY[last]}. The same command without "
        "--until goes on from here"
    )


def show(job: Job) -> None:
    """The finished bitstream as a table."""
    folder = job.workspace.stage(STAGE).folder
    results: Mapping[str, Any] = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    job.console.print(build_table(f"{job.hardware.name} on {job.hardware.part}", results))
    job.say(f"{results['headline']}; {folder / BITSTREAM}, its logs in {folder / 'logs'}")


def _finished(stage: Stage, inputs: Mapping[str, str]) -> tuple[dict[str, float], str | None]:
    """Steps that an interrupted build of these inputs has finished, else why they do not count."""
    try:
        found = json.loads((stage.partial / _STEPS).read_text(encoding="utf-8"))
        was, seconds = dict(found["inputs"]), dict[str, float]()
        for name in STEPS[:-1]:  # report is quick: one that could not be read comes anew
            if name not in found["seconds"]:
                break
            seconds[name] = float(found["seconds"][name])
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, KeyError, TypeError):
        return {}, f"{stage.partial / _STEPS} cannot be read"
    changed = [name for name, value in inputs.items() if was.get(name) != value]
    return (seconds, None) if not changed else ({}, f"{', '.join(changed)} changed")


def _make(
    job: Job,
    vivado: Vivado,
    folder: Path,
    request: Request,
    inputs: Mapping[str, str],
    finished: dict[str, float],
    prediction: Prediction,
) -> None:
    """All that is to be kept of a build, in `folder`; as `build`."""
    if not finished:
        prepare_vivado(job.hardware, folder)
    for name, text in render_hw_files(job.hardware).items():
        write_atomic(folder / name, text.encode())
    write_atomic(folder / _PREDICTED, prediction.text(job.hardware.device).encode())
    _run_steps(job, vivado, folder, request, inputs, finished, prediction)
    _require_files(folder)
    reports, attempts = read_reports(folder / "reports"), read_attempts(folder / "reports")
    write_json(reports, vivado.name, folder / "reports")
    if not reports.timing.met:
        _refuse_slow(job, reports, attempts, folder)
    if len(attempts) > 1:
        job.say(f"timing is met by the second way: {_tried(attempts)}")
    compare_clock(job, _clock(reports).mhz)
    _write_results(job, vivado, reports, attempts, finished, folder)


def _run_steps(
    job: Job,
    vivado: Vivado,
    folder: Path,
    request: Request,
    inputs: Mapping[str, str],
    finished: dict[str, float],
    prediction: Prediction,
) -> None:
    """What is left; each adds to `finished`, here and on disk, when it has ended well.

    Raises:
        _StoppedError: as far as `request` wants it.
    """
    for number, name in enumerate(STEPS, 1):
        title, log = f"{number}/{len(STEPS)} {name}", folder / f"{name}.log"
        if name in finished:
            job.say(f"{title}: finished before, in {duration(finished[name])}")
        else:
            finished[name] = _run_step(job, vivado, name, title, folder, request.jobs)
            text = json.dumps({"inputs": inputs, "seconds": finished}, indent=1)
            write_atomic(folder / _STEPS, text.encode())
            job.say(f"{title}: {duration(finished[name])}, {log}")
        if name == "synthesize":
            _compare_resources(job, folder, prediction, request.accept_resources)
        if name == request.until:
            raise _StoppedError


def _run_step(job: Job, vivado: Vivado, name: str, title: str, folder: Path, jobs: int) -> float:
    """Seconds that a step took."""
    started = time.perf_counter()
    try:
        with step(job.console, title, str(folder / f"{name}.log")) as tell:
            run_step(vivado, name, folder, jobs, tell)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted in step {name}; Vivado has ended, and an earlier bitstream is as it "
            f"was. The same command goes on with {name}"
        ) from None
    return round(time.perf_counter() - started, 1)


def _compare_resources(job: Job, folder: Path, prediction: Prediction, accept: bool) -> None:
    """Hold the synthesized engine against what it should take, before hours of placing it.

    Here and not in the Tcl: the report is read by the same code as at the end, a prediction is no
    input of a bitstream, and who accepts a difference goes on without synthesizing again.

    Raises:
        MismatchError: they differ, and this is not accepted.
    """
    path = folder / "reports" / "synthesized_engine.rpt"
    found = differences(read_utilization(path), prediction)
    if not found:
        return
    said = f"synthesis made another engine than {prediction.source} predicts: {'; '.join(found)}"
    if accept:
        job.warn(f"{said}; accepted by --accept-resources")
        return
    raise MismatchError(
        f"{said}. {path} and synthesize.log have more: multipliers or memories made of LUTs, or "
        "logic that went away. If it is as it should be, the same command with --accept-resources "
        "goes on with step implement"
    )


def _require_files(folder: Path) -> None:
    """A bitstream, what pynq reads beside it, and both for boot images, that the steps made.

    Raises:
        ToolError: one is not there, or empty.
    """
    for name in (BITSTREAM, HWH, PLATFORM):
        path = folder / name
        if not (path.is_file() and path.stat().st_size):
            raise ToolError(
                f"{path} is not there, or empty, although step bitstream ended well; --restart "
                "builds anew"
            )


def _tried(attempts: Sequence[Attempt]) -> str:
    return ", ".join(f"{attempt.slacks} by {attempt.strategy}" for attempt in attempts)


def _refuse_slow(job: Job, reports: Reports, attempts: Sequence[Attempt], folder: Path) -> None:
    """Say which paths, and what to do.

    Raises:
        ConfigError: always.
    """
    timing, clock = reports.timing, _clock(reports)
    paths = read_paths(folder / "reports" / "paths.txt")
    title = f"the worst paths at {clock.mhz:.6g} MHz"
    job.console.print(paths_table(title, map(dataclasses.asdict, paths)))
    said, advice = [], []
    if timing.wns_ns < 0:
        count = f"{timing.setup_failing:,} of {timing.setup_endpoints:,} endpoints"
        said.append(f"setup slack {timing.wns_ns:+.3f} ns, {count}")
        enough = job.hardware.system.clock_up_to(1000 / (clock.period_ns - timing.wns_ns))
        advice.append(f"--clock {enough:.6g} gives the longest path time enough")
    if timing.whs_ns < 0:
        said.append(f"hold slack {timing.whs_ns:+.3f} ns, {timing.hold_failing:,} endpoints")
        advice.append("no clock mends a hold slack, --restart places and routes anew")
    if timing.wpws_ns < 0:
        said.append(f"pulse width slack {timing.wpws_ns:+.3f} ns")
        advice.append("the device cannot be clocked so fast, lower --clock")
    if len(attempts) > 1:
        said.append(f"two ways were tried: {_tried(attempts)}")
    raise ConfigError(
        f"{job.hardware.name} misses {clock.mhz:.6g} MHz: {'; '.join(said)}. An earlier bitstream "
        f"is as it was; this one stays in {folder}, reports/timing.rpt there says more. What "
        f"helps: {'; '.join(advice)}"
    )


def _clock(reports: Reports) -> Clock:
    """The engine's: designs of ours have one."""
    return reports.clocks[0]


def _tidy(folder: Path) -> None:
    """Leave what is of use later; of Vivado's own files, hundreds of MB, the routed design and the
    packaged IP, with the scripts that make the project anew and open it."""
    for stem in _ROUTED_STEMS:
        for routed in folder.glob(f"project/*.runs/impl_*/*{stem}.dcp"):
            if routed.parent.name == _taken_run(folder):
                routed.replace(folder / _ROUTED)
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    shutil.copytree(resource("hw") / "tcl" / "vivado", folder / _SCRIPTS, dirs_exist_ok=True)
    kept = {BITSTREAM, HWH, PLATFORM, _ROUTED, _STEPS, RESULTS, "reports", "logs", _PACKAGED}
    kept |= {_SCRIPTS, PRESET, *HW_FILES}
    for path in folder.iterdir():
        if path.suffix == ".log":
            path.replace(logs / path.name)
        elif path.is_dir() and path.name not in kept:
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()


def _taken_run(folder: Path) -> str:
    """The run that the bitstream is of."""
    attempts = read_attempts(folder / "reports")
    return next(f"impl_{number}" for number, one in enumerate(attempts, 1) if one.taken)


def _write_results(
    job: Job,
    vivado: Vivado,
    reports: Reports,
    attempts: Sequence[Attempt],
    seconds: Mapping[str, float],
    folder: Path,
) -> None:
    source = vivado.name
    clock = _clock(reports)
    resources = [
        {"name": u.name, "used": u.used, "available": u.available, "source": source}
        for u in reports.utilization
    ]
    dsp = reports.utilization[0]
    headline = (
        f"bitstream of {job.hardware.name} at {clock.mhz:.6g} MHz by {source}: slack "
        f"{reports.timing.wns_ns:+.3f} ns, {dsp.used:g} of {dsp.available:g} DSP"
    )
    write_results(
        folder,
        headline,
        vivado=vivado.version,
        digest=f"{job.hardware.digest:016x}",
        resources=resources,
        timing={**dataclasses.asdict(reports.timing), "source": source},
        power={**dataclasses.asdict(reports.power), "source": f"{source}, estimated"},
        attempts=[dataclasses.asdict(attempt) for attempt in attempts],
        clock={"name": clock.name, "mhz": round(clock.mhz, 3), "source": source},
        seconds=dict(seconds),
    )
