# SPDX-License-Identifier: Apache-2.0
#
# Step package: the sources in ./src as an IP in ./ip, cnnaccel:user:cnnaccel_engine:1.0, with its
# registers, so that they are in the .hwh.

source [file join [file dirname [file normalize [info script]]] common.tcl]

# Name and place of the registers, in an address block of their own.
proc add_registers {core} {
    global config
    ipx::remove_all_memory_map $core
    set map [ipx::add_memory_map s_axi_ctl $core]
    set control [one "interface s_axi_ctl" [ipx::get_bus_interfaces s_axi_ctl -of_objects $core]]
    set_property slave_memory_map_ref s_axi_ctl $control
    set block [ipx::add_address_block Reg $map]
    set_property range $config(region_bytes) $block
    set_property width 32 $block
    set_property usage register $block
    set_property access read-write $block
    foreach register $config(registers) {
        lassign $register name offset access meaning flags
        set word [ipx::add_register $name $block]
        set_property address_offset $offset $word
        set_property size 32 $word
        set_property access $access $word
        set_property description [string trim $meaning] $word
        foreach flag $flags {
            lassign $flag name bit meaning
            set field [ipx::add_field $name $word]
            set_property bit_offset $bit $field
            set_property bit_width 1 $field
            set_property access $access $field
            set_property description [string trim $meaning] $field
        }
    }
}

# What its bursts are. Of a master that does not say it, a SmartConnect has two under way at a time.
proc describe_bursts {core} {
    global config
    set memory [one "interface m_axi_mem" [ipx::get_bus_interfaces m_axi_mem -of_objects $core]]
    foreach {name value} [list \
        MAX_BURST_LENGTH $config(burst_beats) \
        NUM_READ_OUTSTANDING $config(bursts) \
        NUM_WRITE_OUTSTANDING $config(bursts) \
        SUPPORTS_NARROW_BURST 0] {
        set parameter [ipx::add_bus_parameter -quiet $name $memory]
        set_property value $value $parameter
        confirm $parameter [list VALUE $value]
    }
}

# That the package has what the engine needs: Vivado leaves out in silence what it does not
# recognize, and a design would fail only in synthesis, or on the board.
proc check_package {core} {
    check_files $core
    foreach {bus name wanted} {
        clk ASSOCIATED_BUSIF {m_axi_mem s_axi_ctl} resetn POLARITY ACTIVE_LOW
        irq SENSITIVITY LEVEL_HIGH
    } {
        set object [one "interface $bus" [ipx::get_bus_interfaces -quiet $bus -of_objects $core]]
        set parameter [one "parameter $name of interface $bus" \
            [ipx::get_bus_parameters -quiet $name -of_objects $object]]
        set found [lsort [split [get_property VALUE $parameter] :]]
        if {$found ne $wanted} {
            error "interface $bus: $name is '[join $found :]', wanted '[join $wanted :]'"
        }
    }
    set memory [one "interface m_axi_mem" [ipx::get_bus_interfaces m_axi_mem -of_objects $core]]
    set space [get_property MASTER_ADDRESS_SPACE_REF $memory]
    one "address space '$space' of m_axi_mem" \
        [expr {$space eq "" ? "" : [ipx::get_address_spaces -quiet $space -of_objects $core]}]
    foreach name {AddressBits WordBytes} {
        one "parameter $name" [ipx::get_user_parameters -quiet $name -of_objects $core]
    }
}

# Every source is in the files for synthesis, and those that are included say so.
proc check_files {core} {
    global config
    set groups {}
    foreach group [ipx::get_file_groups * -of_objects $core] {
        if {[string match *synthesis [get_property NAME $group]]} {
            lappend groups $group
        }
    }
    set group [one "group of files for synthesis" $groups]
    array set found {}
    foreach file [ipx::get_files -of_objects $group] {
        set found([file tail [get_property NAME $file]]) $file
    }
    foreach name $config(sources) {
        if {![info exists found($name)]} {
            error "$name is not in the package, whose files are [lsort [array names found]]"
        }
        if {[file extension $name] eq ".svh"} {
            confirm $found($name) {IS_INCLUDE 1}
        }
    }
}

perform package {
    if {[llength [get_parts -quiet $config(part)]] == 0} {
        error "this Vivado has no device $config(part); its installer adds devices"
    }
    check_board
    say "reading [llength $config(sources)] sources"
    file delete -force ip package
    create_project -part $config(part) package ./package
    foreach name $config(sources) {
        add_files -norecurse ./src/$name
    }
    set_property file_type {Verilog Header} [one "file params.svh" [get_files -quiet params.svh]]
    set_property top $config(top) [current_fileset]
    update_compile_order -fileset sources_1

    say "packaging $config(top)"
    ipx::package_project -root_dir ./ip -vendor cnnaccel -library user -taxonomy /UserIP \
        -import_files
    set core [ipx::current_core]
    set_property name $config(top) $core
    set_property version 1.0 $core
    set_property display_name "cnnaccel engine" $core
    set_property description "CNN accelerator, digest $config(digest)" $core
    set_property supported_families {zynq Production zynquplus Production} $core
    foreach name {clk resetn irq s_axi_ctl m_axi_mem} {
        one "interface $name" [ipx::get_bus_interfaces -quiet $name -of_objects $core]
    }
    check_package $core
    describe_bursts $core
    add_registers $core
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::check_integrity $core
    ipx::save_core $core
    close_project
}
