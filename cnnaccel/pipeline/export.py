"""The stage export: one folder that is all a target needs to run a network, or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnaccel.api.export import HARDWARE_FILES, Bitstream, Contents, NetworkFiles
from cnnaccel.api.export import find_bitstream as bitstream_in
from cnnaccel.errors import WorkspaceError
from cnnaccel.pipeline.bitstream import STAGE
from cnnaccel.pipeline.identity import Inputs, hardware_inputs, program_inputs
from cnnaccel.pipeline.job import Job, say_memory, write_results
from cnnaccel.pipeline.samples import samples_file
from cnnaccel.pipeline.selftest import selftest_file
from cnnaccel.runtime.folder import networks_in
from cnnaccel.workspace import Stage

_ENGINE = "engine of several networks"
"""Key of the inputs in the manifest of a folder of several networks: the digest of their engine."""


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
    return Contents(job.hardware, bitstream, (_network(job),))


def _network(job: Job) -> NetworkFiles:
    program = job.workspace.stage("compile").folder
    program_inputs(job)  # the program must belong to the configuration
    return NetworkFiles(job.config.name, program, selftest_file(job), samples_file(job))


def export_inputs(job: Job, made_of: Contents) -> Inputs:
    """Values that an exported folder is made from."""
    return program_inputs(job) | hardware_inputs(job) | made_of.inputs()


def export(job: Job) -> Stage:
    """Write the folder; it is whole or as it was."""
    bitstream = find_bitstream(job)
    return _write(job, contents(job, bitstream))


def export_into(jobs: Sequence[Job], target: Path) -> None:
    """Write the networks of several configurations into one folder, beside those that an earlier
    export left there; it is whole or as it was.

    Raises:
        WorkspaceError: the folder holds something else or was altered, or engines differ.
    """
    first = jobs[0]
    digest, stage = f"{first.hardware.digest:016x}", Stage(target.absolute())
    for job in jobs[1:]:
        if job.hardware.digest != first.hardware.digest:
            raise WorkspaceError(
                f"{job.config.name} is for the engine {job.hardware.digest:016x}, "
                f"{first.config.name} for {digest}: networks in one folder share an engine; choose "
                "the same hardware for both"
            )
    names = [job.config.name for job in jobs]
    stage.finish_swap()
    kept, there = _kept(stage, digest)
    found = [find_bitstream(job) for job in jobs]
    with_files = [bitstream for bitstream in found if not bitstream.missing]
    bitstream = with_files[0] if with_files else there or found[0]
    networks = tuple(_network(job) for job in jobs)
    kept = {name: place for name, place in kept.items() if name not in names}
    made_of = Contents(first.hardware, bitstream, networks, True, kept)
    with stage.write({_ENGINE: digest, **made_of.inputs()}) as folder:
        made_of.write(folder)
        write_results(
            folder, made_of.headline, digest=digest, bitstream=not bitstream.missing,
            network=", ".join(made_of.names),
        )  # fmt: skip
    first.say(f"{target}: {made_of.headline}; README.md there says how to run it")
    if bitstream.missing:
        first.say(f"no bitstream: {bitstream.missing}")
    for job in jobs:
        say_memory(job, job.workspace.stage("compile").folder)


def _kept(stage: Stage, digest: str) -> tuple[dict[str, Path], Bitstream | None]:
    """Networks and bitstream that an earlier export of the same engine left in a folder."""
    folder = stage.folder
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return {}, None
    manifest = stage.manifest()
    if manifest is None or _ENGINE not in manifest["inputs"]:
        raise WorkspaceError(
            f"{folder} holds something else than an earlier `cnnaccel export --into`; choose a new "
            "folder"
        )
    if reason := stage.why_damaged(manifest):
        raise WorkspaceError(f"{folder}: {reason}; choose a new folder")
    if manifest["inputs"][_ENGINE] != digest:
        raise WorkspaceError(
            f"{folder} is for the engine {manifest['inputs'][_ENGINE]}, this configuration for "
            f"{digest}: networks in one folder share an engine; choose the same hardware, or "
            "another folder"
        )
    files = tuple(folder / name for name in HARDWARE_FILES)
    bitstream = Bitstream(files, "") if all(path.is_file() for path in files) else None
    return networks_in(folder), bitstream


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
