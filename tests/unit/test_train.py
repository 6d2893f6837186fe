"""Training: repeatable, resumable and interruptible to the last bit, and shared by processes."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

from cnnaccel.config import AugmentConfig, Config, DataConfig, TrainConfig
from cnnaccel.errors import CheckpointError, ConfigError, Interrupted, ModelError
from cnnaccel.nn.augment import CHANCES, augment
from cnnaccel.nn.checkpoint import load_checkpoint, load_weights
from cnnaccel.nn.data import Dataset, load_dataset
from cnnaccel.nn.evaluate import accuracy, predict_logits
from cnnaccel.nn.history import EpochMetrics, TrainResult
from cnnaccel.nn.models import build_model, make_model
from cnnaccel.nn.optimize import make_average, share_of_peak
from cnnaccel.nn.ranks import Ranks
from cnnaccel.nn.train import share_of_batch, train
from tests.support.train_driver import small_config, small_data

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "tests/support/train_driver.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Recorder:
    """Keeps every call; interrupts at one of them."""

    def __init__(self, interrupt_in_epoch: int = 0) -> None:
        self.started: list[tuple[int, int, int]] = []
        self.steps: list[tuple[int, int, float, float | None]] = []
        self.epochs: list[EpochMetrics] = []
        self.interrupt_in_epoch = interrupt_in_epoch

    def on_start(self, epochs: int, steps_per_epoch: int, start_epoch: int) -> None:
        self.started.append((epochs, steps_per_epoch, start_epoch))

    def on_step(self, epoch: int, step: int, loss: float, accuracy: float | None) -> None:
        if epoch == self.interrupt_in_epoch:
            raise KeyboardInterrupt
        self.steps.append((epoch, step, loss, accuracy))

    def on_epoch(self, metrics: EpochMetrics) -> None:
        self.epochs.append(metrics)


def run(
    config: Config, folder: Path, observer: Recorder | None = None, resume: bool = False
) -> tuple[nn.Module, TrainResult]:
    folder.mkdir(exist_ok=True)
    data = small_data(config)
    model = make_model(config, data.shape, len(data.classes))
    return model, train(config, model, data, folder, resume, observer or Recorder())


def changed(config: Config, **train_options: Any) -> Config:
    return replace(config, train=replace(config.train, **train_options))


def timeless(history: tuple[EpochMetrics, ...]) -> list[EpochMetrics]:
    return [replace(metrics, seconds=0.0) for metrics in history]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    """Three epochs without interruption."""
    folder = tmp_path_factory.mktemp("reference")
    return folder, run(small_config(3), folder)[1]


def test_fashionmnist_is_learned(data_dir: Path, tmp_path: Path) -> None:
    whole = load_dataset(DataConfig(), data_dir)
    data = replace(whole, train=whole.train.take(np.arange(10_000)))
    config = Config(train=TrainConfig(epochs=1, batch_size=64))
    model = make_model(config, data.shape, len(data.classes))
    observer = Recorder()
    result = train(config, model, data, tmp_path, False, observer)
    assert result.validation.value > 0.7
    assert accuracy(model, data.validation) == pytest.approx(result.validation.value)
    assert accuracy(model, data.test) > 0.7
    assert observer.started == [(1, 156, 1)]
    assert [step for _, step, _, _ in observer.steps] == [*range(20, 141, 20), 156]
    assert observer.steps[-1][2] < observer.steps[0][2]


def test_results_and_files(reference: tuple[Path, TrainResult]) -> None:
    folder, result = reference
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == [metrics.line() for metrics in result.history]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    best = max(result.history, key=lambda metrics: metrics.validation.value)
    assert (result.epoch, result.validation.value) == (best.epoch, best.validation.value)
    config = small_config(3)
    data = small_data(config)
    model = make_model(config, data.shape, 4)
    content = load_weights(model, result.model)
    assert content["epoch"] == result.epoch and content["model"] == "resnet8"
    assert content["model_args"] == {"in_channels": 1, "classes": 4}
    assert accuracy(model, data.validation) == result.validation.value
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.pt",
        "metrics.jsonl",
        "model.pt",
    ]


def test_training_is_repeatable(reference: tuple[Path, TrainResult], tmp_path: Path) -> None:
    torch.manual_seed(99)  # whatever the process drew before
    folder, result = reference
    state = torch.get_rng_state()
    _, again = run(small_config(3), tmp_path)
    assert (tmp_path / "model.pt").read_bytes() == (folder / "model.pt").read_bytes()
    assert timeless(again.history) == timeless(result.history)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(state, torch.get_rng_state())


def test_seed_matters(reference: tuple[Path, TrainResult], tmp_path: Path) -> None:
    run(changed(small_config(3), seed=1), tmp_path)
    assert (tmp_path / "model.pt").read_bytes() != (reference[0] / "model.pt").read_bytes()


@pytest.mark.parametrize("epoch", [1, 3])
def test_interrupted_and_resumed_is_uninterrupted(
    reference: tuple[Path, TrainResult], tmp_path: Path, epoch: int
) -> None:
    folder, result = reference
    with pytest.raises(Interrupted, match="--resume") as caught:
        run(small_config(3), tmp_path, Recorder(interrupt_in_epoch=epoch))
    assert str(tmp_path / "checkpoint.pt") in str(caught.value)
    assert len(load_checkpoint(tmp_path / "checkpoint.pt")["history"]) == epoch - 1
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 77}\n{"torn')
    observer = Recorder()
    _, resumed = run(small_config(3), tmp_path, observer, resume=True)
    assert observer.started == [(3, 4, epoch)]
    assert timeless(resumed.history) == timeless(result.history)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3
    assert (tmp_path / "model.pt").read_bytes() == (folder / "model.pt").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "learning_rate": 0.05, "schedule": "cosine"},
        {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "average": 0.0},
    ],
)
def test_resume_with_other_options(tmp_path: Path, options: dict[str, Any]) -> None:
    config = changed(small_config(2), **options)
    run(config, tmp_path / "straight")
    with pytest.raises(Interrupted):
        run(config, tmp_path / "broken", Recorder(interrupt_in_epoch=2))
    run(config, tmp_path / "broken", resume=True)
    straight, broken = (tmp_path / name / "model.pt" for name in ("straight", "broken"))
    assert straight.read_bytes() == broken.read_bytes()


def test_dropout_is_repeated_on_resume(tmp_path: Path) -> None:
    config = replace(
        changed(small_config(2, "lenet"), average=0.0), model_args={"dropout": 0.5, "classes": 4}
    )
    run(config, tmp_path / "straight")
    with pytest.raises(Interrupted):
        run(config, tmp_path / "broken", Recorder(interrupt_in_epoch=2))
    run(config, tmp_path / "broken", resume=True)
    straight, broken = (tmp_path / name / "model.pt" for name in ("straight", "broken"))
    assert straight.read_bytes() == broken.read_bytes()


def test_resume_of_a_complete_training_just_finishes(
    reference: tuple[Path, TrainResult], tmp_path: Path
) -> None:
    folder, result = reference
    (tmp_path / "checkpoint.pt").write_bytes((folder / "checkpoint.pt").read_bytes())
    observer = Recorder()
    _, resumed = run(small_config(3), tmp_path, observer, resume=True)
    assert not observer.steps and resumed.history == result.history
    for name in ("model.pt", "metrics.jsonl"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_resume_is_refused(reference: tuple[Path, TrainResult], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not there"):
        run(small_config(3), tmp_path, resume=True)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes((reference[0] / "checkpoint.pt").read_bytes())
    other = replace(
        changed(small_config(3), learning_rate=0.5, augment=AugmentConfig()),
        data=replace(small_config(3).data, validation=41),
    )
    with pytest.raises(CheckpointError) as caught:
        run(other, tmp_path, resume=True)
    for key in ("data.validation", "train.augment.shift", "train.learning_rate"):
        assert key in str(caught.value)
    assert "train.epochs" not in str(caught.value)
    path.write_bytes((reference[0] / "model.pt").read_bytes())
    with pytest.raises(CheckpointError, match="a finished model"):
        run(small_config(3), tmp_path, resume=True)


def test_resume_after_the_model_file_changed(
    reference: tuple[Path, TrainResult], tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((reference[0] / "checkpoint.pt").read_bytes())
    config = small_config(3)
    model = build_model("resnet8", {"in_channels": 1, "classes": 5})
    with pytest.raises(CheckpointError, match="does not fit the model as it is now"):
        train(config, model, small_data(config), tmp_path, True, Recorder())


def test_data_may_move_between_runs(tmp_path: Path) -> None:
    config = small_config(1)
    run(config, tmp_path)
    run(replace(config, data=replace(config.data, dir="elsewhere")), tmp_path, resume=True)


def test_ctrl_c_leaves_a_checkpoint(tmp_path: Path) -> None:
    command = [sys.executable, str(DRIVER), str(tmp_path), "100000", "resnet8"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "epoch 2\n":
                break
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=180)
    assert process.returncode == 130, errors
    assert "--resume" in output and "Traceback" not in errors
    assert len(load_checkpoint(tmp_path / "checkpoint.pt")["history"]) >= 2
    assert not (tmp_path / "model.pt").exists()


@pytest.mark.parametrize(
    "name",
    [
        "lenet",
        "resnet8",
        "tests.support.train_driver:TwoHeads",
    ],
)
@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path, name: str) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, str(DRIVER), str(tmp_path), "2", name],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stdout.splitlines() == ["start 2 4 1", "epoch 1", "epoch 2"]  # one process speaks
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)
    config = small_config(2, name)
    model = make_model(config, small_data(config).shape, 4)
    load_weights(model, tmp_path / "model.pt")
    assert all(torch.equal(first[key], value) for key, value in model.state_dict().items())

    _, alone = run(config, tmp_path / "alone")
    shared = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    # batch norm sees half the batch in each process; otherwise only the order of sums differs
    tolerance = 0.05 if name == "resnet8" else 1e-4
    for ours, theirs in zip(alone.history, shared, strict=True):
        assert theirs["train_loss"] == pytest.approx(ours.train_loss, rel=tolerance)
        assert theirs["validation_loss"] == pytest.approx(ours.validation_loss, rel=tolerance)
        assert theirs["learning_rate"] == ours.learning_rate


def test_batches_that_cannot_be_shared() -> None:
    assert share_of_batch(64, 300, Ranks(1, 4)) == 16
    assert share_of_batch(64, 50, Ranks(0, 4)) == 12
    with pytest.raises(ConfigError, match="64 cannot be shared by 3 processes evenly"):
        share_of_batch(64, 300, Ranks(0, 3))
    with pytest.raises(ConfigError, match="3 training images are too few for 4 processes"):
        share_of_batch(64, 3, Ranks(0, 4))


def test_processes_that_do_not_find_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"WORLD_SIZE is 2, .* torchrun"):
        run(small_config(1), tmp_path)


def test_loss_that_is_not_finite(tmp_path: Path) -> None:
    config = changed(small_config(1), optimizer="sgd", learning_rate=1e30, schedule="constant")
    with pytest.raises(ModelError, match=r"epoch 1, step \d; lower train.learning_rate \(1e\+30\)"):
        run(config, tmp_path)


def test_models_that_cannot_train(tmp_path: Path) -> None:
    config = small_config(1)
    data = small_data(config)
    with pytest.raises(ModelError, match="no parameters"):
        train(config, nn.Flatten(), data, tmp_path, False, Recorder())
    single = changed(config, batch_size=1)
    narrow = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4))
    with pytest.raises(ModelError, match="cannot be trained on a batch: Expected more than 1"):
        train(single, narrow, data, tmp_path, False, Recorder())


@pytest.mark.parametrize("options", [{"shift": 8}, {"erase": 9}])
def test_augmentation_larger_than_the_image(tmp_path: Path, options: dict[str, Any]) -> None:
    config = changed(small_config(1), augment=AugmentConfig(**options))
    with pytest.raises(ConfigError, match=f"train.augment.{next(iter(options))} is .* 8x8"):
        run(config, tmp_path)


def test_batch_larger_than_the_data(tmp_path: Path) -> None:
    observer = Recorder()
    run(changed(small_config(1), batch_size=1000), tmp_path, observer)
    assert observer.started == [(1, 1, 1)]


def chances(count: int) -> torch.Tensor:
    return torch.rand(count, CHANCES, generator=torch.Generator().manual_seed(3))


def test_flip() -> None:
    images = torch.randint(0, 256, (200, 2, 5, 6), dtype=torch.uint8)
    out = augment(images, AugmentConfig(flip=True), chances(200))
    flipped = [torch.equal(a, b.flip(-1)) for a, b in zip(out, images, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(out, images, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 70 < sum(flipped) < 130


def test_shift() -> None:
    images = torch.randint(1, 256, (300, 2, 5, 6), dtype=torch.uint8)
    out = augment(images, AugmentConfig(shift=1), chances(300))
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    moves = [(y, x) for y in range(3) for x in range(3)]
    seen = [
        next(m for m in moves if torch.equal(a, b[:, m[0] : m[0] + 5, m[1] : m[1] + 6]))
        for a, b in zip(out, padded, strict=True)
    ]
    assert set(seen) == set(moves)
    assert max(seen.count(move) for move in moves) < 60


def test_erase() -> None:
    images = torch.full((200, 2, 5, 6), 7, dtype=torch.uint8)
    out = augment(images, AugmentConfig(erase=3), chances(200))
    corners = set()
    for image in out:
        blank = image[0] == 0
        assert torch.equal(image[1] == 0, blank)
        y, x = (int(i) for i in blank.nonzero()[0])
        assert int(blank.sum()) == 9 and blank[y : y + 3, x : x + 3].all()
        corners.add((y, x))
    assert corners == {(y, x) for y in range(3) for x in range(4)}


def test_no_augmentation_changes_nothing() -> None:
    images = torch.randint(0, 256, (9, 1, 5, 6), dtype=torch.uint8)
    assert torch.equal(augment(images, AugmentConfig(), chances(9)), images)


def test_one_cycle_is_torchs() -> None:
    config, steps = TrainConfig(warmup=0.3), 50
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = OneCycleLR(optimizer, 1.0, steps, pct_start=0.3, cycle_momentum=False)
    for step in range(steps):
        share = share_of_peak(config, step, steps)
        assert share == pytest.approx(theirs.get_last_lr()[0], abs=0.06)  # they count to steps - 1
        optimizer.step()
        theirs.step()
    assert share_of_peak(config, 15, steps) == 1.0
    assert share_of_peak(config, 0, steps) == pytest.approx(1 / 25)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 4, 37])
def test_schedules_stay_between_zero_and_peak(schedule: Any, warmup: float, steps: int) -> None:
    config = TrainConfig(schedule=schedule, warmup=warmup)
    shares = [share_of_peak(config, step, steps) for step in range(steps + 1)]
    assert all(0 <= share <= 1 for share in shares) and shares[0] > 0


def test_average_follows_weights_and_buffers() -> None:
    model: Any = nn.Sequential(nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2))
    average: Any = make_average(model, 0.5)
    assert average is not None
    expected: float | None = None
    for step in range(6):
        with torch.no_grad():
            model[0].weight.fill_(step)
            model[1].running_mean.fill_(step)
        average.update_parameters(model)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = step if expected is None else decay * expected + (1 - decay) * step
    assert average.module[0].weight[0, 0].item() == pytest.approx(expected)
    assert average.module[1].running_mean[0].item() == pytest.approx(expected)
    assert make_average(model, 0.0) is None


def test_predictions_leave_the_model_alone() -> None:
    model = build_model("lenet", {"dropout": 0.5})
    model.train()
    images = np.random.default_rng(0).integers(0, 256, (7, 1, 28, 28)).astype(np.uint8)
    logits = predict_logits(model, images, batch=3)
    assert model.training and logits.dtype == np.float32 and logits.shape == (7, 10)
    assert np.allclose(logits, predict_logits(model, images), atol=1e-6)
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(images) / 255)
    assert np.allclose(logits, expected.numpy(), atol=1e-6)
    assert math.isfinite(float(logits.sum()))


def test_dataset_type_is_immutable() -> None:
    data: Dataset = small_data(small_config(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.train = data.test  # type: ignore[misc]
