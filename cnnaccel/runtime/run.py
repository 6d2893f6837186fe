"""Runs images on this board, in an exported folder:

    python3 -m cnnaccel.runtime.run IMAGES.npy [RESULTS.npy]

Images are uint8[N, C, H, W]; results, [N, K, P, Q], go into a file if one is named.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cnnaccel.errors import CnnaccelError, ProgramError
from cnnaccel.runtime.agent import RefusedError, digest_of, locked, run_folder
from cnnaccel.runtime.board import BITSTREAM, open_engine

_TIMEOUT_SECONDS = 10.0
_SHOWN = 20


def verify(folder: Path) -> None:
    """Every file in an exported folder is as it was written.

    Raises:
        ProgramError: one is not, or the manifest is none.
    """
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


def run(folder: Path, images: Path, results: Path | None) -> None:
    """Check the folder, run a file of images, say what came out and how fast."""
    import numpy as np

    verify(folder)
    with locked(run_folder()):
        engine, found = open_engine(folder / BITSTREAM, _TIMEOUT_SECONDS)
        print(f"overlay {found}")
        network = engine.load(folder)
        values = engine.run(np.load(images))
    if results is not None:
        np.save(results, values)
    best = values.reshape(len(values), -1).argmax(1)
    more = " ..." if len(best) > _SHOWN else ""
    print(f"{network.name}: largest in channel {' '.join(map(str, best[:_SHOWN]))}{more}")
    print(f"{engine.counters['cycles'] / max(1, len(best)):,.1f} cycles per image")


def main() -> None:
    """As the module says."""
    if not 2 <= len(sys.argv) <= 3:
        sys.exit((__doc__ or "").strip())
    try:
        run(Path(), Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None)
    except (CnnaccelError, RefusedError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
