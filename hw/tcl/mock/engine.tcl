# SPDX-License-Identifier: Apache-2.0
#
# The engine as an IP: what its Verilog says of it, and the cell that it is.

# Parameters with defaults, and interfaces: from the attributes, or by the names of AXI.
proc mock::read_top {text} {
    set parameters {}
    foreach {all name value} [regexp -all -inline {parameter integer (\w+)\s*= (\d+)} $text] {
        lappend parameters $name [list {int 1 1024} $value]
    }
    set interfaces {}
    set note {}
    set signal {X_INTERFACE_INFO = "xilinx.com:signal:(\w+):1.0 (\w+) \w+"}
    set declaration {^\s*(input|output)\s+wire\s+(\[[^]]+\])?\s*(\w+)}
    foreach line [split $text \n] {
        if {[regexp $signal $line all kind name]} {
            set note [dict create name $name kind $kind parameters {}]
        } elseif {[regexp {X_INTERFACE_PARAMETER = "([^"]+)"} $line all list]} {
            foreach item [split $list ,] {
                dict set note parameters [lindex $item 0] [lindex $item 1]
            }
        } elseif {[regexp $declaration $line all way width port]} {
            if {$note ne ""} {
                dict set note way $way
                dict set interfaces [dict get $note name] $note
                set note {}
            } elseif {[regexp {^((?:s|m)_axi_\w+)_(\w+)$} $port all bus part]} {
                dict set interfaces $bus kind aximm
                dict set interfaces $bus $part [list $way $width]
            } else {
                refuse "IP_Flow 19-1" "the port $port belongs to no interface."
            }
        }
    }
    return [dict create parameters $parameters interfaces $interfaces]
}

# The engine as a cell: what its package says, with the parameters of the cell.
proc mock::shape_package {cell} {
    variable s
    set package [dict get $s(ip,$cell) package]
    set pins {}
    set buses {}
    set spaces {}
    foreach {name entry} [dict get $package interfaces] {
        set kind [dict get $entry kind]
        if {$kind eq "aximm"} {
            lappend buses $name [package_bus $cell $name $entry $package]
            if {[string match m_* $name]} {
                set last [expr {(1 << [config_of $cell AddressBits]) - 1}]
                lappend spaces $name [dict create bus $name windows [list 0 $last]]
            }
            continue
        }
        set short [dict get {clock clk reset rst interrupt intr} $kind]
        set direction [expr {[dict get $entry way] eq "input" ? "I" : "O"}]
        set polarity -
        if {$kind eq "reset"} {
            set active [dict get $entry parameters POLARITY]
            set polarity [expr {$active eq "ACTIVE_LOW" ? "low" : "high"}]
        }
        lappend pins $name [list $direction $short $polarity [expr {$direction eq "I"}]]
    }
    lassign [dict get $package segment] map block bytes
    return [dict create pins $pins buses $buses spaces $spaces \
        segments [list $map/$block [list $map - $bytes]]]
}

# An AXI interface: mode by the direction of its address, width of its data, clock that names it.
proc mock::package_bus {cell name entry package} {
    set mode [expr {[lindex [dict get $entry araddr] 0] eq "input" ? "Slave" : "Master"}]
    set clock -
    dict for {other item} [dict get $package interfaces] {
        if {
            [dict get $item kind] eq "clock"
            && $name in [split [dict get $item parameters ASSOCIATED_BUSIF] :]
        } {
            set clock $other
        }
    }
    set range [lindex [dict get $entry rdata] 1]
    if {[regexp {^\[(\d+):0\]$} $range all last]} {
        set width [expr {$last + 1}]
    } elseif {[regexp {^\[(\d+)\*(\w+)-1:0\]$} $range all factor parameter]} {
        set width [expr {$factor * [config_of $cell $parameter]}]
    } else {
        error "the width '$range' of ${name}_rdata is not known"
    }
    set protocol [expr {[dict exists $entry arlen] ? "AXI4" : "AXI4LITE"}]
    return [axi $mode $protocol $width $clock]
}
