"""How Sphinx builds the site: `make docs`.

The source folder is the root of the repository, so that links between pages work in a checkout, on
a web view of the repository and on the site alike. Nothing is fetched while it is built or read.
"""

from __future__ import annotations

from cnnaccel import __version__

project = "cnnaccel"
author = "cnnaccel contributors"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]

root_doc = "docs/index"
include_patterns = ["docs/**", "hw/README.md", "hw/driver/README.md", "CONTRIBUTING.md"]
# Sphinx walks the source folder: what no page is in need not be looked at.
exclude_patterns = [".*", "build", "cnnaccel", "configs", "dist", "templates", "tests"]
highlight_language = "text"
smartquotes = False  # two dashes are the beginning of an option
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "code"
nitpicky = True
# Types of other packages, and names that annotations use without their module, have no page here.
# Nor have types of our own that a user meets only as attributes.
nitpick_ignore_regex = [
    ("py:.*", r"(?!cnnaccel\.).*|.*\.T"),
    (
        "py:class",
        r"cnnaccel\.(quant|compiler|report|processing_system|fields"
        r"|api\.images|runtime\.tail|runtime\.pictures)\..*",
    ),
]

html_theme = "furo"
html_title = f"cnnaccel {release}"
html_additional_pages = {"index": "start.html"}
templates_path = ["theme"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
