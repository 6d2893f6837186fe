// SPDX-License-Identifier: Apache-2.0
//
// What `burst_issue` promises beyond `burst_splitter`, whose bursts are on the way here.

module burst_issue_props #(
  parameter int unsigned WordBytes   = 8,
  parameter int unsigned AddressBits = 32
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   flush_i,
  input logic                   idle_o,
  input logic                   queue_ready_i,
  input logic                   issue_o,
  input logic                   axi_valid_o,
  input logic                   axi_ready_i,
  input logic [AddressBits-1:0] axi_addr_o,
  input logic [            7:0] axi_len_o,
  input logic                   burst_valid,
  input logic                   burst_ready,
  input logic [AddressBits-1:0] burst_address,
  input logic [            7:0] burst_len
);

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  // Not even a flush takes an offered address back.
  stream_contract #(
    .Width(AddressBits + 8)
  ) u_axi (
    .clk_i,
    .rst_ni,
    .valid_i(axi_valid_o),
    .ready_i(axi_ready_i),
    .data_i ({axi_addr_o, axi_len_o})
  );

  legal_burst #(
    .WordBytes  (WordBytes),
    .AddressBits(AddressBits)
  ) u_legal (
    .clk_i,
    .rst_ni,
    .valid_i  (axi_valid_o),
    .address_i(axi_addr_o),
    .len_i    (axi_len_o)
  );

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      issues_if_can:   assert (issue_o == (burst_valid && queue_ready_i && !flush_i
                                           && (!axi_valid_o || axi_ready_i)));
      taken_if_issued: assert (flush_i || issue_o == (burst_valid && burst_ready));
      idle_is_empty:   assert (idle_o == (!burst_valid && !axi_valid_o));
      flushed_c:       cover (flush_i && axi_valid_o && burst_valid);
    end
    if (rst_ni && $past(rst_ni)) begin
      goes_out:  assert (!$past(issue_o) || (axi_valid_o && axi_addr_o == $past(burst_address)
                                             && axi_len_o == $past(burst_len)));
      no_other:  assert (axi_valid_o == $past(issue_o || (axi_valid_o && !axi_ready_i)));
      forgets:   assert (!$past(flush_i) || !burst_valid);
      idle_again_c: cover (idle_o && $past(axi_valid_o && flush_i));
      no_gap_c:  cover ($past(issue_o && axi_valid_o && axi_ready_i) && issue_o);
    end
  end
  // verilog_format: on

endmodule

bind burst_issue burst_issue_props #(
  .WordBytes  (WordBytes),
  .AddressBits(AddressBits)
) u_props (.*);
