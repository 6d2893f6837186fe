// SPDX-License-Identifier: Apache-2.0
//
// The three units between the scratchpads:
//
//   reads --> load --> act, wgt, par     act, wgt, par <--> compute --> act     act --> store --> writes
//
// Handshake: valid_i[u] says that an instruction of unit u is there and its tokens are taken with it;
// ready_o[u] that it is taken. done_o[u] tells the end of each, in order, with signal_to_o[u]. busy_o[u]
// lasts from the first to the last. Commands, beats and data as those of `load` and `store`.

module datapath
  import cnnaccel_pkg::*;
#(
  parameter  int unsigned InFlight   = 4,                  // instructions of compute, at most
  localparam int unsigned OffsetBits = $clog2(InputLanes)
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic     [            2:0] valid_i,             // by unit, as are the next
  output logic     [            2:0] ready_o,
  output logic     [            2:0] done_o,
  output u3_t                        signal_to_o    [3],
  output logic     [            2:0] busy_o,
  output logic                       step_o,
  input  load_t                      load_i,
  input  logic     [           31:0] load_index_i,
  input  logic     [           31:0] load_advance_i,
  input  compute_t                   compute_i,
  input  store_t                     store_i,
  input  logic     [           31:0] store_index_i,
  input  logic     [           31:0] store_advance_i,
  input  logic     [AddressBits-1:0] base_i         [4],
  input  logic     [           31:0] size_i         [4],

  output logic                   read_valid_o,
  input  logic                   read_ready_i,
  output logic [AddressBits-1:0] read_address_o,
  output logic [           31:0] read_bytes_o,
  input  logic                   beat_valid_i,
  output logic                   beat_ready_o,
  input  logic [   WordBits-1:0] beat_data_i,
  input  logic [ OffsetBits-1:0] beat_offset_i,
  input  logic                   beat_last_i,
  input  logic                   beat_error_i,

  output logic                   write_valid_o,
  input  logic                   write_ready_i,
  output logic [AddressBits-1:0] write_address_o,
  output logic [           31:0] write_words_o,
  output logic                   write_last_o,
  output logic                   data_valid_o,
  input  logic                   data_ready_i,
  output logic [   WordBits-1:0] data_o,
  input  logic                   write_done_i,
  input  logic                   write_error_i,

  output error_e        load_error_o,
  output logic   [31:0] load_error_index_o,
  output error_e        store_error_o,
  output logic   [31:0] store_error_index_o
);

  // -- load -------------------------------------------------------------------------------------

  logic act_load_valid, act_load_ready, wgt_valid, par_valid;
  act_address_t act_load_address;
  u2_t act_load_log2_l;
  word_t act_load_data;
  wgt_address_t wgt_load_address;
  logic [OutputLanes*WordBits-1:0] wgt_load_data;
  par_address_t par_load_address;
  par_t [OutputLanes-1:0] par_load_data;

  load u_load (
    .clk_i,
    .rst_ni,
    .instr_valid_i  (valid_i[UnitLoad]),
    .instr_ready_o  (ready_o[UnitLoad]),
    .instr_i        (load_i),
    .instr_index_i  (load_index_i),
    .instr_advance_i(load_advance_i),
    .base_i,
    .size_i,
    .cmd_valid_o    (read_valid_o),
    .cmd_ready_i    (read_ready_i),
    .cmd_address_o  (read_address_o),
    .cmd_bytes_o    (read_bytes_o),
    .beat_valid_i,
    .beat_ready_o,
    .beat_data_i,
    .beat_offset_i,
    .beat_last_i,
    .beat_error_i,
    .act_valid_o    (act_load_valid),
    .act_ready_i    (act_load_ready),
    .act_address_o  (act_load_address),
    .act_log2_l_o   (act_load_log2_l),
    .act_data_o     (act_load_data),
    .wgt_valid_o    (wgt_valid),
    .wgt_ready_i    (1'b1),
    .wgt_address_o  (wgt_load_address),
    .wgt_data_o     (wgt_load_data),
    .par_valid_o    (par_valid),
    .par_ready_i    (1'b1),
    .par_address_o  (par_load_address),
    .par_data_o     (par_load_data),
    .done_o         (done_o[UnitLoad]),
    .signal_to_o    (signal_to_o[UnitLoad]),
    .busy_o         (busy_o[UnitLoad]),
    .error_o        (load_error_o),
    .error_index_o  (load_error_index_o)
  );

  // -- compute ----------------------------------------------------------------------------------

  row_t act_row[PixelLanes];
  word_t act_data[PixelLanes];
  wgt_address_t wgt_address;
  logic [OutputLanes*WordBits-1:0] wgt_data;
  par_address_t bias_address, multiplier_address, shift_address;
  s32_t [OutputLanes-1:0] bias;
  u16_t [OutputLanes-1:0] multiplier;
  u8_t [OutputLanes-1:0] shift;
  logic drain_valid, compute_ready, compute_busy;
  logic told_ready, told_valid;
  bank_t drain_bank;
  row_t drain_row;
  word_t drain_data;

  compute u_compute (
    .clk_i,
    .rst_ni,
    .instr_valid_i       (valid_i[UnitCompute] && told_ready),
    .instr_ready_o       (compute_ready),
    .instr_i             (compute_i),
    .done_o              (done_o[UnitCompute]),
    .busy_o              (compute_busy),
    .step_o,
    .act_row_o           (act_row),
    .act_data_i          (act_data),
    .wgt_address_o       (wgt_address),
    .wgt_data_i          (wgt_data),
    .bias_address_o      (bias_address),
    .bias_i              (bias),
    .multiplier_address_o(multiplier_address),
    .multiplier_i        (multiplier),
    .shift_address_o     (shift_address),
    .shift_i             (shift),
    .drain_valid_o       (drain_valid),
    .drain_bank_o        (drain_bank),
    .drain_row_o         (drain_row),
    .drain_data_o        (drain_data)
  );

  assign ready_o[UnitCompute] = compute_ready && told_ready;
  assign busy_o[UnitCompute]  = compute_busy || told_valid;

  // Whom to tell when an instruction of compute is done.
  fifo #(
    .Width(3),
    .Depth(InFlight)
  ) u_told (
    .clk_i,
    .rst_ni,
    .valid_i(valid_i[UnitCompute] && compute_ready),
    .ready_o(told_ready),
    .data_i (compute_i.signal_to),
    .valid_o(told_valid),
    .ready_i(done_o[UnitCompute]),
    .data_o (signal_to_o[UnitCompute])
  );

  // -- store ------------------------------------------------------------------------------------

  logic act_store_valid, act_store_ready, act_store_data_valid;
  act_address_t act_store_address;
  u2_t act_store_log2_l;
  word_t act_store_data;

  store u_store (
    .clk_i,
    .rst_ni,
    .instr_valid_i   (valid_i[UnitStore]),
    .instr_ready_o   (ready_o[UnitStore]),
    .instr_i         (store_i),
    .instr_index_i   (store_index_i),
    .instr_advance_i (store_advance_i),
    .base_i,
    .size_i,
    .act_read_valid_o(act_store_valid),
    .act_read_ready_i(act_store_ready),
    .act_address_o   (act_store_address),
    .act_log2_l_o    (act_store_log2_l),
    .act_valid_i     (act_store_data_valid),
    .act_data_i      (act_store_data),
    .cmd_valid_o     (write_valid_o),
    .cmd_ready_i     (write_ready_i),
    .cmd_address_o   (write_address_o),
    .cmd_words_o     (write_words_o),
    .cmd_last_o      (write_last_o),
    .data_valid_o,
    .data_ready_i,
    .data_o,
    .write_done_i,
    .write_error_i,
    .done_o          (done_o[UnitStore]),
    .signal_to_o     (signal_to_o[UnitStore]),
    .busy_o          (busy_o[UnitStore]),
    .error_o         (store_error_o),
    .error_index_o   (store_error_index_o)
  );

  // -- scratchpads ------------------------------------------------------------------------------

  act_scratchpad u_act (
    .clk_i,
    .rst_ni,
    .compute_row_i     (act_row),
    .compute_data_o    (act_data),
    .drain_valid_i     (drain_valid),
    .drain_bank_i      (drain_bank),
    .drain_row_i       (drain_row),
    .drain_data_i      (drain_data),
    .load_valid_i      (act_load_valid),
    .load_ready_o      (act_load_ready),
    .load_address_i    (act_load_address),
    .load_log2_l_i     (act_load_log2_l),
    .load_data_i       (act_load_data),
    .store_valid_i     (act_store_valid),
    .store_ready_o     (act_store_ready),
    .store_address_i   (act_store_address),
    .store_log2_l_i    (act_store_log2_l),
    .store_data_valid_o(act_store_data_valid),
    .store_data_o      (act_store_data)
  );

  wgt_scratchpad u_wgt (
    .clk_i,
    .load_valid_i     (wgt_valid),
    .load_address_i   (wgt_load_address),
    .load_data_i      (wgt_load_data),
    .compute_address_i(wgt_address),
    .compute_data_o   (wgt_data)
  );

  par_scratchpad u_par (
    .clk_i,
    .load_valid_i        (par_valid),
    .load_address_i      (par_load_address),
    .load_data_i         (par_load_data),
    .bias_address_i      (bias_address),
    .bias_o              (bias),
    .multiplier_address_i(multiplier_address),
    .multiplier_o        (multiplier),
    .shift_address_i     (shift_address),
    .shift_o             (shift)
  );

endmodule
