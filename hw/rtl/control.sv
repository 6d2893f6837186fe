// SPDX-License-Identifier: Apache-2.0
//
// When the engine runs and when it stops.
//
//   rest --start--> clear --> begin --> run --quiet--> rest, done
//                                        '--error--> flush --masters idle--> rest, failed
//   any --reset--> flush --masters idle--> rest
//
// The core is reset in clear and flush, so every program starts from the same state. While
// flush_o, the AXI masters end what is under way and begin nothing: AXI takes no burst back, so if
// DRAM does not answer, flush lasts, busy_o with it, until it does. Then the next program is right.
// Handshake: start_i and reset_i are one cycle; start_i is ignored after a failure until reset_i.
// done_o and failed_o hold until the next start or reset; error_o and failing_o until reset.

module control
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic          start_i,
  input logic          reset_i,
  input logic          quiet_i,        // nothing is left to do, nothing under way
  input error_e        error_i,
  input logic   [31:0] error_index_i,
  input logic          masters_idle_i,

  output logic core_rst_no,
  output logic flush_o,
  output logic clear_o,        // of the counters
  output logic fetch_start_o,
  output logic running_o,

  output logic          busy_o,
  output logic          done_o,
  output logic          failed_o,
  output error_e        error_o,
  output logic   [31:0] failing_o
);

  typedef enum logic [2:0] {
    StRest,
    StClear,
    StBegin,
    StRun,
    StFlush
  } state_e;
  state_e state_d, state_q;

  wire may_start = start_i && error_o == ErrorNone;
  wire fails = state_q == StRun && error_i != ErrorNone;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StRest:  if (may_start) state_d = StClear;
      StClear: state_d = StBegin;
      StBegin: state_d = StRun;
      StRun:   state_d = fails ? StFlush : quiet_i ? StRest : StRun;
      StFlush: if (masters_idle_i) state_d = StRest;
      default: state_d = StRest;
    endcase
    if (reset_i) state_d = StFlush;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q     <= StRest;
      core_rst_no <= 1'b0;
      flush_o     <= 1'b0;
      done_o      <= 1'b0;
      error_o     <= ErrorNone;
    end else begin
      state_q     <= state_d;
      core_rst_no <= state_d != StClear && state_d != StFlush;
      flush_o     <= state_d == StFlush;
      if (reset_i || (state_q == StRest && may_start)) done_o <= 1'b0;
      else if (state_q == StRun && state_d == StRest) done_o <= 1'b1;
      if (reset_i) error_o <= ErrorNone;
      else if (fails) error_o <= error_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (fails) failing_o <= error_index_i;
  end

  assign clear_o       = state_q == StClear;
  assign fetch_start_o = state_q == StBegin;
  assign running_o     = state_q == StRun;
  assign busy_o        = state_q != StRest;
  assign failed_o      = error_o != ErrorNone && state_q == StRest;

endmodule
