// SPDX-License-Identifier: Apache-2.0
//
// A memory that answers reads in order, each word with its own number, or, if that is odd, with an
// error too. When it takes an address or offers a beat is free.

module read_memory #(
  parameter  int unsigned WordBytes   = 8,
  parameter  int unsigned AddressBits = 32,
  parameter  int unsigned Outstanding = 8,
  localparam int unsigned LevelBits   = $clog2(Outstanding + 1)
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   arvalid_i,
  input  logic                   arready_i,
  input  logic [AddressBits-1:0] araddr_i,
  input  logic [            7:0] arlen_i,
  input  logic                   rvalid_i,
  input  logic                   rready_i,
  input  logic [8*WordBytes-1:0] rdata_i,
  input  logic [            1:0] rresp_i,
  input  logic                   rlast_i,
  output logic [  LevelBits-1:0] level_o     // bursts that lack beats
);

  logic [7:0] beat, len[Outstanding];
  logic [AddressBits-1:0] address[Outstanding];

  burst_queue #(
    .Depth      (Outstanding),
    .AddressBits(AddressBits)
  ) u_queue (
    .clk_i,
    .rst_ni,
    .burst_i  (arvalid_i && arready_i),
    .address_i(araddr_i),
    .len_i    (arlen_i),
    .beat_i   (rvalid_i && rready_i),
    .level_o,
    .beat_o   (beat),
    .address_o(address),
    .len_o    (len)
  );

  wire [AddressBits-1:0] word = address[0] / AddressBits'(WordBytes) + AddressBits'(beat);

  always_ff @(posedge clk_i) begin
    assume (!rvalid_i || level_o != '0);
    assume (!rvalid_i || rlast_i == (beat == len[0]));
    assume (!rvalid_i || rdata_i == (8 * WordBytes)'(word));
    assume (!rvalid_i || rresp_i[1] == word[0]);
  end

endmodule
