# SPDX-License-Identifier: Apache-2.0
#
# The command line, the log, the interpreter of the script, and the ways in which tests want it to
# fail, as variables of the environment:
#
#   CNNACCEL_MOCK_VERSION  instead of 2020.1        CNNACCEL_MOCK_CRASH    the step to die in
#   CNNACCEL_MOCK_SECONDS  that each step takes     CNNACCEL_MOCK_NO_TABLE 1: no utilization table
#   CNNACCEL_MOCK_USED     a file that takes the names of the commands that were called
#   CNNACCEL_MOCK_WNS, _WHS, _WPWS, _LUT, _FF, _BRAM36, _DSP, _POWER   numbers of the reports;
#                          of LUT, BRAM36, DSP else those that build-hw leaves in predicted.txt
#   CNNACCEL_MOCK_WNS_2, _WHS_2  slacks of the second run, else those of the first
#   CNNACCEL_MOCK_DROPPED  `NAME=VALUE ...`: parameters of cells that keep VALUE, whatever is set
#   CNNACCEL_MOCK_CHANGED  the same, from validation on
#   CNNACCEL_MOCK_LEFT_OUT what the packager leaves out: names of sources, parameters,
#                          INTERFACE:PARAMETER, space:NAME, include:SOURCE

namespace eval mock {
    variable log ""
    variable script ""
    variable used
    array set used {}
    # Where a step spends its time: there it is slow, and there it dies.
    variable slow {
        package ipx::package_project
        design validate_bd_design
        synthesize wait_on_run
        implement wait_on_run
        bitstream wait_on_run
        report report_timing_summary
    }
    # What a script may not define a procedure as.
    variable taken {}
    variable newer_than_8.5 {lmap try throw tailcall coroutine yield yieldto zlib}
}

# A variable of the environment, or what it is without.
proc mock::setting {name default} {
    if {[info exists ::env(CNNACCEL_MOCK_$name)] && $::env(CNNACCEL_MOCK_$name) ne ""} {
        return $::env(CNNACCEL_MOCK_$name)
    }
    return $default
}

proc mock::release {} {
    setting VERSION 2020.1
}

# Whether this release is a given one or a later one.
proc mock::since {release} {
    expr {[package vcompare [release] $release] >= 0}
}

# A line on the screen and in the log.
proc mock::print {line} {
    variable log
    puts stdout $line
    if {$log ne ""} {
        puts $log $line
    }
}

# What a command does that is not as Vivado wants it: the reason, then the error of the script.
proc mock::refuse {id message} {
    variable command
    print "ERROR: \[$id\] $message"
    error "\[Common 17-39\] '$command' failed due to earlier errors."
}

proc mock::main {arguments} {
    variable script
    variable log
    fconfigure stdout -buffering line
    set options [command_line $arguments]
    set script [dict get $options -source]
    if {[dict exists $options -log]} {
        set log [open [dict get $options -log] w]
        fconfigure $log -buffering line
    }
    print "****** Vivado v[release] (mock)"
    print "  **** cnnaccel's mock of Vivado: nothing that it makes is a design or a measurement"
    if {![file readable $script]} {
        print "ERROR: \[Common 17-1\] cannot read $script"
        leave 1
    }
    set child [interpreter]
    $child eval [list set argv [dict get $options -tclargs]]
    $child eval [list set argc [llength [dict get $options -tclargs]]]
    if {[catch {$child eval [list source $script]} message]} {
        print "ERROR: $message"
        leave 1
    }
    leave 0
}

proc mock::leave {code} {
    variable log
    variable used
    if {[setting USED ""] ne ""} {
        set file [open [setting USED ""] a]
        puts $file [join [lsort [array names used]] \n]
        close $file
    }
    if {$log ne ""} {
        puts $log "INFO: \[Common 17-206\] Exiting Vivado (mock)"
        close $log
    }
    exit $code
}

proc mock::command_line {arguments} {
    set options [dict create -tclargs {}]
    set known {-mode 1 -source 1 -log 1 -nojournal 0 -notrace 0 -version 0}
    for {set i 0} {$i < [llength $arguments]} {incr i} {
        set name [lindex $arguments $i]
        if {$name eq "-tclargs"} {
            dict set options -tclargs [lrange $arguments [expr {$i + 1}] end]
            break
        }
        if {![dict exists $known $name]} {
            give_up "unknown option '$name'"
        }
        dict set options $name 1
        if {[dict get $known $name]} {
            if {[incr i] >= [llength $arguments]} {
                give_up "$name wants a value"
            }
            dict set options $name [lindex $arguments $i]
        }
    }
    if {[dict exists $options -version]} {
        puts "Vivado v[release] (64-bit, mock)"
        puts "cnnaccel's mock of Vivado: nothing that it makes is a design or a measurement"
        exit 0
    }
    if {![dict exists $options -mode] || [dict get $options -mode] ne "batch"} {
        give_up "only -mode batch is known"
    }
    if {![dict exists $options -source]} {
        give_up "-source is missing"
    }
    return $options
}

# End over the command line.
proc mock::give_up {message} {
    puts stderr "ERROR: vivado (mock): $message"
    exit 1
}

# The Tcl of the script: Vivado's commands beside those of Tcl 8.5.
proc mock::interpreter {} {
    variable commands
    variable newer_than_8.5
    set child [interp create]
    foreach name ${newer_than_8.5} {
        catch {$child eval [list rename $name {}]}
    }
    foreach name [array names commands] {
        if {[string match *::* $name]} {
            $child eval [list namespace eval [namespace qualifiers $name] {}]
        }
        interp alias $child $name {} mock::call $name
    }
    variable taken
    variable vivado_commands
    set taken [concat [$child eval {info commands}] [array names commands] $vivado_commands]
    $child eval {rename proc tcl_proc}
    interp alias $child proc {} mock::child_proc $child
    $child eval {rename puts tcl_puts}
    interp alias $child puts {} mock::child_puts $child
    interp alias $child exit {} mock::leave
    return $child
}

# The child's `proc`: a name of Tcl's or Vivado's would take the place of the command.
proc mock::child_proc {child name arguments body} {
    variable taken
    if {[string trimleft $name :] in $taken} {
        print "ERROR: \[Common 17-1\] proc $name: Tcl or Vivado has a command of this name."
        error "proc $name: Tcl or Vivado has a command of this name"
    }
    $child eval [list tcl_proc $name $arguments $body]
}

# The child's `puts`: what goes to the screen goes to the log too.
proc mock::child_puts {child args} {
    if {[llength $args] == 1} {
        print [lindex $args 0]
        return
    }
    $child eval [list tcl_puts {*}$args]
}

# Take the time that a test wants, or die.
proc mock::linger {name} {
    variable slow
    variable script
    variable log
    set step [file rootname [file tail $script]]
    if {![dict exists $slow $step] || [dict get $slow $step] ne $name} {
        return
    }
    if {[setting CRASH ""] eq $step} {
        print "INFO: \[Common 17-1\] $name: this mock dies here, as it was told to"
        if {$log ne ""} {
            puts -nonewline $log "Abnormal program term"
            flush $log
        }
        puts stderr "Abnormal program termination (11)"
        exit 11
    }
    after [expr {int(1000 * [setting SECONDS 0])}]
}
