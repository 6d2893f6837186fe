"""An exported folder: whether it is as it was written, and the networks that are in it.

A folder has the files of one network beside the bitstream, or each of several in
`networks/<name>`.
"""

from __future__ import annotations

import json
from pathlib import Path

from cnnaccel.errors import ProgramError
from cnnaccel.runtime.agent import digest_of
from cnnaccel.runtime.network import NETWORK_FILE, PROGRAM_FILE

NETWORKS = "networks"
"""The folder of the folders of several networks."""


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


def networks_in(folder: str | Path) -> dict[str, Path]:
    """The folders of the programs in an exported folder, by the name of the network.

    Raises:
        ProgramError: a `network.json` that cannot be read.
    """
    folder = Path(folder)
    if (folder / PROGRAM_FILE).exists():
        return {_name(folder): folder}
    found = sorted((folder / NETWORKS).glob(f"*/{PROGRAM_FILE}"))
    return {path.parent.name: path.parent for path in found}


def find_network(folder: str | Path, name: str | None = None) -> Path:
    """The folder of a network in an exported folder; name: may be left out where there is one.

    Raises:
        ProgramError: there is no such network, or there are several and none was named.
    """
    found = networks_in(folder)
    known = ", ".join(found)
    if not found:
        raise ProgramError(f"{folder}: no network in this folder; `cnnaccel export` writes one")
    if name is None:
        if len(found) > 1:
            raise ProgramError(f"{folder} has the networks {known}; name one of them")
        (only,) = found.values()
        return only
    if name not in found:
        raise ProgramError(f"{folder} has no network '{name}'; it has {known}")
    return found[name]


def _name(folder: Path) -> str:
    path = folder / NETWORK_FILE
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["network"])
    except OSError as error:
        raise ProgramError(f"{path}: {error.strerror}; export and copy again") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ProgramError(f"{path}: no description ({error!r})") from None
