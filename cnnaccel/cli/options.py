"""What the commands on a configuration have in common."""

from __future__ import annotations

import json
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

Command = TypeVar("Command", bound=Callable[..., Any])


def configured(command: Command) -> Command:
    """The argument and options that every command on a configuration has."""
    for decorate in (
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE",
            help="Override a value of the YAML file, as train.epochs=5.",
        ),
        click.option(
            "--build-dir", type=click.Path(path_type=Path), default=Path("build"),
            show_default=True, help="Folder for everything that is made.",
        ),
        click.option(
            "--data-dir", type=click.Path(path_type=Path), default=None,
            help="Folder that holds the dataset; else data.dir, CNNACCEL_DATA, a download.",
        ),
        click.argument("config"),
    ):  # fmt: skip
        command = decorate(command)
    return command


def make_job(
    config: str, data_dir: Path | None, build_dir: Path, overrides: tuple[str, ...]
) -> Job:
    """The job that the arguments of `configured` describe."""
    from rich.console import Console

    from cnnaccel.config import load_config
    from cnnaccel.pipeline.job import Job
    from cnnaccel.resources import find_config
    from cnnaccel.workspace import Workspace

    path = find_config(config)
    loaded = load_config(path, overrides)
    hardware = _hardware(loaded, path)
    console = Console() if sys.stdout.isatty() else Console(width=150)
    return Job(loaded, hardware, Workspace(build_dir / loaded.name), console, data_dir)


def _hardware(config: Config, path: Path) -> HardwareConfig:
    """The engine that the configuration in the file `path` asks for."""
    from cnnaccel.hardware import load_hardware

    overrides = [f"{key}={json.dumps(value)}" for key, value in config.hardware.overrides.items()]
    try:
        return load_hardware(config.hardware.board, overrides)
    except ConfigError as error:
        raise ConfigError(f"{path}: hardware: {str(error).removeprefix('--set ')}") from None
