"""Examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ["cnnaccel.compiler.lower.loopnest"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0 and found.failed == 0
