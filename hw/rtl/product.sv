// SPDX-License-Identifier: Apache-2.0
//
// Products of one weight with one or two activations.
//
//   not Packed   product[0] = operand * weight, operand 9 bits; made anywhere
//   Packed       product[i] = a[i] * weight, operand = (a[1] << 16) + a[0], 25 bits: one DSP48E1
//
// It is written as UG901 has it, with operands of their own widths, so that synthesis sees a DSP.
//
// a[0] * weight is in -32640 .. 32640, so with 1 << 15 added, which the DSP does for free, it is
// the low 16 bits and borrows nothing from the upper 16, which are a[1] * weight.
//
// Latency: ProductLatency, 2: the registers M and P of the DSP.

module product
  import cnnaccel_pkg::*;
#(
  parameter bit UseDsp = 1'b1  // or LUTs
) (
  input logic clk_i,

  input operand_t operand_i,  // one activation, or two packed
  input weight_t  weight_i,   // of one output and input channel

  output product_t product_o[PackedLanes]  // by activation
);

  if (UseDsp) begin : gen_dsp
    localparam int unsigned Bits = Packed ? 32 : 16;
    localparam logic signed [Bits-1:0] Bias = Packed ? Bits'(1) <<< 15 : '0;

    (* use_dsp = "yes" *) logic signed [Bits-1:0] multiplied_q;
    logic signed [Bits-1:0] biased_q;

    always_ff @(posedge clk_i) begin
      multiplied_q <= operand_i * weight_i;
      biased_q     <= multiplied_q + Bias;
    end

    if (Packed) begin : gen_packed
      assign product_o[0] = {~biased_q[15], biased_q[14:0]};
      assign product_o[1] = biased_q[Bits-1:Bits-16];
    end else begin : gen_plain
      assign product_o[0] = biased_q;
    end
  end else begin : gen_lut
    result_t a[PackedLanes];

    assign a[0] = operand_i[8:0];
    if (Packed) begin : gen_packed
      // a[0] is below 0 where a[1] was made less by 1.
      assign a[1] = operand_i[OperandBits-1-:9] + result_t'({8'd0, operand_i[OperandBits-10]});
    end

    for (genvar i = 0; i < PackedLanes; i++) begin : gen_lane
      lut_product u_product (
        .clk_i,
        .a_i      (a[i]),
        .weight_i (weight_i),
        .product_o(product_o[i])
      );
    end
  end

endmodule
