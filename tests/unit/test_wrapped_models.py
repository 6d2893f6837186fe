"""Models as training leaves them: inside wrappers, and with more outputs than their logits."""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torch.optim.swa_utils import AveragedModel

from cnnaccel.config import Config, DataConfig, TrainConfig
from cnnaccel.errors import ModelError
from cnnaccel.nn.data import load_dataset
from cnnaccel.nn.evaluate import predict_logits
from cnnaccel.nn.models import build_model, make_model
from cnnaccel.nn.outputs import main_output, moves_every_parameter, take_main_output
from cnnaccel.nn.train import train
from cnnaccel.nn.wrappers import unwrap
from cnnaccel.quant.canonical import canonicalize
from tests.support.train_driver import Speaker, TwoHeads

SHAPE = (1, 28, 28)
WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "DataParallel": nn.DataParallel,
    "torch.compile": torch.compile,  # type: ignore[dict-item]
    "AveragedModel": AveragedModel,
    "two": lambda model: nn.DataParallel(torch.compile(model)),  # type: ignore[type-var]
    "a class of another package": lambda model: DistributedDataParallel(model),
}


class DistributedDataParallel(nn.Module):
    """As apex has one: the same name, another class."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *_: Any) -> None:
        raise RuntimeError("no process group")


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)
    )


def as_spec(make: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """`make` as the `model:` of a configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrapped_nets.py").write_text("make = None\n")
    monkeypatch.delitem(sys.modules, "wrapped_nets", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    wrapped_nets = importlib.import_module("wrapped_nets")
    monkeypatch.setattr(wrapped_nets, "make", make)
    return "wrapped_nets:make"


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_is_taken_off(
    wrapper: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inner = net()
    wrap = WRAPPERS[wrapper]
    model = build_model(as_spec(lambda: wrap(inner), monkeypatch, tmp_path), {})
    assert type(model) is nn.Sequential
    assert list(model.state_dict()) == list(inner.state_dict())


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_around_a_part_is_taken_off(wrapper: str) -> None:
    features, head = net()[:4], nn.Linear(256, 10)
    model = unwrap(
        nn.Sequential(OrderedDict(features=WRAPPERS[wrapper](features), head=head)).eval()
    )
    assert isinstance(model, nn.Sequential) and type(model.features) is nn.Sequential
    assert not model.training and model.head is head
    assert "features.0.weight" in model.state_dict()


def test_one_wrapper_under_two_names() -> None:
    wrapped = nn.DataParallel(nn.ReLU())
    model = unwrap(nn.Sequential(wrapped, nn.Sequential(wrapped), wrapped))
    assert isinstance(model, nn.Sequential) and isinstance(model[1], nn.Sequential)
    assert model[0] is model[2] is model[1][0] and type(model[0]) is nn.ReLU


def test_compiled_in_place() -> None:
    model = net()
    model.compile()
    model[0].compile()
    assert all(part._compiled_call_impl is None for part in unwrap(model).modules())


def test_what_has_a_module_of_its_own_stays() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = net()

        def forward(self, x: Tensor) -> Tensor:
            return self.module(x)

    model = Scaled()
    assert unwrap(model) is model and "module.0.weight" in model.state_dict()


def test_graph_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = as_spec(lambda: fx.symbolic_trace(net()), monkeypatch, tmp_path)
    model = make_model(Config(model=spec), SHAPE, 10)
    assert isinstance(model, fx.GraphModule)
    canonicalize(model, SHAPE)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("how", ["script", "trace", "export"])
def test_what_is_no_module_of_python(
    how: str, inside: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def make() -> nn.Module:
        image = torch.zeros(2, *SHAPE)
        made: nn.Module
        if how == "script":
            made = torch.jit.script(net())
        elif how == "trace":
            made = torch.jit.trace(net(), image)
        else:
            made = torch.export.export(net().eval(), (image,)).module()
        return nn.Sequential(made) if inside else made

    with pytest.raises(ModelError) as caught:
        build_model(as_spec(make, monkeypatch, tmp_path), {})
    message = str(caught.value)
    assert message.startswith("model 'wrapped_nets:make': its part '0' is" if inside else "model ")
    assert ("exported program" if how == "export" else "TorchScript") in message
    assert "give the module" in message and "\n" not in message


Named = namedtuple("Named", ["aux", "logits"])
LOGITS, OTHER = torch.rand(2, 10), torch.rand(2, 10)
# name: (what is returned, whether the logits are told in evaluation mode, in training mode)
OUTPUTS: dict[str, tuple[Any, bool, bool]] = {
    "a tensor": (LOGITS, True, True),
    "tuple": ((LOGITS, OTHER), False, True),
    "list": ([LOGITS, OTHER], False, True),
    "tuple of one": ((LOGITS,), True, True),
    "namedtuple": (Named(OTHER, LOGITS), True, True),
    "out": ({"aux": OTHER, "out": LOGITS}, True, True),
    "logits": ({"loss": None, "logits": LOGITS}, True, True),
    "dict of one": ({"prediction": LOGITS}, True, True),
    "attribute": (SimpleNamespace(loss=OTHER, logits=LOGITS), True, True),
    "dict of two": ({"y": LOGITS, "z": OTHER}, False, False),
    "first is none": ((None, LOGITS), False, False),
    "nothing": (None, False, False),
    "a number": (3, False, False),
    "empty": ((), False, False),
    "logits that are none": (SimpleNamespace(logits=None), False, False),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", OUTPUTS)
def test_main_output(case: str, training: bool) -> None:
    output, *told = OUTPUTS[case]
    if told[training]:
        assert main_output(output, training) is LOGITS
        return
    with pytest.raises(ModelError, match=r"the model returns .*return the logits alone") as caught:
        main_output(output, training)
    assert ("training mode" if training else "evaluation mode") in str(caught.value)


class Heads(nn.Module):
    """Logits and those of a second head, in a container that depends on the mode."""

    def __init__(self, trained: Callable[..., Any], evaluated: Callable[..., Any]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, stride=3), nn.ReLU(), nn.Flatten())
        self.head, self.aux = nn.Linear(36, 4), nn.Linear(36, 4)
        self.trained, self.evaluated = trained, evaluated

    def forward(self, x: Tensor) -> Any:
        x = self.body(x)
        return (self.trained if self.training else self.evaluated)(self.head(x), self.aux(x))


def config() -> Config:
    data = DataConfig(name="synthetic", shape=(1, 10, 10), classes=4, images=40, validation=10)
    return Config(data=data, train=TrainConfig(epochs=1, batch_size=20, average=0.5))


TRAINED: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "tuple": (lambda y, z: (y, z), lambda y, z: y),
    "out": (lambda y, z: {"out": y, "aux": z}, lambda y, z: {"out": y}),
    "logits": (
        lambda y, z: SimpleNamespace(loss=None, logits=y),
        lambda y, z: SimpleNamespace(loss=None, logits=y),
    ),
}


@pytest.mark.parametrize("case", TRAINED)
def test_auxiliary_outputs_train(case: str, tmp_path: Path) -> None:
    data = load_dataset(config().data, None)
    model = take_main_output(Heads(*TRAINED[case]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(config(), model, data, tmp_path, False, Speaker())
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {n for n in before if not n.startswith("aux")}
    assert predict_logits(model, data.test.images).shape == (len(data.test), 4)
    canonical = canonicalize(model, data.shape)
    image = torch.from_numpy(data.test.images[:2])
    with torch.no_grad():
        exact = model.eval()(image / 255)
        ours = canonical.module(canonical.prepare_input(image))
    assert np.allclose(ours.flatten(1), exact, atol=1e-5)


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "features": (lambda y, z: torch.cat((y, z), 1), r"turns 20 images into \[20, 8\] of float32"),
    "labels": (lambda y, z: y.argmax(1), r"into \[20\] of int64; expected logits of \[20, 4\]"),
    "two names": (lambda y, z: {"y": y, "z": z}, "returns a dict of y, z in training mode"),
    "nothing": (lambda y, z: None, "returns a NoneType in training mode"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_is_said(case: str, tmp_path: Path) -> None:
    trained, message = REFUSED[case]
    data = load_dataset(config().data, None)
    model = Heads(trained, lambda y, z: y)
    with pytest.raises(ModelError, match=message) as caught:
        train(config(), model, data, tmp_path, False, Speaker())
    assert "cross_entropy" not in str(caught.value)


def test_a_tuple_in_evaluation_mode_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def both(y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return y, z

    spec = as_spec(lambda: Heads(both, both), monkeypatch, tmp_path)
    with pytest.raises(ModelError, match="returns a tuple of 2 in evaluation mode; return the log"):
        make_model(Config(model=spec), (1, 10, 10), 4)


@pytest.mark.slow
def test_googlenet_trains(tmp_path: Path) -> None:
    arguments = {"num_classes": 4, "init_weights": False, "aux_logits": True}
    model = build_model("torchvision.models:googlenet", arguments)
    assert not moves_every_parameter(model, (3, 32, 32))
    options = DataConfig(name="synthetic", shape=(3, 32, 32), classes=4, images=14, validation=4)
    run = Config(data=options, train=TrainConfig(epochs=1, batch_size=10))
    result = train(run, model, load_dataset(options, None), tmp_path, False, Speaker())
    assert np.isfinite(result.history[0].train_loss)


def test_which_parameters_a_step_moves() -> None:
    assert moves_every_parameter(net(), SHAPE)
    assert not moves_every_parameter(TwoHeads(1, 4), SHAPE)
    frozen = TwoHeads(1, 4)
    frozen.aux.requires_grad_(False)
    state = torch.get_rng_state()
    assert moves_every_parameter(frozen, SHAPE)
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in frozen.parameters())
