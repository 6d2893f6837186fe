"""One engine for one device: its parameters, what may be built, what it costs, its digest.

Knows sizes and nothing of networks or instructions; `isa/instructions.py` takes the address widths
and the format version from here, because they are part of the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cnnaccel.config import FieldError, load_dataclass
from cnnaccel.devices import DEVICES, Device, Resources, device_of
from cnnaccel.errors import ConfigError
from cnnaccel.processing_system import ProcessingSystem
from cnnaccel.resources import resource

FORMAT_VERSION = 2
"""Of instructions, program header and registers; raised when `isa/instructions.py` changes them."""
ACT_ADDRESS_BITS = 20
"""Of a signed word address, so that a walker may start left of its tensor: 2**19 words."""
WGT_ADDRESS_BITS = 16
PAR_ADDRESS_BITS = 10
PAR_BYTES = 7
"""Per output channel: bias int32, multiplier uint16, shift uint8."""


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
    """Of an AXI address."""
    clock_mhz: float = 100.0
    dsp_packing: bool = True
    """Two pixel lanes, which share a weight, share a DSP."""
    dsp_budget: int | None = None
    """DSPs the engine may take; products beyond are made of LUTs. null: as many as it wants."""
    dram_latency_cycles: int = 40
    """From a read's address to its first word, as taken by predictions and the simulated board."""
    dram_share: float = 0.8
    """Of the peak of the bus that DRAM sustains, in each direction; taken likewise."""
    dram_outstanding: int = 8
    """Bursts that DRAM takes before it has answered, in each direction; taken likewise."""
    part: str = "xc7z020clg400-1"
    """As the vendor's tools call it."""
    ps_preset: Literal["pynq_z1", "pynq_z2", "zcu104"] = "pynq_z1"
    """How the board's processing system is set: a file of `hw/tcl/vivado/boards`."""
    contiguous_mib: float | None = None
    """Memory that the board's image keeps contiguous, for all that an engine reads and writes
    (`cma=` of its kernel); null: not known, which is the default, other than the PYNQ-Z1's."""
    name: str = field(default="", metadata={"internal": True})
    """Of the board: the file's stem."""

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
        if self.contiguous_mib is not None and self.contiguous_mib <= 0:
            raise FieldError("contiguous_mib", f"must be positive, got {self.contiguous_mib:g}")
        if device_of(self.part) is None:
            known = ", ".join(DEVICES)
            raise FieldError("part", f"must begin with one of {known}; got '{self.part}'")

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
        """C*K: the weights of one step."""
        return self.input_lanes * self.output_lanes

    @property
    def wgt_words(self) -> int:
        """Words of C*K bytes in wgt."""
        return self.wgt_kib * 1024 // self.wgt_word_bytes

    @property
    def par_word_bytes(self) -> int:
        """The parameters of one group of K channels."""
        return self.output_lanes * PAR_BYTES

    @property
    def bus_bytes(self) -> int:
        """What a cycle can move between DRAM and the engine: its bus, or the narrower port."""
        return min(self.input_lanes, self.device.family.port_bytes)

    @property
    def dram_bytes_per_cycle(self) -> float:
        """What DRAM gives, or takes."""
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
        """What the part has."""
        found = device_of(self.part)
        assert found is not None, "a part that is not known is refused"
        return found

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
        """What the engine takes: DSP by arithmetic, BRAM as Yosys infers it, LUT fitted.

        Fitted to what `cnnaccel build-hw --check` says of the whole engine; `tests/rtl` holds it to
        within 5 %. Vivado packs LUTs more tightly than Yosys.
        """
        return Resources(
            dsp=self.array_dsp + 2 * self.input_lanes,
            bram36=_estimated_bram36(self),
            lut=_estimated_lut(self),
        )

    def exceeds(self, device: Resources | None = None) -> tuple[str, ...]:
        """What the device, or that of `part`, is estimated to have too little of."""
        return self.estimated_resources.beyond(device or self.device)

    def misfit(self) -> str:
        """Why the engine cannot be built on its part, in a sentence; or empty."""
        if not (short := self.exceeds()):
            return ""
        return (
            f"the engine is estimated to take {', '.join(short)} of {self.part}: no room, so "
            "figures are of an engine that cannot be built there; `cnnaccel explore` finds "
            "smaller ones"
        )

    def fits(self, device: Resources | None = None) -> bool:
        """Whether the device, or that of `part`, has enough of everything."""
        return not self.exceeds(device)


def load_hardware(board: str | Path, overrides: Sequence[str] = ()) -> HardwareConfig:
    """The engine described by a YAML file, or by the name of a shipped one, as `pynq_z1`.

    Raises:
        ConfigError: no such board, or with file:line what is wrong in its file.
    """
    boards = resource("configs") / "boards"
    paths = [path for path in (Path(board), boards / f"{board}.yaml") if _is_file(path)]
    if not paths:
        known = ", ".join(sorted(shipped.stem for shipped in boards.glob("*.yaml")))
        raise ConfigError(f"{board}: no such board; shipped ones are {known}")
    return replace(load_dataclass(HardwareConfig, paths[0], overrides), name=paths[0].stem)


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


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


_RAMB18_TRUE_DUAL_PORT = ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_RAMB18_SIMPLE_DUAL_PORT = ((512, 36), *_RAMB18_TRUE_DUAL_PORT)


def _blocks(depth: int, bits: int, shapes: Sequence[tuple[int, int]]) -> float:
    """BRAM36 of a memory built of equal halves, in the cheapest of `shapes` (depth, bits)."""
    return min(-(-depth // rows) * -(-bits // width) for rows, width in shapes) / 2


def _estimated_bram36(hardware: HardwareConfig) -> float:
    """act as P banks that compute reads while the others read or write; par as three memories."""
    p, c, k = hardware.lanes
    simple, groups = _RAMB18_SIMPLE_DUAL_PORT, hardware.par_groups
    act = p * _blocks(hardware.act_words // p, 8 * c, _RAMB18_TRUE_DUAL_PORT)
    wgt = _blocks(hardware.wgt_words, 8 * c * k, simple)
    par = sum(_blocks(groups, bits * k, simple) for bits in (32, 16, 8))
    return act + wgt + par


def _estimated_lut(hardware: HardwareConfig) -> int:
    """The parts that grow with the lanes, and the rest: fetch, load, store, registers, control."""
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
