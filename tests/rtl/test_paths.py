"""The registers of docs/pipeline.md are where they cut: longest paths of units, by rough delays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnaccel.hardware import load_hardware
from cnnaccel.render.sources import engine_sources
from cnnaccel.tools.yosys import synthesize
from tests.rtl.paths import longest, read

Z1 = load_hardware("pynq_z1")
MOST_NS = 7.0
"""They were 8.4, 9.3 and 9.2."""


@pytest.mark.parametrize(
    "unit",
    ["burst_splitter", *(pytest.param(name, marks=pytest.mark.slow) for name in ("load", "fetch"))],
)
def test_no_path_is_long(unit: str, tmp_path: Path) -> None:
    """From registers and ports to registers; what is around the unit comes on top, and a router."""
    path = tmp_path / "netlist.json"
    synthesize(unit, engine_sources(), Z1, cache=tmp_path, netlist=path)
    worst = max(longest(read(json.loads(path.read_text(encoding="utf-8"))["modules"][unit])))
    print(worst)
    assert worst.ns < MOST_NS
