"""From a program to a board: the engine built, simulated, deployed."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from cnnaccel.cli.options import (
    configured,
    configured_by_options,
    make_job,
    reads_stages,
    takes_images,
)


@click.command()
@click.argument("names", nargs=-1, metavar="[BOARDS]")
def boards(names: tuple[str, ...]) -> None:
    """List the boards that come with the package, or BOARDS alone.

    A line has the engine, its share of the device, and what was seen of it.

    Each of BOARDS is a name that hardware.board takes, or a YAML file of your own.

    \b
    Example:
      cnnaccel boards
      cnnaccel boards pynq_z1 my_board.yaml
    """
    from rich.console import Console

    from cnnaccel.hardware import load_hardware, shipped_boards
    from cnnaccel.report.boards import boards_table

    found = [load_hardware(name) for name in names or shipped_boards()]
    console = Console() if sys.stdout.isatty() else Console(width=150)
    console.print(boards_table(found))


@click.command("build-hw")
@configured
@click.option("--check", is_flag=True, help="Lint, run the Tcl, count by Yosys; no Vivado needed.")
@click.option(
    "--clock",
    type=float,
    metavar="MHZ",
    help="As --set hardware.overrides.clock_mhz=MHZ, by which predictions take it too.",
)
@click.option("--jobs", type=click.IntRange(1), help="Vivado's processes.  [default: the cores]")
@click.option(
    "--vivado",
    type=click.Path(path_type=Path),
    help="The program, or the folder it is installed in; else that of PATH, else the newest.",
)
@click.option("--restart", is_flag=True, help="Build anew what is finished or half finished.")
@click.option(
    "--until",
    type=click.Choice(["package", "design", "synthesize", "implement", "bitstream"]),
    help="End after this step of Vivado; the next build goes on from there.",
)
@click.option(
    "--accept-resources",
    is_flag=True,
    help="Go on where synthesis takes other DSP, BRAM or LUT than predicted.",
)
@click.option("--asic", is_flag=True, help="Instead: cells and area of every module, by Yosys.")
def build_hw(
    check: bool,
    clock: float | None,
    jobs: int | None,
    vivado: Path | None,
    restart: bool,
    until: str | None,
    accept_resources: bool,
    asic: bool,
    overrides: tuple[str, ...],
    **where: Any,
) -> None:
    """Build the bitstream of CONFIG's engine with Vivado.

    Steps are package, design, synthesize, implement, bitstream, report. An interrupted build goes
    on with the one that was under way. After synthesize the engine must take what was predicted,
    or the build ends before hours of placing it. Without Vivado, or with --check, what can be said
    without: lint, a dry run of the Tcl, what the engine takes of its device.

    \b
    Example:
      cnnaccel build-hw configs/lenet_fashionmnist.yaml --clock 125
      cnnaccel build-hw configs/lenet_fashionmnist.yaml --until package
    """
    from cnnaccel.pipeline import asic as cells
    from cnnaccel.pipeline import build_hw as stage
    from cnnaccel.pipeline.bitstream import Request

    if check and asic:
        raise click.UsageError("--check or --asic, one at a time")
    if (check or asic) and (vivado or jobs or restart or until or accept_resources):
        without = "--check" if check else "--asic"
        raise click.UsageError(
            f"{without} needs no Vivado: leave --vivado, --jobs, --restart, --until and "
            "--accept-resources out"
        )
    if clock is not None:
        overrides += (f"hardware.overrides.clock_mhz={clock}",)
    job = make_job(overrides=overrides, **where)
    with job.lock():
        if check:
            stage.check(job)
        elif asic:
            cells.asic(job)
        else:
            request = Request(jobs or os.cpu_count() or 1, restart, until, accept_resources)
            stage.build(job, vivado, request)


class _Cycles(click.ParamType):  # type: ignore[type-arg]
    """`A:B`, cycles A to B - 1."""

    name = "A:B"

    def convert(self, value: Any, param: Any, ctx: Any) -> range:
        first, colon, last = str(value).partition(":")
        if not (colon and first.isdigit() and last.isdigit() and int(first) < int(last)):
            self.fail(f"'{value}' is no A:B, two numbers of cycles, the first smaller", param, ctx)
        return range(int(first), int(last))


@click.command()
@configured
@takes_images
@reads_stages
@click.option(
    "--images",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="A sample of the test images, over all classes.",
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
def simulate(
    files: tuple[str, ...],
    images: int,
    layers: bool,
    trace: range | None,
    stalls: float,
    **where: Any,
) -> None:
    """Hold the simulated engine, the interpreter and golden against one another.

    FILES take the place of the test images: pictures of any size, folders of them, .npy, .npz.

    \b
    Example:
      cnnaccel simulate configs/lenet_fashionmnist.yaml --images 64 --layers
      cnnaccel simulate lenet_fashionmnist shoe.jpg
    """
    from cnnaccel.pipeline import simulate as stage

    job = make_job(**where)
    with job.lock():
        stage.simulate(job, images, layers, trace, stalls, files)


@click.command()
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG...")
@configured_by_options
@reads_stages
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A folder for several networks of one engine; those that are in it stay.",
)
def export(configs: tuple[str, ...], into: Path | None, **where: Any) -> None:
    """Write one folder with all that a target needs to run CONFIG.

    Bitstream, program, runtime, a wheel of it, the driver in C, a notebook, sample images with what
    must come out. With --into, several networks go into one folder, and are switched on the board.

    \b
    Example:
      cnnaccel export configs/lenet_fashionmnist.yaml
      cnnaccel export lenet_fashionmnist dscnn_fashionmnist --into both
    """
    from cnnaccel.pipeline import export as stage

    if into is None and len(configs) > 1:
        raise click.UsageError("several networks go into one folder: name it by --into FOLDER")
    jobs = [make_job(config=config, **where) for config in configs]
    names = [job.config.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"two configurations are called {name}; rename one of the files")
    with ExitStack() as locks:
        for job in jobs:
            locks.enter_context(job.lock())
        if into is None:
            stage.export(jobs[0])
        else:
            stage.export_into(jobs, into)


@click.command()
@configured
@takes_images
@reads_stages
@click.option(
    "--target",
    default="sim",
    show_default=True,
    metavar="sim|local|USER@HOST[:PORT]",
    help="sim: the engine in Verilator; local: this machine is the board; else a board over ssh.",
)
@click.option(
    "--images", type=click.IntRange(1), help="Only a sample of the test images, over all classes."
)
@click.option(
    "--ssh-config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="For ssh, instead of ~/.ssh/config: keys, jump hosts, host keys.",
)
@click.option(
    "--remote-dir",
    default="",
    metavar="FOLDER",
    help="For what is copied to the board; else ~/.cache/cnnaccel/<configuration>.",
)
@click.option(
    "--self-test/--no-self-test",
    default=None,
    help="Before the images, run random programs, each layer by itself and the network, and name "
    "the first difference.  [default: where a board sees this bitstream for the first time]",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Before the images, compare each layer by itself on 4 of them, or on --images.",
)
def deploy(
    files: tuple[str, ...],
    target: str,
    images: int | None,
    ssh_config: Path | None,
    remote_dir: str,
    self_test: bool | None,
    layers: bool,
    **where: Any,
) -> None:
    """Run the test images of CONFIG on a board, by default a simulated one.

    Every value must be golden's. A bitstream that is new on a board is tested there first; when
    results are wrong, --self-test and --layers say where.

    FILES take the place of the test images: pictures of any size, folders of them, .npy, .npz. What
    they are taken for is printed.

    \b
    Example:
      cnnaccel deploy configs/lenet_fashionmnist.yaml --target xilinx@192.168.2.99
      cnnaccel deploy lenet_fashionmnist shoe.jpg photos/
    """
    from cnnaccel.api.board import Place
    from cnnaccel.pipeline import deploy as stage
    from cnnaccel.remote.ssh import parse_target
    from cnnaccel.report.findings import SIMULATED
    from cnnaccel.runtime.board import ALWAYS, FIRST, NEVER

    def password() -> str:
        return str(click.prompt(f"password of sudo on {target}", hide_input=True, err=True))

    place = None
    if target != SIMULATED:
        ask = password if sys.stdin.isatty() else None
        place = Place(parse_target(target), ssh_config, remote_dir, ask)
    when = {None: FIRST, True: ALWAYS, False: NEVER}[self_test]
    job = make_job(**where)
    with job.lock():
        stage.deploy(job, place, images, when, layers, files)
