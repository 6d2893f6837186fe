# SPDX-License-Identifier: Apache-2.0
#
# Innovus, by its older commands: what genus.tcl wrote, placed and routed.
#
#   innovus -no_gui -files tcl/innovus.tcl
#
# Writes innovus/: engine.def, engine.v, engine.gds, reports of timing, rules and connectivity.

source [file join [file dirname [file normalize [info script]]] common.tcl]

# A ring around the core, straps across it, rails along the rows.
proc power_grid {} {
    global technology
    set nets [list $technology(power) $technology(ground)]
    foreach net $nets kind {tiehi tielo} {
        globalNetConnect $net -type pgpin -pin $net -inst * -module {}
        globalNetConnect $net -type $kind -inst * -module {}
    }
    lassign [lindex $technology(straps) end-1] vertical width
    lassign [lindex $technology(straps) end] horizontal
    set layers [list top $horizontal bottom $horizontal left $vertical right $vertical]
    addRing -nets $nets -type core_rings -follow core -layer $layers -width $width \
        -spacing $width -offset $width
    set direction vertical
    foreach strap [lrange $technology(straps) end-1 end] {
        lassign $strap layer width pitch
        addStripe -nets $nets -layer $layer -direction $direction -width $width \
            -spacing [expr {$pitch / 2.0 - $width}] -set_to_set_distance $pitch
        set direction horizontal
    }
    sroute -nets $nets -connect {corePin blockPin}
}

step innovus {
    need power ground straps site utilization core_space fillers tap tie_high tie_low \
        clock_buffer macro_halo
    need_files liberty liberty_fast lef captable_slow captable_fast gds gds_map \
        sram sram_liberty sram_lef
    foreach file {genus/engine.v genus/engine.sdc} {
        if {![file isfile $file]} {
            error "$file is not there; run genus.tcl first"
        }
    }
    file mkdir innovus

    set init_verilog genus/engine.v
    set init_top_cell $config(top)
    set init_lef_file [concat $technology(lef) $technology(sram_lef)]
    set init_mmmc_file [file join $scripts views.tcl]
    set init_pwr_net $technology(power)
    set init_gnd_net $technology(ground)
    init_design

    say "floorplan"
    set space $technology(core_space)
    floorPlan -site $technology(site) -r 1.0 [expr {$technology(utilization) / 100.0}] \
        $space $space $space $space
    lassign $technology(macro_halo) width height
    addHaloToBlock $width $height $width $height -allBlock
    planDesign
    lassign $technology(tap) cell distance
    addWellTap -cell $cell -cellInterval $distance
    power_grid

    say "placement"
    place_opt_design
    setTieHiLoMode -cell [list [lindex $technology(tie_high) 0] [lindex $technology(tie_low) 0]]
    addTieHiLo

    say "clock tree"
    set_ccopt_property buffer_cells $technology(clock_buffer)
    create_ccopt_clock_tree_spec
    ccopt_design
    optDesign -postCTS -hold

    say "routing"
    routeDesign
    setAnalysisMode -analysisType onChipVariation -cppr both
    optDesign -postRoute -setup -hold
    addFiller -cell $technology(fillers)
    timeDesign -postRoute -outDir innovus
    timeDesign -postRoute -hold -outDir innovus
    verify_drc -report innovus/drc.rpt
    verifyConnectivity -report innovus/connectivity.rpt
    defOut -netlist -routing innovus/engine.def
    saveNetlist innovus/engine.v
    streamOut innovus/engine.gds -mapFile $technology(gds_map) -merge $technology(gds)
    report_power -outfile innovus/power.rpt
}
