"""Builds the driver in C with the models of some networks, and drives it line by line."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRWPair
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import Graph
from cnnaccel.render.model import render_model_h
from cnnaccel.render.params import render_params_h
from cnnaccel.runtime.simulator import Simulator, Timing
from cnnaccel.tools.simulation import simulated_bitstream

DRIVER = Path(__file__).parents[2] / "hw/driver"
CORE = tuple(
    DRIVER / f"{name}.c"
    for name in ("driver", "memory", "network", "picture", "ports", "run", "words")
)
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
POSIX = "-D_POSIX_C_SOURCE=200809L"
CHECKED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
ADDRESS, MEMORY_BYTES = 0x1000_0000, 1 << 22
"""As hw/driver/test/platform.h has them."""
BAD_ARGUMENT, OTHER_ENGINE, OTHER_MODEL, BAD_PROGRAM, BAD_WEIGHTS = 1, 4, 6, 7, 8
NOT_LOADED, FAILED, TIMEOUT, RESET_TIMEOUT = 10, 12, 13, 14
BUFFERS = ("program", "weights", "scratch", "input", "output")


def need(*tools: str) -> None:
    """Skip a test that has not all its tools."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing")


def run(*command: str | Path) -> str:
    """Standard output and error of a command that must succeed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def compiled(folder: Path, graph: Graph, hardware: HardwareConfig, at_a_time: int) -> Path:
    """A folder with the program of a graph."""
    folder.mkdir(exist_ok=True)
    compile_graph(graph, hardware, at_a_time).to_files(folder)
    return folder


def headers(folder: Path, hardware: HardwareConfig, network: Path) -> Path:
    """`params.h` of an engine and `model.h` of a program for it, in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "params.h").write_text(render_params_h(hardware))
    (folder / "model.h").write_text(render_model_h(network))
    return folder


def build(
    folder: Path,
    hardware: HardwareConfig,
    networks: Sequence[Path],
    platform: str = "hal_sim",
    command: Sequence[str] = ("gcc", "-O1", *CHECKED),
    driver: Path = DRIVER / "driver.c",
) -> Path:
    """The program `drive` with two models, those of the networks; of one, twice the same.

    driver: in the place of driver.c.
    """
    need(command[0])
    test, objects = DRIVER / "test", []
    for number in range(2):
        where = headers(folder / f"model_{number}", hardware, networks[number % len(networks)])
        objects.append(folder / f"model_{number}.o")
        run(*command, *STRICT, f"-I{where}", f"-I{DRIVER}", f"-DMODEL_NAME=model_{number}",
            "-c", test / "model.c", "-o", objects[-1])  # fmt: skip
    core = [driver if path.name == driver.name else path for path in CORE]
    sources = [*core, *(test / f"{name}.c" for name in ("drive", "misuse", platform))]
    run(*command, *STRICT, POSIX, f"-I{folder / 'model_0'}", f"-I{DRIVER}", *sources, *objects,
        "-o", folder / "drive", "-ldl")  # fmt: skip
    return folder / "drive"


@dataclass(frozen=True)
class Answer:
    """What a line of `drive` came to."""

    said: str
    status: int
    words: str
    counters: dict[str, int]
    """Of the last run."""


def drive(command: Sequence[str | Path], lines: Sequence[str]) -> list[Answer]:
    """The answers to the lines, one each; the program ends well, without a sanitizer's word."""
    done = subprocess.run(
        command, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    answers = []
    for line in done.stdout.splitlines():
        status, words, counters = line.split("\t")
        *said, number = status.rsplit(" ", 1)
        names = ("cycles", "steps", "read_bytes", "written_bytes")
        values = dict(zip(names, map(int, counters.split()), strict=True))
        answers.append(Answer("".join(said), int(number), words, values))
    assert len(answers) == len(lines)
    return answers


@contextmanager
def served(hardware: HardwareConfig) -> Iterator[Path]:
    """A simulated engine and its memory behind the socket that hal_socket.c talks to."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "engine"  # a short name: a socket's has 107 characters at most
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(60)
        memory = np.zeros(MEMORY_BYTES, np.uint8)
        simulator = Simulator(simulated_bitstream(hardware), memory, ADDRESS, Timing())
        server = threading.Thread(target=_serve, args=(listener, simulator, memory))
        server.start()
        try:
            yield path
        finally:
            server.join(60)
            assert not server.is_alive()


def _serve(listener: socket.socket, simulator: Simulator, memory: np.ndarray) -> None:
    """One client, until it goes."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as stream:
        while request := stream.read(16):
            kind, value, address = struct.unpack("<IIQ", request)
            _answer(stream, chr(kind), value, address, simulator, memory)
            stream.flush()


def _answer(
    stream: BufferedRWPair,
    kind: str,
    value: int,
    address: int,
    simulator: Simulator,
    memory: np.ndarray,
) -> None:
    at = address - ADDRESS
    match kind:
        case "R":
            answer = struct.pack("<I", simulator.read(address))
        case "W":
            simulator.write(address, value)
            return
        case "F":
            memory[at : at + value] = np.frombuffer(stream.read(value), np.uint8)
            return
        case "I":
            answer = memory[at : at + value].tobytes()
        case "T":
            answer = struct.pack("<I", simulator.now // 100 & 0xFFFFFFFF)
        case "Z":
            answer = struct.pack("<I", simulator.run(value))
        case "S":
            simulator.slow(Timing(bus_permille=0) if value else Timing())
            answer = bytes(4)
        case _:
            raise ValueError(f"request {kind}")
    stream.write(answer)
