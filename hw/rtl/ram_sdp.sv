// SPDX-License-Identifier: Apache-2.0
//
// A memory with a write and a read port, and an output register: block RAM.
//
// Latency: data of the address of cycle t in cycle t + 2. A read of the word that is written in the
// same cycle gives nothing of use, and nobody uses it: any mode of a memory will do.

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

  (* ram_style = "block" *) logic [Width-1:0] words[Depth];
  logic [Width-1:0] read_q;

  always_ff @(posedge clk_i) begin
    if (write_i) words[write_address_i] <= write_data_i;
    read_q      <= words[read_address_i];
    read_data_o <= read_q;
  end

endmodule
