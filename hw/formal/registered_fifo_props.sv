// SPDX-License-Identifier: Apache-2.0
//
// What `registered_fifo` promises.

module registered_fifo_props #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 4
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   valid_i,
  input logic                   ready_o,
  input logic [      Width-1:0] data_i,
  input logic                   valid_o,
  input logic                   ready_i,
  input logic [      Width-1:0] data_o,
  input logic                   empty_o,
  input logic [$clog2(Depth):0] head,           // of the fifo
  input logic [$clog2(Depth):0] tail,
  input logic [      Width-1:0] items  [Depth]
);

  localparam int unsigned IndexBits = $clog2(Depth);
  localparam int unsigned CountBits = IndexBits + 2;
  typedef logic [IndexBits:0] level_t;

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  stream_contract #(
    .Width(Width)
  ) u_out (
    .clk_i,
    .rst_ni,
    .valid_i(valid_o),
    .ready_i,
    .data_i (data_o)
  );

  in_order #(
    .Width    (Width),
    .CountBits(CountBits)
  ) u_order (
    .clk_i,
    .rst_ni,
    .in_i       (valid_i && ready_o),
    .in_data_i  (data_i),
    .out_valid_i(valid_o),
    .out_ready_i(ready_i),
    .out_data_i (data_o)
  );

  wire [CountBits-1:0] level = u_order.level;
  wire level_t queued = tail - head;
  wire [CountBits-1:0] behind = u_order.ahead - CountBits'(valid_o);  // in fifo, before the item
  wire [IndexBits-1:0] place = head[IndexBits-1:0] + behind[IndexBits-1:0];
  wire queues = u_order.held && !(valid_o && u_order.ahead == '0);

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      occupancy:   assert (32'(level) <= Depth + 1);
      takes_depth: assert (ready_o == (32'(queued) != Depth));
      empty:       assert (empty_o == (level == '0));
      // For induction.
      counts:      assert (level == CountBits'(queued) + CountBits'(valid_o));
      waiting:     assert (!queues || items[place] == u_order.item_q);
      full_c:      cover (32'(level) == Depth + 1);
    end
    if (rst_ni && $past(rst_ni)) begin
      moves_on:    assert (valid_o || $past(queued) == '0);
    end
  end
  // verilog_format: on

endmodule

bind registered_fifo registered_fifo_props #(
  .Width(Width),
  .Depth(Depth)
) u_props (
  .*,
  .head (u_fifo.head_q),
  .tail (u_fifo.tail_q),
  .items(u_fifo.items)
);
