// SPDX-License-Identifier: Apache-2.0
//
// What `load` tells at the end: words of act to the scratchpad, which may refuse them, and with the
// last of a job, or behind it, that the job is done; and the first error.
//
// Handshake: the stream contract on items and on act. An item is a word of act, the end of a job,
// or both.
// Latency: 1 cycle from item to act, another one to done_o.
// Errors: as `load` says; read_error_i comes with the index of its job, range_error_i stays.

module load_end
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic       write_i,      // a word of act
  input  logic       ends_i,       // the job
  output logic       ready_o,      // the item is taken
  input  act_write_t item_i,       // the word, where there is one
  input  u3_t        signal_to_i,  // of the job
  output logic       empty_o,      // no item is here

  input logic read_error_i,   // one cycle
  input u32_t read_index_i,   // of the job that reads
  input logic range_error_i,  // stays
  input u32_t range_index_i,  // of the job that has it

  output logic       act_valid_o,  // a write of act is offered
  input  logic       act_ready_i,  // it is taken
  output act_write_t act_o,        // a word, by address

  output logic     done_o,       // one cycle
  output u3_t      signal_to_o,  // with done_o
  output failure_t failure_o     // until reset
);

  logic valid, write, ends, read_error_q;
  u3_t signal_to;
  u32_t read_index_q, index_q;
  error_e error_q;

  wire gone = act_ready_i || !write;

  skid_buffer #(
    .Width(5 + $bits(act_write_t))
  ) u_items (
    .clk_i,
    .rst_ni,
    .valid_i(write_i || ends_i),
    .ready_o(ready_o),
    .data_i ({write_i, ends_i, signal_to_i, item_i}),
    .valid_o(valid),
    .ready_i(gone),
    .data_o ({write, ends, signal_to, act_o})
  );

  assign act_valid_o = valid && write;
  assign empty_o     = !valid;
  assign failure_o   = '{code: error_q, index: index_q};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_error_q <= 1'b0;
      done_o       <= 1'b0;
      error_q      <= ErrorNone;
    end else begin
      read_error_q <= read_error_i;
      done_o       <= valid && ends && gone && error_q == ErrorNone && !read_error_q;
      if (error_q == ErrorNone) begin
        if (read_error_q) error_q <= ErrorRead;
        else if (range_error_i) error_q <= ErrorAddress;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    signal_to_o  <= signal_to;
    read_index_q <= read_index_i;
    if (error_q == ErrorNone) index_q <= read_error_q ? read_index_q : range_index_i;
  end

endmodule
