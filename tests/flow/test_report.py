"""The report: figures as in the files, each with a source, and what a browser makes of it."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from cnnaccel.cli import main
from cnnaccel.cli.options import make_job
from cnnaccel.ir.storage import load_graph
from cnnaccel.nn import data
from cnnaccel.pipeline.bitstream import build_inputs
from cnnaccel.pipeline.build_hw import check_inputs
from cnnaccel.report.quantization import TRY
from cnnaccel.workspace import MANIFEST, Stage
from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.commands import Cnnaccel, digests
from tests.support.faulty import wrong_value

CONFIG = "tiny"
RESOURCES = [
    {"name": "DSP", "used": 32, "available": 220, "source": "Yosys 0.70"},
    {"name": "BRAM36", "used": 20.5, "available": 140, "source": "Yosys 0.70"},
]
BUILT = {
    "resources": [{"name": "DSP", "used": 31, "available": 220, "source": "Vivado 2023.2"}],
    "timing": {"wns_ns": 0.125, "whs_ns": 0.03, "source": "Vivado 2023.2"},
    "power": {"total_w": 1.5, "confidence": "Medium", "source": "Vivado 2023.2"},
    "clock": {"mhz": 100.0, "source": "Vivado 2023.2"},
}


class Parsed(HTMLParser):
    """A page that must be well formed: every element is closed in its turn."""

    VOID = ("meta", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.figures: list[dict[str, Any]] = []
        self.texts: dict[str, list[str]] = {}
        self._css: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        assert len(found) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, found))
        if tag == "div" and found.get("class") == "scroll":
            self.region = found["aria-label"]
        if tag == "table":
            self.tables[self.region] = []
            self.figures[-1]["tables"].append(self.region)
        if tag == "figure":
            self.figures.append({"source": "", "tables": []})
        if tag == "tr":
            self.tables[self.region].append([])
        if tag in ("th", "td"):
            self.tables[self.region][-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)
            self._css.append(found.get("class", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        self._css.pop()

    def handle_data(self, data: str) -> None:
        if not data.strip() or not self.open:
            return
        if self.open[-1] in ("th", "td"):
            self.tables[self.region][-1][-1] += data.strip()
        if self._css[-1] == "source" and "figure" in self.open:
            self.figures[-1]["source"] += data
        self.texts.setdefault(self._css[-1], []).append(data.strip())

    def row(self, table: str, head: str) -> dict[str, str]:
        """The cells of the row that begins with `head`, by column."""
        columns, *rows = self.tables[table]
        (found,) = [row for row in rows if row[0] == head]
        return dict(zip(columns, found, strict=True))


def invoke(*arguments: str | Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code in (0, None)


def seal(folder: Path, files: dict[str, Any], inputs: dict[str, str]) -> None:
    """A stage that wrote these files."""
    with Stage(folder).write(inputs) as partial:
        for name, value in files.items():
            (partial / name).write_text(json.dumps(value))


def reseal(folder: Path) -> None:
    """Let the manifest say that the files are as the stage wrote them."""
    manifest = Stage(folder).manifest()
    assert manifest is not None
    kept = shutil.copytree(folder, folder.with_name("kept"))
    (kept / MANIFEST).unlink()
    with Stage(folder).write(manifest["inputs"]) as partial:
        shutil.copytree(kept, partial, dirs_exist_ok=True)
    shutil.rmtree(kept)


@pytest.fixture(scope="module")
def whole(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with every stage that there can be without a board."""
    build = Path(shutil.copytree(tiny_build, tmp_path_factory.mktemp("whole") / "build"))
    invoke("simulate", CONFIG, "--build-dir", build, "--images", "12")
    invoke("simulate", CONFIG, "--build-dir", build, "--images", "6", "--stalls", "0.5")
    job = make_job(CONFIG, None, build, ())
    fits = {"results.json": {"headline": "fits", "resources": RESOURCES}}
    seal(build / "tiny/check", fits, check_inputs(job, "0.70"))
    built = {"results.json": {"headline": "built", **BUILT}}
    seal(build / "tiny/build-hw", built, build_inputs(job, "2023.2"))
    invoke("report", CONFIG, "--build-dir", build)
    return build


@pytest.fixture(scope="module")
def text(whole: Path) -> str:
    return (whole / "tiny/report/report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text: str) -> Parsed:
    return Parsed(text)


@pytest.fixture
def build(whole: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(whole, tmp_path / "build"))


def stored(build: Path, name: str) -> Any:
    return json.loads((build / "tiny" / name).read_text())


# ---- figures ---------------------------------------------------------------------------------


def test_accuracy(whole: Path, parsed: Parsed) -> None:
    quantized = stored(whole, "quantize/report.json")
    deployed, simulated = (stored(whole, f"{s}/results.json") for s in ("deploy", "simulate"))
    level = {name: parsed.row("Accuracy by level", name) for name in
             ("float", "int8, golden", "program", "RTL", "RTL, behind pynq", "board")}  # fmt: skip
    assert level["float"]["right"] == f"{quantized['float_accuracy']:.2%}"
    assert f"{quantized['agreement']:.2%}" in level["float"]["compared"]
    assert level["int8, golden"]["right"] == f"{quantized['int8_accuracy']:.2%}"
    assert level["program"]["test images"] == "16"
    assert level["RTL"]["test images"] == "12" and simulated["images"] == 12
    assert level["RTL"]["compared"] == "equal to golden"
    assert level["RTL, behind pynq"]["right"] == f"{deployed['accuracy']:.2%}"
    assert level["RTL, behind pynq"]["test images"] == f"{deployed['images']:,}"
    assert level["board"]["right"] == "not run"
    evaluated = stored(whole, "evaluate/results.json")
    for at, name in enumerate(evaluated["classes"]):
        row = evaluated["confusion"][at]
        cells = parsed.row("Classes", name)
        assert cells["images"] == str(sum(row))
        assert cells["recognised"] == f"{row[at] / sum(row):.1%}"


def test_quantization(whole: Path, parsed: Parsed) -> None:
    for layer in stored(whole, "quantize/report.json")["layers"]:
        cells = parsed.row("Scales and shifts", layer["name"])
        assert list(cells.values()) == list(layer.values())


def test_confusion(whole: Path, text: str) -> None:
    evaluated = stored(whole, "evaluate/results.json")
    (svg,) = re.findall(r"<svg[^>]*confusion-title.*?</svg>", text, re.S)
    counts = re.findall(r'<text class="middle (?:count|tick)"[^>]*>(\d+)</text>', svg)
    assert [int(count) for count in counts] == np.ravel(evaluated["confusion"]).tolist()


def test_network(whole: Path, text: str) -> None:
    graph = load_graph(whole / "tiny/quantize")
    (svg,) = re.findall(r"<svg[^>]*network-title.*?</svg>", text, re.S)
    assert svg.count('class="node ') == len(graph.layers) + 1
    assert svg.count('class="edge"') == sum(len(layer.inputs) for layer in graph.layers)
    assert svg.count('class="fused"') == 2  # both pools are done in the step before


def test_values_by_layer(whole: Path, parsed: Parsed, text: str) -> None:
    found = stored(whole, "quantize/distributions.json")["tensors"]
    noise = {row["name"]: row["sqnr_db"] for row in stored(whole, "quantize/report.json")["layers"]}
    cards = re.findall(r'<article class="card">\s*<h4>(.*?)</h4>(.*?)</article>', text, re.S)
    assert [name for name, _ in cards] == [one["name"] for one in found]
    for (name, card), one in zip(cards, found, strict=True):
        facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", card))
        assert facts["SQNR"] == f"{noise[name]} dB"
        assert facts["clipped"] == f"{one['clipped']:.2%}"
        assert facts["zeros"] == f"{one['zeros']:.1%}"
        assert facts["noise"] == f"{one['noise_steps']:.2f} steps"
        assert card.count('class="integers"') == card.count('class="floats"') == 1
        weights = one["weights"] is not None
        assert card.count('class="weights"') == ("weights that are 0" in facts) == weights
    (svg,) = re.findall(r"<svg[^>]*noise-title.*?</svg>", text, re.S)
    assert svg.count('class="noise') == len(found) and svg.count('class="noise worst"') == 1


def test_speed(whole: Path, parsed: Parsed) -> None:
    estimate = stored(whole, "compile/estimate.json")
    cells = parsed.row("Speed", "predicted, a long run")
    assert cells["cycles"] == f"{estimate['cycles_per_image']:,.1f}"
    assert cells["frames/s"] == f"{estimate['frames_per_second']:,.1f}"
    assert cells["share of peak"] == f"{estimate['utilization']:.1%}"
    for stage in ("simulate", "deploy"):
        results = stored(whole, f"{stage}/results.json")
        cells = parsed.row("Speed", f"RTL, {results['images']:,} images")
        assert cells["cycles"] == f"{results['cycles_per_image']:,.1f}"
        assert cells["frames/s"] == f"{results['frames_per_second']:,.1f}"
        assert cells["with the host"] == f"{results['frames_per_second_with_host']:,.1f}"
        assert cells["GOP/s"] == f"{results['gops']:.1f}"
        assert cells["share of peak"] == f"{results['utilization']:.1%}"
        assert cells["DRAM bytes"] == f"{results['dram_bytes']:,.1f}"
        assert results["memory"] in cells["source"]
    simulated = stored(whole, "simulate/results.json")
    cells = parsed.row("Speed", "RTL, 12 images")
    assert cells["predicted"] == f"{simulated['predicted_cycles'] / 12:,.1f}"
    error = simulated["predicted_cycles"] / simulated["counters"]["cycles"] - 1
    assert cells["error"] == f"{error:+.1%}"


def test_waits(whole: Path, parsed: Parsed) -> None:
    counters = stored(whole, "deploy/results.json")["counters"]
    rows = [row[1].replace(",", "") for row in parsed.tables["Counters"][1:]]
    names = ("cycles", "steps", "compute_waits_load", "compute_waits_store")
    assert rows[:4] == [str(counters[name]) for name in names]
    assert sum(map(int, rows[1:5])) == counters["cycles"]
    assert rows[5:] == [str(counters[name]) for name in
                        ("load_busy", "store_busy", "read_bytes", "written_bytes")]  # fmt: skip


def test_layers(whole: Path, parsed: Parsed) -> None:
    estimate = stored(whole, "compile/estimate.json")
    recorded = stored(whole, "simulate/activity.json")
    images = estimate["images"]
    assert set(recorded["layer_cycles"]) == {usage["layer"] for usage in estimate["layers"]}
    for usage in estimate["layers"]:
        cells = parsed.row("Cycles by layer", usage["layer"])
        measured = recorded["layer_cycles"][usage["layer"]]
        assert cells["predicted"] == f"{usage['span_cycles'] / images:,.1f}"
        assert cells["measured"] == f"{measured / images:,.1f}"
        assert abs(usage["span_cycles"] - measured) < 200 + 0.1 * measured, usage["layer"]
        cells = parsed.row("Layers, predicted", usage["layer"])
        assert cells["MMAC"] == f"{usage['macs'] / images / 1e6:,.3f}"
    assert recorded["iteration"] in " ".join(one["source"] for one in parsed.figures)


def test_a_run_with_stalls_is_kept_apart(whole: Path, parsed: Parsed) -> None:
    plain, stalled = (stored(whole, f"{s}/results.json") for s in ("simulate", "simulate-stalls"))
    assert (plain["stalls"], stalled["stalls"]) == (0.0, 0.5)
    cells = parsed.row("Speed", "RTL, 6 images, stalls 0.5")
    assert cells["cycles"] == f"{stalled['cycles_per_image']:,.1f}"
    assert "50% of all handshakes held up" in cells["source"]
    assert parsed.row("Accuracy by level", "RTL, with stalls")["compared"] == "equal to golden"
    (source,) = (one["source"] for one in parsed.figures if "Cycles by layer" in one["tables"])
    assert "simulation of 12 images" in source and "held up" not in source


def test_layers_of_a_run_with_stalls_say_so(build: Path, cnnaccel: Cnnaccel) -> None:
    shutil.rmtree(build / "tiny/simulate")
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    found = Parsed(page_of(build))
    (source,) = (one["source"] for one in found.figures if "Cycles by layer" in one["tables"])
    assert "50% of all handshakes held up: simulation of 6 images" in source
    recorded = stored(build, "simulate-stalls/activity.json")
    for layer, cycles in recorded["layer_cycles"].items():
        measured = found.row("Cycles by layer", layer)["measured"]
        assert measured == f"{cycles / recorded['images']:,.1f}"


def test_hardware(parsed: Parsed) -> None:
    rows = [row for row in parsed.tables["Resources"] if row[0] == "DSP"]
    sources = [row[-1] for row in rows]
    assert sources == ["Vivado 2023.2", "Yosys 0.70", "estimated from the lanes and scratchpads"]
    assert rows[1][1:4] == ["32", "220", "14.5%"]
    assert parsed.row("Timing and power", "setup slack")["value"] == "0.125 ns"
    assert parsed.row("Timing and power", "power, confidence Medium")["value"] == "1.500 W"


def test_headline(whole: Path, parsed: Parsed) -> None:
    deployed = stored(whole, "deploy/results.json")
    values = [
        f"{deployed['accuracy']:.2%}",
        f"{deployed['frames_per_second']:,.0f}",
        f"{deployed['cycles_per_image']:,.0f}",
        f"{deployed['utilization']:.1%}",
        "14.1%",
        "equal",
    ]
    assert parsed.texts["value"] == values


def test_every_figure_has_a_source(parsed: Parsed) -> None:
    assert len(parsed.figures) >= 12
    for one in parsed.figures:
        assert len(one["source"]) > len("Source: ") + 5
        if "each row" in one["source"]:
            for name in one["tables"]:
                columns, *rows = parsed.tables[name]
                assert columns[-1] == "source" and rows and all(row[-1] for row in rows), name
    tiles = [attrs for _, attrs in parsed.elements if attrs.get("class") == "tile"]
    assert len(tiles) == len(parsed.texts["value"]) == 6


# ---- the document ----------------------------------------------------------------------------


def test_it_needs_no_other_file(text: str, parsed: Parsed) -> None:
    links = [a[k] for _, a in parsed.elements for k in ("src", "href", "xlink:href") if k in a]
    assert len(links) > 20 and all(re.match(r"data:image/png|#\w", link) for link in links)
    ids = [attrs["id"] for _, attrs in parsed.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link[0] == "#"} <= set(ids)
    for forbidden in ("url(", "@import", "<script", "<link", "http:", "https:", "javascript"):
        assert forbidden not in text.lower()


def test_it_is_accessible(parsed: Parsed) -> None:
    ids = {attrs["id"] for _, attrs in parsed.elements if "id" in attrs}
    for tag, attrs in parsed.elements:
        assert set(attrs.get("aria-labelledby", "").split()) <= ids
        if tag == "img":
            assert re.match(r"test image \d+, taken (rightly|wrongly) for", attrs["alt"])
        if tag == "svg":
            assert attrs["role"] == "img" and len(attrs["aria-labelledby"].split()) == 2
        if attrs.get("class") == "scroll":
            assert attrs["role"] == "region" and attrs["tabindex"] == "0" and attrs["aria-label"]
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_same_bytes_twice(build: Path, cnnaccel: Cnnaccel, text: str) -> None:
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    assert (build / "tiny/report/report.html").read_text(encoding="utf-8") == text


def test_names_are_shown_as_they_are(build: Path, cnnaccel: Cnnaccel, tmp_path: Path) -> None:
    name = "<script>alert(1)<b>&amp;"
    path = tmp_path / f"{name}.yaml"
    shutil.copy(Path(__file__).parents[2] / "configs/tiny.yaml", path)
    (build / "tiny").rename(build / name)
    results = build / name / "evaluate/results.json"
    altered = json.loads(results.read_text())
    altered["classes"][3] = "<img src=x onerror=alert(2)>"
    results.write_text(json.dumps(altered))
    reseal(results.parent)
    assert cnnaccel("report", path, "--build-dir", build).code == 0
    text = (build / name / "report/report.html").read_text(encoding="utf-8")
    found = Parsed(text)
    assert "<script" not in text and "<img src=x" not in text
    assert found.row("Classes", "<img src=x onerror=alert(2)>")
    assert name in "".join(found.texts[""])


# ---- what is missing, stale, damaged ---------------------------------------------------------


def page_of(build: Path) -> str:
    return (build / "tiny/report/report.html").read_text(encoding="utf-8")


def test_what_is_missing_names_its_command(build: Path, cnnaccel: Cnnaccel) -> None:
    for folder in (build / "tiny").iterdir():
        if folder.is_dir() and folder.name != "quantize":
            shutil.rmtree(folder)
    result = cnnaccel("report", CONFIG, "--build-dir", build)
    assert result.code == 1 and "tiny/train is not there" in result.err
    result = cnnaccel("report", CONFIG, "--build-dir", build, "--stored")
    assert result.code == 0, result.err
    text = page_of(build)
    for stage in ("train", "evaluate", "compile", "simulate", "deploy"):
        assert f"{stage}: not there yet." in text
        assert f"<code>cnnaccel {stage} tiny</code>" in text
    assert "<code>cnnaccel build-hw tiny --check</code>" in text
    assert "golden executor" in text and "data:image/png" in text  # samples all the same
    assert Parsed(text).texts["value"][1:4] == ["not known"] * 3


def test_without_quantize(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("report", CONFIG, "--build-dir", tmp_path)
    assert result.code == 1 and "run `cnnaccel quantize` first" in result.err


def test_what_is_stale_is_said(build: Path, cnnaccel: Cnnaccel) -> None:
    option = ("--set", "train.epochs=5", "--set", "hardware.overrides.clock_mhz=50", "--stored")
    assert cnnaccel("report", CONFIG, "--build-dir", build, *option).code == 0
    text = page_of(build)
    assert "train: train.epochs is 3, asked for is 5." in text
    told = "hardware.clock_mhz is 100.0, asked for is 50.0."
    assert all(f"{stage}: {told}" in text for stage in ("compile", "simulate", "deploy"))
    found = Parsed(text)
    tiles = found.texts["source"][: len(found.texts["value"])]
    assert [tile.endswith("; out of date") for tile in tiles] == [True] * 6
    rows = [row for row in found.tables["Speed"][1:] if row[0] != "board"]
    assert len(rows) == 4 and all(row[-1].endswith("; out of date") for row in rows)


def warned(text: str) -> list[str]:
    """What stands at the top of the page."""
    (section,) = re.findall(r'<section class="warnings".*?</section>', text, re.S)
    return [re.sub(r"<[^>]*>", "", one) for one in re.findall(r"<li>.*?</li>", section, re.S)]


def plain(text: str) -> str:
    return " ".join(unescape(text).split())


def test_what_is_wrong_stands_first(build: Path, cnnaccel: Cnnaccel, text: str) -> None:
    before = warned(text)
    path = build / "tiny/quantize/report.json"
    report = json.loads(path.read_text())
    told = "int8 is 77.00 points below float. Noise breaks in at layer 'conv1'."
    path.write_text(json.dumps({**report, "warnings": [f"{told}{TRY}more images"]}))
    reseal(path.parent)
    option = ("--set", "train.epochs=5", "--stored")
    assert cnnaccel("report", CONFIG, "--build-dir", build, *option).code == 0
    page = page_of(build)
    now = warned(page)
    assert not any("77.00 points" in one or "out of date" in one for one in before)
    assert any(told in one and one.endswith("more images.") for one in map(plain, now))
    assert any("Figures of train are out of date: train.epochs is 3, asked for is 5." in one
               and "cnnaccel train tiny" in one for one in now)  # fmt: skip
    assert page.index("int8 is 77.00") < page.index('<section class="tiles"')


def test_nothing_is_wrong_says_so(build: Path, cnnaccel: Cnnaccel) -> None:
    for name, known in (
        ("evaluate/results.json", {"confusion": np.eye(10, dtype=int).tolist()}),
        ("quantize/report.json", {"warnings": []}),
    ):
        path = build / "tiny" / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **known}))
        reseal(path.parent)
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    assert warned(page_of(build)) == [] and "Nothing is wrong" in page_of(build)


def test_a_board_says_what_it_is(build: Path, cnnaccel: Cnnaccel) -> None:
    deployed = stored(build, "deploy/results.json")
    board = {"target": "me@there", "checks": {"device": "a simulator"}}
    shutil.copytree(build / "tiny/deploy", build / "tiny/board")
    (build / "tiny/board/results.json").write_text(json.dumps({**deployed, **board}))
    reseal(build / "tiny/board")
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    found = Parsed(page_of(build))
    for table in ("Accuracy by level", "Speed"):
        (row,) = (row for row in found.tables[table] if row[0].startswith("board"))
        assert row[-1] == "the board me@there, a simulator"


def test_a_difference_is_shown(
    build: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(build / "tiny/deploy")
    wrong_value(monkeypatch, only=10)
    assert cnnaccel("simulate", CONFIG, "--build-dir", build, "--images", "3").code == 1
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    found = Parsed(page_of(build))
    differs = found.row("Accuracy by level", "RTL")["compared"]
    assert differs.startswith("differs: engine: image 1, channel 2")
    assert found.texts["value"][-1] == "different"


def test_without_the_dataset(
    build: Path, cnnaccel: Cnnaccel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> Path:
        raise AssertionError("a report downloads nothing")

    monkeypatch.setattr(data, "is_at_hand", lambda *_: False)
    monkeypatch.setattr(data, "find_data_dir", missing)
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    text = page_of(build)
    assert "No sample images" in text and "data:image/png" not in text
    assert text.count("cannot be told without the dataset") >= 6


def test_what_another_version_wrote(build: Path, cnnaccel: Cnnaccel) -> None:
    for stage, key in (("evaluate", "confusion"), ("simulate", "hardware"), ("deploy", "macs")):
        path = build / f"tiny/{stage}/results.json"
        older = json.loads(path.read_text())
        del older[key]
        path.write_text(json.dumps(older))
        reseal(path.parent)
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    assert page_of(build).count("written by another version of cnnaccel") >= 6


def test_a_graph_of_before_values_were_counted(build: Path, cnnaccel: Cnnaccel) -> None:
    (build / "tiny/quantize/distributions.json").unlink()
    reseal(build / "tiny/quantize")
    assert cnnaccel("report", CONFIG, "--build-dir", build).code == 0
    text = page_of(build)
    assert '<article class="card">' not in text and "Scales and shifts" in Parsed(text).tables
    assert any("quantize are out of date: written by another version" in one
               for one in warned(text))  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "train/metrics.jsonl", "quantize/report.json", "quantize/distributions.json",
        "evaluate/results.json",
        "compile/estimate.json", "simulate/activity.json", "simulate/results.json",
        "deploy/results.json", "check/results.json", "build-hw/results.json",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: re.sub(r"(:|\[)\s*-?\d[\d.e-]*", r'\1 "many"', text),
        lambda text: "null\n",
    ],
    ids=["cut", "words for numbers", "null"],
)
def test_damaged(build: Path, cnnaccel: Cnnaccel, name: str, spoil: Callable[[str], str]) -> None:
    before = digests(build / "tiny/report")
    path = build / "tiny" / name
    path.write_text(spoil(path.read_text()))
    result = cnnaccel("report", CONFIG, "--build-dir", build)
    assert result.code == 1 and f"{path.name} was altered" in result.err
    assert "cnnaccel" in result.err and digests(build / "tiny/report") == before


# ---- in a browser ----------------------------------------------------------------------------

CONTRAST = """(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = rgb => {
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const rgb = parse(getComputedStyle(e).backgroundColor);
      if (rgb.length === 3) return rgb;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, style = getComputedStyle(element);
    const text = walker.currentNode.textContent.trim();
    if (!text || ['title', 'desc'].includes(element.tagName)) continue;
    const front = parse(element.tagName === 'text' ? style.fill : style.color).slice(0, 3);
    found.push([ratio(front, behind(element)), text]);
    if (element.classList.contains('count'))
      for (const path of element.ownerSVGElement.querySelectorAll('path.right, path.wrong')) {
        const tone = getComputedStyle(path), part = Number(tone.fillOpacity);
        const page = behind(element);
        const mixed = parse(tone.fill).slice(0, 3).map((v, i) => part * v + (1 - part) * page[i]);
        found.push([ratio(front, mixed), 'cell']);
      }
    if (element.classList.contains('strip'))
      for (const path of document.querySelectorAll('path.strip')) {
        const tone = getComputedStyle(path), part = Number(tone.opacity), page = behind(element);
        const mixed = parse(tone.fill).slice(0, 3).map((v, i) => part * v + (1 - part) * page[i]);
        found.push([ratio(front, mixed), 'strip']);
      }
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH; apt install chromium")
    with browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_in_a_browser(chromium: Browser, whole: Path, width: int, dark: bool) -> None:
    page = whole / "tiny/report/report.html"
    chromium.show(page, width, dark)
    assert chromium.complaints() == []
    assert chromium.requested() == [page.as_uri()]
    assert chromium.evaluate("innerWidth") == width
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter(one => !one.naturalWidth).length"
    assert chromium.evaluate(broken) == 0 and chromium.evaluate("document.images.length") >= 20
    contrasts = chromium.evaluate(CONTRAST)
    assert len(contrasts) > 300 and min(contrasts)[0] >= 4.5, min(contrasts)
    pixels = matplotlib.image.imread(BytesIO(chromium.screenshot()))[:, :, :3]
    assert pixels.shape[1] == width and pixels.shape[0] > 3000
    assert (pixels[:200].mean() < 0.3) == dark
    bands = np.array_split(pixels, pixels.shape[0] // 900)
    assert min(band.std() for band in bands) > 0.01


def test_a_phone_scrolls_tables_and_not_the_page(chromium: Browser, whole: Path) -> None:
    chromium.show(whole / "tiny/report/report.html", 390, False)
    wider = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    assert chromium.evaluate(f"{wider}.length") >= 4
    smallest = (
        "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.childNodes.length"
    )
    smallest += " && e.tagName !== 'text').map(e => parseFloat(getComputedStyle(e).fontSize)))"
    assert chromium.evaluate(smallest) >= 12


COVERED = """(() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg')) {
    const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim());
    const places = texts.map(t => t.getBoundingClientRect());
    for (const path of svg.querySelectorAll('.line, .roof, .mark, .edge, .equal, .floats')) {
      const length = path.getTotalLength(), matrix = path.getScreenCTM();
      for (let at = 0; at <= length; at += 1.5) {
        const p = path.getPointAtLength(at).matrixTransform(matrix);
        places.forEach((r, i) => {
          if (p.x > r.left + 1 && p.x < r.right - 1 && p.y > r.top + 3 && p.y < r.bottom - 3)
            found.push(svg.querySelector('title').textContent + ': ' + texts[i].textContent);
        });
      }
    }
    const shown = svg.getBoundingClientRect();
    places.forEach((r, i) => {
      if (r.left < shown.left - 1 || r.right > shown.right + 1 || r.top < shown.top - 1)
        found.push('beyond the picture: ' + texts[i].textContent);
    });
  }
  return found;
})()"""


@pytest.mark.parametrize("width", [390, 1400])
def test_no_label_covers_a_line(chromium: Browser, whole: Path, width: int) -> None:
    chromium.show(whole / "tiny/report/report.html", width, False)
    assert chromium.evaluate("document.querySelectorAll('svg text').length") > 200
    assert chromium.evaluate(COVERED) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_a_phone_cuts_is_hinted_at(chromium: Browser, whole: Path, dark: bool) -> None:
    """A shade lies on the edge of a box that scrolls, until it is scrolled to its end."""
    chromium.show(whole / "tiny/report/report.html", 390, dark)
    outside = """[...document.querySelectorAll('main table, main svg')].filter(e => {
        const r = e.getBoundingClientRect();
        return r.right > innerWidth && !e.closest('.scroll');
      }).length"""
    assert chromium.evaluate(outside) == 0
    wide = """(() => { window.wide = [...document.querySelectorAll('.scroll')].filter(
        e => e.scrollWidth > e.clientWidth + 30);
        return wide.map(e => { const r = e.getBoundingClientRect();
        return [r.right + scrollX, r.top + scrollY, r.bottom + scrollY]; }); })()"""
    places = chromium.evaluate(wide)
    assert len(places) >= 6
    before = shade(chromium, places)
    chromium.evaluate("wide.forEach(e => { e.scrollLeft = e.scrollWidth })")
    after = shade(chromium, places)
    for one, other in zip(before, after, strict=True):
        assert (one - other if dark else other - one) > 0.1, (before, after)


def shade(chromium: Browser, places: list[list[float]]) -> list[float]:
    """How light the right edge of these boxes is, in the middle of its height."""
    (right,), end = {one[0] for one in places}, max(one[2] for one in places)
    clip = {"x": right - 3, "y": 0, "width": 2, "height": end, "scale": 1}
    shot = chromium.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
    pixels = matplotlib.image.imread(BytesIO(base64.b64decode(shot["data"])))[:, :, :3]
    return [float(np.median(pixels[int(top) : int(bottom)])) for _, top, bottom in places]


def test_on_paper(chromium: Browser, whole: Path) -> None:
    chromium.show(whole / "tiny/report/report.html", 1400, False)
    chromium.call("Emulation.setEmulatedMedia", media="print")
    chromium.call("Emulation.setDeviceMetricsOverride", width=720, height=1000,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 720
    chromium.call("Emulation.setEmulatedMedia", media="")
    made = chromium.call("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.7)
    assert len(made["data"]) > 40_000
