# SPDX-License-Identifier: Apache-2.0
#
# Addresses: what a master sees where.

mock::define get_bd_addr_spaces {-quiet flag} {pattern} {
    need_design
    return [answer $opt(-quiet) "address space" $pattern [parts_of spaces space $pattern]]
}

mock::define get_bd_addr_segs {-quiet flag} {pattern} {
    need_design
    set found {}
    foreach cell [objects cell] {
        foreach name [dict keys [dict get [shape $cell] segments]] {
            if {[string match $pattern $cell/$name] || [string match /$pattern $cell/$name]} {
                lappend found [create segment $cell/$name]
            }
        }
    }
    return [answer $opt(-quiet) "address segment" $pattern $found]
}

mock::define assign_bd_address {-offset hex -range hex -target_address_space value} {segment} {
    need_design
    need "assign_bd_address -target_address_space" $opt(-target_address_space) space
    need assign_bd_address $segment segment
    if {$opt(-offset) eq "" || $opt(-range) eq ""} {
        refuse "BD 41-1" "assign_bd_address $segment: -offset and -range are wanted."
    }
    set space $opt(-target_address_space)
    check_place $space $segment $opt(-offset) $opt(-range)
    lappend s(assigned) [list $space $segment $opt(-offset) $opt(-range)]
    set s(validated) 0
    return
}

# Whether a segment may lie there: size, alignment, window of the master, place of the slave, and
# others that are there.
proc mock::check_place {space segment offset bytes} {
    variable s
    set place "$segment at <$offset \[ [format 0x%X $bytes] \]> in $space"
    if {$bytes < 4096 || $bytes & ($bytes - 1)} {
        refuse "BD 41-1273" "$place: a range is a power of two from 4096 up."
    }
    if {$offset % $bytes} {
        refuse "BD 41-1051" "$place: the offset is no multiple of the range."
    }
    set last [expr {$offset + $bytes - 1}]
    set inside 0
    foreach {low high} [dict get [space_of $space] windows] {
        if {$offset >= $low && $last <= $high} {
            set inside 1
        }
    }
    if {!$inside} {
        refuse "BD 41-1267" "$place: the master has no such addresses."
    }
    lassign [segment_of $segment] bus base most
    if {$base ne "-" && ($offset < $base || $last >= $base + $most)} {
        refuse "BD 41-1107" "$place: the slave is fixed at <[format 0x%X $base] \[\
            [format 0x%X $most] \]>."
    }
    if {$base eq "-" && $bytes > $most} {
        refuse "BD 41-1107" "$place: the slave has [format 0x%X $most] bytes."
    }
    foreach item $s(assigned) {
        lassign $item other_space other from size
        if {$other_space eq $space && $offset < $from + $size && $from <= $last} {
            refuse "BD 41-971" "$place: overlaps with $other at <$from \[ [format 0x%X $size] \]>."
        }
    }
}

mock::define exclude_bd_addr_seg {-target_address_space value} {segment} {
    need_design
    need "exclude_bd_addr_seg -target_address_space" $opt(-target_address_space) space
    need exclude_bd_addr_seg $segment segment
    lappend s(excluded) [list $opt(-target_address_space) $segment]
    return
}

proc mock::space_of {path} {
    lassign [split_path $path] cell name
    return [dict get [shape $cell] spaces $name]
}

# The cell of a segment, /cell/map/block.
proc mock::segment_cell {path} {
    return [file dirname [file dirname $path]]
}

# Bus, base, bytes of a segment.
proc mock::segment_of {path} {
    set cell [segment_cell $path]
    return [dict get [shape $cell] segments [string range $path [string length $cell/] end]]
}

# The segments that a bus reaches, through SmartConnects.
proc mock::reachable {bus} {
    variable s
    if {![info exists s(peer,$bus)]} {
        return {}
    }
    lassign [split_path $s(peer,$bus)] cell name
    set shape [shape $cell]
    set found {}
    dict for {segment entry} [dict get $shape segments] {
        if {[lindex $entry 0] eq $name} {
            lappend found $cell/$segment
        }
    }
    if {[dict get $s(ip,$cell) type] eq "smartconnect"} {
        dict for {other entry} [dict get $shape buses] {
            if {[dict get $entry mode] eq "Master"} {
                lappend found {*}[reachable $cell/$other]
            }
        }
    }
    return $found
}
