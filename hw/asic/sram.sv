// SPDX-License-Identifier: Apache-2.0
//
// The one place where macros of a foundry go in: every scratchpad of an ASIC is made of these. This
// one is a model to simulate; synthesis leaves the module a black box, or takes the file that
// `sram_file` of technology.tcl names instead, with the same module.
//
//   port A reads; port B writes, or reads where Reads = 1
//
// A macro of one read and one write port is enough where Reads = 0: b_data_o is not used then.
//
// Latency: data of the address of cycle t in cycle t + 1. A read of the word that is written in the
// same cycle gives nothing of use on either port; nobody uses it.

module sram #(
  parameter  int unsigned Width       = 8,             // bits of a word
  parameter  int unsigned Depth       = 256,           // words, a power of two
  parameter  bit          Reads       = 1,             // port B reads too
  localparam int unsigned AddressBits = $clog2(Depth)  // of a word
) (
  input logic clk_i,

  input  logic [AddressBits-1:0] a_address_i,  // read in every cycle
  output logic [      Width-1:0] a_data_o,     // of the address a cycle before

  input  logic                   b_write_i,    // else B reads
  input  logic [AddressBits-1:0] b_address_i,  // of the write or read
  input  logic [      Width-1:0] b_data_i,     // what is written
  output logic [      Width-1:0] b_data_o      // of the read a cycle before
);

  logic [Width-1:0] words[Depth];

  // A word that is written while it is read comes out inverted: whoever used it would differ.
  wire collides = b_write_i && a_address_i == b_address_i;

  always_ff @(posedge clk_i) begin
    if (b_write_i) words[b_address_i] <= b_data_i;
    a_data_o <= words[a_address_i] ^ {Width{collides}};
  end

  if (Reads) begin : gen_reads
    always_ff @(posedge clk_i) b_data_o <= words[b_address_i] ^ {Width{b_write_i}};
  end else begin : gen_writes
    assign b_data_o = '0;
  end

endmodule
