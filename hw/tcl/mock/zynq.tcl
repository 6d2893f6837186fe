# SPDX-License-Identifier: Apache-2.0
#
# processing_system7: the parameters that a board sets, with what they may be (names and values as
# `write_bd_tcl` lists them, UG585 for the ranges), and what of it the design can connect to.

set mock::parameters(processing_system7) {
    PCW_USE_(M_AXI_GP[01]|S_AXI_GP[01]|S_AXI_ACP|S_AXI_HP[0-3]|FABRIC_INTERRUPT) {bool 0}
    PCW_S_AXI_HP[0-3]_DATA_WIDTH {{one 32 64} 64}
    PCW_IRQ_F2P_INTR {bool 0}
    PCW_EN_(CLK|RST)0_PORT {bool 1}
    PCW_EN_(CLK|RST)[1-3]_PORT {bool 0}
    PCW_FPGA_FCLK0_ENABLE {bool 1}
    PCW_FPGA_FCLK[1-3]_ENABLE {bool 0}
    PCW_FCLK[0-3]_PERIPHERAL_CLKSRC {{one {IO PLL} {ARM PLL} {DDR PLL}} {IO PLL}}
    PCW_FPGA[0-3]_PERIPHERAL_FREQMHZ {{float 0.1 250} 50}
    PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ {computed -}
    PCW_FCLK0_PERIPHERAL_DIVISOR[01] {computed -}
    PCW_CRYSTAL_PERIPHERAL_FREQMHZ {{float 30 60} 33.333333}
    PCW_APU_PERIPHERAL_FREQMHZ {{float 50 667} 666.666666}
    PCW_PRESET_BANK[01]_VOLTAGE {{one {LVCMOS 3.3V} {LVCMOS 2.5V} {LVCMOS 1.8V} {HSTL 1.8V}}
        {LVCMOS 3.3V}}
    PCW_MIO_([0-9]|[1-4][0-9]|5[0-3])_PULLUP {{one enabled disabled} enabled}
    PCW_MIO_([0-9]|[1-4][0-9]|5[0-3])_SLEW {{one slow fast} slow}
    PCW_GPIO_MIO_GPIO_ENABLE {bool 0}
    PCW_UIPARAM_DDR_(ENABLE|TRAIN_(WRITE_LEVEL|READ_GATE|DATA_EYE)|USE_INTERNAL_VREF) {bool 0}
    PCW_UIPARAM_DDR_MEMORY_TYPE {{one {DDR 3} {DDR 3 (Low Voltage)} {DDR 2} {LPDDR 2}} {DDR 3}}
    PCW_UIPARAM_DDR_PARTNO {{one Custom {MT41J256M16 RE-125} {MT41K256M16 RE-125}
        {MT41J128M16 HA-15E} {MT41K128M16 JT-125} {MT41J256M8 HX-15E}} {MT41J256M8 HX-15E}}
    PCW_UIPARAM_DDR_FREQ_MHZ {{float 200 667} 533.333333}
    PCW_UIPARAM_DDR_BUS_WIDTH {{one {16 Bit} {32 Bit}} {32 Bit}}
    PCW_UIPARAM_DDR_DRAM_WIDTH {{one {8 Bits} {16 Bits} {32 Bits}} {8 Bits}}
    PCW_UIPARAM_DDR_DEVICE_CAPACITY {{one {1024 MBits} {2048 MBits} {4096 MBits} {8192 MBits}}
        {2048 MBits}}
    PCW_UIPARAM_DDR_SPEED_BIN {{one DDR3_800D DDR3_1066E DDR3_1066F DDR3_1066G DDR3_1333G
        DDR3_1333H DDR3_1600K} DDR3_1066F}
    PCW_UIPARAM_DDR_ECC {{one Disabled Enabled} Disabled}
    PCW_UIPARAM_DDR_BL {{one 4 8} 8}
    PCW_UIPARAM_DDR_(CL|CWL) {{int 5 11} 7}
    PCW_UIPARAM_DDR_T_(RCD|RP) {{int 3 15} 7}
    PCW_UIPARAM_DDR_T_(RC|RAS_MIN|FAW) {{float 20 80} 45}
    PCW_UIPARAM_DDR_ROW_ADDR_COUNT {{int 12 16} 15}
    PCW_UIPARAM_DDR_COL_ADDR_COUNT {{int 9 12} 10}
    PCW_UIPARAM_DDR_BANK_ADDR_COUNT {{int 2 3} 3}
    PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_[0-3] {{float -1 1} 0}
    PCW_UIPARAM_DDR_BOARD_DELAY[0-3] {{float 0 2} 0.25}
    PCW_(QSPI|UART[01]|ENET[01]|USB[01]|SD[01])_PERIPHERAL_ENABLE {bool 0}
    PCW_QSPI_GRP_(SINGLE_SS|FBCLK)_ENABLE {bool 0}
    PCW_QSPI_(QSPI|GRP_SINGLE_SS)_IO {{one {MIO 1 .. 6}} <Select>}
    PCW_QSPI_GRP_FBCLK_IO {{one {MIO 8}} <Select>}
    PCW_QSPI_PERIPHERAL_FREQMHZ {{float 10 200} 200}
    PCW_UART[01]_UART[01]_IO {{mio 53} <Select>}
    PCW_UART[01]_BAUD_RATE {{one 9600 19200 38400 57600 115200 230400 460800 921600} 115200}
    PCW_UART_PERIPHERAL_FREQMHZ {{float 10 100} 100}
    PCW_ENET0_ENET0_IO {{one {MIO 16 .. 27}} <Select>}
    PCW_ENET0_GRP_MDIO_IO {{one {MIO 52 .. 53}} <Select>}
    PCW_ENET0_(GRP_MDIO|RESET)_ENABLE {bool 0}
    PCW_ENET0_PERIPHERAL_FREQMHZ {{one {10 Mbps} {100 Mbps} {1000 Mbps}} {1000 Mbps}}
    PCW_USB0_RESET_ENABLE {bool 0}
    PCW_(ENET0|USB0)_RESET_IO {{mio 53} <Select>}
    PCW_USB0_USB0_IO {{one {MIO 28 .. 39}} <Select>}
    PCW_SD0_SD0_IO {{one {MIO 16 .. 21} {MIO 28 .. 33} {MIO 40 .. 45}} <Select>}
    PCW_SD0_GRP_(CD|WP)_ENABLE {bool 0}
    PCW_SD0_GRP_(CD|WP)_IO {{mio 53} <Select>}
    PCW_SDIO_PERIPHERAL_FREQMHZ {{float 10 125} 100}
}

namespace eval mock {
    # What takes pins of the processing system: the parameter that enables it, that of its pins.
    variable zynq_pins {
        PCW_QSPI_PERIPHERAL_ENABLE PCW_QSPI_QSPI_IO
        PCW_QSPI_GRP_FBCLK_ENABLE PCW_QSPI_GRP_FBCLK_IO
        PCW_UART0_PERIPHERAL_ENABLE PCW_UART0_UART0_IO
        PCW_UART1_PERIPHERAL_ENABLE PCW_UART1_UART1_IO
        PCW_ENET0_PERIPHERAL_ENABLE PCW_ENET0_ENET0_IO
        PCW_ENET0_GRP_MDIO_ENABLE PCW_ENET0_GRP_MDIO_IO
        PCW_ENET0_RESET_ENABLE PCW_ENET0_RESET_IO
        PCW_USB0_PERIPHERAL_ENABLE PCW_USB0_USB0_IO
        PCW_USB0_RESET_ENABLE PCW_USB0_RESET_IO
        PCW_SD0_PERIPHERAL_ENABLE PCW_SD0_SD0_IO
        PCW_SD0_GRP_CD_ENABLE PCW_SD0_GRP_CD_IO
        PCW_SD0_GRP_WP_ENABLE PCW_SD0_GRP_WP_IO
    }
}

# Two divisors of 1 to 63 that come nearest to a clock.
proc mock::divisors {pll wanted} {
    set best {}
    for {set second 1} {$second <= 63} {incr second} {
        set first [expr {min(63, max(1, round(double($pll) / $wanted / $second)))}]
        set off [expr {abs(double($pll) / ($first * $second) - $wanted)}]
        if {$best eq "" || $off < [lindex $best 2] - 1e-9} {
            set best [list $first $second $off]
        }
    }
    return [lrange $best 0 1]
}

proc mock::computed_processing_system7 {cell key} {
    # 20 times a crystal of 50 MHz is what Ethernet, USB and the flash want.
    set divisors [divisors 1000 [config_of $cell PCW_FPGA0_PERIPHERAL_FREQMHZ]]
    if {[regexp {DIVISOR([01])$} $key all index]} {
        return [lindex $divisors $index]
    }
    return [format %.6f [expr {1000.0 / [lindex $divisors 0] / [lindex $divisors 1]}]]
}

# Bytes of DRAM: those of a board; else chips of so many bits, as many as the bus is wide.
proc mock::dram_bytes {cell prefix} {
    variable s
    if {[info exists s(board_dram,$cell)]} {
        return [expr {$s(board_dram,$cell) * 1048576}]
    }
    scan [config_of $cell ${prefix}DEVICE_CAPACITY] %d mbits
    scan [config_of $cell ${prefix}BUS_WIDTH] %d bus
    scan [config_of $cell ${prefix}DRAM_WIDTH] %d chip
    return [expr {$mbits * 131072 * ($bus / $chip)}]
}

proc mock::shape_processing_system7 {cell} {
    set external {mode Master type external protocol - width - clock -}
    set pins {}
    set buses [list DDR $external FIXED_IO $external]
    set segments {}
    foreach {parameter name pin} {
        PCW_EN_CLK0_PORT FCLK_CLK0 {O clk - 0} PCW_EN_RST0_PORT FCLK_RESET0_N {O rst low 0}
        PCW_USE_M_AXI_GP0 M_AXI_GP0_ACLK {I clk - 1} PCW_USE_S_AXI_HP0 S_AXI_HP0_ACLK {I clk - 1}
    } {
        if {[config_of $cell $parameter]} {
            lappend pins $name $pin
        }
    }
    if {[config_of $cell PCW_USE_FABRIC_INTERRUPT] && [config_of $cell PCW_IRQ_F2P_INTR]} {
        lappend pins IRQ_F2P {I intr - 1}
    }
    if {[config_of $cell PCW_USE_M_AXI_GP0]} {
        lappend buses M_AXI_GP0 [axi Master AXI3 32 M_AXI_GP0_ACLK]
    }
    if {[config_of $cell PCW_USE_S_AXI_HP0]} {
        set width [config_of $cell PCW_S_AXI_HP0_DATA_WIDTH]
        lappend buses S_AXI_HP0 [axi Slave AXI3 $width S_AXI_HP0_ACLK]
        set bytes [dram_bytes $cell PCW_UIPARAM_DDR_]
        lappend segments S_AXI_HP0/HP0_DDR_LOWOCM [list S_AXI_HP0 0 $bytes]
    }
    return [dict create pins $pins buses $buses segments $segments \
        spaces {Data {bus M_AXI_GP0 windows {0x40000000 0x7FFFFFFF}}}]
}
