"""Style and types of package and tests, and what answering at once leaves out."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "check",
    [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)],
    ids=lambda check: " ".join(check),
)
def test_clean(check: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# What takes long to import: --help answers at once because it imports none of it.
HEAVY = {"torch", "torchvision", "torchao", "numpy", "sklearn", "matplotlib", "jinja2", "rich",
         "yaml", "asyncio"}  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """As `python -m cnnaccel` runs it, to its end."""
    code = (
        "import atexit, runpy, sys; "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        f"sys.argv[1:] = {arguments}; runpy.run_module('cnnaccel', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout, done.stderr
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert "cnnaccel" in imported and not imported & HEAVY
