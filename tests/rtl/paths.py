"""The longest paths of a synthesized engine, by a rough model of delays: a ranking, no timing.

    python -m tests.rtl.paths pynq_z1 [how many]

A LUT takes 0.124 ns, a carry chain 0.25 to 0.4 and 0.114 per 4 bits, a net 0.6 and 0.12 for every
doubling of its loads, a register 0.456 to its output; nets into a carry chain from the LUT of their
own, and out of it into a register, take nothing. Figures are those of grade -1 for cells, a guess
for nets. Yosys packs no two LUTs into one and copies no driver of many loads, as Vivado does.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

LIMIT_NS = 1000 / 150
_FLOPS = {"FDRE": "Q", "FDSE": "Q", "SRL16E": "Q"}
_SETUP = {"D": 0.05, "CE": 0.2, "R": 0.43, "S": 0.43}
_BLOCK_OUT = ("DOADO", "DOBDO", "DOPADOP", "DOPBDOP")


class Arc(NamedTuple):
    """From an input of a cell to its output."""

    bit: int
    delay: float
    free: bool
    """The net before costs nothing: both cells are one slice."""


@dataclass
class Netlist:
    """A flat module of LUTs, carry chains, registers, memories and DSPs, by bit."""

    arcs: dict[int, list[Arc]] = field(default_factory=lambda: defaultdict(list))
    starts: dict[int, float] = field(default_factory=dict)
    ends: list[tuple[int, float, str]] = field(default_factory=list)
    loads: Counter[int] = field(default_factory=Counter)
    names: dict[int, str] = field(default_factory=dict)


def bits(connections: Mapping[str, list[Any]], ports: Iterable[str]) -> list[int]:
    return [bit for port in ports for bit in connections.get(port, ()) if isinstance(bit, int)]


def read(module: Mapping[str, Any]) -> Netlist:
    made = Netlist()
    for name, net in sorted(module["netnames"].items(), key=lambda item: -len(item[0])):
        if "$" not in name:
            made.names |= {bit: name for bit in net["bits"] if isinstance(bit, int)}
    for name, cell in module["cells"].items():
        _add(made, name, cell["type"], cell["connections"], cell["parameters"])
    return made


def _add(made: Netlist, name: str, kind: str, at: dict[str, Any], parameters: Any) -> None:
    where = re.sub(r"(\.\d+)+$", "", name)
    if kind.startswith("LUT") or kind == "INV":
        outs, delay = ["O"], 0.124 if kind != "INV" else 0.0
        ins = bits(at, set(at) - {"O"})
        made.arcs[at["O"][0]] = [Arc(bit, delay, kind == "INV") for bit in ins]
    elif kind == "CARRY4":
        outs = ["O", "CO"]
        carry = bits(at, ("CI", "CYINIT"))
        for port, first in (("O", 0.25), ("CO", 0.35)):
            for high, out in enumerate(at.get(port, ())):
                for low in range(high + 1):
                    for bit in bits({"S": [at["S"][low]], "DI": [at["DI"][low]]}, ("S", "DI")):
                        made.arcs[out].append(Arc(bit, first + 0.03 * (high - low), True))
                made.arcs[out] += [Arc(bit, 0.114 if port == "CO" else 0.22, True) for bit in carry]
    elif kind in _FLOPS:
        outs = ["Q"]
        made.starts[at["Q"][0]] = 0.456 if kind != "SRL16E" else 1.3
        for port in set(at) - {"Q", "C", "CLK"}:
            found = made.names.get(at["Q"][0], where)
            made.ends += [(bit, _SETUP.get(port, 0.1), found) for bit in bits(at, [port])]
    elif kind.startswith("RAM") and not kind.startswith("RAMB"):
        outs = [port for port in at if port.startswith("DO")]
        for port in outs:
            read_at = bits(at, ["ADDR" + port[-1]])
            for out in bits(at, [port]):
                made.arcs[out] = [Arc(bit, 0.2, False) for bit in read_at]
        written = [port for port in at if port[:2] in ("DI", "WE")] + ["ADDRD"]
        made.ends += [(bit, 0.4, where) for bit in bits(at, written)]
    elif kind.startswith("RAMB"):
        outs = list(_BLOCK_OUT)
        made.starts |= dict.fromkeys(bits(at, outs), 2.45)
        rest = [port for port in at if port not in outs and "CLK" not in port]
        made.ends += [(bit, 0.55, where) for bit in bits(at, rest)]
    elif kind == "DSP48E1":
        outs, registered = ["P"], int(parameters.get("PREG", "0"), 2)
        made.starts |= dict.fromkeys(bits(at, outs), 0.434 if registered else 1.9)
        for port in set(at) - {"P", "CLK"}:
            held = int(parameters.get(port + "REG", "0") or "0", 2)
            setup = 0.4 if held else 2.5 if port in "AB" else 1.7
            made.ends += [(bit, setup, where) for bit in bits(at, [port])]
    else:
        outs = ["O"]  # of BUFG, which starts nothing
    made.loads.update(bits(at, set(at) - set(outs)))


def arrivals(netlist: Netlist) -> dict[int, tuple[float, int]]:
    """When a bit is there at the latest, and the bit its path starts with."""
    found: dict[int, tuple[float, int]] = {
        bit: (delay, bit) for bit, delay in netlist.starts.items()
    }
    for goal in (bit for bit, *_ in netlist.ends):
        stack = [goal]
        while stack:
            bit = stack[-1]
            if bit in found:
                stack.pop()
                continue
            missing = [arc.bit for arc in netlist.arcs.get(bit, ()) if arc.bit not in found]
            if missing:
                stack += missing
                continue
            stack.pop()
            found[bit] = max(
                (
                    (found[arc.bit][0] + _net(netlist, arc.bit, arc.free) + arc.delay,
                     found[arc.bit][1])
                    for arc in netlist.arcs.get(bit, ())
                ),
                default=(0.0, bit),
            )  # fmt: skip
    return found


def _net(netlist: Netlist, bit: int, free: bool) -> float:
    loads = netlist.loads[bit]
    return 0.0 if free and loads <= 2 and bit in netlist.arcs else 0.6 + 0.12 * math.log2(loads)


def main(board: str, most: int = 20) -> None:
    from cnnaccel.hardware import load_hardware
    from cnnaccel.render.sources import WRAPPER, wrapper_parameters, wrapper_sources
    from cnnaccel.tools.yosys import synthesize

    hardware = load_hardware(board)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "netlist.json"
        synthesize(WRAPPER, wrapper_sources(), hardware, wrapper_parameters(hardware), netlist=path)
        report(read(json.loads(path.read_text(encoding="utf-8"))["modules"][WRAPPER]), most)


class Route(NamedTuple):
    """The longest path to a register, a memory or a DSP."""

    ns: float
    start: str
    """Names of registers, or ports of the module."""
    end: str


def longest(made: Netlist) -> list[Route]:
    """For every end its longest path, in no order."""
    at = arrivals(made)
    return [
        Route(
            at[bit][0] + _net(made, bit, False) + setup,
            made.names.get(at[bit][1], "?"),
            end,
        )
        for bit, setup, end in made.ends
    ]


def report(made: Netlist, most: int) -> None:
    found = longest(made)
    share = sum(route.ns < LIMIT_NS for route in found) / len(found)
    print(f"{len(found):,} ends, {share:.1%} below {LIMIT_NS:.2f} ns, longest {max(found).ns:.1f}")
    worst: dict[str, Route] = {}
    for route in found:
        worst[route.end] = max(worst.get(route.end, route), route)
    for route in sorted(worst.values(), reverse=True)[:most]:
        print(f"{route.ns:5.1f}  {route.start} to {route.end}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
