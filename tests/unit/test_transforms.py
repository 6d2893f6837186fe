"""torchvision's transforms by name: what they do, that chance repeats, what is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnaccel.config import AugmentConfig, load_config
from cnnaccel.errors import ConfigError, ModelError
from cnnaccel.fields import Call
from cnnaccel.nn.augment import check_augment
from cnnaccel.nn.transforms import Transforms, make_transforms

IMAGES = torch.randint(0, 256, (6, 3, 8, 10), dtype=torch.uint8)
MASKS = IMAGES[:, 0].long()
SEEDS = list(range(6))


def transforms(*calls: Call | str) -> Transforms:
    made = tuple(Call(one) if isinstance(one, str) else one for one in calls)
    return make_transforms(AugmentConfig(transforms=made))


CHANGES = (
    Call("RandomHorizontalFlip", {"p": 0.5}),
    Call("RandomCrop", {"size": [8, 10], "padding": 2}),
    Call("RandomAffine", {"degrees": 20, "interpolation": "bilinear"}),
    Call("RandomApply", {"transforms": [{"ColorJitter": {"brightness": 0.5}}], "p": 0.5}),
    Call("AutoAugment", {"policy": "cifar10"}),
)


def drawn_from() -> list[Any]:
    """The state of Python's and numpy's global random numbers."""
    legacy: Any = np.random.get_state()
    return [random.getstate(), legacy[2]]


def test_each_image_has_its_own_chance() -> None:
    change = transforms(*CHANGES)
    torch.manual_seed(3)
    state, others = torch.get_rng_state(), drawn_from()
    whole, _ = change(IMAGES, None, SEEDS)
    assert torch.equal(torch.get_rng_state(), state) and drawn_from() == others
    parts = [change(IMAGES[at : at + 1], None, SEEDS[at : at + 1])[0] for at in range(6)]
    assert torch.equal(whole, torch.cat(parts))
    another, _ = change(IMAGES, None, [seed + 100 for seed in SEEDS])
    assert not torch.equal(whole, another) and whole.dtype == torch.uint8


def test_masks_move_with_their_images() -> None:
    change = transforms("RandomHorizontalFlip", Call("RandomCrop", {"size": [8, 10], "padding": 3}))
    images, masks = change(IMAGES, MASKS, SEEDS)
    assert masks is not None and torch.equal(images[:, 0].long(), masks)
    assert not torch.equal(images, IMAGES) and type(masks) is torch.Tensor
    brighter, same = transforms(Call("ColorJitter", {"brightness": 0.9}))(IMAGES, MASKS, SEEDS)
    assert same is not None and torch.equal(same, MASKS) and not torch.equal(brighter, IMAGES)


def test_a_function_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_changes.py").write_text(
        "import random, numpy, torch\n"
        "def noise(image):\n"
        "    drawn = [random.random(), numpy.random.rand(), float(torch.rand(()))]\n"
        "    return (image // 2 + int(100 * sum(drawn) / 3)).to(torch.uint8)\n"
        "def both(image, mask):\n    return image.flip(-1), mask.flip(-1)\n"
        "def fails(image):\n    return 1 // 0\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    noise = transforms("mine_changes:noise")
    assert torch.equal(noise(IMAGES, None, SEEDS)[0], noise(IMAGES, None, SEEDS)[0])
    assert len({int(one.float().mean()) for one in noise(IMAGES[:1].expand(6, -1, -1, -1), None,
                                                         SEEDS)[0]}) > 1  # fmt: skip
    images, masks = transforms("mine_changes:both")(IMAGES, MASKS, SEEDS)
    assert masks is not None and torch.equal(images[:, 0].long(), masks)
    with pytest.raises(ModelError, match=r"mine_changes:fails failed at .*mine_changes.py:8: Zero"):
        transforms("mine_changes:fails")(IMAGES, None, SEEDS)
    with pytest.raises(ModelError, match="mine_changes:noise failed: TypeError"):
        noise(IMAGES, MASKS, SEEDS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (Call("RandomCrop", {"size": 4}), r"makes uint8\[3, 4, 4\] of the image uint8\[3, 8, 10\]"),
        (Call("ToDtype", {"dtype": torch.float32}), r"makes float32\[3, 8, 10\] of the image"),
        (Call("Grayscale"), r"makes uint8\[1, 8, 10\]"),
        (Call("ToPILImage"), "makes Image of the image"),
        (Call("Normalize", {"mean": [0.5], "std": [0.5]}), "failed.*TypeError"),
    ],
)
def test_shape_and_type_must_stay(call: Call, message: str) -> None:
    with pytest.raises(ModelError, match=f"train.augment: {call.name}.*{message}") as error:
        transforms(call)(IMAGES, None, SEEDS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "[RandomHorizontalFlop]",
            "3: .*no 'RandomHorizontalFlop'; did you mean 'RandomHo",
        ),
        (
            "\n  - ColorJitter\n  - RandomCrop: {sise: 3}",
            "5: .*no argument 'sise'; did you mean '",
        ),
        (
            "\n  - RandomCrop:\n      size: 3\n      fil: 1",
            "6: .*no argument 'fil'; did you mean '",
        ),
        ("[RandomCrop]", r"3: .*RandomCrop\(\) cannot be made: .*size"),
        ("[AutoAugment: {policy: best}]", "3: .*'best' is none of imagenet"),
        ("[RandomRotation: {degrees: -5}]", r"3: .*RandomRotation\(degrees=-5\) cannot be made"),
        ("no_such_module:f", "there is no module 'no_such_module'"),
    ],
)
def test_names_and_arguments_with_their_place(written: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"model: lenet\ntrain:\n augment: {written}\n", encoding="utf-8")
    config = load_config(path)
    with pytest.raises(ConfigError, match=message) as error:
        make_transforms(config.train.augment)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("written", ["3", "[3]", "[{A: 3}]", "[{A: {}, B: {}}]", "[[A]]"])
def test_what_is_no_list_of_calls(written: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"train:\n  augment: {written}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.yaml:2: .*must be a name, or Name: \{argument"):
        load_config(path)


def test_masks_of_another_size_cannot_move_with_their_images() -> None:
    flip: dict[str, Any] = {"flip": True}
    with pytest.raises(ConfigError, match="masks are 4x5, images 8x10"):
        check_augment(AugmentConfig(**flip), (3, 8, 10), (4, 5))
    check_augment(AugmentConfig(**flip), (3, 8, 10), (8, 10))
    check_augment(AugmentConfig(erase=2), (3, 8, 10), (4, 5))
