// SPDX-License-Identifier: Apache-2.0
//
// A small queue of Depth items in distributed RAM; the oldest is at the output.
//
// Handshake: the stream contract: valid never waits for ready, the payload holds until ready, valid
// is low after reset. ready_o does not depend on ready_i: a full queue takes an item the cycle
// after one has left. Latency: 1 cycle.

module fifo #(
  parameter int unsigned Width = 8,  // bits of an item
  parameter int unsigned Depth = 4   // items, a power of two from 2 up
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic             valid_i,  // an item is offered
  output logic             ready_o,  // it is taken
  input  logic [Width-1:0] data_i,   // an item

  output logic             valid_o,  // an item is offered
  input  logic             ready_i,  // it is taken
  output logic [Width-1:0] data_o    // the oldest item
);

  localparam int unsigned IndexBits = $clog2(Depth);
  if (Depth != 1 << IndexBits || Depth < 2) begin : gen_check
    $error("fifo: Depth must be a power of two from 2 up, got %0d", Depth);
  end

  // One bit more than an index: equal indices are empty or full.
  logic [IndexBits:0] head_q, tail_q;
  // Its proofs look at items one by one.
`ifndef FORMAL
  (* ram_style = "distributed" *)
`endif
  logic [Width-1:0] items[Depth];

  assign valid_o = head_q != tail_q;
  assign ready_o = tail_q != {~head_q[IndexBits], head_q[IndexBits-1:0]};
  assign data_o  = items[head_q[IndexBits-1:0]];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
    end else begin
      head_q <= head_q + (IndexBits + 1)'(valid_o && ready_i);
      tail_q <= tail_q + (IndexBits + 1)'(valid_i && ready_o);
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) items[tail_q[IndexBits-1:0]] <= data_i;
  end

endmodule
