# SPDX-License-Identifier: Apache-2.0
#
# zynq_ultra_ps_e: as zynq.tcl for the Zynq-7000 (UG1085 for the ranges).

set mock::parameters(zynq_ultra_ps_e) {
    PSU__USE__M_AXI_GP[01] {bool 1}
    PSU__USE__(M_AXI_GP2|S_AXI_GP[0-6]|S_AXI_ACP|S_AXI_ACE|IRQ1) {bool 0}
    PSU__USE__(IRQ0|FABRIC__RST) {bool 1}
    PSU__NUM_FABRIC_RESETS {{int 1 4} 1}
    PSU__(SAXIGP[0-6]|MAXIGP[0-2])__DATA_WIDTH {{one 32 64 128} 128}
    PSU__FPGA_PL0_ENABLE {bool 1}
    PSU__OVERRIDE__BASIC_CLOCK {bool 0}
    PSU__FPGA_PL[1-3]_ENABLE {bool 0}
    PSU__CRL_APB__PL[0-3]_REF_CTRL__SRCSEL {{one RPLL IOPLL DPLL} IOPLL}
    PSU__CRL_APB__PL[0-3]_REF_CTRL__FREQMHZ {{float 0.1 550} 100}
    PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ {computed -}
    PSU__CRL_APB__PL0_REF_CTRL__DIVISOR[01] {computed -}
    PSU__CRL_APB__QSPI_REF_CTRL__FREQMHZ {{float 10 300} 300}
    PSU__CRL_APB__SDIO1_REF_CTRL__FREQMHZ {{float 10 200} 200}
    PSU__PSS_REF_CLK__FREQMHZ {{float 27 60} 33.333}
    PSU__CRF_APB__ACPU_CTRL__FREQMHZ {{float 50 1500} 1200}
    PSU__CRF_APB__DDR_CTRL__FREQMHZ {{float 200 1200} 1067}
    PSU_BANK_[0-3]_IO_STANDARD {{one LVCMOS18 LVCMOS25 LVCMOS33} LVCMOS33}
    PSU__DDRC__(ENABLE|VREF|TRAIN_(WRITE_LEVEL|READ_GATE|DATA_EYE)) {bool 1}
    PSU__DDRC__MEMORY_TYPE {{one {DDR 4} {DDR 3} {LPDDR 4}} {DDR 4}}
    PSU__DDRC__COMPONENTS {{one Components UDIMM RDIMM} Components}
    PSU__DDRC__BUS_WIDTH {{one {32 Bit} {64 Bit}} {64 Bit}}
    PSU__DDRC__DRAM_WIDTH {{one {8 Bits} {16 Bits} {32 Bits}} {8 Bits}}
    PSU__DDRC__DEVICE_CAPACITY {{one {2048 MBits} {4096 MBits} {8192 MBits} {16384 MBits}}
        {4096 MBits}}
    PSU__DDRC__SPEED_BIN {{one DDR4_1600K DDR4_2133N DDR4_2133P DDR4_2133R DDR4_2400P DDR4_2400R
        DDR4_2400T DDR4_2400U} DDR4_2133P}
    PSU__DDRC__ECC {{one Disabled Enabled} Disabled}
    PSU__DDRC__(BG|BANK)_ADDR_COUNT {{int 1 3} 2}
    PSU__DDRC__RANK_ADDR_COUNT {{int 0 1} 0}
    PSU__DDRC__ROW_ADDR_COUNT {{int 12 18} 15}
    PSU__DDRC__COL_ADDR_COUNT {{int 9 12} 10}
    PSU__DDRC__BRC_MAPPING {{one ROW_BANK_COL BANK_ROW_COL} ROW_BANK_COL}
    PSU__DDRC__DM_DBI {{one DM_NO_DBI NO_DM_NO_DBI NO_DM_DBI_RD} DM_NO_DBI}
    PSU__DDRC__(CL|CWL|T_RCD|T_RP) {{int 5 24} 15}
    PSU__DDRC__T_(RC|RAS_MIN|FAW) {{float 10 80} 33}
    PSU__(QSPI|I2C[01]|UART[01]|CAN1|GPIO[01]_MIO|SD1)__PERIPHERAL__ENABLE {bool 0}
    PSU__(USB0|USB3_0|SATA|DISPLAYPORT|DPAUX|ENET3|TTC[0-3]|SWDT[01])__PERIPHERAL__ENABLE {bool 0}
    PSU__QSPI__PERIPHERAL__IO {{one {MIO 0 .. 5} {MIO 0 .. 12}} <Select>}
    PSU__QSPI__PERIPHERAL__MODE {{one Single {Dual Parallel} {Dual Stacked}} Single}
    PSU__QSPI__PERIPHERAL__DATA_MODE {{one x1 x2 x4} x1}
    PSU__(QSPI__GRP_FBCLK|SD1__GRP_CD|ENET3__GRP_MDIO|SATA__LANE[01])__ENABLE {bool 0}
    PSU__QSPI__GRP_FBCLK__IO {{one {MIO 6}} <Select>}
    PSU__(I2C[01]|UART[01]|CAN1)__PERIPHERAL__IO {{mio 77} <Select>}
    PSU__UART[01]__BAUD_RATE {{one 9600 115200 921600} 115200}
    PSU__GPIO0_MIO__IO {{one {MIO 0 .. 25}} <Select>}
    PSU__GPIO1_MIO__IO {{one {MIO 26 .. 51}} <Select>}
    PSU__SD1__PERIPHERAL__IO {{one {MIO 39 .. 51} {MIO 46 .. 51} {MIO 71 .. 76}} <Select>}
    PSU__SD1__SLOT_TYPE {{one {SD 2.0} {SD 3.0} eMMC} {SD 2.0}}
    PSU__SD1__DATA_TRANSFER_MODE {{one 4Bit 8Bit} 8Bit}
    PSU__SD1__GRP_CD__IO {{one {MIO 45} {MIO 77}} <Select>}
    PSU__USB0__PERIPHERAL__IO {{one {MIO 52 .. 63}} <Select>}
    PSU__(USB0|SATA|DP)__REF_CLK_SEL {{one {Ref Clk0} {Ref Clk1} {Ref Clk2} {Ref Clk3}} {Ref Clk0}}
    PSU__(USB0|SATA|DP)__REF_CLK_FREQ {{one 26 27 52 100 108 125 135 150} 125}
    PSU__USB3_0__PERIPHERAL__IO {{one {GT Lane0} {GT Lane1} {GT Lane2}} <Select>}
    PSU__SATA__LANE[01]__IO {{one {GT Lane0} {GT Lane1} {GT Lane2} {GT Lane3}} <Select>}
    PSU__DPAUX__PERIPHERAL__IO {{one {MIO 27 .. 30} {MIO 34 .. 37}} <Select>}
    PSU__DP__LANE_SEL {{one {Single Lower} {Single Higher} {Dual Lower} {Dual Higher}}
        {Single Lower}}
    PSU__ENET3__PERIPHERAL__IO {{one {MIO 64 .. 75}} <Select>}
    PSU__ENET3__GRP_MDIO__IO {{one {MIO 76 .. 77}} <Select>}
}

namespace eval mock {
    # GPIO takes the pins that are left, so it is not here.
    variable zynqmp_pins {
        PSU__QSPI__PERIPHERAL__ENABLE PSU__QSPI__PERIPHERAL__IO
        PSU__QSPI__GRP_FBCLK__ENABLE PSU__QSPI__GRP_FBCLK__IO
        PSU__I2C0__PERIPHERAL__ENABLE PSU__I2C0__PERIPHERAL__IO
        PSU__I2C1__PERIPHERAL__ENABLE PSU__I2C1__PERIPHERAL__IO
        PSU__UART0__PERIPHERAL__ENABLE PSU__UART0__PERIPHERAL__IO
        PSU__UART1__PERIPHERAL__ENABLE PSU__UART1__PERIPHERAL__IO
        PSU__CAN1__PERIPHERAL__ENABLE PSU__CAN1__PERIPHERAL__IO
        PSU__SD1__PERIPHERAL__ENABLE PSU__SD1__PERIPHERAL__IO
        PSU__SD1__GRP_CD__ENABLE PSU__SD1__GRP_CD__IO
        PSU__USB0__PERIPHERAL__ENABLE PSU__USB0__PERIPHERAL__IO
        PSU__DPAUX__PERIPHERAL__ENABLE PSU__DPAUX__PERIPHERAL__IO
        PSU__ENET3__PERIPHERAL__ENABLE PSU__ENET3__PERIPHERAL__IO
        PSU__ENET3__GRP_MDIO__ENABLE PSU__ENET3__GRP_MDIO__IO
    }
}

proc mock::computed_zynq_ultra_ps_e {cell key} {
    set divisors [divisors 1500 [config_of $cell PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ]]
    if {[config_of $cell PSU__OVERRIDE__BASIC_CLOCK]} {
        # The divisors of the preset, whatever clock is asked for.
        set divisors {15 1}
    }
    if {[regexp {DIVISOR([01])$} $key all index]} {
        return [lindex $divisors $index]
    }
    # 45 times the reference clock: 1499.985 MHz of 33.333.
    set pll [expr {45 * [config_of $cell PSU__PSS_REF_CLK__FREQMHZ]}]
    return [format %.6f [expr {$pll / [lindex $divisors 0] / [lindex $divisors 1]}]]
}

proc mock::shape_zynq_ultra_ps_e {cell} {
    set pins {}
    set buses {}
    set segments {}
    foreach {parameter name pin} {
        PSU__FPGA_PL0_ENABLE pl_clk0 {O clk - 0} PSU__USE__FABRIC__RST pl_resetn0 {O rst low 0}
        PSU__USE__IRQ0 pl_ps_irq0 {I intr - 1} PSU__USE__S_AXI_GP2 saxihp0_fpd_aclk {I clk - 1}
    } {
        if {[config_of $cell $parameter]} {
            lappend pins $name $pin
        }
    }
    foreach {index name} {0 HPM0_FPD 1 HPM1_FPD 2 HPM0_LPD} {
        if {[config_of $cell PSU__USE__M_AXI_GP$index]} {
            set clock maxi[string tolower $name]_aclk
            lappend pins $clock {I clk - 1}
            set width [config_of $cell PSU__MAXIGP${index}__DATA_WIDTH]
            lappend buses M_AXI_$name [axi Master AXI4 $width $clock]
        }
    }
    if {[config_of $cell PSU__USE__S_AXI_GP2]} {
        set width [config_of $cell PSU__SAXIGP2__DATA_WIDTH]
        lappend buses S_AXI_HP0_FPD [axi Slave AXI4 $width saxihp0_fpd_aclk]
        set dram [dram_bytes $cell PSU__DDRC__]
        set low [expr {min($dram, 1 << 31)}]
        if {$dram > $low} {
            lappend segments SAXIGP2/HP0_DDR_HIGH [list S_AXI_HP0_FPD 0x800000000 \
                [expr {$dram - $low}]]
        }
        lappend segments SAXIGP2/HP0_DDR_LOW [list S_AXI_HP0_FPD 0 $low] \
            SAXIGP2/HP0_LPS_OCM {S_AXI_HP0_FPD 0xFF000000 0x01000000} \
            SAXIGP2/HP0_QSPI {S_AXI_HP0_FPD 0xC0000000 0x20000000}
    }
    return [dict create pins $pins buses $buses segments $segments spaces {
        Data {bus M_AXI_HPM0_FPD windows {0xA0000000 0xAFFFFFFF 0x400000000 0x4FFFFFFFF}}
    }]
}
