"""The floors of the house: which may import which, what only one of them may, and their size."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cnnaccel"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the top down. A floor may import itself and every floor in a later row.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("pipeline",),
    ("api",),
    ("nn", "quant", "report"),
    ("predict",),
    ("compiler",),
    ("remote",),
    ("tools",),
    ("render",),
    ("isa",),
    ("ir",),
    ("hardware",),
    ("devices",),
    ("processing_system", "presets"),
    ("workspace",),
    ("config", "resources"),
    ("fields", "figures"),
    ("runtime",),
    ("errors",),
    ("",),  # the package's own __init__
)
# Passes of the compiler: each may import itself and those before.
PASSES = ("lower", "plan", "emit")
ONLY_IN = {
    "torch": ("api", "nn", "quant", "pipeline"),  # pipeline: for type checking alone
    "torchvision": ("nn",),
    "torchao": ("quant",),
    "click": ("cli",),
    "subprocess": ("tools/tool.py",),
    "jinja2": ("render",),
    "matplotlib": ("report",),
    "pynq": ("runtime",),
}
MOST_LINES = 420


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, at any depth, as a dotted name.

    The package's own file imports names of the API for type checkers alone, and loads them late.
    """
    parsed = ast.parse(path.read_text(encoding="utf-8"))
    if path == PACKAGE / "__init__.py":
        parsed.body = [node for node in parsed.body if not isinstance(node, ast.If)]
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(dotted: str) -> str:
    """The floor of `cnnaccel.x.y`; for names of the package itself, as __version__, ''."""
    parts = dotted.split(".")
    known = {name for row in FLOORS for name in row}
    return parts[1] if len(parts) > 1 and parts[1] in known else ""


def level(floor: str) -> int:
    return next(index for index, row in enumerate(FLOORS) if floor in row)


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_imports_point_downward(path: Path) -> None:
    own = floor_of("cnnaccel." + place(path).removesuffix(".py").replace("/", "."))
    for name in imports(path):
        if name.split(".")[0] == "cnnaccel":
            other = floor_of(name)
            assert other == own or level(other) > level(own), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_passes_know_nothing_of_later_ones(path: Path) -> None:
    parts = place(path).split("/")
    if parts[0] == "compiler" and parts[1] in PASSES:
        later = PASSES[PASSES.index(parts[1]) + 1 :]
        for name in imports(path):
            forbidden = [f"cnnaccel.compiler.{one}." for one in (*later, "compile")]
            assert not name.startswith(tuple(forbidden)), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_heavy_packages_stay_on_their_floor(path: Path) -> None:
    for name in imports(path):
        homes = ONLY_IN.get(name.split(".")[0])
        if homes is not None:
            assert place(path).removesuffix(".py").split("/")[0] in homes or place(path) in homes, (
                f"{place(path)} imports {name}; only {homes} may"
            )


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_modules_are_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES, f"{place(path)} has {lines} lines"
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "says what it knows"


def test_no_test_file_imports_from_another() -> None:
    """What several of them use is in tests/support."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for name in imports(path):
            parts = name.split(".")
            theirs = parts[0] == "tests" and any(part.startswith("test_") for part in parts)
            assert not theirs, f"{path.relative_to(ROOT)} imports {name}"


def test_every_floor_exists() -> None:
    found = {place(path).removesuffix(".py").split("/")[0] for path in MODULES}
    assert {name for row in FLOORS for name in row if name} <= found
