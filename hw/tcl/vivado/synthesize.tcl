# SPDX-License-Identifier: Apache-2.0
#
# Step synthesize: run synth_1, with the runs of the IPs that it waits for.

source [file join [file dirname [file normalize [info script]]] common.tcl]

perform synthesize {
    open_project ./project/cnnaccel.xpr
    renew *synth_1
    say "synth_design with $jobs jobs"
    complete synth_1 synth_design
    close_project
}
