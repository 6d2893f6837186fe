// SPDX-License-Identifier: Apache-2.0
//
// product = a * weight, of LUTs and carry chains, written so that no tool makes a DSP of it.
//
//   weight = d0 + 4*d1 + 16*d2 + 64*d3     d0 to d2 are 0 to 3, d3 is -2 to 1
//
// A digit picks 0, a, 2a or 3a. 3a is the same for all weights of a lane, and is shared.
//
// Latency: ProductLatency, 2.

module lut_product
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input result_t a_i,      // an activation
  input weight_t weight_i, // a weight

  output product_t product_o  // of them, exact
);

  typedef logic signed [10:0] triple_t;  // holds 3a

  function automatic triple_t pick(triple_t once, triple_t thrice, logic [1:0] digit);
    unique case (digit)
      2'd0:    return '0;
      2'd1:    return once;
      2'd2:    return once <<< 1;
      default: return thrice;
    endcase
  endfunction

  triple_t a, triple;
  logic signed [12:0] term0, term1;  // d0 * a, d1 * a
  logic signed [11:0] term2;  // d2 * a
  logic signed [9:0] top;  // d3 * a, or the complement of it less 1
  logic signed [12:0] low_q;  // (d0 + 4*d1) * a
  logic signed [11:0] high_q;  // (d2 + 4*d3) * a
  product_t low, high;
  wire negative = weight_i[7];

  assign a      = a_i;
  assign triple = a + (a <<< 1);
  assign term0  = pick(a, triple, weight_i[1:0]);
  assign term1  = pick(a, triple, weight_i[3:2]);
  assign term2  = pick(a, triple, weight_i[5:4]);
  assign low    = low_q;
  assign high   = high_q;

  always_comb begin
    unique case (weight_i[7:6])
      2'd0:    top = '0;
      2'd1:    top = a[9:0];
      2'd2:    top = ~{a[8:0], 1'b0};
      default: top = ~a[9:0];
    endcase
  end

  // Minus x is the complement of x, and 1: this comes in at a bit below the lowest.
  always_ff @(posedge clk_i) begin
    low_q     <= term0 + (term1 <<< 2);
    high_q    <= 12'(($signed({term2, negative}) + $signed({top, {3{negative}}})) >>> 1);
    product_o <= low + (high <<< 4);
  end

endmodule
