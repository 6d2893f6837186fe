"""Files of weights as people have them: read where they say what the weights are, else named."""

from __future__ import annotations

import argparse
import gzip
import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from cnnaccel.errors import CheckpointError
from cnnaccel.nn.checkpoint import load_weights, save_checkpoint
from cnnaccel.nn.models import with_normalization
from cnnaccel.nn.weights_file import SAVE

State = dict[str, Tensor]


class Net(nn.Module):
    """conv, batch norm, dense; pickled whole by some tests."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(self.bn(self.conv(x)).relu().flatten(1))
        return x


class Settings:
    """A class of the user's, in what a training leaves beside its weights."""

    def __init__(self) -> None:
        self.rate = 0.1


class Bunch(dict):
    """A dictionary of the user's."""


def leave_witness(path: Path) -> None:
    path.write_text("it ran")


class Pixels(Tensor):
    """A tensor of the user's."""


class Items(list):
    """A list of the user's."""


class Runs:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return leave_witness, (self.path,)


class Shell:
    """Would start a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def trained() -> Net:
    torch.manual_seed(3)
    model = Net()
    assert model.bn.running_mean is not None
    nn.init.normal_(model.bn.running_mean)
    return model


def state() -> State:
    return trained().state_dict()


def prefixed(prefix: str) -> State:
    return {prefix + key: value for key, value in state().items()}


def changed(convert: Callable[[Tensor], Any]) -> dict[str, Any]:
    """Each float tensor converted."""
    return {k: convert(v) if v.is_floating_point() else v for k, v in state().items()}


def loads(content: Any, path: Path, exact: bool = True) -> tuple[str, ...]:
    """Write `content`, load it into a fresh model, compare; returns the notes."""
    if not isinstance(content, Path):
        torch.save(content, path)
    model = Net()
    loaded = load_weights(model, path)
    assert loaded == {}
    for name, value in model.state_dict().items():
        if "tracked" not in name:
            right = state()[name]
            assert torch.equal(value, right) if exact else torch.allclose(value, right, atol=0.1)
    return loaded.notes


def refused(content: Any, path: Path, model: nn.Module | None = None) -> str:
    """Write `content`, load it, and return why that is refused; the model stays as it was."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif not isinstance(content, Path):
        torch.save(content, path)
    model = model or Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, path)
    message = str(caught.value)
    assert message.startswith(str(path)) and message.count(str(path)) == 1
    assert "train again" not in message and "\n" not in message and len(message) < 700, message
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    return message


LIGHTNING = {
    "epoch": 3,
    "global_step": 12,
    "pytorch-lightning_version": "2.2.0",
    "state_dict": prefixed("model."),
    "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
    "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score": torch.tensor(0.9)}},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1}]}],
    "lr_schedulers": [],
    "hyper_parameters": {"lr": 0.1},
}
# name: (what torch.save is given, the notes)
READ: dict[str, tuple[Any, list[str]]] = {
    "state_dict": (state(), []),
    "OrderedDict": (OrderedDict(state()), []),
    "parameters": (dict(trained().named_parameters()) | state(), []),
    "DataParallel": (
        nn.DataParallel(trained()).state_dict(), ["prefix 'module.' taken off 9 keys"],
    ),
    "torch.compile": (
        cast(nn.Module, torch.compile(trained())).state_dict(),
        ["prefix '_orig_mod.' taken off 9 keys"],
    ),
    "both": (
        prefixed("module._orig_mod."), ["prefix 'module._orig_mod.' taken off 9 keys"],
    ),
    "any prefix": (prefixed("a.b_c.0."), ["prefix 'a.b_c.0.' taken off 9 keys"]),
    "Lightning": (LIGHTNING, ["under 'state_dict'", "prefix 'model.' taken off 9 keys"]),
    "compiled Lightning": (
        {"state_dict": prefixed("net._orig_mod."), "epoch": 1},
        ["under 'state_dict'", "prefix 'net._orig_mod.' taken off 9 keys"],
    ),
    "Lightning with a loss": (
        {"state_dict": prefixed("model.") | {"criterion.weight": torch.ones(3)}},
        ["under 'state_dict'", "prefix 'model.'", "training alone uses it: criterion.weight"],
    ),
    "a part wrapped": (
        {k.replace("conv.", "conv.module."): v for k, v in state().items()},
        ["prefix 'conv.module.' read as 'conv.' in 2 keys"],
    ),
    "AveragedModel": (
        AveragedModel(trained()).state_dict(), ["prefix 'module.'", "uses it: n_averaged"],
    ),
    "model": ({"model": state(), "epoch": torch.tensor(3)}, ["weights found under 'model'"]),
    "any name": ({"x y": state(), "optimizer": {"state": {}}}, ["found under 'x y'"]),
    "two down": ({"ema": {"module": state(), "decay": 0.9}}, ["found under 'ema.module'"]),
    "a list": ([state(), {"lr": 0.1}], ["weights found under '0'"]),
    "among other things": (state() | {"epoch": 3, "classes": ["a", "b"]}, []),
    "no counts": (
        {k: v for k, v in state().items() if "tracked" not in k},
        ["1 num_batches_tracked missing, which only training uses"],
    ),
    "counts of batch norms that are not there": (
        state() | {"conv.num_batches_tracked": torch.tensor(1)}, ["conv.num_batches_tracked"],
    ),
    "a count with a dimension": (state() | {"bn.num_batches_tracked": torch.tensor([7])}, []),
    "auxiliary heads": (
        state() | {"aux1.fc.weight": torch.ones(2), "AuxLogits.fc.bias": torch.ones(2)},
        ["left out, as training alone uses it: aux1.fc.weight, AuxLogits.fc.bias"],
    ),
    "a count beyond float16": (state() | {"bn.num_batches_tracked": torch.tensor(np.inf)}, []),
    "double": (changed(Tensor.double), ["8 tensors of float64 taken as float32"]),
    "arrays": ({k: v.numpy() for k, v in state().items()}, []),
    "arrays of doubles": (changed(lambda v: v.double().numpy()), ["8 tensors of float64"]),
    "big-endian arrays": (changed(lambda v: v.numpy().astype(">f4")), []),
    "sparse": (changed(Tensor.to_sparse), ["8 tensors stored sparse, made dense"]),
    "sparse rows": (
        state() | {"fc.weight": state()["fc.weight"].to_sparse_csr()}, ["1 tensor stored sparse"],
    ),
    "needs grad": (changed(lambda v: v.requires_grad_()), []),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", READ)
def test_read(case: str, tmp_path: Path) -> None:
    content, expected = READ[case]
    notes = loads(content, tmp_path / "weights.pth")
    assert len(notes) == len(expected), notes
    assert all(part in note for part, note in zip(expected, notes, strict=True)), notes


@pytest.mark.parametrize(
    ("dtype", "note"),
    [
        (torch.float16, "8 tensors of float16 taken as float32"),
        (torch.bfloat16, "8 tensors of bfloat16 taken as float32"),
        (torch.float8_e4m3fn, "8 tensors of float8_e4m3fn taken as float32"),
    ],
)
def test_fewer_bits(dtype: torch.dtype, note: str, tmp_path: Path) -> None:
    content = changed(lambda v: v.to(dtype))
    torch.save(content, tmp_path / "a.pth")
    safetensors.torch.save_file(content, tmp_path / "a.safetensors")
    for path in tmp_path.iterdir():
        model = Net()
        assert load_weights(model, path).notes == (note,)
        assert torch.equal(model.fc.weight, content["fc.weight"].float())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantized_tensors_are_dequantized(tmp_path: Path) -> None:
    weight = state()["fc.weight"]
    ones, zeros = torch.full((3,), 0.01), torch.zeros(3, dtype=torch.int64)
    for quantized in (
        torch.quantize_per_tensor(weight, 0.01, 3, torch.qint8),
        torch.quantize_per_channel(weight, ones, zeros, 0, torch.qint8),
    ):
        notes = loads(state() | {"fc.weight": quantized}, tmp_path / "a.pth", exact=False)
        assert notes == ("1 tensor quantized in the file, dequantized",)
        model = Net()
        load_weights(model, tmp_path / "a.pth")
        assert torch.equal(model.fc.weight, quantized.dequantize())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ""])
def test_safetensors_by_content(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    safetensors.torch.save_file(prefixed("module."), path, metadata={"format": "pt"})
    assert loads(path, path) == ("prefix 'module.' taken off 9 keys",)
    path.write_bytes(path.read_bytes()[:-5])
    assert "corrupt, or cut short" in refused(path, path)


def test_numpy_and_old_files(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **{key: value.numpy() for key, value in state().items()})
    assert loads(path, path) == ()
    old = tmp_path / "weights.tar"
    torch.save({"model": prefixed("module.")}, old, _use_new_zipfile_serialization=False)
    assert loads(old, old) == ("weights found under 'model'", "prefix 'module.' taken off 9 keys")
    torch.save({"model": state(), "args": Settings()}, old, _use_new_zipfile_serialization=False)
    assert loads(old, old) == ("weights found under 'model'",)


@pytest.mark.parametrize(
    "extra",
    [
        argparse.Namespace(lr=0.1, path=Path("data")),
        Settings(),
        {"nested": [Settings(), {1, 2}, np.float64(3), np.arange(3), np.float32]},
        defaultdict(list, a=[1]),
        Bunch(lr=0.1),
        Items([1, 2]),
        [Bunch(a=Items([Settings(), Bunch(b=deque([1, 2]))]))],
        np.random.default_rng(0).bit_generator.state,
        torch.nn.functional.relu,
        Net,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_training_leaves_beside_the_weights(extra: Any, tmp_path: Path) -> None:
    content = {"state_dict": prefixed("model."), "hyper_parameters": extra}
    assert len(loads(content, tmp_path / "a.ckpt")) == 2


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    content = {"state_dict": state(), "extra": Runs(witness)}
    loads(content, tmp_path / "a.ckpt")
    assert not witness.exists()
    message = refused({"state_dict": state(), "extra": Shell()}, tmp_path / "b.ckpt")
    assert "would run posix.system" in message and SAVE in message


def test_own_names_with_a_prefix(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

    for content, note in (
        (state(), "prefix 'net.' put before 9 keys"),
        (prefixed("module."), "prefix 'module.' read as 'net.' in 9 keys"),
        (prefixed("module.net."), "prefix 'module.' taken off 9 keys"),
    ):
        torch.save(content, tmp_path / "a.pth")
        model = Wrapped()
        assert load_weights(model, tmp_path / "a.pth").notes == (note,)
        assert torch.equal(model.net.fc.weight, state()["fc.weight"])


def test_normalisation(tmp_path: Path) -> None:
    """It stands before the model, and its names are in no file from elsewhere."""
    model: Any = with_normalization(Net(), [0.3], [0.4], channels=1)
    torch.save(prefixed("module."), tmp_path / "a.pth")
    assert load_weights(model, tmp_path / "a.pth").notes == ("prefix 'module.' taken off 9 keys",)
    assert torch.equal(model.model.fc.weight, state()["fc.weight"])
    torch.save(model.state_dict(), tmp_path / "a.pth")
    save_checkpoint(tmp_path / "model.pt", {"weights": model.state_dict()})
    other = with_normalization(Net(), [0.3], [0.5], channels=1)
    for path in (tmp_path / "a.pth", tmp_path / "model.pt"):
        assert load_weights(model, path).notes == ()
        with pytest.raises(CheckpointError, match=r"trained with another data\.mean or data\.std"):
            load_weights(other, path)


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)
            self.order: torch.Tensor
            self.register_buffer("order", torch.zeros(2, dtype=torch.int64))

    path, content = tmp_path / "a.pth", Masked().state_dict()
    torch.save(content | {"order": torch.tensor([3.0, 4.0])}, path)
    model = Masked()
    load_weights(model, path)
    assert model.order.tolist() == [3, 4]
    message = refused(content | {"order": torch.tensor([0.5, 4.0])}, path, Masked())
    assert "order holds float32, where the model has int64" in message


def test_a_model_that_loads_otherwise(tmp_path: Path) -> None:
    class Own(Net):
        def load_state_dict(self, *_: Any, **__: Any) -> Any:
            raise KeyError("version")

    message = refused(state(), tmp_path / "a.pth", Own())
    assert "the model's load_state_dict() fails: 'version'" in message


def test_shared_tensors(tmp_path: Path) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)
            self.b.weight = self.a.weight

    path, source = tmp_path / "a.pth", Shared()
    torch.save(source.state_dict(), path)
    model = Shared()
    assert load_weights(model, path).notes == ()
    assert torch.equal(model.b.weight, source.a.weight)
    safetensors.torch.save_model(source, str(path))  # leaves one of the two out
    model = Shared()
    (note,) = load_weights(model, path).notes
    assert note.endswith("not in the file: the same tensor as another that is")
    assert torch.equal(model.a.weight, source.a.weight)
    torch.save(source.state_dict() | {"b.weight": torch.ones(2, 2)}, path)
    assert "a.weight and b.weight are one tensor in the model" in refused(path, path, Shared())


def int8() -> dict[str, Tensor]:
    return changed(lambda v: (v * 100).to(torch.int8))


# name: (what torch.save is given, what is said of it)
REFUSED: dict[str, tuple[Any, list[str]]] = {
    "int8": (int8(), ["conv.weight holds int8", "without their scale", "float weights"]),
    "bool": (changed(lambda v: v > 0), ["conv.weight holds bool"]),
    "complex": (changed(lambda v: v + 1j), ["conv.weight holds complex numbers (complex64)"]),
    "meta": (changed(lambda v: v.to("meta")), ["conv.weight holds no values: saved from a model"]),
    "texts": (changed(lambda v: np.array("x")), ["of another architecture", "conv.weight is []"]),
    "NaN": (changed(lambda v: v * np.nan), ["conv.weight has NaN or infinite", "earlier epoch"]),
    "complex NaN": (changed(lambda v: v * complex(np.nan)), ["conv.weight has NaN"]),
    "too large": (changed(lambda v: v.double() + 1e300), ["has values that no float32 holds"]),
    "other classes": (
        Net(1000).state_dict(),
        [
            "of another architecture: fc.weight is [1000, 8], expected [3, 8]; fc.bias is [1000]",
            "; set model and model_args to what these weights were made with",
        ],
    ),
    "another network": (
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 2)).state_dict(),
        ["another architecture: conv.weight is missing; conv.bias is missing; ", "more; set model"],
    ),
    "another network, nested": (
        {"net": {f"module.{k}": v for k, v in Net(4).state_dict().items()}},
        ["another architecture (weights under 'net' with prefix 'module.'): fc.weight is [4, 8]"],
    ),
    "two sets": (
        {"model": state(), "model_ema": AveragedModel(trained()).state_dict()},
        [
            "more than one set of weights that fits: under 'model', under 'model_ema' with prefix",
            'torch.save(torch.load("FILE")["model"], "weights.pth")',
        ],
    ),
    "two alike": ({"a": state(), "b": state()}, ["more than one", "under 'a', under 'b'"]),
    "student and teacher": (
        prefixed("student.") | prefixed("teacher."),
        ["with prefix 'student.', with prefix 'teacher.'", 'if k.startswith("student.")'],
    ),
    "more layers": (
        state() | {"conv2.weight": torch.ones(2), "conv2.bias": torch.ones(2)},
        ["has 2 tensors that the model has not: conv2.weight, conv2.bias", "leave out the rest: "],
    ),
    "a head beside the model": (
        prefixed("backbone.") | {"head.weight": torch.ones(2)}, ["1 tensor", "head.weight"],
    ),
    "more of an auxiliary head that there is": (
        state() | {"auxiliary.weight": torch.ones(2), "fc.scale": torch.ones(1)}, ["fc.scale"],
    ),
    "PyTorch quantized it": (
        {"conv.weight": state()["conv.weight"], "conv.scale": torch.ones(()),
         "conv.zero_point": torch.zeros(())},
        ["of a model that PyTorch quantized; give the float ones"],
    ),
    "PyTorch quantized it in part": (
        state() | {"conv.zero_point": torch.zeros(())}, ["of a model that PyTorch quantized"],
    ),
    "a class of tensors": (
        changed(lambda v: v.as_subclass(Pixels)),
        [f"is a torch file with objects of {__name__}.Pixels", SAVE],
    ),
    "a whole model": (
        trained(), [f"is a whole pickled model ({__name__}.Net)", "not run", SAVE],
    ),
    "a whole model inside": (
        {"epoch": 3, "model": trained()}, [f"is a whole pickled model ({__name__}.Net)", SAVE],
    ),
    "one object": (Settings(), [f"one object of class {__name__}.Settings", SAVE]),
    "one tensor": (torch.ones(3), ["holds one Tensor", SAVE]),
    "no tensors": ({"epoch": 3}, ["not written by cnnaccel", "holds epoch, and no tensors", SAVE]),
    "nothing": ({}, ["holds nothing, and no tensors"]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    content, words = REFUSED[case]
    message = refused(content, tmp_path / "weights.pth")
    assert all(word in message for word in words), message


def test_whole_model_of_an_old_torch(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(trained(), path, _use_new_zipfile_serialization=False)
    assert "is a whole pickled model" in refused(path, path)


def test_another_pickle_protocol(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(state(), path, pickle_protocol=4)
    message = refused(path, path)
    assert "a torch file of another pickle protocol than 2" in message and SAVE in message


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


# name of the file: (bytes, what it is called)
NAMED: dict[str, tuple[bytes, str]] = {
    "empty.pth": (b"", "is empty"),
    "onnx.pth": (
        b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\xd9\x01\n\x0f\n\x05image",
        "an ONNX model",
    ),
    "a.onnx": (b"\x0a\x07skl2onnx\xff", "an ONNX model"),
    "graph.pb": (b"\x08\x01\x12\x9d\xad\x01\n\xff", "a TensorFlow graph"),
    "frozen.pb": (b"\n\x1b\n\x05\xff", "a TensorFlow graph"),
    "h5.pth": (b"\x89HDF\r\n\x1a\n\0\0\0\0", "a Keras or HDF5 file"),
    "a.keras": (zipped("metadata.json", "config.json", "model.weights.h5"), "a Keras model"),
    "a.tflite": (b"\x1c\0\0\0TFL3\x14\0 \0", "a TensorFlow Lite model"),
    "a.gguf": (b"GGUF\x03\0\0\0", "a GGUF file"),
    "a.weights": (b"\0\0\0\0\x02\0\0\0\x05\0\0\0\xff\xfe", "a Darknet file"),
    "model.ckpt.data-00000-of-00001": (b"\0\xff" * 99, "a part of a TensorFlow checkpoint"),
    "a.npy": (array(), "a single NumPy array"),
    "other.zip": (zipped("a/weights.pth", "b"), "a zip archive of other files (a/weights.pth, b)"),
    "a.tar": (tarred(), "a tar archive"),
    "a.pth.gz": (gzip.compress(b"x"), "a gzip archive"),
    "text.pth": (b"not weights\n", "a text file"),
    "utf8.pth": ("größer\n".encode() * 2000, "a text file"),
    "index.json": (b'{"weight_map": {"a": "b"}}', "a JSON text"),
    "lfs.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a Git LFS pointer"),
    "page.pth": (b"<!DOCTYPE html>\n<html>", "an HTML page"),
    "pickle.pkl": (pickle.dumps({"a": 1}), "a Python pickle that torch.save did not write"),
    "noise.pth": (b"\xff\x00\x17" * 999, "no format that is known here, or damaged"),
}


@pytest.mark.parametrize("name", NAMED)
def test_other_files_are_named(name: str, tmp_path: Path) -> None:
    content, kind = NAMED[name]
    message = refused(content, tmp_path / name)
    assert kind in message


def test_graphs_are_named_and_say_what_to_save(tmp_path: Path) -> None:
    image, path = torch.zeros(2, 1, 4, 4), tmp_path / "model.pt"
    with pytest.warns(DeprecationWarning):
        torch.jit.save(torch.jit.trace(trained().eval(), image), path)
    message = refused(path, path)
    assert "is a TorchScript model (torch.jit.save)" in message and SAVE in message
    torch.export.save(torch.export.export(trained().eval(), (image,)), path)
    message = refused(path, path)
    assert "is an exported program (torch.export.save, .pt2)" in message and SAVE in message


def test_folders_are_named(tmp_path: Path) -> None:
    assert "is a folder, not a file of weights; give a file" in refused(tmp_path, tmp_path)
    (tmp_path / "a.safetensors").touch()
    assert "give a file in it: a.safetensors" in refused(tmp_path, tmp_path)
    (tmp_path / ".metadata").touch()
    assert "is a distributed checkpoint" in refused(tmp_path, tmp_path)
    (tmp_path / "saved_model.pb").touch()
    assert "is a TensorFlow SavedModel" in refused(tmp_path, tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "is not there" in refused(tmp_path / "none.pth", tmp_path / "none.pth")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "is no file, but a device or a pipe" in refused(pipe, pipe)


@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_damaged_files(ours: bool, share: float, tmp_path: Path) -> None:
    """Whose file it is decides what helps."""
    path = tmp_path / "model.pt"
    if ours:
        save_checkpoint(path, {"weights": state()})
    else:
        torch.save(state(), path)
    content = path.read_bytes()
    path.write_bytes(content[: max(200, int(len(content) * share))])
    with pytest.raises(CheckpointError, match="corrupt") as caught:
        load_weights(Net(), path)
    assert ("train again" in str(caught.value)) == ours


def test_the_start_of_any_file(tmp_path: Path) -> None:
    starts = [b"\x80", b"\x08", b"PK\x03\x04", b"\0" * 8 + b"{", b"\2" + b"\0" * 7 + b"{}", b"{"]
    torch.save(state(), tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    old = (tmp_path / "weights.pth").read_bytes()
    for content in (*starts, *(old[:size] for size in (1, 2, 5, 14, 30, 300))):
        refused(content, tmp_path / "a.pth")


def test_random_damage_is_never_more_than_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    random = np.random.default_rng(5)
    safetensors.torch.save_file(state(), path)
    kinds = [path.read_bytes()]
    for new in (True, False):
        torch.save({"net": state()}, path, _use_new_zipfile_serialization=new)
        kinds.append(path.read_bytes())
    for content in kinds * 40:
        damaged = bytearray(content)
        for _ in range(3):
            damaged[random.integers(len(damaged))] = random.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            load_weights(Net(), path)
        except CheckpointError as error:
            assert "\n" not in str(error)
