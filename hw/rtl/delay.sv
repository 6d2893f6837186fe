// SPDX-License-Identifier: Apache-2.0
//
// data_o = data_i of Cycles cycles before; shift registers, without reset.

module delay #(
  parameter int unsigned Width  = 8,  // bits
  parameter int unsigned Cycles = 1   // from input to output, from 1 up
) (
  input  logic             clk_i,
  input  logic [Width-1:0] data_i,  // anything
  output logic [Width-1:0] data_o   // data_i of Cycles cycles before
);

  logic [Width-1:0] data_q[Cycles];

  always_ff @(posedge clk_i) begin
    data_q[0] <= data_i;
    for (int unsigned i = 1; i < Cycles; i++) data_q[i] <= data_q[i-1];
  end

  assign data_o = data_q[Cycles-1];

endmodule
