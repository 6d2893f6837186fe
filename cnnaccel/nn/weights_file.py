"""Files of weights from anywhere: what a file is, told by its bytes, and the data in it.

Nothing in a file is ever run. Tensors, numbers, texts, lists and dictionaries are read; an object
of any other class becomes a `Foreign` that only remembers the name of its class.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from cnnaccel.errors import CheckpointError

SAVE = 'torch.save(model.state_dict(), "weights.pth")'
OURS = "cnnaccel-checkpoint"
"""The value of the key "format" in a file that cnnaccel wrote."""
_HEAD_BYTES = 4096
_TORCH_LEGACY = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # the magic number of torch.save before 1.6
_STARTS = {
    b"\x89HDF\r\n\x1a\n": "a Keras or HDF5 file",
    b"\x93NUMPY": "a single NumPy array",
    b"GGUF": "a GGUF file",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x28\xb5\x2f\xfd": "a zstandard archive",
}
_FIFTH_BYTES = {b"TFL3": "a TensorFlow Lite model", b"ET12": "an ExecuTorch program"}
_SUFFIXES = {
    ".onnx": "an ONNX model",
    ".pb": "a TensorFlow graph",
    ".h5": "a Keras or HDF5 file",
    ".caffemodel": "a Caffe model",
    ".mlmodel": "a Core ML model",
    ".weights": "a Darknet file",
    ".index": "the index of a TensorFlow checkpoint",
    ".engine": "a TensorRT engine",
}
_NUMPY_CODES = "?bBhHiIlLqQefdgFDGSUVMm"


class Foreign:
    """Stands for an object of a class that is not known, and of which nothing was run."""

    origin = "object"
    """The class as the file names it, as `package.module.Name`."""
    state: Any = None

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Foreign:
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def is_module(self) -> bool:
        """Whether it was an `nn.Module`."""
        return isinstance(self.state, dict) and {"_parameters", "_modules"} <= self.state.keys()


def read_weights_file(path: Path) -> Any:
    """The data in a file of torch (any version), safetensors or NumPy (npz).

    Raises:
        CheckpointError: the file is missing or damaged, or something else, which is named.
    """
    head = _head(path)
    if is_safetensors(path, head):
        return _read_safetensors(path)
    if head.startswith(b"PK\x03\x04"):
        return _read_zip(path, head)
    if _TORCH_LEGACY in head[:64]:
        return _read_torch(path, head)
    kind = _kind(path, head)
    if kind.endswith(("archive", "page", "pointer")):
        raise CheckpointError(f"{path}: is {kind}; get the file of weights out of it, or from it")
    raise not_weights(path, kind)


def not_weights(path: Path, kind: str) -> CheckpointError:
    """The error for a file that is something else than weights."""
    return CheckpointError(
        f"{path}: is {kind}, of which no weights are read; save them where the model is at hand: "
        f"{SAVE}"
    )


def is_safetensors(path: Path, head: bytes) -> bool:
    """Whether a file has the header of safetensors: its length in 8 bytes, then JSON."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= path.stat().st_size - 8


def _head(path: Path) -> bytes:
    """The first bytes of a file that is there and not empty."""
    try:
        if path.is_dir():
            raise CheckpointError(f"{path}: {_folder(path)}")
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: is no file, but a device or a pipe")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is not there; give the file that holds the weights"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read this file: {error.strerror}") from error
    if not head:
        raise CheckpointError(f"{path}: is empty; save the weights again, or copy them again")
    return head


def _folder(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names:
        return f"is a TensorFlow SavedModel, not weights of a PyTorch model; {SAVE} writes those"
    if ".metadata" in names:
        return (
            "is a distributed checkpoint; make one file of it: "
            "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pth"
        )
    files = [n for n in names if n.endswith((".pth", ".pt", ".safetensors", ".ckpt", ".bin"))]
    hint = f"give a file in it: {', '.join(files[:3])}" if files else "give a file"
    return f"is a folder, not a file of weights; {hint}"


def _kind(path: Path, head: bytes) -> str:
    """The kind of a file that is not read, as a noun with its article."""
    for start, kind in _STARTS.items():
        if head.startswith(start):
            return kind
    if head[4:8] in _FIFTH_BYTES:
        return _FIFTH_BYTES[head[4:8]]
    if head[257:262] == b"ustar":
        return "a tar archive"
    if re.match(rb"\x80[\x02-\x05]", head):
        return "a Python pickle that torch.save did not write"
    # protobuf: ONNX starts with its version (field 1, from 3 up), then its producer or its graph
    if re.match(rb"\x08[\x03-\x1f][\x12\x1a\x3a\x42]", head):
        return "an ONNX model"
    if head[:3] == b"\x08\x01\x12":
        return "a TensorFlow graph"
    if re.fullmatch(r"\.data-\d+-of-\d+", path.suffix):
        return "a part of a TensorFlow checkpoint"
    if path.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[path.suffix.lower()]
    if (text := _text(head)) is not None:
        return _kind_of_text(text)
    return "no format that is known here, or damaged"


def _text(head: bytes) -> str | None:
    """The start of a text file; None for anything else."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < _HEAD_BYTES or error.start < len(head) - 3:  # no letter cut in two
            return None
        text = head[: error.start].decode("utf-8")
    return text if all(letter.isprintable() or letter in "\t\r\n\f" for letter in text) else None


def _kind_of_text(text: str) -> str:
    start = text.lstrip().lower()
    if start.startswith("version https://git-lfs"):
        return "a Git LFS pointer"
    if start.startswith(("<!doctype html", "<html")):
        return "an HTML page"
    if start.startswith("{"):
        return "a JSON text"
    return "a text file"


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, b"", error) from error


def _read_zip(path: Path, head: bytes) -> Any:
    """torch.save writes zip files, as do many others."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # zipfile knows several for damage
        raise _damaged(path, head, error) from error
    last = {name.rsplit("/", 1)[-1] for name in names}
    if "constants.pkl" in last:
        raise not_weights(path, "a TorchScript model (torch.jit.save)")
    if last & {"archive_format", "serialized_exported_program.json", "serialized_state_dict.pt"}:
        raise not_weights(path, "an exported program (torch.export.save, .pt2)")
    if "extern_modules" in last:
        raise not_weights(path, "a package (torch.package)")
    if "data.pkl" in last:
        return _read_torch(path, head)
    if "model.weights.h5" in last:
        raise not_weights(path, "a Keras model")
    if names and all(name.endswith(".npy") for name in names):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        except Exception as error:
            raise _damaged(path, head, error) from error
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    raise CheckpointError(
        f"{path}: is a zip archive of other files ({shown or 'empty'}); unpack the file of weights"
    )


def _damaged(path: Path, head: bytes, error: Exception) -> CheckpointError:
    reason = " ".join(str(error).split())[:100]
    if OURS.encode() in head:
        return CheckpointError(f"{path}: corrupt ({reason}); copy it again, or train again")
    return CheckpointError(
        f"{path}: corrupt, or cut short ({reason}); copy it again, or save it again: {SAVE}"
    )


def _read_torch(path: Path, head: bytes) -> Any:
    """A file of torch.save; what is not data in it is a `Foreign`.

    That a class is a dictionary or a list shows when it is used as one. The file is then read
    again with a plain one in its place.
    """
    try:
        names = sorted(_globals(path))
    except Exception:  # noqa: BLE001 - torch.load says what is wrong
        names = []
    made = [_foreign(index, name) for index, name in enumerate(names)]
    while True:
        known = dict(zip(names, made, strict=True)) | _numpy_globals()
        allowed: list[Any] = [(stand_in, name) for name, stand_in in known.items()]
        try:
            with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file may raise anything
            index, plain = _used_as(" ".join(str(error).split()))
            if plain is None or not issubclass(made[index], Foreign):
                raise _unreadable(path, head, names, error) from error
            made[index] = plain


def _used_as(error: str) -> tuple[int, Any]:
    """The `Foreign` class that torch.load complains of, and what it should be; else 0, None."""
    found = re.search(rf"<class '{re.escape(__name__)}\.Foreign(\d+)'>", error)
    for words, plain in _PLAIN.items():
        if found and re.search(words, error):
            return int(found[1]), _made_plain(plain)
    return 0, None


def _unreadable(path: Path, head: bytes, names: list[str], error: Exception) -> CheckpointError:
    text = " ".join(str(error).split())
    if blocked := re.search(r"GLOBAL (\S+) whose module \S+ is blocked", text):
        return CheckpointError(
            f"{path}: would run {blocked[1]} when it is read, so it is not; save the weights "
            f"alone: {SAVE}"
        )
    if "Only persistent_load of storage" in text:
        return not_weights(path, "a whole pickled model")
    if "Unsupported operand" in text:
        return not_weights(path, "a torch file of another pickle protocol than 2")
    if isinstance(error, TypeError) and names:  # a class of tensors is made with the class itself
        return not_weights(path, f"a torch file with objects of {', '.join(names[:3])}")
    if isinstance(error, pickle.UnpicklingError) and OURS.encode() not in head:
        reason = text.rsplit("WeightsUnpickler error: ", 1)[-1][:100]
        return not_weights(path, f"a torch file of more than tensors and numbers ({reason})")
    return _damaged(path, head, error)


def _globals(path: Path) -> set[str]:
    """The functions and classes that a torch file names beside torch's own."""
    if zipfile.is_zipfile(path):
        return set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    names: set[str] = set()
    with path.open("rb") as file:
        for _ in range(4):  # magic number, version, system, and the data
            _add_globals(file, names)
    return names


def _add_globals(file: IO[bytes], names: set[str]) -> None:
    for operation, argument, _ in pickletools.genops(file):
        if operation.name == "GLOBAL":
            module, name = str(argument).split(" ", 1)
            module, name = NAME_MAPPING.get(
                (module, name), (IMPORT_MAPPING.get(module, module), name)
            )
            names.add(f"{module}.{name}")


def _foreign(index: int, name: str) -> Any:
    return type(f"Foreign{index}", (Foreign,), {"origin": name})


def _made_plain(plain: Any) -> Any:
    """A class whose objects are those of `plain`."""
    return type("Plain", (), {"__new__": lambda _cls, *_args, **_kwargs: plain()})


_PLAIN: dict[str, Any] = {"SETITEM": OrderedDict, "append to lists|extend lists": list}
"""Kinds of classes, by the error of torch.load where a stand-in is used as one of them."""


def _numpy_globals() -> dict[str, Any]:
    """The globals that pickles of NumPy arrays and numbers name, in their old and new modules."""
    from numpy.core import multiarray

    types = [np.ndarray, np.dtype, *{type(np.dtype(code)) for code in _NUMPY_CODES}]
    known: dict[str, Any] = {f"{made.__module__}.{made.__qualname__}": made for made in types}
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[f"{module}._reconstruct"] = multiarray._reconstruct  # type: ignore[attr-defined]
        known[f"{module}.scalar"] = multiarray.scalar  # type: ignore[attr-defined]
    return known
