// SPDX-License-Identifier: Apache-2.0
//
// sum_o = sum of Terms products, exact; a register behind every adder.
//
// Latency: Stages, log2 of Terms.

module adder_tree
  import cnnaccel_pkg::*;
#(
  parameter  int unsigned Terms  = 8,                         // a power of two from 2 up
  localparam int unsigned Stages = $clog2(Terms),             // registers from term to sum
  localparam int unsigned Bits   = $bits(product_t) + Stages  // of the sum
) (
  input  logic                   clk_i,
  input  product_t               term_i[Terms],  // summed up
  output logic signed [Bits-1:0] sum_o           // of the terms Stages cycles before
);

  for (genvar s = 0; s < Stages; s++) begin : gen_stage
    localparam int unsigned Count = Terms >> (s + 1);
    localparam int unsigned Width = $bits(product_t) + s + 1;
    logic signed [Width-1:0] sum_q[Count];
    for (genvar i = 0; i < Count; i++) begin : gen_adder
      logic signed [Width-1:0] a, b;
      if (s == 0) begin : gen_first
        assign a = term_i[2*i];
        assign b = term_i[2*i+1];
      end else begin : gen_next
        assign a = gen_stage[s-1].sum_q[2*i];
        assign b = gen_stage[s-1].sum_q[2*i+1];
      end
      always_ff @(posedge clk_i) sum_q[i] <= a + b;
    end
  end

  assign sum_o = gen_stage[Stages-1].sum_q[0];

endmodule
