"""What `hw/formal` says of single modules is proven, and not of mutants of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cnnaccel.errors import ToolError
from tests.support.formal import HW, PROOFS, Proof, prove
from tests.support.mutate import instead

BY_NAME = {proof.name: proof for proof in PROOFS}
READ, WRITE = "axi_read_master, end to end", "axi_write_master, end to end"
READ_AFTER, WRITE_AFTER = "axi_read_master, after a flush", "axi_write_master, after a flush"
DEEP = {READ: 12, WRITE: 12}
"""Steps of the bounded proofs that take minutes."""
OTHERS = (
    ("skid_buffer", {"Width": 1}),
    ("fifo", {"Depth": 2}),
    ("fifo", {"Depth": 16}),
    ("word_assembler", {"BeatBits": 64, "MaxBeats": 8}),
    ("burst_splitter", {"WordBytes": 4}),
    ("burst_splitter", {"WordBytes": 16, "AddressBits": 40}),
    ("axi_read_master", {"WordBytes": 16, "Outstanding": 8}),
    ("axi_write_master", {"WordBytes": 16, "Outstanding": 8}),
)
BEFORE_ADDRESS = (
    ".valid_i(issue), .ready_o(open_ready), .data_i(issue_len)",
    ".valid_i(axi_awvalid_o && axi_awready_i), .ready_o(open_ready), .data_i(axi_awlen_o)",
)
"""What the write master once was: its data waited until the address was taken."""
MUTANTS = (
    ("skid_buffer", "if (!skid_valid_q) skid_q", "skid_q"),
    ("skid_buffer", "<= valid_i || skid_valid_q", "<= valid_i"),
    ("fifo", "tail_q != {~head_q[IndexBits], head_q[IndexBits-1:0]}", "1'b1"),
    ("fifo", "if (valid_i && ready_o) items", "if (valid_i) items"),
    ("registered_fifo", "!valid_o || ready_i", "ready_i"),
    ("registered_fifo", "if (advance) data_o", "data_o"),
    ("word_assembler", "!valid_q || word_ready_i", "1'b1"),
    ("word_assembler", "count_q + CountBits'(1) == beats_i", "count_q == beats_i"),
    ("burst_splitter", "word_t'(Burst - 1)", "word_t'(Burst - 2)"),
    ("burst_splitter", "[BurstBits:0] <= room", "[BurstBits:0] < room"),
    ("burst_splitter", "fits : more_q == MoreBits'(1)", "fits : more_q == '0"),
    ("burst_issue", "burst_ready && !flush_i", "burst_ready"),
    ("burst_issue", "if (issue_o) begin", "if (burst_valid) begin"),
    ("burst_issue", "queue_ready_i && (", "("),
    ("burst_issue", "_i && (!axi_valid_o || axi_ready_i)", "_i && axi_ready_i"),
    ("axi_read_arbiter", "held_q ? tag_q : !cmd_valid_i[0]", "!cmd_valid_i[0]"),
    ("axi_read_arbiter", "beat_ready_i[beat_tag_i]", "|beat_ready_i"),
    ("axi_read_master", ".ready_i(beat_ready_i || flush_i)", ".ready_i(beat_ready_i)"),
    ("axi_read_master", ".ready_i(r_taken && axi_rlast_i)", ".ready_i(r_taken)"),
    ("axi_read_master", "!queue_valid && !held_valid", "!queue_valid"),
    ("axi_read_master", ".queue_ready_i(queue_ready)", ".queue_ready_i(1'b1)"),
    ("axi_read_master", "ready_i(queue_ready)", "ready_i(queue_ready && axi_arready_i)"),
    ("axi_read_master", "ready_i(queue_ready)", "ready_i(queue_ready && beat_ready_i)"),
    (READ, "oldest.last && axi_rlast_i", "axi_rlast_i"),
    (READ, "32'(WordBytes - 1)", "32'(WordBytes - 2)"),
    (READ, "{issue_last, issue_info}", "{issue_last, cmd_info}"),
    ("axi_write_master", *BEFORE_ADDRESS),
    ("axi_write_master", "open_valid && (data", "open_valid && !axi_awvalid_o && (data"),
    ("axi_write_master", "open_valid && (data", "open_valid && axi_wready_i && (data"),
    ("axi_write_master", "ready_i(queue_ready)", "ready_i(queue_ready && axi_awready_i)"),
    ("axi_write_master", ".queue_ready_i(queue_ready)", ".queue_ready_i(!axi_wvalid_o)"),
    ("axi_write_master", "open_valid && (data_valid_i || flush_i)", "data_valid_i || flush_i"),
    ("axi_write_master", "count_q == open_len", "count_q + 8'd1 == open_len"),
    ("axi_write_master", "{WordBytes{!flush_i}}", "'1"),
    ("axi_write_master", "beat_ready && !flush_i;", "beat_ready;"),
    ("axi_write_master", "issue_idle && !queue_valid", "issue_idle && !open_valid"),
    (WRITE, "issue_last && issue_info", "issue_info"),
    (WRITE, "axi_bvalid_i && oldest_last", "axi_bvalid_i"),
    (READ_AFTER, "!queue_valid && !held_valid", "!held_valid"),
    (WRITE_AFTER, "issue_idle && !queue_valid", "issue_idle"),
    ("axi_write_master, a flush ends", *BEFORE_ADDRESS),
    ("axi_lite_regs", "write && axi_wstrb_i[b]", "write"),
    ("axi_lite_regs", "[ControlStart] && !status_i.busy", "[ControlStart]"),
    ("axi_lite_regs", "write || (axi_bvalid_o && !axi_bready_i)", "write"),
    ("axi_lite_regs", "<= write || (axi_bvalid_o", "<= (write && axi_bready_i) || (axi_bvalid_o"),
    ("axi_lite_regs", "<= read || (axi_rvalid_o", "<= (read && axi_rready_i) || (axi_rvalid_o"),
    ("axi_lite_regs", "axi_awvalid_i && axi_wvalid_i && !write", "axi_awvalid_i && !write"),
    ("axi_lite_regs", "&& (!axi_bvalid_o || axi_bready_i)", ""),
    ("axi_lite_regs", "if (read) axi_rdata_o", "axi_rdata_o"),
    ("axi_lite_regs", "status_i.failed && !failed_q", "status_i.failed"),
)
QUICK = {name: index for index, (name, _, _) in reversed([*enumerate(MUTANTS)])}
"""The first mutant of each proof."""


def holds(proof: Proof, folder: Path) -> None:
    said = prove(proof, folder, proof.tasks)
    assert said.count("DONE (PASS, rc=0)") == len(proof.tasks), said
    assert "reached cover statement" in said
    assert ("successful proof by k-induction" in said) != proof.bounded


LONG = {READ_AFTER, WRITE_AFTER, WRITE}
"""Proofs of some seconds each, of modules that quicker ones look at too."""


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(one, marks=pytest.mark.slow if one.name in LONG else (), id=one.name)
        for one in PROOFS
    ],
)
def test_proof(proof: Proof, tmp_path: Path) -> None:
    holds(proof, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEP)
def test_deeper(name: str, tmp_path: Path) -> None:
    proof = BY_NAME[name]
    holds(dataclasses.replace(proof, depth=DEEP[name]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameters"), OTHERS)
def test_other_parameters(name: str, parameters: dict[str, int], tmp_path: Path) -> None:
    proof = BY_NAME[name]
    items = max(parameters.get(name, 0) for name in ("Depth", "MaxBeats", "Outstanding"))
    every = {**proof.parameters, **parameters}
    holds(dataclasses.replace(proof, parameters=every, cover=proof.cover + 2 * items), tmp_path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param(*mutant, marks=[] if QUICK[mutant[0]] == index else pytest.mark.slow)
        for index, mutant in enumerate(MUTANTS)
    ],
)
def test_mutant_is_refused(name: str, old: str, new: str, tmp_path: Path) -> None:
    proof = BY_NAME[name]
    source = (HW / "rtl" / f"{proof.design}.sv").read_text(encoding="utf-8")
    changed = {proof.design: instead(source, old, new)}
    with pytest.raises(ToolError, match="failed assertion"):
        prove(dataclasses.replace(proof, depth=proof.cover), tmp_path, ["bmc"], changed)


def test_every_proof_has_a_mutant() -> None:
    assert {name for name, _, _ in MUTANTS} == BY_NAME.keys()
