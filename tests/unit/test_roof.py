"""Layers under the roof: operations per byte and per second, by hand for one network."""

from __future__ import annotations

import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.predict.estimate import estimate
from cnnaccel.report.roof import roof_of
from tests.support import graphs
from tests.support.hardware import SMALL


def test_points_and_their_reach() -> None:
    found = estimate(compile_graph(graphs.spilling(), SMALL, 1), 10)
    roof = roof_of(found)
    multiply = [usage for usage in found.layers if usage.macs]
    assert [point.layer for point in roof.layers] == [usage.layer for usage in multiply]
    assert len(multiply) < len(found.layers), "pools have no place"
    for point, usage in zip(roof.layers, multiply, strict=True):
        read = usage.read_bytes + usage.instruction_bytes
        assert point.intensity == 2 * usage.macs / max(read, usage.written_bytes)
        seconds = usage.cycles / (SMALL.clock_mhz * 1e6)
        assert point.gops == pytest.approx(2 * usage.macs / seconds / 1e9)
    read = sum(usage.read_bytes + usage.instruction_bytes for usage in found.layers)
    assert roof.intensity == found.operations * found.images / read
    ridge = found.peak_gops / found.bus_gbytes
    inside = [ridge, roof.intensity, *(point.intensity for point in roof.layers)]
    assert roof.reach == (min(inside) / 2, max(inside) * 2)
