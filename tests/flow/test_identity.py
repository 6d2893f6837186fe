"""Results belong to what they were made from: what is out of date is refused, or used when told."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from cnnaccel.cli import main
from cnnaccel.ir.graph import Conv2d
from cnnaccel.ir.storage import load_graph
from cnnaccel.nn import data
from cnnaccel.workspace import Stage
from tests.support.commands import Cnnaccel

NET = """
import json
from torch import nn
from blocks_i import block
class Net(nn.Sequential):
    def __init__(self):
        width = json.load(open("width.json"))
        super().__init__(*block(1, width), nn.Flatten(), nn.Linear(width * 49, 10))
"""
BLOCKS = """
from torch import nn
KERNEL = 3
def block(i, o):
    return [nn.Conv2d(i, o, KERNEL, padding=KERNEL // 2), nn.BatchNorm2d(o), nn.ReLU(),
            nn.MaxPool2d(4)]
"""
CONFIG = """
model: net_i:Net
data: {name: synthetic, shape: [1, 28, 28], images: 100, validation: 20}
train: {epochs: 1, batch_size: 20}
quantize: {calibration_images: 16}
hardware: {board: tiny}
"""
READERS = ("evaluate", "inspect", "compile", "explore", "simulate", "report")
"""Commands that read the graph."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, its network compiled."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "net_i.py").write_text(NET)
    (folder / "blocks_i.py").write_text(BLOCKS)
    (folder / "width.json").write_text("4")
    (folder / "net.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.chdir(folder)
        main(["run", "net.yaml", "--until", "compile"])
    assert ended.value.code in (0, None)
    forget()
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy that a test may spoil, as the working directory."""
    folder = Path(shutil.copytree(made, tmp_path / "project"))
    monkeypatch.chdir(folder)
    yield folder
    forget()


def forget() -> None:
    """Let the next command import the model anew, as a process of its own would."""
    for name in ("net_i", "blocks_i"):
        sys.modules.pop(name, None)


def digests(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- the model -------------------------------------------------------------------------------


def test_a_module_that_the_model_imports(project: Path, cnnaccel: Cnnaccel) -> None:
    """A module goes from 3x3 to 5x5, and the run once was `up to date`."""
    source = project / "blocks_i.py"
    source.write_text(source.read_text().replace("KERNEL = 3", "KERNEL = 5"))
    forget()
    refused = cnnaccel("evaluate", "net.yaml")
    assert refused.code == 1
    assert refused.err == (
        "error: train: model file blocks_i.py changed; `cnnaccel run net.yaml --until quantize` "
        "makes it again, --stored uses it as it is\n"
    )
    ran = cnnaccel("run", "net.yaml", "--until", "quantize")
    assert ran.code == 0 and "train (model file blocks_i.py, model graph changed)" in ran.out
    (conv, *_) = (x for x in load_graph(project / "build/net/quantize").layers
                  if isinstance(x, Conv2d))  # fmt: skip
    assert conv.kernel == (5, 5)
    assert cnnaccel("evaluate", "net.yaml").code == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p: (p / "width.json").write_text("6"), "model file width.json changed"),
        (lambda p: (p / "width.json").unlink(), "model file width.json"),
        (lambda p: (p / "net_i.py").write_text(NET + "# other\n"), "model file net_i.py changed"),
    ],
)
@pytest.mark.parametrize("command", READERS)
def test_a_file_of_the_model(
    command: str, change: Callable[[Path], object], told: str, project: Path, cnnaccel: Cnnaccel
) -> None:
    change(project)
    before = digests(project / "build")
    result = cnnaccel(command, "net.yaml")
    assert result.code == 1 and result.err.startswith(f"error: train: {told}")
    assert len(result.err.splitlines()) == 1 and digests(project / "build") == before


def test_what_only_the_graph_tells(
    project: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that depends on no file: `run` makes it, looks at it, and trains again."""
    width = "4 + len(__import__('os').environ.get('WIDE', ''))"
    (project / "net_i.py").write_text(NET.replace('json.load(open("width.json"))', width))
    assert cnnaccel("run", "net.yaml", "--until", "train").code == 0
    assert "up to date" in cnnaccel("run", "net.yaml", "--until", "train").out
    monkeypatch.setenv("WIDE", "xx")
    assert "train (model graph changed)" in cnnaccel("run", "net.yaml", "--until", "train").out


# ---- values of the configuration -------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("quantize.weights", "per_tensor",
         "quantize: quantize.weights is per_channel, asked for is per_tensor"),
        ("quantize.calibration_images", "8",
         "quantize: quantize.calibration_images is 16, asked for is 8"),
        ("model", "lenet", "train: model is net_i:Net, asked for is lenet"),
        ("model_args", "{a: 1}", 'train: model_args is {}, asked for is {"a": 1}'),
        ("data.validation", "30", "train: data.validation is 20, asked for is 30"),
        ("data.mean", "[0.5]", "train: data.mean is not set, asked for is [0.5]"),
        ("data.name", "digits", "train: data.name is synthetic, asked for is digits"),
        ("train.augment.flip", "true", "train: train.augment.flip is false, asked for is true"),
        ("train.seed", "7", "train: train.seed is 0, asked for is 7"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["evaluate", "inspect", "report"])
def test_a_value_that_differs(
    command: str, key: str, value: str, told: str, project: Path, cnnaccel: Cnnaccel
) -> None:
    extra = ("--set", "data.std=[0.5]") if key == "data.mean" else ()
    before = digests(project / "build")
    result = cnnaccel(command, "net.yaml", "--set", f"{key}={value}", *extra)
    assert result.code == 1 and result.err.startswith(f"error: {told}"), result.err
    assert f"{key}=" in result.err and "--until quantize` makes it again" in result.err
    assert len(result.err.splitlines()) == 1 and digests(project / "build") == before


@pytest.mark.parametrize("command", ["deploy", "export"])
def test_a_program_for_another_engine(command: str, project: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel(command, "net.yaml", "--set", "hardware.overrides.act_kib=8")
    assert result.code == 1, result.out
    assert "compile: hardware.act_kib is 4, asked for is 8" in result.err
    assert "--until compile` makes it again" in result.err


@pytest.mark.parametrize(
    "option",
    ["train.epochs=1", "data.dir=elsewhere", "data.classes=10", "hardware.board=zcu104",
     "compile.images=2"],
)  # fmt: skip
def test_values_that_a_graph_does_not_depend_on(
    option: str, project: Path, cnnaccel: Cnnaccel
) -> None:
    assert cnnaccel("inspect", "net.yaml", "--set", option).code == 0


def test_stored_goes_on_and_says_so(project: Path, cnnaccel: Cnnaccel) -> None:
    option = ("--set", "quantize.weights=per_tensor")
    result = cnnaccel("evaluate", "net.yaml", *option, "--stored")
    assert result.code == 0 and "golden: int8" in result.out
    assert (
        "--stored: quantize is used as it is, though quantize.weights is per_channel, asked for "
        "is per_tensor"
    ) in " ".join(result.out.split())
    assert result.out.count("--stored") == 1
    same = cnnaccel("evaluate", "net.yaml", "--stored")
    assert same.code == 0 and "--stored" not in same.out


def test_stored_takes_nothing_that_is_damaged(project: Path, cnnaccel: Cnnaccel) -> None:
    (project / "build/net/quantize/tensors.npz").write_bytes(b"scribble")
    result = cnnaccel("evaluate", "net.yaml", "--stored")
    assert result.code == 1 and "tensors.npz was altered" in result.err


def test_a_stage_of_an_earlier_version(project: Path, cnnaccel: Cnnaccel) -> None:
    """A key that it does not know, and versions, are inputs as others."""
    path = project / "build/net/quantize/manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["inputs"]["quantize.observer"]
    manifest["inputs"]["version of torch"] = "1.0"
    path.write_text(json.dumps(manifest))
    result = cnnaccel("inspect", "net.yaml")
    assert "quantize.observer is not set, asked for is histogram" in result.err
    assert "version of torch is 1.0, asked for is 2." in result.err


def test_files_of_the_dataset(
    project: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "fingerprint", lambda *_: "c" * 64)
    result = cnnaccel("inspect", "net.yaml")
    assert result.code == 1 and "train: data changed" in result.err
    monkeypatch.setattr(data, "is_at_hand", lambda *_: False)
    assert cnnaccel("inspect", "net.yaml").code == 0, "whoever reads them says they are missing"


# ---- configurations of one name --------------------------------------------------------------


def test_two_configurations_of_one_name(project: Path, cnnaccel: Cnnaccel) -> None:
    other = project / "other/net.yaml"
    other.parent.mkdir()
    other.write_text(CONFIG.replace("epochs: 1", "epochs: 2"))
    before = digests(project / "build/net")
    result = cnnaccel("evaluate", other)
    assert result.code == 1 and "is not there; run `cnnaccel quantize` first" in result.err
    ran = cnnaccel("run", other, "--until", "quantize")
    assert ran.code == 0 and "build/net is another file's; this one's is build/net-" in ran.out
    assert digests(project / "build/net") == before
    assert cnnaccel("evaluate", other).code == cnnaccel("evaluate", "net.yaml").code == 0
    (beside,) = project.glob("build/net-*")
    manifest = Stage(beside / "train").manifest()
    assert manifest is not None and manifest["inputs"]["train.epochs"] == 2


# ---- weights of the user's own ---------------------------------------------------------------


@pytest.fixture
def weights(project: Path) -> Path:
    """Other weights for the network, which no training would give."""
    content = torch.load(project / "build/net/train/model.pt", weights_only=True)
    state = content["weights"]
    state["5.weight"] = -state["5.weight"]
    path = project / "mine.pth"
    torch.save(state, path)
    return path


def used(project: Path) -> Path:
    """The weights that the graph was made from, as 'train' or 'import'."""
    manifest = Stage(project / "build/net/quantize").manifest()
    assert manifest is not None
    for name in ("train", "import"):
        stage = Stage(project / "build/net" / name).manifest()
        if stage and stage["artifacts"]["model.pt"] == manifest["inputs"]["weights"]:
            return Path(name)
    raise AssertionError("neither")


def test_imported_weights_stay(project: Path, weights: Path, cnnaccel: Cnnaccel) -> None:
    """`run` after `quantize --checkpoint` once trained, and replaced the graph."""
    trained = digests(project / "build/net/train")
    before = weights.read_bytes()
    assert cnnaccel("quantize", "net.yaml", "--checkpoint", weights).code == 0
    graph = digests(project / "build/net/quantize")
    result = cnnaccel("run", "net.yaml", "--until", "evaluate")
    assert result.code == 0 and "epoch" not in result.out and "imported" in result.out
    assert digests(project / "build/net/quantize") == graph and used(project) == Path("import")
    assert digests(project / "build/net/train") == trained, "hours of training are kept"
    assert cnnaccel("evaluate", "net.yaml").code == 0
    assert weights.read_bytes() == before
    assert cnnaccel("report", "net.yaml").code == 0
    page = (project / "build/net/report/report.html").read_text()
    assert "Weights were imported from mine.pth" in page and "another version" not in page
    assert str(project) not in page

    weights.unlink()  # the import is a copy
    assert cnnaccel("run", "net.yaml", "--until", "evaluate").out.count("up to date") == 3

    result = cnnaccel("train", "net.yaml")
    assert result.code == 0 and "weights of this training are used from now on" in result.out
    assert cnnaccel("run", "net.yaml", "--until", "quantize").code == 0
    assert used(project) == Path("train")


def test_run_takes_weights_too(project: Path, weights: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("run", "net.yaml", "--checkpoint", weights, "--until", "quantize")
    assert result.code == 0 and "imported" in result.out and "epoch" not in result.out
    assert used(project) == Path("import")


@pytest.mark.parametrize("command", ["run", "quantize"])
def test_weights_in_the_configuration(
    command: str, project: Path, weights: Path, cnnaccel: Cnnaccel
) -> None:
    """A path from the working directory or from the file; without it, training is back."""
    folder = project / "nets"
    folder.mkdir()
    weights.rename(folder / "mine.pth")
    own = folder / "own.yaml"
    own.write_text(CONFIG + "weights: mine.pth\n")
    result = cnnaccel(command, own, *(("--until", "quantize") if command == "run" else ()))
    assert result.code == 0 and "imported" in result.out and "epoch" not in result.out, result.err
    assert cnnaccel("run", own, "--until", "quantize").code == 0
    own.write_text(CONFIG)
    refused = cnnaccel("evaluate", own)
    assert refused.code == 1 and ("train" in refused.err)
    assert "epoch" in cnnaccel("run", own, "--until", "train").out


def test_what_was_asked_for_last_is_used(project: Path, weights: Path, cnnaccel: Cnnaccel) -> None:
    """A training, or weights by option, go before those of the file, until it names others."""
    own = project / "net.yaml"
    own.write_text(CONFIG + "weights: mine.pth\n")
    assert "imported mine.pth" in cnnaccel("run", own, "--until", "quantize").out
    result = cnnaccel("train", own)
    assert result.code == 0 and "training, in place of the weights in" in result.out
    assert "weights of this training are used from now on" in result.out
    ran = cnnaccel("run", own, "--until", "quantize")
    assert "imported" not in ran.out and used(project) == Path("train")
    shutil.copy(weights, project / "other.pth")
    assert cnnaccel("quantize", own, "--checkpoint", "other.pth").code == 0
    assert used(project) == Path("import")
    ran = cnnaccel("run", own, "--until", "quantize")
    assert ran.out.count("up to date") == 2, ran.out
    own.write_text(CONFIG + "weights: other.pth\n")
    assert "other.pth" in cnnaccel("run", own, "--until", "train").out


def test_weights_that_change(project: Path, weights: Path, cnnaccel: Cnnaccel) -> None:
    assert cnnaccel("quantize", "net.yaml", "--checkpoint", weights).code == 0
    state = torch.load(weights, weights_only=True)
    torch.save({name: value * 2 for name, value in state.items()}, weights)
    assert "train: weights changed" in cnnaccel("evaluate", "net.yaml").err
    result = cnnaccel("run", "net.yaml", "--until", "quantize")
    assert result.code == 0 and "train (weights changed)" in result.out
    assert used(project) == Path("import")


def test_weights_that_are_not_there(project: Path, weights: Path, cnnaccel: Cnnaccel) -> None:
    before = digests(project / "build")
    for command in ("quantize", "run"):
        result = cnnaccel(command, "net.yaml", "--checkpoint", "nowhere.pth")
        assert result.code == 1 and "nowhere.pth is not there" in result.err
        assert digests(project / "build") == before
    assert cnnaccel("quantize", "net.yaml", "--checkpoint", weights).code == 0
    before = digests(project / "build")
    result = cnnaccel("run", "net.yaml", "--set", "weights=nowhere.pth")
    assert result.code == 1 and "nowhere.pth is not there" in result.err
    assert digests(project / "build") == before
    weights.unlink()
    (project / "net_i.py").write_text(NET + "# changed, so the import is out of date\n")
    result = cnnaccel("run", "net.yaml")
    assert result.code == 1 and "mine.pth is no longer there" in result.err
    assert "--checkpoint" in result.err and digests(project / "build") == before


def test_nothing_to_resume(project: Path, weights: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("train", "net.yaml", "--set", f"weights={weights}", "--resume")
    assert result.code == 1 and "nothing to resume: the weights are those of" in result.err
