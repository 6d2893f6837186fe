// SPDX-License-Identifier: Apache-2.0
//
// Of an ASIC, in place of the one in hw/rtl: a memory with a read port A and a port B that reads or
// writes, in an `sram`, and output registers.
//
// Latency: data of the address of cycle t in cycle t + 2. A read of the word that is written in the
// same cycle gives nothing of use.

module ram_tdp #(
  parameter  int unsigned Width       = 8,             // bits of a word
  parameter  int unsigned Depth       = 256,           // a power of two
  localparam int unsigned AddressBits = $clog2(Depth)  // of a word
) (
  input logic clk_i,

  input  logic [AddressBits-1:0] a_address_i,  // read in every cycle
  output logic [      Width-1:0] a_data_o,     // of the address 2 cycles before

  input  logic                   b_write_i,    // else B reads
  input  logic [AddressBits-1:0] b_address_i,  // of the write or read
  input  logic [      Width-1:0] b_data_i,     // what is written
  output logic [      Width-1:0] b_data_o      // of the read 2 cycles before
);

  logic [Width-1:0] a_read, b_read;

  sram #(
    .Width(Width),
    .Depth(Depth),
    .Reads(1'b1)
  ) u_sram (
    .clk_i,
    .a_address_i,
    .a_data_o(a_read),
    .b_write_i,
    .b_address_i,
    .b_data_i,
    .b_data_o(b_read)
  );

  always_ff @(posedge clk_i) begin
    a_data_o <= a_read;
    b_data_o <= b_read;
  end

endmodule
