"""Models of the user's making, normalisation, and checkpoints: what works and what is refused."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnnaccel.config import Config, DataConfig
from cnnaccel.errors import CheckpointError, ConfigError, ModelError
from cnnaccel.nn.checkpoint import load_checkpoint, load_weights, save_checkpoint
from cnnaccel.nn.models import (
    Normalize,
    build_model,
    check_fits,
    make_model,
    with_normalization,
)
from cnnaccel.nn.vision import import_torchvision

OWN = """
import torch
from torch import nn

class Own(nn.Module):
    def __init__(self, width: int = 4):
        super().__init__()
        self.fc = nn.Linear(12, width)
    def forward(self, x):
        return self.fc(x.flatten(1))

def make(width):
    return Own(width)

ready = Own()
number = 3
def number_maker():
    return 3
def broken():
    raise KeyError("hidden")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with models in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_models.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "own_models", raising=False)
    return tmp_path


def refused(spec: str, args: dict[str, Any] | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        build_model(spec, args or {})
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def outputs(model: Any) -> int:
    """The width of its dense layer."""
    return model.fc.out_features


def test_own_models(here: Path) -> None:
    path = list(sys.path)
    assert outputs(build_model("own_models:Own", {"width": 5})) == 5
    assert outputs(build_model("own_models:make", {"width": 6})) == 6
    assert isinstance(build_model("own_models:ready", {}), nn.Module)
    assert sys.path == path


def test_own_model_in_a_package(here: Path) -> None:
    (here / "own_package").mkdir()
    (here / "own_package" / "deep.py").write_text(OWN)
    assert outputs(build_model("own_package.deep:Own", {})) == 4


def test_seed_decides_the_weights_alone() -> None:
    state = torch.get_rng_state()
    a, b, c = (build_model("lenet", {}, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["fc1.weight"], c["fc1.weight"])
    assert torch.equal(state, torch.get_rng_state())


def test_torchvision_model() -> None:
    check_fits(build_model("torchvision.models:resnet18", {"num_classes": 4}), (3, 32, 32), 4)


def test_import_torchvision() -> None:
    torchvision = import_torchvision()
    assert import_torchvision() is torchvision is sys.modules["torchvision"]
    assert torchvision.datasets.FashionMNIST and torchvision.models.resnet18


def test_torchvision_that_stays_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str) -> None:
        raise RuntimeError("something else entirely")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(ModelError, match="torchvision cannot be imported: something else"):
        import_torchvision()


def test_unknown_names(here: Path) -> None:
    assert "did you mean 'lenet'?" in refused("lenett")
    assert "the zoo has lenet, lenet_caffe, resnet8, dscnn" in refused("zzz")
    assert "package.module:attribute" in refused("models/my.py:Net")
    assert f"no module 'nowhere' in {here}" in refused("nowhere:Net")
    assert "no module 'own_models.inner'" in refused("own_models.inner:Net")
    assert "has no 'Onw'; did you mean 'Own'?" in refused("own_models:Onw")


def test_model_file_that_fails(here: Path) -> None:
    (here / "bad_raise.py").write_text("import os\n\nraise ValueError('no luck')\n")
    (here / "bad_syntax.py").write_text("x = 1\ndef f(:\n")
    (here / "bad_exit.py").write_text("import sys\nsys.exit(3)\n")
    (here / "bad_import.py").write_text("import os\nimport not_a_package\n")
    assert f"{here}/bad_raise.py:3: ValueError: no luck" in refused("bad_raise:Net")
    assert f"{here}/bad_syntax.py:2: SyntaxError: " in refused("bad_syntax:Net")
    assert f"{here}/bad_exit.py:2: SystemExit: 3" in refused("bad_exit:Net")
    assert f"{here}/bad_import.py:2: ModuleNotFoundError: " in refused("bad_import:Net")


def test_constructor_that_fails(here: Path) -> None:
    message = refused("lenet", {"widht": 3})
    assert "widht=3" in message and "it accepts in_channels, classes, dropout" in message
    assert "width" in refused("own_models:make")
    assert f"{here}/own_models.py:20: KeyError: 'hidden'" in refused("own_models:broken")
    assert "gives a int, not a torch.nn.Module" in refused("own_models:number")
    assert "gives a int, not a torch.nn.Module" in refused("own_models:number_maker")
    assert "takes no model_args" in refused("own_models:ready", {"width": 3})


def test_check_fits() -> None:
    with pytest.raises(ModelError, match=r"does not fit 1x32x32 images: .*mat1 and mat2"):
        check_fits(build_model("lenet", {}), (1, 32, 32), 10)
    with pytest.raises(ModelError, match=r"does not fit 3x28x28 images: .*channels"):
        check_fits(build_model("lenet", {}), (3, 28, 28), 10)
    with pytest.raises(ModelError, match=r"into \[2, 10\]; the data has 7 classes"):
        check_fits(build_model("lenet", {}), (1, 28, 28), 7)
    with pytest.raises(ModelError, match="returns a tuple"):
        check_fits(nn.LSTM(28, 10), (28, 28), 10)  # type: ignore[arg-type]


def test_normalization_stays_as_it_is() -> None:
    inner = nn.Flatten()
    model: Any = with_normalization(inner, (0.5, 0.25), (0.5, 2.0), channels=2)
    model.train()
    assert inner.training and not model.normalize.training
    x = torch.rand(3, 2, 4, 4)
    expected = (x - torch.tensor([0.5, 0.25])[:, None, None]) / torch.tensor([0.5, 2.0])[
        :, None, None
    ]
    for _ in range(2):
        assert torch.allclose(model(x), expected.flatten(1), atol=1e-6)
    assert isinstance(model.normalize, Normalize) and not list(model.parameters())
    assert model.normalize.running_mean is not None
    assert model.normalize.running_mean.tolist() == [0.5, 0.25]


def test_normalization_counts_channels() -> None:
    config = Config(data=DataConfig(mean=(0.5,) * 3, std=(0.5,) * 3))
    with pytest.raises(ConfigError, match=r"3 values and data\.std 3, but images have 1 channels"):
        make_model(config, (1, 28, 28), 10)
    fitting = replace(config, data=DataConfig(mean=(0.5,), std=(0.25,)))
    model: Any = make_model(fitting, (1, 28, 28), 10)
    assert model.normalize.running_var.tolist() == [0.0625]


def write_model(path: Path, **changes: torch.Tensor | None) -> Path:
    weights = {**build_model("lenet", {}).state_dict(), **changes}
    kept = {key: value for key, value in weights.items() if value is not None}
    save_checkpoint(path, {"model": "lenet", "epoch": 3, "weights": kept})
    return path


def test_weights_round_trip(tmp_path: Path) -> None:
    source, target = build_model("lenet", {}, seed=1), build_model("lenet", {}, seed=2)
    path = tmp_path / "model.pt"
    save_checkpoint(path, {"epoch": 3, "weights": source.state_dict()})
    assert load_weights(target, path)["epoch"] == 3
    assert all(torch.equal(a, target.state_dict()[n]) for n, a in source.state_dict().items())


@pytest.mark.parametrize("normalized", [False, True])
def test_state_dict_from_elsewhere(tmp_path: Path, normalized: bool) -> None:
    source, target = build_model("lenet", {}, seed=1), build_model("lenet", {}, seed=2)
    path = tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    wrapped = with_normalization(target, [0.3], [0.4], channels=1) if normalized else target
    assert load_weights(wrapped, path) == {}
    assert all(torch.equal(a, target.state_dict()[n]) for n, a in source.state_dict().items())
    torch.save(source.state_dict() | {"fc3.bias": torch.full((10,), float("nan"))}, path)
    with pytest.raises(CheckpointError, match=r"fc3.bias has NaN"):
        load_weights(wrapped, path)


def test_unreadable_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(CheckpointError, match="is not there"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="cannot read"):
        load_checkpoint(tmp_path)
    for content in (
        b"",
        b"not a checkpoint",
        os.urandom(5000),
        write_model(path).read_bytes()[:9000],
    ):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="corrupt, or no checkpoint of ours"):
            load_checkpoint(path)


def test_foreign_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(build_model("lenet", {}).state_dict(), path)
    with pytest.raises(CheckpointError, match="not written by cnnaccel"):
        load_checkpoint(path)
    torch.save(build_model("lenet", {}), path)  # a pickled module is never executed
    with pytest.raises(CheckpointError, match="no checkpoint of ours"):
        load_checkpoint(path)
    torch.save({"format": "cnnaccel-checkpoint", "version": 99}, path)
    with pytest.raises(CheckpointError, match="version 99, this cnnaccel reads 1"):
        load_checkpoint(path)
    save_checkpoint(path, {"epoch": 1})
    with pytest.raises(CheckpointError, match="holds no trained model"):
        load_weights(build_model("lenet", {}), path)


def test_weights_of_another_architecture(tmp_path: Path) -> None:
    lenet = build_model("lenet", {})
    with pytest.raises(CheckpointError) as caught:
        load_weights(build_model("resnet8", {}), write_model(tmp_path / "a.pt"))
    assert "another architecture (lenet): conv.weight is missing; " in str(caught.value)
    assert "more; train again" in str(caught.value)
    with pytest.raises(CheckpointError, match=r"fc3.bias is \[7\], expected \[10\]; train again"):
        load_weights(lenet, write_model(tmp_path / "b.pt", **{"fc3.bias": torch.zeros(7)}))
    with pytest.raises(CheckpointError, match="extra is unexpected"):
        load_weights(lenet, write_model(tmp_path / "c.pt", extra=torch.zeros(7)))
    with pytest.raises(CheckpointError, match=r"fc1.bias is missing"):
        load_weights(lenet, write_model(tmp_path / "d.pt", **{"fc1.bias": None}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(tmp_path: Path, value: float) -> None:
    path = write_model(tmp_path / "model.pt", **{"fc2.bias": torch.full((84,), value)})
    with pytest.raises(CheckpointError, match=r"fc2\.bias has NaN or infinite values"):
        load_weights(build_model("lenet", {}), path)


def test_full_disk_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"epoch": 1})

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"epoch": 2})
    assert load_checkpoint(path)["epoch"] == 1
