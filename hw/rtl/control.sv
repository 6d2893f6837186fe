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
// DRAM does not answer, flush lasts, busy with it, until it does. Then the next program is right.
// Handshake: start_i and reset_i are one cycle; start_i is ignored after a failure until reset_i.
// done of status_o holds until the next start or reset; failed and failure until reset.

module control
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic     start_i,        // one cycle
  input logic     reset_i,        // one cycle
  input logic     quiet_i,        // nothing is left to do, nothing under way
  input failure_t failure_i,      // of the core, until core_rst_no
  input logic     masters_idle_i, // nothing is under way on AXI

  output logic core_rst_no,    // of all but registers, masters and counters
  output logic flush_o,        // the masters end what is under way
  output logic clear_o,        // of the counters: one cycle
  output logic fetch_start_o,  // one cycle
  output logic running_o,      // the counters count

  output status_t status_o  // for the registers
);

  typedef enum logic [2:0] {
    StRest,
    StClear,
    StBegin,
    StRun,
    StFlush
  } state_e;
  state_e state_d, state_q;
  logic done_q;
  error_e error_q;
  u32_t failing_q;

  wire may_start = start_i && error_q == ErrorNone;
  wire fails = state_q == StRun && failure_i.code != ErrorNone;

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
      done_q      <= 1'b0;
      error_q     <= ErrorNone;
    end else begin
      state_q     <= state_d;
      core_rst_no <= state_d != StClear && state_d != StFlush;
      flush_o     <= state_d == StFlush;
      if (reset_i || (state_q == StRest && may_start)) done_q <= 1'b0;
      else if (state_q == StRun && state_d == StRest) done_q <= 1'b1;
      if (reset_i) error_q <= ErrorNone;
      else if (fails) error_q <= failure_i.code;
    end
  end

  always_ff @(posedge clk_i) begin
    if (fails) failing_q <= failure_i.index;
  end

  assign clear_o       = state_q == StClear;
  assign fetch_start_o = state_q == StBegin;
  assign running_o     = state_q == StRun;
  assign status_o      = '{
    busy:    state_q != StRest,
    done:    done_q,
    failed:  error_q != ErrorNone && state_q == StRest,
    failure: '{code: error_q, index: failing_q}
  };

endmodule
