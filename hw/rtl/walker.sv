// SPDX-License-Identifier: Apache-2.0
//
// An address that an instruction moves: value = init at its first step, and after a step of level l
// value += jumps[l], modulo 1 << Width.
//
//   rank 1: step_i with first_i, level_i, init_i, jumps_i     rank 2: the value of that step
//
// Latency: 1. Relies on init_i and jumps_i being those of the step beside them.

module walker #(
  parameter int unsigned Width  = 16,  // bits of the value
  parameter int unsigned Levels = 9    // that move it
) (
  input logic clk_i,

  input logic                         step_i,   // rank 1: a step
  input logic                         first_i,  // of its instruction
  input logic [Levels-1:0]            level_i,  // one-hot or 0
  input logic [ Width-1:0]            init_i,   // its value at the first step
  input logic [Levels-1:0][Width-1:0] jumps_i,  // by level: what it adds

  output logic [Width-1:0] value_o  // rank 2: of the step
);

  logic [Width-1:0] value_q, jump_q, jump;
  logic moves_q;

  always_comb begin
    jump = '0;
    for (int unsigned l = 0; l < Levels; l++) begin
      jump |= jumps_i[l] & {Width{level_i[l]}};
    end
  end

  always_ff @(posedge clk_i) begin
    moves_q <= step_i;
    jump_q  <= jump;
    if (step_i && first_i) value_q <= init_i;
    else if (moves_q) value_q <= value_q + jump_q;
  end

  assign value_o = value_q;

endmodule
