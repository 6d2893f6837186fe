// SPDX-License-Identifier: Apache-2.0
//
// From the words of the banks to the operands of the lanes: 9 bits signed, for int8 and uint8.
//
//   lane p is the word of bank_i[p]; outside the input 0 in MAC, -128 in MAX
//
// Latency: LaneOperandLatency, 2, of everything: words to lanes, then sign and mask.

module lane_operand
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input word_t                  word_i     [PixelLanes],  // by bank
  input bank_t [PixelLanes-1:0] bank_i,                   // by lane
  input logic  [PixelLanes-1:0] inside_i,                 // by lane: in the input
  input logic                   is_signed_i,              // act is int8
  input logic                   max_i,                    // opcode MAX

  output result_t operand_o[PixelLanes][InputLanes]  // by lane and input channel
);

  word_t word_q[PixelLanes];
  logic [PixelLanes-1:0] inside_q;
  logic is_signed_q, max_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < PixelLanes; p++) word_q[p] <= word_i[bank_i[p]];
    inside_q    <= inside_i;
    is_signed_q <= is_signed_i;
    max_q       <= max_i;
  end

  for (genvar p = 0; p < PixelLanes; p++) begin : gen_lane
    for (genvar c = 0; c < InputLanes; c++) begin : gen_channel
      u8_t value;
      assign value = word_q[p][8*c+:8];
      always_ff @(posedge clk_i) begin
        if (inside_q[p]) operand_o[p][c] <= result_t'({is_signed_q && value[7], value});
        else operand_o[p][c] <= max_q ? -9'sd128 : 9'sd0;
      end
    end
  end

endmodule
