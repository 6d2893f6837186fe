// SPDX-License-Identifier: Apache-2.0
//
// Counters with amounts so great that they soon pass 32 bits.

module event_counters_tb (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic [ 7:0] event_i,
  input  logic [23:0] amount_i [8],
  output logic [63:0] counter_o[8]
);

  event_counters #(
    .Count     (8),
    .AmountBits(24)
  ) u_counters (
    .clk_i,
    .rst_ni,
    .clear_i,
    .event_i,
    .amount_i,
    .counter_o
  );

endmodule
