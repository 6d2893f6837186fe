# SPDX-License-Identifier: Apache-2.0
#
# Step implement: run impl_1 as far as routing; where a slack is negative, run impl_2 once, with
# another strategy. In implemented.txt, as lines `key value`: the run to go on with, its strategy,
# and of each run `strategy_N`, `wns_N`, `whs_N`.

source [file join [file dirname [file normalize [info script]]] common.tcl]

# Strategy and worst slacks of a run, of setup and hold, in ns.
proc outcome_of {name} {
    set run [one "run $name" [get_runs $name]]
    foreach property {STATS.WNS STATS.WHS} {
        set slack [get_property $property $run]
        if {![regexp {^-?\d+(\.\d+)?(e-?\d+)?$} $slack]} {
            error "run $name has no slack ($property is '$slack'): is the clock constrained?"
        }
        lappend slacks $slack
    }
    return [list [get_property STRATEGY $run] {*}$slacks]
}

proc worst_of {outcome} {
    lassign $outcome strategy wns whs
    return [expr {min($wns, $whs)}]
}

perform implement {
    open_project ./project/cnnaccel.xpr
    file delete implemented.txt
    renew impl_1
    say "opt_design to route_design"
    complete impl_1 route_design -to_step route_design
    set used impl_1
    set outcomes [list [outcome_of impl_1]]
    if {[worst_of [lindex $outcomes 0]] < 0} {
        lassign [lindex $outcomes 0] strategy wns whs
        say "setup slack $wns ns, hold slack $whs ns by $strategy; once more by $second_strategy"
        if {[llength [get_runs -quiet impl_2]] == 0} {
            create_run impl_2 -parent_run synth_1 -strategy $second_strategy \
                -flow [get_property FLOW [one "run impl_1" [get_runs impl_1]]]
        }
        renew impl_2
        confirm [one "run impl_2" [get_runs impl_2]] [list STRATEGY $second_strategy]
        # To the last step before the bitstream, whose name differs between versions.
        complete impl_2 $routed_steps
        lappend outcomes [outcome_of impl_2]
        lassign [lindex $outcomes 1] strategy wns whs
        say "setup slack $wns ns, hold slack $whs ns by $strategy"
        if {[worst_of [lindex $outcomes 1]] > [worst_of [lindex $outcomes 0]]} {
            set used impl_2
        }
    }
    set number 0
    set lines {}
    foreach outcome $outcomes {
        incr number
        foreach key {strategy wns whs} value $outcome {
            lappend lines "${key}_$number $value"
        }
        if {$used eq "impl_$number"} {
            set lines [linsert $lines 0 "run $used" "strategy [lindex $outcome 0]"]
        }
    }
    write_lines implemented.txt $lines
    close_project
}
