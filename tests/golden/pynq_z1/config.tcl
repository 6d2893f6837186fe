# SPDX-License-Identifier: Apache-2.0
# Rendered for pynq_z1 by cnnaccel/render/tcl.py: do not edit. Constants, nothing else.

array set config {
    board pynq_z1
    part xc7z020clg400-1
    preset pynq_z1
    board_part {}
    dram_bytes 0x20000000
    family zynq
    digest 131c0b95f91bf7f2
    top cnnaccel_engine
    pixel_lanes 4
    input_lanes 8
    output_lanes 8
    address_bits 32
    word_bytes 8
    burst_beats 16
    bursts 8
    clock_mhz 100
    made_clock_mhz 100.000000
    engine engine
    interrupt_controller axi_intc_0
    ps processing_system7_0
    ps_ip processing_system7
    engine_base 0x43C00000
    interrupt_base 0x43C10000
    region_bytes 65536
}

# In folder src; packages first.
set config(sources) {
    params.svh
    cnnaccel_pkg.sv
    accumulator.sv
    act_scratchpad.sv
    adder_tree.sv
    axi_lite_regs.sv
    axi_masters.sv
    axi_read_arbiter.sv
    axi_read_master.sv
    axi_write_master.sv
    burst_issue.sv
    burst_splitter.sv
    byte_window.sv
    compute.sv
    control.sv
    core.sv
    datapath.sv
    delay.sv
    dot_product.sv
    drain.sv
    engine.sv
    event_counters.sv
    fetch.sv
    fifo.sv
    instruction_counter.sv
    instruction_queues.sv
    issue.sv
    lane_address.sv
    lane_operand.sv
    load.sv
    load_commands.sv
    load_end.sv
    loop_controller.sv
    lut_product.sv
    mac_array.sv
    monitor.sv
    par_scratchpad.sv
    pooling.sv
    product.sv
    program_walker.sv
    ram_sdp.sv
    ram_tdp.sv
    registered_fifo.sv
    requantize.sv
    run_commands.sv
    skid_buffer.sv
    store.sv
    tokens.sv
    unfold.sv
    walker.sv
    walkers.sv
    wgt_scratchpad.sv
    word_assembler.sv
    word_walker.sv
    write_back.sv
    cnnaccel_engine.v
}

# Name, offset, access, meaning, flags as name, bit, meaning.
set config(registers) {
    { id 0x00 read-only { the magic, CNNA } {
    } }
    { version 0x04 read-only { of this format } {
    } }
    { digest 0x08 read-only { of the hardware } {
    } }
    { digest_high 0x0c read-only { of the hardware } {
    } }
    { control 0x10 write-only { what to do } {
        { start 0 { run the program: once, then body `count` times; ignored while busy } }
        { reset 1 { stop, keep nothing but the registers; busy until DRAM has answered } }
    } }
    { status 0x14 read-only { what it does } {
        { busy 0 { between start and done or failed } }
        { done 1 { the program ended and all it wrote is in DRAM } }
        { failed 2 { `error` says why; the engine waits for reset } }
    } }
    { error 0x18 read-only { why it failed, a code below } {
    } }
    { failing_instruction 0x1c read-only { its index in the program, once and body } {
    } }
    { interrupt_enable 0x20 read-write { what interrupts } {
        { done 0 { the program ended and all it wrote is in DRAM } }
        { failed 1 { `error` says why; the engine waits for reset } }
    } }
    { interrupt_status 0x24 read-write { what interrupted } {
        { done 0 { the program ended and all it wrote is in DRAM } }
        { failed 1 { `error` says why; the engine waits for reset } }
    } }
    { program_address 0x28 read-write { first byte of section once } {
    } }
    { program_address_high 0x2c read-write { first byte of section once } {
    } }
    { once_bytes 0x30 read-write { section once } {
    } }
    { body_bytes 0x34 read-write { section body, which follows } {
    } }
    { count 0x38 read-write { iterations of body } {
    } }
    { iteration 0x3c read-only { of body: begun since the last start } {
    } }
    { weights_address 0x40 read-write { weights and parameters } {
    } }
    { weights_address_high 0x44 read-write { weights and parameters } {
    } }
    { input_address 0x48 read-write { images } {
    } }
    { input_address_high 0x4c read-write { images } {
    } }
    { output_address 0x50 read-write { results } {
    } }
    { output_address_high 0x54 read-write { results } {
    } }
    { scratch_address 0x58 read-write { tensors that do not stay on the chip } {
    } }
    { scratch_address_high 0x5c read-write { tensors that do not stay on the chip } {
    } }
    { weights_bytes 0x60 read-write { its size } {
    } }
    { input_bytes 0x64 read-write { its size } {
    } }
    { output_bytes 0x68 read-write { its size } {
    } }
    { scratch_bytes 0x6c read-write { its size } {
    } }
    { input_stride 0x70 read-write { bytes per iteration } {
    } }
    { output_stride 0x74 read-write { bytes per iteration } {
    } }
    { cycles 0x78 read-only { while busy } {
    } }
    { cycles_high 0x7c read-only { while busy } {
    } }
    { steps 0x80 read-only { cycles in which the array took a step } {
    } }
    { steps_high 0x84 read-only { cycles in which the array took a step } {
    } }
    { compute_waits_load 0x88 read-only { cycles without a token of load } {
    } }
    { compute_waits_load_high 0x8c read-only { cycles without a token of load } {
    } }
    { compute_waits_store 0x90 read-only { cycles without a token of store } {
    } }
    { compute_waits_store_high 0x94 read-only { cycles without a token of store } {
    } }
    { load_busy 0x98 read-only { cycles } {
    } }
    { load_busy_high 0x9c read-only { cycles } {
    } }
    { store_busy 0xa0 read-only { cycles } {
    } }
    { store_busy_high 0xa4 read-only { cycles } {
    } }
    { read_bytes 0xa8 read-only { from DRAM, instructions too } {
    } }
    { read_bytes_high 0xac read-only { from DRAM, instructions too } {
    } }
    { written_bytes 0xb0 read-only { to DRAM } {
    } }
    { written_bytes_high 0xb4 read-only { to DRAM } {
    } }
    { waiting 0xb8 read-only { for what, in this cycle; 0 at rest } {
        { fetch_dram 0 { fetch waits for instructions from DRAM } }
        { fetch_queue 1 { fetch waits for room in the queue of a unit } }
        { load_busy 2 { load has instructions under way } }
        { load_dram 3 { load waits for data from DRAM } }
        { load_compute 4 { the next load waits for a token of compute } }
        { load_store 5 { the next load waits for a token of store } }
        { compute_busy 6 { compute has instructions under way } }
        { compute_load 7 { the next MAC or MAX waits for a token of load } }
        { compute_store 8 { the next MAC or MAX waits for a token of store } }
        { store_busy 9 { store has instructions under way } }
        { store_dram 10 { store waits for DRAM to take or acknowledge data } }
        { store_load 11 { the next store waits for a token of load } }
        { store_compute 12 { the next store waits for a token of compute } }
        { end_dram 13 { reset, or a failure, waits for DRAM to end what it was asked for } }
    } }
}
