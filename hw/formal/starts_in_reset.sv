// SPDX-License-Identifier: Apache-2.0
//
// Assumes that a design is reset in its first cycle; later resets are free.

module starts_in_reset (
  input logic clk_i,
  input logic rst_ni
);

  logic begun_q = 1'b0;

  always_ff @(posedge clk_i) begin
    begun_q <= 1'b1;
    if (!begun_q) assume (!rst_ni);
  end

endmodule
