// SPDX-License-Identifier: Apache-2.0
//
// `compute` between its scratchpads; the harness drives instructions and the load and store sides.

module compute_tb
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic          instr_valid_i,
  output logic          instr_ready_o,
  input  logic [1023:0] instr_i,
  output logic          done_o,
  output logic          busy_o,
  output logic          step_o,
  output logic          drain_valid_o,

  input  logic  load_valid_i,
  output logic  load_ready_o,
  input  u20_t  load_address_i,
  input  u2_t   load_log2_l_i,
  input  word_t load_data_i,

  input  logic  store_valid_i,
  output logic  store_ready_o,
  input  u20_t  store_address_i,
  input  u2_t   store_log2_l_i,
  output logic  store_data_valid_o,
  output word_t store_data_o,

  input logic                            wgt_valid_i,
  input u16_t                            wgt_address_i,
  input logic [OutputLanes*WordBits-1:0] wgt_data_i,

  input logic                   par_valid_i,
  input u10_t                   par_address_i,
  input par_t [OutputLanes-1:0] par_data_i,

  output u8_t input_lanes_o,
  output u8_t output_lanes_o
);

  assign input_lanes_o  = 8'(InputLanes);
  assign output_lanes_o = 8'(OutputLanes);

  row_t act_row[PixelLanes];
  word_t act_data[PixelLanes];
  wgt_address_t wgt_address;
  wgt_word_t wgt_data;
  par_addresses_t par_addresses;
  par_channels_t par_channels;
  bank_write_t drain;

  compute u_compute (
    .clk_i,
    .rst_ni,
    .instr_valid_i,
    .instr_ready_o,
    .instr_i       (compute_t'(instr_i)),
    .done_o,
    .busy_o,
    .step_o,
    .act_row_o     (act_row),
    .act_data_i    (act_data),
    .wgt_address_o (wgt_address),
    .wgt_data_i    (wgt_data),
    .par_o         (par_addresses),
    .par_channels_i(par_channels),
    .drain_valid_o,
    .drain_o       (drain)
  );

  act_scratchpad u_act (
    .clk_i,
    .rst_ni,
    .compute_row_i (act_row),
    .compute_data_o(act_data),
    .drain_valid_i (drain_valid_o),
    .drain_i       (drain),
    .load_valid_i,
    .load_ready_o,
    .load_i        ({act_address_t'(load_address_i), load_log2_l_i, load_data_i}),
    .store_valid_i,
    .store_ready_o,
    .store_i       ({act_address_t'(store_address_i), store_log2_l_i}),
    .store_data_valid_o,
    .store_data_o
  );

  wgt_scratchpad u_wgt (
    .clk_i,
    .load_valid_i     (wgt_valid_i),
    .load_i           ({wgt_address_t'(wgt_address_i), wgt_data_i}),
    .compute_address_i(wgt_address),
    .compute_data_o   (wgt_data)
  );

  par_scratchpad u_par (
    .clk_i,
    .load_valid_i(par_valid_i),
    .load_i      ({par_address_t'(par_address_i), par_data_i}),
    .addresses_i (par_addresses),
    .channels_o  (par_channels)
  );

endmodule
