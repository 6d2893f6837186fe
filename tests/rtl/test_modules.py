"""Every module of hw/rtl has a test, and the table in docs/verification.md says which."""

from __future__ import annotations

import re
from pathlib import Path

from cnnaccel.render.sources import engine_sources
from tests.support import bench, load_store
from tests.support.modules import EVENT_COUNTERS, FETCH, REGISTERS, TOKENS

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
SOURCES = {
    "test_compute": bench.COMPUTE,
    "test_load_store": load_store.SOURCES,
    "test_fetch": FETCH,
    "test_tokens": TOKENS,
    "test_registers": REGISTERS,
    "test_event_counters": EVENT_COUNTERS,
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
