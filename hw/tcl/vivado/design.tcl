# SPDX-License-Identifier: Apache-2.0
#
# Step design: the project ./project/cnnaccel.xpr with the block design cnnaccel.
#
#   ps control -> smartconnect_control -> engine s_axi_ctl, axi_intc s_axi
#   engine m_axi_mem -> smartconnect_memory -> ps memory     (width and protocol as they come)
#   engine irq -> axi_intc -> ps interrupt                   (pynq finds no other way)
#   ps clock -> all; ps reset -> proc_sys_reset -> all

source [file join [file dirname [file normalize [info script]]] common.tcl]

proc pin {path} {
    one "pin $path" [get_bd_pins -quiet $path]
}

proc bus {path} {
    one "interface $path" [get_bd_intf_pins -quiet $path]
}

# A net over some pins.
proc wire {args} {
    set pins {}
    foreach path $args {
        lappend pins [pin $path]
    }
    connect_bd_net {*}$pins
}

proc join_buses {master slave} {
    connect_bd_intf_net [bus $master] [bus $slave]
}

# A cell of the newest version of an IP that this Vivado has, with parameters, which are read back.
proc add_cell {name vlnv {parameters {}}} {
    set known [lsort -dictionary [get_ipdefs -all $vlnv:*]]
    if {[llength $known] == 0} {
        error "cell $name: there is no IP $vlnv"
    }
    set cell [create_bd_cell -type ip -vlnv [lindex $known end] $name]
    configure $cell $parameters
    return $cell
}

proc configure {cell parameters} {
    apply_preset $cell $parameters
    confirm_cell $cell $parameters
}

# Parameters that are not read back: a board's file sets some that others disable, and what of it
# is DRAM and pins concerns no design of ours.
proc apply_preset {cell parameters} {
    set settings [settings_of $parameters]
    if {[llength $settings] > 0} {
        set_property -dict $settings $cell
    }
}

proc settings_of {parameters} {
    set settings {}
    foreach {key value} $parameters {
        lappend settings CONFIG.$key $value
    }
    return $settings
}

# Now, and again by `confirm_cells`.
proc confirm_cell {cell parameters} {
    global wanted
    confirm $cell [settings_of $parameters]
    lappend wanted $cell $parameters
}

# What a cell may take over from a neighbour as well: it counts once validation is done.
proc configure_for_later {cell parameters} {
    global wanted
    apply_preset $cell $parameters
    lappend wanted $cell $parameters
}

# After validation, in which cells take over parameters from what they are connected to.
proc confirm_cells {} {
    global wanted
    foreach {cell parameters} $wanted {
        confirm $cell [settings_of $parameters]
    }
}

# The clock may be off a little, for the processing system has divisors, but no other one.
proc confirm_clock {made wanted} {
    if {![string is double -strict $made] || abs($made / $wanted - 1) > 0.1} {
        error "the clock that Vivado makes is $made MHz, $wanted were computed"
    }
}

# The engine holds its interrupt until the host clears it; a controller that looks for edges alone
# loses one that comes while it is masked. One bit for each input, 1 for edges.
proc confirm_level {cell} {
    set kind [get_property CONFIG.C_KIND_OF_INTR $cell]
    set first [expr {
        [regexp {^[01]{32}$} $kind] ? [string index $kind end] : ($kind & 1)
    }]
    if {$first != 0} {
        error "$cell takes its interrupt for edges: CONFIG.C_KIND_OF_INTR is $kind"
    }
}

# Put a segment of addresses where a master sees it.
proc place {space segment offset bytes} {
    set space [one "address space $space" [get_bd_addr_spaces -quiet $space]]
    set segment [one "address segment $segment" [get_bd_addr_segs -quiet $segment]]
    assign_bd_address -offset $offset -range [format 0x%08X $bytes] \
        -target_address_space $space $segment
}

perform design {
    set wanted {}
    source [file join $scripts ps_$config(family).tcl]
    if {$config(preset) ne ""} {
        source preset.tcl
    }
    set engine $config(engine)
    set intc $config(interrupt_controller)
    set cell $config(ps)

    say "project for $config(part)"
    file delete -force project
    create_project -part $config(part) cnnaccel ./project
    if {$config(board_part) ne ""} {
        check_board
        set_property board_part $config(board_part) [current_project]
        confirm [current_project] [list BOARD_PART $config(board_part) PART $config(part)]
    }
    set_property ip_repo_paths [file normalize ./ip] [current_project]
    update_ip_catalog
    create_bd_design cnnaccel

    set system [add_cell $cell xilinx.com:ip:$config(ps_ip)]
    if {$config(board_part) ne ""} {
        say "cells, with the preset of board $config(board_part)"
        apply_bd_automation -rule xilinx.com:bd_rule:$config(ps_ip) -config $ps(automation) $system
        configure $system $ps(config)
    } else {
        say "cells, with preset $config(preset)"
        apply_preset $system $preset(config)
        configure $system $ps(config)
        connect_ps_pins $cell
    }
    add_cell $engine cnnaccel:user:$config(top) \
        [list AddressBits $config(address_bits) WordBytes $config(word_bytes)]
    configure_for_later [add_cell proc_sys_reset_0 xilinx.com:ip:proc_sys_reset] \
        {C_EXT_RESET_HIGH 0}
    add_cell smartconnect_control xilinx.com:ip:smartconnect {NUM_SI 1 NUM_MI 2}
    add_cell smartconnect_memory xilinx.com:ip:smartconnect {NUM_SI 1 NUM_MI 1}
    set controller [add_cell $intc xilinx.com:ip:axi_intc {
        C_IRQ_CONNECTION 1 C_IRQ_IS_LEVEL 1 C_IRQ_ACTIVE 0x1 C_HAS_FAST 0
    }]
    apply_preset $controller {C_KIND_OF_INTR 0x00000000}
    set made [get_property CONFIG.$ps(made_clock) $system]
    say "clock: $config(clock_mhz) MHz wanted, $made MHz made"
    confirm_clock $made $config(made_clock_mhz)

    say "connections"
    wire $cell/$ps(clock) $cell/$ps(control_clock) $cell/$ps(memory_clock) \
        proc_sys_reset_0/slowest_sync_clk smartconnect_control/aclk smartconnect_memory/aclk \
        $engine/clk $intc/s_axi_aclk
    wire $cell/$ps(reset) proc_sys_reset_0/ext_reset_in
    wire proc_sys_reset_0/interconnect_aresetn smartconnect_control/aresetn \
        smartconnect_memory/aresetn
    wire proc_sys_reset_0/peripheral_aresetn $engine/resetn $intc/s_axi_aresetn
    join_buses $cell/$ps(control) smartconnect_control/S00_AXI
    join_buses smartconnect_control/M00_AXI $engine/s_axi_ctl
    join_buses smartconnect_control/M01_AXI $intc/s_axi
    join_buses $engine/m_axi_mem smartconnect_memory/S00_AXI
    join_buses smartconnect_memory/M00_AXI $cell/$ps(memory)
    wire $engine/irq $intc/intr
    wire $intc/irq $cell/$ps(interrupt)

    say "addresses"
    place $cell/Data $engine/s_axi_ctl/Reg $config(engine_base) $config(region_bytes)
    place $cell/Data $intc/S_AXI/Reg $config(interrupt_base) $config(region_bytes)
    place $engine/m_axi_mem $cell/$ps(dram) 0x00000000 $config(dram_bytes)
    set space [one "address space $engine/m_axi_mem" [get_bd_addr_spaces $engine/m_axi_mem]]
    foreach name $ps(other_segments) {
        foreach segment [get_bd_addr_segs -quiet $cell/$name] {
            exclude_bd_addr_seg -target_address_space $space $segment
        }
    }

    say "validating"
    validate_bd_design
    confirm_cells
    confirm_level $controller
    save_bd_design
    set design [one "file cnnaccel.bd" [get_files -quiet cnnaccel.bd]]
    add_files -norecurse [make_wrapper -files $design -top]
    set_property top cnnaccel_wrapper [current_fileset]
    update_compile_order -fileset sources_1
    generate_target all $design
    close_project
}
