# SPDX-License-Identifier: Apache-2.0
#
# TUL PYNQ-Z2: its processing system, memory and pins are as on the PYNQ-Z1. So PYNQ's image has
# them: boards/Pynq-Z2/petalinux_bsp/hardware_project/pynqz2.tcl of Xilinx/PYNQ (BSD-3-Clause) has
# the same values as pynqz1.tcl.

source [file join $scripts boards pynq_z1.tcl]
set preset(part) xc7z020clg400
set preset(dram_bytes) 0x20000000
