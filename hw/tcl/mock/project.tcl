# SPDX-License-Identifier: Apache-2.0
#
# Projects and runs. A project lies in its .xpr and, for the mock, in mock.state beside it.

mock::define version {-short flag} {} {
    return [expr {$opt(-short) ? "[release]_mock" : "Vivado v[release] (mock)"}]
}

# The family of a part by its name, or nothing for what is none.
proc mock::family_of {part} {
    foreach {family pattern} {
        zynq {^xc7z\d{3}s?[a-z]{3}\d{3,4}-[123]$}
        zynquplus {^xc(zu\d+(cg|eg|ev)|k\d+)-[a-z]{4}\d{3,4}-[123](L|LV)?-[cei]$}
    } {
        if {[regexp $pattern $part]} {
            return $family
        }
    }
}

mock::define get_parts {-quiet flag} {pattern} {
    return [expr {[family_of $pattern] ne "" ? $pattern : ""}]
}

mock::define create_project {-part value -force flag} {name directory} {
    if {$s(project) ne ""} {
        refuse "Common 17-53" "create_project: project '$s(project)' is open."
    }
    if {[do_get_parts {} $opt(-part)] eq ""} {
        refuse "Coretcl 2-106" "Specified part could not be found: '$opt(-part)'."
    }
    set xpr [file join $directory $name.xpr]
    if {[file exists $xpr] && !$opt(-force)} {
        refuse "Coretcl 2-1" "create_project: $xpr exists; -force replaces it."
    }
    array unset s
    array set s [list project $name part $opt(-part) directory [file normalize $directory] \
        design "" current impl_1 validated 0 generated 0 assigned {} excluded {} catalog {}]
    file mkdir $directory
    create project $name [list NAME $name PART $opt(-part) DIRECTORY $s(directory)]
    create fileset sources_1 {NAME sources_1 TOP ""}
    create_run synth_1 "Vivado Synthesis Defaults"
    create_run impl_1 "Vivado Implementation Defaults"
    save_project
    return $name
}

mock::define open_project {} {path} {
    if {$s(project) ne ""} {
        refuse "Common 17-53" "open_project: project '$s(project)' is open."
    }
    set state [file join [file dirname $path] mock.state]
    if {![file exists $path] || ![file exists $state]} {
        refuse "Coretcl 2-27" "open_project: there is no project $path."
    }
    set file [open $state]
    array unset s
    array set s [read $file]
    close $file
    return $s(project)
}

mock::define close_project {} {} {
    need_project
    unset -nocomplain s(open)
    save_project
    array unset s
    set s(project) ""
    return
}

mock::define current_project {} {} {
    need_project
    return $s(project)
}

mock::define current_fileset {} {} {
    need_project
    return sources_1
}

mock::define update_compile_order {-fileset value} {} {
    need_project
    need "update_compile_order -fileset" $opt(-fileset) fileset
    return
}

# The .xpr, and all that there is.
proc mock::save_project {} {
    variable s
    write_text [file join $s(directory) $s(project).xpr] [subst {<?xml version="1.0"?>
<!-- Made by cnnaccel's mock of Vivado: no project. -->
<Project Version="7" Minor="49" Path="$s(project).xpr"><DefaultLaunch Dir=""/></Project>
}]
    write_text [file join $s(directory) mock.state] [array get s]
}

proc mock::write_text {path text} {
    file mkdir [file dirname $path]
    set file [open $path w]
    puts -nonewline $file $text
    close $file
}

proc mock::read_text {path} {
    set file [open $path]
    set text [read $file]
    close $file
    return $text
}

# ---- runs ----------------------------------------------------------------------------------------

proc mock::create_run {name strategy} {
    variable s
    set kind [expr {[string match impl* $name] ? "Implementation" : "Synthesis"}]
    return [create run $name [list NAME $name STATUS "Not started" PROGRESS 0% STRATEGY $strategy \
        FLOW "Vivado $kind [lindex [split [release] .] 0]" STATS.WNS "" STATS.WHS "" \
        DIRECTORY [file join $s(directory) $s(project).runs $name]]]
}

mock::define create_run {
    -parent_run value -flow value -strategy {
        Performance_Explore Performance_ExplorePostRoutePhysOpt Performance_Retiming
        "Vivado Implementation Defaults"
    }
} {name} {
    need_project
    need "create_run -parent_run" $opt(-parent_run) run
    if {[info exists s(kind,$name)]} {
        refuse "Vivado 12-1" "create_run: there is a run '$name' already."
    }
    if {$opt(-flow) ne $s(value,impl_1,FLOW)} {
        refuse "Vivado 12-1" "create_run $name: this Vivado has no flow '$opt(-flow)'."
    }
    return [create_run $name $opt(-strategy)]
}

mock::define get_runs {-quiet flag} {name} {
    need_project
    return [answer $opt(-quiet) run $name [objects run [list $name]]]
}

mock::define current_run {-implementation flag} {run} {
    need current_run $run run
    if {!$opt(-implementation) || ![string match impl* $run]} {
        refuse "Vivado 12-1" "current_run: $run is no run of -implementation."
    }
    set s(current) $run
    return $run
}

mock::define reset_run {-from_step {write_bitstream}} {run} {
    need reset_run $run run
    if {$opt(-from_step) eq ""} {
        set_run $run "Not started" 0%
    } else {
        set_run $run [routed_status $run] 80%
    }
    return
}

# As a run says that it is routed; one that optimizes after routing, by version.
proc mock::routed_status {run} {
    variable s
    set end route_design
    if {[string match *PostRoutePhysOpt $s(value,$run,STRATEGY)]} {
        set end [expr {
            [since 2023.1] ? "post_route_phys_opt_design" : "phys_opt_design (Post-Route)"
        }]
    }
    return "$end Complete[expr {[slack $run WNS] < 0 ? ", Failed Timing" : ""}]!"
}

# A slack of a run, in ns: what a test wants, with _2 for a second run.
proc mock::slack {run name} {
    set default [setting $name [dict get {WNS 0.5 WHS 0.05} $name]]
    return [format %.3f [expr {$run eq "impl_2" ? [setting ${name}_2 $default] : $default}]]
}

# The engine is synthesized by a run of its own, which synth_1 waits for.
proc mock::engine_run {} {
    variable s
    foreach cell [objects cell] {
        if {[dict exists $s(ip,$cell) package]} {
            return $s(design)_[string range $cell 1 end]_0_synth_1
        }
    }
}

mock::define launch_runs {-jobs positive -to_step {route_design write_bitstream}} {runs...} {
    foreach run $runs {
        need launch_runs $run run
        if {$opt(-to_step) ne "" && ![string match impl_* $run]} {
            refuse "Vivado 12-1" "launch_runs $run: it has no step '$opt(-to_step)'."
        }
        need_fresh $run
        if {[string match impl_* $run]} {
            if {$s(value,synth_1,STATUS) ne "synth_design Complete!"} {
                refuse "Vivado 12-1" "launch_runs $run: synth_1 is '$s(value,synth_1,STATUS)'."
            }
            set s(target,$run) [expr {$opt(-to_step) eq "" ? "route_design" : $opt(-to_step)}]
        } else {
            set s(target,$run) synth_design
            set engine [engine_run]
            if {$engine ne ""} {
                if {![info exists s(kind,$engine)]} {
                    create_run $engine "Vivado Synthesis Defaults"
                }
                need_fresh $engine
                set_run $engine "Running synth_design..." 10%
            }
        }
        set_run $run "Running $s(target,$run)..." 10%
    }
    # A kill leaves the runs as they are now.
    save_project
    return
}

# A run that is under way, or has ended, badly or at the bitstream, has to be reset.
proc mock::need_fresh {run} {
    variable s
    set status $s(value,$run,STATUS)
    if {
        $s(value,$run,PROGRESS) eq "100%" || [string match Running* $status]
        || [string match *ERROR $status]
    } {
        refuse "Vivado 12-1088" "Run needs to be reset before launching. The run is '$run', its\
            status '$status'."
    }
}

mock::define wait_on_run {} {run} {
    need wait_on_run $run run
    if {![info exists s(target,$run)]} {
        refuse "Vivado 12-1" "wait_on_run $run: it was not launched."
    }
    set target $s(target,$run)
    set trouble [expr {$run eq "synth_1" ? [synthesis_trouble] : ""}]
    set folder $s(value,$run,DIRECTORY)
    write_text [file join $folder runme.log] "mock of Vivado: $target\n$trouble\n"
    if {$run eq "synth_1" && [engine_run] ne ""} {
        set_run [engine_run] "synth_design Complete!" 100%
    }
    if {$trouble ne ""} {
        print "ERROR: \[Synth 8-1\] $trouble"
        set_run $run "$target ERROR" 0%
    } elseif {$target eq "write_bitstream"} {
        write_bitstream [file join $folder cnnaccel_wrapper.bit]
        set_run $run "write_bitstream Complete!" 100%
    } elseif {$target eq "route_design"} {
        set_run $run [routed_status $run] 80%
        foreach name {WNS WHS} {
            set s(value,$run,STATS.$name) [slack $run $name]
        }
        set late [string match -nocase *post* [routed_status $run]]
        set stem cnnaccel_wrapper_[expr {$late ? "postroute_physopt" : "routed"}]
        write_text [file join $folder $stem.dcp] "mock of Vivado: $run\n"
    } else {
        set_run $run "$target Complete!" 100%
    }
    unset s(target,$run)
    save_project
    if {$trouble ne "" && [since 2021.2]} {
        refuse "Vivado 12-13638" "Failed runs(s) : '$run'"
    }
    return
}

proc mock::set_run {run status progress} {
    variable s
    set s(value,$run,STATUS) $status
    set s(value,$run,PROGRESS) $progress
}

mock::define write_hw_platform {-fixed flag -include_bit flag -force flag -file value} {} {
    need_project
    if {!$opt(-fixed) || !$opt(-include_bit)} {
        refuse "Common 17-69" "write_hw_platform: without -fixed the design wants the properties of\
            a platform; without -include_bit there is no bitstream in it."
    }
    if {[file extension $opt(-file)] ne ".xsa"} {
        refuse "Common 17-69" "write_hw_platform: '$opt(-file)' is no .xsa."
    }
    if {[file exists $opt(-file)] && !$opt(-force)} {
        refuse "Common 17-176" "write_hw_platform: $opt(-file) exists; -force replaces it."
    }
    if {$s(value,$s(current),STATUS) ne "write_bitstream Complete!"} {
        refuse "Vivado 12-1" "write_hw_platform: the current run $s(current) has no bitstream, it\
            is '$s(value,$s(current),STATUS)'."
    }
    write_text $opt(-file) "Made by cnnaccel's mock of Vivado: no hardware platform.\n[hwh]"
    return
}

# Why synthesis cannot succeed, or nothing.
proc mock::synthesis_trouble {} {
    variable s
    if {$s(value,sources_1,TOP) eq ""} {
        return "the fileset sources_1 has no top"
    }
    set top $s(value,sources_1,TOP)
    if {[llength [objects file [list $top.v]]] == 0} {
        return "no file of the project has module '$top'"
    }
    if {!$s(generated)} {
        return "module 'cnnaccel' not found: the block design was not generated"
    }
    foreach cell [objects cell] {
        if {[dict exists $s(ip,$cell) package]} {
            set trouble [elaboration_trouble $cell]
            if {$trouble ne ""} {
                return $trouble
            }
        }
    }
}

# The engine checks its parameters against its package when it is elaborated.
proc mock::elaboration_trouble {cell} {
    variable s
    set package [dict get $s(ip,$cell) package]
    foreach {parameter constant} {WordBytes InputLanes AddressBits AddressBits} {
        set got [config_of $cell $parameter]
        set wanted [dict get $package constants $constant]
        if {$got != $wanted} {
            return "$cell: $parameter is $got, its package says $constant = $wanted"
        }
    }
}
