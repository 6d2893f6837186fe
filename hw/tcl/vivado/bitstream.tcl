# SPDX-License-Identifier: Apache-2.0
#
# Step bitstream: ./cnnaccel.bit, the .hwh beside it that pynq reads, and ./cnnaccel.xsa with both,
# for boot images and PetaLinux. Of the run that step implement chose.

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
    set run [one "run to take" [get_runs -quiet [dict get [implemented] run]]]
    # Also what a kill left half way, which may call itself running, failed, or nothing known.
    if {![has_ended $run $routed_steps]} {
        renew $run -from_step write_bitstream
    }
    say "write_bitstream of $run"
    complete $run write_bitstream -to_step write_bitstream
    collect cnnaccel.bit project/cnnaccel.runs/$run/cnnaccel_wrapper.bit
    # The first since 2020.2.
    collect cnnaccel.hwh \
        project/cnnaccel.gen/sources_1/bd/cnnaccel/hw_handoff/cnnaccel.hwh \
        project/cnnaccel.srcs/sources_1/bd/cnnaccel/hw_handoff/cnnaccel.hwh
    say "cnnaccel.xsa"
    current_run -implementation $run
    write_hw_platform -fixed -include_bit -force -file ./cnnaccel.xsa
    close_project
}
