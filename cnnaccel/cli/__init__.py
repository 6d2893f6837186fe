"""The command line: options, one error handler, nothing that computes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from cnnaccel import __version__
from cnnaccel.cli import engine, network
from cnnaccel.cli.options import configured, make_job, reads_stages, takes_weights
from cnnaccel.errors import CnnaccelError

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point.

    Exit codes: 0 done, 1 the error says why, 2 usage, 3 a tool is missing or failed, 4 the dataset
    is not to be had, 130 interrupted.
    """
    if sys.platform != "linux":  # locks, signals, processes and libraries are used as it has them
        click.echo(
            f"error: cnnaccel runs on Linux alone, and this is {sys.platform}; on Windows take WSL "
            "2, elsewhere a virtual machine or a container",
            err=True,
        )
        sys.exit(1)
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


class _InOrder(click.Group):
    """Lists its commands in the order in which one needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What each command does, whole: wrapped where click would cut it."""
        rows = [
            (name, command.get_short_help_str(limit=1_000))
            for name, command in self.commands.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="cnnaccel")
def cli() -> None:
    """Put a PyTorch CNN on a small FPGA: train, quantize, compile, and prove every bit.

    CONFIG is a YAML file, or the name of one that comes with the package, as lenet_digits. What a
    command makes is in build/CONFIG/, a folder for each stage: a command needs the stages before
    it, and `run` makes those that are missing. Runs on Linux.

    \b
    Example:
      cnnaccel run lenet_fashionmnist
      cnnaccel quantize --help
    """


for _command in (
    network.train,
    network.quantize,
    network.evaluate,
    network.inspect,
    network.compile_program,
    network.disasm,
    network.explore,
    engine.simulate,
    engine.boards,
    engine.build_hw,
    engine.export,
    engine.deploy,
):
    cli.add_command(_command)


@cli.command()
@configured
@reads_stages
@click.option("--open", "show", is_flag=True, help="Show the page in the browser.")
def report(show: bool, **where: Any) -> None:
    """Write one page on CONFIG: every figure, and what measured it.

    \b
    Example:
      cnnaccel report configs/lenet_fashionmnist.yaml --open
    """
    from cnnaccel.pipeline import report as stage

    job = make_job(**where)
    with job.lock():
        page = stage.report(job, where["config"])
    if show:
        click.launch(str(page))


_STAGE = click.Choice(["train", "quantize", "evaluate", "compile", "deploy"])


@cli.command()
@configured
@takes_weights
@click.option("--from", "first", type=_STAGE, help="Run again from this stage on.")
@click.option("--until", "last", type=_STAGE, help="Stop after this stage.")
def run(first: str | None, last: str | None, **where: Any) -> None:
    """Run every stage of CONFIG whose result is missing or out of date.

    \b
    Example:
      cnnaccel run configs/lenet_fashionmnist.yaml --until quantize
    """
    from cnnaccel.pipeline import run as stage

    job = make_job(**where, thorough=True)
    with job.lock():
        stage.run(job, first, last)


@cli.command()
def doctor() -> None:
    """List the tools and extras of the toolchain, and how to get what is missing.

    \b
    Example:
      cnnaccel doctor
    """
    from cnnaccel.tools.doctor import TOOLS, examine, extras

    click.echo(f"{'tool':<24} {'version':<19} use  for")
    missing = []
    for tool in TOOLS:
        click.echo(f"{tool.name:<24} ", nl=False)  # before it is asked, which may take seconds
        finding = examine(tool)
        click.echo(finding.rest)
        if finding.needed and not finding.serves:
            missing.append(finding.name)
    if missing:
        click.echo(f"needed, and not to be used: {', '.join(missing)}")
        raise click.exceptions.Exit(3)
    for extra in extras():
        click.echo(f"extra {extra.line}")
    click.echo("all that is needed is there; a tool with `no` is optional")
