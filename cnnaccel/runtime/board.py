"""The part of a deploy that needs pynq: looks the board over, loads what is not loaded, runs."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnaccel.errors import EngineError
from cnnaccel.runtime import fpga, preflight
from cnnaccel.runtime.agent import digest_of, run_folder
from cnnaccel.runtime.guard import guard
from cnnaccel.runtime.preflight import Check

if TYPE_CHECKING:
    from cnnaccel.runtime.driver import Accelerator

BITSTREAM, HWH = "cnnaccel.bit", "cnnaccel.hwh"
"""A bitstream, and what pynq reads of it."""
SELF_TEST = "self-test.npz"
"""What `selftest.run_cases` runs."""
FIRST, ALWAYS, NEVER = "first", "always", "never"
"""When a self-test runs."""
_PASSED = "self-tested.json"
"""Beside the bitstream: which ones passed the self-test on this board."""
_STAMP = "cnnaccel.stamp"


def serve(link: Any, folder: Path, begin: dict[str, Any]) -> None:
    """Checks, then images and results until who deploys says bye. link: an `agent.Link`.

    begin: `digest` of the engine that the program is for, `memory` and `contiguous` bytes that a
    run takes, `timeout` in seconds, `self_test`, which is always, never or first, that is if the
    bitstream has not passed it here yet, `tests`, by the name of a file the bytes that it takes.
    """
    tests = [name for name in begin["tests"] if name != SELF_TEST or _wanted(folder, begin)]
    begin["contiguous"] = max([begin["contiguous"], *(begin["tests"][name] for name in tests)])
    checks, engine = look_over(link, folder, begin)
    link.send("checks", checks=[asdict(check) for check in checks], tests=tests)
    if engine is None or not all(_passes(link, engine, folder, name) for name in tests):
        return
    link.step("loading the program")
    started = time.perf_counter()
    engine.load(folder)
    link.send("loaded", seconds=time.perf_counter() - started, clock_mhz=_clock_mhz())
    while True:
        head, pixels = link.receive("images", "bye")
        if head["kind"] == "bye":
            engine.buffers.clear()
            return
        link.send("results", **_results(link, engine, head, pixels))


def _results(link: Any, engine: Accelerator, head: dict[str, Any], pixels: bytes) -> dict[str, Any]:
    """The results of one frame of images, and what was counted."""
    import numpy as np

    def tell(done: int) -> None:
        link.step("running images", head["first"] + done)

    tell(0)
    images = np.frombuffer(pixels, np.uint8).reshape(head["shape"])
    started = time.perf_counter()
    results = engine.run(images, tell)
    seconds = time.perf_counter() - started
    tell(len(images))
    return {
        "payload": results.tobytes(), "shape": results.shape, "dtype": str(results.dtype),
        "counters": engine.counters, "seconds": seconds, "host_seconds": engine.host_seconds,
    }  # fmt: skip


def _wanted(folder: Path, begin: dict[str, Any]) -> bool:
    """Whether the bitstream is to be tested."""
    if begin["self_test"] != FIRST:
        return bool(begin["self_test"] == ALWAYS)
    return digest_of(folder / BITSTREAM) not in _passed(folder)


def _passes(link: Any, engine: Accelerator, folder: Path, name: str) -> bool:
    """Run a file of tests, tell what came of it, and note that a bitstream passed its own."""
    from cnnaccel.runtime.selftest import run_cases  # not before numpy is known to be there

    def tell(done: int, _: int) -> None:
        link.step("running the tests of " + name, done)

    outcomes = run_cases(engine, folder / name, folder, tell)
    passed = not any(outcome["found"] for outcome in outcomes)
    if name == SELF_TEST:
        known = _passed(folder)
        known.pop(digest_of(folder / BITSTREAM), None)
        if passed:
            known[digest_of(folder / BITSTREAM)] = time.strftime("%Y-%m-%d %H:%M:%S")
        (folder / _PASSED).write_text(json.dumps(known, indent=1), encoding="utf-8")
    link.send("tested", outcomes=outcomes)
    return passed


def _passed(folder: Path) -> dict[str, str]:
    """When each bitstream passed its self-test here, by sha256."""
    found = _read(folder / _PASSED)
    return found if isinstance(found, dict) else {}


def look_over(
    link: Any, folder: Path, begin: dict[str, Any]
) -> tuple[list[Check], Accelerator | None]:
    """Everything a run needs, and the engine if it is all there."""
    checks = preflight.software()
    if not any(check.problem for check in checks):
        checks += [*_device(), preflight.engine_in((folder / BITSTREAM).with_suffix(".hwh"))]
        checks += preflight.space(folder, begin["memory"], begin["contiguous"])
    if any(check.problem for check in checks):
        return checks, None
    link.step("loading the overlay")
    try:
        engine, found = open_engine(folder / BITSTREAM, begin["timeout"])
        clock = f"{_clock_mhz():.6g} MHz"
    except Exception as error:  # noqa: BLE001 - of pynq, the kernel, XRT: each has its own
        problem = f"the overlay cannot be loaded: {error or type(error).__name__}"
        return [*checks, Check("overlay", "cannot be loaded", problem)], None
    checks += [
        Check("overlay", found),
        _same(engine.digest, int(begin["digest"], 16)),
        Check("clock", clock),
    ]
    return checks, None if any(check.problem for check in checks) else engine


def open_engine(bitstream: str | Path, timeout_seconds: float) -> tuple[Accelerator, str]:
    """The engine, and how it came: the bitstream is loaded unless it is there already.

    An engine of ours that somebody left at work is stopped before anything else: whoever started
    it was killed, its memory may be somebody else's by now, and bursts must not be open while the
    FPGA is loaded.

    Raises:
        EngineError: as `Accelerator`, or that engine does not come to rest.
    """
    import pynq

    from cnnaccel.runtime.driver import Accelerator

    bitstream, stamp = Path(bitstream), run_folder() / _STAMP
    mark = [digest_of(path) for path in (bitstream, bitstream.with_suffix(".hwh"))]
    started = time.perf_counter()
    present = _present(stamp)
    stopped = ""
    if present and fpga.come_to_rest(pynq.MMIO(*present["place"]), timeout_seconds):
        stopped = ", after an engine that was left at work came to rest"
    if present.get("files") == mark:
        with contextlib.suppress(EngineError):  # one that is stuck begins anew with its bitstream
            engine = Accelerator(bitstream, download=False, timeout_seconds=timeout_seconds)
            _guard(engine)
            seconds = time.perf_counter() - started
            return engine, f"loaded already, looked at in {seconds:.2f} s{stopped}"
    stamp.unlink(missing_ok=True)
    engine = Accelerator(bitstream, timeout_seconds=timeout_seconds)
    values = {"files": mark, "loaded": fpga.loaded(), "place": engine.place}
    stamp.write_text(json.dumps(values), encoding="utf-8")
    _guard(engine)
    return engine, f"loaded in {time.perf_counter() - started:.2f} s{stopped}"


def _guard(engine: Accelerator) -> None:
    """Where registers are memory: those of a simulated engine end with its process."""
    import pynq

    if pynq.Device.active_device.has_capability("MEMORY_MAPPED"):
        guard(engine.registers, engine.timeout_seconds)


def _present(stamp: Path) -> dict[str, Any]:
    """A record of the overlay on the FPGA, if it is the one we loaded last; else nothing.

    `files` are its digests, `place` is where its engine's registers are.
    """
    found = _read(stamp)
    if not isinstance(found, dict) or not fpga.is_configured():
        return {}
    return found if found.get("loaded") == list(fpga.loaded()) and "place" in found else {}


def _read(path: Path) -> Any:
    """The values in a file of JSON; None where there are none."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None


def _device() -> list[Check]:
    import pynq

    try:
        device = pynq.Device.active_device
    except Exception as error:  # noqa: BLE001 - of pynq or XRT, when they look for devices
        problem = (
            f"pynq finds no FPGA here ({error}): is this a board, does its login shell read "
            "/etc/profile, which sets XRT up?"
        )
        return [Check("device", "none", problem)]
    state = fpga.state() or "the kernel does not say"
    holds = state if fpga.is_configured() else f"{state}: holds no bitstream yet"
    return [
        Check("device", str(getattr(device, "name", "")) or "there"),
        preflight.rights(device),
        Check("FPGA", holds),
    ]


def _same(digest: int, wanted: int) -> Check:
    found = f"{digest:016x}"
    if digest == wanted:
        return Check("digest", found)
    return Check(
        "digest", found,
        f"the engine on the board is of hardware {found}, the program of {wanted:016x}: "
        "`cnnaccel build-hw` makes the bitstream of this configuration",
    )  # fmt: skip


def _clock_mhz() -> float:
    import pynq

    return float(pynq.Clocks.fclk0_mhz)
