// SPDX-License-Identifier: Apache-2.0
//
// The seven addresses of an instruction, each a `walker`.
//
//   A act word of lane 0   Y, X input row and column   W wgt word   PAR par word
//   O act word of slot 0   OX its output column
//
// Latency: WalkerLatency, 1: rank 1 to 2. Addresses wrap at the size of their scratchpad.

module walkers
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input logic                  step_i,   // rank 1
  input logic                  first_i,  // of its instruction
  input logic     [Levels-1:0] level_i,  // one-hot: the level that moves behind the step
  input compute_t              instr_i,  // of the step

  output act_address_t a_o,    // rank 2
  output s12_t         y_o,    // rank 2: input row
  output s17_t         x_o,    // rank 2: input column of lane 0
  output wgt_address_t w_o,    // rank 2: wgt word
  output par_address_t par_o,  // rank 2: par word
  output act_address_t o_o,    // rank 2: act word of slot 0
  output s17_t         ox_o    // rank 2: output column of slot 0
);

  act_address_t [8:0] a_jumps;
  act_address_t [3:0] o_jumps;

  always_comb begin
    for (int unsigned l = 0; l < 9; l++) a_jumps[l] = instr_i.a_jumps[l][ActBits-1:0];
    for (int unsigned l = 0; l < 4; l++) o_jumps[l] = instr_i.o_jumps[l][ActBits-1:0];
  end

  // co, what is outside a tile, what is inside.
  logic [2:0] part;
  wgt_address_t [2:0] w_jumps;

  assign part    = {|level_i[8:6], |level_i[5:1], level_i[0]};
  assign w_jumps = {WgtBits'(instr_i.w_step), -instr_i.w_rewind[WgtBits-1:0],
                    instr_i.w_co[WgtBits-1:0]};

  walker #(
    .Width (ActBits),
    .Levels(9)
  ) u_a (
    .clk_i,
    .step_i,
    .first_i,
    .level_i,
    .init_i (instr_i.a_init[ActBits-1:0]),
    .jumps_i(a_jumps),
    .value_o(a_o)
  );

  walker #(
    .Width (12),
    .Levels(7)
  ) u_y (
    .clk_i,
    .step_i,
    .first_i,
    .level_i(level_i[6:0]),
    .init_i (instr_i.y_init),
    .jumps_i(instr_i.y_jumps),
    .value_o(y_o)
  );

  walker #(
    .Width (17),
    .Levels(8)
  ) u_x (
    .clk_i,
    .step_i,
    .first_i,
    .level_i(level_i[7:0]),
    .init_i (instr_i.x_init),
    .jumps_i(instr_i.x_jumps),
    .value_o(x_o)
  );

  walker #(
    .Width (WgtBits),
    .Levels(3)
  ) u_w (
    .clk_i,
    .step_i,
    .first_i,
    .level_i(part),
    .init_i (instr_i.w_init[WgtBits-1:0]),
    .jumps_i(w_jumps),
    .value_o(w_o)
  );

  walker #(
    .Width (ParBits),
    .Levels(1)
  ) u_par (
    .clk_i,
    .step_i,
    .first_i,
    .level_i(level_i[0]),
    .init_i (instr_i.par_init[ParBits-1:0]),
    .jumps_i(ParBits'(instr_i.par_co)),
    .value_o(par_o)
  );

  walker #(
    .Width (ActBits),
    .Levels(4)
  ) u_o (
    .clk_i,
    .step_i,
    .first_i,
    .level_i(level_i[3:0]),
    .init_i (instr_i.o_init[ActBits-1:0]),
    .jumps_i(o_jumps),
    .value_o(o_o)
  );

  walker #(
    .Width (17),
    .Levels(4)
  ) u_ox (
    .clk_i,
    .step_i,
    .first_i,
    .level_i(level_i[3:0]),
    .init_i (17'd0),
    .jumps_i(instr_i.ox_jumps),
    .value_o(ox_o)
  );

endmodule
