"""The command line: options, one error handler, nothing that computes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from cnnaccel import __version__
from cnnaccel.errors import CnnaccelError, ConfigError, ToolError

if TYPE_CHECKING:
    from cnnaccel.config import Config
    from cnnaccel.hardware import HardwareConfig
    from cnnaccel.pipeline.job import Job

Command = TypeVar("Command", bound=Callable[..., Any])
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point.

    Exit codes: 0 done, 1 the error says why, 2 usage, 3 a tool is missing or failed, 4 the dataset
    is not to be had, 130 interrupted.
    """
    try:
        code = cli.main(arguments, prog_name="cnnaccel", standalone_mode=False)
    except CnnaccelError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; finished stages are as they were", err=True)
        code = _INTERRUPTED
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="cnnaccel")
def cli() -> None:
    """Put a PyTorch CNN on a small FPGA: train, quantize, compile, and prove every bit.

    \b
    Example:
      cnnaccel run configs/lenet_fashionmnist.yaml
    """


def _configured(command: Command) -> Command:
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


def _hardware(config: Config, path: Path) -> HardwareConfig:
    """The engine that the configuration in the file `path` asks for."""
    from cnnaccel.hardware import load_hardware

    overrides = [f"{key}={json.dumps(value)}" for key, value in config.hardware.overrides.items()]
    try:
        return load_hardware(config.hardware.board, overrides)
    except ConfigError as error:
        raise ConfigError(f"{path}: hardware: {str(error).removeprefix('--set ')}") from None


def _job(config: str, data_dir: Path | None, build_dir: Path, overrides: tuple[str, ...]) -> Job:
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


@cli.command()
@_configured
@click.option("--resume", is_flag=True, help="Continue an interrupted training.")
def train(resume: bool, **where: Any) -> None:
    """Train the network of CONFIG.

    \b
    Example:
      cnnaccel train configs/lenet_fashionmnist.yaml --set train.epochs=5
    """
    from cnnaccel.pipeline import train as stage

    job = _job(**where)
    with job.lock():
        stage.train(job, resume)


@cli.command()
@_configured
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Weights instead of train's: a model.pt, or a state_dict of your own.",
)
def quantize(checkpoint: Path | None, **where: Any) -> None:
    """Quantize the trained network of CONFIG to an int8 graph.

    \b
    Example:
      cnnaccel quantize configs/lenet_fashionmnist.yaml --set quantize.requantize=shift
    """
    from cnnaccel.pipeline import quantize as stage

    job = _job(**where)
    with job.lock():
        stage.quantize(job, checkpoint)


@cli.command()
@_configured
def evaluate(**where: Any) -> None:
    """Run the int8 graph of CONFIG on the test images, with the golden executor.

    \b
    Example:
      cnnaccel evaluate configs/lenet_fashionmnist.yaml
    """
    from cnnaccel.pipeline import quantize as stage

    job = _job(**where)
    with job.lock():
        stage.evaluate(job)


@cli.command("compile")
@_configured
def compile_program(**where: Any) -> None:
    """Compile the int8 graph of CONFIG to a program that equals golden.

    \b
    Example:
      cnnaccel compile configs/lenet_fashionmnist.yaml --set hardware.board=zcu104
    """
    from cnnaccel.pipeline import compile as stage

    job = _job(**where)
    with job.lock():
        stage.compile_program(job)


class _Cycles(click.ParamType):  # type: ignore[type-arg]
    """`A:B`, cycles A to B - 1."""

    name = "A:B"

    def convert(self, value: Any, param: Any, ctx: Any) -> range:
        first, colon, last = str(value).partition(":")
        if not (colon and first.isdigit() and last.isdigit() and int(first) < int(last)):
            self.fail(f"'{value}' is no A:B, two numbers of cycles, the first smaller", param, ctx)
        return range(int(first), int(last))


@cli.command()
@_configured
@click.option(
    "--images",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="So many of the test images.",
)
@click.option("--layers", is_flag=True, help="Also compare every layer, each by its own program.")
@click.option("--trace", type=_Cycles(), help="Write the waves of these cycles since the start.")
@click.option(
    "--stalls",
    type=click.FloatRange(0, 0.99),
    default=0.0,
    metavar="P",
    help="Hold up each handshake with DRAM with this probability.",
)
def simulate(images: int, layers: bool, trace: range | None, stalls: float, **where: Any) -> None:
    """Hold the simulated engine, the interpreter and golden against one another.

    \b
    Example:
      cnnaccel simulate configs/lenet_fashionmnist.yaml --images 64 --layers
    """
    from cnnaccel.pipeline import simulate as stage

    job = _job(**where)
    with job.lock():
        stage.simulate(job, images, layers, trace, stalls)


@cli.command()
@_configured
@click.option(
    "--target",
    default="sim",
    show_default=True,
    help="sim: the engine in Verilator, behind the calls that reach a board.",
)
@click.option("--images", type=click.IntRange(1), help="Only the first of the test images.")
def deploy(target: str, images: int | None, **where: Any) -> None:
    """Run the test images of CONFIG on a board, by default a simulated one.

    \b
    Example:
      cnnaccel deploy configs/lenet_fashionmnist.yaml
    """
    from cnnaccel.pipeline import deploy as stage

    job = _job(**where)
    with job.lock():
        stage.deploy(job, target, images)


_STAGE = click.Choice(["train", "quantize", "evaluate", "compile", "deploy"])


@cli.command()
@_configured
@click.option("--from", "first", type=_STAGE, help="Run again from this stage on.")
@click.option("--until", "last", type=_STAGE, help="Stop after this stage.")
def run(first: str | None, last: str | None, **where: Any) -> None:
    """Run every stage of CONFIG whose result is missing or out of date.

    \b
    Example:
      cnnaccel run configs/lenet_fashionmnist.yaml --until quantize
    """
    from cnnaccel.pipeline import run as stage

    job = _job(**where)
    with job.lock():
        stage.run(job, first, last)


@cli.command()
@_configured
def inspect(**where: Any) -> None:
    """Print the int8 graph of CONFIG, layer by layer.

    \b
    Example:
      cnnaccel inspect configs/lenet_fashionmnist.yaml
    """
    from cnnaccel.pipeline.job import stored_graph
    from cnnaccel.report.tables import graph_table

    job = _job(**where)
    job.console.print(graph_table(stored_graph(job)))


@cli.command()
@click.option(
    "--board",
    metavar="BOARD",
    help="A shipped name or a YAML file; else the hardware in the network.json beside.",
)
@click.argument("program", type=click.Path(path_type=Path))
def disasm(program: Path, board: str | None) -> None:
    """Print the instructions of PROGRAM, a program.bin or its folder.

    \b
    Example:
      cnnaccel disasm build/lenet_fashionmnist/compile
    """
    from cnnaccel.compiler.ports import load_compiled
    from cnnaccel.compiler.program import disassemble, folder_of
    from cnnaccel.hardware import load_hardware

    hardware = load_hardware(board) if board is not None else None
    loaded, hardware = load_compiled(folder_of(program), hardware)
    try:
        for line in disassemble(loaded, hardware):
            click.echo(line)
    except BrokenPipeError:  # who reads has seen enough, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@cli.command("build-hw")
@_configured
@click.option("--check", is_flag=True, help="Lint and synthesize with Yosys; no bitstream.")
def build_hw(check: bool, **where: Any) -> None:
    """Check the engine of CONFIG: lint, and what it takes of its device.

    \b
    Example:
      cnnaccel build-hw configs/lenet_fashionmnist.yaml --check
    """
    from cnnaccel.pipeline import build_hw as stage

    if not check:
        raise ToolError("this version builds no bitstreams yet; --check does what needs no Vivado")
    stage.check(_job(**where))


@cli.command()
@_configured
def explore(**where: Any) -> None:
    """Predict the speed of the int8 graph of CONFIG on many engines.

    \b
    Example:
      cnnaccel explore configs/lenet_fashionmnist.yaml --set hardware.board=zcu104
    """
    from cnnaccel.pipeline import compile as stage

    job = _job(**where)
    with job.lock():
        stage.explore_engines(job)


@cli.command()
def doctor() -> None:
    """List the tools the toolchain can use, and how to get those that are missing.

    \b
    Example:
      cnnaccel doctor
    """
    from rich.console import Console

    from cnnaccel.backend.doctor import examine
    from cnnaccel.report.tables import table

    findings = examine()
    console = Console() if sys.stdout.isatty() else Console(width=150)
    columns = ["tool", "version", "serves", "for", "how to get it"]
    console.print(table("tools", columns, [finding.row() for finding in findings]))
    missing = [f.name for f in findings if f.needed and not f.serves]
    if missing:
        raise click.exceptions.Exit(3)
