"""The templates of this floor: Markdown as it is, HTML and SVG with every value escaped."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cnnaccel.resources import resource


def render(template: str, **values: Any) -> str:
    """The text of `templates/<template>`."""
    environment = Environment(
        loader=FileSystemLoader(resource("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=template.endswith((".html.j2", ".svg.j2")),
    )
    return environment.get_template(template).render(**values)
