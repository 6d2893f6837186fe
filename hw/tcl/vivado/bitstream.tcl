# SPDX-License-Identifier: Apache-2.0
#
# Step bitstream: ./cnnaccel.bit, and the .hwh beside it that pynq reads.

source [file join [file dirname [file normalize [info script]]] common.tcl]

# Copy the one file that fits some pattern; versions of Vivado keep it in different folders.
proc collect {target args} {
    set found [glob -nocomplain {*}$args]
    if {[llength $found] != 1} {
        error "$target: [llength $found] files fit $args, wanted one"
    }
    file copy -force [lindex $found 0] $target
    say "$target from [lindex $found 0]"
}

perform bitstream {
    open_project ./project/cnnaccel.xpr
    if {[string match "write_bitstream*" [get_property STATUS [get_runs impl_1]]]} {
        renew impl_1 -from_step write_bitstream
    }
    say "write_bitstream"
    complete impl_1 write_bitstream -to_step write_bitstream
    collect cnnaccel.bit project/cnnaccel.runs/impl_1/cnnaccel_wrapper.bit
    # The first since 2020.2.
    collect cnnaccel.hwh \
        project/cnnaccel.gen/sources_1/bd/cnnaccel/hw_handoff/cnnaccel.hwh \
        project/cnnaccel.srcs/sources_1/bd/cnnaccel/hw_handoff/cnnaccel.hwh
    close_project
}
