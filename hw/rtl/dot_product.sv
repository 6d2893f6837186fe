// SPDX-License-Identifier: Apache-2.0
//
// The sums of one output channel in one lane, or in two that share its weights:
//
//   sum[i] += sum over c of a[i][c] * weight[c]      or as `accumulator` says
//
// Latency: DotProductLatency from operand and weight to sum. valid_i, load_i and max_i come a cycle
// before the tree's sums, so that every unit has registers of its own for them: they drive 32 bits
// and more.

module dot_product
  import cnnaccel_pkg::*;
#(
  parameter int unsigned DspProducts = InputLanes  // the first so many are made in DSPs
) (
  input logic clk_i,

  input operand_t operand_i[InputLanes],  // of one or two lanes, by input channel
  input weight_t  weight_i [InputLanes],  // by input channel
  input logic     valid_i,                // a step is a cycle before the sums
  input logic     load_i,                 // its sums start anew
  input logic     max_i,                  // opcode MAX

  output sum_t sum_o[PackedLanes]  // by lane of the operands
);

  localparam int unsigned TreeBits = $bits(product_t) + $clog2(InputLanes);

  product_t term[PackedLanes][InputLanes];
  (* keep = "true" *) logic valid_q, load_q, max_q;  // not shared with those beside

  for (genvar c = 0; c < InputLanes; c++) begin : gen_channel
    product_t products[PackedLanes];
    product #(
      .UseDsp(c < DspProducts)
    ) u_product (
      .clk_i,
      .operand_i(operand_i[c]),
      .weight_i (weight_i[c]),
      .product_o(products)
    );
    for (genvar i = 0; i < PackedLanes; i++) begin : gen_term
      assign term[i][c] = products[i];
    end
  end

  always_ff @(posedge clk_i) begin
    valid_q <= valid_i;
    load_q  <= load_i;
    max_q   <= max_i;
  end

  for (genvar i = 0; i < PackedLanes; i++) begin : gen_lane
    logic signed [TreeBits-1:0] value;
    adder_tree #(
      .Terms(InputLanes)
    ) u_tree (
      .clk_i,
      .term_i(term[i]),
      .sum_o (value)
    );
    accumulator #(
      .Width(TreeBits)
    ) u_accumulator (
      .clk_i,
      .valid_i(valid_q),
      .load_i (load_q),
      .max_i  (max_q),
      .value_i(value),
      .sum_o  (sum_o[i])
    );
  end

endmodule
