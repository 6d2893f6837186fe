"""Every port and parameter of `hw/rtl` and `hw/asic` says what it is, beside it or above it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cnnaccel.render.sources import wrapper_sources
from cnnaccel.resources import resource

OBVIOUS = {"clk_i", "rst_ni"}
"""Ports of every module that hw/README.md explains once."""
MODULES = [path for path in wrapper_sources() if path.stem != "cnnaccel_pkg"]
MODULES += sorted((resource("hw") / "asic").glob("*.sv"))


def bare(text: str) -> Iterator[str]:
    """Ports and parameters of the modules in a file that no comment stands by."""
    from pyslang import syntax

    tree = syntax.SyntaxTree.fromText(text)
    lines = text.splitlines()
    names: list[Any] = []

    def declared(node: Any) -> None:
        if isinstance(node, syntax.ImplicitAnsiPortSyntax):
            names.append(node.declarator.name)
        elif isinstance(node, syntax.ParameterPortListSyntax):
            node.visit(assigned)

    def assigned(node: Any) -> None:
        if isinstance(node, syntax.DeclaratorSyntax):
            names.append(node.name)

    def header(node: Any) -> None:
        if isinstance(node, syntax.ModuleHeaderSyntax):
            node.visit(declared)

    tree.root.visit(header)
    for name in names:
        at = tree.sourceManager.getLineNumber(name.location) - 1
        above = lines[at - 1].strip().startswith("//")
        if not above and "//" not in lines[at] and name.valueText not in OBVIOUS:
            yield name.valueText


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_port_says_what_it_is(path: Path) -> None:
    assert list(bare(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("module m (\n  input logic clk_i,\n  input logic a_i,  // it\n  output b_o\n);", ["b_o"]),
        ("module m #(\n  // it\n  parameter int A = 1,\n  localparam int B = A\n) ();", ["B"]),
        ("module m (\n  input logic a_i[2], b_i  // both\n);\n  logic c;\nendmodule", []),
        ("module m (\n  input wide_t a_i,\n  // not of a_i\n  output b_o\n);", ["a_i"]),
    ],
)
def test_a_bare_one_is_found(text: str, names: list[str]) -> None:
    assert list(bare(text)) == names
