"""The Python API, as a user calls it: results, files, drop-ins, and what is refused."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import cnnaccel as ca
from cnnaccel import api
from cnnaccel.errors import ConfigError, DataError, MismatchError, ModelError, WorkspaceError
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.quant import ptq
from cnnaccel.runtime.network import load_network
from tests.support.tails import SHAPE, model_of

ROOT = Path(__file__).parents[2]
TINY = load_hardware("tiny")


def network() -> nn.Sequential:
    """A small network with weights from a seed."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(96, 10))


CHEAP = ca.QuantizeConfig(equalize=False, bias_correction=False)
IMAGES = np.random.default_rng(0).integers(0, 256, (48, 1, 8, 8), np.uint8)
FLOATS = torch.from_numpy(IMAGES).float() / 255


@pytest.fixture(scope="module")
def quantized() -> ca.QuantizedNetwork:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ca.NoisyNetworkWarning)
        return ca.quantize(network(), IMAGES, name="small", classes=list("abcdefghij"))


@pytest.fixture(scope="module")
def program(quantized: ca.QuantizedNetwork) -> ca.CompiledNetwork:
    return quantized.compile(TINY)


def test_import_loads_nothing_heavy() -> None:
    code = "import cnnaccel, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "numpy", "rich", "yaml", "jinja2", "matplotlib"} & set(loaded)


def test_the_door_is_the_api() -> None:
    assert set(ca.__all__) == set(api.__all__) <= set(dir(ca))
    assert all(getattr(ca, name) is getattr(api, name) for name in ca.__all__)
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        ca.quantise  # type: ignore[attr-defined] # noqa: B018
    assert (ROOT / "cnnaccel" / "py.typed").is_file()


def test_page_runs_as_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(blocks) > 8
    (tmp_path / "page.py").write_text("\n".join(blocks), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "page.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    shown = re.findall(r"^    (int8 .*)$", page, re.M)
    assert shown and all(line in ran.stdout for line in shown)
    assert (tmp_path / "digits_on_pynq" / "program.bin").is_file()


@pytest.mark.parametrize("given", [FLOATS, FLOATS.numpy(), FLOATS.double(), torch.tensor(IMAGES)])
def test_images_as_people_have_them(quantized: ca.QuantizedNetwork, given: Any) -> None:
    assert np.array_equal(quantized.pixels(given), IMAGES)


def test_normalised_images() -> None:
    mean, std = (0.25,), (0.5,)
    shifted = (FLOATS - mean[0]) / std[0]
    made = ca.quantize(network(), shifted, mean=mean, std=std, config=CHEAP)
    assert np.array_equal(made.pixels(shifted), IMAGES) and made.images is not None
    assert np.array_equal(made.images, IMAGES) and made.model is not None
    with torch.no_grad():
        assert torch.equal(made.model(FLOATS), network()(shifted))  # halves and quarters: exact
    assert made.compare(IMAGES).worst.sqnr_db > 20


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (FLOATS * 255, "pixels from 0 to 1, got 0 to 255; pixels from 0 to 255 are given as uint8"),
        (FLOATS * 2 - 1, r"normalised ones with the mean= and std="),
        (FLOATS * float("nan"), "pixels from 0 to 1, got nan"),
        (IMAGES.astype(np.int64), r"got int64\[48, 1, 8, 8\]"),
        (IMAGES[0, 0], r"got uint8\[8, 8\]"),
        (IMAGES[:0], "no calibration images"),
        ("images.npy", "got str"),
    ],
)
def test_what_is_no_image_is_refused(images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ca.quantize(network(), images)


def test_other_refusals(quantized: ca.QuantizedNetwork, program: ca.CompiledNetwork) -> None:
    with pytest.raises(ModelError, match=r"a str, not a torch\.nn\.Module"):
        ca.quantize("resnet18", IMAGES)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="give both"):
        ca.quantize(network(), IMAGES, mean=[0.5])
    with pytest.raises(ConfigError, match="no such board"):
        quantized.compile("pynq_z9")
    with pytest.raises(ConfigError, match="clock_mhz"):
        quantized.compile("tiny", clock_mhz=-1)
    with pytest.raises(ConfigError, match="clok_mhz"):
        quantized.compile("tiny", clok_mhz=100)
    with pytest.raises(ConfigError, match="clok_mhz"):
        quantized.compile(TINY, clok_mhz=100)
    with pytest.raises(DataError, match=r"the network takes uint8 images of \[1, 8, 8\]"):
        program.simulate(IMAGES[:, :, :4])
    with pytest.raises(DataError, match="one is enough"):
        program.simulate(IMAGES[:0])
    with pytest.raises(DataError, match="waves and cycles go together"):
        program.simulate(IMAGES, waves="a.fst")
    with pytest.raises(DataError, match="one whole number for each of the 48 images"):
        quantized.evaluate(IMAGES, np.zeros(3, int))
    with pytest.raises(DataError, match="labels are 0 to 10, the network has classes 0 to 9"):
        quantized.evaluate(IMAGES, np.arange(48) % 11)
    with pytest.raises(WorkspaceError, match="needs bitstream="):
        program.deploy("xilinx@board", IMAGES)
    with pytest.raises(ConfigError, match="it is one of sim, golden"):
        ca.accelerate(network(), IMAGES, board=TINY, target="fpga")


def test_evaluate_counts(quantized: ca.QuantizedNetwork) -> None:
    with torch.no_grad():
        floats = network()(FLOATS).argmax(1).numpy()
    score = quantized.evaluate(IMAGES, floats)
    expected = golden.predictions(golden.run(quantized.graph, IMAGES))
    assert score.predictions is not None and np.array_equal(score.predictions, expected)
    assert score.float_accuracy == 1.0 and score.agreement == score.accuracy
    assert score.accuracy == float((expected == floats).mean())
    assert score.confusion.sum() == 48 and score.confusion.trace() == (expected == floats).sum()
    assert f"int8 {score.accuracy:.2%} of 48 images, float 100.00%" in str(score)


def test_compare_is_the_noise_of_each_tensor(quantized: ca.QuantizedNetwork) -> None:
    assert quantized.quantized is not None
    found = quantized.compare(IMAGES[:16])
    assert found.sqnr_db == ptq.layer_sqnr(quantized.quantized, IMAGES[:16])
    assert [row.layer for row in found.layers] == ["0", "2", "4"]
    assert found.worst.sqnr_db == min(row.sqnr_db for row in found.layers) > 20


def test_a_noisy_network_is_a_warning(
    quantized: ca.QuantizedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quantized.logits_db is not None and quantized.logits_db > api.quantized.WARN_DB
    monkeypatch.setattr(api.quantized, "WARN_DB", 200.0)
    with pytest.warns(ca.NoisyNetworkWarning, match=r"its logits have [\d.]+ dB of signal"):
        ca.quantize(network(), IMAGES)


def test_simulate_equals_golden(
    quantized: ca.QuantizedNetwork, program: ca.CompiledNetwork, tmp_path: Path
) -> None:
    found = program.simulate(IMAGES[:9], waves=tmp_path / "first.any", cycles=range(0, 200))
    assert found.equal and found.mismatch == ""
    assert np.array_equal(found.results, quantized.integers(IMAGES[:9]))
    assert np.array_equal(found.logits, quantized.logits(IMAGES[:9]))
    assert found.measured.images == 9 and found.measured.cycles > 100
    (waves,) = tmp_path.glob("first.*")
    assert waves.suffix in (".fst", ".vcd") and waves.stat().st_size > 1000
    stalled = program.simulate(IMAGES[:9], stalls=0.3)
    assert stalled.measured.cycles > found.measured.cycles


def test_a_wrong_value_is_an_error(
    program: ca.CompiledNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnaccel.api.engine import SimulatedEngine

    run = SimulatedEngine.run

    def altered(self: SimulatedEngine, *arguments: Any) -> Any:
        results = run(self, *arguments)
        results[1, 3] += 1
        return results

    monkeypatch.setattr(SimulatedEngine, "run", altered)
    with pytest.raises(MismatchError, match=r"^engine: image 1, channel 3"):
        program.simulate(IMAGES[:4])
    with pytest.raises(MismatchError, match=r"^engine: image 1, channel 3"):
        program.deploy("sim", IMAGES[:4])


def test_files(quantized: ca.QuantizedNetwork, program: ca.CompiledNetwork, tmp_path: Path) -> None:
    loaded = ca.load(quantized.save(tmp_path / "graph"))
    assert np.array_equal(loaded.integers(IMAGES), quantized.integers(IMAGES))
    with pytest.raises(ModelError, match="loaded without its float model"):
        loaded.compare(IMAGES)
    saved, exported = program.save(tmp_path / "program"), program.export(tmp_path / "exported")
    for name in ("program.bin", "weights.bin", "network.json"):
        assert (saved / name).read_bytes() == (exported / name).read_bytes()
    before = sorted(exported.rglob("*"))
    program.export(exported)  # an earlier export is replaced
    assert sorted(exported.rglob("*")) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="holds something else than an earlier export"):
        program.export(tmp_path / "mine")
    with pytest.raises(WorkspaceError, match="holds something else than an earlier export"):
        program.export(tmp_path / "mine" / "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "years"
    with pytest.raises(WorkspaceError, match="there is no bitstream in"):
        program.export(tmp_path / "other", bitstream=tmp_path)


def test_deploy_to_the_simulated_board(
    quantized: ca.QuantizedNetwork, program: ca.CompiledNetwork
) -> None:
    found = program.deploy(images=IMAGES[:6], layers=True)
    assert np.array_equal(found.results, quantized.integers(IMAGES[:6]))
    assert "the simulated board" in str(found)


def test_results_in_a_notebook(quantized: ca.QuantizedNetwork, program: ca.CompiledNetwork) -> None:
    labels = golden.predictions(quantized.integers(IMAGES))
    results: list[Any] = [
        quantized,
        quantized.evaluate(IMAGES, labels),
        quantized.compare(IMAGES),
        program,
        program.estimate(),
        program.simulate(IMAGES[:4]),
        program.deploy(images=IMAGES[:4]),
    ]
    for result in results:
        page = result._repr_html_()
        assert page.startswith('<div class="cnnaccel">') and page.count("<figure>") > 0
        assert "small" in page and str(result)
        assert (
            ":root" not in page
            and "<script" not in page
            and "http" not in page.replace("http://www.w3.org", "")
        )
    assert all("<svg" in result._repr_html_() for result in results[:6])


def test_nothing_is_printed(
    quantized: ca.QuantizedNetwork, program: ca.CompiledNetwork, capfd: pytest.CaptureFixture[str]
) -> None:
    ca.quantize(network(), IMAGES, config=CHEAP).compare()
    quantized.evaluate(IMAGES, np.zeros(48, int))
    program.estimate()
    program.simulate(IMAGES[:4])
    assert capfd.readouterr() == ("", "")
    program.simulate(IMAGES[:4], progress=True)
    assert "engine: 0 of 4" in capfd.readouterr().err


def test_accelerate_is_a_drop_in(quantized: ca.QuantizedNetwork) -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast = ca.accelerate(model, IMAGES, board=TINY)
    assert isinstance(fast, nn.Module) and fast.measured is None
    logits = fast(FLOATS[:11])
    assert logits.dtype == torch.float32 and logits.shape == (11, 10)
    assert np.array_equal(
        logits.numpy(), quantized.logits(IMAGES[:11]).astype(np.float32).reshape(11, 10)
    )
    assert fast.measured is not None and fast.measured.cycles > 0
    copied = copy.deepcopy(fast)
    assert copied.engine is None and copied.measured is None and fast.engine is not None
    assert torch.equal(nn.Sequential(fast, nn.Softmax(1))(FLOATS[:2]), logits[:2].softmax(1))
    assert fast(FLOATS[:0]).shape == (0, 10)
    same = ca.AcceleratedModule(fast.network, "golden", fast.structure)
    assert torch.equal(same(torch.from_numpy(IMAGES[:11])), logits)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["detector", "grid"])
def test_outputs_of_any_number_and_shape(name: str, tmp_path: Path) -> None:
    """The same from golden, the RTL, a stored graph, an exported program, and as a module."""
    model = model_of(name)
    images = np.random.default_rng(1).integers(0, 256, (64, *SHAPE), np.uint8)
    made = ca.quantize(model, images, config=CHEAP)
    run = made.compile(TINY).simulate(images[:3])
    assert run.equal and "host tail (" in str(run) and "; host tail: " in str(made)
    made.save(tmp_path)
    again = ca.load(tmp_path).outputs(images[:3])
    stored = load_network(made.compile(TINY).save(tmp_path / "program")).outputs(run.results)
    fast = ca.accelerate(model, images, board=TINY, target="golden", config=CHEAP)
    with torch.no_grad():
        floats = model(torch.from_numpy(images[:3]).float() / 255)
    found = fast(torch.from_numpy(images[:3]))
    assert type(found) is type(floats)
    for key, one, exact in zip(run.outputs, tree_leaves(found), tree_leaves(floats), strict=True):
        assert np.array_equal(run.outputs[key], again[key])
        assert np.array_equal(run.outputs[key], stored[key])
        assert np.array_equal(run.outputs[key], one.numpy())
        assert one.shape == exact.shape and one.dtype == exact.dtype
        assert np.abs(one.numpy() - exact.numpy()).mean() < 0.05 * np.abs(exact.numpy()).mean()


def test_torch_compile(quantized: ca.QuantizedNetwork) -> None:
    model = network()
    compiled = torch.compile(model, backend="cnnaccel")
    with pytest.raises(Exception, match=r"call cnnaccel\.calibrate\(model, images\) before"):
        compiled(FLOATS)
    torch._dynamo.reset()
    ca.calibrate(model, IMAGES, board=TINY, target="golden")
    expected = torch.from_numpy(quantized.logits(IMAGES)).float().reshape(-1, 10)
    assert torch.equal(compiled(FLOATS[:5]), expected[:5])
    assert torch.equal(compiled(FLOATS[:3]), expected[:3])  # another number of images
    torch._dynamo.reset()
    with pytest.raises(Exception, match="traced only a part of the calibrated model"):
        torch.compile(nn.Sequential(model, nn.Softmax(1)), backend="cnnaccel")(FLOATS)
    torch._dynamo.reset()
    with torch.no_grad():
        next(model.parameters()).add_(1)
    with pytest.raises(Exception, match=r"weights changed since cnnaccel\.calibrate"):
        torch.compile(model, backend="cnnaccel")(FLOATS)
