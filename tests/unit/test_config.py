"""Configurations: what is read, and the place and the way out for all that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnaccel.config import Config, load_config
from cnnaccel.errors import ConfigError


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """load(text, *overrides)"""

    def from_text(text: str, *overrides: str) -> Config:
        path = tmp_path / "lenet.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, overrides)

    return from_text


@pytest.mark.parametrize("text", ["", "\n", "# all defaults\n", "---\n", "train:\n", "\ufeff#\n"])
def test_an_empty_file_is_all_defaults(load: Any, text: str) -> None:
    assert load(text) == Config(name="lenet")


def test_every_kind_of_value(load: Any) -> None:
    config = load("""
model: my_module:Net
model_args: {width: 8, ratio: 0.5, deep: true, blocks: [1, 2], more: {kind: a, none: null}}
data:
  name: synthetic
  dir: /data
  mean: [0.5, 1, 1.0e-1]
  std: [0.25, 0.5, 1e-3]
  shape: [3, 8, 9]
train:
  learning_rate: 1e-3
  momentum: 1
  augment: {flip: true, shift: 2}
quantize:
  weights: per_tensor
hardware: {board: boards/own.yaml, overrides: {pixel_lanes: 8}}
compile: {images: 8}
""")
    assert config.model == "my_module:Net"
    assert config.model_args == {
        "width": 8,
        "ratio": 0.5,
        "deep": True,
        "blocks": [1, 2],
        "more": {"kind": "a", "none": None},
    }
    assert config.data.mean == (0.5, 1.0, 0.1) and config.data.std == (0.25, 0.5, 0.001)
    assert all(type(value) is float for value in config.data.mean)
    assert config.data.shape == (3, 8, 9) and config.data.dir == "/data"
    assert config.train.learning_rate == 0.001
    assert config.train.momentum == 1.0 and type(config.train.momentum) is float
    assert config.train.augment.flip and config.train.augment.shift == 2
    assert config.train.epochs == Config().train.epochs
    assert config.quantize.weights == "per_tensor"
    assert config.hardware.board == "boards/own.yaml"
    assert config.hardware.overrides == {"pixel_lanes": 8}
    assert config.compile.images == 8 and config.compile.verify_images == 16
    assert config.name == "lenet"


def test_anchors_are_read(load: Any) -> None:
    config = load("data: {mean: &half [0.5], std: *half}")
    assert config.data.mean == config.data.std == (0.5,)


# ---- refusals: text, line, what the message says ---------------------------------------------

REFUSED: list[tuple[str, int, str]] = [
    ("model: lenet\nmodle: lenet", 2, r"unknown key 'modle'; did you mean 'model'\?"),
    ("trian: {}", 1, r"unknown key 'trian'; did you mean 'train'\?"),
    (
        "zzz: 1",
        1,
        "unknown key 'zzz'; known keys: model, model_args, .*, compile$",
    ),
    ("name: x", 1, "unknown key 'name'"),
    ("train:\n  epochs: 3\n  epoch: 4", 3, r"'epoch' in 'train'; did you mean 'epochs'\?"),
    ("train:\n  augment:\n    Flip: true", 3, r"'Flip' in 'train.augment'; did you mean 'flip'\?"),
    ("train: 3", 1, "'train' must be a mapping"),
    ("train: ''", 1, "'train' must be a mapping"),
    ("train: [epochs, 3]", 1, "'train' must be a mapping"),
    ("- train", 1, "a configuration must be a mapping"),
    ("\n\nlenet", 3, "a configuration must be a mapping"),
    ("train:\n  epochs: three", 2, "train.epochs must be a whole number, got 'three'"),
    ("train: {epochs: 3.0}", 1, "train.epochs must be a whole number, got 3.0"),
    ("train: {epochs: true}", 1, "train.epochs must be a whole number, got True"),
    ("train: {epochs: null}", 1, "train.epochs must be a whole number, got None"),
    ("train: {epochs: {a: 1}}", 1, "train.epochs must be a whole number, got {'a': 1}"),
    ("train: {learning_rate: fast}", 1, "must be a finite number, got 'fast'"),
    ("train: {learning_rate: .inf}", 1, "must be a finite number, got inf"),
    ("train: {learning_rate: .nan}", 1, "must be a finite number, got nan"),
    ("train: {learning_rate: nan}", 1, "must be a finite number, got 'nan'"),
    ("train: {learning_rate: false}", 1, "must be a finite number, got False"),
    ("train: {learning_rate: [1]}", 1, r"must be a finite number, got \[1\]"),
    (f"train: {{learning_rate: 1{'0' * 400}}}", 1, "must be a finite number"),
    (f"train: {{epochs: {'9' * 5000}}}", 1, "cannot be read as int"),
    ("train: {augment: {flip: 1}}", 1, "train.augment.flip must be true or false, got 1"),
    ("compile: {images: 0}", 1, "compile.images must be at least 1, got 0"),
    ("compile: {images: all}", 1, "compile.images must be a whole number, got 'all'"),
    ("compile: {verify_images: -1}", 1, "compile.verify_images must be at least 0, got -1"),
    ("compile: {verify_images: null}", 1, "verify_images must be a whole number, got None"),
    ("compile:\n  image: 1", 2, r"'image' in 'compile'; did you mean 'images'\?"),
    ("hardware: pynq_z1", 1, "'hardware' must be a mapping"),
    ("hardware: {board: 1}", 1, "hardware.board must be a text, got 1"),
    ("hardware: {overrides: 8}", 1, "hardware.overrides must be a mapping, got 8"),
    ("hardware: {pixel_lanes: 8}", 1, "unknown key 'pixel_lanes' in 'hardware'"),
    ("model: 3", 1, "model must be a text, got 3"),
    ("model: no", 1, "model must be a text, got False"),
    ("model:", 1, "model must be a text, got None"),
    ("model_args: [1]", 1, r"model_args must be a mapping, got \[1\]"),
    ("data:\n  mean: 0.5\n  std: [1]", 2, "data.mean must be a list, got 0.5"),
    (
        "data:\n  name: cifar10\n  mean: [123.675, 116.28, 103.53]\n  std: [58.395, 57.12, 57.375]",
        3,
        r"data.mean is \[123.675, 116.28, 103.53\], of pixels in 0..255; here pixels are in "
        r"\[0, 1\]: write mean: \[0.485, 0.456, 0.406\], std: \[0.229, 0.224, 0.225\]",
    ),
    ("data:\n  std: [255]\n  mean: [0]", 2, r"data.std is .*mean: \[0\], std: \[1\]"),
    ("data:\n  std: [1]\n  mean: [104]", 3, r"mean: \[0.4078\], std: \[0.003922\]"),
    ("data:\n  std: [1.0]\n  mean: [-128]", 3, r"mean: \[-0.502\], std: \[0.003922\]"),
    ("data:\n  mean: [0.13]\n  std: [78.6]", 3, r"mean: \[0.13\], std: \[0.3082\]"),
    ("data:\n  mean: [0.5, 33.0]\n  std: [0.3, 0.3]", 2, r"0.1294\], std: \[0.3, 0.3\]"),
    ("data:\n  mean: [33.318]", 2, r"data.mean is .*: write mean: \[0.1307\]"),
    ("data: {mean: [a], std: [1]}", 1, "data.mean must be a finite number, got 'a'"),
    ("data: {shape: [1, 2.5, 3]}", 1, "data.shape must be a whole number, got 2.5"),
    ("train: {epochs: 0}", 1, "train.epochs must be at least 1, got 0"),
    ("train:\n  momentum: 1.5", 2, "train.momentum must be between 0 and 1, got 1.5"),
    ("train: {learning_rate: -1e-9}", 1, "must be at least 0, got -1e-09"),
    ("train: {seed: 4294967296}", 1, "between 0 and 4294967295, got 4294967296"),
    ("train: {optimizer: adam}", 1, r"one of adamw, sgd; got 'adam'; did you mean 'adamw'\?"),
    ("train: {optimizer: SGD}", 1, r"got 'SGD'; did you mean 'sgd'\?"),
    ("train: {optimizer: 7}", 1, "one of adamw, sgd; got '7'$"),
    ("train: {optimizer: [sgd]}", 1, "one of adamw, sgd; got"),
    ("model: a\nmodel: b", 2, "'model' is given twice"),
    ("train:\n  epochs: 1\n  epochs: 1", 3, "'epochs' is given twice"),
    ("train: {epochs: 1}\ndata: {}\ntrain: {}", 3, "'train' is given twice"),
    ("model_args:\n  a: 1\n  a: 2", 3, "'a' is given twice"),
    ("model_args: {b: [{a: 1,\n a: 2}]}", 2, "'a' is given twice"),
    ("data: &d {}\ntrain:\n  <<: *d", 3, "merge keys .* are not read"),
    ("model_args: {a: &a {}, b: {<<: *a}}", 1, "merge keys .* are not read"),
    ("[a, b]: 1", 1, "a key must be a word"),
    ("{a: 1}: 1", 1, "a key must be a word"),
    ("3: 1", 1, "a key must be a word"),
    ("model_args: {1: 2}", 1, "a key must be a word"),
    ("model_args: {a: {yes: 2}}", 1, "a key must be a word"),
    ("model: 2020-01-31", 1, "a timestamp is not used here"),
    ("model: 2020-99-99", 1, "a timestamp is not used here"),
    ("model_args: {a: 2020-01-31}", 1, "a timestamp is not used here"),
    ("model_args: {a: !!binary aGk=}", 1, "a binary is not used here"),
    ("model_args: {a: !!set {x}}", 1, "a set is not used here"),
    ("model_args: !!python/object:os.system {}", 1, "is not used here"),
    ("train: !!set {epochs}", 1, "'train' must be a mapping"),
    ("train: {epochs: !!int abc}", 1, "'abc' cannot be read as int"),
    ("train: {augment: {flip: !!bool maybe}}", 1, "'maybe' cannot be read as bool"),
    ("model: [", 1, "not valid YAML"),
    ("model: a\n  b: c", 2, "not valid YAML"),
    ("model: a\n\tb: c", 2, "not valid YAML"),
    ("model: *nowhere", 1, "not valid YAML: found undefined alias"),
    ("model: a\n---\nmodel: b", 2, "not valid YAML: but found another document"),
    ("model: !x!y z", 1, "not valid YAML"),
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_refused(load: Any, text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"lenet\.yaml:{line}: .*{message}"):
        load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: '\0'", "not valid YAML"),
        ("model_args: " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("model_args: &a {b: *a}", "an anchor inside itself"),
        ("data: {mean: [0.5]}", "data.mean and data.std go together"),
        ("data: {std: [0.5]}", "data.mean and data.std go together"),
        ("data: {mean: [0.5, 0.5], std: [0.5]}", "one number per channel"),
        ("data: {mean: [], std: []}", "one number per channel"),
        ("data: {mean: [0.5], std: [0]}", r"data.std must be positive, got \[0.0\]"),
        ("data: {shape: [1, 2]}", r"data.shape is C, H, W, all positive; got \[1, 2\]"),
        ("data: {shape: []}", "data.shape is C, H, W"),
        ("data: {shape: [1, 0, 2]}", "data.shape is C, H, W"),
    ],
    ids=range(11),
)
def test_refused_as_a_whole(load: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"lenet\.yaml: .*{message}"):
        load(text)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ("[0]", "[0.00392]"),
        ("[0]", "[1]"),
        ("[1]", "[1]"),
        ("[-1]", "[1]"),
        ("[-0.5]", "[0.5]"),
        ("[0.5, 0.5, 0.5]", "[0.5, 0.5, 0.5]"),
        ("[0.1307]", "[0.3081]"),
        ("[1.0e-3]", "[1.0e-3]"),
        ("null", "null"),
    ],
)
def test_normalisation_of_pixels_in_0_to_1(load: Any, mean: str, std: str) -> None:
    load(f"data: {{mean: {mean}, std: {std}}}")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"model: caf\xe9")
    for path in (tmp_path / "none.yaml", tmp_path, latin, latin / "below.yaml"):
        with pytest.raises(ConfigError, match="cannot read this configuration"):
            load_config(path)


def test_no_refusal_takes_more_than_a_line(load: Any) -> None:
    for text, _, _ in REFUSED:
        with pytest.raises(ConfigError) as caught:
            load(text)
        assert "\n" not in str(caught.value)


# ---- overrides -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "attribute", "value"),
    [
        (["model=resnet20"], "model", "resnet20"),
        (["train.epochs=5"], "train.epochs", 5),
        (["train.epochs=5", "train.epochs=6"], "train.epochs", 6),
        (["train.learning_rate=1e-3"], "train.learning_rate", 1e-3),
        (["train.learning_rate=1"], "train.learning_rate", 1.0),
        (["train.augment.flip=true"], "train.augment.flip", True),
        (["data.mean=[0.5]", "data.std=[0.25]"], "data.mean", (0.5,)),
        (["data.mean=null", "data.std="], "data.std", None),
        (["data.dir=/some where=else"], "data.dir", "/some where=else"),
        (["data.dir='a: b'"], "data.dir", "a: b"),
        (["model_args.width=8"], "model_args", {"width": 8, "depth": 2}),
        (["model_args.depth=[1, 2]"], "model_args", {"depth": [1, 2]}),
        (["model_args.a.b.c=1"], "model_args", {"depth": 2, "a": {"b": {"c": 1}}}),
        (["model_args={}"], "model_args", {}),
        (["train={epochs: 2}"], "train.epochs", 2),
        (["quantize.seed=9"], "quantize.seed", 9),
        (["hardware.overrides.act_kib=64"], "hardware.overrides", {"act_kib": 64}),
        (["compile.images=4"], "compile.images", 4),
        (["compile.images=4", "compile.images=null"], "compile.images", None),
    ],
)
def test_an_override(load: Any, overrides: list[str], attribute: str, value: Any) -> None:
    """Over a file that has some of the sections."""
    found = load(
        "model_args: {depth: 2}\ndata: {mean: [1], std: [1]}\ntrain:\n  epochs: 3", *overrides
    )
    for name in attribute.split("."):
        found = getattr(found, name)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["", "train:", "train: null", "train: {}", "model: a"])
def test_an_override_makes_its_section(load: Any, text: str) -> None:
    assert load(text, "train.augment.shift=4").train.augment.shift == 4


def test_an_override_leaves_what_shares_an_anchor(load: Any) -> None:
    config = load("model_args: {a: &a {x: 1}, b: *a}", "model_args.a.x=2")
    assert config.model_args == {"a": {"x": 2}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "--set train.epochs: expected key=value"),
        ("=5", "expected key=value"),
        ("", "expected key=value"),
        ("train..epochs=5", "expected key=value"),
        (".epochs=5", "expected key=value"),
        ("train.epoch=5", r"--set train.epoch=5: unknown key 'epoch' in 'train'; did you mean"),
        ("trian.epochs=5", r"--set trian.epochs=5: unknown key 'trian'; did you mean 'train'\?"),
        ("train.epochs=x", "--set train.epochs=x: train.epochs must be a whole number, got 'x'"),
        ("train.epochs=", "--set train.epochs=: train.epochs must be a whole number, got None"),
        ("train.epochs=0", "--set train.epochs=0: train.epochs must be at least 1, got 0"),
        ("train.epochs=[", r"--set train.epochs=\[: not valid YAML"),
        ("train.epochs=\0", "not valid YAML"),
        ("train=5", "--set train=5: 'train' must be a mapping"),
        ("train.epochs.x=5", "--set train.epochs.x=5: there is no section that 'x' could be in"),
        ("model.x=5", "--set model.x=5: there is no section that 'x' could be in"),
        ("data.mean=0.5", "--set data.mean=0.5: data.mean must be a list, got 0.5"),
        ("data.std=[58.4]", r"--set data.std=\[58.4\]: data.std is \[58.4\], of pixels in 0..255"),
        ("train={epochs: 1, epochs: 2}", "'epochs' is given twice"),
    ],
)
def test_an_override_that_is_refused(load: Any, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load("model: lenet\ntrain: {epochs: 3}", override)


def test_an_override_hides_no_error_of_the_file(load: Any) -> None:
    with pytest.raises(ConfigError, match=r"lenet\.yaml:3: 'epochs' is given twice"):
        load("train:\n  epochs: 1\n  epochs: 2", "train.epochs=5")
    with pytest.raises(ConfigError, match="there is no section that 'train' could be in"):
        load("[1]", "train.epochs=5")


def test_arguments_of_the_model_are_json(load: Any) -> None:
    config = load("model_args: {a: [1, 2.5, x, null, true], b: {c: {}}}")
    assert json.loads(json.dumps(config.model_args)) == config.model_args
