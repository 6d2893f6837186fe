"""Every module of hw/rtl has a test, and the table in docs/verification.md says which."""

from __future__ import annotations

import re
from pathlib import Path

from cnnaccel.render.sources import engine_sources
from tests.rtl import bench, load_store, test_event_counters, test_fetch, test_tokens
from tests.rtl import test_registers as registers

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
SOURCES = {
    "test_compute": bench.COMPUTE,
    "test_load_store": load_store.SOURCES,
    "test_fetch": test_fetch.SOURCES,
    "test_tokens": test_tokens.SOURCES,
    "test_registers": registers.SOURCES,
    "test_event_counters": test_event_counters.SOURCES,
    "test_waiting": engine_sources(),
    "test_random_programs": engine_sources(),
}


def test_every_module_has_a_test() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Modules")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(test_\w+)` \| ([^|]*) \|", section, re.MULTILINE)
    assert {name for name, _ in rows} == SOURCES.keys()
    named: list[str] = []
    for test, modules in rows:
        found = re.findall(r"`(\w+)`", modules)
        sources = {Path(str(path)).stem for path in SOURCES[test]}
        assert set(found) <= sources, test
        named += found
    assert sorted(named) == sorted(path.stem for path in engine_sources())
