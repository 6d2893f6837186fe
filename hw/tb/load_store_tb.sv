// SPDX-License-Identifier: Apache-2.0
//
// load and store with their AXI masters, the read master shared with a client that the harness
// plays (client 0). Wires only; memory, scratchpads and stalls are in load_store_tb.cpp.

module load_store_tb
  import cnnaccel_pkg::*;
#(
  localparam int unsigned OffsetBits = $clog2(InputLanes)
) (
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

  logic [1:0] client_valid, client_ready, client_beat_valid, client_beat_ready;
  logic [AddressBits-1:0] client_address[2];
  logic [31:0] client_bytes[2];
  logic read_valid, read_ready, read_tag, read_idle;
  logic [AddressBits-1:0] read_address;
  logic [31:0] read_bytes;
  logic beat_valid, beat_ready, beat_last, beat_error, beat_tag;
  logic [WordBits-1:0] beat_data;
  logic [OffsetBits-1:0] beat_offset;
  logic write_valid, write_ready, write_last, write_done, write_error, write_idle;
  logic [AddressBits-1:0] write_address;
  logic [31:0] write_words;
  logic data_valid, data_ready;
  logic [WordBits-1:0] data;
  error_e load_error, store_error;

  assign client_valid[0]      = other_valid_i;
  assign other_ready_o        = client_ready[0];
  assign client_address[0]    = other_address_i;
  assign client_bytes[0]      = other_bytes_i;
  assign other_beat_valid_o   = client_beat_valid[0];
  assign client_beat_ready[0] = other_beat_ready_i;
  assign other_beat_data_o    = beat_data;
  assign other_beat_offset_o  = beat_offset;
  assign other_beat_last_o    = beat_last;
  assign load_error_o         = load_error;
  assign store_error_o        = store_error;
  assign idle_o               = read_idle && write_idle;

  load u_load (
    .clk_i,
    .rst_ni         (unit_rst_ni),
    .instr_valid_i  (load_valid_i),
    .instr_ready_o  (load_ready_o),
    .instr_i        (load_t'(load_i)),
    .instr_index_i  (load_index_i),
    .instr_advance_i(load_advance_i),
    .base_i,
    .size_i,
    .cmd_valid_o    (client_valid[1]),
    .cmd_ready_i    (client_ready[1]),
    .cmd_address_o  (client_address[1]),
    .cmd_bytes_o    (client_bytes[1]),
    .beat_valid_i   (client_beat_valid[1]),
    .beat_ready_o   (client_beat_ready[1]),
    .beat_data_i    (beat_data),
    .beat_offset_i  (beat_offset),
    .beat_last_i    (beat_last),
    .beat_error_i   (beat_error),
    .act_valid_o    (act_write_valid_o),
    .act_ready_i    (act_write_ready_i),
    .act_address_o  (act_write_address_o),
    .act_log2_l_o   (act_write_log2_l_o),
    .act_data_o     (act_write_data_o),
    .wgt_valid_o,
    .wgt_ready_i,
    .wgt_address_o,
    .wgt_data_o,
    .par_valid_o,
    .par_ready_i,
    .par_address_o,
    .par_data_o,
    .done_o         (load_done_o),
    .signal_to_o    (load_signal_o),
    .busy_o         (load_busy_o),
    .error_o        (load_error),
    .error_index_o  (load_error_index_o)
  );

  axi_read_arbiter #(
    .AddressBits(AddressBits)
  ) u_arbiter (
    .clk_i,
    .rst_ni       (unit_rst_ni),
    .cmd_valid_i  (client_valid),
    .cmd_ready_o  (client_ready),
    .cmd_address_i(client_address),
    .cmd_bytes_i  (client_bytes),
    .cmd_valid_o  (read_valid),
    .cmd_ready_i  (read_ready),
    .cmd_address_o(read_address),
    .cmd_bytes_o  (read_bytes),
    .cmd_tag_o    (read_tag),
    .beat_valid_i (beat_valid),
    .beat_ready_o (beat_ready),
    .beat_tag_i   (beat_tag),
    .beat_valid_o (client_beat_valid),
    .beat_ready_i (client_beat_ready)
  );

  axi_read_master #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_read_master (
    .clk_i,
    .rst_ni,
    .flush_i,
    .idle_o       (read_idle),
    .cmd_valid_i  (read_valid),
    .cmd_ready_o  (read_ready),
    .cmd_address_i(read_address),
    .cmd_bytes_i  (read_bytes),
    .cmd_tag_i    (read_tag),
    .beat_valid_o (beat_valid),
    .beat_ready_i (beat_ready),
    .beat_data_o  (beat_data),
    .beat_offset_o(beat_offset),
    .beat_last_o  (beat_last),
    .beat_error_o (beat_error),
    .beat_tag_o   (beat_tag),
    .axi_arvalid_o(arvalid_o),
    .axi_arready_i(arready_i),
    .axi_araddr_o (araddr_o),
    .axi_arlen_o  (arlen_o),
    .axi_rvalid_i (rvalid_i),
    .axi_rready_o (rready_o),
    .axi_rdata_i  (rdata_i),
    .axi_rresp_i  (rresp_i),
    .axi_rlast_i  (rlast_i)
  );

  store u_store (
    .clk_i,
    .rst_ni         (unit_rst_ni),
    .instr_valid_i  (store_valid_i),
    .instr_ready_o  (store_ready_o),
    .instr_i        (store_t'(store_i)),
    .instr_index_i  (store_index_i),
    .instr_advance_i(store_advance_i),
    .base_i,
    .size_i,
    .act_read_valid_o,
    .act_read_ready_i,
    .act_address_o  (act_read_address_o),
    .act_log2_l_o   (act_read_log2_l_o),
    .act_valid_i,
    .act_data_i,
    .cmd_valid_o    (write_valid),
    .cmd_ready_i    (write_ready),
    .cmd_address_o  (write_address),
    .cmd_words_o    (write_words),
    .cmd_last_o     (write_last),
    .data_valid_o   (data_valid),
    .data_ready_i   (data_ready),
    .data_o         (data),
    .write_done_i   (write_done),
    .write_error_i  (write_error),
    .done_o         (store_done_o),
    .signal_to_o    (store_signal_o),
    .busy_o         (store_busy_o),
    .error_o        (store_error),
    .error_index_o  (store_error_index_o)
  );

  axi_write_master #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_write_master (
    .clk_i,
    .rst_ni,
    .flush_i,
    .idle_o       (write_idle),
    .cmd_valid_i  (write_valid),
    .cmd_ready_o  (write_ready),
    .cmd_address_i(write_address),
    .cmd_words_i  (write_words),
    .cmd_last_i   (write_last),
    .data_valid_i (data_valid),
    .data_ready_o (data_ready),
    .data_i       (data),
    .done_o       (write_done),
    .error_o      (write_error),
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
