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

  input logic       load_valid_i,  // taken at once
  input wgt_write_t load_i,        // a word, by address

  input  wgt_address_t compute_address_i,  // read in every cycle
  output wgt_word_t    compute_data_o      // of the address ReadLatency cycles before
);

  ram_sdp #(
    .Width($bits(wgt_word_t)),
    .Depth(WgtWords)
  ) u_ram (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_i.address),
    .write_data_i   (load_i.data),
    .read_address_i (compute_address_i),
    .read_data_o    (compute_data_o)
  );

endmodule
