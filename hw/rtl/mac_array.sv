// SPDX-License-Identifier: Apache-2.0
//
// P lanes times K output channels, each with C products per step and a sum.
//
//   MAC  sum[p][k] += sum over c of operand[p][c] * weight[k][c]
//   MAX  sum[p][k]  = max(sum[p][k], operand[p][k]), by unit weights: 1 where k = c
//
//   rank 9  operands, weights, step_i      10  packed, MAX weights      11  M      12  P
//   12 + log2 C  sums of products          13 + log2 C  sums: outputs
//
// Latency: ArrayLatency cycles; no step waits.

module mac_array
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input step_t     step_i,                             // rank 9
  input result_t   operand_i[PixelLanes][InputLanes],  // rank 9: by lane and input channel
  input wgt_word_t weight_i,                           // rank 9: by output and input channel

  output logic [PixelLanes-1:0] last_o,  // a tile ends with these sums; one per lane
  output sum_t sum_o[PixelLanes][OutputLanes]  // by lane and output channel
);

  // The step whose sums leave the adder tree in the next cycle.
  localparam int unsigned TreeStep = ArrayLatency - AccumulatorLatency - 2;

  step_t step_q[ArrayLatency];

  always_ff @(posedge clk_i) begin
    step_q[0] <= step_i;
    for (int unsigned i = 1; i < ArrayLatency; i++) step_q[i] <= step_q[i-1];
    if (!rst_ni) begin
      for (int unsigned i = 0; i < ArrayLatency; i++) step_q[i].valid <= 1'b0;
    end
  end

  // A register for each lane, as it takes over the sums of all K channels.
  (* keep = "true" *) logic [PixelLanes-1:0] last_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) last_q <= '0;
    else last_q <= {PixelLanes{step_q[ArrayLatency-2].valid && step_q[ArrayLatency-2].last}};
  end

  assign last_o = last_q;

  // Read by DSPs and LUTs: Yosys would move them into the DSPs and leave the LUTs without.
  (* in_fabric *) weight_t weight_q[OutputLanes][InputLanes];

  for (genvar k = 0; k < OutputLanes; k++) begin : gen_weight
    for (genvar c = 0; c < InputLanes; c++) begin : gen_channel
      always_ff @(posedge clk_i) begin
        weight_q[k][c] <= step_i.max ? weight_t'(k == c) : weight_i[WordBits*k+8*c+:8];
      end
    end
  end

  for (genvar g = 0; g < PixelLanes / PackedLanes; g++) begin : gen_lanes
    (* in_fabric *) operand_t operand_q[InputLanes];

    for (genvar c = 0; c < InputLanes; c++) begin : gen_channel
      if (Packed) begin : gen_packed
        operand_t first, second;
        assign first  = operand_i[2*g][c];
        assign second = operand_i[2*g+1][c];
        always_ff @(posedge clk_i) operand_q[c] <= (second <<< 16) + first;
      end else begin : gen_plain
        always_ff @(posedge clk_i) operand_q[c] <= operand_i[g][c];
      end
    end

    for (genvar k = 0; k < OutputLanes; k++) begin : gen_output
      localparam int unsigned Before = (g * OutputLanes + k) * InputLanes;  // products
      localparam int unsigned Left = ArrayDsp > Before ? ArrayDsp - Before : 0;
      sum_t sums[PackedLanes];

      dot_product #(
        .DspProducts(Left)
      ) u_dot_product (
        .clk_i,
        .operand_i(operand_q),
        .weight_i (weight_q[k]),
        .valid_i  (step_q[TreeStep].valid),
        .load_i   (step_q[TreeStep].load),
        .max_i    (step_q[TreeStep].max),
        .sum_o    (sums)
      );

      for (genvar i = 0; i < PackedLanes; i++) begin : gen_lane
        assign sum_o[PackedLanes*g+i][k] = sums[i];
      end
    end
  end

endmodule
