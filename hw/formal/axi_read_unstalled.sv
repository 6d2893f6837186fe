// SPDX-License-Identifier: Apache-2.0
//
// Assumes that nobody stalls `axi_read_master`, commands are short and only one flush comes: so a
// bounded proof reaches what follows a flush.

module axi_read_unstalled #(
  parameter int unsigned WordBytes = 8
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        flush_i,
  input logic        beat_ready_i,
  input logic [31:0] cmd_bytes_i,
  input logic        axi_arready_i,
  input logic        axi_rvalid_i,
  input logic        waits_for_beat
);

  logic flushed_q;

  always_ff @(posedge clk_i) begin
    flushed_q <= rst_ni && (flushed_q || $past(flush_i && rst_ni));
    assume (rst_ni || !$past(rst_ni));
    assume (!flushed_q || !flush_i || $past(flush_i));
    assume (beat_ready_i && axi_arready_i && axi_rvalid_i == waits_for_beat);
    assume (cmd_bytes_i <= 2 * WordBytes);
  end

endmodule

bind axi_read_master axi_read_unstalled #(
  .WordBytes(WordBytes)
) u_unstalled (
  .*,
  .waits_for_beat(u_order_props.level != '0)
);
