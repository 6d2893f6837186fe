"""The loader of templates: every name is there, HTML is escaped, texts are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from cnnaccel.render import template
from cnnaccel.render.template import render_template


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(template, "resource", lambda name: tmp_path / name)
    (tmp_path / "templates").mkdir()
    return tmp_path / "templates"


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.tcl.j2", "<1>\n<2>\nend\n"), ("a.html.j2", "&lt;1&gt;\n&lt;2&gt;\nend\n")],
)
def test_lines_and_escapes(folder: Path, name: str, text: str) -> None:
    """A line that only steers leaves no line; the newline at the end stays."""
    (folder / name).write_text("{% for each in all %}\n{{ each }}\n{% endfor %}\nend\n")
    assert render_template(name, all=["<1>", "<2>"]) == text


def test_a_name_without_a_value_is_an_error(folder: Path) -> None:
    (folder / "a.j2").write_text("{{ missing }}")
    with pytest.raises(UndefinedError, match="missing"):
        render_template("a.j2", other=1)
