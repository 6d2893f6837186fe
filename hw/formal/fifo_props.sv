// SPDX-License-Identifier: Apache-2.0
//
// What `fifo` promises.

module fifo_props #(
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
  input logic [$clog2(Depth):0] head_q,
  input logic [$clog2(Depth):0] tail_q,
  input logic [      Width-1:0] items  [Depth]
);

  localparam int unsigned IndexBits = $clog2(Depth);
  localparam int unsigned CountBits = IndexBits + 1;

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
  wire [IndexBits-1:0] place = head_q[IndexBits-1:0] + u_order.ahead[IndexBits-1:0];

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      occupancy:    assert (32'(level) <= Depth);
      takes_depth:  assert (ready_o == (32'(level) != Depth));
      offers_first: assert (valid_o == (level != '0));
      // For induction.
      counts:       assert (level == tail_q - head_q);
      waiting:      assert (!u_order.held || items[place] == u_order.item_q);
      full_c:       cover (32'(level) == Depth);
      emptied_c:    cover (level == '0 && 32'(u_order.out_q) == Depth);
    end
  end
  // verilog_format: on

endmodule

bind fifo fifo_props #(
  .Width(Width),
  .Depth(Depth)
) u_props (.*);
