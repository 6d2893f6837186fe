# SPDX-License-Identifier: Apache-2.0
#
# What every step begins with. A step is one process of Vivado, started in the build folder:
#
#   vivado -mode batch -source <step>.tcl -tclargs <config.tcl> <jobs>
#
# It ends at the first error with a line `ERROR: [cnnaccel] <step>: ...` and exit code 1. Says what
# it does in lines `cnnaccel: <step>: ...`. Runs in Tcl 8.5, which Vivado 2020.1 has.

set first_version {2020 1}
set scripts [file dirname [file normalize [info script]]]
set step start
# Taken once where the first way of placing and routing leaves a slack negative.
set second_strategy Performance_ExplorePostRoutePhysOpt
# Last steps of a run that is routed. That after routing has two names, by version.
set routed_steps {
    route_design {phys_opt_design (Post-Route)} post_route_phys_opt_design
}

# A line of progress.
proc say {what} {
    global step
    puts "cnnaccel: $step: $what"
}

# Run the body of a step, and end with one line if it fails.
proc perform {name body} {
    global step
    set step $name
    if {[catch {run_body $body} message]} {
        puts "ERROR: \[cnnaccel\] $name: $message"
        exit 1
    }
    say "done"
}

# In the global scope, with `config` and `jobs`.
proc run_body {body} {
    global argv jobs
    check_version
    lassign $argv file jobs
    if {[llength $argv] != 2 || ![string is integer -strict $jobs] || $jobs < 1} {
        error "wants -tclargs <config.tcl> <jobs>, got '$argv'"
    }
    uplevel #0 [list source $file]
    uplevel #0 $body
}

proc check_version {} {
    global first_version
    set found [version -short]
    if {![regexp {^(\d+)\.(\d+)} $found all year release]} {
        error "this Vivado calls itself '$found'; wanted is a version like 2020.1"
    }
    lassign $first_version first_year first_release
    if {$year < $first_year || ($year == $first_year && $release < $first_release)} {
        error "this is Vivado $found; the scripts need [join $first_version .] or later"
    }
}

# That this Vivado has its own files of the board, and that it is a board with our part.
proc check_board {} {
    global config
    set wanted $config(board_part)
    if {$wanted eq ""} {
        return
    }
    set board [get_board_parts -quiet $wanted]
    if {[llength $board] == 0} {
        set others [lsort [get_board_parts -quiet *:[lindex [split $wanted :] 1]:*]]
        if {[llength $others] > 0} {
            error "this Vivado has no files of board $wanted, but of [join $others {, }]: set\
                board_part to one of them"
        }
        error "this Vivado has no files of board $wanted; Tools, Vivado Store, Boards adds those of\
            many, and board.repoPaths names a folder with others"
    }
    set part [get_property PART_NAME [one "board $wanted" $board]]
    if {$part ne $config(part)} {
        error "board $wanted has the part $part, wanted $config(part)"
    }
}

# The one object that a query has to find.
proc one {what objects} {
    if {[llength $objects] != 1} {
        error "$what: found [llength $objects] of it, wanted one"
    }
    return [lindex $objects 0]
}

# Take a run to the end of a step of it, or fail with what it says and where its log is.
proc complete {name ends args} {
    global jobs
    set run [one "run $name" [get_runs -quiet $name]]
    launch_runs $run {*}$args -jobs $jobs
    # Since 2021.2 this is an error if a run failed, before it is the status alone.
    catch {wait_on_run $run}
    set status [get_property STATUS $run]
    if {![has_ended $run $ends]} {
        set culprit $run
        foreach other [get_runs *] {
            if {[string match "*ERROR*" [get_property STATUS $other]]} {
                set culprit $other
            }
        }
        set log [file join [get_property DIRECTORY $culprit] runme.log]
        error "run $culprit ended with '[get_property STATUS $culprit]'; its log is $log"
    }
    say $status
}

# Whether the last that a run did is one of some steps, to its end; `Complete, Failed Timing!` is.
proc has_ended {run ends} {
    set status [get_property STATUS $run]
    foreach end $ends {
        if {[string match "$end Complete*" $status]} {
            return 1
        }
    }
    return 0
}

# Forget what runs did before, if they did anything: also those that a kill left under way.
proc renew {pattern args} {
    foreach run [get_runs -quiet $pattern] {
        if {[get_property STATUS $run] ne "Not started"} {
            reset_run {*}$args $run
        }
    }
}

# ---- what was set must be there ----------------------------------------------------------------

# Vivado drops the value of a parameter that others disable, with no more than the warning
# [IP_Flow 19-3374].
proc confirm {object settings} {
    set wrong {}
    foreach {name wanted} $settings {
        set found [get_property $name $object]
        if {![is_same $found $wanted]} {
            lappend wrong "$name is '$found', wanted '$wanted'"
        }
    }
    if {[llength $wrong] > 0} {
        error "$object does not keep what it was set to: [join $wrong {; }]"
    }
}

# As numbers where both are, for 100 comes back as 100.000000; as yes or no; as text in any case.
proc is_same {found wanted} {
    if {[string is double -strict $found] && [string is double -strict $wanted]} {
        return [expr {abs($found - $wanted) <= 1e-6 * abs($wanted)}]
    }
    if {[string is boolean -strict $found] && [string is boolean -strict $wanted]} {
        return [expr {!!$found == !!$wanted}]
    }
    return [string equal -nocase $found $wanted]
}

# ---- files of `key value` lines ----------------------------------------------------------------

proc read_text {path} {
    set file [open $path]
    set text [read $file]
    close $file
    return $text
}

proc write_lines {path lines} {
    set file [open $path w]
    foreach line $lines {
        puts $file $line
    }
    close $file
}

# What step implement left in implemented.txt, as a dictionary.
proc implemented {} {
    set found {}
    foreach line [split [string trim [read_text implemented.txt]] \n] {
        lassign [split $line] key
        dict set found $key [string range $line [string length $key]+1 end]
    }
    return $found
}
