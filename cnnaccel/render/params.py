"""The instruction set and an engine's parameters in SystemVerilog, C, Python, XML and the docs.

Turns the tables of `isa/instructions.py` into texts and numbers that the templates only place. The
same hardware gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnnaccel.hardware import FORMAT_VERSION, HardwareConfig
from cnnaccel.isa import instructions as isa
from cnnaccel.isa.latency import latencies
from cnnaccel.isa.record import Code, Field, Record, layout
from cnnaccel.processing_system import REGION_BYTES
from cnnaccel.render.template import render_template as _render

Row = dict[str, Any]
_CODES: tuple[type[Code], ...] = (isa.Opcode, isa.Base, isa.Error)


def render_params_svh(hardware: HardwareConfig) -> str:
    """`params.svh`: constants, types of the instructions, register offsets; for one package."""
    records = (isa.Compute, isa.Load, isa.Store, isa.Par)
    fields = [field for record in records for field in layout(record)]
    types = {_sv_scalar(field): field for field in fields}
    last = isa.registers()[-1]
    address_bits = (last.at + last.bits // 8 - 1).bit_length()
    return _render(
        "params.svh.j2",
        **_engine(hardware),
        constants=[(_camel(name), value, text) for name, value, text in _constants(hardware)],
        dsp_packing=int(hardware.dsp_packing),
        latencies=[(_camel(name), value, text) for name, value, text in latencies(hardware)],
        units=[(_camel(unit.name or ""), index) for index, unit in enumerate(isa.Unit)],
        enums=[_sv_enum(codes) for codes in _CODES],
        types=[
            (name, "signed " if field.signed else "", field.bits - 1)
            for name, field in sorted(types.items(), key=lambda item: (item[0][0], item[1].bits))
            if name.endswith("_t")
        ],
        records=[_sv_record(record) for record in records],
        registers=[(_camel(r.name), f"{r.at:02x}") for r in isa.registers()],
        register_bits=address_bits,
        register_msb=address_bits - 1,
        flags=[(_camel(f"{r.name}_{flag.name}"), bit) for r, bit, flag in _flags()],
    )


def render_params_h(hardware: HardwareConfig) -> str:
    """`params.h`: C99 constants, register offsets, the program header, positions of fields."""
    header = [(f"uint{f.bits}_t", f.name, f.meaning) for f in layout(isa.Header)]
    rest = isa.Header.BYTES - layout(isa.Header)[-1].end // 8
    sizes: tuple[type[Record], ...] = (isa.Header, *isa.INSTRUCTIONS)
    return _render(
        "params.h.j2",
        **_engine(hardware),
        constants=[(name.upper(), value, text) for name, value, text in _constants(hardware)],
        registers=[(r.name.upper(), f"{r.at:02x}") for r in isa.registers()],
        flags=[(f"{r.name}_{flag.name}".upper(), b, hex(1 << b)) for r, b, flag in _flags()],
        enums=[
            [(f"{codes.__name__}_{c.name}".upper(), c.value, c.meaning) for c in codes]
            for codes in _CODES
        ],
        header=[*header, ("uint8_t", f"reserved[{rest}]", "0")],
        sizes=[(record.__name__.upper(), record.BYTES) for record in sizes],
        instructions=[
            [(f"{kind.__name__}_{f.name}".upper(), f.at, f.bits) for f in layout(kind)]
            for kind in isa.INSTRUCTIONS
        ],
    )


def render_isa_page() -> str:
    """`docs/isa.md`: every table, and what the instructions do."""
    records: dict[str, type[Record]] = {
        "compute": isa.Compute,
        "load": isa.Load,
        "store": isa.Store,
        "par": isa.Par,
        "header": isa.Header,
    }
    tables: Row = {name: _rows(layout(record)) for name, record in records.items()}
    tables |= {f"{name}_bytes": record.BYTES for name, record in records.items()}
    tables |= {f"{name}_bits": layout(record)[-1].end for name, record in records.items()}
    return _render(
        "isa.md.j2",
        **tables,
        version=FORMAT_VERSION,
        head=_rows(layout(isa.Instruction)),
        opcodes=_code_rows(isa.Opcode),
        bases=_code_rows(isa.Base),
        errors=_code_rows(isa.Error),
        levels=isa.LEVELS,
        token_bits=isa.TOKEN_BITS,
        unfold_bytes=isa.UNFOLD_BYTES,
        units=[f"{unit.value} {(unit.name or '').lower()}" for unit in isa.Unit],
        registers=[
            {**vars(register), "offset": f"0x{register.at:02x}"} for register in isa.registers()
        ],
        flags=[
            {"register": register.name, "bit": bit, **vars(flag)}
            for register, bit, flag in _flags()
        ],
    )


def render_layout() -> str:
    """`cnnaccel/runtime/layout.py`: registers and header for a host without this package."""
    registers = isa.registers()
    counters = registers[[r.name for r in registers].index("cycles") :]
    return _render(
        "layout.py.j2",
        magic=f"{isa.MAGIC:08X}",
        version=FORMAT_VERSION,
        header_bytes=isa.Header.BYTES,
        header=[(f.name, f.at // 8, f.bits // 8) for f in layout(isa.Header)],
        registers=[(r.name, f"{r.at:02X}", r.bits // 32) for r in registers],
        counters=[r.name for r in counters if not r.flags],
        flags=[
            (f"{r.name}_{flag.name}".upper(), hex(1 << bit))
            for r, bit, flag in _flags()
            if r.name in ("control", "status", "interrupt_enable")
        ],
        waiting=[
            (f"0x{1 << bit:04x}", flag.meaning) for r, bit, flag in _flags() if r.name == "waiting"
        ],
        errors=[(code.value, code.meaning) for code in isa.Error],
    )


def render_hwh(hardware: HardwareConfig) -> str:
    """`cnnaccel.hwh`: what pynq reads of a simulated design, as Vivado writes it of a real one."""
    ps = hardware.system
    divisors = ps.divisors(hardware.clock_mhz)
    first, second = ps.base, ps.base + REGION_BYTES
    parameters: list[tuple[str, int]] = []
    for clock in range(4):
        parameters.append((ps.clock_enable.format(clock), int(clock == 0)))
        parameters += [(ps.clock_divisor.format(clock, i), divisors[i]) for i in range(2)]
    return _render(
        "cnnaccel.hwh.j2",
        board=hardware.name or hardware.part,
        part=hardware.part,
        family=hardware.device.family.name,
        ps=ps.ip, ps_version=ps.version, irq=ps.irq, master=ps.master,
        parameters=parameters,
        engine_first=f"{first:08X}", engine_last=f"{first + REGION_BYTES - 1:08X}",
        intc_first=f"{second:08X}", intc_last=f"{second + REGION_BYTES - 1:08X}",
        registers=[
            {"name": name, "at": f"0x{at:02x}", "meaning": meaning, "access": access,
             "flags": flags}
            for name, at, meaning, access, flags in register_words()
        ],
    )  # fmt: skip


def register_words() -> Iterable[tuple[str, int, str, str, list[Row]]]:
    """The registers as words of 32 bits: name, offset, meaning, access, flags."""
    access = {"read": "read-only", "write": "write-only"}
    for register in isa.registers():
        flags = [{"bit": bit, **vars(flag)} for bit, flag in enumerate(register.flags)]
        for word in range(register.bits // 32):
            name = register.name + ("_high" if word else "")
            how = access.get(register.access, "read-write")
            yield name, register.at + 4 * word, register.meaning, how, flags


def _engine(hardware: HardwareConfig) -> Row:
    return {
        "board": hardware.name or hardware.part,
        "magic": f"{isa.MAGIC:08x}",
        "version": FORMAT_VERSION,
        "digest": f"{hardware.digest:016x}",
    }


def _constants(hardware: HardwareConfig) -> Iterable[tuple[str, int, str]]:
    """Names, values and meanings of what both languages want to know of the engine."""
    yield "pixel_lanes", hardware.pixel_lanes, "P"
    yield "input_lanes", hardware.input_lanes, "C, bytes of a word and of the AXI data bus"
    yield "output_lanes", hardware.output_lanes, "K"
    yield "act_words", hardware.act_words, "of C bytes"
    yield "wgt_words", hardware.wgt_words, "of C*K bytes"
    yield "par_groups", hardware.par_groups, "of K channels"
    yield "address_bits", hardware.address_bits, "of an AXI address"
    yield "array_dsp", hardware.array_dsp, "products of the array in DSPs, others in LUTs"
    yield "token_bits", isa.TOKEN_BITS, "of a token counter"
    yield "unfold_bytes", isa.UNFOLD_BYTES, "most bytes under a kernel row"


def _flags() -> Iterable[tuple[isa.Register, int, isa.Flag]]:
    """Every flag with its register and bit."""
    for register in isa.registers():
        for bit, flag in enumerate(register.flags):
            yield register, bit, flag


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _sv_scalar(field: Field) -> str:
    """The type of one element; elements of an array are signed only if their type has a name."""
    if issubclass(field.kind, Code):
        return f"{field.kind.__name__.lower()}_e"
    if field.bits == 1:
        return "logic"
    return f"{'s' if field.signed else 'u'}{field.bits}_t"


def _sv_enum(codes: type[Code]) -> Row:
    """An enum as wide as its greatest code."""
    bits = max(codes).bit_length()
    members = [f"{codes.__name__}{_camel(c.name)} = {bits}'d{c.value}" for c in codes]
    return {"name": codes.__name__.lower(), "msb": bits - 1, "members": members}


def _sv_record(record: type[Record]) -> Row:
    """A packed struct: highest member first."""
    members = []
    for field in reversed(layout(record)):
        array = "" if field.count is None else f" [{field.count - 1}:0]"
        note = "" if field.stored == "value" else f"  // {field.stored}"
        members.append({"type": _sv_scalar(field) + array, "name": field.name, "note": note})
    spare = record.BYTES * 8 - layout(record)[-1].end
    return {
        "name": record.__name__.lower(),
        "bits": record.BYTES * 8,
        "reserved": [spare - 1] if spare else [],
        "members": members,
    }


def _rows(fields: Iterable[Field]) -> list[Row]:
    """Fields as rows of a table in the docs."""
    return [
        {
            "name": field.name,
            "bits": field.bits if field.count is None else f"{field.count} x {field.bits}",
            "at": field.at,
            "range": _range(field),
            "meaning": field.meaning,
        }
        for field in fields
    ]


def _range(field: Field) -> str:
    if issubclass(field.kind, Code | isa.Unit | bool):
        return {isa.Unit: "set of units", bool: "flag"}.get(field.kind, "code")
    stored = "" if field.stored == "value" else f", stored as {field.stored}"
    return f"{field.low} to {field.high}{stored}"


def _code_rows(codes: type[Code]) -> list[Row]:
    rows: list[Row] = []
    for code in codes:
        row: Row = {"name": code.name, "value": code.value, "meaning": code.meaning}
        if isinstance(code, isa.Opcode):
            row["unit"] = (code.unit.name or "").lower()
        rows.append(row)
    return rows
