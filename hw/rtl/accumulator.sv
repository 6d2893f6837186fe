// SPDX-License-Identifier: Apache-2.0
//
// The running sum, or maximum, of the steps of a tile.
//
//   load  sum = value      max  sum = max(sum, value), both in 9 bits      else  sum = sum + value
//
// Handshake: valid_i alone; without it the sum stays. Latency: 1.

module accumulator
  import cnnaccel_pkg::*;
#(
  parameter int unsigned Width = 19
) (
  input  logic                    clk_i,

  input  logic                    valid_i,
  input  logic                    load_i,
  input  logic                    max_i,
  input  logic signed [Width-1:0] value_i,

  output sum_t                    sum_o
);

  // One adder serves all three: of its terms, one or the other is 0.
  logic greater, drop_sum, drop_value;
  sum_t sum_q;

  assign greater    = result_t'(value_i) > result_t'(sum_q);
  assign drop_sum   = load_i || (max_i && greater);
  assign drop_value = !load_i && max_i && !greater;

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      sum_q <= (sum_q & {SumBits{!drop_sum}}) + (sum_t'(value_i) & {SumBits{!drop_value}});
    end
  end

  assign sum_o = sum_q;

endmodule
