# SPDX-License-Identifier: Apache-2.0
#
# validate_bd_design: every fault there is, each with the object's name.

mock::define validate_bd_design {} {} {
    need_design
    set faults [concat [pin_faults] [bus_faults] [address_faults] [preset_faults] \
        [board_faults]]
    foreach fault $faults {
        print "ERROR: $fault"
    }
    if {[llength $faults] > 0} {
        refuse "BD 41-1" "validation of '$s(design)' failed: [llength $faults] errors."
    }
    foreach cell [objects cell] {
        foreach key [dict keys $s(config,$cell)] {
            if {[overruled CHANGED $key] ne ""} {
                dict set s(config,$cell) $key [overruled CHANGED $key]
            }
        }
    }
    set s(validated) 1
    return
}

# The pin that drives another's net, or nothing.
proc mock::driver_of {pin} {
    variable s
    if {![info exists s(net,$pin)]} {
        return ""
    }
    foreach key [array names s net,*] {
        set other [string range $key 4 end]
        if {$s($key) eq $s(net,$pin) && [lindex [pin_of $other] 0] eq "O"} {
            return $other
        }
    }
}

proc mock::pin_faults {} {
    variable s
    set faults {}
    foreach key [lsort [array names s net,*]] {
        set pin [string range $key 4 end]
        if {[pin_of $pin] eq ""} {
            lappend faults "\[BD 41-1\] pin $pin is connected, and is no more"
        }
    }
    foreach cell [objects cell] {
        dict for {name entry} [dict get [shape $cell] pins] {
            lassign $entry direction kind polarity wanted
            if {$direction eq "I"} {
                lappend faults {*}[input_faults $cell/$name $kind $polarity $wanted]
            }
        }
    }
    return $faults
}

proc mock::input_faults {pin kind polarity wanted} {
    set driver [driver_of $pin]
    if {$driver eq ""} {
        if {!$wanted} {
            return {}
        }
        set ids {clk "BD 41-758" rst "BD 41-759" intr "BD 41-759" data "BD 41-759"}
        set names {clk "clock" rst "reset" intr "interrupt" data "input"}
        return [list "\[[dict get $ids $kind]\] the [dict get $names $kind] pin $pin has no source"]
    }
    lassign [pin_of $driver] direction driver_kind driver_polarity
    if {$driver_kind ne $kind} {
        return [list "\[BD 41-1731\] $driver ($driver_kind) drives $pin ($kind)"]
    }
    if {
        $kind eq "rst" && "-" ni [list $polarity $driver_polarity]
        && $polarity ne $driver_polarity
    } {
        return [list "\[BD 41-1732\] $driver is active $driver_polarity,\
            $pin is active $polarity"]
    }
    return {}
}

proc mock::bus_faults {} {
    variable s
    set faults {}
    foreach cell [objects cell] {
        dict for {name entry} [dict get [shape $cell] buses] {
            set bus $cell/$name
            if {![info exists s(peer,$bus)]} {
                lappend faults "\[BD 41-1348\] the interface $bus is not connected"
            } elseif {[dict get $entry type] eq "aximm" && [dict get $entry mode] eq "Master"} {
                lappend faults {*}[pair_faults $bus $s(peer,$bus)]
            }
        }
    }
    return $faults
}

# A master and its slave: clock, width, protocol; `any` adapts.
proc mock::pair_faults {master slave} {
    set faults {}
    set one [bus_of $master]
    set other [bus_of $slave]
    set nets {}
    foreach {path bus} [list $master $one $slave $other] {
        lappend nets [driver_of [file dirname $path]/[dict get $bus clock]]
    }
    if {"" ni $nets && [lindex $nets 0] ne [lindex $nets 1]} {
        lappend faults "\[BD 41-237\] $master and $slave have different clocks:\
            [join $nets { and }]"
    }
    foreach property {width protocol} {
        set values [list [dict get $one $property] [dict get $other $property]]
        if {"any" ni $values && [lindex $values 0] ne [lindex $values 1]} {
            lappend faults "\[BD 41-237\] $property of $master and $slave do not match:\
                [join $values { and }]"
        }
    }
    return $faults
}

# Every slave that a master reaches has an address, or is excluded; and no other has one.
proc mock::address_faults {} {
    variable s
    set faults {}
    foreach cell [objects cell] {
        dict for {name entry} [dict get [shape $cell] spaces] {
            set space $cell/$name
            set reached [reachable $cell/[dict get $entry bus]]
            set placed {}
            foreach item $s(assigned) {
                if {[lindex $item 0] eq $space} {
                    lappend placed [lindex $item 1]
                }
            }
            foreach segment $reached {
                if {$segment ni $placed && [list $space $segment] ni $s(excluded)} {
                    lappend faults "\[BD 41-1356\] the slave segment $segment has no address\
                        in $space"
                }
            }
            foreach segment $placed {
                if {$segment ni $reached} {
                    lappend faults "\[BD 41-1075\] $space does not reach $segment, which has\
                        an address there"
                }
            }
        }
    }
    return $faults
}

# Pins of the processing system that two peripherals take, or that one wants and does not name.
proc mock::preset_faults {} {
    variable s
    variable zynq_pins
    variable zynqmp_pins
    set tables [list processing_system7 $zynq_pins zynq_ultra_ps_e $zynqmp_pins]
    set faults {}
    foreach cell [objects cell] {
        set type [dict get $s(ip,$cell) type]
        if {![dict exists $tables $type]} {
            continue
        }
        array unset owner
        foreach {enable io} [dict get $tables $type] {
            if {![config_of $cell $enable]} {
                continue
            }
            set pins [mio_pins [config_of $cell $io]]
            if {[llength $pins] == 0} {
                lappend faults "\[PS 1-1\] $cell: $enable is 1, and $io names no pins"
            }
            foreach pin $pins {
                if {[info exists owner($pin)]} {
                    lappend faults "\[PS 1-2\] $cell: both $owner($pin) and $io take MIO $pin"
                }
                set owner($pin) $io
            }
        }
    }
    return $faults
}

# A project of a board, whose preset no cell has.
proc mock::board_faults {} {
    variable s
    if {![info exists s(board)] || [llength [array names s board_dram,*]] > 0} {
        return {}
    }
    return [list "\[BD 41-1\] the preset of board $s(value,$s(project),BOARD_PART) is in no cell."]
}
