// SPDX-License-Identifier: Apache-2.0
//
// What `skid_buffer` promises.

module skid_buffer_props #(
  parameter int unsigned Width = 8
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             valid_i,
  input logic             ready_o,
  input logic [Width-1:0] data_i,
  input logic             valid_o,
  input logic             ready_i,
  input logic [Width-1:0] data_o,
  input logic             skid_valid_q,
  input logic [Width-1:0] skid_q
);

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
    .Width(Width)
  ) u_order (
    .clk_i,
    .rst_ni,
    .in_i       (valid_i && ready_o),
    .in_data_i  (data_i),
    .out_valid_i(valid_o),
    .out_ready_i(ready_i),
    .out_data_i (data_o)
  );

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni && $past(rst_ni)) begin
      one_cycle:    assert (valid_o || !$past(valid_i && ready_o));
      never_slower: assert (ready_o || !$past(ready_i));
    end
    if (rst_ni) begin
      // For induction.
      counts:  assert (u_order.level == 4'(valid_o) + 4'(skid_valid_q));
      fills:   assert (valid_o || !skid_valid_q);
      waiting: assert (!skid_valid_q || u_order.ahead != 4'd1 || skid_q == u_order.item_q);
      full_c:  cover (skid_valid_q && $past(skid_valid_q) && valid_i);
    end
  end
  // verilog_format: on

endmodule

bind skid_buffer skid_buffer_props #(.Width(Width)) u_props (.*);
