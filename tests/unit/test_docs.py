"""README, docs and configs say what the code does."""

import dataclasses
import json
import re
import shlex
import typing
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cnnaccel import __version__
from cnnaccel.cli import cli
from cnnaccel.config import Config, DataConfig, load_config
from cnnaccel.hardware import load_hardware
from cnnaccel.nn.data import find_data_dir, load_dataset
from cnnaccel.pipeline.run import STAGE_NAMES

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
COMMANDS = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
COMPLETE = ROOT / "configs/lenet_fashionmnist.yaml"
OTHER_DATA_ONLY = {
    "data.size",
    "data.crop",
    "data.colour",
    "data.shape",
    "data.classes",
    "data.images",
}


def keys(cls: type, prefix: str = "") -> dict[str, object]:
    """Every key of a configuration and its default."""
    found: dict[str, object] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[field.name]):
            found |= keys(hints[field.name], f"{prefix}{field.name}.")
        elif "internal" not in field.metadata:
            factory = field.default_factory
            found[prefix + field.name] = (
                field.default if factory is dataclasses.MISSING else factory()
            )
    return found


def test_every_command_is_listed() -> None:
    listed = re.findall(r"^\| `cnnaccel ([\w-]+)(?: [A-Z]+)?` \|", COMMANDS, re.MULTILINE)
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
    assert {key for key in keys(Config) if not has(values, key.split("."))} == OTHER_DATA_ONLY


def has(values: dict[str, Any], path: list[str]) -> bool:
    """Whether a tree of mappings has an entry at the end of a path."""
    first, *rest = path
    return first in values and (not rest or has(values[first], rest))


def test_configuration_page_has_every_key_and_default() -> None:
    documented: dict[str, str] = {}
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
    for page in PAGES:
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


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_commands_are_such_as_the_program_takes(page: Path) -> None:
    """Each line of a page that begins with cnnaccel: the command, its options, their values."""
    text = page.read_text(encoding="utf-8")
    for line in re.findall(
        r"^(?:    |\$ |    \$ )(?:\.venv/bin/)?cnnaccel (.*)$", text, re.MULTILINE
    ):
        name, *arguments = shlex.split(line, comments=True)
        if name.startswith("-"):
            continue
        cli.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_files_are_such_as_the_program_takes(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in fenced blocks: configurations load, their engine exists, Python compiles."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    for language, name, body in re.findall(
        r"^```(yaml|python)\n# ([\w.]+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    ):
        if language == "python":
            compile(body, name, "exec")
            continue
        path = tmp_path / name
        path.write_text(body, encoding="utf-8")
        hardware = load_config(path).hardware
        load_hardware(
            hardware.board, [f"{key}={value}" for key, value in hardware.overrides.items()]
        )


def test_a_dataset_is_made_as_the_guide_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/guides/own-data.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    exec(compile(script, "make_dataset.py", "exec"), {})
    (section,) = re.findall(r"^data: (\{name: arrays.*\})$", text, re.MULTILINE)
    config = DataConfig(**yaml.safe_load(section))
    dataset = load_dataset(config, find_data_dir(config, None))
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (400, 50, 50)
    assert dataset.classes[3] == "stripe 3"


def test_the_table_of_engines_is_right() -> None:
    text = (ROOT / "docs/concepts/engine.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (`\w+`.*?) \| ([\d x]+) \| ([\d,]+) \| (\d+), (\d+) KiB \|$", text, re.M
    )
    assert rows
    for names, lanes, macs, act, wgt in rows:
        for name in re.findall(r"`(\w+)`", names):
            hardware = load_hardware(name)
            assert " x ".join(map(str, hardware.lanes)) == lanes
            assert f"{hardware.peak_macs:,}" == macs
            assert (str(hardware.act_kib), str(hardware.wgt_kib)) == (act, wgt)
