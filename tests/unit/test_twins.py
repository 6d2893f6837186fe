"""Every module of the package has the test file that would fail first.

It is `test_<module>.py`, which imports the module, or the one that this table names: the module is
imported there, or commands run it there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cnnaccel"
TESTS = ROOT / "tests"

IMPORTED: dict[str, tuple[str, ...]] = {
    "rtl/test_fpga": ("runtime/device", "runtime/preflight"),
    "rtl/test_product": ("resources",),
    "rtl/test_runtime": ("runtime/driver", "runtime/layout", "runtime/network"),
    "rtl/test_selftest": ("runtime/board", "tools/simulation"),
    "rtl/test_random_programs": ("isa/random_program", "runtime/simulator"),
    "rtl/test_synthesis": ("isa/latency", "tools/lint", "tools/yosys"),
    "flow/test_build_hw": ("tools/vivado_check",),
    "flow/test_deploy_ssh": ("api/board", "remote/ssh"),
    "flow/test_engine_commands": ("api/engine",),
    "flow/test_limits": ("api/memory",),
    "unit/test_asic_areas": ("pipeline/job",),
    "unit/test_check": ("compiler/lower/network",),
    "unit/test_config": ("errors",),
    "unit/test_data": ("nn/idx",),
    "unit/test_drawing": ("report/canvas",),
    "unit/test_equalize": ("quant/survey",),
    "unit/test_explore": ("report/plots",),
    "unit/test_foreign_weights": ("nn/weights_file", "nn/checkpoint"),
    "unit/test_golden": ("ir/graph",),
    "unit/test_hardware": ("devices", "fields"),
    "unit/test_host": ("runtime/operations", "runtime/tail"),
    "unit/test_interpreter": ("isa/execute",),
    "unit/test_isa": ("isa/instructions",),
    "unit/test_limits": ("quant/outline",),
    "unit/test_mapping": ("compiler/lower/loopnest",),
    "unit/test_page": ("report/blocks", "report/charts", "report/findings"),
    "unit/test_ports": ("isa/description",),
    "unit/test_precision": ("report/quantization",),
    "unit/test_quantizer": ("quant/ptq",),
    "unit/test_pictures_read": ("runtime/pictures",),
    "unit/test_ranking": ("runtime/results",),
    "unit/test_refusals": ("nn/vision",),
    "unit/test_render": ("render/params",),
    "unit/test_render_hw": ("render/handoff",),
    "unit/test_render_model": ("render/model",),
    "unit/test_render_tcl": ("presets", "render/tcl"),
    "unit/test_show": ("compiler/explain", "compiler/lower/tasks"),
    "unit/test_sources": ("quant/frontend",),
    "unit/test_terminal": ("report/measured", "report/tables"),
    "unit/test_tasks": ("figures", "nn/functions", "nn/losses"),
    "unit/test_train": (
        "nn/augment",
        "nn/evaluate",
        "nn/history",
        "nn/optimize",
        "nn/ranks",
    ),
    "unit/test_mask_files": ("report/masks",),
    "unit/test_weight_image": ("compiler/emit/weights",),
    "unit/test_whole_program": ("compiler/compile",),
    "unit/test_wrapped_models": ("nn/outputs", "nn/wrappers"),
    "rtl/test_modules": ("render/sources",),
}
"""Modules by the test file that imports them under another name than its own."""

RUN: dict[str, tuple[str, ...]] = {
    "flow/test_board_folder": (
        "api/samples",
        "pipeline/own_images",
        "pipeline/samples",
        "render/notebook",
        "render/wheel",
        "runtime/folder",
        "runtime/samples",
    ),
    "rtl/test_pynq_engine": ("runtime/engine",),
    "unit/test_known": ("nn/picture_archive",),
    "unit/test_picture_files": ("nn/file_digests",),
    "flow/test_other_tasks": ("pipeline/score",),
    "flow/test_api": (
        "api/evaluation",
        "api/compiled",
        "api/deployment",
        "api/export",
        "api/images",
        "api/module",
        "api/quantized",
        "api/results",
        "api/simulation",
        "report/notebook",
    ),
    "flow/test_commands": (
        "cli",
        "cli/network",
        "cli/options",
        "pipeline/compile",
        "pipeline/quantize",
        "pipeline/run",
    ),
    "flow/test_bad_input": ("__main__", "compiler/verify"),
    "flow/test_build_hw": ("pipeline/clock",),
    "flow/test_engine_commands": ("cli/engine", "pipeline/deploy", "pipeline/simulate"),
    "flow/test_export": ("pipeline/export", "runtime/run"),
    "flow/test_identity": ("pipeline/identity", "pipeline/weights"),
    "flow/test_report": (
        "pipeline/report",
        "report/hardware",
        "report/page",
        "report/selftest",
        "report/speed",
    ),
    "rtl/test_selftest": ("api/selftest", "pipeline/selftest"),
    "unit/test_emit": ("compiler/emit/task",),
    "unit/test_foreign_weights": ("nn/values",),
    "unit/test_guard": ("runtime/guard",),
    "unit/test_host": ("runtime/numeric",),
    "unit/test_lower": ("quant/builder",),
    "unit/test_render_tcl": ("processing_system",),
    "unit/test_data": ("nn/made_up",),
    "unit/test_train": ("nn/fit", "nn/reproduce", "pipeline/train"),
}
"""Modules by the test file that runs them, through a command or the module above them."""


@cache
def modules() -> dict[str, str]:
    """Every module that has a statement, by its place in the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).with_suffix("").as_posix()
        place = place.removesuffix("/__init__").removesuffix("__init__")
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if place and len(body) > 1:
            found[place] = f"cnnaccel.{place.replace('/', '.')}"
    return found


@cache
def imports(test: Path) -> frozenset[str]:
    """Every dotted name that a test file imports."""

    def names() -> Iterator[str]:
        for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(node.module)
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    return frozenset(names())


def named(table: dict[str, tuple[str, ...]]) -> dict[str, Path]:
    """The test file of each module of a table."""
    return {place: TESTS / f"{file}.py" for file, places in table.items() for place in places}


def twin(place: str, dotted: str) -> Path | None:
    """The test file with the module's name, if it imports the module."""
    files = TESTS.rglob(f"test_{place.rpartition('/')[2]}.py")
    return next((file for file in files if dotted in imports(file)), None)


@pytest.mark.parametrize("place", modules())
def test_every_module_has_a_test(place: str) -> None:
    dotted = modules()[place]
    listed = named(IMPORTED).get(place) or named(RUN).get(place)
    if twin(place, dotted) is not None:
        assert listed is None, f"{place} has a test of its own name: take it out of the table"
        return
    assert listed is not None, (
        f"{place} has no tests/**/test_{place.rpartition('/')[2]}.py that imports it: write the "
        "test that fails first when it is wrong, or name it in this table"
    )
    assert listed.is_file(), f"{listed} is not there"
    if place in named(IMPORTED):
        assert dotted in imports(listed), f"{listed.name} does not import {dotted}"


def test_the_table_names_modules_that_exist() -> None:
    rows = [place for table in (IMPORTED, RUN) for places in table.values() for place in places]
    assert len(rows) == len(set(rows)) and set(rows) <= set(modules())
