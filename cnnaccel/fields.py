"""Dataclasses from YAML: every value is of its field's type, every error has file and line.

Knows dataclasses and YAML, and nothing of what the values are for.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from cnnaccel.errors import ConfigError

T = TypeVar("T")
_TAG = "tag:yaml.org,2002:"
_NULL = _TAG + "null"


class FieldError(ConfigError):
    """Raised by a dataclass about one of its fields; the loader adds file and line."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field


class Placed(str):
    """A text of a configuration that knows its place, as `mine.yaml:3`."""

    place: str

    def __new__(cls, text: str, place: str) -> Placed:
        """The text, to be found at a place."""
        made = super().__new__(cls, text)
        made.place = place
        return made

    def __reduce__(self) -> tuple[type[Placed], tuple[str, str]]:
        """How it is copied."""
        return Placed, (str(self), self.place)


@dataclasses.dataclass(frozen=True)
class Call:
    """A name with arguments, as YAML writes a call: `Name`, or `Name: {argument: value}`."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


def at_least(minimum: float, default: Any, maximum: float = float("inf")) -> Any:
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum})


def load_dataclass(
    cls: type[T],
    path: Path,
    overrides: Sequence[str] = (),
    absent: Mapping[str, Any] | None = None,
) -> T:
    """One `cls` from the YAML file `path` and `key.sub=value` overrides.

    Every field of `cls` needs a default; one marked `internal` in its metadata is no key. absent:
    values of keys of the top level that are not given, in place of the defaults.

    Raises:
        ConfigError: with file:line, for anything that is not exactly a `cls`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read this configuration: {error}") from None
    try:
        root = _compose(text, str(path))
        for override in overrides:
            root = _override(root, override)
        config = _build(cls, root, "", absent or {})
    except RecursionError:
        raise ConfigError(f"{path}: nested too deep, or an anchor inside itself") from None
    assert isinstance(config, cls)
    return config


def line_of(path: Path, key: str) -> str:
    """Place at which a YAML file gives a key of its top level, as `mine.yaml:3`; else its name."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return str(path)
    for name, _ in root.value if isinstance(root, yaml.MappingNode) else ():
        if name.value == key:
            return f"{path}:{name.start_mark.line + 1}"
    return str(path)


def _compose(text: str, origin: str) -> yaml.Node:
    """The YAML tree of `text`, whose marks carry `origin`; a null where there is none."""
    try:
        loader = yaml.SafeLoader(text)
        loader.name = origin
        return loader.get_single_node() or yaml.ScalarNode(_NULL, "", _start(origin))
    except yaml.MarkedYAMLError as error:
        where = _where(error.problem_mark) if error.problem_mark else origin
        raise ConfigError(f"{where}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin}: not valid YAML: {error}") from None


def _override(root: yaml.Node, override: str) -> yaml.Node:
    """The tree with `key.sub=value` in it."""
    key, equals, text = override.partition("=")
    keys = key.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {override}: expected key=value, as in train.epochs=5")
    origin = f"--set {override}"
    return _replaced(root, keys, _compose(text, origin), _start(origin))


def _replaced(node: yaml.Node, keys: list[str], value: yaml.Node, mark: yaml.Mark) -> yaml.Node:
    """`node` with `value` at the path `keys`, in new nodes all the way, as anchors share theirs."""
    if not keys:
        return value
    if node.tag == _NULL:
        node = yaml.MappingNode(_TAG + "map", [], mark)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{mark.name}: there is no section that '{keys[0]}' could be in")
    pairs = list(node.value)
    at = next((i for i, (name, _) in enumerate(pairs) if name.value == keys[0]), len(pairs))
    old = pairs[at][1] if at < len(pairs) else yaml.ScalarNode(_NULL, "", mark)
    name = yaml.ScalarNode(_TAG + "str", keys[0], mark)
    pairs[at : at + 1] = [(name, _replaced(old, keys[1:], value, mark))]
    return yaml.MappingNode(node.tag, pairs, node.start_mark)


def _start(origin: str) -> yaml.Mark:
    return yaml.Mark(origin, 0, 0, 0, "", 0)


def _where(mark: yaml.Mark) -> str:
    return mark.name if mark.name.startswith("--set") else f"{mark.name}:{mark.line + 1}"


def _error(node: yaml.Node, message: str) -> ConfigError:
    return ConfigError(f"{_where(node.start_mark)}: {message}")


def _items(node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The nodes of each key and its value."""
    items: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key_node, value_node in node.value:
        if key_node.tag == _TAG + "merge":
            raise _error(key_node, "merge keys ('<<') are not read; write the keys out")
        if key_node.tag != _TAG + "str":
            raise _error(key_node, "a key must be a word; quote it if it is meant as text")
        if key_node.value in items:
            raise _error(key_node, f"'{key_node.value}' is given twice")
        items[key_node.value] = key_node, value_node
    return items


def _build(cls: Any, node: yaml.Node, prefix: str, absent: Mapping[str, Any]) -> Any:
    """One dataclass from one YAML mapping, or from nothing; absent: values of keys not given.

    A list or a text in place of the mapping is the field that its metadata calls `shorthand`.
    """
    if node.tag == _NULL:
        return cls(**absent)
    if not isinstance(node, yaml.MappingNode):
        short = [f.name for f in dataclasses.fields(cls) if "shorthand" in f.metadata]
        for field_name in short:
            named = yaml.ScalarNode(_TAG + "str", field_name, node.start_mark)
            node = yaml.MappingNode(_TAG + "map", [(named, node)], node.start_mark)
    if node.tag != _TAG + "map" or not isinstance(node, yaml.MappingNode):
        section = f"'{prefix.rstrip('.')}'" if prefix else "a configuration"
        raise _error(node, f"{section} must be a mapping of keys to values")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if "internal" not in f.metadata}
    values: dict[str, Any] = {}
    items = _items(node)
    for key, (key_node, value_node) in items.items():
        if key not in fields:
            raise _error(key_node, _unknown(key, list(fields), prefix))
        value = _convert(hints[key], value_node, prefix + key)
        low, high = (fields[key].metadata.get(end) for end in ("minimum", "maximum"))
        if low is not None and value is not None and not low <= value <= high:
            end = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:.10g}"
            raise _error(value_node, f"{prefix}{key} must be {end}, got {value}")
        values[key] = value
    try:
        return cls(**{**absent, **values})
    except FieldError as error:
        _, at = items.get(error.field, (None, node))
        raise _error(at, f"{prefix}{error}") from None


def _unknown(key: str, known: list[str], prefix: str) -> str:
    section = f" in '{prefix.rstrip('.')}'" if prefix else ""
    hint = did_you_mean(key, known) or f"; known keys: {', '.join(known)}"
    return f"unknown key '{key}'{section}{hint}"


def did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _convert(hint: Any, node: yaml.Node, key: str) -> Any:
    """The value of `node` as the type `hint`, or a ConfigError that names both."""
    if dataclasses.is_dataclass(hint) and hint is not Call:
        return _build(hint, node, key + ".", {})
    if hint is Call:
        return _call(node, key)
    value = _plain(node)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in args:
            return value
        near = did_you_mean(str(value), list(args))
        raise _error(node, f"{key} is one of {', '.join(args)}; got '{value}'{near}")
    if origin is types.UnionType:  # with None
        return None if value is None else _convert(args[0], node, key)
    if origin is tuple and args[0] is Call and not isinstance(node, yaml.SequenceNode):
        return (_call(node, key),)
    if origin is tuple:
        if not isinstance(node, yaml.SequenceNode):
            raise _error(node, f"{key} must be a list, got {value!r}")
        return tuple(_convert(args[0], item, key) for item in node.value)
    if origin is dict:
        if not isinstance(value, dict):
            raise _error(node, f"{key} must be a mapping, got {value!r}")
        return value
    if hint is float and (number := _finite(value)) is not None:
        return number
    if hint is not float and type(value) is hint:
        return value
    kind = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false"}
    raise _error(node, f"{key} must be {kind[hint]}, got {value!r}")


def _call(node: yaml.Node, key: str) -> Call:
    """A name, or a mapping of one name to its arguments."""
    if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "str":
        return Call(_placed(node))
    if isinstance(node, yaml.MappingNode) and len(items := _items(node)) == 1:
        ((name, given),) = items.values()
        if given.tag == _NULL:
            return Call(_placed(name))
        if isinstance(given, yaml.MappingNode):
            return Call(_placed(name), {_placed(k): _plain(v) for k, v in _items(given).values()})
    raise _error(node, f"{key} must be a name, or Name: {{argument: value}}; got {_plain(node)!r}")


def _placed(node: yaml.Node) -> Placed:
    return Placed(node.value, _where(node.start_mark))


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)  # of a string too: YAML 1.1 reads 1e-3 as one
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _plain(node: yaml.Node) -> Any:
    """Dicts, lists, texts, numbers, booleans and None: what JSON could hold too."""
    tag = node.tag.removeprefix(_TAG)
    match node:
        case yaml.MappingNode() if tag == "map":
            return {key: _plain(value) for key, (_, value) in _items(node).items()}
        case yaml.SequenceNode() if tag == "seq":
            return [_plain(item) for item in node.value]
        case yaml.ScalarNode() if tag in ("null", "bool", "int", "float", "str"):
            try:
                return yaml.constructor.SafeConstructor().construct_object(node)
            except (yaml.YAMLError, ValueError, KeyError):
                raise _error(node, f"'{node.value:.40}' cannot be read as {tag}") from None
        case _:
            raise _error(node, f"a {tag} is not used here; quote it if it is meant as text")
