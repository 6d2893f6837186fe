// SPDX-License-Identifier: Apache-2.0
//
// load and store with the AXI masters, which a client shares that the harness plays (client 0). Wires only; memory, scratchpads and stalls are in load_store_tb.cpp.

module load_store_tb
  import cnnaccel_pkg::*;
(
  input  logic clk_i,
  input  logic rst_ni,
  input  logic unit_rst_ni,
  input  logic flush_i,
  output logic idle_o,

  input logic [AddressBits-1:0] base_i[4],
  input logic [           31:0] size_i[4],

  input  logic         load_valid_i,
  output logic         load_ready_o,
  input  logic [511:0] load_i,
  input  logic [ 31:0] load_index_i,
  input  logic [ 31:0] load_advance_i,
  output logic         load_done_o,
  output logic [  2:0] load_signal_o,
  output logic         load_busy_o,
  output logic [  2:0] load_error_o,
  output logic [ 31:0] load_error_index_o,

  input  logic         store_valid_i,
  output logic         store_ready_o,
  input  logic [511:0] store_i,
  input  logic [ 31:0] store_index_i,
  input  logic [ 31:0] store_advance_i,
  output logic         store_done_o,
  output logic [  2:0] store_signal_o,
  output logic         store_busy_o,
  output logic [  2:0] store_error_o,
  output logic [ 31:0] store_error_index_o,

  input  logic                   other_valid_i,
  output logic                   other_ready_o,
  input  logic [AddressBits-1:0] other_address_i,
  input  logic [           31:0] other_bytes_i,
  output logic                   other_beat_valid_o,
  input  logic                   other_beat_ready_i,
  output logic [   WordBits-1:0] other_beat_data_o,
  output logic [ OffsetBits-1:0] other_beat_offset_o,
  output logic                   other_beat_last_o,

  output logic                                    act_write_valid_o,
  input  logic                                    act_write_ready_i,
  output act_address_t                            act_write_address_o,
  output u2_t                                     act_write_log2_l_o,
  output logic         [            WordBits-1:0] act_write_data_o,
  output logic                                    wgt_valid_o,
  input  logic                                    wgt_ready_i,
  output wgt_address_t                            wgt_address_o,
  output logic         [WordBits*OutputLanes-1:0] wgt_data_o,
  output logic                                    par_valid_o,
  input  logic                                    par_ready_i,
  output par_address_t                            par_address_o,
  output par_t         [         OutputLanes-1:0] par_data_o,
  output logic                                    act_read_valid_o,
  input  logic                                    act_read_ready_i,
  output act_address_t                            act_read_address_o,
  output u2_t                                     act_read_log2_l_o,
  input  logic                                    act_valid_i,
  input  logic         [            WordBits-1:0] act_data_i,

  output logic                   arvalid_o,
  input  logic                   arready_i,
  output logic [AddressBits-1:0] araddr_o,
  output logic [            7:0] arlen_o,
  input  logic                   rvalid_i,
  output logic                   rready_o,
  input  logic [   WordBits-1:0] rdata_i,
  input  logic [            1:0] rresp_i,
  input  logic                   rlast_i,
  output logic                   awvalid_o,
  input  logic                   awready_i,
  output logic [AddressBits-1:0] awaddr_o,
  output logic [            7:0] awlen_o,
  output logic                   wvalid_o,
  input  logic                   wready_i,
  output logic [   WordBits-1:0] wdata_o,
  output logic [ InputLanes-1:0] wstrb_o,
  output logic                   wlast_o,
  input  logic                   bvalid_i,
  output logic                   bready_o,
  input  logic [            1:0] bresp_i
);

  logic [1:0] read_valid, read_ready, beat_valid, beat_ready;
  read_command_t read[2];
  read_beat_t beat;
  logic write_valid, write_ready, data_valid, data_ready, write_done, write_error;
  write_command_t write;
  word_t data;
  buffer_t buffers[4];
  act_write_t act_write;
  act_place_t act_read;
  wgt_write_t wgt;
  par_write_t par;
  failure_t load_failure, store_failure;

  for (genvar b = 0; b < 4; b++) begin : gen_buffer
    assign buffers[b] = '{base: base_i[b], bytes: size_i[b]};
  end
  assign read_valid[0]       = other_valid_i;
  assign other_ready_o       = read_ready[0];
  assign read[0]             = '{address: other_address_i, bytes: other_bytes_i};
  assign other_beat_valid_o  = beat_valid[0];
  assign beat_ready[0]       = other_beat_ready_i;
  assign other_beat_data_o   = beat.data;
  assign other_beat_offset_o = beat.offset;
  assign other_beat_last_o   = beat.last;

  assign {act_write_address_o, act_write_log2_l_o, act_write_data_o} = act_write;
  assign {act_read_address_o, act_read_log2_l_o}                     = act_read;
  assign {wgt_address_o, wgt_data_o}                                 = wgt;
  assign {par_address_o, par_data_o}                                 = par;
  assign load_error_o        = load_failure.code;
  assign load_error_index_o  = load_failure.index;
  assign store_error_o       = store_failure.code;
  assign store_error_index_o = store_failure.index;

  load u_load (
    .clk_i,
    .rst_ni       (unit_rst_ni),
    .entry_valid_i(load_valid_i),
    .entry_ready_o(load_ready_o),
    .entry_i      ({load_index_i, load_advance_i, load_i}),
    .buffers_i    (buffers),
    .cmd_valid_o  (read_valid[1]),
    .cmd_ready_i  (read_ready[1]),
    .cmd_o        (read[1]),
    .beat_valid_i (beat_valid[1]),
    .beat_ready_o (beat_ready[1]),
    .beat_i       (beat),
    .act_valid_o  (act_write_valid_o),
    .act_ready_i  (act_write_ready_i),
    .act_o        (act_write),
    .wgt_valid_o,
    .wgt_ready_i,
    .wgt_o        (wgt),
    .par_valid_o,
    .par_ready_i,
    .par_o        (par),
    .done_o       (load_done_o),
    .signal_to_o  (load_signal_o),
    .busy_o       (load_busy_o),
    .failure_o    (load_failure)
  );

  store u_store (
    .clk_i,
    .rst_ni       (unit_rst_ni),
    .entry_valid_i(store_valid_i),
    .entry_ready_o(store_ready_o),
    .entry_i      ({store_index_i, store_advance_i, store_i}),
    .buffers_i    (buffers),
    .act_read_valid_o,
    .act_read_ready_i,
    .act_read_o   (act_read),
    .act_valid_i,
    .act_i        (act_data_i),
    .cmd_valid_o  (write_valid),
    .cmd_ready_i  (write_ready),
    .cmd_o        (write),
    .data_valid_o (data_valid),
    .data_ready_i (data_ready),
    .data_o       (data),
    .write_done_i (write_done),
    .write_error_i(write_error),
    .done_o       (store_done_o),
    .signal_to_o  (store_signal_o),
    .busy_o       (store_busy_o),
    .failure_o    (store_failure)
  );

  axi_masters u_masters (
    .clk_i,
    .rst_ni,
    .core_rst_ni  (unit_rst_ni),
    .flush_i,
    .idle_o,
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
    .axi_arvalid_o(arvalid_o),
    .axi_arready_i(arready_i),
    .axi_araddr_o (araddr_o),
    .axi_arlen_o  (arlen_o),
    .axi_rvalid_i (rvalid_i),
    .axi_rready_o (rready_o),
    .axi_rdata_i  (rdata_i),
    .axi_rresp_i  (rresp_i),
    .axi_rlast_i  (rlast_i),
    .axi_awvalid_o(awvalid_o),
    .axi_awready_i(awready_i),
    .axi_awaddr_o (awaddr_o),
    .axi_awlen_o  (awlen_o),
    .axi_wvalid_o (wvalid_o),
    .axi_wready_i (wready_i),
    .axi_wdata_o  (wdata_o),
    .axi_wstrb_o  (wstrb_o),
    .axi_wlast_o  (wlast_o),
    .axi_bvalid_i (bvalid_i),
    .axi_bready_o (bready_o),
    .axi_bresp_i  (bresp_i)
  );

endmodule
