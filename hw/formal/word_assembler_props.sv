// SPDX-License-Identifier: Apache-2.0
//
// What `word_assembler` promises, of beat number which_q of any word.

module word_assembler_props #(
  parameter  int unsigned BeatBits  = 64,
  parameter  int unsigned MaxBeats  = 8,
  localparam int unsigned CountBits = $clog2(MaxBeats + 1)
) (
  input logic                         clk_i,
  input logic                         rst_ni,
  input logic [        CountBits-1:0] beats_i,
  input logic                         beat_valid_i,
  input logic                         beat_ready_o,
  input logic [         BeatBits-1:0] beat_data_i,
  input logic                         word_valid_o,
  input logic                         word_ready_i,
  input logic [MaxBeats*BeatBits-1:0] word_o,
  input logic [        CountBits-1:0] count_q
);

  typedef logic [CountBits-1:0] count_t;

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  stream_contract #(
    .Width(MaxBeats * BeatBits)
  ) u_out (
    .clk_i,
    .rst_ni,
    .valid_i(word_valid_o),
    .ready_i(word_ready_i),
    .data_i (word_o)
  );

  count_t which_q;  // never reset: any number, and it stays
  count_t taken_q;  // beats of an unfinished word
  count_t length_q;  // of the word that is offered
  logic [BeatBits-1:0] beat_q;  // number which_q of that word, or of the unfinished one

  wire taken = beat_valid_i && beat_ready_o;
  wire ends = taken_q + count_t'(1) == beats_i;
  // Where beat number which_q lies: the last one taken is on top.
  wire count_t have = word_valid_o ? length_q : taken_q;
  wire [31:0] at = MaxBeats - 32'(have) + 32'(which_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) taken_q <= '0;
    else if (taken) taken_q <= ends ? '0 : taken_q + count_t'(1);
    if (taken && ends) length_q <= beats_i;
    if (taken && taken_q == which_q) beat_q <= beat_data_i;
    which_q <= which_q;
  end

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    assume (beats_i != '0 && 32'(beats_i) <= MaxBeats);
    if (taken_q != '0) assume ($stable(beats_i));
    if (rst_ni) begin
      in_place:     assert (which_q >= have || word_o[at*BeatBits +: BeatBits] == beat_q);
      takes_beats:  assert (beat_ready_o == (!word_valid_o || word_ready_i));
      // For induction.
      counts:       assert (count_q == taken_q);
      one_at_once:  assert (!word_valid_o || taken_q == '0);
      fits:         assert (taken_q == '0 || taken_q < beats_i);
      length_fits:  assert (!word_valid_o || 32'(length_q) <= MaxBeats);
      longest_c:    cover (word_valid_o && 32'(length_q) == MaxBeats && which_q == '0);
      shorter_c:    cover (word_valid_o && length_q == count_t'(1) && 32'($past(have)) == MaxBeats);
    end
    if (rst_ni && $past(rst_ni)) begin
      comes_when_whole: assert (word_valid_o == $past((taken && ends)
                                                      || (word_valid_o && !word_ready_i)));
    end
  end
  // verilog_format: on

endmodule

bind word_assembler word_assembler_props #(
  .BeatBits(BeatBits),
  .MaxBeats(MaxBeats)
) u_props (.*);
