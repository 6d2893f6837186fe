// SPDX-License-Identifier: Apache-2.0
//
// Puts scratchpad words together from AXI words, the first of them lowest:
//
//   word_o = {beat n-1, ..., beat 1, beat 0}   in the top n*Beat bits
//
// Handshake: the stream contract; a beat every cycle. Latency: 1 cycle from a word's last beat.
// Relies on beats_i, n, to hold while a word is under way.

module word_assembler #(
  parameter  int unsigned BeatBits  = 64,                   // of an AXI word
  parameter  int unsigned MaxBeats  = 8,                    // n at most
  localparam int unsigned CountBits = $clog2(MaxBeats + 1)  // of a number of beats
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic [CountBits-1:0] beats_i,       // n: of the word under way
  input  logic                 beat_valid_i,  // a beat is offered
  output logic                 beat_ready_o,  // it is taken
  input  logic [ BeatBits-1:0] beat_data_i,   // an AXI word

  output logic                         word_valid_o,  // a word is offered
  input  logic                         word_ready_i,  // it is taken
  output logic [MaxBeats*BeatBits-1:0] word_o         // n beats, in the top bits
);

  logic valid_q;
  logic [CountBits-1:0] count_q;  // beats of an unfinished word
  logic [MaxBeats*BeatBits-1:0] word_q;

  assign beat_ready_o = !valid_q || word_ready_i;
  assign word_valid_o = valid_q;
  assign word_o       = word_q;

  wire taken = beat_valid_i && beat_ready_o;
  wire ends = count_q + CountBits'(1) == beats_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      count_q <= '0;
    end else begin
      if (beat_ready_o) valid_q <= taken && ends;
      if (taken) count_q <= ends ? '0 : count_q + CountBits'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (taken) word_q <= {beat_data_i, word_q[MaxBeats*BeatBits-1:BeatBits]};
  end

endmodule
