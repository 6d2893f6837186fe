"""The engine against results that are known: random programs, layers by themselves, the network.

They come in one file, `self-test.npz`, that `compiler/cases.py` writes: `index`, JSON in bytes,
lists the cases, each with the names of its arrays in the file. A random program must leave what the
interpreter leaves in OUTPUT and SCRATCH, a layer and the network what golden computes.
"""

from __future__ import annotations

import json
import time
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.errors import EngineError, ProgramError
from cnnaccel.runtime.compare import difference
from cnnaccel.runtime.network import (
    Network,
    contiguous_bytes,
    load_network,
    network_of,
    read_header,
    read_packed_header,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from cnnaccel.runtime.driver import Accelerator

    Outcome = dict[str, Any]

RANDOM, LAYER, NETWORK = "random program", "layer", "network"
"""The kinds of cases."""
_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


def run_cases(
    engine: Accelerator,
    path: Path,
    folder: Path,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> list[Outcome]:
    """What came of each case: `kind`, `name`, `remark`, `values` compared, `wrong` ones, `found`,
    which is empty or says where the first difference is, `stopped`, `seconds`.

    Ends after the first case in which the engine stops or hangs. path: of the file. folder: of the
    network's program. tell: is told how many cases are done, and of how many, also while one runs.

    Raises:
        ProgramError: the file is damaged, or made for another engine.
    """
    outcomes: list[Outcome] = []
    try:
        with np.load(path, allow_pickle=False) as file:
            cases = _index(file)
            for number, case in enumerate(cases):
                still = partial(tell, number, len(cases))
                still()
                outcomes.append(_outcome(engine, folder, file, case, still))
                if outcomes[-1]["stopped"]:
                    break
            tell(len(outcomes), len(cases))
    except _DAMAGED as error:
        raise ProgramError(f"{path}: no file of a self-test, or damaged ({error!r})") from None
    return outcomes


def case_count(path: Path) -> int:
    """Cases in a file."""
    with np.load(path, allow_pickle=False) as file:
        return len(_index(file))


def contiguous_needed(path: Path, folder: Path) -> int:
    """Bytes of the buffers of the largest case. path, folder: as in `run_cases`."""
    largest = 0
    with np.load(path, allow_pickle=False) as file:
        for case in _index(file):
            arrays = case["arrays"]
            if not arrays:
                continue
            if case["kind"] == NETWORK:
                header = read_header(folder)
            else:
                header = read_packed_header(path, file[arrays["program"]].tobytes())
            iterations = file[arrays["input"]].size // header["input_stride"]
            largest = max(largest, contiguous_bytes(header, iterations))
    return largest


def first_differences(outcomes: list[Outcome]) -> list[str]:
    """The first random program that differs, the first layer, the network; each with where."""
    found = []
    for kind, plural in ((RANDOM, "random programs"), (LAYER, "layers"), (NETWORK, "networks")):
        some = [outcome for outcome in outcomes if outcome["kind"] == kind]
        wrong = [outcome for outcome in some if outcome["found"]]
        if wrong:
            count = f" ({len(wrong)} of {len(some)} {plural} differ)" if len(some) > 1 else ""
            found.append(f"{kind} '{wrong[0]['name']}'{count}: {wrong[0]['found']}")
    return found


def summary(outcomes: list[Outcome]) -> str:
    """What ran, in a line, as `12 random programs, 9 layers, the network: equal, in 1.3 s`."""
    ran = [outcome["kind"] for outcome in outcomes if outcome["values"] or outcome["found"]]
    plural = {RANDOM: "random programs", LAYER: "layers", NETWORK: "the network"}
    said = [
        words if kind == NETWORK else f"{ran.count(kind)} {words}"
        for kind, words in plural.items()
        if kind in ran
    ]
    wrong = sum(bool(outcome["found"]) for outcome in outcomes)
    seconds = sum(outcome["seconds"] for outcome in outcomes)
    result = f"{wrong} of {len(ran)} differ" if wrong else "equal"
    return f"{', '.join(said)}: {result}, in {seconds:.1f} s"


def _index(file: Any) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(file["index"].tobytes())
    return cases


def _outcome(
    engine: Accelerator, folder: Path, file: Any, case: dict[str, Any], still: Callable[[], None]
) -> Outcome:
    """still: is called while the engine works."""
    made = {
        "kind": case["kind"],
        "name": case["name"],
        "remark": case["remark"],
        "values": 0,
        "wrong": 0,
        "found": "",
        "stopped": False,
        "seconds": 0.0,
    }
    if not case["arrays"]:
        return made
    arrays = {name: file[key] for name, key in case["arrays"].items()}
    started = time.perf_counter()
    try:
        network = _network(folder, arrays, case)
        engine.take(network, folder)
        output = engine.run_packed(arrays["input"], lambda _: still())
        if case["kind"] == RANDOM:
            compared = _compare_memory(network, output, engine.scratch(), arrays)
        else:
            compared = _compare_values(network, output, arrays["expected"])
        made["values"], made["wrong"], made["found"] = compared
    except EngineError as error:
        made["found"], made["stopped"] = str(error), True
    made["seconds"] = time.perf_counter() - started
    return made


def _network(folder: Path, arrays: dict[str, Any], case: dict[str, Any]) -> Network:
    if case["kind"] == NETWORK:
        return load_network(folder)
    description = dict(case["description"], network=case["name"])
    program = arrays["program"].tobytes()
    if case["kind"] == RANDOM:
        description["ports"] = _any_ports(description.pop("width"))
    return network_of(folder, program, arrays["weights"].tobytes(), description)


def _any_ports(width: int) -> dict[str, Any]:
    """Ports of a program that has no images: nobody packs or unpacks by them."""
    return {
        "input_shape": [1, 1, 1],
        "raw": True,
        "outputs": [
            {
                "name": "nothing",
                "shape": [1, 1, 1],
                "dtype": "uint8",
                "scale": 1.0,
                "lanes": [0, *[-1] * (width - 1)],
                "offset": 0,
            }
        ],
        "images": 1,
        "width": width,
    }


def _compare_values(
    network: Network, output: npt.NDArray[np.uint8], expected: npt.NDArray[Any]
) -> tuple[int, int, str]:
    """How many values, how many of them are wrong, and where the first is."""
    got = network.ports.unpack(output, len(expected))
    return got.size, int((got != expected).sum()), difference(got, expected)


def _compare_memory(
    network: Network,
    output: npt.NDArray[np.uint8],
    scratch: npt.NDArray[np.uint8],
    arrays: dict[str, npt.NDArray[Any]],
) -> tuple[int, int, str]:
    """The same as `_compare_values`, of OUTPUT and SCRATCH.

    First is what the first instruction made whose result is wrong, in the order in which they run.
    """
    half = len(scratch) // 2
    fill = np.tile(np.frombuffer(network.weights, np.uint8)[-half:], 2)
    got = np.concatenate([output, scratch])
    expected = np.concatenate([arrays["output"], arrays["scratch"] ^ fill])
    wrong = np.flatnonzero(got != expected)
    if not len(wrong):
        return got.size, 0, ""
    width = network.ports.width
    writers = arrays["writers"][wrong // width]
    first = int(wrong[np.argmin(writers)])
    lanes = sorted(set((wrong % width).tolist()))
    only = f", all in lane {', '.join(map(str, lanes))}" if len(lanes) < width else ""
    who = _instruction(network, int(writers.min()))
    found = (
        f"{who} leaves {_place(first, len(output), half, width)} wrong: got {got[first]}, expected "
        f"{expected[first]}, as the interpreter has it; {len(wrong):,} of {got.size:,} bytes differ"
    )
    return got.size, len(wrong), found + only


def _place(at: int, output: int, half: int, width: int) -> str:
    """How messages call a byte of OUTPUT, which has `output`, and SCRATCH, half of which is act."""
    if at < output:
        return f"byte {at:,} of OUTPUT"
    if at < output + half:
        return f"byte {at - output:,} of SCRATCH"
    word, lane = divmod(at - output - half, width)
    return f"lane {lane} of word {word:,} of act"


def _instruction(network: Network, order: int) -> str:
    """How messages call the instruction that runs as number `order`."""
    once = network.header["once_instructions"]
    if order < once:
        return network.instruction(order)
    iteration, at = divmod(order - once, network.header["body_instructions"])
    return f"{network.instruction(once + at)} of iteration {iteration}"
