// SPDX-License-Identifier: Apache-2.0
//
// An INCR burst of whole words as our memory takes it: at most 16 beats, aligned, within 4 KiB.

module legal_burst #(
  parameter int unsigned WordBytes   = 8,
  parameter int unsigned AddressBits = 32
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   valid_i,
  input logic [AddressBits-1:0] address_i,
  input logic [            7:0] len_i
);

  wire [31:0] bytes = (32'(len_i) + 32'd1) * WordBytes;

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni && valid_i) begin
      at_most_16:  assert (len_i < 8'd16);
      aligned:     assert (32'(address_i) % WordBytes == '0);
      within_page: assert (32'(address_i[11:0]) + bytes <= 32'd4096);
      ends_page_c: cover (32'(address_i[11:0]) + bytes == 32'd4096 && len_i == 8'd15);
    end
  end
  // verilog_format: on

endmodule
