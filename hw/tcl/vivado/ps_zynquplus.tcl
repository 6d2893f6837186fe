# SPDX-License-Identifier: Apache-2.0
#
# The processing system of a Zynq UltraScale+: what the design takes of it, and what its pins are
# called. GP0 as master is HPM0_FPD, GP2 as slave HP0_FPD. A preset that overrides the basic clocks,
# as the Ultra96-V2's, gives divisors, and Vivado would not look at the clock that is asked for.

array set ps {
    clock pl_clk0
    reset pl_resetn0
    interrupt pl_ps_irq0
    control M_AXI_HPM0_FPD
    control_clock maxihpm0_fpd_aclk
    memory S_AXI_HP0_FPD
    memory_clock saxihp0_fpd_aclk
    dram SAXIGP2/HP0_DDR_LOW
    other_segments {SAXIGP2/HP0_LPS_OCM SAXIGP2/HP0_QSPI SAXIGP2/HP0_DDR_HIGH}
    clock_of_logic clk_pl_0
    logic CLB
    made_clock PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ
}
set ps(config) [list \
    PSU__USE__M_AXI_GP0 1 \
    PSU__USE__M_AXI_GP1 0 \
    PSU__USE__M_AXI_GP2 0 \
    PSU__USE__S_AXI_GP2 1 \
    PSU__SAXIGP2__DATA_WIDTH 128 \
    PSU__USE__IRQ0 1 \
    PSU__USE__FABRIC__RST 1 \
    PSU__NUM_FABRIC_RESETS 1 \
    PSU__FPGA_PL0_ENABLE 1 \
    PSU__OVERRIDE__BASIC_CLOCK 0 \
    PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
    PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $config(clock_mhz)]
# Takes the preset of the project's board.
set ps(automation) {apply_board_preset 1}

# All pins of the processing system are fixed; none is in the design.
proc connect_ps_pins {cell} {

}
