// SPDX-License-Identifier: Apache-2.0
//
// A memory with a write and a read port, and an output register: block RAM.
//
// Latency: data of the address of cycle t in cycle t + 2. A read of the word that is written in the
// same cycle gives nothing of use, and nobody uses it: any mode of a memory will do.

module ram_sdp #(
  parameter  int unsigned Width       = 8,
  parameter  int unsigned Depth       = 256,           // a power of two
  localparam int unsigned AddressBits = $clog2(Depth)
) (
  input logic clk_i,

  input logic                   write_i,
  input logic [AddressBits-1:0] write_address_i,
  input logic [      Width-1:0] write_data_i,

  input  logic [AddressBits-1:0] read_address_i,
  output logic [      Width-1:0] read_data_o
);

  (* ram_style = "block" *) logic [Width-1:0] words[Depth];
  logic [Width-1:0] read_q;

  always_ff @(posedge clk_i) begin
    if (write_i) words[write_address_i] <= write_data_i;
    read_q      <= words[read_address_i];
    read_data_o <= read_q;
  end

endmodule
