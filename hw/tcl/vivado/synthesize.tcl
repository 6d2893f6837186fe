# SPDX-License-Identifier: Apache-2.0
#
# Step synthesize: run synth_1, with the runs of the IPs that it waits for; in ./reports what the
# engine takes, and the whole design.

source [file join [file dirname [file normalize [info script]]] common.tcl]

perform synthesize {
    open_project ./project/cnnaccel.xpr
    renew *synth_1
    say "synth_design with $jobs jobs"
    complete synth_1 synth_design
    say "utilization"
    open_run synth_1
    file mkdir reports
    set cell cnnaccel_i/$config(engine)
    report_utilization -cells [one "cell $cell" [get_cells -quiet $cell]] \
        -file reports/synthesized_engine.rpt
    report_utilization -file reports/synthesized.rpt
    close_project
}
