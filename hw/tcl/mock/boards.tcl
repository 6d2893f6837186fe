# SPDX-License-Identifier: Apache-2.0
#
# Vivado's files of boards, and the automation that applies them: what each board is called, its
# part, its DRAM, and of its preset what the design could stumble over.
#
# From the boards' own files, board.xml and preset.xml, in Xilinx/XilinxBoardStore (boards/Digilent,
# Avnet, TUL, Xilinx) and Digilent/vivado-boards; of the ZedBoard, whose preset is built into
# processing_system7, and the Digilent PYNQ-Z1 from the board's manual.

namespace eval mock {
    # Name, versions, part, MiB of DRAM, parameters.
    variable boards {
        digilentinc.com:arty-z7-20 {1.0 1.1} xc7z020clg400-1 512
            {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50 PCW_FPGA0_PERIPHERAL_FREQMHZ 100}
        digilentinc.com:arty-z7-10 {1.0 1.1} xc7z010clg400-1 512
            {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50 PCW_FPGA0_PERIPHERAL_FREQMHZ 100}
        digilentinc.com:zybo-z7-20 {1.0 1.1 1.2} xc7z020clg400-1 1024
            {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 33.333333 PCW_APU_PERIPHERAL_FREQMHZ 667}
        avnet.com:zedboard {1.4} xc7z020clg484-1 512
            {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 33.333333 PCW_FPGA0_PERIPHERAL_FREQMHZ 100}
        digilentinc.com:zedboard {1.0 1.1} xc7z020clg484-1 512
            {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 33.333333 PCW_FPGA0_PERIPHERAL_FREQMHZ 100}
        em.avnet.com:zed {1.0 1.2 1.3 1.4} xc7z020clg484-1 512
            {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 33.333333 PCW_FPGA0_PERIPHERAL_FREQMHZ 100}
        www.digilentinc.com:pynq-z1 {1.0} xc7z020clg400-1 512 {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50}
        tul.com.tw:pynq-z2 {1.0} xc7z020clg400-1 512 {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50}
        avnet-tria:zedboard {1.5} xc7z020clg484-1 512
            {PCW_CRYSTAL_PERIPHERAL_FREQMHZ 33.333333 PCW_FPGA0_PERIPHERAL_FREQMHZ 100}
        avnet.com:ultra96v2 {1.1 1.2} xczu3eg-sbva484-1-i 2048 {
            PSU__PSS_REF_CLK__FREQMHZ 33.333333 PSU__OVERRIDE__BASIC_CLOCK 1
            PSU__USE__M_AXI_GP1 1 PSU__FPGA_PL0_ENABLE 1
        }
        xilinx.com:kv260_som {1.2 1.3 1.4} xck26-sfvc784-2LV-c 4096 {
            PSU__PSS_REF_CLK__FREQMHZ 33.333 PSU__USE__M_AXI_GP1 1 PSU__USE__M_AXI_GP2 0
        }
        tul.com.tw:pynqzu {1.1} xczu5eg-sfvc784-1-e 4096 {
            PSU__PSS_REF_CLK__FREQMHZ 33.333333 PSU__USE__M_AXI_GP1 1
            PSU__CRL_APB__PL0_REF_CTRL__SRCSEL RPLL PSU__FPGA_PL1_ENABLE 1
            PSU__FPGA_PL2_ENABLE 1 PSU__FPGA_PL3_ENABLE 1
        }
        xilinx.com:zcu104 {1.0 1.1} xczu7ev-ffvc1156-2-e 2048 {PSU__PSS_REF_CLK__FREQMHZ 33.333}
    }
    # What a build that only checks tells of a board that is not in the table: its name, part, DRAM.
    variable told board.txt
}

# All boards as name with version, part, MiB of DRAM, parameters.
proc mock::known_boards {} {
    variable boards
    variable told
    set known {}
    foreach {name versions part dram parameters} $boards {
        foreach version $versions {
            lappend known $name:part0:$version $part $dram $parameters
        }
    }
    if {[file exists $told]} {
        lappend known {*}[split [string trim [read_text $told]] " "] {}
    }
    return $known
}

mock::define get_board_parts {-quiet flag} {pattern} {
    set found {}
    foreach {name part dram parameters} [known_boards] {
        if {[string match $pattern $name]} {
            lappend found [create board $name [list NAME $name PART_NAME $part]]
        }
    }
    return [answer $opt(-quiet) "board part" $pattern $found]
}

# `set_property board_part`: the project takes the board's part.
proc mock::take_board {wanted project} {
    variable s
    if {$s(design) ne ""} {
        refuse "Board 49-1" "set_property board_part: the block design '$s(design)' is there\
            already, and its cells know no board."
    }
    foreach {name part dram parameters} [known_boards] {
        if {$name eq $wanted} {
            set s(part) $part
            set s(value,$project,PART) $part
            set s(value,$project,BOARD_PART) $name
            set s(board) [list $dram $parameters]
            return
        }
    }
    refuse "Board 49-71" "The board_part definition was not found for $wanted. The project's\
        board_part property was not set, but the project's part property was set to $s(part).\
        Valid board_part values can be retrieved with the 'get_board_parts' Tcl command. Check if\
        board.repoPaths parameter is set and the board_part is installed from the tcl app store."
}

mock::define apply_bd_automation {-rule value -config value} {cell} {
    need_design
    need apply_bd_automation $cell cell
    set type [dict get $s(ip,$cell) type]
    if {
        $type ni {processing_system7 zynq_ultra_ps_e}
        || $opt(-rule) ne "xilinx.com:bd_rule:$type"
    } {
        refuse "BD 41-1665" "apply_bd_automation: rule '$opt(-rule)' does not fit cell '$cell'."
    }
    set options {make_external "" apply_board_preset 0 Master Disable Slave Disable}
    foreach {key value} $opt(-config) {
        if {![dict exists $options $key]} {
            refuse "BD 41-1666" "apply_bd_automation: rule '$opt(-rule)' has no option '$key'."
        }
        dict set options $key $value
    }
    if {[dict get $options apply_board_preset]} {
        if {![info exists s(board)]} {
            refuse "BD 41-1667" "apply_bd_automation: the project has no board_part, so there is no\
                preset to apply to '$cell'."
        }
        lassign $s(board) dram parameters
        foreach {key value} $parameters {
            set_config CONFIG.$key $value $cell
        }
        set s(board_dram,$cell) $dram
    }
    foreach name [split [dict get $options make_external] ", "] {
        if {$name ne ""} {
            make_external $name $cell
        }
    }
    return
}

# A port of the design for an interface of a cell, and their connection.
proc mock::make_external {name cell} {
    set vlnv [dict get {
        DDR xilinx.com:interface:ddrx_rtl:1.0
        FIXED_IO xilinx.com:display_processing_system7:fixedio_rtl:1.0
    } $name]
    do_create_bd_intf_port [list -mode Master -vlnv $vlnv] $name
    do_connect_bd_intf_net {} $name [parts_of buses bus [string range $cell 1 end]/$name]
}
