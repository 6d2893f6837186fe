// SPDX-License-Identifier: Apache-2.0
//
// Products of one weight with one or two activations.
//
//   not Packed   product[0] = operand * weight, operand 9 bits; made anywhere
//   Packed       product[i] = a[i] * weight, operand = (a[1] << 16) + a[0], 25 bits: one DSP48E1
//
// a[0] * weight is in -32640 .. 32640, so with 1 << 15 added, which the DSP does for free, it is
// the low 16 bits and borrows nothing from the upper 16, which are a[1] * weight.
//
// Latency: 2, the registers M and P of the DSP.

module product
  import cnnaccel_pkg::*;
#(
  parameter bit UseDsp = 1'b1  // or LUTs
) (
  input  logic     clk_i,

  input  operand_t operand_i,
  input  weight_t  weight_i,

  output product_t product_o [PackedLanes]
);

  localparam int unsigned Bits = Packed ? 32 : 16;
  localparam logic signed [Bits-1:0] Bias = Packed ? Bits'(1) <<< 15 : '0;

  logic signed [Bits-1:0] multiplied, biased_q;

  if (UseDsp) begin : gen_dsp
    (* use_dsp = "yes" *) logic signed [Bits-1:0] multiplied_q;
    always_ff @(posedge clk_i) multiplied_q <= Bits'(operand_i) * Bits'(weight_i);
    assign multiplied = multiplied_q;
  end else begin : gen_lut
    (* use_dsp = "no" *) logic signed [Bits-1:0] multiplied_q;
    always_ff @(posedge clk_i) multiplied_q <= Bits'(operand_i) * Bits'(weight_i);
    assign multiplied = multiplied_q;
  end

  always_ff @(posedge clk_i) biased_q <= multiplied + Bias;

  if (Packed) begin : gen_packed
    assign product_o[0] = {~biased_q[15], biased_q[14:0]};
    assign product_o[1] = biased_q[Bits-1:Bits-16];
  end else begin : gen_plain
    assign product_o[0] = biased_q;
  end

endmodule
