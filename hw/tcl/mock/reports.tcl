# SPDX-License-Identifier: Apache-2.0
#
# Reports in the form of Vivado's. Their numbers are made up, or come from the environment.

mock::define open_run {} {run} {
    need open_run $run run
    if {
        ![regexp {^(synth_design|route_design|write_bitstream|.*[Pp]ost.[Rr]oute.*) Complete} \
            $s(value,$run,STATUS)]
    } {
        refuse "Vivado 12-1" "open_run $run: it is '$s(value,$run,STATUS)'."
    }
    set s(open) $run
    set name [expr {[family_of $s(part)] eq "zynq" ? "clk_fpga_0" : "clk_pl_0"}]
    create clock $name [list NAME $name PERIOD [format %.3f [expr {1000.0 / [made_clock]}]]]
    return $run
}

# In MHz, of the processing system.
proc mock::made_clock {} {
    variable s
    foreach cell [objects cell] {
        switch -- [dict get $s(ip,$cell) type] {
            processing_system7 {return [config_of $cell PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ]}
            zynq_ultra_ps_e {
                return [config_of $cell PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ]
            }
        }
    }
}

proc mock::need_open {} {
    variable s
    if {![info exists s(open)]} {
        refuse "Common 17-53" "no run is open."
    }
}

# Cells of the wrapper: the design, and in it one for each of the block design's.
mock::define get_cells {-quiet flag} {pattern} {
    need_open
    set found {}
    foreach cell [objects cell] {
        set path $s(design)_i$cell
        if {[string match $pattern $path]} {
            lappend found [create netlist_cell $path]
        }
    }
    return [answer $opt(-quiet) cell $pattern $found]
}

mock::define get_clocks {-quiet flag} {pattern} {
    need_open
    return [answer $opt(-quiet) clock $pattern [objects clock [list $pattern]]]
}

mock::define get_timing_paths {
    -delay_type {max min min_max} -max_paths positive -slack_lesser_than number
} {} {
    need_open
    set slack [slack $s(open) [expr {$opt(-delay_type) eq "min" ? "WHS" : "WNS"}]]
    set paths {}
    set most [expr {$opt(-max_paths) eq "" ? 1 : $opt(-max_paths)}]
    for {set i 0} {$i < $most} {incr i} {
        set worse [format %.3f [expr {$slack + 0.01 * $i}]]
        if {$opt(-slack_lesser_than) ne "" && $worse >= $opt(-slack_lesser_than)} {
            break
        }
        set cell cnnaccel_i/engine/inst/u_engine
        lappend paths [create path path_$opt(-delay_type)_$i [list SLACK $worse \
            DATAPATH_DELAY [format %.3f [expr {1000.0 / [made_clock] - $worse}]] \
            LOGIC_LEVELS [expr {12 - $i}] STARTPOINT_PIN $cell/mock_from_reg\[$i\]/C \
            ENDPOINT_PIN $cell/mock_to_reg\[$i\]/D]]
    }
    return $paths
}

proc mock::heading {title} {
    variable s
    return "Made by cnnaccel's mock of Vivado, in the form of its reports.\n[string repeat - 90]
| Tool Version : Vivado v.[release] (mock: no number here is a measurement)
| Design       : cnnaccel_wrapper
| Device       : $s(part)
| Command      : $title
[string repeat - 90]\n\n"
}

proc mock::report_file {path title text} {
    need_open
    if {$path eq ""} {
        refuse "Common 17-1" "$title: -file is wanted."
    }
    write_text $path [heading $title]$text
}

# What a test wants, else what build-hw predicts of its engine, else a number.
proc mock::figure {name default} {
    if {[file exists predicted.txt]} {
        set default [dict get [read_text predicted.txt] [string tolower $name]]
    }
    return [setting $name $default]
}

# What build-hw says that the device has, else a number.
proc mock::device_has {name default} {
    if {![file exists predicted.txt]} {
        return $default
    }
    return [dict get [read_text predicted.txt] available_[string tolower $name]]
}

# A table with a heading, as Vivado draws it.
proc mock::drawn {rows} {
    set widths {}
    foreach row $rows {
        set i 0
        foreach cell $row {
            set before [expr {$i < [llength $widths] ? [lindex $widths $i] : 0}]
            set widths [lreplace $widths $i $i [expr {max($before, [string length $cell])}]]
            incr i
        }
    }
    set rule +
    foreach width $widths {
        append rule [string repeat - [expr {$width + 2}]] +
    }
    set lines [list $rule]
    foreach row $rows {
        set line ""
        foreach cell $row width $widths {
            append line "| [format %-${width}s $cell] "
        }
        lappend lines "$line|"
        if {[llength $lines] == 2} {
            lappend lines $rule
        }
    }
    return [join [lappend lines $rule] \n]
}

mock::define report_utilization {-file value -cells value} {} {
    if {$opt(-cells) ne ""} {
        need "report_utilization -cells" $opt(-cells) netlist_cell
    }
    set text ""
    if {[setting NO_TABLE ""] eq ""} {
        set text [utilization]
    }
    report_file $opt(-file) report_utilization $text
    return
}

proc mock::utilization {} {
    variable s
    set luts [device_has LUT 53200]
    set memories [device_has LUTRAM 17400]
    set registers [device_has FF 106400]
    set brams [device_has BRAM36 140]
    set dsps [device_has DSP 220]
    set logic [expr {[family_of $s(part)] eq "zynq" ? "Slice" : "CLB"}]
    set since [since 2021.1]
    set text ""
    foreach {title rows} [list "1. $logic Logic" [list \
        "$logic LUTs" [figure LUT 15000] $luts "  LUT as Logic" 13700 $luts \
        "  LUT as Memory" [setting LUTRAM 1300] $memories \
        "$logic Registers" [setting FF 20000] $registers] \
        "2. Memory" [list "Block RAM Tile" [figure BRAM36 99.5] $brams] \
        "3. DSP" [list DSPs [figure DSP 144] $dsps]] {
        set table [list [expr {
            $since ? {"Site Type" Used Fixed Prohibited Available Util%}
            : {"Site Type" Used Fixed Available Util%}
        }]]
        foreach {name used most} $rows {
            set share [format %.2f [expr {100.0 * $used / $most}]]
            lappend table [expr {
                $since ? [list $name $used 0 0 $most $share]
                : [list $name $used 0 $most $share]
            }]
        }
        append text "$title\n[string repeat - [string length $title]]\n\n[drawn $table]\n\n\n"
    }
    return $text
}

mock::define report_timing_summary {
    -delay_type {min_max max min} -max_paths positive -file value
} {} {
    need_open
    set wns [slack $s(open) WNS]
    set whs [slack $s(open) WHS]
    set wpws [setting WPWS 3.75]
    set names {WNS(ns) TNS(ns) "TNS Failing Endpoints" "TNS Total Endpoints" WHS(ns) THS(ns)
        "THS Failing Endpoints" "THS Total Endpoints" WPWS(ns) TPWS(ns) "TPWS Failing Endpoints"
        "TPWS Total Endpoints"}
    set values [list [format %.3f $wns] [format %.3f [expr {$wns < 0 ? 10 * $wns : 0}]] \
        [expr {$wns < 0 ? 10 : 0}] 41000 [format %.3f $whs] \
        [format %.3f [expr {$whs < 0 ? 10 * $whs : 0}]] [expr {$whs < 0 ? 10 : 0}] 41000 \
        [format %.3f $wpws] [format %.3f [expr {min(0, $wpws)}]] [expr {$wpws < 0}] 17000]
    set lines {"" "" ""}
    foreach name $names value $values {
        set width [expr {max(12, [string length $name])}]
        lset lines 0 "[lindex $lines 0][format %${width}s $name]  "
        set dashes [string repeat - [string length $name]]
        lset lines 1 "[lindex $lines 1][format %${width}s $dashes]  "
        lset lines 2 "[lindex $lines 2][format %${width}s $value]  "
    }
    set rule [string repeat - 96]
    report_file $opt(-file) report_timing_summary \
        "$rule\n| Design Timing Summary\n| ---------------------\n$rule\n\n[join $lines \n]\n\n"
    return
}

mock::define report_power {-file value} {} {
    set total [setting POWER 1.9]
    report_file $opt(-file) report_power "1. Summary\n----------\n\n[drawn [list \
        [list {Total On-Chip Power (W)} $total] [list {Design Power Budget (W)} Unspecified*] \
        [list {Dynamic (W)} [expr {$total - 0.15}]] [list {Device Static (W)} 0.15] \
        [list {Confidence Level} Low]]]\n"
    return
}

mock::define report_clocks {-file value} {} {
    set text "Clock Report\n\nClock       Period(ns)  Waveform(ns)   Attributes  Sources\n"
    foreach clock [objects clock] {
        set period $s(value,$clock,PERIOD)
        append text [format "%-10s  %-10s  {0.000 %.3f}  P           {}\n" $clock $period \
            [expr {$period / 2.0}]]
    }
    report_file $opt(-file) report_clocks $text
    return
}
