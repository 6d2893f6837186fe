"""The stage export: one folder that is all a target needs to run a network."""

from __future__ import annotations

import json

from cnnaccel.api.export import Bitstream, Contents
from cnnaccel.api.export import find_bitstream as bitstream_in
from cnnaccel.errors import WorkspaceError
from cnnaccel.pipeline.bitstream import STAGE
from cnnaccel.pipeline.identity import Inputs, hardware_inputs, program_inputs
from cnnaccel.pipeline.job import Job, say_memory, write_results
from cnnaccel.pipeline.selftest import selftest_file
from cnnaccel.runtime.network import load_network
from cnnaccel.workspace import RESULTS, Stage


def find_bitstream(job: Job) -> Bitstream:
    """The bitstream of the configuration's engine.

    Raises:
        WorkspaceError: it was altered since it was built, or does not say what it is.
    """
    stage = job.workspace.stage(STAGE)
    stage.finish_swap()
    manifest = stage.manifest()
    if manifest and (reason := stage.why_stale(manifest["inputs"])):
        raise WorkspaceError(f"{stage.folder}: {reason}; `cnnaccel build-hw` makes it anew")
    return bitstream_in(stage.folder, job.hardware)


def contents(job: Job, bitstream: Bitstream) -> Contents:
    """Parts of the folder of a configuration; its self-test is made if it is not there."""
    program = job.workspace.stage("compile").folder
    program_inputs(job)  # the program must belong to the configuration
    return Contents(
        job.config.name, job.hardware, program, selftest_file(job), bitstream, class_names(job)
    )


def export_inputs(job: Job, made_of: Contents) -> Inputs:
    """Values that an exported folder is made from."""
    return program_inputs(job) | hardware_inputs(job) | made_of.inputs()


def export(job: Job) -> Stage:
    """Write the folder; it is whole or as it was."""
    bitstream = find_bitstream(job)
    return _write(job, contents(job, bitstream))


def _write(job: Job, made_of: Contents) -> Stage:
    stage, bitstream = job.workspace.stage("export"), made_of.bitstream
    with stage.write(export_inputs(job, made_of)) as folder:
        made_of.write(folder)
        write_results(
            folder, made_of.headline, digest=f"{job.hardware.digest:016x}",
            bitstream=not bitstream.missing, network=job.config.name,
        )  # fmt: skip
    job.say(f"{stage.folder}: {made_of.headline}; README.md there says how to run it")
    if bitstream.missing:
        job.say(f"no bitstream: {bitstream.missing}")
    say_memory(job, stage.folder)
    return stage


def class_names(job: Job) -> tuple[str, ...]:
    """Names of the channels of the result, as `quantize` noted them: the data need not be at hand.

    None where it did not, or where the channels are something else than the data's classes.
    """
    try:
        results = job.workspace.stage("quantize").folder / RESULTS
        names = tuple(map(str, json.loads(results.read_text(encoding="utf-8"))["classes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    ports = load_network(job.workspace.stage("compile").folder).ports
    return names if len(names) == ports.outputs[0].shape[0] else ()


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
    manifest, made_of = stage.manifest(), contents(job, bitstream)
    inputs = export_inputs(job, made_of)
    if manifest is None or manifest["inputs"] != inputs:
        return _write(job, made_of)
    if reason := stage.why_stale(inputs):
        raise WorkspaceError(f"{stage.folder}: {reason}; `cnnaccel export` writes it anew")
    return stage
