"""README, docs and configs say what the code does."""

import dataclasses
import json
import re
import typing
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cnnaccel import __version__
from cnnaccel.cli import cli
from cnnaccel.config import Config, load_config
from cnnaccel.pipeline.run import STAGE_NAMES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
COMPLETE = ROOT / "configs/lenet_fashionmnist.yaml"
SYNTHETIC_ONLY = {"data.shape", "data.classes", "data.images"}


def keys(cls: type, prefix: str = "") -> dict[str, object]:
    """Every key of a configuration and its default."""
    found: dict[str, object] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[field.name]):
            found |= keys(hints[field.name], f"{prefix}{field.name}.")
        elif "internal" not in field.metadata:
            made = field.default_factory is not dataclasses.MISSING
            found[prefix + field.name] = field.default_factory() if made else field.default
    return found


def test_readme_lists_every_command() -> None:
    listed = re.findall(r"^\| `cnnaccel ([\w-]+)(?: [A-Z]+)?` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(cli.commands)


@pytest.mark.parametrize("command", cli.commands.values(), ids=lambda c: c.name)
def test_help_has_a_sentence_and_an_example(command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=f"cnnaccel {command.name}"))
    sentence, _, example = text.partition("Example:")
    assert re.search(r"^  [A-Z].*\.$", sentence, re.MULTILINE)
    assert f"cnnaccel {command.name}" in example


def test_run_offers_the_stages() -> None:
    choices = [p.type for p in cli.commands["run"].params if p.name in ("first", "last")]
    assert [tuple(c.choices) for c in choices] == [STAGE_NAMES, STAGE_NAMES]  # type: ignore


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_config_loads_and_says_what_it_is(path: Path) -> None:
    assert load_config(path).name == path.stem
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_complete_config_has_every_key() -> None:
    values = yaml.safe_load(COMPLETE.read_text(encoding="utf-8"))
    assert {key for key in keys(Config) if not has(values, key.split("."))} == SYNTHETIC_ONLY


def has(values: dict[str, Any], path: list[str]) -> bool:
    """Whether a tree of mappings has an entry at the end of a path."""
    first, *rest = path
    return first in values and (not rest or has(values[first], rest))


def test_configuration_page_has_every_key_and_default() -> None:
    documented = {}
    for section in CONFIGURATION.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        prefix = "" if title == "Top level" else f"{title}."
        for names, default in re.findall(r"^\| (`[^|]*`) \| `([^|]*)` \|", body, re.MULTILINE):
            documented |= {prefix + name: default for name in re.findall(r"`([\w.]+)`", names)}
    shown = {}
    for key, default in keys(Config).items():
        value = list(default) if isinstance(default, tuple) else default
        shown[key] = value if isinstance(value, str) else json.dumps(value)
    assert documented == shown


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_contributing_names_what_there_is() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make ([\w-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for name in re.findall(r"`((?:quant|ir|compiler|isa)/[\w/]+)`", text):
        path = ROOT / "cnnaccel" / name
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / link).exists(), link


def test_the_version_is_said_once() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == __version__
