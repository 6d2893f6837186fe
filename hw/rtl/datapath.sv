// SPDX-License-Identifier: Apache-2.0
//
// The three units between the scratchpads:
//
//   AXI --> load --> act, wgt, par   act, wgt, par <--> compute --> act   act --> store --> AXI
//
// Handshake: valid_i[u] says that an instruction of unit u is there and its tokens are taken with
// it; ready_o[u] that it is taken. done_o[u] tells the end of each, in order, with signal_to_o[u].
// busy_o[u] lasts from the first to the last. Commands, beats and data as those of `load` and
// `store`.

module datapath
  import cnnaccel_pkg::*;
#(
  parameter int unsigned InFlight = 4  // instructions of compute, at most
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic         [2:0] valid_i,         // by unit, as the next four: with its tokens
  output logic         [2:0] ready_o,         // it is taken
  output logic         [2:0] done_o,          // one cycle
  output u3_t                signal_to_o[3],  // with done_o: the units that get a token
  output logic         [2:0] busy_o,          // an instruction is taken and not done
  output logic               step_o,          // of the array
  input  load_entry_t        load_i,          // its next instruction
  input  compute_t           compute_i,       // its next instruction
  input  store_entry_t       store_i,         // its next instruction
  input  buffer_t            buffers_i  [4],  // by base_e

  output logic           read_valid_o,   // a command is offered
  input  logic           read_ready_i,   // it is taken
  output read_command_t  read_o,         // what load reads
  input  logic           beat_valid_i,   // a beat is offered
  output logic           beat_ready_o,   // it is taken
  input  read_beat_t     beat_i,         // of load's commands, in order
  output logic           write_valid_o,  // a command is offered
  input  logic           write_ready_i,  // it is taken
  output write_command_t write_o,        // where the next words go
  output logic           data_valid_o,   // a word is offered
  input  logic           data_ready_i,   // it is taken
  output word_t          data_o,         // words of the commands, in order
  input  logic           write_done_i,   // one cycle: a command with `last` is written
  input  logic           write_error_i,  // one cycle: a response was an error

  output failure_t load_failure_o,  // until reset
  output failure_t store_failure_o  // until reset
);

  // -- load -------------------------------------------------------------------------------------

  logic act_load_valid, act_load_ready, wgt_load_valid, par_load_valid;
  act_write_t act_load;
  wgt_write_t wgt_load;
  par_write_t par_load;

  load u_load (
    .clk_i,
    .rst_ni,
    .entry_valid_i(valid_i[UnitLoad]),
    .entry_ready_o(ready_o[UnitLoad]),
    .entry_i      (load_i),
    .buffers_i,
    .cmd_valid_o  (read_valid_o),
    .cmd_ready_i  (read_ready_i),
    .cmd_o        (read_o),
    .beat_valid_i,
    .beat_ready_o,
    .beat_i,
    .act_valid_o  (act_load_valid),
    .act_ready_i  (act_load_ready),
    .act_o        (act_load),
    .wgt_valid_o  (wgt_load_valid),
    .wgt_ready_i  (1'b1),
    .wgt_o        (wgt_load),
    .par_valid_o  (par_load_valid),
    .par_ready_i  (1'b1),
    .par_o        (par_load),
    .done_o       (done_o[UnitLoad]),
    .signal_to_o  (signal_to_o[UnitLoad]),
    .busy_o       (busy_o[UnitLoad]),
    .failure_o    (load_failure_o)
  );

  // -- compute ----------------------------------------------------------------------------------

  row_t act_row[PixelLanes];
  word_t act_data[PixelLanes];
  wgt_address_t wgt_address;
  wgt_word_t wgt_data;
  par_addresses_t par_addresses;
  par_channels_t par_channels;
  logic drain_valid, compute_ready, compute_busy, told_ready, told_valid;
  bank_write_t drain;

  compute u_compute (
    .clk_i,
    .rst_ni,
    .instr_valid_i (valid_i[UnitCompute] && told_ready),
    .instr_ready_o (compute_ready),
    .instr_i       (compute_i),
    .done_o        (done_o[UnitCompute]),
    .busy_o        (compute_busy),
    .step_o,
    .act_row_o     (act_row),
    .act_data_i    (act_data),
    .wgt_address_o (wgt_address),
    .wgt_data_i    (wgt_data),
    .par_o         (par_addresses),
    .par_channels_i(par_channels),
    .drain_valid_o (drain_valid),
    .drain_o       (drain)
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
  act_place_t act_store;
  word_t act_store_data;

  store u_store (
    .clk_i,
    .rst_ni,
    .entry_valid_i   (valid_i[UnitStore]),
    .entry_ready_o   (ready_o[UnitStore]),
    .entry_i         (store_i),
    .buffers_i,
    .act_read_valid_o(act_store_valid),
    .act_read_ready_i(act_store_ready),
    .act_read_o      (act_store),
    .act_valid_i     (act_store_data_valid),
    .act_i           (act_store_data),
    .cmd_valid_o     (write_valid_o),
    .cmd_ready_i     (write_ready_i),
    .cmd_o           (write_o),
    .data_valid_o,
    .data_ready_i,
    .data_o,
    .write_done_i,
    .write_error_i,
    .done_o          (done_o[UnitStore]),
    .signal_to_o     (signal_to_o[UnitStore]),
    .busy_o          (busy_o[UnitStore]),
    .failure_o       (store_failure_o)
  );

  // -- scratchpads ------------------------------------------------------------------------------

  act_scratchpad u_act (
    .clk_i,
    .rst_ni,
    .compute_row_i     (act_row),
    .compute_data_o    (act_data),
    .drain_valid_i     (drain_valid),
    .drain_i           (drain),
    .load_valid_i      (act_load_valid),
    .load_ready_o      (act_load_ready),
    .load_i            (act_load),
    .store_valid_i     (act_store_valid),
    .store_ready_o     (act_store_ready),
    .store_i           (act_store),
    .store_data_valid_o(act_store_data_valid),
    .store_data_o      (act_store_data)
  );

  wgt_scratchpad u_wgt (
    .clk_i,
    .load_valid_i     (wgt_load_valid),
    .load_i           (wgt_load),
    .compute_address_i(wgt_address),
    .compute_data_o   (wgt_data)
  );

  par_scratchpad u_par (
    .clk_i,
    .load_valid_i(par_load_valid),
    .load_i      (par_load),
    .addresses_i (par_addresses),
    .channels_o  (par_channels)
  );

endmodule
