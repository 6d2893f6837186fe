"""The stage export: one folder that is all a target needs to run a network."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import cnnaccel
from cnnaccel.errors import WorkspaceError
from cnnaccel.pipeline.bitstream import BITSTREAM, HWH, STAGE
from cnnaccel.pipeline.identity import PROGRAM, Inputs, hardware_inputs, program_inputs
from cnnaccel.pipeline.job import RESULTS, Job, write_results
from cnnaccel.pipeline.memory import say_memory
from cnnaccel.pipeline.selftest import selftest_file
from cnnaccel.render.device_tree import render_device_trees
from cnnaccel.render.handoff import HW_JSON
from cnnaccel.render.model import render_model_h
from cnnaccel.render.params import render_params_h
from cnnaccel.render.template import render_template
from cnnaccel.resources import resource
from cnnaccel.runtime.network import load_network
from cnnaccel.workspace import Stage, sha256_of, sha256_of_value

_HARDWARE = (BITSTREAM, HWH, HW_JSON)


@dataclass(frozen=True)
class Bitstream:
    """What `build-hw` left for this configuration."""

    files: tuple[Path, ...]
    missing: str
    """Why there are none, and the way to them; or empty."""


def find_bitstream(job: Job) -> Bitstream:
    """The bitstream of the configuration's engine.

    Raises:
        WorkspaceError: it was altered since it was built, or does not say what it is.
    """
    stage = job.workspace.stage(STAGE)
    stage.finish_swap()
    files = tuple(stage.folder / name for name in _HARDWARE)
    build = "`cnnaccel build-hw` makes it, where Vivado is"
    if not all(path.is_file() for path in files):
        return Bitstream((), f"there is no bitstream in {stage.folder}; {build}")
    manifest = stage.manifest()
    if manifest and (reason := stage.why_stale(manifest["inputs"])):
        raise WorkspaceError(f"{stage.folder}: {reason}; {build} anew")
    results = stage.folder / RESULTS
    if results.is_file() and "mock" in _recorded(results, "vivado", build):
        return Bitstream((), f"the bitstream in {stage.folder} is of a mock of Vivado; {build}")
    wanted, found = f"{job.hardware.digest:016x}", _recorded(files[-1], "digest", build)
    if found != wanted:
        return Bitstream(
            (),
            f"the bitstream in {stage.folder} is of hardware {found}, this configuration asks for "
            f"{wanted}; {build}, or set hardware to that of the bitstream",
        )
    return Bitstream(files, "")


def _recorded(path: Path, key: str, build: str) -> str:
    """What a JSON file of `build-hw` says; build: the way to a new one."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[key])
    except (ValueError, KeyError, TypeError):
        raise WorkspaceError(f"{path}: names no {key}; {build} anew") from None


def export_inputs(job: Job, bitstream: Bitstream) -> Inputs:
    """What an exported folder is made from."""
    template = resource("templates") / "export.md.j2"
    return {
        **program_inputs(job),
        **{f"build-hw/{path.name}": sha256_of(path) for path in bitstream.files},
        **hardware_inputs(job),
        "runtime": sha256_of(*_runtime().values()),
        "driver": sha256_of(*_driver().values()),
        "self-test": sha256_of(selftest_file(job)),
        "classes": sha256_of_value(class_names(job)),
        "device trees": sha256_of_value(render_device_trees(job.hardware)),
        "texts": sha256_of(template, Path(__file__)),
    }


def export(job: Job) -> Stage:
    """Write the folder; it is whole or as it was."""
    bitstream = find_bitstream(job)
    inputs = export_inputs(job, bitstream)
    program = job.workspace.stage("compile").folder
    classes = class_names(job)
    stage = job.workspace.stage("export")
    copied = {name: program / name for name in PROGRAM}
    copied |= {path.name: path for path in (*bitstream.files, selftest_file(job))}
    with stage.write(inputs) as folder:
        for name, source in (copied | _runtime() | _driver()).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
        texts = {
            "params.h": render_params_h(job.hardware),
            "model.h": render_model_h(program, classes),
            **render_device_trees(job.hardware),
            "README.md": _readme(job, bitstream),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        headline = f"digest {job.hardware.digest:016x}, " + (
            "no bitstream" if bitstream.missing else "bitstream included"
        )
        write_results(
            folder, headline, digest=f"{job.hardware.digest:016x}",
            bitstream=not bitstream.missing, network=job.config.name,
        )  # fmt: skip
    job.say(f"{stage.folder}: {headline}; README.md there says how to run it")
    if bitstream.missing:
        job.say(f"no bitstream: {bitstream.missing}")
    say_memory(job, stage.folder)
    return stage


def class_names(job: Job) -> tuple[str, ...]:
    """Of the channels of the result, as `quantize` noted them: the data need not be at hand.

    None where it did not, or where the channels are something else than the data's classes.
    """
    try:
        results = job.workspace.stage("quantize").folder / RESULTS
        names = tuple(map(str, json.loads(results.read_text(encoding="utf-8"))["classes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    ports = load_network(job.workspace.stage("compile").folder).ports
    return names if len(names) == ports.output_shape[0] else ()


def exported(job: Job) -> Stage:
    """The folder, written anew if what it is made of has changed.

    Raises:
        WorkspaceError: somebody altered it; there is no bitstream for it.
    """
    bitstream = find_bitstream(job)
    if bitstream.missing:
        raise WorkspaceError(f"nothing to deploy: {bitstream.missing}")
    stage = job.workspace.stage("export")
    stage.finish_swap()
    manifest = stage.manifest()
    inputs = export_inputs(job, bitstream)
    if manifest is None or manifest["inputs"] != inputs:
        return export(job)
    if reason := stage.why_stale(inputs):
        raise WorkspaceError(f"{stage.folder}: {reason}; `cnnaccel export` writes it anew")
    return stage


def _runtime() -> dict[str, Path]:
    """The part of this package that a board needs, by its place in the folder."""
    package = Path(cnnaccel.__file__).parent
    paths = [package / "__init__.py", package / "errors.py", *(package / "runtime").glob("*.py")]
    return {f"cnnaccel/{path.relative_to(package)}": path for path in sorted(paths)}


def _driver() -> dict[str, Path]:
    """The driver in C, without its tests."""
    paths = sorted((resource("hw") / "driver").iterdir())
    return {f"driver/{path.name}": path for path in paths if path.is_file()}


def _readme(job: Job, bitstream: Bitstream) -> str:
    return render_template(
        "export.md.j2",
        name=job.config.name,
        board=job.hardware.name or job.hardware.part,
        digest=f"{job.hardware.digest:016x}",
        missing=[bitstream.missing] if bitstream.missing else [],
    )
