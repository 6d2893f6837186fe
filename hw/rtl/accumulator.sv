// SPDX-License-Identifier: Apache-2.0
//
// The running sum, or maximum, of the steps of a tile.
//
//   load  sum = value      max  sum = max(sum, value), both in 9 bits      else  sum = sum + value
//
// Handshake: valid_i alone; without it the sum stays. Latency: AccumulatorLatency, 1.

module accumulator
  import cnnaccel_pkg::*;
#(
  parameter int unsigned Width = 19  // bits of a value
) (
  input logic clk_i,

  input logic                    valid_i,  // the sum changes
  input logic                    load_i,   // it starts with this value
  input logic                    max_i,    // opcode MAX
  input logic signed [Width-1:0] value_i,  // of this step

  output sum_t sum_o  // of the steps so far
);

  // One adder serves all three: of its terms, one or the other is 0. Of a maximum the bits above
  // the lowest 9 are its sign, that of both terms: they do not wait for the comparison.
  localparam int unsigned HighBits = SumBits - ResultBits;

  sum_t sum_q, value, sum_mask, value_mask;
  wire greater = result_t'(value_i) > result_t'(sum_q);
  wire keep_low = !load_i && !(max_i && greater);
  wire keep_high = !load_i && !(max_i && !value_i[ResultBits-1]);

  assign value      = value_i;
  assign sum_mask   = {{HighBits{keep_high}}, {ResultBits{keep_low}}};
  assign value_mask = {{HighBits{load_i || !max_i}}, {ResultBits{load_i || !max_i || greater}}};

  always_ff @(posedge clk_i) begin
    if (valid_i) sum_q <= (sum_q & sum_mask) + (value & value_mask);
  end

  assign sum_o = sum_q;

endmodule
