// SPDX-License-Identifier: Apache-2.0
//
// A memory with a read port A, a port B that reads or writes, and output registers: true dual-port
// block RAM.
//
// Latency: data of the address of cycle t in cycle t + 2. A read of the word that is written in the
// same cycle gives nothing of use on either port, and nobody uses it: any mode of a memory will
// do.

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

  (* ram_style = "block" *) logic [Width-1:0] words[Depth];
  logic [Width-1:0] a_q, b_q;

  always_ff @(posedge clk_i) begin
    a_q      <= words[a_address_i];
    a_data_o <= a_q;
  end

  always_ff @(posedge clk_i) begin
    if (b_write_i) words[b_address_i] <= b_data_i;
    else b_q <= words[b_address_i];
    b_data_o <= b_q;
  end

endmodule
