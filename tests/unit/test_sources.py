"""The files a model is made from: followed by imports, noted while it is made, or left out."""

from __future__ import annotations

import importlib
import json
import linecache
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnaccel.nn.models import build_model, model_files
from cnnaccel.nn.sources import is_own, noting_files
from cnnaccel.quant.frontend import export, graph_digest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a small project in it whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    write(
        "net_a.py", "import json, numpy\nfrom torch import nn\nfrom parts_a.blocks import block\n"
    )
    write("parts_a/__init__.py", "")
    write("parts_a/blocks.py", "from . import deep\nfrom .deep.core import K\nblock = K\n")
    write("parts_a/deep/__init__.py", "")
    write("parts_a/deep/core.py", "def late():\n    from ..later import x\nK = 3\n")
    write("parts_a/later.py", "import net_a\nx = 1\n")
    write("parts_a/unused.py", "")
    yield tmp_path
    for name in [n for n in sys.modules if n.partition(".")[0].endswith("_a")]:
        del sys.modules[name]


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(paths: set[Path], root: Path) -> set[str]:
    return {path.relative_to(root.resolve()).as_posix() for path in paths}


def test_imports_are_followed_at_any_depth(here: Path) -> None:
    wanted = {"net_a.py", "parts_a/__init__.py", "parts_a/blocks.py", "parts_a/deep/__init__.py",
              "parts_a/deep/core.py", "parts_a/later.py"}  # fmt: skip
    assert names(model_files("net_a:Net"), here) == wanted
    assert "net_a" not in sys.modules, "nothing is run"
    assert names(model_files("parts_a.deep.core:Net"), here) == wanted


def test_installed_packages_are_told_by_their_versions(here: Path) -> None:
    assert model_files("lenet") == set()
    assert model_files("torchvision.models:resnet18") == set()
    assert model_files("sys:Net") == set()
    assert model_files("nowhere.at.all:Net") == set()


def test_files_that_cannot_be_parsed_count_all_the_same(here: Path) -> None:
    write("broken_a.py", "import net_a\ndef f(:\n")
    assert names(model_files("broken_a:Net"), here) == {"broken_a.py"}
    write("bytes_a.py", "").write_bytes(b"\x00\xff")
    assert names(model_files("bytes_a:Net"), here) == {"bytes_a.py"}


def test_files_that_a_constructor_reads_are_noted(here: Path) -> None:
    write("width.json", "4")
    write("plugin_a.py", "WIDTH = 2\n")
    write(
        "reads_a.py",
        "import importlib, json, pathlib\n"
        "from torch import nn\n"
        "def make():\n"
        "    pathlib.Path('made.txt').write_text('')\n"
        "    plugin = importlib.import_module('plugin_a')\n"
        "    return nn.Conv2d(1, json.load(open('width.json')) * plugin.WIDTH, 3)\n",
    )
    with noting_files() as noted:
        assert build_model("reads_a:make", {}).out_channels == 8
    assert names(noted, here) == {"reads_a.py", "plugin_a.py", "width.json"}
    assert names(model_files("reads_a:make"), here) == {"reads_a.py"}


def test_compiled_modules_count_as_their_source(here: Path) -> None:
    write("cached_a.py", "X = 1\n")
    importlib.invalidate_caches()
    sys.path.insert(0, str(here))
    try:
        importlib.import_module("cached_a")
        del sys.modules["cached_a"]
        with noting_files() as noted:
            importlib.import_module("cached_a")
    finally:
        sys.path.remove(str(here))
    assert names(noted, here) == {"cached_a.py"}


def test_only_reading_in_the_block_is_noted(here: Path) -> None:
    path = write("one.txt", "1")
    with noting_files() as noted:
        Path("two.txt").write_text("2")
        os.close(os.open("three.txt", os.O_CREAT | os.O_WRONLY))
        path.read_text()
        with pytest.raises(FileNotFoundError):
            Path("four.txt").read_text()
    path.with_name("two.txt").read_text()
    assert names(noted, here) == {"one.txt"}


def test_lines_that_python_reads_again_are_not_noted(here: Path) -> None:

    linecache.checkcache()
    linecache.cache.pop(__file__, None)
    with noting_files() as noted:
        assert linecache.getline(__file__, 1)
    assert noted == set()


@pytest.mark.parametrize(
    "path",
    [os.__file__, np.__file__, torch.__file__, "/proc/cpuinfo", "/etc/hosts",
     "/usr/lib/os-release", "/tmp/torchinductor_me/fxgraph/x.py",
     "/home/me/.cache/matplotlib/fonts.json", "/home/me/env/lib/site-packages/x/__init__.py"],
)  # fmt: skip
def test_what_belongs_to_nobody(path: str) -> None:
    assert not is_own(Path(path))


def test_weights_that_torch_keeps_belong_to_the_model() -> None:
    assert is_own(Path("/home/me/.cache/torch/hub/checkpoints/net.pth"))
    assert is_own(Path("/home/me/nets/net.py"))


def test_every_source_of_random_numbers_is_seeded(here: Path) -> None:
    write(
        "random_a.py",
        "import random\nimport numpy as np\nimport torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        drawn = [random.random(), np.random.rand(), float(torch.rand(1))]\n"
        "        self.register_buffer('drawn', torch.tensor(drawn))\n",
    )

    def drawn(seed: int) -> list[float]:
        model: Any = build_model("random_a:Net", {}, seed=seed)
        return model.drawn.tolist()

    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), repr(np.random.get_state(legacy=False))
    first, second, other = (drawn(seed) for seed in (3, 3, 4))
    assert first == second != other
    assert (random.getstate(), repr(np.random.get_state(legacy=False))) == before


# ---- the exported graph ----------------------------------------------------------------------


def digest(model: torch.nn.Module) -> str:
    return graph_digest(export(model, (2, 8, 8)))


def conv(**options: object) -> torch.nn.Conv2d:
    torch.manual_seed(0)
    return torch.nn.Conv2d(2, 3, 3, **options)  # type: ignore[arg-type]


def test_the_graph_tells_models_apart() -> None:
    class Scaled(torch.nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.conv = conv()
            self.factor: torch.Tensor
            self.register_buffer("factor", torch.tensor([factor]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) * self.factor

    models = [conv(), conv(stride=2), conv(padding=1), conv(dilation=2), conv(bias=False),
              torch.nn.Sequential(conv(), torch.nn.ReLU()),
              torch.nn.Sequential(conv(), torch.nn.ReLU6()),
              torch.nn.Sequential(conv(), torch.nn.BatchNorm2d(3)),
              torch.nn.Sequential(conv(), torch.nn.BatchNorm2d(3, eps=1e-3)),
              Scaled(1.0), Scaled(2.0)]  # fmt: skip
    assert len({digest(model) for model in models}) == len(models)


def test_the_graph_is_the_same_for_other_weights() -> None:
    first, second = conv(), conv()
    torch.nn.init.normal_(second.weight)
    assert digest(first) == digest(second)


def test_the_graph_is_the_same_in_another_process() -> None:

    code = (
        "import json\n"
        "from cnnaccel.quant.frontend import export, graph_digest\n"
        "from cnnaccel.nn.models import build_model\n"
        "print(json.dumps(graph_digest(export(build_model('resnet8', {}), (3, 32, 32)))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = graph_digest(export(build_model("resnet8", {}, seed=5), (3, 32, 32)))
    assert json.loads(done.stdout) == here
