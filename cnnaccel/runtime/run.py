"""Runs images on this board, in an exported folder:

    python3 -m cnnaccel.runtime.run [IMAGES ...] [RESULTS.npy] [--outputs FILE] [--network NAME]
    python3 -m cnnaccel.runtime.run --self-test [--network NAME]

IMAGES are pictures (.jpg, .png, ...), folders of pictures, or arrays: a .npy, a .npz of one array,
or FILE.npz:ARRAY, which hold uint8[N, C, H, W], or one image uint8[C, H, W], without C where that
is 1. For each image its largest channels are printed: name, integer, real value. A last name in
.npy, behind others, is a file for all integer results, [N, K, P, Q].

--outputs FILE.npz writes what the model returns, in float and by name, the host's part done.

Without IMAGES the samples of the folder run, and are held against what must come out.

--network NAME chooses, where the folder has several; samples and self-tests of all run without it.

--self-test runs random programs, each layer of the network by itself, the network and the samples,
compares all with what must come out, and names the first difference; exit code 1 if there is one.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnaccel.errors import CnnaccelError, EngineError, MismatchError, ProgramError
from cnnaccel.runtime import preflight
from cnnaccel.runtime.agent import RefusedError, locked, run_folder
from cnnaccel.runtime.board import BITSTREAM, SELF_TEST, open_engine
from cnnaccel.runtime.folder import find_network, networks_in, verify
from cnnaccel.runtime.images import read_named
from cnnaccel.runtime.network import Network, contiguous_bytes, load_network
from cnnaccel.runtime.results import name_of, rank
from cnnaccel.runtime.samples import Samples, read_samples
from cnnaccel.runtime.selftest import (
    contiguous_needed,
    first_differences,
    run_cases,
    summary,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cnnaccel.runtime.driver import Accelerator

_TIMEOUT_SECONDS = 10.0
_SHOWN = 20
"""Images that are printed by themselves."""


def run(
    folder: str | Path,
    images: Sequence[str],
    results: str | None = None,
    outputs: str | None = None,
    name: str | None = None,
) -> None:
    """Check the folder, run files of images, say what came out and how fast.

    name: of the network. results, outputs: files for the integers that came out, and for what the
    model returns.

    Raises:
        ProgramError: a file of the folder is not as it was written, there is no such network; or as
            `read_named`.
        DataError: as `read_named`.
        EngineError: as `Accelerator`.
        RefusedError: the board is in use.
    """
    import numpy as np

    folder = Path(folder)
    verify(folder)
    place = find_network(folder, name)
    network = load_network(place)
    labels, pixels = read_named(images, network.ports.input_shape, network.preprocessing)
    _require_room(folder, contiguous_bytes(network.header))
    with locked(run_folder()):
        engine = _opened(folder)
        values = _run(engine, place, pixels)
    if results is not None:
        np.save(results, values)
    if outputs is not None:
        np.savez(outputs, **network.outputs(values))
    _tell(network, labels, values)


def run_samples(folder: str | Path, name: str | None = None) -> None:
    """Check the folder, run the samples of its networks, or of one, one network after another.

    Raises:
        MismatchError: something else comes out than must.
        ProgramError, EngineError, RefusedError: as `run`.
    """
    folder = Path(folder)
    verify(folder)
    found = _chosen(folder, name)
    samples = {known: read_samples(place) for known, place in found.items()}
    if not any(samples.values()):
        raise ProgramError(f"{folder}: no samples in this folder; name images, as photo.jpg")
    for place in found.values():
        _require_room(folder, contiguous_bytes(load_network(place).header))
    with locked(run_folder()):
        engine = _opened(folder)
        for known, place in found.items():
            some = samples[known]
            if some is not None:
                _run_samples(engine, place, some)


def self_test(folder: str | Path, name: str | None = None) -> None:
    """Check the folder, run its self-test, say what came of each case.

    Raises:
        MismatchError: something differs.
        ProgramError, EngineError, RefusedError: as `run`.
    """
    folder = Path(folder)
    verify(folder)
    found = _chosen(folder, name)

    def tell(done: int, count: int) -> None:
        print(f"self-test: {done} of {count} done", flush=True)

    _require_room(folder, max(contiguous_needed(p / SELF_TEST, p) for p in found.values()))
    with locked(run_folder()):
        engine = _opened(folder)
        for place in found.values():
            outcomes = run_cases(engine, place / SELF_TEST, place, tell)
            for one in outcomes:
                remark = f", {one['remark']}" if one["remark"] else ""
                result = one["found"] or ("equal" if one["values"] else "not run")
                print(f"{one['kind']} {one['name']}{remark}: {one['values']:,} values, {result}")
            print(f"self-test: {summary(outcomes)}")
            if differences := first_differences(outcomes):
                raise MismatchError("\n".join(differences))
            some = read_samples(place)
            if some is not None:
                _run_samples(engine, place, some)


def _chosen(folder: Path, name: str | None) -> dict[str, Path]:
    """The networks of the folder, or the one that is named."""
    if name is not None or not networks_in(folder):
        return {name or "": find_network(folder, name)}
    return networks_in(folder)


def _opened(folder: Path) -> Accelerator:
    if not (folder / BITSTREAM).exists():
        raise EngineError(
            f"{folder / BITSTREAM}: no bitstream in here; README.md says how to get it"
        )
    engine, found = open_engine(folder / BITSTREAM, _TIMEOUT_SECONDS)
    print(f"overlay {found}")
    return engine


def _run(engine: Accelerator, place: Path, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Results of a network; says what it took to switch to it, and to run."""
    network = engine.load(place)
    print(f"{network.name}: loaded in {engine.load_seconds:.3f} s")
    values = engine.run(pixels)
    cycles = engine.counters["cycles"] / max(1, len(pixels))
    print(f"{network.name}: {len(pixels)} images, {cycles:,.1f} cycles per image")
    return values


def _run_samples(engine: Accelerator, place: Path, samples: Samples) -> None:
    values = _run(engine, place, samples.images)
    network, labels = load_network(place), samples.labels
    names = [f"sample {at}" for at in range(len(values))]
    if labels is not None:
        names = [f"{one}, {name_of(network, int(labels[at]))}" for at, one in enumerate(names)]
    _tell(network, names, values)
    samples.require_equal(values)
    line = f"{network.name}: all {len(values)} samples are equal to what must come out"
    if labels is not None:
        ranked = rank(network, values, 1)
        right = sum(best[0].index == labels[at] for at, best in enumerate(ranked))
        line += f"; {right} are recognised"
    print(line)


def _tell(network: Network, labels: Sequence[str], values: npt.NDArray[Any]) -> None:
    """A line for each image: what is largest; and what the host's part took."""
    tail = network.tail
    if tail is not None and tail.operators:
        started = time.perf_counter()
        network.outputs(values)
        each = 1e6 * (time.perf_counter() - started) / max(1, len(values))
        print(f"{network.name}: host tail ({', '.join(tail.operators)}), {each:,.1f} us per image")
    for at, best in enumerate(rank(network, values[:_SHOWN])):
        print(f"{labels[at]}: {', '.join(map(str, best))}")
    if len(labels) > _SHOWN:
        print(f"... and {len(labels) - _SHOWN} more")


def _require_room(folder: Path, contiguous: int) -> None:
    """Raise an EngineError where the board has too little memory, as preflight says it."""
    checks = preflight.space(folder, 0, contiguous)
    if problems := [check.problem for check in checks if check.problem]:
        raise EngineError("; ".join(problems))


def _end(number: int, _: object) -> None:
    """Handle signals that would end this process at once: the engine is to be reset before."""
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line that the module describes."""
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, _end)
    arguments = sys.argv[1:]
    usage = (__doc__ or "").strip()
    if {"-h", "--help"} & set(arguments):
        print(usage)
        return
    named, test, files = _parsed(arguments, usage)
    name, outputs = named["--network"], named["--outputs"]
    try:
        if test:
            self_test(Path(), name)
        elif not files:
            run_samples(Path(), name)
        elif len(files) > 1 and files[-1].endswith(".npy"):
            run(Path(), files[:-1], files[-1], outputs, name)
        else:
            run(Path(), files, None, outputs, name)
    except (CnnaccelError, RefusedError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted; the engine is reset", file=sys.stderr)
        sys.exit(130)


def _parsed(arguments: Sequence[str], usage: str) -> tuple[dict[str, str | None], bool, list[str]]:
    """The network and the file of outputs that are named, whether a self-test is asked for, the
    files; or the end."""
    named: dict[str, str | None] = {"--network": None, "--outputs": None}
    test = False
    files: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument in named and rest:
            named[argument] = rest.pop(0)
        elif argument == "--self-test":
            test = True
        elif argument.startswith("--"):
            sys.exit(usage)
        else:
            files.append(argument)
    if (test and files) or (named["--outputs"] and not files):
        sys.exit(usage)
    return named, test, files


if __name__ == "__main__":
    main()
