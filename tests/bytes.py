"""Digests of what is made of the test networks: `python -m tests.bytes` before and after a change
of structure, and the same lines show that programs, weights and rendered files are the same bytes.

    name | board | file | sha256, 16 digits
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.ir.graph import Graph
from tests.support import imagenet
from tests.support.hardware import OTHER, SMALLEST
from tests.support.networks import NETWORKS, quantized

BOARDS = ("tiny", "pynq_z1", "pynq_z1_512", "zcu104")


def programs() -> Iterator[tuple[Graph, str, HardwareConfig]]:
    """Each network with each engine that it is compiled for."""
    for name in NETWORKS:
        graph = quantized(name)
        yield graph, "pynq_z1", load_hardware("pynq_z1")
        if NETWORKS[name][2][1] < 64:
            yield graph, "smallest", SMALLEST
            yield graph, "other", OTHER
    yield imagenet.resnet50(), "pynq_z1", load_hardware("pynq_z1")


def digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file of a folder with the digest of its bytes."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield (
            path.relative_to(folder).as_posix(),
            hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        )


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)  # sums of floats, and so scales, depend on how many there are
    for graph, board, hardware in programs():
        with tempfile.TemporaryDirectory() as folder:
            compile_graph(graph, hardware).to_files(Path(folder))
            for file, digest in digests(Path(folder)):
                print(f"{graph.name} | {board} | {file} | {digest}", flush=True)
    golden = Path(__file__).parent / "golden"  # test_render holds rendered files equal to these
    for board in BOARDS:
        if (golden / board).is_dir():
            for file, digest in digests(golden / board):
                print(f"rendered | {board} | {file} | {digest}", flush=True)


if __name__ == "__main__":
    main()
