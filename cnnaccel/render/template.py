"""The one loader of `templates`: a template and its values become a text.

The same values give the same bytes. Callers compute all there is to
compute; a template only says where it goes.
"""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cnnaccel.resources import resource

_ESCAPED = (".html.j2", ".svg.j2")
"""Endings of templates whose values are escaped, because a browser reads the text."""


def render_template(template: str, **values: Any) -> str:
    """The text of a file in `templates`; every name in it must be among the values."""
    environment = Environment(
        loader=FileSystemLoader(resource("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=template.endswith(_ESCAPED),
    )
    return environment.get_template(template).render(values)
