# SPDX-License-Identifier: Apache-2.0
#
# Of no foundry: cells counted in NAND2, memories black boxes. Enough for yosys.tcl alone.

array set technology {
    liberty  cnnaccel_generic.lib
    tie_high {TIE1 Y}
    tie_low  {TIE0 Y}
}
