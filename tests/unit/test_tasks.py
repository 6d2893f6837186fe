"""Figures of every task against plain definitions, losses against torch, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cnnaccel.config import Config, TrainConfig
from cnnaccel.errors import CnnaccelError, ConfigError, DataError, ModelError
from cnnaccel.figures import Compared, Figure, compared_from_json, figure_of, stored
from cnnaccel.nn.functions import function_files, load_function
from cnnaccel.nn.losses import Loss, make_loss, target_tensor
from cnnaccel.nn.tasks import Features, Judge, Metric, Task, task_of


def judged(task: Task, outputs: Any, targets: Any, pieces: int = 3) -> dict[str, float]:
    """Figures by name, of images handed over in pieces."""
    judge, count = Judge(task), len(outputs)
    for part in np.array_split(np.arange(count), pieces):
        judge.add((outputs[part],), targets[part])
    return {one.name: one.value for one in judge.figures()}


def test_classify(rng: np.random.Generator) -> None:
    logits, labels = rng.normal(size=(50, 30)).round(1), rng.integers(0, 30, 50)
    best = np.argsort(-logits, axis=1, kind="stable")
    found = judged(task_of("classify", 30), logits, labels)
    assert found["accuracy"] == (best[:, 0] == labels).mean()
    assert found["top 5"] == (best[:, :5] == labels[:, None]).any(axis=1).mean()
    assert list(judged(task_of("classify", 4), logits[:, :4], labels % 4)) == ["accuracy"]


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("factor", [1, 2])
def test_segment(channels: int, factor: int, rng: np.random.Generator) -> None:
    maps = rng.normal(size=(7, channels, 5, 6))
    taken = maps.argmax(1) if channels > 1 else (maps[:, 0] > 0).astype(int)
    taken = taken.repeat(factor, 1).repeat(factor, 2)
    masks = rng.integers(0, max(2, channels - 1), taken.shape)  # of 4 classes the last is in none
    masks[0] = 255
    judge = masks != 255
    shares = [
        ((taken == one) & (masks == one)).sum() / (((taken == one) | (masks == one)) & judge).sum()
        for one in range(max(2, channels))
    ]
    found = judged(task_of("segment", 0), maps, masks)
    assert found["mean IoU"] == pytest.approx(np.mean(shares))
    assert found["pixel accuracy"] == pytest.approx((taken == masks)[judge].mean())


def test_regress(rng: np.random.Generator) -> None:
    from sklearn.metrics import mean_absolute_error, r2_score

    wanted = rng.normal(size=(40, 3)) * [1, 10, 0] + [0, 5, 2]
    given = wanted + rng.normal(size=wanted.shape)
    found = judged(task_of("regress", 0), given, wanted)
    assert found["mean absolute error"] == pytest.approx(mean_absolute_error(wanted, given))
    assert found["RMSE"] == pytest.approx(np.sqrt(((wanted - given) ** 2).mean()))
    assert found["R^2"] == pytest.approx(r2_score(wanted[:, :2], given[:, :2]))
    flat = judged(task_of("regress", 0), given[:, :1], wanted[:, 0])
    assert flat["mean absolute error"] == pytest.approx(np.abs(given - wanted)[:, 0].mean())
    constant = judged(task_of("regress", 0), given[:, 2:], wanted[:, 2])
    assert "R^2" not in constant  # nothing varies


def test_features(rng: np.random.Generator) -> None:
    one, other = rng.normal(size=(6, 4, 2)), rng.normal(size=(6, 3))
    judge = Judge(Features())
    judge.add((one, other), (one, -other))
    assert [(f.name, round(f.value, 9)) for f in judge.figures()] == [
        ("least cosine to float", -1),
        ("cosine of output 0", 1),
        ("cosine of output 1", -1),
    ]
    for exact, cosine in ((0.0, 1), (1.0, 0)):  # of two zeros, of a zero and anything else
        zeros = Judge(Features())
        zeros.add((np.zeros((2, 3)),), (np.full((2, 3), exact),))
        assert zeros.figures() == (Figure("cosine to float", cosine, "cosine"),)


IMAGES = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("task", "outputs", "targets", "message"),
    [
        ("classify", np.zeros((4, 3, 5, 5)), IMAGES[:, 0], "would fit task: segment or regress"),
        ("classify", IMAGES, np.array([0, 1, 2, 3]), "labels are 0 to 3, the network has classes"),
        ("classify", IMAGES, IMAGES[:, 0], r"targets are float64\[N\]; task classify wants one"),
        ("segment", np.zeros((4, 5, 2, 2)), IMAGES, "data has 3 classes, the model gives 5 maps"),
        ("segment", IMAGES, np.zeros((4, 2, 2), int), "would fit task: classify or regress"),
        ("segment", np.zeros((4, 3, 5, 5)), np.zeros((4, 7, 5), int), "masks are 7x5, the network"),
        ("segment", np.zeros((4, 3, 5, 5)), np.full((4, 5, 5), 3), "a mask has class 3, the netw"),
        ("segment", np.zeros((4, 3, 5, 5)), np.full((4, 5, 5), 255), "no pixel of the masks has"),
        ("segment", np.zeros((4, 3, 5, 5)), np.zeros((4, 5, 5)), "task segment wants masks of wh"),
        ("segment", np.zeros((4, 3, 5, 5)), np.full((4, 5, 5), -1), "a mask has class -1"),
        ("regress", IMAGES, np.zeros((4, 2)), r"wants the numbers that the model gives, \[N, 3\]"),
    ],
)
def test_misfits(task: str, outputs: Any, targets: Any, message: str) -> None:
    with pytest.raises((DataError, ModelError), match=message) as error:
        judged(task_of(task, 3), outputs, targets, 1)
    assert "\n" not in str(error.value)


def test_several_outputs_are_no_task_but_features() -> None:
    with pytest.raises(ModelError, match="judges one output, the model gives 2"):
        Judge(task_of("regress", 3)).add((IMAGES, IMAGES), IMAGES)
    with pytest.raises(ConfigError, match="did you mean 'segment'"):
        task_of("segmant", 3)


# ---- metrics ---------------------------------------------------------------------------------


def test_a_metric_sees_all_images_at_once() -> None:
    seen: list[Any] = []

    def both(outputs: Any, targets: Any) -> dict[str, Any]:
        seen.append((outputs[0].shape, targets.shape))
        return {"worst error": torch.tensor(3.0), "images": len(targets)}

    found = judged(task_of("regress", 0, both, "min"), IMAGES, IMAGES)
    assert found == {"worst error": 3.0, "images": 4.0} and seen == [((4, 3), (4, 3))]
    assert not Metric("mine", both, higher=False).measure((IMAGES,), IMAGES)[0].higher


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (float("nan"), "metric mine gives nan; return a finite number"),
        (np.zeros(3), r"metric mine gives a ndarray\[3\]; return a number"),
        ("good", "metric mine gives a str; return a number"),
        (None, "metric mine gives a NoneType; return a number"),
        ({}, "metric mine gives no figures"),
        (ValueError("bad\nluck"), r"metric mine failed at .*test_tasks.py:\d+: ValueError: bad lu"),
    ],
)
def test_metrics_that_are_refused(result: Any, message: str) -> None:
    def function(*_: Any) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    with pytest.raises(ModelError, match=message) as error:
        Metric("mine", function).measure((IMAGES,), None)
    assert "\n" not in str(error.value)


def test_functions_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_functions.py").write_text(
        "from torch.nn import L1Loss\nnumber = 3\ndef best(*_):\n    return 1\n", encoding="utf-8"
    )
    (tmp_path / "mine_broken.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_function("mine_functions:best", "metric")() == 1
    assert load_function("mine_functions:L1Loss", "train.loss")(torch.ones(2), torch.zeros(2)) == 1
    assert function_files("mine_functions:best") == {tmp_path / "mine_functions.py"}
    for spec, message in (
        ("mine_functions:bost", "has no 'bost'; did you mean 'best'"),
        ("mine_functions:number", "is a int, not a function"),
        ("mine_broken:best", r"importing it failed at .*mine_broken.py:1: ModuleNotFoundError"),
        ("no_module_here:best", "there is no module 'no_module_here'"),
    ):
        with pytest.raises(ConfigError, match=f"^metric {spec}: .*{message}"):
            load_function(spec, "metric")


# ---- losses ----------------------------------------------------------------------------------


def loss(name: str | None, task: str = "classify", smoothing: float = 0.0) -> Loss:
    train = TrainConfig(loss=name, label_smoothing=smoothing)
    return make_loss(Config(task=task, train=train))  # type: ignore[arg-type]


def test_losses_are_torchs() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    smooth = F.cross_entropy(logits, labels, label_smoothing=0.1)
    assert loss(None, smoothing=0.1)(logits, labels) == smooth
    assert loss(None, smoothing=0.1)(logits, labels, training=False) == F.cross_entropy(
        logits, labels
    )
    maps, masks = torch.randn(2, 3, 2, 2), torch.randint(0, 3, (2, 4, 4))
    masks[0, :2] = 255
    large = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert loss(None, "segment")(maps, masks) == F.cross_entropy(large, masks, ignore_index=255)
    assert loss(None, "segment")(maps, torch.full_like(masks, 255)) == 0
    numbers = torch.randn(6)
    for name in ("mse", "l1", "smooth_l1"):
        torchs = getattr(F, f"{name}_loss")
        assert loss(name, "regress")(logits[:, :1], numbers) == torchs(logits[:, 0], numbers)
    sides = (masks == 1).long()
    binary = F.binary_cross_entropy_with_logits(maps[:, :1], sides[:, None, ::2, ::2].float())
    assert loss("bce_with_logits", "segment")(maps[:, :1], sides[:, ::2, ::2]) == binary
    partly = sides[:, ::2, ::2].clone()
    partly[0] = 255
    judged_half = F.binary_cross_entropy_with_logits(maps[1:, 0], partly[1:].float())
    assert loss("bce_with_logits", "segment")(maps[:, :1], partly) == pytest.approx(judged_half)


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "message"),
    [
        (
            "cross_entropy",
            (4, 3),
            np.zeros((4, 3)),
            r"4 images into \[4, 3\], their targets ar",
        ),
        ("cross_entropy", (4, 1, 2, 2), np.zeros((4, 2, 2), int), "one channel is always 0"),
        ("cross_entropy", (4, 2, 2, 2), np.full((4, 2, 2), 9), "targets are classes 9 to 9"),
        ("mse", (4, 3), np.zeros(4), r"targets are float32\[4\]"),
        ("bce_with_logits", (4, 1), np.full(4, 2.0), "takes targets from 0 to 1, got 2 to 2"),
    ],
)
def test_losses_that_do_not_fit(name: str, outputs: Any, targets: Any, message: str) -> None:
    with pytest.raises((ModelError, DataError), match=message):
        loss(name)(torch.zeros(outputs), target_tensor(targets))


def test_no_loss_of_features() -> None:
    with pytest.raises(ConfigError, match="task features has no loss of its own"):
        loss(None, "features")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda raw, wanted: raw.sum(1), r"gives a Tensor\[2\]; return a tensor of one float"),
        (lambda raw, wanted: 3.0, "gives a float; return a tensor of one float"),
        (lambda raw, wanted: raw.detach().sum(), "does not depend on the model's output"),
        (lambda raw, wanted: raw[7, 7, 7], "train.loss mine failed at .*IndexError"),
    ],
)
def test_losses_of_ones_own_that_are_refused(function: Any, message: str) -> None:
    raw = torch.zeros(2, 3, requires_grad=True)
    with pytest.raises(CnnaccelError, match=message):
        Loss("mine", function)(raw, torch.zeros(2))


def test_a_loss_of_ones_own_sees_all_that_the_model_returns() -> None:
    raw = {"boxes": torch.ones(2, requires_grad=True), "scores": torch.ones(2)}
    found = Loss("mine", lambda made, wanted: (made["boxes"] * made["scores"] * wanted).sum())
    assert found(raw, torch.tensor([1.0, 2.0])) == 3


# ---- figures ---------------------------------------------------------------------------------


def test_figures_as_text_and_back() -> None:
    share, error = Figure("mean IoU", 0.5, "share"), Figure("RMSE", 2.0, higher=False)
    assert (share.text, error.text, share.key) == ("mean IoU 50.00%", "RMSE 2", "mean_iou")
    assert Compared(share, 0.51).text == "mean IoU: int8 50.00%, float 51.00% (-1.00 points)"
    assert Compared(error, 1.6).text == "RMSE: int8 2, float 1.6 (-25.00 % of it)"
    assert error.better_than(2.5) and not share.better_than(0.5)
    assert Compared(error, None).points == 0 and Compared(error, 0.0).points == -np.inf
    for figure in (share, error, Figure("accuracy", 0.25, "share")):
        assert figure_of(stored(figure)) == figure
    both = {"int8": stored(share)["figure"], "exact": None}
    assert compared_from_json(both) == Compared(share, None)
