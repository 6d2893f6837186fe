# SPDX-License-Identifier: Apache-2.0
#
# yosys.tcl for a Yosys that was built without Tcl: its commands as a script of Yosys' own.
#
#   tclsh record.tcl <script.ys>

if {$argc != 1} {
    puts "ERROR: \[cnnaccel\] record: wants the script to write, got '$argv'"
    exit 1
}
set recorded [open [lindex $argv 0] w]

# One command, one line; Yosys splits it at blanks.
proc yosys {args} {
    global recorded
    foreach word $args {
        if {[regexp {[\s"#]} $word]} {
            error "Yosys would split the word '$word'; rename the file"
        }
    }
    puts $recorded [join $args]
}

source [file join [file dirname [file normalize [info script]]] yosys.tcl]
close $recorded
