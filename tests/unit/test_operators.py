"""The page of supported operators says what the front end does."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnaccel.compiler.limits import FIELDS
from cnnaccel.ir import graph as ir
from cnnaccel.isa.instructions import Compute, Load
from cnnaccel.isa.record import layout
from cnnaccel.quant import canonical, operators
from cnnaccel.quant.operators import OPERATORS, REWRITES, Form, Operator
from cnnaccel.render.template import render_template
from cnnaccel.runtime.operations import OPERATIONS

PAGE = Path(__file__).parents[2] / "docs/reference/operators.md"
LAYERS = (ir.Conv2d, ir.Depthwise, ir.AvgPool2d, ir.Add, ir.MaxPool2d, ir.Concat)


def test_page(golden: Callable[[Path, str], None]) -> None:
    golden(
        PAGE,
        render_template(
            "operators.md.j2",
            operators=[
                {
                    "name": known.form.value.replace("_", " "),
                    "written": known.written,
                    "becomes": known.becomes,
                    "refusals": [said(text) for text in known.refusals],
                }
                for known in OPERATORS
            ],
            rewrites=[
                {"names": ", ".join(f"`{name}`" for name in names.split()), "advice": advice}
                for names, advice in REWRITES.items()
            ],
            host=sorted({f"`{name.partition('.')[0]}`" for name in OPERATIONS}),
            layers=[{"name": one.__name__, "does": summary(one)} for one in LAYERS],
            limits=limits(),
        ),
    )


def said(refusal: str) -> dict[str, str]:
    """A refusal as reason and way out, with dots for what the error says of the model."""
    text = re.sub(r"\{\w+\}", "…", refusal)
    reason, _, advice = text.partition("; ")
    return {"reason": reason, "advice": advice or "-"}


def summary(cls: type) -> str:
    """The first paragraph of a docstring, on one line, ready for a table."""
    text = (inspect.getdoc(cls) or "").split("\n\n")[0]
    return " ".join(text.split())


def limits() -> list[dict[str, str]]:
    """The bounds of instruction fields that a network's sizes can reach."""
    found = {}
    for record in (Compute, Load):
        for field in layout(record):
            words = FIELDS.get(field.name)
            if words is not None and words.counts:
                found[field.name] = {
                    "counts": words.counts,
                    "low": f"{field.low:,}",
                    "high": f"{field.high:,}",
                    "way_out": words.way_out,
                }
    assert len(found) == sum(bool(words.counts) for words in FIELDS.values())
    return list(found.values())


@pytest.mark.parametrize("known", OPERATORS, ids=lambda known: known.form.value)
def test_refusals_are_those_of_the_handler(known: Operator) -> None:
    """A refusal that a handler can raise is on the page, and none that it cannot."""
    names = {
        text: name for name, text in vars(operators).items() if name.isupper() and type(text) is str
    }
    handler = f"_{known.form.value}"
    reached, waiting, seen = set(), [handler], {handler}
    while waiting:
        code = getattr(canonical._Canonicalizer, waiting.pop()).__code__
        used = set(code.co_names)
        for constant in code.co_consts:  # comprehensions have code of their own
            used |= set(getattr(constant, "co_names", ()))
        reached |= used & set(names.values())
        called = {"_value", "_input", "_tensor"} & used - seen
        seen |= called
        waiting += called
    if ("padding_ok",) in getattr(canonical._Canonicalizer, handler).__code__.co_consts:
        reached.discard("PADDED")  # it lets the zeros pass
    assert {names[text] for text in known.refusals} == reached


def test_every_form_is_there_once() -> None:
    assert sorted(known.form.value for known in OPERATORS) == sorted(form.value for form in Form)
    targets = [target for known in OPERATORS for target in known.targets]
    assert len(set(targets)) == len(targets)
