"""What the commands on a configuration have in common."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cnnaccel.errors import ConfigError

if TYPE_CHECKING:
    from cnnaccel.config import Config
    from cnnaccel.hardware import HardwareConfig
    from cnnaccel.pipeline.job import Job

BUILD = "build"
"""Folder for everything that is made, unless --build-dir names another."""
Command = TypeVar("Command", bound=Callable[..., Any])


def configured(command: Command) -> Command:
    """The argument and options that every command on a configuration has."""
    return click.argument("config")(configured_by_options(command))


def configured_by_options(command: Command) -> Command:
    """The options of every command on a configuration."""
    for decorate in (
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE",
            help="Override a value of the YAML file, as train.epochs=5.",
        ),
        click.option(
            "--build-dir", type=click.Path(path_type=Path), default=Path(BUILD),
            show_default=True, help="Folder for everything that is made.",
        ),
        click.option(
            "--data-dir", type=click.Path(path_type=Path), default=None,
            help="Folder that holds the dataset; else data.dir, CNNACCEL_DATA, a download.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


def reads_stages(command: Command) -> Command:
    """The option of every command that reads what an earlier stage wrote."""
    return click.option(
        "--stored",
        is_flag=True,
        help="Use earlier stages as they are, even where CONFIG has other values by now.",
    )(command)


def takes_images(command: Command) -> Command:
    """The files that take the place of the test images; they come behind CONFIG."""
    return click.argument("files", nargs=-1, metavar="[FILES]...")(command)


def takes_weights(command: Command) -> Command:
    """The option of the commands that weights of the user's own may go into."""
    return click.option(
        "--checkpoint",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Weights of your own in place of training: of torch.save, Lightning, safetensors.",
    )(command)


def make_job(
    config: str,
    data_dir: Path | None,
    build_dir: Path,
    overrides: tuple[str, ...],
    checkpoint: Path | None = None,
    stored: bool = False,
    thorough: bool = False,
) -> Job:
    """The job that the arguments of `configured` describe; the others are as `Job` has them."""
    from rich.console import Console

    from cnnaccel.config import load_config
    from cnnaccel.pipeline.job import Job
    from cnnaccel.resources import find_config
    from cnnaccel.workspace import workspace_of

    path = find_config(config)
    loaded = load_config(path, overrides)
    hardware = _hardware(loaded, path)
    console = Console() if sys.stdout.isatty() else Console(width=150)
    workspace = workspace_of(build_dir, path)
    job = Job(
        loaded,
        hardware,
        workspace,
        console,
        data_dir,
        weights=checkpoint or _weights(loaded, path),
        by_option=checkpoint is not None,
        stored=stored,
        thorough=thorough,
        arguments=_arguments(config, data_dir, build_dir, overrides, checkpoint),
    )
    if (misfit := hardware.misfit()) and os.environ.get("RANK", "0") == "0":
        job.warn(misfit)
    if workspace.folder.name != loaded.name:
        job.say(f"{build_dir / loaded.name} is another file's; this one's is {workspace.folder}")
    return job


def _weights(config: Config, path: Path) -> Path | None:
    """The file that `weights` names, from the working directory or else beside the YAML file."""
    if config.weights is None:
        return None
    named = Path(config.weights).expanduser()
    beside = path.parent / named
    return beside if not named.exists() and beside.exists() else named


def _arguments(
    config: str,
    data_dir: Path | None,
    build_dir: Path,
    overrides: tuple[str, ...],
    checkpoint: Path | None,
) -> str:
    """What a user types for these."""
    words = [config]
    for override in overrides:
        words += ["--set", override]
    if build_dir != Path(BUILD):
        words += ["--build-dir", str(build_dir)]
    if data_dir is not None:
        words += ["--data-dir", str(data_dir)]
    if checkpoint is not None:
        words += ["--checkpoint", str(checkpoint)]
    return shlex.join(words)


def _hardware(config: Config, path: Path) -> HardwareConfig:
    """The engine that the configuration in the file `path` asks for."""
    from cnnaccel.hardware import load_hardware

    overrides = [f"{key}={json.dumps(value)}" for key, value in config.hardware.overrides.items()]
    try:
        return load_hardware(config.hardware.board, overrides)
    except ConfigError as error:
        raise ConfigError(f"{path}: hardware: {str(error).removeprefix('--set ')}") from None
