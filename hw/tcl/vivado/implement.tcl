# SPDX-License-Identifier: Apache-2.0
#
# Step implement: run impl_1 as far as routing.

source [file join [file dirname [file normalize [info script]]] common.tcl]

perform implement {
    open_project ./project/cnnaccel.xpr
    renew impl_1
    say "opt_design to route_design"
    complete impl_1 route_design -to_step route_design
    close_project
}
