// SPDX-License-Identifier: Apache-2.0
//
// Of an ASIC, in place of the one in hw/rtl: a memory with a write and a read port, in an `sram`,
// and an output register.
//
// Latency: data of the address of cycle t in cycle t + 2. A read of the word that is written in the
// same cycle gives nothing of use.

module ram_sdp #(
  parameter  int unsigned Width       = 8,             // bits of a word
  parameter  int unsigned Depth       = 256,           // a power of two
  localparam int unsigned AddressBits = $clog2(Depth)  // of a word
) (
  input logic clk_i,

  input logic                   write_i,          // in this cycle
  input logic [AddressBits-1:0] write_address_i,  // where
  input logic [      Width-1:0] write_data_i,     // what

  input  logic [AddressBits-1:0] read_address_i,  // in every cycle
  output logic [      Width-1:0] read_data_o      // of the address 2 cycles before
);

  logic [Width-1:0] read, unused_data;

  sram #(
    .Width(Width),
    .Depth(Depth),
    .Reads(1'b0)
  ) u_sram (
    .clk_i,
    .a_address_i(read_address_i),
    .a_data_o   (read),
    .b_write_i  (write_i),
    .b_address_i(write_address_i),
    .b_data_i   (write_data_i),
    .b_data_o   (unused_data)
  );

  always_ff @(posedge clk_i) read_data_o <= read;

endmodule
