"""Charts of float against int8: bars as long as their decibels, names that fit, histograms."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cnnaccel.report.distributions import Distributions, TensorCounts, WeightCounts
from cnnaccel.report.precision import blocks
from cnnaccel.report.quantization import LayerRow, QuantizationReport
from tests.support.graphs import every_kind
from tests.support.svg import box, shapes

GRAPH = every_kind()


def report(noise: dict[str, str]) -> QuantizationReport:
    rows = tuple(LayerRow(name, "", "", "", "", "", "", "", text) for name, text in noise.items())
    return QuantizationReport("net", "", rows, 1, (), None, 1, 1, False)


def counts(name: str, low: int = 0) -> TensorCounts:
    integers = [0] * 64
    integers[-low // 4], integers[40], integers[41] = 900, 60, 30
    weights = WeightCounts((*[0] * 32, 5, 10, *[0] * 30), 0.25, 0.5)
    return TensorCounts(
        name, low, tuple(integers), (4, *integers, 2), 0.9, 0.006, 0.1, 0.5, ((1.2, 1),), weights
    )


@pytest.mark.parametrize("worst", ["-3.0", "12.5", "35.0"])
def test_bars_are_as_long_as_their_decibels(worst: str) -> None:
    texts = {"pixels": "", "stem": "40.0", "pool": "inf", "branch": worst, "residual": worst}
    (made,) = blocks(report(texts), GRAPH, None, "somewhere")
    svg = made.charts[0].svg
    stem, pool, branch, _ = (box(points) for points in shapes(svg, "noise"))
    scale = (stem[2] - stem[0]) / 40
    assert branch[2] - branch[0] == pytest.approx(abs(float(worst)) * scale, abs=0.2)
    assert pool[2] - pool[0] == pytest.approx(80 * scale, abs=0.3)
    assert ">exact<" in svg and "is branch." in made.notes[-1]
    assert (branch[0] < stem[0] - 1) == (float(worst) < 0)


def test_names_that_differ_in_the_middle_are_told_apart() -> None:
    names = [f"inception{at}.branch2.1.conv" for at in ("3a", "4b")]
    chart = blocks(report(dict.fromkeys(names, "30.0")), GRAPH, None, "")[0].charts[0]
    assert all(f">{name}<" in chart.svg for name in names) and chart.css == "natural"
    chart = blocks(report({"conv1": "30.0"}), GRAPH, None, "")[0].charts[0]
    assert chart.css == "small" and 'width="380"' in chart.svg


def test_nothing_known_draws_nothing() -> None:
    assert blocks(report({"pixels": "", "stem": ""}), GRAPH, None, "") == []


@pytest.mark.parametrize("low", [0, -128])
def test_a_card(low: int) -> None:
    found = Distributions(3, 4, (counts("stem", low),))
    (card,) = blocks(report({"stem": "40.0"}), GRAPH, found, "")[1].cards
    (line,) = shapes(card.svg, "integers")
    tops = sorted({y for _, y in line})
    assert tops == [8.0, 50.0, 92.0]  # 60, and the 900 that are 0, cut; 30; none
    assert [box(one)[2] - box(one)[0] for one in shapes(card.svg, "clipped")] == [3.0, 3.0]
    assert dict(card.facts)["clipped"] == "0.60%" and dict(card.facts)["at \u00b1127"] == "50.0%"
    assert "4 clipped" in card.svg and "2 clipped" in card.svg


def test_large_networks_are_folded() -> None:
    found = Distributions(3, 4, tuple(counts(f"layer{at}") for at in range(30)))
    (made,) = blocks(report({}), GRAPH, found, "")
    (fold,) = made.folds
    assert len(made.cards) == 12 and len(fold.cards) == 18 and fold.text == "18 more layers"
    few = replace(found, tensors=found.tensors[:12])
    assert blocks(report({}), GRAPH, few, "")[0].folds == ()
    ids = re.findall(r' id="([^"]*)"', "".join(card.svg for card in (*made.cards, *fold.cards)))
    assert len(set(ids)) == len(ids) == 60


def test_names_of_ids_stay_apart() -> None:
    found = Distributions(3, 4, tuple(counts(name) for name in ("a.b", "a-b", "a b", "a\u00e4")))
    cards = blocks(report({}), GRAPH, found, "")[0].cards
    assert len({re.findall(r' id="([^"]*)"', card.svg)[0] for card in cards}) == 4
    assert all(re.fullmatch(r"values-[\w-]+-title", re.findall(r' id="([^"]*)"', c.svg)[0])
               for c in cards)  # fmt: skip
