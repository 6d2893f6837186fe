"""Style, types and start-up time of the whole package."""

import subprocess
import sys
import time
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


def test_help_answers_at_once() -> None:
    best = 60.0
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cnnaccel", "--help"], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        best = min(best, time.perf_counter() - started)
    assert best < 0.5


def test_help_imports_no_torch() -> None:
    code = (
        "import sys; from cnnaccel.cli import cli; cli.main(['--help'], standalone_mode=False); "
        "heavy = {'torch', 'numpy', 'matplotlib', 'rich', 'yaml'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
