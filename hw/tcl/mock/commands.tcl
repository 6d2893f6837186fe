# SPDX-License-Identifier: Apache-2.0
#
# Vivado's commands of which a procedure of ours might take the name by mistake (UG835, up to
# 2025.1): all of one word, and those of several whose verb ours have too.

namespace eval mock {
    variable vivado_commands {
        describe encrypt endgroup erase filter findfiles help ipx link ltrace ptrace redo restart
        run scope startgroup step stop undo version xsim
        add_bp add_cells_to_pblock add_condition add_drc_checks add_files add_force add_hw_hbm_pc
        add_hw_probe_enum add_peripheral_interface add_to_power_rail add_wave add_wave_divider
        add_wave_group add_wave_marker add_wave_virtual_bus
        apply_bd_automation apply_board_connection apply_hw_ila_trigger
        check_ip_cache check_ports check_syntax check_timing
        close_bd_design close_design close_hw_manager close_project close_saif close_sim close_vcd
        close_wave_config
        config_design_analysis config_implementation config_ip_cache config_timing_analysis
        config_timing_corners config_webtalk
        connect_bd_intf_net connect_bd_net connect_debug_cores connect_debug_port connect_hw_server
        connect_net
        place_cell place_design place_pblocks place_ports
        read_bd read_checkpoint read_csv read_edif read_ip read_mem read_schematic read_saif
        read_twx read_verilog read_vhdl read_xdc
        write_abstract_shell write_bd_layout write_bd_tcl write_bitstream write_bmm write_bsdl
        write_cfgmem write_checkpoint write_csv write_debug_probes write_device_image write_edif
        write_hw_platform write_hwdef write_ibis write_ip_tcl write_mem_info write_peripheral
        write_project_tcl write_schematic write_sdf write_sysdef write_verilog write_vhdl
        write_waivers write_xdc
        opt_design phys_opt_design power_opt_design route_design synth_design
    }
}
