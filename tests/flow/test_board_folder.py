"""An exported folder as a user of PYNQ meets it: samples, pictures, the wheel, the notebook, and
several networks in one folder."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from cnnaccel import __version__
from cnnaccel.cli import main
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Conv2d, Graph
from cnnaccel.ir.storage import load_graph, save_graph
from cnnaccel.render.wheel import WHEEL
from cnnaccel.runtime.network import load_network
from cnnaccel.runtime.pictures import read_picture
from cnnaccel.runtime.results import rank
from cnnaccel.runtime.samples import read_samples
from cnnaccel.workspace import Stage
from tests.support.commands import ROOT, Cnnaccel, digests
from tests.support.loopback import lines, profile, put_bitstream
from tests.support.pictures import broken, readable
from tests.support.target import Target

RUN = ("-m", "cnnaccel.runtime.run")


@pytest.fixture(scope="module")
def build(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with an exported network; to be read alone."""
    made = Path(shutil.copytree(tiny_build, tmp_path_factory.mktemp("folder") / "build"))
    put_bitstream(made)
    with pytest.raises(SystemExit) as ended:
        main(["export", "tiny", "--build-dir", str(made)])
    assert not ended.value.code
    return made


@pytest.fixture
def target(build: Path, tmp_path: Path) -> Target:
    profile(tmp_path / "home")
    folder = Path(shutil.copytree(build / "tiny/export", tmp_path / "copied by hand"))
    return Target(folder, tmp_path / "home")


def test_samples_of_the_folder(target: Target, build: Path) -> None:
    """Test images of every class, with what golden makes of them; no host is asked."""
    samples = read_samples(target.folder)
    assert samples is not None and samples.labels is not None
    assert sorted(samples.labels.tolist()) == sorted([*range(10)] * 2)
    graph = load_graph(build / "tiny/quantize")
    assert np.array_equal(samples.results, golden.run(graph, samples.images))
    done = target.python(*RUN)
    assert done.returncode == 0, done.stderr
    assert "overlay loaded in" in done.stdout and " cycles per image\n" in done.stdout
    network = load_network(target.folder)
    best = rank(network, samples.results)
    label = samples.labels[0]
    assert f"sample 0, class {label}: {', '.join(map(str, best[0]))}\n" in done.stdout
    right = sum(row[0].index == label for row, label in zip(best, samples.labels, strict=True))
    ending = f"all 20 samples are equal to what must come out; {right} are recognised\n"
    assert done.stdout.endswith(f"tiny: {ending}")


def test_pictures_on_host_and_board(target: Target, build: Path, cnnaccel: Cnnaccel) -> None:
    """Files of any kind: the same pixels, values and lines everywhere."""
    files = readable(target.folder / "photos")
    done = target.python(*RUN, "photos", "out.npy")
    assert done.returncode == 0, done.stderr
    network = load_network(target.folder)
    assert network.preprocessing is not None
    pixels = np.stack([read_picture(path, network.preprocessing.framing) for path in files])
    expected = golden.run(load_graph(build / "tiny/quantize"), pixels)
    assert np.array_equal(np.load(target.folder / "out.npy"), expected)
    said = [line for line in done.stdout.splitlines() if line.startswith("photos/")]
    assert said == [
        f"photos/{path.name}: {', '.join(map(str, best))}"
        for path, best in zip(files, rank(network, expected), strict=True)
    ]
    results = (build / "tiny/deploy/results.json").read_bytes()
    for command in ("deploy", "simulate"):
        found = cnnaccel(command, "tiny", target.folder / "photos", "--build-dir", build)
        assert found.code == 0, found.err
        for line in said:
            assert f"{target.folder}/{line}" in lines(found.out)
    assert (build / "tiny/deploy/results.json").read_bytes() == results


def test_one_sentence_of_what_cannot_be_run(target: Target) -> None:
    Image.new("L", (9, 9)).save(target.folder / "good.png")
    deep = broken("deep", target.folder)
    refused: list[tuple[list[str], str]] = [
        (["good.png", deep.name], f"{deep.name}: more than 8 bits per pixel"),
        (["good.png", "--network", "lenet"], "has no network 'lenet'; it has tiny"),
    ]
    for arguments, words in refused:
        done = target.python(*RUN, *arguments)
        assert done.returncode == 1 and words in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")


def test_the_wheel_alone(target: Target, tmp_path: Path) -> None:
    """Installed without a network into an environment that has numpy and pynq, it brings the
    driver that pynq binds, wherever one works; beside a checkout of cnnaccel it says what it is."""
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    offline = ("--no-index", "--no-deps", "--quiet", "--no-compile")
    subprocess.run([*pip, "install", *offline, str(target.folder / WHEEL)], check=True)
    (packages,) = (tmp_path / "venv/lib").glob("*/site-packages")
    show = [*pip, "show", "cnnaccel-runtime"]
    listed = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert "Requires: numpy, pynq" in listed and f"Version: {__version__}" in listed
    places = [sysconfig.get_path("purelib"), *(path for path in sys.path if "packages" in path)]
    (packages / "others.pth").write_text("\n".join(dict.fromkeys(places)) + "\n")
    code = (
        "import sys, cnnaccel.runtime, numpy as np, pynq\n"
        "assert cnnaccel.runtime.__file__.startswith(sys.prefix)\n"
        "engine = pynq.Overlay(sys.argv[1]).engine\n"
        "samples = engine.samples()\n"
        "samples.require_equal(engine.run(samples.images))\n"
        "print(type(engine).__name__, engine.network.name)\n"
        "try:\n    cnnaccel.quantize\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [python, "-c", code, target.folder / "cnnaccel.bit"],
        cwd=tmp_path, env={**target.login, "PYTHONPATH": str(target.home / "hook")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[-2:]
    assert first == "CnnaccelEngine tiny"
    assert second.startswith("cnnaccel.quantize is not here: this is the runtime for boards alone")


# -- several networks in one folder ---------------------------------------------------------------


@pytest.fixture(scope="module")
def two(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two networks, exported one after the other."""
    folder = tmp_path_factory.mktemp("two")
    other = second(build)
    for names in (["tiny"], [str(other)]):
        with pytest.raises(SystemExit) as ended:
            main(["export", *names, "--build-dir", str(build), "--into", str(folder / "both")])
        assert not ended.value.code
    yield folder / "both"


def second(build: Path) -> Path:
    """A configuration whose graph is that of `tiny` with the channels of the result reversed."""
    config = build.parent / "second.yaml"
    shutil.copy(ROOT / "configs/tiny.yaml", config)
    for name in ("train", "quantize"):
        shutil.copytree(build / "tiny" / name, build / "second" / name)
    stage = Stage(build / "second/quantize")
    graph, manifest = load_graph(stage.folder), stage.manifest()
    last = graph.layers[-1]
    assert isinstance(last, Conv2d) and manifest is not None
    results = (stage.folder / "results.json").read_bytes()
    flipped: dict[str, Any] = {
        field.name: value[::-1].copy()
        for field in dataclasses.fields(last.requant)
        if isinstance(value := getattr(last.requant, field.name), np.ndarray)
    }
    reversed_ = dataclasses.replace(
        last,
        weight=last.weight[::-1].copy(),
        bias=last.bias[::-1].copy(),
        requant=dataclasses.replace(last.requant, **flipped),
    )
    with stage.write(manifest["inputs"]) as folder:
        save_graph(Graph("second", graph.input, (*graph.layers[:-1], reversed_)), folder)
        (folder / "results.json").write_bytes(results)
    with pytest.raises(SystemExit) as ended:
        main(["compile", str(config), "--build-dir", str(build)])
    assert not ended.value.code
    return config


def test_two_networks(two: Path, build: Path, tmp_path: Path) -> None:
    """Both run, one after the other, without another bitstream in between; each by its name."""
    profile(tmp_path / "home")
    target = Target(Path(shutil.copytree(two, tmp_path / "both")), tmp_path / "home")
    manifest = json.loads((two / "manifest.json").read_text())["artifacts"]
    files = {str(path.relative_to(two)) for path in two.rglob("*") if path.is_file()}
    assert files == {*manifest, "manifest.json"} and "program.bin" not in files
    done = target.python(*RUN)
    assert done.returncode == 0, done.stderr
    for name in ("second", "tiny"):
        assert re.search(rf"^{name}: loaded in 0\.\d+ s$", done.stdout, re.MULTILINE)
        assert f"{name}: all 20 samples are equal to what must come out" in done.stdout
    assert (target.home / "events").read_text().split().count("download") == 1
    np.save(target.folder / "images.npy", pixels := samples_of(two, "tiny"))
    done = target.python(*RUN, "images.npy", "out.npy", "--network", "second")
    assert done.returncode == 0, done.stderr
    expected = golden.run(load_graph(build / "second/quantize"), pixels)
    assert np.array_equal(np.load(target.folder / "out.npy"), expected)
    for arguments, words in (
        (["images.npy"], "has the networks second, tiny; name one of them"),
        (["images.npy", "--network", "third"], "has no network 'third'; it has second, tiny"),
    ):
        done = target.python(*RUN, *arguments)
        assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1
    (target.folder / "networks/second/weights.bin").write_bytes(b"spoilt")
    done = target.python(*RUN)
    assert done.returncode == 1 and "networks/second/weights.bin: not what" in done.stderr


def test_the_notebook(two: Path, tmp_path: Path) -> None:
    """Runs from its first cell to its last, with pictures in it, and switches between networks."""
    profile(tmp_path / "home")
    target = Target(Path(shutil.copytree(two, tmp_path / "both")), tmp_path / "home")
    notebook = nbformat.read(target.folder / "cnnaccel.ipynb", as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": target.folder}})
    environment = {
        **os.environ,
        **target.login,
        "PYTHONPATH": str(target.home / "hook"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    client.execute(env=environment)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "networks: second, tiny\n" in text
    assert text.count("all 20 samples are equal to what must come out\n") == 2
    for place in (target.folder / "networks").iterdir():
        samples = read_samples(place)
        assert samples is not None
        best = rank(load_network(place), samples.results)
        assert f"sample 3: {', '.join(map(str, best[3]))}\n" in text
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


def samples_of(folder: Path, name: str) -> np.ndarray:
    samples = read_samples(folder / "networks" / name)
    assert samples is not None
    return samples.images


def test_exports_that_are_refused(
    two: Path, build: Path, tmp_path: Path, cnnaccel: Cnnaccel
) -> None:
    """One sentence each, and the folder stays as it was."""
    where = ("--build-dir", build)
    before = digests(two)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("do not lose this")
    spoilt = Path(shutil.copytree(two, tmp_path / "spoilt"))
    (spoilt / "README.md").write_text("mine")
    foreign = Path(shutil.copytree(two, tmp_path / "foreign"))
    path = foreign / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["inputs"]["engine of several networks"] = "0123456789abcdef"
    path.write_text(json.dumps(manifest))
    for arguments, code, words in (
        (("tiny", "tiny"), 2, "several networks go into one folder: name it by --into FOLDER"),
        (("tiny", "tiny", "--into", two), 2, "two configurations are called tiny"),
        (("tiny", "--into", mine), 1, "holds something else than an earlier `cnnaccel export"),
        (("tiny", "--into", spoilt), 1, "README.md was altered"),
        (("tiny", "--into", foreign), 1, "is for the engine 0123456789abcdef, this configuration"),
    ):
        result = cnnaccel("export", *arguments, *where)
        assert result.code == code and words in lines(result.err), result.err
    assert digests(two) == before and (mine / "thesis.txt").exists()
    result = cnnaccel("export", "tiny", "--into", two, *where)
    assert result.code == 0 and "networks second, tiny" in lines(result.out)
    assert digests(two) == before
