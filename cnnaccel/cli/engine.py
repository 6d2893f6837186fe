"""From a program to a board: the engine built, simulated, deployed."""

from __future__ import annotations

from typing import Any

import click

from cnnaccel.cli.options import configured, make_job
from cnnaccel.errors import ToolError


@click.command("build-hw")
@configured
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
    stage.check(make_job(**where))


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

    job = make_job(**where)
    with job.lock():
        stage.simulate(job, images, layers, trace, stalls)


@click.command()
@configured
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

    job = make_job(**where)
    with job.lock():
        stage.deploy(job, target, images)
