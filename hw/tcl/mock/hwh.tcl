# SPDX-License-Identifier: Apache-2.0
#
# What a build hands on: the .hwh, of the block design as it is, and a .bit that no device takes.

proc mock::escaped {text} {
    return [string map {& &amp; < &lt; > &gt; \" &quot;} $text]
}

# An element with attributes, and what is in it as lines.
proc mock::element {name attributes {inner {}}} {
    set text <$name
    foreach {key value} $attributes {
        append text " $key=\"[escaped $value]\""
    }
    if {[llength $inner] == 0} {
        return [list $text/>]
    }
    set lines [list $text>]
    foreach line $inner {
        lappend lines "  $line"
    }
    return [lappend lines </$name>]
}

proc mock::hwh {} {
    variable s
    set modules {}
    foreach cell [objects cell] {
        lappend modules {*}[module $cell]
    }
    set device [lindex [regexp -inline {^(xc[a-z0-9]+?)(?:clg|-)} $s(part)] 1]
    set system [list ARCH [family_of $s(part)] \
        NAME $s(design) DEVICE $device]
    set inner [concat [element SYSTEMINFO $system] [element EXTERNALPORTS {}] \
        [element EXTERNALINTERFACES {}] [element MODULES {} $modules]]
    set top [element EDKSYSTEM [list EDWVERSION 1.2 TIMESTAMP mock VIVADOVERSION \
        "[release] mock"] $inner]
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!-- Made by cnnaccel's mock of Vivado. -->
[join $top \n]
"
}

proc mock::module {cell} {
    variable s
    set name [string range $cell 1 end]
    set type [dict get $s(ip,$cell) type]
    set shape [shape $cell]
    set inner {}
    if {[dict exists $s(ip,$cell) package]} {
        lappend inner {*}[address_blocks [dict get $s(ip,$cell) package]]
    }
    set parameters {}
    foreach {key value} [concat $s(config,$cell) [computed_parameters $cell]] {
        lappend parameters {*}[element PARAMETER [list NAME $key VALUE $value]]
    }
    set ports {}
    dict for {pin entry} [dict get $shape pins] {
        lappend ports {*}[port $cell $pin $entry]
    }
    set buses {}
    dict for {bus entry} [dict get $shape buses] {
        if {[dict get $entry type] eq "aximm"} {
            lappend buses {*}[element BUSINTERFACE [list NAME $bus \
                DATAWIDTH [dict get $entry width] TYPE [string toupper [dict get $entry mode]] \
                VLNV xilinx.com:interface:aximm:1.0]]
        }
    }
    set ranges [memory_ranges $cell $shape]
    lappend inner {*}[element PARAMETERS {} $parameters] {*}[element PORTS {} $ports] \
        {*}[element BUSINTERFACES {} $buses]
    if {[llength $ranges] > 0} {
        lappend inner {*}[element MEMORYMAP {} $ranges]
    }
    return [element MODULE [list FULLNAME $cell INSTANCE $name MODTYPE $type \
        VLNV [dict get $s(ip,$cell) vlnv]] $inner]
}

# Of the processing system: its clocks, as pynq reads them.
proc mock::computed_parameters {cell} {
    variable s
    switch -- [dict get $s(ip,$cell) type] {
        processing_system7 {
            set enable PCW_FPGA_FCLK%d_ENABLE
            set divisor PCW_FCLK%d_PERIPHERAL_DIVISOR%d
        }
        zynq_ultra_ps_e {
            set enable PSU__FPGA_PL%d_ENABLE
            set divisor PSU__CRL_APB__PL%d_REF_CTRL__DIVISOR%d
        }
        default {return {}}
    }
    set found {}
    for {set clock 0} {$clock < 4} {incr clock} {
        set key [format $enable $clock]
        if {![dict exists $s(config,$cell) $key]} {
            lappend found $key [config_of $cell $key]
        }
        foreach index {0 1} {
            lappend found [format $divisor $clock $index] \
                [config_of $cell [format $divisor 0 $index]]
        }
    }
    return $found
}

proc mock::port {cell pin entry} {
    variable s
    lassign $entry direction kind
    set attributes [list DIR $direction NAME $pin]
    if {$kind eq "intr" && $direction eq "I"} {
        lappend attributes LEFT 0 RIGHT 0
    }
    lappend attributes SIGIS [dict get {clk CLK rst RST intr INTERRUPT data DATA} $kind]
    if {![info exists s(net,$cell/$pin)]} {
        return [element PORT $attributes]
    }
    lappend attributes SIGNAME $s(net,$cell/$pin)
    set ends {}
    foreach end [net_ends $cell/$pin $direction] {
        lassign [split_path $end] other name
        lappend ends {*}[element CONNECTION [list INSTANCE [string range $other 1 end] PORT $name]]
    }
    return [element PORT $attributes [element CONNECTIONS {} $ends]]
}

# What a pin drives, or what drives it.
proc mock::net_ends {pin direction} {
    variable s
    if {$direction eq "I"} {
        return [driver_of $pin]
    }
    set ends {}
    foreach key [lsort [array names s net,*]] {
        if {$s($key) eq $s(net,$pin) && $key ne "net,$pin"} {
            lappend ends [string range $key 4 end]
        }
    }
    return $ends
}

proc mock::memory_ranges {cell shape} {
    variable s
    set found {}
    dict for {name space} [dict get $shape spaces] {
        foreach item $s(assigned) {
            lassign $item owner segment offset bytes
            if {$owner ne "$cell/$name"} {
                continue
            }
            set slave [segment_cell $segment]
            set kind [expr {[lindex [segment_of $segment] 1] eq "-" ? "REGISTER" : "MEMORY"}]
            lappend found {*}[element MEMRANGE [list ADDRESSBLOCK [file tail $segment] \
                BASENAME C_BASEADDR BASEVALUE [format 0x%08X $offset] HIGHNAME C_HIGHADDR \
                HIGHVALUE [format 0x%08X [expr {$offset + $bytes - 1}]] \
                INSTANCE [string range $slave 1 end] IS_DATA TRUE \
                MASTERBUSINTERFACE [dict get $space bus] MEMTYPE $kind \
                SLAVEBUSINTERFACE [lindex [segment_of $segment] 0]]]
        }
    }
    return $found
}

proc mock::address_blocks {package} {
    lassign [dict get $package segment] map block bytes
    set registers {}
    foreach register [dict get $package registers] {
        set fields {}
        foreach field [dict get $register fields] {
            lappend fields {*}[element FIELD [list NAME [dict get $field NAME]] \
                [property_elements $field {DESCRIPTION BIT_OFFSET BIT_WIDTH ACCESS}]]
        }
        set inner [property_elements $register {DESCRIPTION ADDRESS_OFFSET SIZE ACCESS}]
        lappend inner {*}[element PROPERTY {NAME IS_ENABLED VALUE true}] \
            {*}[element FIELDS {} $fields]
        lappend registers {*}[element REGISTER [list NAME [dict get $register NAME]] $inner]
    }
    set address [element ADDRESSBLOCK [list ACCESS read-write INTERFACE $map NAME $block \
        RANGE $bytes USAGE register] [element REGISTERS {} $registers]]
    return [element ADDRESSBLOCKS {} $address]
}

proc mock::property_elements {entry names} {
    set found {}
    foreach name $names {
        lappend found {*}[element PROPERTY [list NAME $name VALUE [dict get $entry $name]]]
    }
    return $found
}

# The header of a .bit, as every reader of it knows; its data begins with the word that says mock.
proc mock::write_bitstream {path} {
    variable s
    set data "MOCK: made by cnnaccel's mock of Vivado, no device takes this."
    set fields [list a "cnnaccel_wrapper;UserID=0XFFFFFFFF;Version=[release]_mock" \
        b [string range $s(part) 2 end] c 1970/01/01 d 00:00:00]
    set header [binary format H* 00090ff00ff00ff00ff0000001]
    foreach {key text} $fields {
        append header $key [binary format S [expr {[string length $text] + 1}]] $text \0
    }
    file mkdir [file dirname $path]
    set file [open $path w]
    fconfigure $file -translation binary
    puts -nonewline $file "${header}e[binary format I [string length $data]]$data"
    close $file
}
