"""What a board must have before an engine runs on it: a finding for each, and the way out."""

from __future__ import annotations

import grp
import importlib
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OLDEST_PYTHON = (3, 8)
_SPARE_DISK_BYTES = 1 << 20
_SPARE_MEMORY_BYTES = 64 << 20
"""Bytes of memory for Python, numpy, pynq and the images that are on their way."""
_MEMINFO = Path("/proc/meminfo")
_ENGINE = re.compile(r'VLNV="[^"]*:cnnaccel_engine:[^"]*"')


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    found: str
    problem: str = ""
    """What is wrong and the way out, in a paragraph; empty if nothing is."""


def software() -> list[Check]:
    """Python and the packages that the driver needs, which this imports."""
    version = platform.python_version()
    old = sys.version_info[:2] < OLDEST_PYTHON
    problem = f"Python {version} is too old; 3.8 or later is on PYNQ 2.7 and later" if old else ""
    return [Check("python", f"{version}, {platform.machine()}", problem), *map(_package, _PACKAGES)]


_PACKAGES = {
    "numpy": "`sudo pip3 install numpy` on the board, or a PYNQ image, which has it",
    "pynq": "flash a PYNQ image (2.7 or later), or, if it is in an environment of its own, let "
    "the login shell activate that, as /etc/profile.d/pynq_venv.sh does on PYNQ images",
}


def _package(name: str) -> Check:
    try:
        module = importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - pynq looks at devices and drivers as it is imported
        return Check(
            name, "cannot be imported",
            f"{name} cannot be imported by {sys.executable} ({error}): {_PACKAGES[name]}",
        )  # fmt: skip
    return Check(name, str(getattr(module, "__version__", "of no version")))


def rights(device: Any) -> Check:
    """Whether this process may map registers of a device of pynq."""
    groups = []
    for number in os.getgroups():
        try:
            groups.append(grp.getgrgid(number).gr_name)
        except KeyError:
            groups.append(str(number))
    number = os.geteuid()
    who = "root" if number == 0 else f"uid {number}, groups {', '.join(groups) or 'none'}"
    maps = device.has_capability("MEMORY_MAPPED")
    if number == 0 or not maps:
        return Check("rights", who)
    return Check(
        "rights", who,
        f"the engine's registers are in /dev/mem, which pynq opens for root alone, not for {who}: "
        "log in as root, or as a user who may use sudo",
    )  # fmt: skip


def space(folder: str | Path, memory_needed: int, contiguous_needed: int) -> list[Check]:
    """Disk that is left, memory, and what of it the kernel keeps contiguous, against bytes."""
    free = shutil.disk_usage(folder).free
    short = free < _SPARE_DISK_BYTES
    problem = f"only {free:,} bytes are free at {folder}; make room there" if short else ""
    return [
        Check("disk", f"{_mib(free)} free at {folder}", problem),
        *memory(_MEMINFO.read_text(encoding="ascii"), memory_needed, contiguous_needed),
    ]


def contiguous_memory() -> tuple[int, int] | None:
    """Bytes that are free, and in all, of what the kernel keeps contiguous; None if it says not."""
    try:
        have = _amounts(_MEMINFO.read_text(encoding="ascii"))
    except OSError:
        return None
    return (have["CmaFree"], have["CmaTotal"]) if have.get("CmaTotal") else None


def _amounts(meminfo: str) -> dict[str, int]:
    """Bytes by name."""
    lines = re.findall(r"^(\w+): +(\d+) kB", meminfo, re.MULTILINE)
    return {name: int(kilobytes) << 10 for name, kilobytes in lines}


def memory(meminfo: str, needed: int, contiguous_needed: int) -> list[Check]:
    """What /proc/meminfo says, against bytes."""
    have = _amounts(meminfo)
    available, wanted = have["MemAvailable"], needed + _SPARE_MEMORY_BYTES
    problem = ""
    if available < wanted:
        problem = (
            f"{_mib(available)} of memory are available, {_mib(wanted)} are needed: end other "
            "programs on the board (notebooks, the desktop), or run fewer --images"
        )
    found = [Check("memory", f"{_mib(available)} available", problem)]
    if not have.get("CmaTotal"):
        return [*found, Check("CMA", "the kernel reports none; allocating will tell")]
    free, total, problem = have["CmaFree"], have["CmaTotal"], ""
    said = f"{_mib(free)} of {_mib(total)} free, {_mib(contiguous_needed)} needed"
    if free < contiguous_needed:
        more = _cma_for(total - free + contiguous_needed)
        ways = "end other programs that use the FPGA (notebooks keep their buffers), "
        if total < contiguous_needed:
            ways = "that is more than the kernel keeps: "
        problem = (
            f"{_mib(free)} of {_mib(total)} of contiguous memory are free, "
            f"{_mib(contiguous_needed)} are needed: {ways}run fewer --images, or reboot with "
            f"cma={more}M in the kernel's bootargs"
        )
    return [*found, Check("CMA", said, problem)]


def _cma_for(needed: int) -> int:
    """MiB for cma=: a power of two, that programs have room for other buffers."""
    mib = 16
    while mib << 20 < needed:
        mib *= 2
    return mib


def engine_in(hwh: str | Path) -> Check:
    """Whether a hardware handoff describes one engine."""
    count = len(_ENGINE.findall(Path(hwh).read_text(encoding="utf-8", errors="replace")))
    if count == 1:
        return Check("hwh", "has the engine")
    return Check(
        "hwh", f"has {count} engines",
        f"{hwh} describes {count} engines of cnnaccel: it is not the .hwh of this bitstream; "
        "`cnnaccel build-hw` writes both",
    )  # fmt: skip


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"
