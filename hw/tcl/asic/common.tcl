# SPDX-License-Identifier: Apache-2.0
#
# What every script begins with. They are started in one folder, which has
#
#   config.tcl       rendered: the engine
#   technology.tcl   yours: the cells, wires and memories; technology.example.tcl says what is in it
#   src              the engine's sources, with memories made of module sram
#
# A script ends at the first error with a line `ERROR: [cnnaccel] <step>: ...` and exit code 1.

array set technology {}
set scripts [file dirname [file normalize [info script]]]

# A line of progress.
proc say {what} {
    puts "cnnaccel: $what"
}

# Run the body of a step in the global scope.
proc step {name body} {
    if {
        [catch {
            read_settings
            uplevel #0 $body
        } message]
    } {
        puts "ERROR: \[cnnaccel\] $name: $message"
        exit 1
    }
    say "$name is done"
}

proc read_settings {} {
    foreach {file remedy} {
        config.tcl "start this in the folder that `cnnaccel build-hw CONFIG --asic` wrote"
        technology.tcl "write it after technology.example.tcl"
    } {
        if {![file isfile $file]} {
            error "$file is not in [pwd]; $remedy"
        }
        uplevel #0 [list source $file]
    }
}

# Fail unless technology.tcl sets all of these.
proc need {args} {
    global technology
    foreach key $args {
        if {![info exists technology($key)] || $technology($key) eq ""} {
            error "technology.tcl sets no technology($key); technology.example.tcl says what it is"
        }
    }
}

# Fail unless technology.tcl names files here, all of which are there.
proc need_files {args} {
    global technology
    need {*}$args
    foreach key $args {
        foreach file $technology($key) {
            if {![file isfile $file]} {
                error "$file of technology($key) is not there"
            }
        }
    }
}

# A value of technology.tcl that may be left out.
proc optional {key {otherwise {}}} {
    global technology
    if {[info exists technology($key)]} {
        return $technology($key)
    }
    return $otherwise
}

# The engine's sources, packages first, and what module sram is made of.
proc sources {} {
    global config
    set files {}
    foreach name $config(sources) {
        if {[file extension $name] ne ".svh"} {
            lappend files src/$name
        }
    }
    return [concat $files [optional sram src/sram.sv]]
}

# The clock of config.tcl, or of technology.tcl where it sets one, as an SDC file. A fifth of the
# period is left to what is outside of each port.
proc write_constraints {file} {
    global config
    set mhz [optional clock_mhz $config(clock_mhz)]
    set period [expr {1000.0 / $mhz * [optional units_per_ns 1.0]}]
    set outside [expr {0.2 * $period}]
    set out [open $file w]
    puts $out "create_clock -name clk -period $period \[get_ports clk\]"
    puts $out "set_clock_uncertainty [expr {0.05 * $period}] \[get_clocks clk\]"
    puts $out "set_input_delay $outside -clock clk \[all_inputs -no_clocks\]"
    puts $out "set_output_delay $outside -clock clk \[all_outputs\]"
    close $out
}
