# SPDX-License-Identifier: Apache-2.0
#
# The processing system of a Zynq-7000: what the design takes of it, and what its pins are called.

array set ps {
    clock FCLK_CLK0
    reset FCLK_RESET0_N
    interrupt IRQ_F2P
    control M_AXI_GP0
    control_clock M_AXI_GP0_ACLK
    memory S_AXI_HP0
    memory_clock S_AXI_HP0_ACLK
    dram S_AXI_HP0/HP0_DDR_LOWOCM
    other_segments {}
    clock_of_logic clk_fpga_0
    logic Slice
    made_clock PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ
}
set ps(config) [list \
    PCW_USE_M_AXI_GP0 1 \
    PCW_USE_S_AXI_HP0 1 \
    PCW_S_AXI_HP0_DATA_WIDTH 64 \
    PCW_USE_FABRIC_INTERRUPT 1 \
    PCW_IRQ_F2P_INTR 1 \
    PCW_EN_CLK0_PORT 1 \
    PCW_EN_RST0_PORT 1 \
    PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL} \
    PCW_FPGA0_PERIPHERAL_FREQMHZ $config(clock_mhz)]
# Takes the preset of the project's board, and DRAM and the fixed pins out of the design.
set ps(automation) {
    make_external {FIXED_IO, DDR} apply_board_preset 1 Master Disable Slave Disable
}

# DRAM and the fixed pins leave the device; not where automation has seen to it.
proc connect_ps_pins {cell} {
    create_bd_intf_port -mode Master -vlnv xilinx.com:interface:ddrx_rtl:1.0 DDR
    create_bd_intf_port -mode Master -vlnv xilinx.com:display_processing_system7:fixedio_rtl:1.0 \
        FIXED_IO
    foreach name {DDR FIXED_IO} {
        connect_bd_intf_net [get_bd_intf_ports $name] [bus $cell/$name]
    }
}
