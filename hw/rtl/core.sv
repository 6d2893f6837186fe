// SPDX-License-Identifier: Apache-2.0
//
// What a start begins and a stop resets: fetch, tokens, and the three units.
//
//   fetch --> tokens --> datapath: load, compute, store
//
// Handshake: start_i, one cycle after a reset; request_i and buffers_i hold until the next. The
// stream contract on commands, beats and data, as `axi_masters` has them.
// quiet_o: nothing is left to do but what the masters have.
// failure_o: the first error, until reset.

module core
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic            start_i,         // one cycle, out of reset
  input  request_t        request_i,       // the program, its iterations and strides
  input  buffer_t         buffers_i  [4],  // by base_e
  output logic     [31:0] iteration_o,     // of body: begun since start_i

  output logic      quiet_o,    // nothing is left but with the masters
  output failure_t  failure_o,  // the first error, until reset
  output activity_t activity_o, // for the monitor

  output logic           [1:0] read_valid_o,      // by client: fetch, load; so the next five
  input  logic           [1:0] read_ready_i,      // it is taken
  output read_command_t        read_o       [2],  // what is to be read
  input  logic           [1:0] beat_valid_i,      // a beat is offered
  output logic           [1:0] beat_ready_o,      // it is taken
  input  read_beat_t           beat_i,            // of the client that has the valid
  output logic                 write_valid_o,     // a command is offered
  input  logic                 write_ready_i,     // it is taken
  output write_command_t       write_o,           // where the next words go
  output logic                 data_valid_o,      // a word is offered
  input  logic                 data_ready_i,      // it is taken
  output word_t                data_o,            // words of the commands, in order
  input  logic                 write_done_i,      // one cycle: a command with `last` is written
  input  logic                 write_error_i      // one cycle: a response was an error
);

  logic [2:0] valid, ready, grant, take, give, busy, unit_ready;
  load_entry_t load_entry;
  compute_entry_t compute_entry;
  store_entry_t store_entry;
  logic fetch_finished, queues_empty, fetch_still, token_error, step;
  u3_t missing[3], signal_to[3], wait_for[3];
  u32_t index[3];
  failure_t fetch_failure, load_failure, store_failure;

  fetch u_fetch (
    .clk_i,
    .rst_ni,
    .start_i,
    .request_i,
    .cmd_valid_o (read_valid_o[0]),
    .cmd_ready_i (read_ready_i[0]),
    .cmd_o       (read_o[0]),
    .beat_valid_i(beat_valid_i[0]),
    .beat_ready_o(beat_ready_o[0]),
    .beat_i,
    .valid_o     (valid),
    .ready_i     (ready),
    .load_o      (load_entry),
    .compute_o   (compute_entry),
    .store_o     (store_entry),
    .iteration_o,
    .finished_o  (fetch_finished),
    .empty_o     (queues_empty),
    .still_o     (fetch_still),
    .failure_o   (fetch_failure)
  );

  assign wait_for[UnitLoad]    = load_entry.instr.wait_for;
  assign wait_for[UnitCompute] = compute_entry.instr.wait_for;
  assign wait_for[UnitStore]   = store_entry.instr.wait_for;
  assign index[UnitLoad]       = load_entry.index;
  assign index[UnitCompute]    = compute_entry.index;
  assign index[UnitStore]      = store_entry.index;

  tokens u_tokens (
    .clk_i,
    .rst_ni,
    .valid_i      (valid),
    .wait_for_i   (wait_for),
    .grant_o      (grant),
    .missing_o    (missing),
    .take_i       (take),
    .give_i       (give),
    .signal_to_i  (signal_to),
    .busy_i       (busy),
    .fetch_still_i(fetch_still),
    .error_o      (token_error)
  );

  assign take  = valid & grant & unit_ready;
  assign ready = grant & unit_ready;

  datapath u_datapath (
    .clk_i,
    .rst_ni,
    .valid_i        (valid & grant),
    .ready_o        (unit_ready),
    .done_o         (give),
    .signal_to_o    (signal_to),
    .busy_o         (busy),
    .step_o         (step),
    .load_i         (load_entry),
    .compute_i      (compute_entry.instr),
    .store_i        (store_entry),
    .buffers_i,
    .read_valid_o   (read_valid_o[1]),
    .read_ready_i   (read_ready_i[1]),
    .read_o         (read_o[1]),
    .beat_valid_i   (beat_valid_i[1]),
    .beat_ready_o   (beat_ready_o[1]),
    .beat_i,
    .write_valid_o,
    .write_ready_i,
    .write_o,
    .data_valid_o,
    .data_ready_i,
    .data_o,
    .write_done_i,
    .write_error_i,
    .load_failure_o (load_failure),
    .store_failure_o(store_failure)
  );

  // Of a unit that waits for tokens: compute, if it does, else load, else store.
  wire u32_t waiting_index = index[valid[UnitCompute] && !grant[UnitCompute] ? UnitCompute
                                   : valid[UnitLoad] && !grant[UnitLoad] ? UnitLoad : UnitStore];

  always_comb begin
    failure_o = '{code: token_error ? ErrorToken : ErrorNone, index: waiting_index};
    if (store_failure.code != ErrorNone) failure_o = store_failure;
    if (load_failure.code != ErrorNone) failure_o = load_failure;
    if (fetch_failure.code != ErrorNone) failure_o = fetch_failure;
  end

  assign quiet_o    = fetch_finished && queues_empty && busy == '0;
  assign activity_o = '{
    step: step,
    valid: valid,
    missing: {missing[2], missing[1], missing[0]},
    ready: unit_ready,
    busy: busy,
    fetch_still: fetch_still,
    fetch_finished: fetch_finished
  };

endmodule
