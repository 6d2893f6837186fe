"""`simulate` and `deploy` as a user types them, on the engine `tiny`, and what may go wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnaccel.api import engine
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.storage import load_graph
from cnnaccel.runtime.driver import Accelerator
from tests.support import faulty
from tests.support.commands import Cnnaccel, digests
from tests.support.faulty import wrong_value


def test_deploy_ran_the_test_set(tiny_build: Path) -> None:
    folder = tiny_build / "tiny/deploy"
    results = json.loads((folder / "results.json").read_text())
    evaluated = json.loads((tiny_build / "tiny/evaluate/results.json").read_text())
    assert results["accuracy"] == evaluated["accuracy"]
    assert results["images"] == evaluated["images"]
    assert results["counters"]["cycles"] > results["counters"]["steps"] > 0
    assert 0 < results["frames_per_second_with_host"] < results["frames_per_second"]
    logits = np.load(folder / "logits.npz")["logits"]
    assert logits.shape[:2] == (results["images"], 10)


def test_deploy_some_images(tiny: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("deploy", "tiny", "--build-dir", tiny, "--images", "5")
    assert result.code == 0, result.err
    assert "of 5 test images, equal to golden" in result.out
    assert "frames/s with the host's" in result.out
    assert "40 cycles of latency, 80% of the bus" in result.out
    again = cnnaccel("run", "tiny", "--build-dir", tiny)
    assert "deploy (images is 5, asked for is not set)" in again.out  # not the whole test set


def test_simulate(tiny: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("simulate", "tiny", "--build-dir", tiny, "--images", "6", "--layers")
    assert result.code == 0, result.err
    graph = load_graph(tiny / "tiny/quantize")
    assert result.out.count("equal to golden") == 2 + len(graph.layers)
    assert all(layer.name in result.out for layer in graph.layers)
    for words in ("predicted", "waits for load", "read from DRAM", "% of peak", "host's"):
        assert words in result.out
    folder = tiny / "tiny/simulate"
    assert (folder / "activity.png").stat().st_size > 10_000
    results = json.loads((folder / "results.json").read_text())
    assert results["differences"] == {"interpreter": "", "engine": ""}
    assert abs(results["predicted_cycles"] / results["counters"]["cycles"] - 1) < 0.1
    recorded = json.loads((folder / "activity.json").read_text())
    layers = recorded["layer_cycles"]
    assert 0 < sum(layers.values()) < results["counters"]["cycles"]
    assert {layer for layer, _, _ in recorded["stretches"]} >= set(layers)


def test_simulate_with_stalls_and_waves(tiny: Path, cnnaccel: Cnnaccel) -> None:
    where = ("simulate", "tiny", "--build-dir", tiny, "--images", "2")
    plain = cnnaccel(*where)
    stalled = cnnaccel(*where, "--stalls", "0.5", "--trace", "100:400")
    assert stalled.code == 0, stalled.err
    assert "50% of all handshakes held up" in stalled.out
    plain_memory, memory = (
        json.loads((tiny / f"tiny/{stage}/results.json").read_text())["memory"]
        for stage in ("simulate", "simulate-stalls")
    )
    assert memory == f"{plain_memory}, 50% of all handshakes held up"
    folder = tiny / "tiny/simulate-stalls"
    (waves,) = folder.glob("waves.*")
    assert waves.stat().st_size > 10_000 and str(waves.name) in stalled.out

    def cycles(text: str) -> int:
        return int(text.split("measured ")[-1].split(";")[0].replace(",", ""))

    assert cycles(stalled.out) > 1.2 * cycles(plain.out)


@pytest.mark.parametrize("window", ["5", "7:3", "a:b", "-1:4", "3:3"])
def test_trace_that_is_no_window(tiny: Path, cnnaccel: Cnnaccel, window: str) -> None:
    result = cnnaccel("simulate", "tiny", "--build-dir", tiny, f"--trace={window}")
    assert result.code == 2 and "no A:B" in result.err


def test_a_difference_names_the_layer(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_value(monkeypatch)
    result = cnnaccel("simulate", "tiny", "--build-dir", tiny, "--images", "3")
    first = load_graph(tiny / "tiny/quantize").layers[0]
    assert result.code == 1
    assert f"engine: layer '{first.name}', image 1, channel 2, y 0, x 0: got" in result.err
    assert "1 of " in result.err and "│ interpreter │ equal to golden" in result.out


def test_a_difference_in_the_end_alone(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_value(monkeypatch, only=10)
    result = cnnaccel("simulate", "tiny", "--build-dir", tiny, "--images", "3")
    last = load_graph(tiny / "tiny/quantize").layers[-1]
    assert result.code == 1 and f"layer '{last.name}', image 1" in result.err


def test_self_test_and_layers(tiny: Path, cnnaccel: Cnnaccel) -> None:
    """On the simulated board when it is asked for."""
    where = ("--build-dir", tiny, "--images", "2")
    result = cnnaccel("deploy", "tiny", *where, "--self-test", "--layers")
    assert result.code == 0, result.err
    out = " ".join(result.out.split())
    assert "self-test: 12 random programs, 7 layers, the network: equal, in " in out
    assert "layer by layer: 7 layers, the network: equal, in " in out
    assert re.search(r"max_pool_2 +│ behind conv2 +│ +1,152 │ equal", result.out)


def test_a_fault_that_only_layers_show(
    tiny: Path, cnnaccel: Cnnaccel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What deploy says of a wrong result leads there."""
    bitstream = faulty.faulty_bitstream(load_hardware("tiny"), tmp_path / "rtl")
    monkeypatch.setattr(engine, "simulated_bitstream", lambda *_: bitstream)
    faulty.choose(bitstream, faulty.DEAD_LANE)
    where = ("--build-dir", tiny, "--images", "2")
    before = digests(tiny / "tiny/deploy")
    result = cnnaccel("deploy", "tiny", *where)
    assert result.code == 1 and "`--layers` says which layer differs" in result.err
    result = cnnaccel("deploy", "tiny", *where, "--layers")
    assert result.code == 1 and digests(tiny / "tiny/deploy") == before
    assert "layer by layer: layer 'conv1' (" in result.err
    result = cnnaccel("deploy", "tiny", *where, "--self-test")
    assert result.code == 1 and "random program 'seed 0' (12 of 12" in result.err


def test_deploy_that_differs_leaves_the_old_results(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(tiny / "tiny/deploy")
    wrong_value(monkeypatch)
    result = cnnaccel("deploy", "tiny", "--build-dir", tiny)
    assert result.code == 1 and "engine: image 1, channel 2" in result.err
    assert digests(tiny / "tiny/deploy") == before


def test_interrupted_deploy(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(tiny / "tiny/deploy")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Accelerator, "_wait", interrupted)
    result = cnnaccel("deploy", "tiny", "--build-dir", tiny)
    assert result.code == 130 and "as they were" in result.err
    assert digests(tiny / "tiny/deploy") == before
    monkeypatch.undo()
    assert cnnaccel("deploy", "tiny", "--build-dir", tiny).code == 0


def test_a_target_that_is_none(tiny: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("deploy", "tiny", "--build-dir", tiny, "--target", "-oProxyCommand=ls@pynq")
    assert result.code == 1 and "--target -oProxyCommand=ls@pynq: neither sim, local" in result.err


def test_without_a_compiler(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    for command in ("deploy", "simulate"):
        result = cnnaccel(command, "tiny", "--build-dir", tiny)
        assert result.code == 3 and "g++" in result.err


def test_a_cache_that_cannot_be_written(
    tiny: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNACCEL_CACHE", str(tiny / "tiny/.lock/cache"))
    result = cnnaccel("deploy", "tiny", "--build-dir", tiny)
    assert result.code == 3 and "set CNNACCEL_CACHE to another folder" in result.err


def test_damaged_program(tiny: Path, cnnaccel: Cnnaccel) -> None:
    path = tiny / "tiny/compile/weights.bin"
    path.write_bytes(path.read_bytes()[:-1])
    result = cnnaccel("deploy", "tiny", "--build-dir", tiny)
    assert result.code == 1 and "weights.bin was altered" in result.err


def test_results_are_those_of_golden(tiny_build: Path) -> None:
    """Stored logits are golden's on the images the stage ran on, which are synthetic here."""
    from cnnaccel.config import load_config
    from cnnaccel.nn.data import load_dataset
    from cnnaccel.resources import find_config

    images = load_dataset(load_config(find_config("tiny")).data, None).test.images
    logits = np.load(tiny_build / "tiny/deploy/logits.npz")["logits"]
    graph = load_graph(tiny_build / "tiny/quantize")
    assert np.array_equal(logits, golden.run(graph, images))
