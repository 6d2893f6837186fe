# SPDX-License-Identifier: Apache-2.0
#
# OpenROAD: netlist.v, which yosys.tcl wrote, placed and routed.
#
#   openroad -exit tcl/openroad.tcl
#
# Writes openroad/: engine.def, engine.odb, engine.v, route_drc.rpt, and figures.txt, `key value`.
# Fails where a path is too slow or a rule of the router is violated.

source [file join [file dirname [file normalize [info script]]] common.tcl]

# Rails along the rows, straps across, each connected to the one below.
proc power_grid {} {
    global technology
    foreach {net kind} [list $technology(power) -power $technology(ground) -ground] {
        add_global_connection -net $net -inst_pattern .* -pin_pattern ^${net}$ $kind
    }
    global_connect
    set_voltage_domain -name CORE -power $technology(power) -ground $technology(ground)
    define_pdn_grid -name grid -voltage_domains CORE
    lassign $technology(rail) below width
    add_pdn_stripe -grid grid -layer $below -width $width -followpins
    foreach strap $technology(straps) {
        lassign $strap layer width pitch
        add_pdn_stripe -grid grid -layer $layer -width $width -pitch $pitch \
            -offset [expr {$pitch / 2.0}]
        add_pdn_connect -grid grid -layers [list $below $layer]
        set below $layer
    }
    define_pdn_grid -name macros -voltage_domains CORE -macro -default -grid_over_pg_pins
    add_pdn_connect -grid macros -layers $technology(sram_power)
    pdngen
}

# Setup and hold as they are with wires estimated so.
proc repair {stage} {
    estimate_parasitics -placement
    if {$stage eq "placed"} {
        repair_design
    } else {
        repair_timing -setup
        repair_timing -hold
    }
    detailed_placement
}

proc write_figures {file} {
    set slack [sta::worst_slack -max]
    set hold [sta::worst_slack -min]
    set violations [detailed_route_num_drvs]
    set out [open $file w]
    puts $out "setup_slack $slack"
    puts $out "hold_slack $hold"
    puts $out "area [rsz::design_area]"
    puts $out "route_violations $violations"
    close $out
    if {$slack < 0 || $hold < 0 || $violations > 0} {
        error "setup slack $slack, hold slack $hold, $violations violations of the router's rules"
    }
}

step openroad {
    need tie_high tie_low clock_buffer fillers tap power ground rail straps site utilization \
        core_space density wires wire_rc pins macro_halo sram_power
    need_files liberty lef sram sram_liberty sram_lef
    file mkdir openroad

    foreach file [concat $technology(lef) $technology(sram_lef)] {
        read_lef $file
    }
    foreach file [concat $technology(liberty) $technology(sram_liberty)] {
        read_liberty $file
    }
    read_verilog netlist.v
    link_design $config(top)
    write_constraints constraints.sdc
    read_sdc constraints.sdc
    set_dont_use [optional dont_use]

    say "floorplan"
    initialize_floorplan -site $technology(site) -utilization $technology(utilization) \
        -aspect_ratio 1 -core_space $technology(core_space)
    make_tracks
    lassign $technology(macro_halo) width height
    rtl_macro_placer -halo_width $width -halo_height $height
    lassign $technology(tap) cell distance
    tapcell -tapcell_master $cell -distance $distance
    power_grid

    say "placement"
    lassign $technology(wires) lowest highest
    set_routing_layers -signal $lowest-$highest -clock $lowest-$highest
    lassign $technology(pins) horizontal vertical
    place_pins -hor_layers $horizontal -ver_layers $vertical
    global_placement -routability_driven -density $technology(density)
    set_wire_rc -signal -layer $technology(wire_rc)
    set_wire_rc -clock -layer $technology(wire_rc)
    repair_tie_fanout [join $technology(tie_high) /]
    repair_tie_fanout [join $technology(tie_low) /]
    repair placed

    say "clock tree"
    clock_tree_synthesis -root_buf $technology(clock_buffer) -buf_list $technology(clock_buffer) \
        -sink_clustering_enable
    set_propagated_clock [all_clocks]
    repair_clock_nets
    detailed_placement
    repair clocked

    say "routing"
    pin_access -bottom_routing_layer $lowest -top_routing_layer $highest
    global_route -congestion_iterations 100
    repair_antennas
    filler_placement $technology(fillers)
    check_placement -verbose
    detailed_route -output_drc openroad/route_drc.rpt -bottom_routing_layer $lowest \
        -top_routing_layer $highest

    estimate_parasitics -global_routing
    report_checks -path_delay min_max -format full_clock_expanded
    report_design_area
    report_power
    write_db openroad/engine.odb
    write_def openroad/engine.def
    write_verilog openroad/engine.v
    write_figures openroad/figures.txt
}
