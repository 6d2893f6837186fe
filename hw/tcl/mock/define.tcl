# SPDX-License-Identifier: Apache-2.0
#
# How a command of Vivado is defined, and how its arguments are checked.
#
#   mock::define NAME {-option flag|value|integer|positive ...} {required ?optional rest...} BODY
#
# The body finds options in the array `opt`; a value that was not given is "".

namespace eval mock {
    variable commands
    array set commands {}
    variable command ""
}
proc mock::define {name options positional body} {
    variable commands
    set commands($name) [list $options $positional]
    set variables {}
    foreach word $positional {
        lappend variables [string trim $word ?.]
    }
    set prologue {
        array set opt $given
        variable s
    }
    # tclint-disable-next-line command-args
    proc [body_of $name] [concat given $variables] $prologue$body
}

# Call a command for the script.
proc mock::call {name args} {
    variable commands
    variable command
    variable used
    set command $name
    incr used($name)
    lassign $commands($name) options positional
    set arguments [parse $name $options $positional $args]
    linger $name
    [body_of $name] {*}$arguments
}

proc mock::body_of {name} {
    return ::mock::do_[string map {:: __} $name]
}

# Options as one list, then the positional arguments.
proc mock::parse {name options positional arguments} {
    set given {}
    foreach {option kind} $options {
        lappend given $option [expr {$kind eq "flag" ? 0 : ""}]
    }
    array set values $given
    set rest {}
    for {set i 0} {$i < [llength $arguments]} {incr i} {
        set word [lindex $arguments $i]
        if {![regexp {^-[a-z]} $word]} {
            lappend rest $word
            continue
        }
        if {![dict exists $options $word]} {
            usage "\[Common 17-170\] Unknown option '$word', please type '$name -help'."
        }
        set kind [dict get $options $word]
        if {$kind eq "flag"} {
            set values($word) 1
            continue
        }
        if {[incr i] >= [llength $arguments]} {
            usage "\[Common 17-167\] $name: option '$word' needs a value."
        }
        set values($word) [of_kind $name $word $kind [lindex $arguments $i]]
    }
    return [concat [list [array get values]] [placed $name $positional $rest]]
}

proc mock::usage {message} {
    print "ERROR: $message"
    error $message
}

proc mock::of_kind {name option kind value} {
    switch -- $kind {
        positive {set sound [expr {[string is integer -strict $value] && $value > 0}]}
        number {set sound [string is double -strict $value]}
        hex {set sound [expr {[string is wideinteger -strict $value] && $value >= 0}]}
        value {set sound [expr {$value ne ""}]}
        any {set sound 1}
        default {set sound [expr {$value in $kind}]}
    }
    if {!$sound} {
        set message "\[Common 17-69\] $name: '$value' is no value of '$option'."
        usage $message
    }
    return $value
}

# Positional arguments, one for each of the variables.
proc mock::placed {name positional rest} {
    set result {}
    foreach word $positional {
        if {[string match *... $word]} {
            lappend result $rest
            set rest {}
        } elseif {[llength $rest] > 0} {
            lappend result [lindex $rest 0]
            set rest [lrange $rest 1 end]
        } elseif {[string match {\?*} $word]} {
            lappend result ""
        } else {
            set message "\[Common 17-163\] Missing value for parameter '$word' of $name."
            usage $message
        }
    }
    if {[llength $rest] > 0} {
        set message "\[Common 17-165\] Too many positional options of $name: '[lindex $rest 0]'."
        usage $message
    }
    return $result
}
