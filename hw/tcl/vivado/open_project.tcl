# SPDX-License-Identifier: Apache-2.0
#
# The project of a build, to look at and to change; in the folder of the build:
#
#   vivado -source tcl/open_project.tcl
#
# A build that has ended keeps no project, so step design makes it anew, from ./ip and ./config.tcl:
# minutes. What was placed and routed is in ./routed.dcp, for `open_checkpoint`.

set here [file dirname [file normalize [info script]]]
if {![file exists project/cnnaccel.xpr]} {
    set argv {config.tcl 1}
    source [file join $here design.tcl]
}
open_project ./project/cnnaccel.xpr
open_bd_design [get_files cnnaccel.bd]
puts "cnnaccel: project/cnnaccel.xpr is open; launch_runs impl_1 -to_step write_bitstream builds it"
