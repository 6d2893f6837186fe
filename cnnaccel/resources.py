"""Where `configs`, `templates` and `hw` are, in a checkout or installed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cnnaccel.errors import ConfigError


def resource(name: Literal["configs", "templates", "hw"]) -> Path:
    """The folder as installed in the package, or at the top of the checkout."""
    package = Path(__file__).parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name


def find_config(name: str) -> Path:
    """A configuration by its path, or by the name of one that is shipped, as `lenet_digits`.

    Raises:
        ConfigError: neither is there.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = resource("configs") / (path.stem + ".yaml")
    if shipped.is_file() and path.parent in (Path(), Path("configs")):
        return shipped
    known = ", ".join(sorted(p.stem for p in resource("configs").glob("*.yaml")))
    raise ConfigError(f"{name}: no such configuration; shipped ones are {known}")
