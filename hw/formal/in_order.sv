// SPDX-License-Identifier: Apache-2.0
//
// What goes in comes out: once, in order, unchanged. Follows one item, number which_q of those
// that went in; as which_q is free, this says it of all. Numbers wrap, so fewer than
// 2**CountBits items may be inside.

module in_order #(
  parameter int unsigned Width     = 1,
  parameter int unsigned CountBits = 4
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             in_i,         // an item goes in
  input logic [Width-1:0] in_data_i,
  input logic             out_valid_i,
  input logic             out_ready_i,
  input logic [Width-1:0] out_data_i
);

  typedef logic [CountBits-1:0] count_t;

  count_t which_q;  // never reset: any number, and it stays
  count_t in_q, out_q;
  logic [Width-1:0] item_q;

  wire count_t level = in_q - out_q;  // items inside
  wire count_t ahead = which_q - out_q;  // of them, those before number which_q
  wire held = ahead < level;  // number which_q is among them

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      in_q  <= '0;
      out_q <= '0;
    end else begin
      in_q  <= in_q + count_t'(in_i);
      out_q <= out_q + count_t'(out_valid_i && out_ready_i);
    end
    if (in_i && in_q == which_q) item_q <= in_data_i;
    which_q <= which_q;
  end

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      nothing_made_up: assert (!out_valid_i || level != '0);
      unchanged:       assert (!out_valid_i || !held || ahead != '0 || out_data_i == item_q);
      second_leaves_c: cover (out_valid_i && out_ready_i && out_q == count_t'(1)
                              && which_q == count_t'(1));
    end
  end
  // verilog_format: on

endmodule
