# SPDX-License-Identifier: Apache-2.0
#
# The IP packager: ports, parameters and interfaces as the Verilog top has them.

mock::define ipx::package_project {
    -root_dir value -vendor value -library value -taxonomy value -import_files flag
} {} {
    need_project
    foreach option {-root_dir -vendor -library} {
        if {$opt($option) eq ""} {
            refuse "IP_Flow 19-1" "ipx::package_project: $option is wanted."
        }
    }
    if {!$opt(-import_files)} {
        refuse "IP_Flow 19-1" "ipx::package_project: without -import_files the files stay outside."
    }
    set top $s(value,sources_1,TOP)
    set file [objects file [list $top.v]]
    if {$top eq "" || [llength $file] != 1} {
        refuse "IP_Flow 19-259" "ipx::package_project: the top '$top' is in no Verilog file."
    }
    check_sources
    set s(core) [read_top [read_text $file]]
    set s(core_folder) $opt(-root_dir)
    create core core [list NAME $top VENDOR $opt(-vendor) LIBRARY $opt(-library) VERSION 1.0]
    create_interfaces
    create_file_groups
    foreach {name entry} [dict get $s(core) parameters] {
        if {![left_out $name]} {
            create user_parameter parameter:$name [list NAME $name VALUE [lindex $entry 1]]
        }
    }
    create map map:s_axi_ctl {NAME s_axi_ctl}
    create block block:s_axi_ctl/reg0 {NAME reg0 RANGE 256}
    return core
}

# Whether a test wants the packager to leave something out.
proc mock::left_out {name} {
    expr {$name in [setting LEFT_OUT ""]}
}

# Interfaces with the parameters that the attributes give them; masters with an address space.
proc mock::create_interfaces {} {
    variable s
    dict for {bus entry} [dict get $s(core) interfaces] {
        set space ""
        if {[string match m_axi* $bus] && ![left_out space:$bus]} {
            set space [string range [create address_space space:$bus [list NAME $bus]] 6 end]
        }
        create core_bus core_bus:$bus [list NAME $bus MASTER_ADDRESS_SPACE_REF $space]
        if {![dict exists $entry parameters]} {
            continue
        }
        dict for {name value} [dict get $entry parameters] {
            if {![left_out $bus:$name]} {
                create bus_parameter bus_parameter:core_bus:$bus:$name \
                    [list NAME $name VALUE $value]
            }
        }
    }
}

# Files for synthesis and for simulation, as -import_files copies them.
proc mock::create_file_groups {} {
    foreach use {synthesis behavioralsimulation} {
        set group [create file_group group:xilinx_anylanguage$use \
            [list NAME xilinx_anylanguage$use]]
        foreach file [objects file] {
            set name [file tail $file]
            set header [expr {[file extension $name] eq ".svh" && ![left_out include:$name]}]
            if {![left_out $name]} {
                create group_file $group/src/$name [list NAME src/$name IS_INCLUDE $header]
            }
        }
    }
}

mock::define ipx::get_file_groups {-of_objects value} {pattern} {
    need "ipx::get_file_groups -of_objects" $opt(-of_objects) core
    return [objects file_group [list group:$pattern]]
}

mock::define ipx::get_files {-of_objects value} {} {
    need "ipx::get_files -of_objects" $opt(-of_objects) file_group
    return [objects group_file [list $opt(-of_objects)/*]]
}

mock::define ipx::get_user_parameters {-quiet flag -of_objects value} {name} {
    need "ipx::get_user_parameters -of_objects" $opt(-of_objects) core
    return [answer $opt(-quiet) "parameter" $name [objects user_parameter [list parameter:$name]]]
}

mock::define ipx::get_address_spaces {-quiet flag -of_objects value} {name} {
    need "ipx::get_address_spaces -of_objects" $opt(-of_objects) core
    return [answer $opt(-quiet) "address space" $name [objects address_space [list space:$name]]]
}

mock::define ipx::get_bus_parameters {-quiet flag -of_objects value} {name} {
    need "ipx::get_bus_parameters -of_objects" $opt(-of_objects) core_bus
    set found [objects bus_parameter [list bus_parameter:$opt(-of_objects):$name]]
    return [answer $opt(-quiet) "bus parameter" $name $found]
}

# Every file that is included, and the module of every file, has to be among the sources.
proc mock::check_sources {} {
    set names {}
    foreach file [objects file] {
        lappend names [file tail $file]
    }
    foreach file [objects file] {
        foreach {all name} [regexp -all -inline -line {^\s*`include "([^"]+)"} [read_text $file]] {
            if {$name ni $names} {
                refuse "IP_Flow 19-1" "[file tail $file] includes $name, which is no source."
            }
        }
        if {[file extension $file] eq ".svh"} {
            variable s
            if {![info exists s(value,$file,FILE_TYPE)]} {
                refuse "IP_Flow 19-1" "[file tail $file] is no Verilog Header."
            }
        }
    }
}

mock::define ipx::current_core {} {} {
    need ipx::current_core core core
    return core
}

mock::define ipx::get_bus_interfaces {-quiet flag -of_objects value} {name} {
    need "ipx::get_bus_interfaces -of_objects" $opt(-of_objects) core
    return [answer $opt(-quiet) "bus interface" $name [objects core_bus [list core_bus:$name]]]
}

mock::define ipx::add_bus_parameter {-quiet flag} {name bus} {
    need ipx::add_bus_parameter $bus core_bus
    set known {MAX_BURST_LENGTH NUM_READ_OUTSTANDING NUM_WRITE_OUTSTANDING SUPPORTS_NARROW_BURST}
    if {$name ni $known} {
        refuse "IP_Flow 19-1" "ipx::add_bus_parameter: $bus has no parameter '$name'."
    }
    return [create bus_parameter bus_parameter:$bus:$name [list NAME $name]]
}

mock::define ipx::remove_all_memory_map {} {core} {
    need ipx::remove_all_memory_map $core core
    array unset s kind,map:*
    array unset s kind,block:*
    return
}

mock::define ipx::add_memory_map {} {name core} {
    need ipx::add_memory_map $core core
    if {[info exists s(kind,map:$name)]} {
        refuse "IP_Flow 19-1" "ipx::add_memory_map: there is a memory map '$name'."
    }
    return [create map map:$name [list NAME $name]]
}

mock::define ipx::add_address_block {} {name map} {
    need ipx::add_address_block $map map
    return [create block block:[string range $map 4 end]/$name [list NAME $name]]
}

mock::define ipx::add_register {} {name block} {
    need ipx::add_register $block block
    if {[info exists s(kind,register:$name)]} {
        refuse "IP_Flow 19-1" "ipx::add_register: there is a register '$name'."
    }
    return [create register register:$name [list NAME $name]]
}

mock::define ipx::add_field {} {name register} {
    need ipx::add_field $register register
    set field field:[string range $register 9 end]:$name
    if {[info exists s(kind,$field)]} {
        refuse "IP_Flow 19-1" "ipx::add_field: $register has a field '$name'."
    }
    return [create field $field [list NAME $name]]
}

mock::define ipx::create_xgui_files {} {core} {
    need ipx::create_xgui_files $core core
    return
}

mock::define ipx::update_checksums {} {core} {
    need ipx::update_checksums $core core
    return
}

mock::define ipx::check_integrity {} {core} {
    need ipx::check_integrity $core core
    foreach name [dict keys [dict get $s(core) interfaces] s_axi*] {
        set map [do_get_property {} SLAVE_MEMORY_MAP_REF core_bus:$name]
        set blocks [objects block [list block:$map/*]]
        if {$map eq "" || [llength $blocks] != 1} {
            refuse "IP_Flow 19-1" "the slave interface $name has no memory map with a block."
        }
        foreach property {RANGE WIDTH USAGE} {
            if {[do_get_property {} $property [lindex $blocks 0]] eq ""} {
                refuse "IP_Flow 19-1" "[lindex $blocks 0] has no $property."
            }
        }
    }
    foreach register [objects register] {
        check_register $register
    }
    return
}

# A register lies in its block, beside the others, and its fields in it.
proc mock::check_register {register} {
    variable s
    set at [do_get_property {} ADDRESS_OFFSET $register]
    if {$at eq "" || $at % 4} {
        refuse "IP_Flow 19-1" "$register has the offset '$at'."
    }
    foreach other [objects register] {
        if {$other ne $register && [do_get_property {} ADDRESS_OFFSET $other] == $at} {
            refuse "IP_Flow 19-1" "$register and $other have the same offset, $at."
        }
    }
    foreach field [objects field [list field:[string range $register 9 end]:*]] {
        set bit [do_get_property {} BIT_OFFSET $field]
        if {$bit eq "" || $bit >= [do_get_property {} SIZE $register]} {
            refuse "IP_Flow 19-1" "$field has the bit '$bit'."
        }
    }
}

mock::define ipx::save_core {} {core} {
    need ipx::save_core $core core
    set package $s(core)
    foreach property {VENDOR LIBRARY NAME VERSION DESCRIPTION} {
        lappend parts [do_get_property {} $property core]
    }
    dict set package vlnv [join [lrange $parts 0 3] :]
    set header [read_text [one_file params.svh]]
    foreach {all name value} [regexp -all -inline {(\w+) = (\d+);} $header] {
        dict set package constants $name $value
    }
    set block [lindex [objects block] 0]
    dict set package segment [list [lindex [split [string range $block 6 end] /] 0] \
        [do_get_property {} NAME $block] [do_get_property {} RANGE $block]]
    dict set package registers [packed_registers]
    write_text [file join $s(core_folder) mock.ip] $package
    write_text [file join $s(core_folder) component.xml] [component $parts]
    foreach file [objects file] {
        if {![left_out [file tail $file]]} {
            file mkdir [file join $s(core_folder) src]
            file copy -force $file [file join $s(core_folder) src]
        }
    }
    return
}

proc mock::one_file {name} {
    return [lindex [objects file [list $name]] 0]
}

# Every register as a dict of its properties and fields.
proc mock::packed_registers {} {
    set registers {}
    foreach register [objects register] {
        set entry [properties_of $register {NAME ADDRESS_OFFSET SIZE ACCESS DESCRIPTION}]
        set fields {}
        foreach field [objects field [list field:[dict get $entry NAME]:*]] {
            lappend fields [properties_of $field {NAME BIT_OFFSET BIT_WIDTH ACCESS DESCRIPTION}]
        }
        lappend registers [dict replace $entry fields $fields]
    }
    return $registers
}

proc mock::properties_of {object names} {
    set entry {}
    foreach name $names {
        dict set entry $name [do_get_property {} $name $object]
    }
    return $entry
}

proc mock::component {parts} {
    lassign $parts vendor library name version description
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!-- Made by cnnaccel's mock of Vivado: no IP. -->
<spirit:component xmlns:spirit=\"http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009\">
  <spirit:vendor>$vendor</spirit:vendor>
  <spirit:library>$library</spirit:library>
  <spirit:name>$name</spirit:name>
  <spirit:version>$version</spirit:version>
  <spirit:description>[escaped $description]</spirit:description>
</spirit:component>
"
}
