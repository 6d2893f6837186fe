# SPDX-License-Identifier: Apache-2.0
#
# A tool of hw/tcl/asic that is not here, as far as its command line goes: runs a script in tclsh
# with the commands the tool has, among those that the scripts use, and with their options.
#
#   tclsh asic_mock.tcl <tool> <script>
#
# Which commands and options there are is taken from public documentation: OpenROAD's README files
# and its test/flow.tcl; for Genus and Innovus what published flows of universities use. An option
# that is not listed, a file to be read that is not there, or too few or many words are errors.
#
# command {options with a value} {options without} least most
#
# An option with a value that begins with `<` names files that must be there.

array set commands_of {
    openroad {
        read_lef {} {} 1 1
        read_liberty {} {} 1 1
        read_verilog {} {} 1 1
        link_design {} {} 1 1
        read_sdc {} {} 1 1
        set_dont_use {} {} 1 1
        initialize_floorplan {-site -utilization -aspect_ratio -core_space} {} 0 0
        make_tracks {} {} 0 0
        rtl_macro_placer {-halo_width -halo_height} {} 0 0
        tapcell {-tapcell_master -distance} {} 0 0
        add_global_connection {-net -inst_pattern -pin_pattern} {-power -ground} 0 0
        global_connect {} {} 0 0
        set_voltage_domain {-name -power -ground} {} 0 0
        define_pdn_grid {-name -voltage_domains} {-macro -default -grid_over_pg_pins} 0 0
        add_pdn_stripe {-grid -layer -width -pitch -offset} {-followpins} 0 0
        add_pdn_connect {-grid -layers} {} 0 0
        pdngen {} {} 0 0
        set_routing_layers {-signal -clock} {} 0 0
        place_pins {-hor_layers -ver_layers} {} 0 0
        global_placement {-density} {-routability_driven} 0 0
        set_wire_rc {-layer} {-signal -clock} 0 0
        estimate_parasitics {} {-placement -global_routing} 0 0
        repair_design {} {} 0 0
        repair_timing {} {-setup -hold} 0 0
        repair_tie_fanout {} {} 1 1
        detailed_placement {} {} 0 0
        clock_tree_synthesis {-root_buf -buf_list} {-sink_clustering_enable} 0 0
        all_clocks {} {} 0 0
        set_propagated_clock {} {} 1 1
        repair_clock_nets {} {} 0 0
        pin_access {-bottom_routing_layer -top_routing_layer} {} 0 0
        global_route {-congestion_iterations} {} 0 0
        repair_antennas {} {} 0 0
        filler_placement {} {} 1 1
        check_placement {} {-verbose} 0 0
        detailed_route {-output_drc -bottom_routing_layer -top_routing_layer} {} 0 0
        detailed_route_num_drvs {} {} 0 0
        report_checks {-path_delay -format} {} 0 0
        report_design_area {} {} 0 0
        report_power {} {} 0 0
        write_db {} {} 1 1
        write_def {} {} 1 1
        write_verilog {} {} 1 1
        sta::worst_slack {} {-max -min} 0 0
        rsz::design_area {} {} 0 0
    }
    genus {
        set_db {} {} 2 3
        get_db {} {} 2 2
        read_hdl {-language -define} {} 1 1
        elaborate {-parameters} {} 1 1
        check_design {} {-unresolved} 0 0
        read_sdc {} {} 1 1
        check_timing_intent {} {} 0 0
        syn_generic {} {} 0 0
        syn_map {} {} 0 0
        syn_opt {} {} 0 0
        report_area {} {} 2 2
        report_timing {} {} 2 2
        report_power {} {} 2 2
        write_hdl {} {} 2 2
        write_sdc {} {} 2 2
    }
    innovus {
        create_library_set {-name <-timing} {} 0 0
        create_rc_corner {-name <-cap_table} {} 0 0
        create_delay_corner {-name -library_set -rc_corner} {} 0 0
        create_constraint_mode {-name <-sdc_files} {} 0 0
        create_analysis_view {-name -constraint_mode -delay_corner} {} 0 0
        set_analysis_view {-setup -hold} {} 0 0
        init_design {} {} 0 0
        globalNetConnect {-type -pin -inst -module} {} 1 1
        floorPlan {-site -r} {} 5 5
        addHaloToBlock {} {-allBlock} 4 4
        planDesign {} {} 0 0
        addWellTap {-cell -cellInterval} {} 0 0
        addRing {-nets -type -follow -layer -width -spacing -offset} {} 0 0
        addStripe {-nets -layer -direction -width -spacing -set_to_set_distance} {} 0 0
        sroute {-nets -connect} {} 0 0
        place_opt_design {} {} 0 0
        setTieHiLoMode {-cell} {} 0 0
        addTieHiLo {} {} 0 0
        set_ccopt_property {} {} 2 2
        create_ccopt_clock_tree_spec {} {} 0 0
        ccopt_design {} {} 0 0
        optDesign {} {-postCTS -postRoute -setup -hold} 0 0
        routeDesign {} {} 0 0
        setAnalysisMode {-analysisType -cppr} {} 0 0
        addFiller {-cell} {} 0 0
        timeDesign {-outDir} {-postRoute -hold} 0 0
        verify_drc {-report} {} 0 0
        verifyConnectivity {-report} {} 0 0
        defOut {} {-netlist -routing} 1 1
        saveNetlist {} {} 1 1
        streamOut {<-mapFile <-merge} {} 1 1
        report_power {-outfile} {} 0 0
    }
}
set attributes {
    library lef_library init_hdl_search_path hdl_error_on_latch hdl_error_on_blackbox
    hdl_parameter_naming_style auto_ungroup .dont_use
}
set readers {read_lef read_liberty read_verilog read_sdc read_hdl}

proc present {files} {
    foreach file $files {
        if {![file isfile $file]} {
            error "$file is read and is not there"
        }
    }
}

# The words that belong to no option, all options being known.
proc positional {name valued plain words} {
    set rest {}
    for {set i 0} {$i < [llength $words]} {incr i} {
        set word [lindex $words $i]
        if {$word in $valued || "<$word" in $valued} {
            set value [lindex $words [incr i]]
            if {$i == [llength $words]} {
                error "$name $word has no value"
            }
            if {"<$word" in $valued} {
                present $value
            }
        } elseif {[string match {-[a-z]*} $word]} {
            if {$word ni $plain} {
                error "$name has no option $word"
            }
        } else {
            lappend rest $word
        }
    }
    return $rest
}

# What the rest of a script goes on with.
proc effect {name words} {
    global attributes readers
    switch -- $name {
        set_db {
            if {[lindex $words end-1] ni $attributes} {
                error "no attribute [lindex $words end-1]"
            }
            if {[lindex $words 0] in {library lef_library}} {
                present [lindex $words 1]
            }
        }
        init_design {
            global init_verilog init_lef_file init_mmmc_file init_top_cell init_pwr_net init_gnd_net
            present [concat $init_verilog $init_lef_file]
            uplevel #0 [list source $init_mmmc_file]
        }
        sta::worst_slack - rsz::design_area {
            return $::env(MOCK_FIGURE)
        }
        detailed_route_num_drvs {
            return 0
        }
        write_hdl - write_sdc - report_area - report_timing - report_power {
            if {[lindex $words 0] eq ">"} {
                close [open [lindex $words 1] w]
            }
        }
    }
    if {$name in $readers} {
        present [lindex $words 0]
    }
    return {}
}

# One command as the script gives it; the words are shown.
proc called {name valued plain least most args} {
    puts "$name $args"
    set words [positional $name $valued $plain $args]
    if {[llength $words] < $least || [llength $words] > $most} {
        error "$name takes $least to $most words, got '$words'"
    }
    return [effect $name $words]
}

lassign $argv tool script
namespace eval sta {}
namespace eval rsz {}
foreach {name valued plain least most} $commands_of($tool) {
    interp alias {} ::$name {} called $name $valued $plain $least $most
}
source $script
