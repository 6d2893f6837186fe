# SPDX-License-Identifier: Apache-2.0
#
# Block designs: pins, buses and what connects them.

mock::define create_bd_design {} {name} {
    need_project
    if {$s(design) ne ""} {
        refuse "BD 41-1" "create_bd_design: there is a design '$s(design)' already."
    }
    set s(design) $name
    set bd [file join $s(directory) $s(project).srcs sources_1 bd $name $name.bd]
    write_text $bd "{\"design\": {\"design_info\": {\"name\": \"$name\", \"made_by\":\
        \"cnnaccel's mock of Vivado\"}}}\n"
    create file $bd [list NAME $name.bd]
    return $name
}

mock::define open_bd_design {} {file} {
    need open_bd_design $file file
    if {[file extension $file] ne ".bd"} {
        refuse "BD 41-1" "open_bd_design: $file is no block design."
    }
    return $s(design)
}

proc mock::need_design {} {
    variable s
    need_project
    if {$s(design) eq ""} {
        refuse "BD 5-106" "no block design is open."
    }
}

# Names of pins or buses, as /cell/name, that fit a pattern, as cell/name.
proc mock::parts_of {part kind pattern} {
    set found {}
    foreach cell [objects cell] {
        foreach name [dict keys [dict get [shape $cell] $part]] {
            if {[string match $pattern $cell/$name] || [string match /$pattern $cell/$name]} {
                lappend found [create $kind $cell/$name]
            }
        }
    }
    return $found
}

mock::define get_bd_pins {-quiet flag} {pattern} {
    need_design
    return [answer $opt(-quiet) pin $pattern [parts_of pins pin $pattern]]
}

mock::define get_bd_intf_pins {-quiet flag} {pattern} {
    need_design
    return [answer $opt(-quiet) interface $pattern [parts_of buses bus $pattern]]
}

mock::define get_bd_intf_ports {-quiet flag} {pattern} {
    need_design
    return [answer $opt(-quiet) "interface port" $pattern [objects port [list $pattern]]]
}

mock::define create_bd_intf_port {-mode {Master Slave} -vlnv value} {name} {
    need_design
    set known {
        DDR xilinx.com:interface:ddrx_rtl:1.0
        FIXED_IO xilinx.com:display_processing_system7:fixedio_rtl:1.0
    }
    if {[info exists s(kind,$name)]} {
        refuse "BD 41-70" "create_bd_intf_port: there is a port '$name' already."
    }
    if {$opt(-vlnv) ni $known || $opt(-mode) eq ""} {
        refuse "BD 5-216" "create_bd_intf_port $name: no such interface, '$opt(-vlnv)'."
    }
    return [create port $name [list NAME $name VLNV $opt(-vlnv)]]
}

# Cell and name of a pin or bus.
proc mock::split_path {path} {
    return [list [file dirname $path] [file tail $path]]
}

# Direction, kind, polarity, wanted; of a pin that may have gone with a parameter: nothing.
proc mock::pin_of {path} {
    lassign [split_path $path] cell name
    set pins [dict get [shape $cell] pins]
    return [expr {[dict exists $pins $name] ? [dict get $pins $name] : ""}]
}

proc mock::bus_of {path} {
    lassign [split_path $path] cell name
    set buses [dict get [shape $cell] buses]
    return [expr {[dict exists $buses $name] ? [dict get $buses $name] : ""}]
}

mock::define connect_bd_net {-net value} {pins...} {
    need_design
    if {[llength $pins] < 2} {
        refuse "BD 41-1" "connect_bd_net: wanted two pins or more, got '$pins'."
    }
    set driver ""
    set net ""
    foreach pin $pins {
        need connect_bd_net $pin pin
        lassign [pin_of $pin] direction
        if {$direction eq "O"} {
            if {$driver ne "" && $driver ne $pin} {
                refuse "BD 41-1377" "connect_bd_net: both '$driver' and '$pin' drive the net."
            }
            set driver $pin
        }
        if {[info exists s(net,$pin)]} {
            if {$direction eq "I"} {
                refuse "BD 41-1306" "connect_bd_net: '$pin' is connected already, to\
                    '$s(net,$pin)'."
            }
            set net $s(net,$pin)
        }
    }
    if {$net eq ""} {
        set net [string map {/ _} [string trimleft [expr {$driver ne "" ? $driver
            : [lindex $pins 0]}] /]]
    }
    foreach pin $pins {
        set s(net,$pin) $net
    }
    set s(validated) 0
    return /$net
}

mock::define connect_bd_intf_net {} {first second} {
    need_design
    foreach bus [list $first $second] {
        need connect_bd_intf_net $bus {bus port}
        if {[info exists s(peer,$bus)]} {
            refuse "BD 41-1306" "connect_bd_intf_net: '$bus' is connected already, to\
                '$s(peer,$bus)'."
        }
    }
    if {$s(kind,$first) eq "port" || $s(kind,$second) eq "port"} {
        check_port $first $second
    } else {
        set one [bus_of $first]
        set other [bus_of $second]
        if {[dict get $one type] ne [dict get $other type]} {
            refuse "BD 5-233" "connect_bd_intf_net: '$first' and '$second' are of different kinds."
        }
        if {[dict get $one mode] eq [dict get $other mode]} {
            refuse "BD 41-171" "connect_bd_intf_net: both '$first' and '$second' are\
                [dict get $one mode]."
        }
    }
    set s(peer,$first) $second
    set s(peer,$second) $first
    set s(validated) 0
    return
}

# A port takes the bus of the same name.
proc mock::check_port {first second} {
    variable s
    foreach {port bus} [list $first $second $second $first] {
        if {
            $s(kind,$port) eq "port" && $s(kind,$bus) eq "bus"
            && [file tail $bus] eq $port && [dict get [bus_of $bus] type] eq "external"
        } {
            return
        }
    }
    refuse "BD 5-233" "connect_bd_intf_net: '$first' and '$second' are of different kinds."
}

mock::define save_bd_design {} {} {
    need_design
    if {!$s(validated)} {
        print "WARNING: \[BD 41-1\] the design '$s(design)' is saved without having been validated"
    }
    save_project
    return
}
