// SPDX-License-Identifier: Apache-2.0
//
// The engine: registers, fetch, three units that run side by side, AXI masters.
//
//   AXI4-Lite --> axi_lite_regs --> control
//
//   fetch --> tokens --> datapath: load, compute, store --> axi_write_master
//     '--> axi_read_arbiter <-- load
//                 '--> axi_read_master
//
// Handshake: AXI4 with words of C bytes, INCR bursts of at most 16 beats that stay within 4 KiB, one
// ID; AXI4-Lite of 32 bits. interrupt_o as `axi_lite_regs` says. One clock.

module engine
  import cnnaccel_pkg::*;
#(
  parameter int unsigned PortAddressBits = AddressBits,  // what the wrapper was told
  parameter int unsigned PortWordBytes   = InputLanes
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic        ctl_awvalid_i,
  output logic        ctl_awready_o,
  input  logic [ 7:0] ctl_awaddr_i,
  input  logic        ctl_wvalid_i,
  output logic        ctl_wready_o,
  input  logic [31:0] ctl_wdata_i,
  input  logic [ 3:0] ctl_wstrb_i,
  output logic        ctl_bvalid_o,
  input  logic        ctl_bready_i,
  output logic [ 1:0] ctl_bresp_o,
  input  logic        ctl_arvalid_i,
  output logic        ctl_arready_o,
  input  logic [ 7:0] ctl_araddr_i,
  output logic        ctl_rvalid_o,
  input  logic        ctl_rready_i,
  output logic [31:0] ctl_rdata_o,
  output logic [ 1:0] ctl_rresp_o,
  output logic        interrupt_o,

  output logic                   mem_arvalid_o,
  input  logic                   mem_arready_i,
  output logic [AddressBits-1:0] mem_araddr_o,
  output logic [            7:0] mem_arlen_o,
  input  logic                   mem_rvalid_i,
  output logic                   mem_rready_o,
  input  logic [   WordBits-1:0] mem_rdata_i,
  input  logic [            1:0] mem_rresp_i,
  input  logic                   mem_rlast_i,
  output logic                   mem_awvalid_o,
  input  logic                   mem_awready_i,
  output logic [AddressBits-1:0] mem_awaddr_o,
  output logic [            7:0] mem_awlen_o,
  output logic                   mem_wvalid_o,
  input  logic                   mem_wready_i,
  output logic [   WordBits-1:0] mem_wdata_o,
  output logic [ InputLanes-1:0] mem_wstrb_o,
  output logic                   mem_wlast_o,
  input  logic                   mem_bvalid_i,
  output logic                   mem_bready_o,
  input  logic [            1:0] mem_bresp_i
);

  localparam int unsigned OffsetBits = $clog2(InputLanes);
  if (PortAddressBits != AddressBits || PortWordBytes != InputLanes) begin : gen_check
    $error(
        "engine: ports of %0d address bits, %0d bytes for a package of %0d, %0d",
        PortAddressBits,
        PortWordBytes,
        AddressBits,
        InputLanes
    );
  end

  // -- registers and control --------------------------------------------------------------------

  logic start, reset, busy, done, failed, core_rst_n, flush, clear, fetch_start;
  logic running, quiet, read_idle, write_idle;
  error_e error, error_seen;
  logic [31:0] failing, error_index, iteration;
  logic [AddressBits-1:0] program_address, base[4];
  logic [31:0] once_bytes, body_bytes, count, size[4], input_stride, output_stride;
  logic [31:0] waiting;
  logic [63:0] counters[8];

  axi_lite_regs u_regs (
    .clk_i,
    .rst_ni,
    .axi_awvalid_i        (ctl_awvalid_i),
    .axi_awready_o        (ctl_awready_o),
    .axi_awaddr_i         (ctl_awaddr_i),
    .axi_wvalid_i         (ctl_wvalid_i),
    .axi_wready_o         (ctl_wready_o),
    .axi_wdata_i          (ctl_wdata_i),
    .axi_wstrb_i          (ctl_wstrb_i),
    .axi_bvalid_o         (ctl_bvalid_o),
    .axi_bready_i         (ctl_bready_i),
    .axi_bresp_o          (ctl_bresp_o),
    .axi_arvalid_i        (ctl_arvalid_i),
    .axi_arready_o        (ctl_arready_o),
    .axi_araddr_i         (ctl_araddr_i),
    .axi_rvalid_o         (ctl_rvalid_o),
    .axi_rready_i         (ctl_rready_i),
    .axi_rdata_o          (ctl_rdata_o),
    .axi_rresp_o          (ctl_rresp_o),
    .start_o              (start),
    .reset_o              (reset),
    .interrupt_o,
    .program_address_o    (program_address),
    .once_bytes_o         (once_bytes),
    .body_bytes_o         (body_bytes),
    .count_o              (count),
    .base_o               (base),
    .size_o               (size),
    .input_stride_o       (input_stride),
    .output_stride_o      (output_stride),
    .busy_i               (busy),
    .done_i               (done),
    .failed_i             (failed),
    .error_i              (error),
    .failing_instruction_i(failing),
    .iteration_i          (iteration),
    .waiting_i            (waiting),
    .counters_i           (counters)
  );

  control u_control (
    .clk_i,
    .rst_ni,
    .start_i       (start),
    .reset_i       (reset),
    .quiet_i       (quiet),
    .error_i       (error_seen),
    .error_index_i (error_index),
    .masters_idle_i(read_idle && write_idle),
    .core_rst_no   (core_rst_n),
    .flush_o       (flush),
    .clear_o       (clear),
    .fetch_start_o (fetch_start),
    .running_o     (running),
    .busy_o        (busy),
    .done_o        (done),
    .failed_o      (failed),
    .error_o       (error),
    .failing_o     (failing)
  );

  // -- fetch and tokens -------------------------------------------------------------------------

  logic [2:0] valid, ready, grant, take, give, unit_busy, unit_ready;
  logic [31:0] index[3], load_advance, store_advance, fetch_error_index;
  load_t load_instr;
  compute_t compute_instr;
  store_t store_instr;
  logic fetch_finished, queues_empty, fetch_still, token_error;
  u3_t missing[3], signal_to[3], wait_for[3];
  error_e fetch_error;
  logic [1:0] cmd_valid, cmd_ready, beat_valid, beat_ready;
  logic [AddressBits-1:0] cmd_address[2];
  logic [31:0] cmd_bytes[2];
  logic [WordBits-1:0] beat_data;
  logic [OffsetBits-1:0] beat_offset;
  logic beat_last, beat_error;

  fetch u_fetch (
    .clk_i,
    .rst_ni           (core_rst_n),
    .start_i          (fetch_start),
    .program_address_i(program_address),
    .once_bytes_i     (once_bytes),
    .body_bytes_i     (body_bytes),
    .count_i          (count),
    .input_stride_i   (input_stride),
    .output_stride_i  (output_stride),
    .cmd_valid_o      (cmd_valid[0]),
    .cmd_ready_i      (cmd_ready[0]),
    .cmd_address_o    (cmd_address[0]),
    .cmd_bytes_o      (cmd_bytes[0]),
    .beat_valid_i     (beat_valid[0]),
    .beat_ready_o     (beat_ready[0]),
    .beat_data_i      (beat_data),
    .beat_error_i     (beat_error),
    .valid_o          (valid),
    .ready_i          (ready),
    .index_o          (index),
    .load_o           (load_instr),
    .load_advance_o   (load_advance),
    .compute_o        (compute_instr),
    .store_o          (store_instr),
    .store_advance_o  (store_advance),
    .iteration_o      (iteration),
    .finished_o       (fetch_finished),
    .empty_o          (queues_empty),
    .still_o          (fetch_still),
    .error_o          (fetch_error),
    .error_index_o    (fetch_error_index)
  );

  assign wait_for[UnitLoad]    = load_instr.wait_for;
  assign wait_for[UnitCompute] = compute_instr.wait_for;
  assign wait_for[UnitStore]   = store_instr.wait_for;
  tokens u_tokens (
    .clk_i,
    .rst_ni       (core_rst_n),
    .valid_i      (valid),
    .wait_for_i   (wait_for),
    .grant_o      (grant),
    .missing_o    (missing),
    .take_i       (take),
    .give_i       (give),
    .signal_to_i  (signal_to),
    .busy_i       (unit_busy),
    .fetch_still_i(fetch_still),
    .error_o      (token_error)
  );
  assign take  = valid & grant & unit_ready;
  assign ready = grant & unit_ready;

  // -- load, compute, store ---------------------------------------------------------------------

  logic step, write_valid, write_ready, write_last, data_valid, data_ready;
  logic write_done, write_error;
  logic [AddressBits-1:0] write_address;
  logic [31:0] write_words, load_error_index, store_error_index;
  logic [WordBits-1:0] write_data;
  error_e load_error, store_error;

  datapath u_datapath (
    .clk_i,
    .rst_ni             (core_rst_n),
    .valid_i            (valid & grant),
    .ready_o            (unit_ready),
    .done_o             (give),
    .signal_to_o        (signal_to),
    .busy_o             (unit_busy),
    .step_o             (step),
    .load_i             (load_instr),
    .load_index_i       (index[UnitLoad]),
    .load_advance_i     (load_advance),
    .compute_i          (compute_instr),
    .store_i            (store_instr),
    .store_index_i      (index[UnitStore]),
    .store_advance_i    (store_advance),
    .base_i             (base),
    .size_i             (size),
    .read_valid_o       (cmd_valid[1]),
    .read_ready_i       (cmd_ready[1]),
    .read_address_o     (cmd_address[1]),
    .read_bytes_o       (cmd_bytes[1]),
    .beat_valid_i       (beat_valid[1]),
    .beat_ready_o       (beat_ready[1]),
    .beat_data_i        (beat_data),
    .beat_offset_i      (beat_offset),
    .beat_last_i        (beat_last),
    .beat_error_i       (beat_error),
    .write_valid_o      (write_valid),
    .write_ready_i      (write_ready),
    .write_address_o    (write_address),
    .write_words_o      (write_words),
    .write_last_o       (write_last),
    .data_valid_o       (data_valid),
    .data_ready_i       (data_ready),
    .data_o             (write_data),
    .write_done_i       (write_done),
    .write_error_i      (write_error),
    .load_error_o       (load_error),
    .load_error_index_o (load_error_index),
    .store_error_o      (store_error),
    .store_error_index_o(store_error_index)
  );

  // -- AXI masters ------------------------------------------------------------------------------

  logic ask_valid, ask_ready, ask_tag, read_valid, read_ready, read_tag;
  logic got_valid, got_ready, got_tag;
  logic [AddressBits-1:0] ask_address, read_address;
  logic [31:0] ask_bytes, read_bytes;

  axi_read_arbiter #(
    .AddressBits(AddressBits)
  ) u_arbiter (
    .clk_i,
    .rst_ni       (core_rst_n),
    .cmd_valid_i  (cmd_valid),
    .cmd_ready_o  (cmd_ready),
    .cmd_address_i(cmd_address),
    .cmd_bytes_i  (cmd_bytes),
    .cmd_valid_o  (ask_valid),
    .cmd_ready_i  (ask_ready),
    .cmd_address_o(ask_address),
    .cmd_bytes_o  (ask_bytes),
    .cmd_tag_o    (ask_tag),
    .beat_valid_i (got_valid),
    .beat_ready_o (got_ready),
    .beat_tag_i   (got_tag),
    .beat_valid_o (beat_valid),
    .beat_ready_i (beat_ready)
  );

  skid_buffer #(
    .Width(AddressBits + 33)
  ) u_asked (
    .clk_i,
    .rst_ni (core_rst_n),
    .valid_i(ask_valid),
    .ready_o(ask_ready),
    .data_i ({ask_tag, ask_address, ask_bytes}),
    .valid_o(read_valid),
    .ready_i(read_ready),
    .data_o ({read_tag, read_address, read_bytes})
  );

  axi_read_master #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_read (
    .clk_i,
    .rst_ni,
    .flush_i      (flush),
    .idle_o       (read_idle),
    .cmd_valid_i  (read_valid && core_rst_n),
    .cmd_ready_o  (read_ready),
    .cmd_address_i(read_address),
    .cmd_bytes_i  (read_bytes),
    .cmd_tag_i    (read_tag),
    .beat_valid_o (got_valid),
    .beat_ready_i (got_ready),
    .beat_data_o  (beat_data),
    .beat_offset_o(beat_offset),
    .beat_last_o  (beat_last),
    .beat_error_o (beat_error),
    .beat_tag_o   (got_tag),
    .axi_arvalid_o(mem_arvalid_o),
    .axi_arready_i(mem_arready_i),
    .axi_araddr_o (mem_araddr_o),
    .axi_arlen_o  (mem_arlen_o),
    .axi_rvalid_i (mem_rvalid_i),
    .axi_rready_o (mem_rready_o),
    .axi_rdata_i  (mem_rdata_i),
    .axi_rresp_i  (mem_rresp_i),
    .axi_rlast_i  (mem_rlast_i)
  );

  axi_write_master #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_write (
    .clk_i,
    .rst_ni,
    .flush_i      (flush),
    .idle_o       (write_idle),
    .cmd_valid_i  (write_valid && core_rst_n),
    .cmd_ready_o  (write_ready),
    .cmd_address_i(write_address),
    .cmd_words_i  (write_words),
    .cmd_last_i   (write_last),
    .data_valid_i (data_valid && core_rst_n),
    .data_ready_o (data_ready),
    .data_i       (write_data),
    .done_o       (write_done),
    .error_o      (write_error),
    .axi_awvalid_o(mem_awvalid_o),
    .axi_awready_i(mem_awready_i),
    .axi_awaddr_o (mem_awaddr_o),
    .axi_awlen_o  (mem_awlen_o),
    .axi_wvalid_o (mem_wvalid_o),
    .axi_wready_i (mem_wready_i),
    .axi_wdata_o  (mem_wdata_o),
    .axi_wstrb_o  (mem_wstrb_o),
    .axi_wlast_o  (mem_wlast_o),
    .axi_bvalid_i (mem_bvalid_i),
    .axi_bready_o (mem_bready_o),
    .axi_bresp_i  (mem_bresp_i)
  );

  // -- what control and registers want to know --------------------------------------------------

  assign quiet = fetch_finished && queues_empty && unit_busy == '0 && read_idle && write_idle;

  always_comb begin
    error_seen  = ErrorNone;
    error_index = fetch_error_index;
    if (fetch_error != ErrorNone) begin
      error_seen = fetch_error;
    end else if (load_error != ErrorNone) begin
      error_seen  = load_error;
      error_index = load_error_index;
    end else if (store_error != ErrorNone) begin
      error_seen  = store_error;
      error_index = store_error_index;
    end else if (token_error) begin
      error_seen  = ErrorToken;
      error_index = index[valid[UnitCompute] && !grant[UnitCompute] ? UnitCompute
                          : valid[UnitLoad] && !grant[UnitLoad] ? UnitLoad : UnitStore];
    end
  end

  monitor u_monitor (
    .clk_i,
    .rst_ni,
    .clear_i         (clear),
    .running_i       (running),
    .flush_i         (flush),
    .step_i          (step),
    .valid_i         (valid),
    .missing_i       (missing),
    .ready_i         (unit_ready),
    .busy_i          (unit_busy),
    .fetch_still_i   (fetch_still),
    .fetch_finished_i(fetch_finished),
    .load_beat_i     (beat_valid[1]),
    .read_i          (mem_rvalid_i && mem_rready_o),
    .write_i         (mem_wvalid_o && mem_wready_i),
    .counters_o      (counters),
    .waiting_o       (waiting)
  );

endmodule
