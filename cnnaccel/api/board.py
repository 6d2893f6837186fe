"""A network on a board: what is sent there, what comes back, what is measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from cnnaccel.api.selftest import require_passed
from cnnaccel.errors import EngineError
from cnnaccel.remote.ssh import Session, Target, connected
from cnnaccel.report.progress import counter, say, working
from cnnaccel.report.tables import table
from cnnaccel.runtime.board import FIRST, NEVER, SELF_TEST
from cnnaccel.runtime.layout import COUNTERS
from cnnaccel.runtime.network import Network, contiguous_bytes, load_network
from cnnaccel.runtime.selftest import case_count, contiguous_needed
from cnnaccel.workspace import MANIFEST, sha256_of

FOLDER = "~/.cache/cnnaccel"
"""The folder on the board that has a folder for each network."""
_CHUNK_BYTES = 4 << 20
"""Bytes of images or results in a frame, about."""
_AHEAD = 2
"""Frames of images that are sent before the results of the first are back."""
_BLOCK = 256 << 10
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """Where a board is, and how it is reached."""

    target: Target
    ssh_config: Path | None = None
    """A file that ssh reads instead of ~/.ssh/config."""
    folder: str = ""
    """Folder on the board for what is copied; empty for the usual one."""
    ask: Callable[[], str] | None = None
    """Who is asked for the password of sudo there; None where nobody can be asked."""


@dataclass(frozen=True)
class Board:
    """Findings on a board, and on the images it ran."""

    checks: Mapping[str, str]
    """Checks of the board and what they found."""
    copied: Mapping[str, int]
    """Bytes that were copied, by the name of the file."""
    load_seconds: float
    """Time to load program and weights, without the bitstream."""
    clock_mhz: float
    run_seconds: float
    """Time of the runs, on the board's own clock."""
    host_seconds: float
    """Part of `run_seconds` in which the engine had nothing to do."""
    counters: Mapping[str, int]
    tests: Sequence[str]
    """Tests that ran before the images, in a line for each."""


def run_on_board(
    place: Place,
    name: str,
    exported: Path,
    images: npt.NDArray[np.uint8],
    console: Console,
    self_test: str = FIRST,
    layers: Path | None = None,
) -> tuple[npt.NDArray[Any], Board]:
    """[N, K, P, Q] of the network on a board, and what was seen there.

    name: the network's, by which its folder on the board is called. exported: the folder that is
    sent, with its manifest. self_test: when, as `runtime.board` has it. layers: a file of tests
    that runs before the images.

    Raises:
        EngineError: the board is not reached, lacks something, or fails.
        MismatchError: a test fails.
    """
    network = load_network(exported)
    files = {name: exported / name for name in (*_artifacts(exported), MANIFEST)}
    tests = {SELF_TEST: files[SELF_TEST]} if self_test != NEVER else {}
    tests |= {layers.name: layers} if layers else {}
    with connected(place.target, place.ssh_config, place.ask) as session:
        say(console, f"connecting to {place.target.text}")  # no moving line: ssh may ask something
        session.begin()
        wishes = _wishes(place, name, network, len(images))
        wishes["files"] = {
            name: [path.stat().st_size, sha256_of(path)] for name, path in (files | tests).items()
        }
        wishes["tests"] = {name: contiguous_needed(path, exported) for name, path in tests.items()}
        session.send("begin", self_test=self_test, **wishes)
        copied = _copy(console, session, files | tests)
        checks, due = _look(console, session)
        tested = [_tested(console, session, tests[name], self_test) for name in due]
        loaded, _ = session.receive("loaded")
        say(console, f"program and weights loaded in {loaded['seconds']:.2f} s")
        with counter(console, place.target.text, len(images)) as progress:
            session.on_progress = progress
            results, runs = _run(session, images, _images_at_a_time(network))
        session.end()
    counters: Counter[str] = sum((Counter(run["counters"]) for run in runs), Counter())
    run_seconds, host_seconds = (sum(r[name] for r in runs) for name in ("seconds", "host_seconds"))
    board = Board(
        checks,
        copied,
        loaded["seconds"],
        loaded["clock_mhz"],
        run_seconds,
        host_seconds,
        {name: counters[name] for name in COUNTERS},
        tested,
    )
    return results, board


def _images_at_a_time(network: Network) -> int:
    """Images in a frame: whole iterations."""
    largest = max(network.header["input_stride"], network.header["output_stride"])
    return max(1, _CHUNK_BYTES // largest) * network.ports.images


def _artifacts(folder: Path) -> Mapping[str, str]:
    """sha256 of what was exported, by name."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    artifacts: Mapping[str, str] = manifest["artifacts"]
    return artifacts


def _wishes(place: Place, name: str, network: Network, images: int) -> dict[str, Any]:
    """The frame `begin`, without what concerns files."""
    header, at_once = network.header, min(images, _images_at_a_time(network))
    iterations = -(-at_once // network.ports.images)
    packed = iterations * (header["input_stride"] + header["output_stride"])
    return {
        "folder": place.folder or f"{FOLDER}/{name}",
        "digest": f"{header['digest']:016x}",
        "contiguous": contiguous_bytes(header, iterations),
        "memory": (_AHEAD + 3) * packed,
        "timeout": _TIMEOUT_SECONDS,
    }


def _copy(console: Console, session: Session, files: Mapping[str, Path]) -> dict[str, int]:
    """Send what the board lacks; how many bytes by name."""
    want, _ = session.receive("want")
    sizes = {name: files[name].stat().st_size - at for name, at in want["files"]}
    total, sent = sum(sizes.values()), 0
    with counter(console, "copying, bytes", total) as progress:
        for name, at in want["files"]:
            with files[name].open("rb") as file:
                file.seek(at)
                while data := file.read(_BLOCK):
                    session.send("data", data)
                    sent += len(data)
                    progress(sent)
        session.receive("stored")
    what = f"copied {total:,} bytes, {len(sizes)} files" if sizes else "nothing to copy"
    if resumed := sum(at for _, at in want["files"]):
        what += f", {resumed:,} were there"
    say(console, f"{what}; they are in {want['folder']}")
    return sizes


def _look(console: Console, session: Session) -> tuple[dict[str, str], list[str]]:
    """Show what the board has; what was found, by its name, and the files of tests that it runs.

    Raises:
        EngineError: it lacks something, in a paragraph for each.
    """
    with working(console, "looking the board over"):
        head, _ = session.receive("checks")
    where = session.target.text
    checks = [{"name": "reached", "found": where, "problem": ""}, *head["checks"]]
    rows = [[c["name"], c["found"], "no" if c["problem"] else "ok"] for c in checks]
    console.print(table(f"{where}: the board", ["what", "found", ""], rows))
    if problems := [check["problem"] for check in checks if check["problem"]]:
        raise EngineError("\n".join(f"{where}: {problem}" for problem in problems))
    return {check["name"]: check["found"] for check in checks}, head["tests"]


def _tested(console: Console, session: Session, path: Path, self_test: str) -> str:
    """The outcome of a file of tests.

    Raises:
        MismatchError: something differs.
    """
    where, what = session.target.text, "layer by layer"
    if path.name == SELF_TEST:
        what = "self-test"
        if self_test == FIRST:
            say(
                console,
                f"{where}: this bitstream is new there, so it is tested first; it will be once "
                "(--no-self-test leaves that out)",
            )
    with counter(console, f"{where}: {what}", case_count(path)) as progress:
        session.on_progress = progress
        head, _ = session.receive("tested")
    return require_passed(console, what, where, head["outcomes"])


def _run(
    session: Session, images: npt.NDArray[np.uint8], chunk: int
) -> tuple[npt.NDArray[Any], list[dict[str, Any]]]:
    """Chunk by chunk, the next ones on their way while one runs; what was said of each run."""
    starts = range(0, len(images), chunk)
    parts, runs = [], []
    for number in range(len(starts) + _AHEAD):
        if number < len(starts):
            some = np.ascontiguousarray(images[starts[number] :][:chunk])
            session.send("images", some.tobytes(), shape=some.shape, first=starts[number])
        if number >= _AHEAD:
            head, data = session.receive("results")
            parts.append(np.frombuffer(data, head["dtype"]).reshape(head["shape"]))
            runs.append(head)
    return np.concatenate(parts), runs
