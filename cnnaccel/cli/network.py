"""From a network to a program: the commands that need no hardware."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from cnnaccel.cli.options import configured, make_job, reads_stages, takes_weights


@click.command()
@configured
@click.option("--resume", is_flag=True, help="Continue an interrupted training.")
def train(resume: bool, **where: Any) -> None:
    """Train the network of CONFIG, whatever weights it names.

    Later commands use the weights of this training, until CONFIG names others.

    \b
    Example:
      cnnaccel train configs/lenet_fashionmnist.yaml --set train.epochs=5
    """
    from cnnaccel.pipeline import train as stage

    job = make_job(**where, thorough=True)
    with job.lock():
        stage.train_anew(job, resume)


@click.command()
@configured
@takes_weights
@reads_stages
@click.option("--sensitivity", is_flag=True, help="Also say what each layer costs.")
def quantize(sensitivity: bool, **where: Any) -> None:
    """Quantize the trained network of CONFIG to an int8 graph.

    \b
    Example:
      cnnaccel quantize configs/lenet_fashionmnist.yaml --set quantize.requantize=shift
    """
    from cnnaccel.pipeline import quantize as stage

    job = make_job(**where, thorough=True)
    with job.lock():
        stage.import_and_quantize(job, sensitivity)


@click.command()
@configured
@reads_stages
def evaluate(**where: Any) -> None:
    """Run the int8 graph of CONFIG on the test images, with the golden executor.

    \b
    Example:
      cnnaccel evaluate configs/lenet_fashionmnist.yaml
    """
    from cnnaccel.pipeline import quantize as stage

    job = make_job(**where)
    with job.lock():
        stage.evaluate(job)


@click.command()
@configured
@reads_stages
def inspect(**where: Any) -> None:
    """Print the int8 graph of CONFIG, layer by layer.

    \b
    Example:
      cnnaccel inspect configs/lenet_fashionmnist.yaml
    """
    from cnnaccel.pipeline.identity import stored_graph
    from cnnaccel.report.tables import graph_table, outputs_line

    job = make_job(**where)
    graph = stored_graph(job)
    job.console.print(graph_table(graph))
    if line := outputs_line(graph):
        job.say(line)


@click.command("compile")
@configured
@reads_stages
@click.option(
    "--show",
    "passes",
    type=click.Choice(["lower", "plan", "emit", "tokens"]),
    multiple=True,
    help="Instead: print what this pass of the compiler makes of the network; may be repeated.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Instead: say why layers were or were not joined, kept on the chip, split.",
)
def compile_program(passes: tuple[str, ...], explain: bool, **where: Any) -> None:
    """Compile the int8 graph of CONFIG to a program that equals golden.

    \b
    Example:
      cnnaccel compile configs/lenet_fashionmnist.yaml --set hardware.board=zcu104
      cnnaccel compile configs/lenet_fashionmnist.yaml --show plan --explain
    """
    from cnnaccel.pipeline import compile as stage

    job = make_job(**where)
    if passes or explain:
        stage.show_passes(job, passes, explain)
        return
    with job.lock():
        stage.compile_program(job)


@click.command()
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
    from cnnaccel.hardware import load_hardware
    from cnnaccel.isa.description import load_compiled
    from cnnaccel.isa.program import disassemble, folder_of

    hardware = load_hardware(board) if board is not None else None
    loaded, hardware = load_compiled(folder_of(program), hardware)
    try:
        for line in disassemble(loaded, hardware):
            click.echo(line)
    except BrokenPipeError:  # who reads has seen enough, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command()
@configured
@reads_stages
def explore(**where: Any) -> None:
    """Predict the speed of the int8 graph of CONFIG on many engines.

    \b
    Example:
      cnnaccel explore configs/lenet_fashionmnist.yaml --set hardware.board=zcu104
    """
    from cnnaccel.pipeline import compile as stage

    job = make_job(**where)
    with job.lock():
        stage.explore_engines(job)
