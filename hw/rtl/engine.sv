// SPDX-License-Identifier: Apache-2.0
//
// The engine: registers, what they start and stop, AXI masters.
//
//   AXI4-Lite --> axi_lite_regs --> control --> core: fetch, three units that run side by side
//                       ^                         |  ^
//                    monitor <--------------------'  '--> axi_masters <--> AXI4
//
// Handshake: AXI4 with words of C bytes, INCR bursts of at most 16 beats that stay within 4 KiB,
// one ID; AXI4-Lite of 32 bits. interrupt_o as `axi_lite_regs` says. One clock.

module engine
  import cnnaccel_pkg::*;
#(
  parameter int unsigned PortAddressBits = AddressBits,  // what the wrapper was told
  parameter int unsigned PortWordBytes   = InputLanes    // what the wrapper was told
) (
  input logic clk_i,
  input logic rst_ni,

  // The host's registers: AXI4-Lite, channel by channel.
  input  logic        ctl_awvalid_i,
  output logic        ctl_awready_o,  // AW: it is taken
  input  logic [ 7:0] ctl_awaddr_i,   // AW: the first byte
  input  logic        ctl_wvalid_i,   // W: a beat is offered
  output logic        ctl_wready_o,   // W: it is taken
  input  logic [31:0] ctl_wdata_i,    // W: its bytes, the first lowest
  input  logic [ 3:0] ctl_wstrb_i,    // W: which of them are written
  output logic        ctl_bvalid_o,   // B: a response is offered
  input  logic        ctl_bready_i,   // B: it is taken
  output logic [ 1:0] ctl_bresp_o,    // B: OKAY, or what went wrong
  input  logic        ctl_arvalid_i,  // AR: an address to read from is offered
  output logic        ctl_arready_o,  // AR: it is taken
  input  logic [ 7:0] ctl_araddr_i,   // AR: the first byte
  output logic        ctl_rvalid_o,   // R: a beat is offered
  input  logic        ctl_rready_i,   // R: it is taken
  output logic [31:0] ctl_rdata_o,    // R: its bytes, the first lowest
  output logic [ 1:0] ctl_rresp_o,    // R: OKAY, or what went wrong
  output logic        interrupt_o,    // level, until the host clears interrupt_status

  // DRAM: AXI4, channel by channel.
  output logic                          mem_arvalid_o,
  input  logic                          mem_arready_i,  // AR: it is taken
  output axi_address_t                  mem_araddr_o,   // AR: the first byte
  output logic         [           7:0] mem_arlen_o,    // AR: beats - 1
  input  logic                          mem_rvalid_i,   // R: a beat is offered
  output logic                          mem_rready_o,   // R: it is taken
  input  word_t                         mem_rdata_i,    // R: its bytes, the first lowest
  input  logic         [           1:0] mem_rresp_i,    // R: OKAY, or what went wrong
  input  logic                          mem_rlast_i,    // R: it is its burst's last
  output logic                          mem_awvalid_o,  // AW: an address to write to is offered
  input  logic                          mem_awready_i,  // AW: it is taken
  output axi_address_t                  mem_awaddr_o,   // AW: the first byte
  output logic         [           7:0] mem_awlen_o,    // AW: beats - 1
  output logic                          mem_wvalid_o,   // W: a beat is offered
  input  logic                          mem_wready_i,   // W: it is taken
  output word_t                         mem_wdata_o,    // W: its bytes, the first lowest
  output logic         [InputLanes-1:0] mem_wstrb_o,    // W: which of them are written
  output logic                          mem_wlast_o,    // W: it is its burst's last
  input  logic                          mem_bvalid_i,   // B: a response is offered
  output logic                          mem_bready_o,   // B: it is taken
  input  logic         [           1:0] mem_bresp_i     // B: OKAY, or what went wrong
);

  if (PortAddressBits != AddressBits || PortWordBytes != InputLanes) begin : gen_check
    $error(
        "engine: ports of %0d address bits, %0d bytes for a package of %0d, %0d",
        PortAddressBits,
        PortWordBytes,
        AddressBits,
        InputLanes
    );
  end

  logic start, reset, core_rst_n, flush, clear, fetch_start, running, core_quiet, masters_idle;
  request_t request;
  buffer_t buffers[4];
  status_t status;
  failure_t core_failure;
  activity_t activity;
  logic [31:0] iteration, waiting;
  logic [63:0] counters[8];

  axi_lite_regs u_regs (
    .clk_i,
    .rst_ni,
    .axi_awvalid_i(ctl_awvalid_i),
    .axi_awready_o(ctl_awready_o),
    .axi_awaddr_i (ctl_awaddr_i),
    .axi_wvalid_i (ctl_wvalid_i),
    .axi_wready_o (ctl_wready_o),
    .axi_wdata_i  (ctl_wdata_i),
    .axi_wstrb_i  (ctl_wstrb_i),
    .axi_bvalid_o (ctl_bvalid_o),
    .axi_bready_i (ctl_bready_i),
    .axi_bresp_o  (ctl_bresp_o),
    .axi_arvalid_i(ctl_arvalid_i),
    .axi_arready_o(ctl_arready_o),
    .axi_araddr_i (ctl_araddr_i),
    .axi_rvalid_o (ctl_rvalid_o),
    .axi_rready_i (ctl_rready_i),
    .axi_rdata_o  (ctl_rdata_o),
    .axi_rresp_o  (ctl_rresp_o),
    .start_o      (start),
    .reset_o      (reset),
    .interrupt_o,
    .request_o    (request),
    .buffers_o    (buffers),
    .status_i     (status),
    .iteration_i  (iteration),
    .waiting_i    (waiting),
    .counters_i   (counters)
  );

  control u_control (
    .clk_i,
    .rst_ni,
    .start_i       (start),
    .reset_i       (reset),
    .quiet_i       (core_quiet && masters_idle),
    .failure_i     (core_failure),
    .masters_idle_i(masters_idle),
    .core_rst_no   (core_rst_n),
    .flush_o       (flush),
    .clear_o       (clear),
    .fetch_start_o (fetch_start),
    .running_o     (running),
    .status_o      (status)
  );

  logic [1:0] read_valid, read_ready, beat_valid, beat_ready;
  read_command_t read[2];
  read_beat_t beat;
  logic write_valid, write_ready, data_valid, data_ready, write_done, write_error;
  write_command_t write;
  word_t data;

  core u_core (
    .clk_i,
    .rst_ni       (core_rst_n),
    .start_i      (fetch_start),
    .request_i    (request),
    .buffers_i    (buffers),
    .iteration_o  (iteration),
    .quiet_o      (core_quiet),
    .failure_o    (core_failure),
    .activity_o   (activity),
    .read_valid_o (read_valid),
    .read_ready_i (read_ready),
    .read_o       (read),
    .beat_valid_i (beat_valid),
    .beat_ready_o (beat_ready),
    .beat_i       (beat),
    .write_valid_o(write_valid),
    .write_ready_i(write_ready),
    .write_o      (write),
    .data_valid_o (data_valid),
    .data_ready_i (data_ready),
    .data_o       (data),
    .write_done_i (write_done),
    .write_error_i(write_error)
  );

  axi_masters u_masters (
    .clk_i,
    .rst_ni,
    .core_rst_ni  (core_rst_n),
    .flush_i      (flush),
    .idle_o       (masters_idle),
    .read_valid_i (read_valid),
    .read_ready_o (read_ready),
    .read_i       (read),
    .beat_valid_o (beat_valid),
    .beat_ready_i (beat_ready),
    .beat_o       (beat),
    .write_valid_i(write_valid),
    .write_ready_o(write_ready),
    .write_i      (write),
    .data_valid_i (data_valid),
    .data_ready_o (data_ready),
    .data_i       (data),
    .write_done_o (write_done),
    .write_error_o(write_error),
    .axi_arvalid_o(mem_arvalid_o),
    .axi_arready_i(mem_arready_i),
    .axi_araddr_o (mem_araddr_o),
    .axi_arlen_o  (mem_arlen_o),
    .axi_rvalid_i (mem_rvalid_i),
    .axi_rready_o (mem_rready_o),
    .axi_rdata_i  (mem_rdata_i),
    .axi_rresp_i  (mem_rresp_i),
    .axi_rlast_i  (mem_rlast_i),
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

  monitor u_monitor (
    .clk_i,
    .rst_ni,
    .clear_i    (clear),
    .running_i  (running),
    .flush_i    (flush),
    .activity_i (activity),
    .load_beat_i(beat_valid[1]),
    .read_i     (mem_rvalid_i && mem_rready_o),
    .write_i    (mem_wvalid_o && mem_wready_i),
    .counters_o (counters),
    .waiting_o  (waiting)
  );

endmodule
