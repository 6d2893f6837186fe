"""The clock that a board makes of the one asked for."""

from __future__ import annotations

from cnnaccel.errors import ConfigError
from cnnaccel.pipeline.job import Job

_NEAR, _FAR = 0.001, 0.1
"""How far off the clock may be, as a share: without a word, and at all."""


def check_clock(job: Job) -> None:
    """The board must be able to make the clock, more or less; if less, say what it makes.

    Raises:
        ConfigError: it cannot.
    """
    asked, ps = job.hardware.clock_mhz, job.hardware.system
    made, most = ps.clock_mhz(asked), job.hardware.device.family.most_mhz
    if asked > most or abs(made / asked - 1) > _FAR:
        raise ConfigError(
            f"clock_mhz {asked:g}: {job.hardware.part} makes clocks up to {most:g} MHz, the "
            f"nearest to this is {min(made, most):g}; choose another by --clock or "
            "hardware.overrides"
        )
    _say_if_off(job, f"of {asked:g} MHz the board makes", made)


def compare_clock(job: Job, reported_mhz: float) -> None:
    """Say so if Vivado made another clock than was computed for it."""
    made = job.hardware.system.clock_mhz(job.hardware.clock_mhz)
    if abs(reported_mhz / made - 1) > _NEAR:
        _say_if_off(job, f"of {job.hardware.clock_mhz:g} MHz Vivado made", reported_mhz)


def _say_if_off(job: Job, what: str, mhz: float) -> None:
    if abs(mhz / job.hardware.clock_mhz - 1) > _NEAR:
        job.say(
            f"{what} {mhz:.6g}; `--set hardware.overrides.clock_mhz={mhz:.6g}` makes the "
            "predictions of every command follow"
        )
