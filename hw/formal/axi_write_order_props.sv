// SPDX-License-Identifier: Apache-2.0
//
// From end to end of `axi_write_master`: the words of command number which_q, any, are written in
// order where it says, and done_o comes with the response to its last burst, if it asks for that.

module axi_write_order_props #(
  parameter int unsigned WordBytes = 8,
  parameter int unsigned AddressBits = 32,
  parameter int unsigned Outstanding = 8,
  parameter int unsigned MostWords = 31,  // of a command, so that some end in few steps
  localparam int unsigned LevelBits = $clog2(Outstanding + 1)
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   flush_i,
  input logic                   idle_o,
  input logic                   cmd_valid_i,
  input logic                   cmd_ready_o,
  input logic [AddressBits-1:0] cmd_address_i,
  input logic [           31:0] cmd_words_i,
  input logic                   cmd_last_i,
  input logic                   data_valid_i,
  input logic                   data_ready_o,
  input logic [8*WordBytes-1:0] data_i,
  input logic                   done_o,
  input logic                   axi_awvalid_o,
  input logic                   axi_awready_i,
  input logic [AddressBits-1:0] axi_awaddr_o,
  input logic [            7:0] axi_awlen_o,
  input logic                   axi_wvalid_o,
  input logic                   axi_wready_i,
  input logic [8*WordBytes-1:0] axi_wdata_o,
  input logic                   axi_wlast_o,
  input logic                   axi_bvalid_i
);

  typedef logic [7:0] count_t;

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  wire cmd_taken = cmd_valid_i && cmd_ready_o;
  wire w_taken = axi_wvalid_o && axi_wready_i;

  logic [LevelBits-1:0] level;
  logic [7:0] beat;
  logic [AddressBits-1:0] address[Outstanding];
  logic waits, may_answer;

  write_memory #(
    .AddressBits(AddressBits),
    .Outstanding(Outstanding)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .awvalid_i   (axi_awvalid_o),
    .awready_i   (axi_awready_i),
    .awaddr_i    (axi_awaddr_o),
    .awlen_i     (axi_awlen_o),
    .wvalid_i    (axi_wvalid_o),
    .wready_i    (axi_wready_i),
    .wlast_i     (axi_wlast_o),
    .bvalid_i    (axi_bvalid_i),
    .offered_o   (),
    .waits_o     (waits),
    .level_o     (level),
    .owed_o      (),
    .may_answer_o(may_answer),
    .beat_o      (beat),
    .address_o   (address),
    .len_o       ()
  );

  count_t which_q;  // never reset: any number, and it stays
  count_t commands_q, asked_q;  // commands, their words
  count_t given_q, written_q;  // words of the stream, words at the memory
  count_t bursts_q, responses_q;
  count_t begin_q, words_q;  // of the command: its first word, how many
  count_t first_burst_q, last_burst_q;
  logic known_q, first_q, all_q;  // command, its first burst, its last
  logic asks_done_q;
  logic flushed_q;  // in the midst of a burst
  logic [AddressBits-1:0] address_q;

  wire count_t word_of = written_q - begin_q;
  wire its_word = known_q && written_q >= begin_q && word_of < words_q;
  wire its_last = its_word && word_of + count_t'(1) == words_q;
  wire its_response = first_q && responses_q >= first_burst_q;

  always_ff @(posedge clk_i) begin
    if (cmd_taken) begin
      commands_q <= commands_q + count_t'(1);
      asked_q    <= asked_q + count_t'(cmd_words_i);
    end
    given_q     <= given_q + count_t'(data_valid_i && data_ready_o);
    written_q   <= written_q + count_t'(w_taken);
    bursts_q    <= bursts_q + count_t'(w_taken && axi_wlast_o);
    responses_q <= responses_q + count_t'(axi_bvalid_i);
    if (cmd_taken && commands_q == which_q) begin
      known_q     <= 1'b1;
      begin_q     <= asked_q;
      words_q     <= count_t'(cmd_words_i);
      address_q   <= cmd_address_i;
      asks_done_q <= cmd_last_i;
    end
    if (w_taken && its_word && word_of == '0) begin
      first_q       <= 1'b1;
      first_burst_q <= bursts_q;
    end
    if (w_taken && its_last) begin
      all_q        <= 1'b1;
      last_burst_q <= bursts_q;
    end
    if (!rst_ni || flush_i) begin
      {known_q, first_q, all_q} <= '0;
      {commands_q, asked_q, given_q, written_q, bursts_q, responses_q} <= '0;
    end
    which_q   <= which_q;
    flushed_q <= rst_ni && (flushed_q || (flush_i && level != '0));
  end

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    assume (cmd_words_i != '0 && cmd_words_i <= MostWords);
    assume (32'(cmd_address_i) % WordBytes == '0);
    assume (64'(cmd_address_i) + 64'(cmd_words_i) * WordBytes < 64'd1 << AddressBits);
    assume (data_i == (8 * WordBytes)'(given_q));
    assume (flush_i || !$past(rst_ni && flush_i && !idle_o));
    if (rst_ni && !flush_i) begin
      no_more:     assert (!axi_wvalid_o || written_q < asked_q);
      its_data:    assert (!axi_wvalid_o || axi_wdata_o == (8 * WordBytes)'(written_q));
      its_place:   assert (!axi_wvalid_o || !its_word || address[0] / AddressBits'(WordBytes)
          + AddressBits'(beat) == address_q / AddressBits'(WordBytes) + AddressBits'(word_of));
      burst_ends:  assert (!axi_wvalid_o || !its_last || axi_wlast_o);
      done_at_end: assert (!axi_bvalid_i || !its_response || (all_q && responses_q > last_burst_q)
          || done_o == (asks_done_q && all_q && responses_q == last_burst_q));
      not_done_c:  cover (axi_bvalid_i && its_response && all_q && responses_q < last_burst_q);
      flushed_c:   cover (done_o && its_response && flushed_q);
      second_c:    cover (done_o && its_response && which_q == count_t'(1)
                          && responses_q == last_burst_q);
    end
  end
  // verilog_format: on

endmodule

bind axi_write_master axi_write_order_props #(
  .WordBytes  (WordBytes),
  .AddressBits(AddressBits),
  .Outstanding(Outstanding)
) u_order_props (.*);
