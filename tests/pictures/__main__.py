"""Every drawing by its name, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.pictures.shapes import Drawing
from tests.pictures.structure import engine, flow, loop_nest, memory
from tests.pictures.timeline import over_time

FOLDER = Path(__file__).parents[2] / "docs/pictures"
PICTURES: dict[str, Callable[[], Drawing]] = {
    "flow": flow,
    "engine": engine,
    "loop-nest": loop_nest,
    "memory": memory,
    "tokens": over_time,
}


def main() -> None:
    """Write every drawing."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
