"""A stored graph: the same bytes each time, itself when read, and GraphError for all else."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnaccel.errors import GraphError
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d, Depthwise, Graph
from cnnaccel.ir.storage import load_graph, save_graph
from cnnaccel.workspace import sha256_of
from tests.support.graphs import conv2d, every_kind, spec

FILES = ("graph.json", "tensors.npz")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_graph(every_kind(), tmp_path)
    return tmp_path


def equal(a: Any, b: Any) -> bool:
    """Whether two graphs, or parts of them, hold the same values of the same types."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    if hasattr(a, "__dataclass_fields__"):
        return all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return bool(a == b)


def test_round_trip(folder: Path, rng: np.random.Generator) -> None:
    graph, loaded = every_kind(), load_graph(folder)
    assert equal(loaded, graph)
    images = rng.integers(0, 256, (2, *graph.input.shape)).astype(np.uint8)
    assert np.array_equal(golden.run(loaded, images), golden.run(graph, images))


def test_round_trip_without_a_table_or_plain_names(tmp_path: Path) -> None:
    x = spec("input_table", (1, 2, 2), scale=1 / 3)
    layers = (
        conv2d(x, [[[[3]]]], name="a/b.weight é"),
        conv2d(spec("a/b.weight é", (1, 2, 2)), [[[[4]]]], name="file", bias=7),
    )
    graph = Graph("", x, layers)
    save_graph(graph, tmp_path)
    assert equal(load_graph(tmp_path), graph)


def test_the_same_graph_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again, reread = tmp_path / "again", tmp_path / "reread"
    again.mkdir()
    reread.mkdir()
    save_graph(every_kind(), again)
    save_graph(load_graph(folder), reread)
    for name in FILES:
        assert (again / name).read_bytes() == (folder / name).read_bytes()
        assert (reread / name).read_bytes() == (folder / name).read_bytes()


def test_the_memory_order_of_an_array_is_not_stored(folder: Path, tmp_path: Path) -> None:
    graph = every_kind()
    layers = tuple(
        replace(layer, weight=np.asfortranarray(layer.weight))
        if isinstance(layer, Conv2d | Depthwise)
        else layer
        for layer in graph.layers
    )
    assert graph.input_table is not None
    table = np.repeat(graph.input_table, 2, axis=1)[:, ::2]
    other = tmp_path / "other"
    other.mkdir()
    save_graph(replace(graph, layers=layers, input_table=table), other)
    assert all((other / name).read_bytes() == (folder / name).read_bytes() for name in FILES)


def test_another_graph_gives_other_bytes(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save_graph(every_kind(seed=1), other)
    assert all((other / name).read_bytes() != (folder / name).read_bytes() for name in FILES)


# ---- what is refused -------------------------------------------------------------------------


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((folder / "graph.json").read_text())
    change(document)
    (folder / "graph.json").write_text(json.dumps(document))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(GraphError, match=f"{name}: no readable.*quantize again"):
        load_graph(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_where_a_file_belongs(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(GraphError, match=name):
        load_graph(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for length in {0, 1, *range(2, len(whole), 97), len(whole) - 2}:
        (folder / name).write_bytes(whole[:length])
        with pytest.raises(GraphError, match=name):
            load_graph(folder)


def test_any_damaged_byte_of_the_tensors(folder: Path) -> None:
    path = folder / "tensors.npz"
    whole = path.read_bytes()
    for at in range(0, len(whole), 29):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        with pytest.raises(GraphError, match=r"tensors\.npz: does not belong"):
            load_graph(folder)


def test_any_damaged_byte_of_the_description(folder: Path) -> None:
    """Either it still describes a legal graph, or the error is ours."""
    path = folder / "graph.json"
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        try:
            load_graph(folder)
        except GraphError:
            refused += 1
    assert refused > 300


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield from places(value[key], (*path, key))


@pytest.mark.parametrize("wrong", [None, True, -1, 10**400, 1e400, "x", [], {}, [[1]]], ids=repr)
def test_any_value_of_another_kind(folder: Path, wrong: Any) -> None:
    """Every value of the description, replaced."""
    document = json.loads((folder / "graph.json").read_text())
    legal = 0
    for path in places(document):
        if not path:
            changed = wrong
        else:
            changed = copy.deepcopy(document)
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = wrong
        (folder / "graph.json").write_text(json.dumps(changed))
        try:
            load_graph(folder)
            legal += 1
        except GraphError:
            pass
    assert legal <= 20, "few values can be anything: names, scales, weights of an addition"


def test_any_missing_value(folder: Path) -> None:
    document = json.loads((folder / "graph.json").read_text())
    for path in places(document):
        if not path or not isinstance(path[-1], str):
            continue
        changed = copy.deepcopy(document)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
        (folder / "graph.json").write_text(json.dumps(changed))
        with pytest.raises(GraphError):
            load_graph(folder)


def test_description_and_tensors_of_two_graphs(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save_graph(every_kind(seed=1), other)
    (other / "tensors.npz").replace(folder / "tensors.npz")
    with pytest.raises(GraphError, match=r"tensors\.npz: does not belong to the graph\.json"):
        load_graph(folder)


@pytest.mark.parametrize(
    "text", ["[]", "3", "null", '{"format": "onnx"}', "{}", "[" * 100_000, "\0"]
)
def test_a_foreign_description(folder: Path, text: str) -> None:
    (folder / "graph.json").write_text(text)
    with pytest.raises(GraphError, match=r"graph\.json: (not a cnnaccel graph|no readable)"):
        load_graph(folder)


@pytest.mark.parametrize("version", [0, 1, "2", None])
def test_another_version(folder: Path, version: Any) -> None:
    rewrite(folder, lambda document: document.update(version=version))
    with pytest.raises(GraphError, match=f"format version {version}, this cnnaccel reads 2"):
        load_graph(folder)


def test_an_illegal_graph_names_file_and_layer(folder: Path) -> None:
    rewrite(folder, lambda document: document["layers"][0].update(stride=[0, 1]))
    with pytest.raises(
        GraphError, match=r"graph\.json: layer 'stem' \(Conv2d\): .*stride \(0, 1\)"
    ):
        load_graph(folder)


class Trap:
    """Would run code if anything unpickled it."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("unpickled",)


def test_pickles_are_not_read(folder: Path) -> None:
    trap = np.array([Trap()], object)
    np.savez(folder / "tensors.npz", **{"stem.weight": trap})
    digest = sha256_of(folder / "tensors.npz")
    rewrite(folder, lambda document: document.update(tensors_sha256=digest))
    with pytest.raises(GraphError, match="no readable tensors"):
        load_graph(folder)
    (folder / "tensors.npz").write_bytes(pickle.dumps(Trap()))
    digest = sha256_of(folder / "tensors.npz")
    rewrite(folder, lambda document: document.update(tensors_sha256=digest))
    with pytest.raises(GraphError, match="no readable tensors"):
        load_graph(folder)


def test_a_graph_without_its_tensors(folder: Path) -> None:
    np.savez(folder / "tensors.npz")
    digest = sha256_of(folder / "tensors.npz")
    rewrite(folder, lambda document: document.update(tensors_sha256=digest))
    with pytest.raises(GraphError, match="damaged"):
        load_graph(folder)
