# SPDX-License-Identifier: Apache-2.0
#
# The IPs that the design uses: their versions, parameters, pins, buses, addresses.
#
# A parameter is a regular expression of names and a kind of value:
#   bool | {int LOW HIGH} | {float LOW HIGH} | {one VALUE...} | {mio LAST_PIN} | computed
# A pin is {direction kind polarity wanted}: I or O; clk, rst, intr or data; low or high for a
# reset, else -; 1 if it must be connected. A bus is a dict of mode, type, protocol, width, clock; a
# space one of bus and windows. A segment is {bus base bytes}; base - if it can be placed.

namespace eval mock {
    variable ips {
        processing_system7 {5.5 5.5}
        zynq_ultra_ps_e {3.3 3.5}
        proc_sys_reset {5.0 5.0}
        smartconnect {1.0 1.0}
        axi_intc {4.1 4.1}
    }
    variable parameters
    array set parameters {
        proc_sys_reset {C_EXT_RESET_HIGH {bool 1}}
        smartconnect {
            NUM_SI {{int 1 16} 1} NUM_MI {{int 1 16} 1} NUM_CLKS {{int 1 16} 1}
            HAS_ARESETN {bool 1}
        }
        axi_intc {
            C_IRQ_CONNECTION {{one 0 1} 0} C_IRQ_IS_LEVEL {{one 0 1} 1}
            C_NUM_INTR_INPUTS {{int 1 32} 1} C_IRQ_ACTIVE {{one 0x0 0x1} 0x1} C_HAS_FAST {bool 0}
            C_KIND_OF_INTR {{int 0 4294967295} 0xFFFFFFFF}
        }
    }
}

mock::define get_ipdefs {-all flag} {pattern} {
    variable ips
    need_project
    set found {}
    foreach {name versions} $ips {
        set version [lindex $versions [since 2023.1]]
        lappend found xilinx.com:ip:$name:$version
    }
    foreach {vlnv package} $s(catalog) {
        lappend found $vlnv
    }
    return [lsearch -all -inline -glob $found $pattern]
}

# The packages in the folders that the project knows.
mock::define update_ip_catalog {} {} {
    need_project
    set s(catalog) {}
    foreach folder [do_get_property {} IP_REPO_PATHS $s(project)] {
        set package [file join $folder mock.ip]
        if {![file exists $package] || ![file exists [file join $folder component.xml]]} {
            print "WARNING: \[IP_Flow 19-1\] $folder has no IP."
            continue
        }
        set package [read_text $package]
        lappend s(catalog) [dict get $package vlnv] $package
    }
    return
}

mock::define create_bd_cell {-type {ip} -vlnv value} {name} {
    need_design
    if {$opt(-type) eq "" || $opt(-vlnv) eq ""} {
        refuse "BD 5-1" "create_bd_cell $name: -type and -vlnv are wanted."
    }
    if {![regexp {^[A-Za-z]\w*$} $name]} {
        refuse "BD 5-7" "create_bd_cell: '$name' is no name."
    }
    if {[info exists s(kind,/$name)]} {
        refuse "BD 41-70" "create_bd_cell: there is a cell '$name' already."
    }
    set known [do_get_ipdefs {-all 1} $opt(-vlnv)]
    if {[llength $known] != 1} {
        refuse "BD 5-216" "create_bd_cell $name: VLNV <$opt(-vlnv)> is not in the catalog."
    }
    set s(ip,/$name) [dict create vlnv $opt(-vlnv) type [lindex [split $opt(-vlnv) :] 2]]
    foreach {vlnv package} $s(catalog) {
        if {$vlnv eq $opt(-vlnv)} {
            dict set s(ip,/$name) package $package
        }
    }
    set s(config,/$name) {}
    set s(validated) 0
    return [create cell /$name]
}

# ---- parameters ----------------------------------------------------------------------------------

proc mock::parameters_of {cell} {
    variable s
    variable parameters
    if {[dict exists $s(ip,$cell) package]} {
        return [dict get $s(ip,$cell) package parameters]
    }
    return $parameters([dict get $s(ip,$cell) type])
}

# Kind and default of a parameter, or nothing.
proc mock::parameter {cell name} {
    foreach {pattern entry} [parameters_of $cell] {
        if {[regexp "^(?:$pattern)\$" $name]} {
            return $entry
        }
    }
}

proc mock::set_config {name value cell} {
    variable s
    if {![regexp {^CONFIG\.(.+)$} $name all key]} {
        refuse "Common 17-54" "set_property: cell '$cell' has no property '$name' to set."
    }
    lassign [parameter $cell $key] kind
    if {$kind eq ""} {
        refuse "BD 41-1277" "set_property: cell '$cell' has no parameter '$name'."
    }
    if {![fits $kind $value]} {
        refuse "IP_Flow 19-3461" "Value '$value' is out of range for parameter '$key' of cell\
            '$cell': $kind."
    }
    set kept [overruled DROPPED $key]
    if {$kept ne ""} {
        print "WARNING: \[IP_Flow 19-3374\] An attempt to modify the value of disabled parameter\
            '$key' from '$kept' to '$value' has been ignored for IP '[string range $cell 1 end]'"
        set value $kept
    }
    dict set s(config,$cell) $key $value
    set s(validated) 0
}

# What a test wants a parameter to be instead of what the script sets, or nothing.
proc mock::overruled {setting key} {
    foreach item [setting $setting ""] {
        lassign [split $item =] name value
        if {$name eq $key} {
            return $value
        }
    }
}

proc mock::get_config {name cell} {
    if {![regexp {^CONFIG\.(.+)$} $name all key] || [parameter $cell $key] eq ""} {
        refuse "Common 17-54" "get_property: cell '$cell' has no property '$name'."
    }
    return [config_of $cell $key]
}

# What a parameter is set to, or its default.
proc mock::config_of {cell key} {
    variable s
    if {[dict exists $s(config,$cell) $key]} {
        return [dict get $s(config,$cell) $key]
    }
    lassign [parameter $cell $key] kind default
    if {$kind eq "computed"} {
        return [computed_[dict get $s(ip,$cell) type] $cell $key]
    }
    return $default
}

proc mock::fits {kind value} {
    lassign $kind name low high
    switch -- $name {
        bool {return [expr {$value in {0 1}}]}
        int - float {
            set type [expr {$name eq "int" ? "wideinteger" : "double"}]
            return [expr {[string is $type -strict $value] && $value >= $low && $value <= $high}]
        }
        one {return [expr {$value in [lrange $kind 1 end]}]}
        mio {
            set pins [mio_pins $value]
            return [expr {[llength $pins] > 0 && [lindex $pins end] <= $low}]
        }
    }
    return 0
}

# The pins of `MIO 9` or `MIO 14 .. 15`, or none.
proc mock::mio_pins {value} {
    if {![regexp {^MIO (\d+)(?: \.\. (\d+))?$} $value all first last]} {
        return {}
    }
    set pins {}
    if {$last eq ""} {
        set last $first
    }
    for {set pin $first} {$pin <= $last} {incr pin} {
        lappend pins $pin
    }
    return $pins
}

# ---- pins, buses, addresses ----------------------------------------------------------------------

# A dict of pins, buses, spaces and segments, as a cell has them with its parameters.
proc mock::shape {cell} {
    variable s
    set type [dict get $s(ip,$cell) type]
    if {[dict exists $s(ip,$cell) package]} {
        set type package
    }
    return [shape_$type $cell]
}

proc mock::axi {mode protocol width clock} {
    return [dict create mode $mode type aximm protocol $protocol width $width clock $clock]
}

proc mock::shape_proc_sys_reset {cell} {
    set active [expr {[config_of $cell C_EXT_RESET_HIGH] ? "high" : "low"}]
    return [dict create buses {} spaces {} segments {} pins [dict create \
        slowest_sync_clk {I clk - 1} ext_reset_in [list I rst $active 1] \
        aux_reset_in {I rst - 0} mb_debug_sys_rst {I rst high 0} dcm_locked {I data - 0} \
        mb_reset {O rst high 0} bus_struct_reset {O rst high 0} peripheral_reset {O rst high 0} \
        interconnect_aresetn {O rst low 0} peripheral_aresetn {O rst low 0}]]
}

proc mock::shape_smartconnect {cell} {
    set pins {aclk {I clk - 1} aresetn {I rst low 1}}
    for {set i 1} {$i < [config_of $cell NUM_CLKS]} {incr i} {
        lappend pins aclk$i {I clk - 1}
    }
    set buses {}
    foreach {letter mode parameter} {S Slave NUM_SI M Master NUM_MI} {
        for {set i 0} {$i < [config_of $cell $parameter]} {incr i} {
            lappend buses [format %s%02d_AXI $letter $i] [axi $mode any any aclk]
        }
    }
    return [dict create pins $pins buses $buses spaces {} segments {}]
}

proc mock::shape_axi_intc {cell} {
    return [dict create pins {
        s_axi_aclk {I clk - 1} s_axi_aresetn {I rst low 1} intr {I intr - 1} irq {O intr - 0}
    } buses [list s_axi [axi Slave AXI4LITE 32 s_axi_aclk]] spaces {} \
        segments {S_AXI/Reg {s_axi - 65536}}]
}
