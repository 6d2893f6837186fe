"""The site that `make docs` builds: whole, without warnings, and at home without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.fixture(scope="session")
def site(shared: Callable[..., Path]) -> Path:
    """The folder that the recipe of `make docs` fills, built once for all processes."""

    def make(folder: Path) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        recipe = re.search(
            r"^\t\$\(BIN\)/python -m (sphinx .*) build/docs$", makefile, re.MULTILINE
        )
        assert recipe is not None
        done = subprocess.run(
            [sys.executable, "-m", *recipe[1].split(), str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return shared("site", make)


def test_every_page_is_there(site: Path) -> None:
    for page in PAGES:
        made = site / page.relative_to(ROOT).with_suffix(".html")
        assert made.is_file(), page
    assert "url=docs/index.html" in (site / "index.html").read_text(encoding="utf-8")


def test_nothing_comes_over_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe|object)[^>]*src=\"([^\"]+)\"", text)
        fetched += re.findall(r"<link[^>]*rel=\"stylesheet\"[^>]*href=\"([^\"]+)\"", text)
        assert not [one for one in fetched if "//" in one], page
    for sheet in site.rglob("*.css"):
        assert "@import" not in sheet.read_text(encoding="utf-8")
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet
