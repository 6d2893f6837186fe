"""What each stage is made from, and whether what is stored is what the configuration asks for.

A stage's inputs are values by name: of the configuration (`quantize.weights`), of files as digests
(`data`, `model file nets.py`), of the stage before it (`quantize/graph.json`), and versions. They
go into its manifest. A stored stage belongs to a configuration if these values are those asked for
now, and those of the stages before it likewise. Where they are not, `run` makes it again and every
other command refuses, unless `--stored` says to use it as it is.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cnnaccel
from cnnaccel.errors import DataError, StaleError, WorkspaceError
from cnnaccel.ir.graph import Graph
from cnnaccel.ir.storage import load_graph
from cnnaccel.pipeline.job import Job, class_names
from cnnaccel.pipeline.weights import results_of, stage_of, weights_file
from cnnaccel.resources import resource
from cnnaccel.runtime.network import PROGRAM
from cnnaccel.workspace import (
    Stage,
    describe,
    differences,
    sha256_of,
    sha256_of_value,
    versions,
)

Inputs = dict[str, Any]
_SET_UP = ("ps_preset", "contiguous_mib")
"""Keys of a board's file that `HardwareConfig.recorded` has, and no result depends on."""
_MODEL_FILE = "model file "
_MODEL_GRAPH = "model graph"


# ---- inputs ----------------------------------------------------------------------------------


def train_inputs(job: Job) -> Inputs:
    """What a trained model is made from."""
    return {
        **model_inputs(job, "train"),
        **data_inputs(job, "train"),
        **section("train", job.config.train),
        **task_inputs(job),
        **_own_inputs("train.loss", job.config.train.loss),
        **_own_inputs("train.augment", *_names(job.config.train.augment.transforms)),
        **_versions("cnnaccel", "torch", "torchvision"),
    }


def import_inputs(job: Job) -> Inputs:
    """What an imported model is made from."""
    source = Path(str(results_of(job, "import").get("source", "")))
    path = weights_file(job) or source
    # a file that is gone since it was imported has not changed: the weights are here
    gone = path.absolute() == source and not path.exists()
    return {
        "weights": _recorded(job, "import")["weights"] if gone else _file_digest(path),
        **model_inputs(job, "import"),
        **data_inputs(job, "import"),
        **task_inputs(job),
        **_versions("cnnaccel", "torch", "torchvision"),
    }


def quantize_inputs(job: Job) -> Inputs:
    """What an integer graph is made from."""
    return {
        "weights": artifact(job, "train", "model.pt"),
        **data_inputs(job, "quantize"),
        **section("quantize", job.config.quantize),
        **task_inputs(job),
        **_versions("torch", "torchao", "numpy"),
        **_package("quant", "ir", "api/quantized"),
    }


def graph_inputs(job: Job) -> Inputs:
    """The integer graph, for the stages that read it."""
    return {f"quantize/{n}": artifact(job, "quantize", n) for n in ("graph.json", "tensors.npz")}


def evaluate_inputs(job: Job) -> Inputs:
    """What a score is made from."""
    return graph_inputs(job) | data_inputs(job, "evaluate") | task_inputs(job) | _package("ir")


def compile_inputs(job: Job) -> Inputs:
    """What a program is made from; the data only where it is verified."""
    settings = job.config.compile
    return {
        **graph_inputs(job),
        **(data_inputs(job, "compile") if settings.verify_images else {}),
        **hardware_inputs(job),
        **section("compile", settings),
        **description_inputs(job),
        **_package("compiler", "isa", "ir"),
    }


def description_inputs(job: Job) -> Inputs:
    """What a program says of pictures and classes."""
    values = section("pictures", job.config.data)
    kept = {name: values[name] for name in ("pictures.crop", "pictures.mean", "pictures.std")}
    return kept | {"classes": sha256_of_value(class_names(job)), **_package("api/describe")}


def simulate_inputs(job: Job, data: bool = True) -> Inputs:
    """What a simulation is made from, but for how many images, and how memory stalls.

    data: whether the images are those of the data.
    """
    return {
        **graph_inputs(job),
        **(data_inputs(job, "simulate") if data else {}),
        **hardware_inputs(job),
        "compile.images": job.config.compile.images,
        "engine": engine_digest(),
        **_package("compiler", "isa", "runtime"),
    }


def program_inputs(job: Job) -> Inputs:
    """The program, for the stages that read it."""
    return {f"compile/{name}": artifact(job, "compile", name) for name in PROGRAM}


def deploy_inputs(job: Job) -> Inputs:
    """What results on the simulated board are made from."""
    return {
        **program_inputs(job),
        **data_inputs(job, "deploy"),
        **task_inputs(job),
        **hardware_inputs(job),
        "engine": engine_digest(),
        **_package("runtime"),
    }


def selftest_inputs(job: Job) -> Inputs:
    """What the file of a self-test is made from."""
    return {
        **program_inputs(job),
        **hardware_inputs(job),
        **_package("compiler", "ir", "api/selftest", "runtime/selftest"),
    }


def samples_inputs(job: Job) -> Inputs:
    """What the file of sample images is made from."""
    parts = _package("ir", "api/samples", "runtime/samples")
    return {**graph_inputs(job), **data_inputs(job, "samples"), **parts}


INPUTS: dict[str, Callable[[Job], Inputs]] = {
    "train": train_inputs,
    "import": import_inputs,
    "quantize": quantize_inputs,
    "evaluate": evaluate_inputs,
    "compile": compile_inputs,
    "simulate": simulate_inputs,
    "deploy": deploy_inputs,
    "board": deploy_inputs,
}


def inputs_of(job: Job, name: str) -> Inputs:
    """What a stage is made from; of `train` where the weights come from."""
    return INPUTS[stage_of(job, name).folder.name](job)


def section(name: str, values: Any) -> Inputs:
    """A dataclass as `name.field` to values as JSON has them, sections inside it likewise."""
    flat: Inputs = {}
    for key, value in _recorded_fields(values).items():
        if isinstance(value, dict) and value:
            flat |= {f"{name}.{key}.{inner}": _plain(v) for inner, v in value.items()}
        else:
            flat[f"{name}.{key}"] = _plain(value)
    return flat


def _recorded_fields(values: Any) -> dict[str, Any]:
    """The fields of a dataclass, without those that are `unrecorded` while they have defaults."""
    found = dataclasses.asdict(values)
    for one in dataclasses.fields(values):
        value = getattr(values, one.name)
        if dataclasses.is_dataclass(value):
            found[one.name] = _recorded_fields(value)
        elif "unrecorded" in one.metadata and value == one.default:
            del found[one.name]
    return found


def task_inputs(job: Job) -> Inputs:
    """What outputs are judged by; nothing of a classifier that is judged by its accuracy."""
    found = _recorded_fields(job.config)
    keys = ("task", *(("metric", "metric_goal") if job.config.metric is not None else ()))
    values = {key: found[key] for key in keys if key in found}
    return values | _own_inputs("metric", job.config.metric)


def _names(calls: Sequence[Any] | None) -> list[str]:
    return [str(call.name) for call in calls or ()]


def _own_inputs(key: str, *specs: str | None) -> Inputs:
    """Digests of the modules that functions of the user's are made from, by their place here."""
    from cnnaccel.nn.functions import function_files

    files = {
        path for spec in specs if spec is not None and ":" in spec for path in function_files(spec)
    }
    return {f"{key} file {os.path.relpath(path)}": _file_digest(path) for path in sorted(files)}


def hardware_inputs(job: Job) -> Inputs:
    """The engine; how its board is set up and what its image keeps change no result."""
    values = {k: v for k, v in job.hardware.recorded.items() if k not in _SET_UP}
    return {f"hardware.{key}": _plain(value) for key, value in values.items()}


def model_inputs(job: Job, stage: str) -> Inputs:
    """The network: its name and arguments, its source, the graph that comes of it.

    A thorough job makes the network and looks. Others compare what the stage recorded: nothing but
    a change in one of these files makes the model read another one.
    """
    named = {"model": job.config.model, "model_args": _plain(job.config.model_args)}
    if ":" not in job.config.model:
        named |= _package("nn/zoo")
    if job.thorough:
        if not job.model_as_made:
            job.model_as_made.update(_model_as_made(job))
        return named | job.model_as_made
    recorded = _recorded(job, stage)
    base = job.workspace.folder.resolve().parent.parent
    files = [key.removeprefix(_MODEL_FILE) for key in recorded if key.startswith(_MODEL_FILE)]
    seen: Inputs = {f"{_MODEL_FILE}{name}": _file_digest(base / name) for name in files}
    return named | seen | {k: recorded[k] for k in (_MODEL_GRAPH,) if k in recorded}


def _model_as_made(job: Job) -> Inputs:
    """Digests of the files it is made from, by their place beside the build folder, and graph."""
    from cnnaccel.nn.models import model_files
    from cnnaccel.nn.sources import noting_files
    from cnnaccel.quant.frontend import export, graph_digest

    shape = job.dataset.shape  # read first: its files are no part of the model
    with noting_files() as opened:
        model = job.model()
    base = job.workspace.folder.resolve().parent.parent
    files = {os.path.relpath(path, base): path for path in model_files(job.config.model) | opened}
    made: Inputs = {f"{_MODEL_FILE}{name}": _file_digest(files[name]) for name in sorted(files)}
    return made | {_MODEL_GRAPH: graph_digest(export(model, shape))}


def data_inputs(job: Job, stage: str) -> Inputs:
    """The data, and all of its section but where the files lie.

    Where the files are not at hand they count as those that the stage recorded: whoever reads them
    says that they are missing.
    """
    recorded = _recorded(job, stage).get("data")
    if job.thorough or job.data_at_hand or recorded is None:
        try:
            digest = job.data_digest
        except DataError:
            if job.thorough or recorded is None:
                raise
            digest = recorded
    else:
        digest = recorded
    values = section("data", job.config.data)
    made_up = () if job.config.data.name == "synthetic" else ("shape", "classes", "images")
    for key in ("dir", *made_up):
        del values[f"data.{key}"]
    return values | {"data": digest}


def engine_digest() -> str:
    """Digest of the sources of the RTL and of the harness around it."""
    folders = (resource("hw") / name for name in ("rtl", "sim"))
    sources = (path for folder in folders for path in sorted(folder.iterdir()) if path.is_file())
    return sha256_of(*sources)


def _package(*parts: str) -> Inputs:
    """The source of parts of this package, each a folder or a module."""
    package = Path(cnnaccel.__file__).parent
    sources = {part: [*(package / part).glob("*.py"), package / f"{part}.py"] for part in parts}
    return {
        f"cnnaccel/{part}": sha256_of(*sorted(path for path in paths if path.is_file()))
        for part, paths in sources.items()
    }


def _versions(*packages: str) -> Inputs:
    found = versions()
    return {f"version of {package}": found[package] for package in packages}


def _recorded(job: Job, stage: str) -> Mapping[str, Any]:
    manifest = job.workspace.stage(stage).manifest()
    return manifest["inputs"] if manifest else {}


def _file_digest(path: Path) -> str:
    """Digest of a file's bytes; `missing` where there is none to read."""
    try:
        return sha256_of(path)
    except OSError:
        return "missing"


def _plain(value: Any) -> Any:
    """`value` in the types of JSON, as it is when a manifest is read back."""
    return json.loads(json.dumps(value, default=str))


# ---- what is stored --------------------------------------------------------------------------


def require(job: Job, name: str) -> Stage:
    """A finished stage that belongs to the configuration, as do all before it.

    Raises:
        WorkspaceError: it has not run, or its files were altered.
        StaleError: it was made from other values than the configuration has, and --stored is not
            given.
    """
    stage = stage_of(job, name)
    stage.finish_swap()
    manifest = stage.manifest()
    if manifest is None:
        raise WorkspaceError(
            f"{stage.folder} is not there; run `cnnaccel {name}` first, or `cnnaccel run` "
            "for every stage that is needed"
        )
    if job.checked.get(name) == manifest:
        return stage
    if reason := stage.why_damaged(manifest):
        raise WorkspaceError(f"{stage.folder}: {reason}; {_again(job, name)} makes it again")
    try:
        found = differences(manifest["inputs"], inputs_of(job, name))
    except StaleError as error:  # of a stage before: made again up to this one, both are right
        raise StaleError(error.what, _again(job, name)) from None
    except WorkspaceError as error:  # a stage before is not there: what it was cannot be told
        if not job.stored:
            raise
        job.say(f"--stored: {name} is used as it is, though {error}")
        found = []
    if found and not job.stored:
        raise StaleError(f"{name}: {describe(found)}", _again(job, name))
    if found:
        job.say(f"--stored: {name} is used as it is, though {describe(found)}")
    job.checked[name] = manifest
    return stage


def _again(job: Job, name: str) -> str:
    return f"`cnnaccel run {job.arguments} --until {name}`"


def artifact(job: Job, name: str, file: str) -> str:
    """The recorded digest of a file of another stage, as `require` lets it be used."""
    manifest = require(job, name).manifest()
    assert manifest is not None
    return str(manifest["artifacts"][file])


def stored_graph(job: Job) -> Graph:
    """The graph that `quantize` wrote, as `require` lets it be used."""
    return load_graph(require(job, "quantize").folder)
