"""Vivado: where it is, which it is, and one step of a build, as a process that ends with us.

Knows neither board nor report. Each step is a script of `hw/tcl/vivado` in a Vivado of its own, so
that a build goes on where it stopped.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cnnaccel.errors import ToolError
from cnnaccel.render.tcl import OLDEST_VIVADO
from cnnaccel.tools.tool import lines_of, run_tool, started_tool
from cnnaccel.tools.vivado_check import vivado_command

HOW_TO_GET = (
    "AMD Vivado ML Standard, 2020.1 or later, at no charge: "
    "https://www.xilinx.com/support/download.html"
)
_PLACES = ("/tools/Xilinx", "/opt/Xilinx", "~/Xilinx", "/tools/AMD", "/opt/AMD")
_INSTALLED = ("Vivado/*/bin/vivado", "*/Vivado/bin/vivado")
"""Places of the program below such a folder; 2025.1 and later put the version first."""
_VERSION_SECONDS = 180.0
SILENT_SECONDS = 2 * 3600.0
"""Seconds without a line of output after which Vivado hangs. Routing a full device is silent for
minutes."""
_SHOWN_ERRORS = 3
_TELLING_LINES = 20
"""Number of last lines, which may say why without calling it an error."""
_PREFIX = "cnnaccel: "
_ADVICE = (
    (
        r"no license|not supported by the current license|license was not found|\[Common 17-345\]"
        r"|license checkout",
        "Vivado has no licence for this device; Vivado ML Standard needs none for the supported "
        "boards, else set XILINXD_LICENSE_FILE",
    ),
    (
        r"no space left|disk quota exceeded|disk (is )?full",
        "the disk is full; make room, or choose another place with --build-dir, and run again",
    ),
    (
        r"out of memory|bad_alloc|cannot allocate memory",
        "memory ran out; close what else is running, or take fewer --jobs, and run again",
    ),
    (
        r"not a valid part|part .*not found|part .*could not be found|\[Coretcl 2-106\]",
        "this Vivado was installed without the device; add it with Vivado's own installer",
    ),
    (
        r"error while loading shared libraries",
        "a library that Vivado needs is not there; on Debian and Ubuntu often `apt install "
        "libtinfo5 libncurses5`",
    ),
)
"""Patterns of what a log says, in upper or lower case, and what to do."""


@dataclass(frozen=True)
class Vivado:
    """A Vivado that is there."""

    command: Path
    version: str
    """The version, as 2023.2; that of a stand-in says so, as 2023.2 (mock)."""

    @property
    def name(self) -> str:
        """The name under which figures give their source."""
        return f"Vivado {self.version}"


def find_vivado(path: Path | None = None) -> Vivado | None:
    """The Vivado of `path`, a program or where it is installed; else of PATH; else the newest.

    None: there is none.

    Raises:
        ToolError: there is none at `path`, it does not say its version, or is too old.
    """
    command = _search() if path is None else _at(path)
    if command is None:
        return None
    output = run_tool([command, "-version"], timeout_seconds=_VERSION_SECONDS)
    version = re.search(r"^\W*vivado v(20\d\d)\.(\d+)[.\w]*", output, re.MULTILINE | re.IGNORECASE)
    if version is None:
        raise ToolError(f"{command} -version tells no version: {' '.join(output.split())[:200]}")
    year, minor = int(version[1]), int(version[2])
    if (year, minor) < OLDEST_VIVADO:
        oldest = "{}.{}".format(*OLDEST_VIVADO)
        raise ToolError(
            f"{command} is Vivado {year}.{minor}; {oldest} or later is needed. "
            f"--vivado PATH takes another; to get one: {HOW_TO_GET}"
        )
    mock = " (mock)" if "mock" in output.lower() else ""
    return Vivado(command, version[0].strip().split("v")[-1] + mock)


def run_step(
    vivado: Vivado,
    step: str,
    folder: Path,
    jobs: int,
    tell: Callable[[str], None],
    silent_seconds: float = SILENT_SECONDS,
) -> None:
    """Run one step in `folder` to its end; its log is `folder/<step>.log`.

    tell: gets what is done next, as our script says it, or Vivado (`Phase 4 Rip-up`). Whatever
    ends this call ends Vivado and the processes that it started: Ctrl-C, a signal that asks us to
    end, an error.

    Raises:
        ToolError: Vivado failed, with its first errors, or said nothing for `silent_seconds`.
        KeyboardInterrupt: a signal came.
    """
    log = folder / f"{step}.log"
    log.unlink(missing_ok=True)
    command = vivado_command(vivado.command, step, jobs)
    lines: list[str] = []
    with _asked_to_end() as asked, started_tool(command, folder=folder) as process:
        for line in lines_of(process, silent_seconds, asked):
            lines.append(line)
            if news := _news(step, line):
                tell(news)
        silent = process.poll() is None
    if asked():
        raise KeyboardInterrupt
    if not log.is_file():  # Vivado did not come so far
        log.write_text("\n".join([*lines, ""]), encoding="utf-8")
    if silent:
        raise ToolError(
            f"{step}: Vivado said nothing for {silent_seconds / 60:g} min and was ended; {log} has "
            "the end of its work. Run again to repeat this step"
        )
    if process.returncode:
        raise ToolError(_why(step, process.returncode, lines, log))


def _search() -> Path | None:
    """The program on PATH, or the newest of the usual places."""
    if on_path := shutil.which("vivado"):
        return Path(on_path).absolute()
    found = [
        path
        for place in _PLACES
        for pattern in _INSTALLED
        for path in Path(place).expanduser().glob(pattern)
        if shutil.which(path)
    ]
    return max(found, key=_year, default=None)


def _at(path: Path) -> Path:
    for candidate in (path, path / "bin" / "vivado", path / "vivado"):
        if found := shutil.which(candidate):
            return Path(found).absolute()
    raise ToolError(
        f"--vivado {path}: no vivado there; give the program, or the folder that has bin/vivado"
    )


def _year(path: Path) -> tuple[int, ...]:
    """The version in a path; empty where there is none."""
    version = re.search(r"(20\d\d)\.(\d+)(?:\.(\d+))?", str(path))
    return tuple(int(part or 0) for part in version.groups()) if version else ()


def _news(step: str, line: str) -> str | None:
    """The news in a line, of what is done next; phases of placing and routing are Vivado's."""
    if line.startswith(_PREFIX):
        return line.removeprefix(f"{_PREFIX}{step}: ").removeprefix(_PREFIX)
    return line.strip() if re.fullmatch(r"Phase \d+ [^|]+", line) else None


@contextmanager
def _asked_to_end() -> Iterator[Callable[[], bool]]:
    """Yield whether a signal asked us to end: Ctrl-C, a kill, a terminal that closes.

    Vivado has a group of its own, so it would outlive us. Nothing is raised, for that might happen
    while it is being started or ended. What is ignored, as SIGHUP under nohup, stays so.
    """
    came: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.getsignal(kind) for kind in kinds}
    heeded = [kind for kind, handler in before.items() if handler != signal.SIG_IGN]
    for kind in heeded:
        signal.signal(kind, lambda number, _: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        for kind in heeded:
            signal.signal(kind, before[kind])


def _lines_of_run(lines: list[str]) -> list[str]:
    """The log of the run that failed, a process of its own, where a step names it."""
    named = re.findall(r"its log is (.+)$", "\n".join(lines[-_TELLING_LINES:]), re.MULTILINE)
    try:
        text = Path(named[-1]).read_text(encoding="utf-8", errors="replace") if named else ""
    except OSError:
        text = ""
    return text.splitlines()


def _why(step: str, code: int, lines: list[str], log: Path) -> str:
    """A paragraph that says why a step failed."""
    text = "\n".join([*_lines_of_run(lines), *lines])
    errors = list(dict.fromkeys(re.findall(r"^ERROR: .*", text, re.MULTILINE)))
    telling = "\n".join([*errors, *lines[-_TELLING_LINES:]])
    advice = [what for pattern, what in _ADVICE if re.search(pattern, telling, re.IGNORECASE)]
    if errors:
        shown = "; ".join(errors[:_SHOWN_ERRORS])
        more = len(errors) - _SHOWN_ERRORS
        said = shown + (f"; and {more} more" if more > 0 else "")
    else:
        last = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
        how = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
        said = f"Vivado crashed ({how}) without an error of its own; last it said: {last.strip()}"
        if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
            advice.append("often the kernel does that when memory runs out; take fewer --jobs")
    then = ". ".join(advice) or "once that is mended, the same command goes on with this step"
    return f"{step}: {said}. The log: {log}. {then[0].upper()}{then[1:]}"
