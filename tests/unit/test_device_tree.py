"""The device trees: compiled by dtc, applied to a tree, and held against the `.hwh` and the Tcl."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.render.device_tree import BOOT_TREE, OVERLAY, render_device_trees
from cnnaccel.render.params import render_hwh

ROOT = Path(__file__).parents[2]
BOARDS = ["pynq_z1", "zcu104"]
FIRST_INTERRUPT = {"processing_system7": 61, "zynq_ultra_ps_e": 121}
"""At the processors' controller, of the logic's inputs: UG585 and UG1085."""
SHARED = 32
"""Of these numbers belong to single processors; a device tree counts from behind them."""

needs_dtc = pytest.mark.skipif(
    shutil.which("dtc") is None or shutil.which("fdtoverlay") is None,
    reason="dtc is not on PATH: apt install device-tree-compiler",
)

BASE = """
/ {{
	#address-cells = <{cells}>;
	#size-cells = <{cells}>;

	{interrupts}: interrupt-controller@f0000000 {{
		reg = <{high}0xf0000000 {high}0x1000>;
		interrupt-controller;
		#interrupt-cells = <3>;
		#address-cells = <0>;
	}};
	{clock}: clock-controller {{ #clock-cells = <1>; }};
	zynqmp_reset: reset-controller {{ #reset-cells = <1>; }};
	fpga_full: fpga-region {{
		compatible = "fpga-region";
		#address-cells = <{cells}>;
		#size-cells = <{cells}>;
		ranges;
	}};
}};
"""


class Tree:
    """A compiled tree, asked by fdtget."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def words(self, node: str, name: str) -> list[int]:
        return [int(word, 16) for word in self._get("-t", "x", node, name).split()]

    def strings(self, node: str, name: str) -> list[str]:
        return self._get("-t", "s", node, name).split()

    def has(self, node: str, name: str) -> bool:
        return name in self._get("-p", "", node).split()

    def nodes(self, node: str) -> list[str]:
        return self._get("-l", "", node).split()

    def _get(self, option: str, value: str, *what: str) -> str:
        command = ["fdtget", *filter(None, (option, value)), str(self.path), *what]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def compiled(text: str, path: Path, *options: str) -> Path:
    """By dtc, without a complaint."""
    done = subprocess.run(
        ["dtc", "-I", "dts", "-O", "dtb", *options, "-o", path],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return path


def base(hardware: HardwareConfig) -> str:
    """What of Linux's own tree the parts name."""
    ps = hardware.system
    return BASE.format(
        cells=ps.address_cells,
        high="0x0 " * (ps.address_cells - 1),
        interrupts=ps.linux_interrupts,
        clock=ps.linux_clock.split()[0],
    )


def boot(hardware: HardwareConfig, folder: Path) -> Tree:
    text = "/dts-v1/;\n" + base(hardware) + render_device_trees(hardware)[BOOT_TREE]
    return Tree(compiled(text, folder / "boot.dtb"))


def overlaid(hardware: HardwareConfig, folder: Path) -> Tree:
    tree = compiled("/dts-v1/;\n" + base(hardware), folder / "base.dtb", "-@")
    overlay = compiled(render_device_trees(hardware)[OVERLAY], folder / "overlay.dtbo", "-@")
    done = subprocess.run(
        ["fdtoverlay", "-i", tree, "-o", folder / "all.dtb", overlay],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Tree(folder / "all.dtb")


TREES = {"boot": (boot, "/cnnaccel-logic"), "overlay": (overlaid, "/fpga-region")}


@pytest.mark.parametrize("board", BOARDS)
def test_golden(board: str, golden: Callable[[Path, str], None]) -> None:
    for name, text in render_device_trees(load_hardware(board)).items():
        golden(ROOT / "tests/golden" / board / name, text)


@needs_dtc
@pytest.mark.parametrize("kind", TREES)
@pytest.mark.parametrize("board", BOARDS)
def test_addresses_and_interrupts_are_those_of_the_design(
    board: str, kind: str, tmp_path: Path
) -> None:
    hardware = load_hardware(board)
    ps = hardware.system
    make, place = TREES[kind]
    tree = make(hardware, tmp_path)
    design = ET.fromstring(render_hwh(hardware))
    ranges = {
        found.attrib["INSTANCE"]: (
            int(found.attrib["BASEVALUE"], 16),
            int(found.attrib["HIGHVALUE"], 16),
        )
        for found in design.iter("MEMRANGE")
    }
    names = {name.split("@")[0]: f"{place}/{name}" for name in tree.nodes(place)}
    for cell, name in (("engine", "cnnaccel"), ("axi_intc_0", "interrupt-controller")):
        first, last = ranges[cell]
        words = tree.words(names[name], "reg")
        cells = [
            sum(
                words[i * ps.address_cells + j] << 32 * (ps.address_cells - 1 - j)
                for j in range(ps.address_cells)
            )
            for i in range(2)
        ]
        assert cells == [first, last - first + 1]
        assert names[name].endswith(f"@{first:x}")
    # the engine's irq is input 0 of the controller, the controller's irq input 0 of the processors
    pins = {
        (module.attrib["INSTANCE"], port.attrib["NAME"]): port
        for module in design.iter("MODULE")
        for port in module.iter("PORT")
    }
    controller, engine = names["interrupt-controller"], names["cnnaccel"]
    for instance, name, source, node in (
        (ps.cell, ps.irq, "axi_intc_0", controller),
        ("axi_intc_0", "intr", "engine", engine),
    ):
        port = pins[instance, name]
        assert (port.attrib["LEFT"], port.attrib["RIGHT"]) == ("0", "0")
        assert [end.attrib["INSTANCE"] for end in port.iter("CONNECTION")] == [source]
        index = int(port.attrib["RIGHT"])
        if node == controller:
            expected = [0, FIRST_INTERRUPT[ps.ip] - SHARED + index, 4]
        else:
            expected = [index, 4]
        assert tree.words(node, "interrupts") == expected
    phandle = tree.words(controller, "phandle")
    assert tree.words(engine, "interrupt-parent") == phandle
    assert tree.words(controller, "#interrupt-cells") == [2]
    assert tree.has(controller, "interrupt-controller")
    above = tree.words("/interrupt-controller@f0000000", "phandle")
    assert tree.words(controller, "interrupt-parent") == above


@needs_dtc
@pytest.mark.parametrize("kind", TREES)
@pytest.mark.parametrize("board", BOARDS)
def test_drivers_find_their_nodes(board: str, kind: str, tmp_path: Path) -> None:
    hardware = load_hardware(board)
    make, place = TREES[kind]
    tree = make(hardware, tmp_path)
    names = {name.split("@")[0]: f"{place}/{name}" for name in tree.nodes(place)}
    assert "generic-uio" in tree.strings(names["cnnaccel"], "compatible")
    assert "xlnx,xps-intc-1.00.a" in tree.strings(names["interrupt-controller"], "compatible")
    assert tree.words(names["interrupt-controller"], "xlnx,num-intr-inputs") == [1]
    assert tree.words(names["interrupt-controller"], "xlnx,kind-of-intr") == [0], "level"
    hertz = round(hardware.system.clock_mhz(hardware.clock_mhz) * 1e6)
    assert tree.words(names["cnnaccel"], "assigned-clock-rates") == [hertz]
    assert tree.strings("/udmabuf0", "compatible") == ["ikwzm,u-dma-buf"]
    assert tree.strings("/udmabuf0", "device-name") == ["udmabuf0"]
    memory = int(hardware.contiguous_mib or 0) << 20
    assert tree.words("/udmabuf0", "size") == [memory if kind == "boot" else memory // 2]
    if kind == "overlay":
        assert tree.strings(place, "firmware-name") == ["cnnaccel.bit.bin"]
        assert not tree.has("/udmabuf0", "memory-region"), "reserved memory is made at boot alone"
    else:
        pool = tree.words("/reserved-memory/cnnaccel-memory", "phandle")
        assert tree.words("/udmabuf0", "memory-region") == pool


@needs_dtc
@pytest.mark.parametrize("board", BOARDS)
def test_memory_is_where_the_engine_reaches(board: str, tmp_path: Path) -> None:
    hardware = load_hardware(board)
    tree, node = boot(hardware, tmp_path), "/reserved-memory/cnnaccel-memory"
    assert tree.strings(node, "compatible") == ["shared-dma-pool"]
    assert tree.has(node, "reusable") and not tree.has(node, "no-map"), "cached, as hal_linux.c is"
    assert tree.words(node, "size")[-1] == tree.words("/udmabuf0", "size")[0]
    window = tree.words(node, "alloc-ranges")
    assert not any(window[:-1]) and window[-1] == hardware.reached_dram_bytes


@needs_dtc
def test_a_board_that_names_no_memory(tmp_path: Path) -> None:
    hardware = dataclasses.replace(load_hardware("tiny"), contiguous_mib=6.5)
    assert boot(hardware, tmp_path).words("/udmabuf0", "size") == [4 << 20]
    hardware = dataclasses.replace(hardware, contiguous_mib=None)
    assert boot(hardware, tmp_path).words("/udmabuf0", "size") == [64 << 20]
