"""The configuration of one network: typed dataclasses read from YAML, errors with file and line.

Knows nothing of torch or of any stage: stages receive the section they need.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from cnnaccel.errors import ConfigError

SEED_MAX = 2**32 - 1
"""The largest seed numpy, torch and random all take."""
T = TypeVar("T")
_TAG = "tag:yaml.org,2002:"
_NULL = _TAG + "null"


class FieldError(ConfigError):
    """Raised by a dataclass about one of its fields; the loader adds file and line."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field


def _at_least(minimum: float, default: Any, maximum: float = float("inf")) -> Any:
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum})


@dataclass(frozen=True)
class DataConfig:
    """The source of images, and how the training split is divided."""

    name: Literal["fashionmnist", "mnist", "cifar10", "digits", "synthetic"] = "fashionmnist"
    dir: str | None = None
    """Folder that holds the dataset; the command line and CNNACCEL_DATA come into it as well."""
    validation: int = _at_least(1, 5000)
    """Images held out of the training split; they choose the epoch, the test split never does."""
    mean: tuple[float, ...] | None = None
    """Mean per channel of pixels in [0, 1]; with std, the normalisation that precedes the model."""
    std: tuple[float, ...] | None = None
    shape: tuple[int, ...] = (3, 32, 32)
    """C, H, W of the synthetic dataset; the others have their own."""
    classes: int = _at_least(2, 10)
    """Number of classes of the synthetic dataset."""
    images: int = _at_least(10, 1000)
    """Training images of the synthetic dataset; its test split has a fifth of that."""

    def __post_init__(self) -> None:
        """Refuse a normalisation of pixels in 0..255, which none of pixels in [0, 1] looks like."""
        mean, std = self.mean or (), self.std or ()
        if any(abs(value) > 1 for value in mean):
            raise FieldError("mean", _in_unit_range(mean, std, mean))
        if any(value > 1 for value in std):
            raise FieldError("std", _in_unit_range(mean, std, std))


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to training images, each drawn anew per image and epoch."""

    flip: bool = False
    """Mirror half of the images left to right."""
    shift: int = _at_least(0, 0)
    """Move by up to this many pixels, filling with zeros."""
    erase: int = _at_least(0, 0)
    """Blank one square of this many pixels a side."""


@dataclass(frozen=True)
class TrainConfig:
    """The training loop."""

    epochs: int = _at_least(1, 40)
    batch_size: int = _at_least(1, 256)
    """Images per optimiser step, over all processes together."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = _at_least(0.0, 4e-3)
    """Peak of the schedule."""
    weight_decay: float = _at_least(0.0, 0.01)
    momentum: float = _at_least(0.0, 0.9, 1.0)
    """Momentum of sgd (Nesterov); adamw keeps its usual betas."""
    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    warmup: float = _at_least(0.0, 0.25, 0.9)
    """Share of all steps in which one_cycle rises to the peak."""
    label_smoothing: float = _at_least(0.0, 0.0, 0.9)
    average: float = _at_least(0.0, 0.0, 0.99999)
    """Decay per step of the exponential moving average of the weights; 0 switches it off."""
    seed: int = _at_least(0, 0, SEED_MAX)
    augment: AugmentConfig = AugmentConfig()


@dataclass(frozen=True)
class QuantizeConfig:
    """Post-training quantization to int8."""

    weights: Literal["per_channel", "per_tensor"] = "per_channel"
    requantize: Literal["multiplier", "shift"] = "multiplier"
    """`shift` makes every scale a power of two, so that requantizing is a shift alone."""
    observer: Literal["minmax", "histogram"] = "histogram"
    """Choice of an activation's range: its maximum, or the clip of least squared error."""
    bias_correction: bool = True
    """Let biases take back what rounding shifts each channel by, on calibration images."""
    equalize: bool = True
    """Bring channels of a tensor to like size, in float, where logits on held out images gain."""
    calibration_images: int = _at_least(1, 1024)
    """Drawn from the training split."""
    max_drop: float | None = _at_least(0.0, None)
    """Points that int8 may lose of the float accuracy before it is an error; None never is."""
    seed: int = _at_least(0, 0, SEED_MAX)


@dataclass(frozen=True)
class BoardConfig:
    """Which engine the network runs on; `hardware.load_hardware` knows what it may be."""

    board: str = "pynq_z1"
    """A name from `configs/boards`, or the path of a YAML file like those."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Values that replace some of the board's file, as pixel_lanes: 8."""


@dataclass(frozen=True)
class CompileConfig:
    """The way from the graph to a program."""

    images: int | None = _at_least(1, None)
    """Images at a time; None for the number that takes the least time an image."""
    verify_images: int = _at_least(0, 16)
    """Test images on which the program must equal golden; 0 for none."""


@dataclass(frozen=True)
class Config:
    """One network on its way to the board."""

    model: str = "lenet"
    """A name from the zoo, or a module and its attribute with a colon between them; the working
    directory is importable."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for the model's constructor."""
    weights: str | None = None
    """A file of weights of the user's own, from the working directory or beside the YAML file; then
    `train` imports them."""
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    quantize: QuantizeConfig = QuantizeConfig()
    hardware: BoardConfig = BoardConfig()
    compile: CompileConfig = CompileConfig()
    name: str = field(default="", metadata={"internal": True})
    """The file's stem: names the build folder."""


def _in_unit_range(
    mean: tuple[float, ...], std: tuple[float, ...], wrong: tuple[float, ...]
) -> str:
    """Message on a mean or standard deviation beyond 1, with both as pixels in [0, 1] have them."""

    def scaled(values: tuple[float, ...], anyway: bool) -> str:
        by = 255 if anyway or any(abs(value) > 1 for value in values) else 1
        return "[" + ", ".join(f"{value / by:.4g}" for value in values) + "]"

    # Caffe's networks take the mean off pixels in 0..255 and divide by nothing
    whole = set(std) == {1.0}
    write = [f"mean: {scaled(mean, False)}"] if mean else []
    write += [f"std: {scaled(std, whole)}"] if std else []
    return f"is {list(wrong)}, of pixels in 0..255; here pixels are in [0, 1]: write " + ", ".join(
        write
    )


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read `path` and apply `key.sub=value` overrides.

    Raises:
        ConfigError: with file:line, for anything that is not exactly a `Config`.
    """
    config = load_dataclass(Config, path, overrides)
    _check_together(config, path)
    return dataclasses.replace(config, name=path.stem)


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


def _check_together(config: Config, path: Path) -> None:
    mean, std, shape = config.data.mean, config.data.std, config.data.shape
    if len(mean or ()) != len(std or ()) or () in (mean, std):
        raise ConfigError(f"{path}: data.mean and data.std go together, one number per channel")
    if std is not None and min(std) <= 0:
        raise ConfigError(f"{path}: data.std must be positive, got {list(std)}")
    if len(shape) != 3 or min(shape) < 1:
        raise ConfigError(f"{path}: data.shape is C, H, W, all positive; got {list(shape)}")


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
    """One dataclass from one YAML mapping, or from nothing; absent: values of keys not given."""
    if node.tag == _NULL:
        return cls(**absent)
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
    hint = _did_you_mean(key, known) or f"; known keys: {', '.join(known)}"
    return f"unknown key '{key}'{section}{hint}"


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _convert(hint: Any, node: yaml.Node, key: str) -> Any:
    """The value of `node` as the type `hint`, or a ConfigError that names both."""
    if dataclasses.is_dataclass(hint):
        return _build(hint, node, key + ".", {})
    value = _plain(node)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in args:
            return value
        near = _did_you_mean(str(value), list(args))
        raise _error(node, f"{key} is one of {', '.join(args)}; got '{value}'{near}")
    if origin is types.UnionType:  # with None
        return None if value is None else _convert(args[0], node, key)
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
