// SPDX-License-Identifier: Apache-2.0
//
// product = a * weight, of LUTs and carry chains, written so that no tool makes a DSP of it.
//
//   weight = d0 + 4*d1 + 16*d2 + 64*d3     d0 to d2 are 0 to 3, d3 is -2 to 1
//
// A digit picks 0, a, 2a or 3a. 3a is the same for all weights of a lane, and is shared.
//
// Latency: 2.

module lut_product
  import cnnaccel_pkg::*;
(
  input  logic     clk_i,

  input  result_t  a_i,
  input  weight_t  weight_i,

  output product_t product_o
);

  typedef logic signed [10:0] triple_t;  // holds 3a

  function automatic triple_t pick(result_t a, triple_t three_a, logic [1:0] digit);
    unique case (digit)
      2'd0:    return '0;
      2'd1:    return triple_t'(a);
      2'd2:    return triple_t'(a) <<< 1;
      default: return three_a;
    endcase
  endfunction

  triple_t            triple;
  logic signed [9:0]  top;          // d3 * a, or the complement of it less 1
  logic signed [12:0] low_q;        // (d0 + 4*d1) * a
  logic signed [11:0] high_q;       // (d2 + 4*d3) * a
  wire                negative = weight_i[7];

  assign triple = triple_t'(a_i) + (triple_t'(a_i) <<< 1);

  always_comb begin
    unique case (weight_i[7:6])
      2'd0:    top = '0;
      2'd1:    top = 10'(a_i);
      2'd2:    top = ~(10'(a_i) <<< 1);
      default: top = ~10'(a_i);
    endcase
  end

  // Minus x is the complement of x, and 1: this comes in at a bit below the lowest.
  always_ff @(posedge clk_i) begin
    low_q     <= 13'(pick(a_i, triple, weight_i[1:0]))
               + (13'(pick(a_i, triple, weight_i[3:2])) <<< 2);
    high_q    <= 12'(($signed({12'(pick(a_i, triple, weight_i[5:4])), negative})
               + $signed({top, {3{negative}}})) >>> 1);
    product_o <= product_t'(low_q) + (product_t'(high_q) <<< 4);
  end

endmodule
