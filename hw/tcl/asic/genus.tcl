# SPDX-License-Identifier: Apache-2.0
#
# Genus: the engine as cells of technology.tcl.
#
#   genus -batch -files tcl/genus.tcl
#
# Writes genus/: engine.v and engine.sdc for innovus.tcl, area.rpt by module, timing.rpt, power.rpt.

source [file join [file dirname [file normalize [info script]]] common.tcl]

step genus {
    need_files liberty lef sram sram_liberty sram_lef
    file mkdir genus

    set_db library [concat $technology(liberty) $technology(sram_liberty)]
    set_db lef_library [concat $technology(lef) $technology(sram_lef)]
    set_db init_hdl_search_path src
    set_db hdl_error_on_latch true
    set_db hdl_error_on_blackbox true
    set_db hdl_parameter_naming_style ""
    set_db auto_ungroup none
    foreach pattern [optional dont_use] {
        set_db [get_db lib_cells */$pattern] .dont_use true
    }

    read_hdl -language sv -define SYNTHESIS [sources]
    elaborate -parameters [list [list AddressBits $config(address_bits)] \
        [list WordBytes $config(word_bytes)]] $config(top)
    check_design -unresolved
    write_constraints constraints.sdc
    read_sdc constraints.sdc
    check_timing_intent

    say "synthesis"
    syn_generic
    syn_map
    syn_opt

    report_area > genus/area.rpt
    report_timing > genus/timing.rpt
    report_power > genus/power.rpt
    write_hdl > genus/engine.v
    write_sdc > genus/engine.sdc
}
