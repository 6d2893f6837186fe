// SPDX-License-Identifier: Apache-2.0
//
// A `fifo` of Depth items and a register behind it: what hangs on the item at the output does not
// wait for distributed RAM to be read.
//
// Handshake: that of `fifo`. Latency: 2 cycles. empty_o: there is no item, here or at the output.

module registered_fifo #(
  parameter int unsigned Width = 8,  // bits of an item
  parameter int unsigned Depth = 4   // items before the register, a power of two from 2 up
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic             valid_i,  // an item is offered
  output logic             ready_o,  // it is taken
  input  logic [Width-1:0] data_i,   // an item

  output logic             valid_o,  // an item is offered
  input  logic             ready_i,  // it is taken
  output logic [Width-1:0] data_o,   // the oldest item

  output logic empty_o  // no item is here
);

  logic next_valid;
  logic [Width-1:0] next;

  wire advance = !valid_o || ready_i;

  fifo #(
    .Width(Width),
    .Depth(Depth)
  ) u_fifo (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i,
    .valid_o(next_valid),
    .ready_i(advance),
    .data_o (next)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (advance) begin
      valid_o <= next_valid;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance) data_o <= next;
  end

  assign empty_o = !valid_o && !next_valid;

endmodule
