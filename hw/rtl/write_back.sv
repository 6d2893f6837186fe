// SPDX-License-Identifier: Apache-2.0
//
// Words of sums on their way from `drain` to act: requantized, pooled, written.
//
//   rank  1 word_i, sum_i     2 aligned with bias    12 results    13 pooled    14 act write port
//
// Handshake: none, a word in every cycle; act never refuses a drain. Latency: WriteBackLatency to
// the write port; done_o comes the cycle after the last write of an instruction, retiring_o
// ReadAheadCycles before that write.

module write_back
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input par_address_t par_i,              // of the word of the next cycle
  input drained_t     word_i,             // rank 1
  input sum_t         sum_i [InputLanes], // of word_i

  output par_addresses_t par_o,          // of the words on their way
  input  par_channels_t  par_channels_i, // each of its address ReadLatency cycles before

  output logic        act_valid_o,  // rank 14; never refused
  output bank_write_t act_o,        // a word of act

  output logic retiring_o,  // one cycle: the last word of an instruction is near
  output logic done_o       // one cycle
);

  // Ranks: of the words of `drain`, which are rank 1.
  localparam int unsigned BiasRank = ReadLatency;  // par_i is a cycle before its word
  localparam int unsigned MultiplierRank = BiasRank + 1;
  localparam int unsigned ShiftRank = BiasRank + 5;
  localparam int unsigned LimitRank = BiasRank + 9;
  localparam int unsigned ResultRank = BiasRank + RequantizeLatency;
  localparam int unsigned Last = ResultRank + PoolingLatency;
  localparam int unsigned WriteRank = Last + 1;
  localparam int unsigned RetiringRank = WriteRank - ReadAheadCycles;
  if (FirstStepCycles + RowRank != ReadAheadCycles) begin : gen_check
    $error(
        "write_back: rows %0d cycles after their instruction, not %0d",
        FirstStepCycles + RowRank,
        ReadAheadCycles
    );
  end

  // word[r] is at rank r.
  drained_t word[1:Last];
  assign word[1] = word_i;

  for (genvar r = 2; r <= Last; r++) begin : gen_rank
    drained_t word_q;

    always_ff @(posedge clk_i) begin
      word_q <= word[r-1];
      if (!rst_ni) word_q.valid <= 1'b0;
    end

    assign word[r] = word_q;
  end

  // They come ReadLatency after their addresses.
  assign par_o = '{
          bias: par_i,
          multiplier: word[MultiplierRank-ReadLatency].par,
          shift: word[ShiftRank-ReadLatency].par
      };

  sum_t sum_q[InputLanes];
  result_t result[InputLanes];

  always_ff @(posedge clk_i) sum_q <= sum_i;

  for (genvar c = 0; c < InputLanes; c++) begin : gen_channel
    s32_t bias[GroupWords];
    u16_t multiplier[GroupWords];
    u8_t shift[GroupWords];
    for (genvar g = 0; g < GroupWords; g++) begin : gen_group
      assign bias[g]       = par_channels_i.bias[g*InputLanes+c];
      assign multiplier[g] = par_channels_i.multiplier[g*InputLanes+c];
      assign shift[g]      = par_channels_i.shift[g*InputLanes+c];
    end

    requantize u_requantize (
      .clk_i,
      .sum_i       (sum_q[c]),
      .bias_i      (bias[word[BiasRank].group]),
      .multiplier_i(multiplier[word[MultiplierRank].group]),
      .shift_i     (shift[word[ShiftRank].group][5:0]),
      .low_i       (word[LimitRank].low),
      .high_i      (word[LimitRank].high),
      .result_o    (result[c])
    );
  end

  word_t pooled;

  pooling u_pooling (
    .clk_i,
    .valid_i (word[ResultRank].valid),
    .first_i (word[ResultRank].pool_first),
    .slot_i  (word[ResultRank].slot),
    .group_i (word[ResultRank].group),
    .result_i(result),
    .word_o  (pooled)
  );

  logic done_q;

  always_ff @(posedge clk_i) begin
    act_valid_o <= word[Last].valid && word[Last].write;
    done_q      <= word[Last].valid && word[Last].done;
    done_o      <= done_q;
    if (!rst_ni) begin
      act_valid_o <= 1'b0;
      done_q      <= 1'b0;
      done_o      <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    act_o <= '{
        bank: bank_of(word[Last].address, word[Last].log2_l),
        row: row_of(word[Last].address, word[Last].log2_l),
        data: pooled
    };
  end

  // This word is written in ReadAheadCycles. An instruction that is taken in the next cycle is at
  // rank 0 FirstStepCycles after that, and its rows are there RowRank later: it reads one later.
  assign retiring_o = word[RetiringRank].valid && word[RetiringRank].done;

endmodule
