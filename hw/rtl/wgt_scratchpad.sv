// SPDX-License-Identifier: Apache-2.0
//
// Weights: words of K times C bytes, one for each step of the array. Channel c of output channel k
// is byte k*C + c.
//
// Handshake: none, both ports take a word in every cycle. Latency: ReadLatency.

module wgt_scratchpad
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input logic                                    load_valid_i,
  input wgt_address_t                            load_address_i,
  input logic         [OutputLanes*WordBits-1:0] load_data_i,

  input  wgt_address_t                            compute_address_i,
  output logic         [OutputLanes*WordBits-1:0] compute_data_o
);

  ram_sdp #(
    .Width(OutputLanes * WordBits),
    .Depth(WgtWords)
  ) u_ram (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_address_i),
    .write_data_i   (load_data_i),
    .read_address_i (compute_address_i),
    .read_data_o    (compute_data_o)
  );

endmodule
