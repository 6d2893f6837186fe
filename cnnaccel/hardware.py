"""One engine for one device: its parameters, what may be built, what it costs, its digest.

Knows sizes and nothing of networks or instructions; `isa/instructions.py` takes the address widths
and the format version from here, because they are part of the digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cnnaccel.devices import DEVICES, Device, Resources, device_of
from cnnaccel.errors import ConfigError
from cnnaccel.fields import FieldError, line_of, load_dataclass
from cnnaccel.presets import find_preset, read_preset
from cnnaccel.processing_system import ProcessingSystem
from cnnaccel.resources import resource

FORMAT_VERSION = 2
"""Version of instructions, program header and registers; raised when `isa/instructions.py` changes
them."""
ACT_ADDRESS_BITS = 20
"""Bits of a signed word address, so that a walker may start left of its tensor: 2**19 words."""
WGT_ADDRESS_BITS = 16
PAR_ADDRESS_BITS = 10
PAR_BYTES = 7
"""Bytes of parameters per output channel: bias int32, multiplier uint16, shift uint8."""


_BOARD = {"of the board": True}
_BOARD_PART = re.compile(r"[\w.-]+:[\w.-]+:part0:[\w.-]+")


def _of_the_board(default: Any) -> Any:
    """A field on which a bitstream or an image may depend, and no program or measurement does."""
    return field(default=default, metadata=_BOARD)


@dataclass(frozen=True)
class HardwareConfig:
    """The engine on a device. The defaults are those of `configs/boards/pynq_z1.yaml`.

    Raises:
        FieldError: a value, or two together, that no engine can have.
    """

    pixel_lanes: int = 4
    """P: output pixels computed side by side, and banks of act."""
    input_lanes: int = 8
    """C: input channels multiplied side by side; bytes of a word and of the AXI data bus."""
    output_lanes: int = 8
    """K: output channels computed side by side."""
    act_kib: int = 256
    """Activation scratchpad: words of C bytes."""
    wgt_kib: int = 128
    """Weight scratchpad: words of C*K bytes."""
    par_groups: int = 512
    """Parameter scratchpad: groups of K biases, multipliers and shifts."""
    address_bits: int = 32
    """Bits of an AXI address."""
    clock_mhz: float = 100.0
    dsp_packing: bool = True
    """Two pixel lanes, which share a weight, share a DSP."""
    dsp_budget: int | None = None
    """DSPs the engine may take; products beyond are made of LUTs. null: as many as it wants."""
    dram_latency_cycles: int = 40
    """Cycles from a read's address to its first word, as predictions and the simulated board take
    it."""
    dram_share: float = 0.8
    """Share of the peak of the bus that DRAM sustains in each direction, as both take it."""
    dram_outstanding: int = 8
    """Bursts that DRAM takes before it has answered, in each direction, as both take it."""
    part: str = "xc7z020clg400-1"
    """Name of the device with package and speed grade, as the vendor's tools have it."""
    ps_preset: str | None = "pynq_z1"
    """Tcl file that sets the board's processing system: one beside the board's file, as
    `mine.tcl`, or the name of a shipped one of `hw/tcl/vivado/boards`. null, the default of a
    file: none."""
    board_part: str | None = _of_the_board(None)
    """Vivado's name of the board, `vendor:board:part0:version`, whose files set it instead."""
    dram_mib: int | None = _of_the_board(None)
    """DRAM of the board; null: as the preset's file says."""
    contiguous_mib: float | None = None
    """Memory that the board's image keeps contiguous, for all that an engine reads and writes
    (`cma=` of its kernel); null: not known, which is the default, other than the PYNQ-Z1's."""
    on_silicon: str | None = _of_the_board(None)
    """Note of what was seen of this engine on a real board; null: nothing."""
    name: str = field(default="", metadata={"internal": True})
    """Name of the board: the file's stem."""
    file: Path | None = field(default=None, compare=False, metadata={"internal": True, **_BOARD})
    """The board's file, beside which a preset may lie."""

    def __post_init__(self) -> None:
        _check_lanes(self)
        _check_scratchpads(self)
        if not 32 <= self.address_bits <= 64:
            raise FieldError("address_bits", f"must be 32 to 64, got {self.address_bits}")
        if self.clock_mhz <= 0:
            raise FieldError("clock_mhz", f"must be positive, got {self.clock_mhz:g}")
        least = 2 * self.input_lanes
        if self.dsp_budget is not None and self.dsp_budget < least:
            raise FieldError(
                "dsp_budget",
                f"must be at least {least}, which requantizing takes; got {self.dsp_budget}",
            )
        if self.dram_latency_cycles < 0:
            raise FieldError(
                "dram_latency_cycles", f"must be 0 or more, got {self.dram_latency_cycles}"
            )
        if not 0.01 <= self.dram_share <= 1:
            raise FieldError("dram_share", f"must be 0.01 to 1, got {self.dram_share:g}")
        if self.dram_outstanding < 1:
            raise FieldError("dram_outstanding", f"must be at least 1, got {self.dram_outstanding}")
        if device_of(self.part) is None:
            known = ", ".join(DEVICES)
            raise FieldError("part", f"must begin with one of {known}; got '{self.part}'")
        _check_board(self)

    @property
    def lanes(self) -> tuple[int, int, int]:
        """P, C, K."""
        return self.pixel_lanes, self.input_lanes, self.output_lanes

    @property
    def act_words(self) -> int:
        """Words of C bytes in act."""
        return self.act_kib * 1024 // self.input_lanes

    @property
    def wgt_word_bytes(self) -> int:
        """Bytes of the weights of one step: C*K."""
        return self.input_lanes * self.output_lanes

    @property
    def wgt_words(self) -> int:
        """Words of C*K bytes in wgt."""
        return self.wgt_kib * 1024 // self.wgt_word_bytes

    @property
    def par_word_bytes(self) -> int:
        """Bytes of the parameters of one group of K channels."""
        return self.output_lanes * PAR_BYTES

    @property
    def bus_bytes(self) -> int:
        """Bytes that a cycle can move to or from DRAM: the engine's bus, or the narrower port."""
        return min(self.input_lanes, self.device.family.port_bytes)

    @property
    def dram_bytes_per_cycle(self) -> float:
        """Bytes that DRAM gives, or takes, in a cycle."""
        return self.dram_share * self.bus_bytes

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per cycle."""
        return self.pixel_lanes * self.input_lanes * self.output_lanes

    @property
    def digest(self) -> int:
        """64 bits of all that changes what a program's bytes mean; a program runs on no other.

        Clock, part and how the products are made do not: offsets are 32 bits on any AXI bus.
        """
        parts = (FORMAT_VERSION, *self.lanes, self.act_words, self.wgt_words, self.par_groups)
        text = "cnnaccel " + " ".join(map(str, parts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    @property
    def array_products(self) -> int:
        """Multiplications of the array per cycle, one or two MACs each: a DSP's work."""
        p, c, k = self.lanes
        return (-(-p // 2) if self.dsp_packing else p) * c * k

    @property
    def array_dsp(self) -> int:
        """DSPs of the array: those of its products that the budget covers."""
        if self.dsp_budget is None:
            return self.array_products
        return min(self.array_products, self.dsp_budget - 2 * self.input_lanes)

    @property
    def device(self) -> Device:
        """The device that the part is of."""
        found = device_of(self.part)
        assert found is not None, "a part that is not known is refused"
        return found

    @property
    def reached_dram_bytes(self) -> int | None:
        """DRAM that the engine reaches, from address 0; None: not known.

        Raises:
            ConfigError: the preset's file cannot be read.
        """
        if self.dram_mib is not None:
            dram = self.dram_mib << 20
        elif (path := self.preset_file) is not None:
            dram = read_preset(path).dram_bytes
        else:
            return None
        return min(dram, self.system.low_dram_bytes)

    @property
    def preset_file(self) -> Path | None:
        """The file that `ps_preset` names; None: it names none.

        Raises:
            FieldError: there is no such file.
        """
        folder = self.file.parent if self.file else Path()
        return None if self.ps_preset is None else find_preset(self.ps_preset, folder)

    @property
    def recorded(self) -> dict[str, Any]:
        """Values by key as they are noted beside a program or a measurement."""
        return {
            key.name: getattr(self, key.name)
            for key in fields(self)
            if not key.metadata.keys() & _BOARD.keys()
        }

    @property
    def without_board(self) -> HardwareConfig:
        """The same engine on no board in particular: boards share what is built of it."""
        return replace(self, name="any board")

    @property
    def system(self) -> ProcessingSystem:
        """The processing system beside the engine."""
        return self.device.family.system

    @property
    def estimated_resources(self) -> Resources:
        """Estimate of the resources taken: DSP by arithmetic, BRAM as Yosys infers it, LUT fitted.

        Fitted to what `cnnaccel build-hw --check` says of the whole engine; `tests/rtl` holds it to
        within 5 %, of 16 input lanes to within 8. Vivado packs LUTs more tightly than Yosys.
        """
        return Resources(
            dsp=self.array_dsp + 2 * self.input_lanes,
            bram36=_estimated_bram36(self),
            lut=_estimated_lut(self),
        )

    def exceeds(self, device: Resources | None = None) -> tuple[str, ...]:
        """Resources of which a device, by default that of `part`, is estimated to have too few."""
        return self.estimated_resources.beyond(device or self.device)

    def misfit(self) -> str:
        """A sentence that says why the engine cannot be built on its part; or empty."""
        if not (short := self.exceeds()):
            return ""
        return (
            f"the engine is estimated to take {', '.join(short)} of {self.part}: no room, so "
            "figures are of an engine that cannot be built there; `cnnaccel explore` finds "
            "smaller ones"
        )

    def fits(self, device: Resources | None = None) -> bool:
        """Whether a device, by default that of `part`, has enough of everything."""
        return not self.exceeds(device)


def shipped_boards() -> dict[str, Path]:
    """The files of `configs/boards` by name."""
    return {path.stem: path for path in sorted((resource("configs") / "boards").glob("*.yaml"))}


def load_hardware(board: str | Path, overrides: Sequence[str] = ()) -> HardwareConfig:
    """The engine described by a YAML file, or by the name of a shipped one, as `pynq_z1`.

    Raises:
        ConfigError: no such board, or with file:line what is wrong in its file.
    """
    shipped = shipped_boards()
    paths = [path for path in (Path(board), shipped.get(str(board))) if path and _is_file(path)]
    if not paths:
        known = ", ".join(shipped)
        raise ConfigError(
            f"{board}: no such board; shipped ones are {known}; `cnnaccel boards` says more"
        )
    loaded = load_dataclass(HardwareConfig, paths[0], overrides, absent={"ps_preset": None})
    hardware = replace(loaded, name=paths[0].stem, file=paths[0])
    try:
        _ = hardware.preset_file
    except FieldError as error:
        raise ConfigError(f"{line_of(paths[0], error.field)}: {error}") from None
    return hardware


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be read
        return False


def _check_lanes(hardware: HardwareConfig) -> None:
    p, c, k = hardware.lanes
    if p not in (1, 2, 4, 8):
        raise FieldError("pixel_lanes", f"must be 1, 2, 4 or 8, got {p}")
    if c not in (4, 8, 16):
        raise FieldError("input_lanes", f"must be 4, 8 or 16, got {c}")
    if k not in (c, 2 * c, 4 * c):
        raise FieldError(
            "output_lanes",
            f"must be 1, 2 or 4 times input_lanes, so {c}, {2 * c} or {4 * c}; got {k}",
        )


def _check_scratchpads(hardware: HardwareConfig) -> None:
    for key, kib in (("act_kib", hardware.act_kib), ("wgt_kib", hardware.wgt_kib)):
        if kib < 4 or not _is_power_of_two(kib):
            raise FieldError(key, f"must be a power of two from 4 up, got {kib}")
    groups, most = hardware.par_groups, 1 << PAR_ADDRESS_BITS
    if not 16 <= groups <= most or not _is_power_of_two(groups):
        raise FieldError("par_groups", f"must be a power of two from 16 to {most}, got {groups}")
    limits = (
        ("act_kib", hardware.act_words, 1 << (ACT_ADDRESS_BITS - 1)),
        ("wgt_kib", hardware.wgt_words, 1 << WGT_ADDRESS_BITS),
    )
    for key, words, limit in limits:
        if words > limit:
            raise FieldError(
                key,
                f"is {words:,} words, an instruction addresses {limit:,}; "
                f"at most {getattr(hardware, key) * limit // words} KiB with these lanes",
            )


def _check_board(hardware: HardwareConfig) -> None:
    contiguous, dram = hardware.contiguous_mib, hardware.dram_mib
    if contiguous is not None and contiguous <= 0:
        raise FieldError("contiguous_mib", f"must be positive, got {contiguous:g}")
    most = hardware.system.low_dram_bytes >> 20
    if dram is not None and not (dram >= 16 and _is_power_of_two(min(dram, most))):
        raise FieldError(
            "dram_mib", f"must be a power of two from 16 up, or more than {most}; got {dram}"
        )
    if contiguous is not None and dram is not None and contiguous > dram:
        raise FieldError("contiguous_mib", f"is {contiguous:g}, of a DRAM of {dram}")
    if hardware.board_part is None:
        return
    if hardware.ps_preset is not None:
        raise FieldError(
            "board_part",
            f"and ps_preset are both given; Vivado's files of {hardware.board_part} set the "
            "processing system, or a file of Tcl: leave one out",
        )
    if not _BOARD_PART.fullmatch(hardware.board_part):
        raise FieldError(
            "board_part",
            "must be vendor:board:part0:version, as digilentinc.com:arty-z7-20:part0:1.1, which "
            f"`get_board_parts` of Vivado lists; got '{hardware.board_part}'",
        )


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


_RAMB18_TRUE_DUAL_PORT = ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_RAMB18_SIMPLE_DUAL_PORT = ((512, 36), *_RAMB18_TRUE_DUAL_PORT)


def _blocks(depth: int, bits: int, shapes: Sequence[tuple[int, int]]) -> float:
    """BRAM36 of a memory built of equal halves, in the cheapest of `shapes` (depth, bits)."""
    return min(-(-depth // rows) * -(-bits // width) for rows, width in shapes) / 2


def _estimated_bram36(hardware: HardwareConfig) -> float:
    """BRAM36 of act, as P banks that compute reads while others read or write; of wgt; of par, as
    three memories."""
    p, c, k = hardware.lanes
    simple, groups = _RAMB18_SIMPLE_DUAL_PORT, hardware.par_groups
    act = p * _blocks(hardware.act_words // p, 8 * c, _RAMB18_TRUE_DUAL_PORT)
    wgt = _blocks(hardware.wgt_words, 8 * c * k, simple)
    par = sum(_blocks(groups, bits * k, simple) for bits in (32, 16, 8))
    return act + wgt + par


def _estimated_lut(hardware: HardwareConfig) -> int:
    """LUTs of what grows with the lanes, and the rest: fetch, load, store, registers, control."""
    p, c, k = hardware.lanes
    accumulate = p * k * (20 * (c - 1) + 48)  # the tree of C products, 32 bits of sum, MAX
    requantize = 180 * c
    rotate = p * 8 * c * (p.bit_length() - 1) // 2
    drain = 8 * p * k
    pack = 9 * c * (p // 2) if hardware.dsp_packing else 0
    macs_per_product = hardware.peak_macs // hardware.array_products
    products = (hardware.array_products - hardware.array_dsp) * macs_per_product * 67
    rest = 6900 + 130 * c
    return accumulate + requantize + rotate + drain + pack + products + rest
