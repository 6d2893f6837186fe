"""The engine on the memories of an ASIC: they are those of hw/rtl, but where a word is read while
it is written; there they give what nobody may use."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.ir import golden
from cnnaccel.isa.instructions import Base
from cnnaccel.isa.random_program import draw
from cnnaccel.render.sources import WRAPPER, wrapper_parameters
from cnnaccel.resources import resource
from cnnaccel.runtime.simulator import Timing
from cnnaccel.tools import simulation
from cnnaccel.tools.asic import asic_sources
from cnnaccel.tools.lint import lint_texts
from cnnaccel.tools.verilate import lint
from tests.support.engine import STALLS, Engine, check
from tests.support.hardware import TINY
from tests.support.networks import pixels, quantized

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
    lint(WRAPPER, asic_sources(), TINY, wrapper_parameters(TINY))
    lint_texts(sorted(ASIC.glob("*.sv")))


@pytest.fixture
def inverting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines have memories where a word that is read while it is written comes out inverted."""
    sources = tuple(path for path in asic_sources() if path.suffix == ".sv")
    monkeypatch.setattr(simulation, "engine_sources", lambda: sources)


SWEPT = [pytest.param(stall, marks=pytest.mark.slow) for stall in STALLS if stall != 900]


@pytest.mark.usefixtures("inverting")
@pytest.mark.parametrize("stall", [*SWEPT, 900])
def test_the_same_bytes(stall: int) -> None:
    """So nothing that is computed depends on a word that is read while it is written."""
    engine = Engine(TINY, timing=Timing(stall_permille=stall))
    for seed in range(stall, stall + 8):
        check(engine, draw(TINY, seed, 100), seed)


@pytest.mark.usefixtures("inverting")
@pytest.mark.parametrize(
    "name", ["lenet", "resnet8", pytest.param("dscnn", marks=pytest.mark.slow)]
)
def test_networks_are_the_same(name: str) -> None:
    """Layers follow one another in act without a pause, loads run beside them."""
    graph = quantized(name)
    images = pixels(graph.input.shape, 1, seed=3)
    compiled = compile_graph(graph, TINY)
    engine = Engine(TINY)
    iterations = -(-len(images) // compiled.ports.images)
    places = engine.put(compiled.program, compiled.ports.pack(images), iterations)
    engine.start(1 << 40)
    assert engine.done
    output = engine.memory[places[Base.OUTPUT].start : places[Base.OUTPUT].stop]
    assert np.array_equal(compiled.ports.unpack(output, 1), golden.run(graph, images))
