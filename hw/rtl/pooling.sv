// SPDX-License-Identifier: Apache-2.0
//
// The running maximum of the words of a slot: over its lanes, which follow one another, and over
// the tiles of a pooling window.
//
//   maximum[slot][group] = pool_first ? result : max(maximum[slot][group], result)      per channel
//
// Handshake: a word with valid in every cycle, if there is one. Latency: PoolingLatency, 1.

module pooling
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input logic    valid_i,              // a word is there
  input logic    first_i,              // its maximum starts anew
  input bank_t   slot_i,               // of the word
  input group_t  group_i,              // of the word
  input result_t result_i[InputLanes], // of the word, by channel

  output word_t word_o  // the maximum so far
);

  localparam int unsigned Slots = (1 << BankBits) * (1 << GroupBits);

  for (genvar c = 0; c < InputLanes; c++) begin : gen_channel
    (* ram_style = "distributed" *) result_t maximum_q[Slots];
    result_t held, now;

    assign held = maximum_q[{slot_i, group_i}];
    assign now    = first_i || result_i[c] > held ? result_i[c] : held;

    always_ff @(posedge clk_i) begin
      if (valid_i) maximum_q[{slot_i, group_i}] <= now;
      word_o[8*c+:8] <= now[7:0];
    end
  end

endmodule
