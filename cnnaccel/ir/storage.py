"""A Graph as two files: `graph.json` to read, `tensors.npz` for the numbers. No pickle."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import GraphError
from cnnaccel.ir import graph as ir
from cnnaccel.ir.graph import Graph, Layer, Requant, TensorSpec
from cnnaccel.ir.verify import verify
from cnnaccel.runtime.tail import read_tail
from cnnaccel.workspace import sha256_of

FORMAT = "cnnaccel-graph"
VERSION = 2
_KINDS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (ir.Conv2d, ir.Depthwise, ir.MaxPool2d, ir.AvgPool2d, ir.Add, ir.Concat)
}
Arrays = dict[str, npt.NDArray[Any]]


def save_graph(graph: Graph, folder: Path) -> None:
    """Write `graph.json` and `tensors.npz` into `folder`; the same graph gives the same bytes."""
    arrays: Arrays = {}
    layers = []
    for layer in graph.layers:
        values = _dump(layer, layer.name, arrays)
        layers.append({"kind": type(layer).__name__, **values})
    if graph.input_table is not None:
        arrays["input_table"] = np.ascontiguousarray(graph.input_table)
    np.savez(folder / "tensors.npz", **arrays)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "tensors_sha256": sha256_of(folder / "tensors.npz"),
        "name": graph.name,
        "input": dataclasses.asdict(graph.input),
        "layers": layers,
        "outputs": graph.outputs,
        "tail": None if graph.tail is None else graph.tail.to_json(),
    }
    (folder / "graph.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load_graph(folder: Path) -> Graph:
    """The verified graph stored in `folder`.

    Raises:
        GraphError: missing, damaged, of another version, or not a valid graph.
    """
    path = folder / "graph.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise GraphError(f"{path}: no readable graph ({error}); quantize again") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise GraphError(f"{path}: not a cnnaccel graph")
    if document.get("version") != VERSION:
        raise GraphError(
            f"{path}: format version {document.get('version')}, this cnnaccel reads {VERSION}; "
            "quantize again"
        )
    arrays = _load_arrays(folder / "tensors.npz", document.get("tensors_sha256"))
    try:
        graph = Graph(
            document["name"],
            _spec(document["input"]),
            tuple(_load(entry, arrays) for entry in document["layers"]),  # type: ignore[misc]
            arrays.get("input_table"),
            tuple(document["outputs"]),
            None if document["tail"] is None else read_tail(document["tail"]),
        )
        return verify(graph)
    except GraphError as error:
        raise GraphError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GraphError(f"{path}: damaged ({error!r}); quantize again") from None


def _load_arrays(path: Path, digest: object) -> Arrays:
    """The arrays by name; the digest tells a damaged file, or that of another graph, beforehand."""
    try:
        if sha256_of(path) != digest:
            raise GraphError(f"{path}: does not belong to the graph.json beside it; quantize again")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise GraphError(f"{path}: no readable tensors ({error}); quantize again") from None


def _dump(value: Any, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """The fields of a dataclass as JSON values; arrays move to `arrays` as `prefix.field`."""
    result: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if isinstance(item, np.ndarray):
            arrays[f"{prefix}.{field.name}"] = np.ascontiguousarray(item)
        elif isinstance(item, Requant):
            result[field.name] = _dump(item, f"{prefix}.{field.name}", arrays)
        elif isinstance(item, TensorSpec):
            result[field.name] = dataclasses.asdict(item)
        else:
            result[field.name] = item
    return result


def _load(entry: dict[str, Any], arrays: Arrays) -> Layer:
    cls = _KINDS[entry["kind"]]
    return cls(**_fields(cls, entry, entry["name"], arrays))


def _fields(cls: type, entry: dict[str, Any], prefix: str, arrays: Arrays) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        key = f"{prefix}.{field.name}"
        if key in arrays:
            values[field.name] = arrays[key]
        elif field.name == "requant":
            values["requant"] = Requant(**_fields(Requant, entry["requant"], key, arrays))
        elif field.name == "output":
            values["output"] = _spec(entry["output"])
        else:
            item = entry[field.name]
            values[field.name] = tuple(item) if isinstance(item, list) else item
    return values


def _spec(entry: dict[str, Any]) -> TensorSpec:
    return TensorSpec(entry["name"], tuple(entry["shape"]), entry["dtype"], entry["scale"])
