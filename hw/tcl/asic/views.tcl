# SPDX-License-Identifier: Apache-2.0
#
# Innovus reads this while innovus.tcl runs: setup is met with slow cells, hold with fast ones.

create_library_set -name slow -timing [concat $technology(liberty) $technology(sram_liberty)]
create_library_set -name fast -timing [concat $technology(liberty_fast) $technology(sram_liberty)]
create_rc_corner -name slow -cap_table $technology(captable_slow)
create_rc_corner -name fast -cap_table $technology(captable_fast)
create_delay_corner -name slow -library_set slow -rc_corner slow
create_delay_corner -name fast -library_set fast -rc_corner fast
create_constraint_mode -name engine -sdc_files genus/engine.sdc
create_analysis_view -name slow -constraint_mode engine -delay_corner slow
create_analysis_view -name fast -constraint_mode engine -delay_corner fast
set_analysis_view -setup slow -hold fast
