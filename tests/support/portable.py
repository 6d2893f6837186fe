"""SystemVerilog that tools read differently, or not at all: none of it is in hw/rtl.

It is found in the syntax and the elaborated design of slang, so a part that one engine does not
have needs an engine that does.
"""

from __future__ import annotations

import shlex
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_params_svh


def findings(
    top: str, sources: Sequence[Path], hardware: HardwareConfig, parameters: dict[str, int]
) -> set[str]:
    """What of `hw/rtl` is written in a way that not every tool gets right, as `file:line: what`.

    sources: packages first. parameters: of `top`.
    """
    from pyslang import ast
    from pyslang.driver import Driver

    driver = Driver()
    driver.addStandardArgs()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "params.svh").write_text(render_params_svh(hardware), encoding="utf-8")
        options = ["slang", "--top", top, "-I", folder]
        options += [f"-G{name}={value}" for name, value in parameters.items()]
        read = driver.parseCommandLine(shlex.join(map(str, [*options, *sources])))
        assert read and driver.processOptions() and driver.parseAllSources()
    root = driver.createCompilation().getRoot()
    assert isinstance(root, ast.RootSymbol)
    found = _Findings(driver.sourceManager)
    for tree in driver.syntaxTrees:
        tree.root.visit(found.syntax)
    root.visit(found.symbol)
    return found.texts | found.mixed_drivers()


class _Findings:
    """Collects texts while slang walks through a design."""

    def __init__(self, manager: Any) -> None:
        self.texts: set[str] = set()
        self._manager = manager
        self._drivers: dict[str, dict[str, Any]] = defaultdict(dict)

    def _at(self, place: Any, text: str) -> str:
        name = Path(self._manager.getFileName(place)).name
        return f"{name}:{self._manager.getLineNumber(place)}: {text}"

    def _add(self, node: Any, text: str) -> None:
        self.texts.add(self._at(node.sourceRange.start, text))

    def syntax(self, node: Any) -> None:
        """`inside` is no operator of constant expressions in some tools (IEEE 1800, A.8.3)."""
        from pyslang import syntax

        if isinstance(node, syntax.IfGenerateSyntax):

            def condition(part: Any) -> None:
                if isinstance(part, syntax.InsideExpressionSyntax):
                    self._add(part, "`inside` in the condition of a generate")

            node.condition.visit(condition)

    def symbol(self, node: Any) -> Any:
        """Of each expression and process of the elaborated design."""
        from pyslang import ast

        if isinstance(node, ast.GenerateBlockSymbol) and node.isUninstantiated:
            return ast.VisitAction.Skip
        if isinstance(node, ast.ConversionExpression):
            self._conversion(node)
        elif isinstance(node, ast.BinaryExpression) and node.op == ast.BinaryOperator.Multiply:
            for operand in (node.left, node.right):
                cast = isinstance(operand, ast.ConversionExpression) and not operand.isImplicit
                if cast and _widens(operand):
                    self._add(operand, "a cast of a factor hides the widths of a DSP")
        elif isinstance(node, ast.ContinuousAssignSymbol):
            assert isinstance(node.assignment, ast.AssignmentExpression)
            self._drives(node.assignment.left, "assign")
        elif isinstance(node, ast.InstanceSymbol):
            for connection in node.portConnections:
                if isinstance(connection.expression, ast.AssignmentExpression):
                    self._drives(connection.expression.left, "port")
        elif isinstance(node, ast.ProceduralBlockSymbol):

            def process(part: Any) -> None:
                if isinstance(part, ast.AssignmentExpression):
                    self._drives(part.left, "process")

            node.body.visit(process)
        return ast.VisitAction.Advance

    def _conversion(self, node: Any) -> None:
        """Size casts of signed were zero-extended by Vivado; what is unsigned grows by casts."""
        if not _widens(node):
            return
        if not node.isImplicit and node.operand.type.isSigned:
            self._add(node, "a cast widens something signed; assign it to a wider signed net")
        if node.isImplicit and not node.operand.type.isSigned and not _is_factor(node):
            self._add(node, "something unsigned is widened without a cast")

    def _drives(self, target: Any, kind: str) -> None:
        from pyslang import ast

        def names(part: Any) -> None:
            if isinstance(part, ast.NamedValueExpression):
                self._drivers[part.symbol.hierarchicalPath][kind] = part

        if isinstance(target, (ast.ElementSelectExpression, ast.RangeSelectExpression)):
            target = target.value  # the index is read
        while not isinstance(target, ast.NamedValueExpression):
            if not hasattr(target, "value"):
                target.visit(names)
                return
            target = target.value
        names(target)

    def mixed_drivers(self) -> set[str]:
        """Variables with a process and an assignment or a port, be it of other elements."""
        return {
            self._at(
                next(iter(kinds.values())).sourceRange.start,
                f"{path.rpartition('.')[2]} is driven in a process and outside of one",
            )
            for path, kinds in self._drivers.items()
            if "process" in kinds and len(kinds) > 1
        }


def _widens(node: Any) -> bool:
    """A conversion to more bits of what is no constant."""
    from pyslang import ast

    return (
        isinstance(node, ast.ConversionExpression)
        and node.operand.type.isIntegral
        and node.type.isIntegral
        and node.operand.constant is None
        and node.type.bitWidth > node.operand.type.bitWidth
    )


def _is_factor(node: Any) -> bool:
    """Of a multiplication, whose factors have the widths of a DSP's ports."""
    return str(node.operand.syntax.parent.kind) == "SyntaxKind.MultiplyExpression"
