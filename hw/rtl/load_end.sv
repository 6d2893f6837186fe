// SPDX-License-Identifier: Apache-2.0
//
// What `load` tells at the end: words of act to the scratchpad, which may refuse them, and with the
// last of a job, or behind it, that the job is done; and the first error.
//
// Handshake: the stream contract on items and on act. An item is a word of act, the end of a job, or
// both. Latency: 1 cycle from item to act, another one to done_o.
// Errors: as `load` says; read_error_i comes with the index of its job, range_error_i stays.

module load_end
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic                        write_i,      // a word of act
  input  logic                        ends_i,       // the job
  output logic                        ready_o,
  input  act_address_t                address_i,
  input  u2_t                         log2_l_i,
  input  logic         [WordBits-1:0] data_i,
  input  u3_t                         signal_to_i,
  output logic                        empty_o,

  input logic        read_error_i,
  input logic [31:0] read_index_i,
  input logic        range_error_i,
  input logic [31:0] range_index_i,

  output logic                        act_valid_o,
  input  logic                        act_ready_i,
  output act_address_t                act_address_o,
  output u2_t                         act_log2_l_o,
  output logic         [WordBits-1:0] act_data_o,

  output logic          done_o,
  output u3_t           signal_to_o,
  output error_e        error_o,
  output logic   [31:0] error_index_o
);

  logic valid, write, ends, read_error_q;
  u3_t signal_to;
  logic [31:0] read_index_q;

  wire gone = act_ready_i || !write;

  skid_buffer #(
    .Width(7 + ActBits + WordBits)
  ) u_items (
    .clk_i,
    .rst_ni,
    .valid_i(write_i || ends_i),
    .ready_o(ready_o),
    .data_i ({write_i, ends_i, signal_to_i, log2_l_i, address_i, data_i}),
    .valid_o(valid),
    .ready_i(gone),
    .data_o ({write, ends, signal_to, act_log2_l_o, act_address_o, act_data_o})
  );

  assign act_valid_o = valid && write;
  assign empty_o     = !valid;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_error_q <= 1'b0;
      done_o       <= 1'b0;
      error_o      <= ErrorNone;
    end else begin
      read_error_q <= read_error_i;
      done_o       <= valid && ends && gone && error_o == ErrorNone && !read_error_q;
      if (error_o == ErrorNone) begin
        if (read_error_q) error_o <= ErrorRead;
        else if (range_error_i) error_o <= ErrorAddress;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    signal_to_o  <= signal_to;
    read_index_q <= read_index_i;
    if (error_o == ErrorNone) error_index_o <= read_error_q ? read_index_q : range_index_i;
  end

endmodule
