# SPDX-License-Identifier: Apache-2.0
#
# What the scripts must know of a technology; copy it to technology.tcl and fill it in. Names of
# files are relative to the folder the scripts start in, or absolute. Values are of no real process.

array set technology {
    liberty        { pdk/cells_slow.lib }
    liberty_fast   { pdk/cells_fast.lib }
    lef            { pdk/technology.lef pdk/cells.lef }
    gds            { pdk/cells.gds }
    captable_slow  pdk/slow.captable
    captable_fast  pdk/fast.captable
    gds_map        pdk/streamout.map

    sram           { pdk/sram.sv }
    sram_liberty   { pdk/sram_2048x64.lib }
    sram_lef       { pdk/sram_2048x64.lef }
    sram_power     { met4 met5 }

    units_per_ns   1.0
    clock_mhz      200
    dont_use       { *_0 *clk* }
    tie_high       { TIEHI Y }
    tie_low        { TIELO Y }
    clock_buffer   CLKBUF4
    fillers        { FILL1 FILL2 FILL4 }
    tap            { TAP 20 }

    power          VDD
    ground         VSS
    rail           { met1 0.48 }
    straps         { { met4 1.6 27 } { met5 1.6 27 } }

    site           core
    utilization    45
    core_space     10
    density        0.55
    wires          { met1 met5 }
    wire_rc        met3
    pins           { met3 met2 }
    macro_halo     { 20 20 }
}

# liberty, sram_liberty  setup is met with these; liberty_fast is for hold, Innovus alone
# lef           the technology first; captables, gds, gds_map: Innovus alone
# sram          module sram of macros, with the ports of src/sram.sv, in SystemVerilog; without it
#               memories are black boxes, and nothing can be placed
# sram_power    the layer of a macro's power pins, the one of straps above it
# units_per_ns  time units of liberty files in a nanosecond; 1000 where they are in ps
# clock_mhz     instead of the board's
# tie_high      cell, pin
# tap           cell, distance
# rail, straps  layer, width; layer, width, pitch; from below upwards, um
# site          of rows; core_space: from core to the edge, um
# utilization   per cent of the core that cells and macros take; density: of cells, globally placed
# wires         lowest, highest layer of signals; wire_rc: the one whose R and C are estimated with
# pins          layers of pins: horizontal, vertical
# macro_halo    width, height, um
