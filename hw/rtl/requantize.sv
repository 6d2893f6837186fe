// SPDX-License-Identifier: Apache-2.0
//
// One channel's sum to 8 bits:
//
//   result = clamp(((sum + bias) * multiplier + half) >> shift, low, high)
//   half   = 1 << (shift - 1), or 0
//
// (x + half) >> s = (x >> s) + bit s - 1 of x. So x is shifted with one fractional bit behind it,
// by multiples of 16, of 4, of 1. What is sure to be clamped is cut to fewer bits on the way: 15
// bits before the end, 9 + 15 bits reach -256 .. 255 and one more what is beyond; then 9 + 3
// and one.
//
//   stage 0  bias_i with sum_i     1  biased: multiplier_i     2  operands    3  low half
//         4  high half             5  product: shift_i         6  by 16       7  by 4
//         8  by 1                  9  rounded: low_i, high_i  10  result_o
//
// Latency: RequantizeLatency, 10 cycles. Two DSPs.

module requantize
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input sum_t          sum_i,         // stage 0
  input s32_t          bias_i,        // stage 0: added to the sum
  input u16_t          multiplier_i,  // stage 1
  input logic    [5:0] shift_i,       // stage 5: 0 to 63
  input result_t       low_i,         // stage 9: the least result
  input result_t       high_i,        // stage 9: the greatest

  output result_t result_o  // stage 10
);

  // Widths with the fractional bit.
  localparam int unsigned ProductBits = BiasedBits + 16 + 1;
  localparam int unsigned By4Bits = 26;
  localparam int unsigned By1Bits = 14;
  typedef logic signed [ProductBits-1:0] shifted_t;
  typedef logic signed [By4Bits-1:0] by4_t;
  typedef logic signed [By1Bits-1:0] by1_t;

  // Stages 1 to 5: (sum + bias) * multiplier, the biased sum in a low and a high half.
  biased_t sum, bias, biased_q;
  logic [15:0] low_half_q;
  logic signed [16:0] high_half_q, high_half3_q;
  u16_t multiplier_q, multiplier3_q;
  logic [31:0] low_product_q, low_product4_q;
  logic signed [32:0] high_product_q, high_sum_q;
  logic [15:0] low_sum_q;

  assign sum  = sum_i;
  assign bias = bias_i;

  always_ff @(posedge clk_i) begin
    biased_q       <= sum + bias;
    low_half_q     <= biased_q[15:0];
    high_half_q    <= biased_q[32:16];
    multiplier_q   <= multiplier_i;
    low_product_q  <= low_half_q * multiplier_q;
    high_half3_q   <= high_half_q;
    multiplier3_q  <= multiplier_q;
    high_product_q <= high_half3_q * $signed({1'b0, multiplier3_q});
    low_product4_q <= low_product_q;
    // No overflow: the halves together are 33 times 16 bits.
    high_sum_q     <= high_product_q + $signed({17'd0, low_product4_q[31:16]});
    low_sum_q      <= low_product4_q[15:0];
  end

  // Stages 6 to 8: the shift.
  shifted_t product;
  logic sign6_q, fits6_q;
  by4_t by16_q, by16;
  by1_t by4, by4_q, by1_q;
  logic [3:0] shift6_q;
  logic [1:0] shift7_q;

  assign product = $signed({high_sum_q, low_sum_q, 1'b0});
  assign by16    = by4_t'(product >>> {shift_i[5:4], 4'd0});
  assign by4     = by1_t'(by16_q >>> {shift6_q[3:2], 2'd0});

  // Whether by16 fits into By4Bits, before it is shifted; by the next stage it is one register.
  wire sign = product[ProductBits-1];
  wire top_is_sign = product[ProductBits-1:By4Bits+15] == {ProductBits - By4Bits - 15{sign}};
  wire mid_is_sign = product[By4Bits+14:By4Bits-1] == {16{sign}};

  // The same for by4 and By1Bits, of what is shifted by 8, by 4 or not, from the top.
  logic [2:0] is_sign;
  for (genvar i = 0; i < 3; i++) begin : gen_is_sign
    assign is_sign[i] = by16_q[By1Bits+4*i-1+:4] == {4{by16_q[By4Bits-1]}};
  end
  wire fits = &(is_sign | ((3'd1 << shift6_q[3:2]) - 3'd1));

  always_ff @(posedge clk_i) begin
    by16_q   <= by16;
    sign6_q  <= sign;
    fits6_q  <= shift_i[5] || (top_is_sign && (shift_i[4] || mid_is_sign));
    shift6_q <= shift_i[3:0];
    by4_q    <= by4;
    if (!fits6_q || !fits) by4_q <= {sign6_q, {By1Bits - 1{!sign6_q}}};
    shift7_q <= shift6_q[1:0];
    by1_q    <= by4_q >>> shift7_q;
  end

  // Stages 9 and 10.
  by1_t low, high, rounded_q;

  assign low  = low_i;
  assign high = high_i;

  always_ff @(posedge clk_i) begin
    rounded_q <= (by1_q >>> 1) + $signed({{By1Bits - 1{1'b0}}, by1_q[0]});
    if (rounded_q < low) result_o <= low_i;
    else if (rounded_q > high) result_o <= high_i;
    else result_o <= result_t'(rounded_q);
  end

endmodule
