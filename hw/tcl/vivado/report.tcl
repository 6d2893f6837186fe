# SPDX-License-Identifier: Apache-2.0
#
# Step report: Vivado's reports in ./reports; of them, as lines `key value`, the numbers that we
# need in summary.txt; in paths.txt the worst paths that fail, as lines
# `<setup or hold> <slack ns> <delay ns> <levels of logic> <start> <end>`.

source [file join [file dirname [file normalize [info script]]] common.tcl]

# The first number in the row of a table of `report_utilization` or `report_power`, which may have
# a note in parentheses, as `(Junction temp exceeded!)`.
proc cell_of {text row file} {
    set note {(?:\([^|]*\)\s*)?}
    if {![regexp -line "^\\|\\s*$row\\s*\\|\\s*(\[\\d.\]+)\\s*$note\\|" $text all number]} {
        error "reports/$file has no row '$row'"
    }
    return $number
}

# The rows of a family's table; logic: what the family calls a block of logic.
proc utilization_of {text logic} {
    foreach {key row} [list \
        lut "$logic LUTs\\*?" \
        lutram "LUT as Memory" \
        ff "$logic Registers" \
        bram36 "Block RAM Tile" \
        dsp "DSPs"] {
        lappend numbers $key [cell_of $text $row utilization.rpt]
    }
    return $numbers
}

# The row under the heading of the design's timing summary: worst and total slack in ns, of setup,
# hold, and the width of pulses.
proc timing_of {text} {
    if {![regexp {WNS\(ns\)[^\n]*\n[ -]+\n([^\n]+)} $text all row] || [llength $row] < 12} {
        error "reports/timing.rpt has no design timing summary"
    }
    lassign $row wns tns failing endpoints whs ths failing_hold - wpws - failing_pulse
    foreach slack [list $wns $whs] {
        if {![regexp {^-?\d+(\.\d+)?$} $slack]} {
            error "reports/timing.rpt knows no slack (WNS $wns, WHS $whs): is there a clock?"
        }
    }
    return [list wns $wns tns $tns failing_endpoints $failing endpoints $endpoints \
        whs $whs ths $ths failing_hold_endpoints $failing_hold \
        wpws $wpws failing_pulse_endpoints $failing_pulse]
}

# The ten worst paths of a kind that fail.
proc failing_paths {kind delay_type} {
    set lines {}
    foreach path [get_timing_paths -delay_type $delay_type -max_paths 10 -slack_lesser_than 0] {
        lappend lines [join [list $kind [get_property SLACK $path] \
            [get_property DATAPATH_DELAY $path] [get_property LOGIC_LEVELS $path] \
            [get_property STARTPOINT_PIN $path] [get_property ENDPOINT_PIN $path]] " "]
    }
    return $lines
}

perform report {
    source [file join $scripts ps_$config(family).tcl]
    open_project ./project/cnnaccel.xpr
    say "opening the routed design"
    set chosen [implemented]
    open_run [one "run to take" [get_runs -quiet [dict get $chosen run]]]
    file mkdir reports
    say "utilization, timing, power, clocks"
    report_utilization -file reports/utilization.rpt
    report_timing_summary -delay_type min_max -max_paths 10 -file reports/timing.rpt
    report_power -file reports/power.rpt
    report_clocks -file reports/clocks.rpt

    set summary [utilization_of [read_text reports/utilization.rpt] $ps(logic)]
    lappend summary {*}[timing_of [read_text reports/timing.rpt]]
    lappend summary power_w \
        [cell_of [read_text reports/power.rpt] {Total On-Chip Power \(W\)} power.rpt]
    set name $ps(clock_of_logic)
    set period [get_property PERIOD [one "clock $name" [get_clocks -quiet $name]]]
    lappend summary period_ns $period clock_mhz [format %.3f [expr {1000.0 / $period}]]
    lappend summary {*}$chosen
    lappend summary vivado [version -short] part $config(part) digest $config(digest)
    set lines {}
    foreach {key value} $summary {
        lappend lines "$key $value"
    }
    write_lines reports/summary.txt $lines
    write_lines reports/paths.txt [concat [failing_paths setup max] [failing_paths hold min]]
    close_project
}
