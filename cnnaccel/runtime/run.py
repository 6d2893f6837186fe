"""Runs images on this board, in an exported folder:

    python3 -m cnnaccel.runtime.run IMAGES [RESULTS.npy]
    python3 -m cnnaccel.runtime.run --self-test

--self-test runs random programs, each layer of the network by itself and the network, compares all
with what must come out, and names the first difference; exit code 1 if there is one.

IMAGES is a .npy, a .npz of one array, or FILE.npz:ARRAY: uint8[N, C, H, W], or one image
uint8[C, H, W], without C where that is 1. Results, [N, K, P, Q], go into a file if one is named.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from cnnaccel.errors import CnnaccelError, EngineError, MismatchError, ProgramError
from cnnaccel.runtime import preflight
from cnnaccel.runtime.agent import RefusedError, digest_of, locked, run_folder
from cnnaccel.runtime.board import BITSTREAM, SELF_TEST, open_engine
from cnnaccel.runtime.images import read_images
from cnnaccel.runtime.network import contiguous_bytes, load_network
from cnnaccel.runtime.selftest import (
    contiguous_needed,
    first_differences,
    run_cases,
    summary,
)

_TIMEOUT_SECONDS = 10.0
_SHOWN = 20


def verify(folder: str | Path) -> None:
    """Every file in an exported folder is as it was written.

    Raises:
        ProgramError: one is not, or the manifest is none.
    """
    folder = Path(folder)
    path = folder / "manifest.json"
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["artifacts"]
        wrong = [name for name, digest in files.items() if digest_of(folder / name) != digest]
    except OSError as error:
        raise ProgramError(f"{error.filename}: {error.strerror}; export and copy again") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProgramError(f"{path}: no manifest of an export ({error!r})") from None
    if wrong:
        raise ProgramError(
            f"{folder}: {', '.join(wrong)}: not what {path.name} says; export and copy again"
        )


def run(folder: str | Path, images: str | Path, results: str | Path | None = None) -> None:
    """Check the folder, run a file of images, say what came out and how fast.

    Raises:
        ProgramError: a file of the folder is not as it was written; or as `read_images`.
        EngineError: as `Accelerator`.
        RefusedError: the board is in use.
    """
    import numpy as np

    folder = Path(folder)
    verify(folder)
    pixels = read_images(str(images), load_network(folder).ports.input_shape)
    header = load_network(folder).header
    _require_room(folder, contiguous_bytes(header))
    with locked(run_folder()):
        engine, found = open_engine(folder / BITSTREAM, _TIMEOUT_SECONDS)
        print(f"overlay {found}")
        network = engine.load(folder)
        values = engine.run(pixels)
    if results is not None:
        np.save(results, values)
    best = values.reshape(len(values), -1).argmax(1)
    more = " ..." if len(best) > _SHOWN else ""
    print(f"{network.name}: largest in channel {' '.join(map(str, best[:_SHOWN]))}{more}")
    print(f"{engine.counters['cycles'] / max(1, len(best)):,.1f} cycles per image")


def self_test(folder: str | Path) -> None:
    """Check the folder, run its self-test, say what came of each case.

    Raises:
        MismatchError: something differs.
        ProgramError, EngineError, RefusedError: as `run`.
    """
    folder = Path(folder)
    verify(folder)

    def tell(done: int, count: int) -> None:
        print(f"self-test: {done} of {count} done", flush=True)

    _require_room(folder, contiguous_needed(folder / SELF_TEST, folder))
    with locked(run_folder()):
        engine, found = open_engine(folder / BITSTREAM, _TIMEOUT_SECONDS)
        print(f"overlay {found}")
        outcomes = run_cases(engine, folder / SELF_TEST, folder, tell)
    for one in outcomes:
        remark = f", {one['remark']}" if one["remark"] else ""
        result = one["found"] or ("equal" if one["values"] else "not run")
        print(f"{one['kind']} {one['name']}{remark}: {one['values']:,} values, {result}")
    print(f"self-test: {summary(outcomes)}")
    if differences := first_differences(outcomes):
        raise MismatchError("\n".join(differences))


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
    if {"-h", "--help"} & set(arguments):
        print((__doc__ or "").strip())
        return
    if not 1 <= len(arguments) <= 2 or "--self-test" in arguments[1:]:
        sys.exit((__doc__ or "").strip())
    try:
        if arguments == ["--self-test"]:
            self_test(Path())
        elif arguments[0].startswith("--"):
            sys.exit((__doc__ or "").strip())
        else:
            run(Path(), *arguments)
    except (CnnaccelError, RefusedError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted; the engine is reset", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
