// SPDX-License-Identifier: Apache-2.0
//
// Assumes that nobody stalls `axi_write_master`, commands are short and only one flush comes: so a
// bounded proof reaches what follows a flush.

module axi_write_unstalled (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        flush_i,
  input logic [31:0] cmd_words_i,
  input logic        data_valid_i,
  input logic        axi_awready_i,
  input logic        axi_wready_i,
  input logic        axi_bvalid_i,
  input logic        may_answer
);

  logic flushed_q;

  always_ff @(posedge clk_i) begin
    flushed_q <= rst_ni && (flushed_q || $past(flush_i && rst_ni));
    assume (rst_ni || !$past(rst_ni));
    assume (!flushed_q || !flush_i || $past(flush_i));
    assume (data_valid_i && axi_awready_i && axi_wready_i && axi_bvalid_i == may_answer);
    assume (cmd_words_i <= 32'd2);
  end

endmodule

bind axi_write_master axi_write_unstalled u_unstalled (
  .*,
  .may_answer(u_order_props.may_answer)
);
