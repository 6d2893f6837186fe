"""A template and its values: the text, the same bytes every time.

Knows where templates are; what they say is up to their callers, who compute all there is to
compute.
"""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cnnaccel.resources import resource


def render_template(template: str, **values: Any) -> str:
    """The text of a file in `templates`; every name in it must be among the values."""
    environment = Environment(
        loader=FileSystemLoader(resource("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
