"""Functions of a user's own, as `package.module:function`, and what is said where they fail."""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnaccel.errors import ConfigError, ModelError
from cnnaccel.nn.sources import find_module, imported_files, working_directory_importable

_HERE = str(Path(__file__).parent.parent)


def load_function(spec: str, key: str) -> Callable[..., Any]:
    """The function that a key of a configuration names; the working directory is importable.

    Raises:
        ConfigError: there is none, or its module fails.
    """
    module_name, _, attribute = spec.partition(":")
    with working_directory_importable():
        if find_module(module_name) is None:
            raise ConfigError(f"{key} {spec}: there is no module '{module_name}' in {Path.cwd()}")
        try:
            found: Any = importlib.import_module(module_name)
        except (Exception, SystemExit) as error:
            raise ConfigError(f"{key} {spec}: importing it failed{blame(error)}") from error
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            close = difflib.get_close_matches(name, dir(found), n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ConfigError(f"{key} {spec}: {module_name} has no '{attribute}'{hint}") from None
    if isinstance(found, type):  # torch.nn.L1Loss is a class of functions
        with running(f"{key} {spec}"):
            found = found()
    if not callable(found):
        raise ConfigError(f"{key} {spec}: is a {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


def function_files(spec: str) -> set[Path]:
    """The modules of the user's that a function is made from, found without running any."""
    with working_directory_importable():
        return imported_files(spec.partition(":")[0])


@contextmanager
def running(what: str) -> Iterator[None]:
    """Say of an exception in a user's function that it is theirs: what failed, and where.

    Raises:
        ModelError: in place of any other exception.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{what} failed{blame(error)}") from error


def blame(error: BaseException) -> str:
    """The place where the user's code failed, as file:line, and how."""
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_HERE, "<frozen"))
        if frame.filename != importlib.__file__ and frame.filename != _CONTEXTLIB
    ]
    return f" at {frames[-1].filename}:{frames[-1].lineno}: {what}" if frames else f": {what}"


_CONTEXTLIB = str(contextmanager.__code__.co_filename)
