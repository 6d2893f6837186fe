# SPDX-License-Identifier: Apache-2.0
#
# Objects are names. What there is stands in one array, `s`; a project keeps it between processes:
#
#   s(project) s(part) ...             of the project
#   s(kind,OBJECT)                     what an object is
#   s(value,OBJECT,PROPERTY)           its properties, in upper case but for CONFIG.*
#   s(ip,CELL) s(config,CELL)          of a block design's cell
#   s(net,PIN) s(peer,BUS)             what is connected
#   s(assigned) s(excluded)            addresses: {space segment offset bytes}

namespace eval mock {
    variable s
    array set s {project ""}
    # What can be set, and what read as well.
    variable properties {
        project {set {IP_REPO_PATHS BOARD_PART} get {NAME PART DIRECTORY}}
        board {set {} get {NAME PART_NAME}}
        fileset {set {TOP} get {NAME}}
        file {set {FILE_TYPE} get {NAME}}
        run {set {} get {NAME STATUS PROGRESS DIRECTORY STRATEGY FLOW STATS.WNS STATS.WHS}}
        core {set {NAME VERSION DISPLAY_NAME DESCRIPTION SUPPORTED_FAMILIES} get {VENDOR LIBRARY}}
        core_bus {set {SLAVE_MEMORY_MAP_REF} get {NAME MASTER_ADDRESS_SPACE_REF}}
        file_group {set {} get {NAME}}
        group_file {set {} get {NAME IS_INCLUDE}}
        user_parameter {set {} get {NAME VALUE}}
        address_space {set {} get {NAME}}
        bus_parameter {set {VALUE} get {NAME}}
        block {set {RANGE WIDTH USAGE ACCESS} get {NAME}}
        register {set {ADDRESS_OFFSET SIZE ACCESS DESCRIPTION} get {NAME}}
        field {set {BIT_OFFSET BIT_WIDTH ACCESS DESCRIPTION} get {NAME}}
        clock {set {} get {NAME PERIOD}}
        path {set {} get {SLACK DATAPATH_DELAY LOGIC_LEVELS STARTPOINT_PIN ENDPOINT_PIN}}
    }
}

proc mock::create {kind object {values {}}} {
    variable s
    set s(kind,$object) $kind
    foreach {name value} $values {
        set s(value,$object,$name) $value
    }
    return $object
}

# All objects of a kind whose name fits one of some patterns, or with none all of them.
proc mock::objects {kind {patterns {}}} {
    variable s
    set found {}
    foreach key [lsort -dictionary [array names s kind,*]] {
        if {$s($key) ne $kind} {
            continue
        }
        set object [string range $key 5 end]
        foreach pattern [expr {[llength $patterns] ? $patterns : "*"}] {
            if {[string match $pattern $object] || [string match */$pattern $object]} {
                lappend found $object
                break
            }
        }
    }
    return $found
}

# What a query answers: the objects, or a warning.
proc mock::answer {quiet kind patterns found} {
    variable command
    if {[llength $found] == 0 && !$quiet && $patterns ne ""} {
        print "WARNING: \[BD 5-234\] $command: no $kind fits '$patterns'."
    }
    return $found
}

# An object of one of some kinds, or an error.
proc mock::need {what object kinds} {
    variable s
    if {$object eq ""} {
        refuse "Common 17-55" "$what: wanted an object ([join $kinds {, }]), got none."
    }
    if {![info exists s(kind,$object)] || $s(kind,$object) ni $kinds} {
        refuse "Common 17-161" "$what: '$object' is no [join $kinds { or }]."
    }
}

proc mock::need_project {} {
    variable s
    if {$s(project) eq ""} {
        refuse "Common 17-53" "no project is open."
    }
}

mock::define set_property {-dict any} {?name ?value ?object} {
    if {$opt(-dict) ne ""} {
        if {$value ne "" || $object ne ""} {
            refuse "Common 17-165" "set_property -dict: too many arguments, '$value'."
        }
        if {[llength $opt(-dict)] % 2} {
            refuse "Common 17-2" "set_property -dict: '$opt(-dict)' has a name without value."
        }
        foreach {key item} $opt(-dict) {
            set_one $key $item $name
        }
    } else {
        set_one $name $value $object
    }
    return
}

proc mock::set_one {name value object} {
    variable s
    variable properties
    if {$object eq "" || ![info exists s(kind,$object)]} {
        refuse "Common 17-161" "set_property $name: there is no object '$object'."
    }
    set kind $s(kind,$object)
    if {$kind eq "cell"} {
        set_config $name $value $object
        return
    }
    set name [string toupper $name]
    if {![dict exists $properties $kind] || $name ni [dict get $properties $kind set]} {
        refuse "Common 17-54" "set_property: $kind '$object' has no property '$name' to set."
    }
    if {"$kind,$name" eq "project,BOARD_PART"} {
        take_board $value $object
        return
    }
    check_value $kind $name $value $object
    set s(value,$object,$name) $value
}

# Values of properties that are more than text.
proc mock::check_value {kind name value object} {
    variable s
    set sound 1
    switch -- $kind,$name {
        project,IP_REPO_PATHS {set sound [file isdirectory $value]}
        file,FILE_TYPE {set sound [expr {$value in {"Verilog Header" Verilog SystemVerilog}}]}
        core,VERSION {set sound [regexp {^\d+\.\d+$} $value]}
        bus_parameter,VALUE {
            set sound [expr {[string is integer -strict $value] && $value >= 0 && $value <= 256}]
        }
        block,RANGE - block,WIDTH - register,SIZE - field,BIT_WIDTH {
            set sound [expr {[string is integer -strict $value] && $value > 0}]
        }
        register,ADDRESS_OFFSET - field,BIT_OFFSET {
            set sound [expr {[string is integer -strict $value] && $value >= 0}]
        }
        block,ACCESS - register,ACCESS - field,ACCESS {
            set sound [expr {$value in {read-write read-only write-only}}]
        }
        block,USAGE {set sound [expr {$value in {register memory}}]}
        core_bus,SLAVE_MEMORY_MAP_REF {set sound [info exists s(kind,map:$value)]}
        core,SUPPORTED_FAMILIES {set sound [expr {[llength $value] % 2 == 0}]}
    }
    if {!$sound} {
        refuse "Common 17-69" "set_property $name: '$value' is no value for '$object'."
    }
}

mock::define get_property {} {name object} {
    if {$object eq "" || ![info exists s(kind,$object)]} {
        refuse "Common 17-161" "get_property $name: there is no object '$object'."
    }
    set kind $s(kind,$object)
    if {$kind eq "cell"} {
        return [get_config $name $object]
    }
    set name [string toupper $name]
    set known [dict get $::mock::properties $kind]
    if {$name ni [concat [dict get $known set] [dict get $known get]]} {
        refuse "Common 17-54" "get_property: $kind '$object' has no property '$name'."
    }
    return [expr {[info exists s(value,$object,$name)] ? $s(value,$object,$name) : ""}]
}
