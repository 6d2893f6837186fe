// SPDX-License-Identifier: Apache-2.0
//
// A flush of `axi_write_master` ends, at the latest FlushCycles after it began, whatever was before
// it, if the memory then stalls nothing and commands are short: also a memory that takes the address
// of a burst only when it has all its words (IHI0022, A3.3.1, allows it to wait for WVALID).

module axi_write_flush #(
  parameter  int unsigned AddressBits = 32,
  parameter  int unsigned Outstanding = 8,
  parameter  int unsigned FlushCycles = 8,
  localparam int unsigned LevelBits   = $clog2(Outstanding + 1)
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   flush_i,
  input logic                   idle_o,
  input logic [           31:0] cmd_words_i,
  input logic                   axi_awvalid_o,
  input logic                   axi_awready_i,
  input logic [AddressBits-1:0] axi_awaddr_o,
  input logic [            7:0] axi_awlen_o,
  input logic                   axi_wvalid_o,
  input logic                   axi_wready_i,
  input logic                   axi_wlast_o,
  input logic                   axi_bvalid_i
);

  logic [LevelBits-1:0] level;
  logic waits, may_answer;

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  write_memory #(
    .AddressBits(AddressBits),
    .Outstanding(Outstanding)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .awvalid_i   (axi_awvalid_o),
    .awready_i   (axi_awready_i),
    .awaddr_i    (axi_awaddr_o),
    .awlen_i     (axi_awlen_o),
    .wvalid_i    (axi_wvalid_o),
    .wready_i    (axi_wready_i),
    .wlast_i     (axi_wlast_o),
    .bvalid_i    (axi_bvalid_i),
    .offered_o   (),
    .waits_o     (waits),
    .level_o     (level),
    .owed_o      (),
    .may_answer_o(may_answer),
    .beat_o      (),
    .address_o   (),
    .len_o       ()
  );

  logic at_once_q;  // never reset: how the memory takes addresses, and it stays
  logic [7:0] flushing_q;  // cycles

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    at_once_q  <= at_once_q;
    flushing_q <= rst_ni && flush_i ? flushing_q + 8'd1 : '0;
    assume (cmd_words_i != '0 && cmd_words_i <= 32'd2);
    assume (at_once_q || !axi_awready_i || (waits && level == '0));
    if (flush_i) begin
      assume (axi_wready_i && axi_bvalid_i == may_answer);
      assume (axi_awready_i || !(at_once_q || (waits && level == '0)));
    end
    if (rst_ni) begin
      flush_ends:  assert (idle_o || 32'(flushing_q) < FlushCycles);
      data_first_c: cover (idle_o && 32'(flushing_q) == FlushCycles - 1 && !at_once_q);
    end
  end
  // verilog_format: on

endmodule

bind axi_write_master axi_write_flush #(
  .AddressBits(AddressBits),
  .Outstanding(Outstanding)
) u_flush (.*);
