"""The engine on the memories of an ASIC: they are those of hw/rtl, but where a word is read while
it is written; there they give what nobody may use."""

from __future__ import annotations

import re

import pytest

from cnnaccel.backend import engine as backend
from cnnaccel.backend.asic import asic_sources
from cnnaccel.backend.lint import TOP, lint_texts, top_parameters
from cnnaccel.backend.verilate import lint
from cnnaccel.resources import resource
from cnnaccel.runtime.simulator import Timing
from tests.rtl.engine import Engine
from tests.rtl.programs import draw
from tests.rtl.test_random_programs import STALLS, TINY, check

ASIC, RTL = resource("hw") / "asic", resource("hw") / "rtl"


def interface(text: str) -> str:
    """From the module's name to the end of its ports, without comments and blanks."""
    found = re.search(r"^module .*?\);$", text, re.MULTILINE | re.DOTALL)
    assert found
    return " ".join(re.sub(r"//.*", "", found[0]).split())


@pytest.mark.parametrize("name", ["ram_sdp.sv", "ram_tdp.sv"])
def test_ports_are_those_of_hw_rtl(name: str) -> None:
    ours, theirs = ((folder / name).read_text(encoding="utf-8") for folder in (ASIC, RTL))
    assert interface(ours) == interface(theirs) and ours != theirs


def test_sources_are_swapped_by_name() -> None:
    names = [path.name for path in asic_sources()]
    assert len(set(names)) == len(names) and names[0] == "cnnaccel_pkg.sv"
    assert {path.name for path in asic_sources() if path.parent.name == "asic"} == {
        "ram_sdp.sv", "ram_tdp.sv", "sram.sv",
    }  # fmt: skip


def test_nothing_to_complain_of() -> None:
    lint(TOP, asic_sources(), TINY, top_parameters(TINY))
    lint_texts(sorted(ASIC.glob("*.sv")))


def test_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So nothing that is computed depends on a word that is read while it is written."""
    sources = tuple(path for path in asic_sources() if path.suffix == ".sv")
    monkeypatch.setattr(backend, "engine_sources", lambda: sources)
    for stall in STALLS:
        engine = Engine(TINY, timing=Timing(stall_permille=stall))
        for seed in range(stall, stall + 8):
            check(engine, draw(TINY, seed, 100), seed)
