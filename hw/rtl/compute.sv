// SPDX-License-Identifier: Apache-2.0
//
// Executes `compute` instructions, as docs/isa.md says, between the scratchpads.
//
//   issue --> walkers --> lane_address --> act --> lane_operand --> mac_array --> drain
//     |          '----------------------> wgt ------------------------^             ^ |
//     '--> tiles -------------------------------------------------------------------' v
//                                                         act <-- write_back <-- par, words
//
// Handshake: an instruction is taken when valid and ready are high; its tokens are taken already.
// done_o tells, in order, the end of each one's last write. One step per cycle; nothing but issue
// waits, where the last step of a tile waits for the drain of the tile before. Instructions follow
// one another with FirstStepCycles - 1 between them, unless wait_drain makes one wait for the last
// write.
// Latency: FirstStepCycles from ready to the first step; StepToSumCycles + SumToWriteCycles from
// the step that ends a tile to act's write port, one more to done_o; between them as many as `cost`
// in isa/execute.py says.

module compute
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic     instr_valid_i,  // an instruction is offered
  output logic     instr_ready_o,  // it is taken
  input  compute_t instr_i,        // its tokens are taken already
  output logic     done_o,         // one cycle

  output logic busy_o,  // an instruction is taken and not done
  output logic step_o,  // of the array, in this cycle

  output row_t           act_row_o     [PixelLanes],  // by bank, of act
  input  word_t          act_data_i    [PixelLanes],  // ReadLatency later, as all that is read
  output wgt_address_t   wgt_address_o,               // of a word for each step
  input  wgt_word_t      wgt_data_i,                  // weights of all lanes
  output par_addresses_t par_o,                       // of the words that are written back
  input  par_channels_t  par_channels_i,              // their parameters

  output logic        drain_valid_o,  // never refused
  output bank_write_t drain_o         // a word of act
);

  if (PixelLanes != 1 << LaneLog2 || PixelLanes > 8) begin : gen_check_pixel
    $error("compute: PixelLanes must be 1, 2, 4 or 8, got %0d", PixelLanes);
  end
  if (InputLanes != 4 && InputLanes != 8 && InputLanes != 16) begin : gen_check_input
    $error("compute: InputLanes must be 4, 8 or 16, got %0d", InputLanes);
  end
  if ((GroupWords != 1 && GroupWords != 2 && GroupWords != 4)
      || OutputLanes != GroupWords * InputLanes) begin : gen_check_k
    $error("compute: OutputLanes must be 1, 2 or 4 times %0d, got %0d", InputLanes, OutputLanes);
  end

  if (SumRank != StepToSumCycles) begin : gen_check_sums
    $error("compute: sums after %0d cycles, not %0d", SumRank, StepToSumCycles);
  end
  if (DrainLatency + WriteBackLatency != SumToWriteCycles) begin : gen_check_write
    $error(
        "compute: words after %0d cycles, not %0d",
        DrainLatency + WriteBackLatency,
        SumToWriteCycles
    );
  end

  // Steps and walkers.
  step_t step;
  logic [Levels-1:0] level;
  compute_t instr;
  logic retiring, tile_valid;
  tile_t tile;

  act_address_t a, o;
  s12_t y;
  s17_t x, ox;
  wgt_address_t w;
  par_address_t par;

  issue u_issue (
    .clk_i,
    .rst_ni,
    .instr_valid_i,
    .instr_ready_o,
    .instr_i,
    .retiring_i  (retiring),
    .done_i      (done_o),
    .busy_o,
    .stepping_o  (step_o),
    .step_o      (step),
    .level_o     (level),
    .instr_o     (instr),
    .column_i    (ox),
    .address_i   (o),
    .par_i       (par),
    .tile_valid_o(tile_valid),
    .tile_o      (tile)
  );

  walkers u_walkers (
    .clk_i,
    .step_i (step.valid),
    .first_i(step.first),
    .level_i(level),
    .instr_i(instr),
    .a_o    (a),
    .y_o    (y),
    .x_o    (x),
    .w_o    (w),
    .par_o  (par),
    .o_o    (o),
    .ox_o   (ox)
  );

  // Rows, words of act, operands.
  bank_t [PixelLanes-1:0] row_bank, word_bank;
  logic [PixelLanes-1:0] row_inside, word_inside;
  step_t step_q[WalkerRank:OperandRank];
  result_t operand[PixelLanes][InputLanes];

  always_ff @(posedge clk_i) begin
    step_q[WalkerRank] <= step;
    for (int unsigned r = WalkerRank + 1; r <= OperandRank; r++) step_q[r] <= step_q[r-1];
    if (!rst_ni) begin
      for (int unsigned r = WalkerRank; r <= OperandRank; r++) step_q[r].valid <= 1'b0;
    end
  end

  lane_address u_lane_address (
    .clk_i,
    .take_i         (step.valid && step.first),
    .lane_distance_i(instr.lane_distance),
    .log2_l_i       (instr.interleave_in),
    .in_w_i         (instr.in_w),
    .in_h_i         (instr.in_h),
    .a_i            (a),
    .x_i            (x),
    .y_i            (y),
    .row_o          (act_row_o),
    .bank_o         (row_bank),
    .inside_o       (row_inside)
  );

  delay #(
    .Width (PixelLanes * (BankBits + 1)),
    .Cycles(ReadLatency)
  ) u_lanes (
    .clk_i,
    .data_i({row_bank, row_inside}),
    .data_o({word_bank, word_inside})
  );

  lane_operand u_lane_operand (
    .clk_i,
    .word_i     (act_data_i),
    .bank_i     (word_bank),
    .inside_i   (word_inside),
    .is_signed_i(step_q[WordRank].is_signed),
    .max_i      (step_q[WordRank].max),
    .operand_o  (operand)
  );

  delay #(
    .Width (WgtBits),
    .Cycles(OperandRank - ReadLatency - WalkerRank)
  ) u_wgt_address (
    .clk_i,
    .data_i(w),
    .data_o(wgt_address_o)
  );

  // The array, the tiles that are in it, and what becomes of their sums.
  localparam int unsigned TileDepth = 16;  // from rank 2 on at most one for each rank

  logic [PixelLanes-1:0] tile_ends;
  logic tile_there, tile_room;
  sum_t sum[PixelLanes][OutputLanes];
  tile_t tile_ended;
  drained_t word;
  sum_t word_sum[InputLanes];
  par_address_t word_par;

  mac_array u_array (
    .clk_i,
    .rst_ni,
    .step_i   (step_q[OperandRank]),
    .operand_i(operand),
    .weight_i (wgt_data_i),
    .last_o   (tile_ends),
    .sum_o    (sum)
  );

  fifo #(
    .Width($bits(tile_t)),
    .Depth(TileDepth)
  ) u_tiles (
    .clk_i,
    .rst_ni,
    .valid_i(tile_valid),
    .ready_o(tile_room),
    .data_i (tile),
    .valid_o(tile_there),
    .ready_i(tile_ends[0]),
    .data_o (tile_ended)
  );

  drain u_drain (
    .clk_i,
    .rst_ni,
    .take_i(tile_ends),
    .sum_i (sum),
    .tile_i(tile_ended),
    .par_o (word_par),
    .word_o(word),
    .sum_o (word_sum)
  );

  write_back u_write_back (
    .clk_i,
    .rst_ni,
    .par_i      (word_par),
    .word_i     (word),
    .sum_i      (word_sum),
    .par_o,
    .par_channels_i,
    .act_valid_o(drain_valid_o),
    .act_o      (drain_o),
    .retiring_o (retiring),
    .done_o
  );

`ifndef SYNTHESIS
  tiles_have_room :
  assert property (@(posedge clk_i) disable iff (!rst_ni) tile_valid |-> tile_room)
  else $error("compute: more tiles under way than %0d", TileDepth);
  tiles_are_there :
  assert property (@(posedge clk_i) disable iff (!rst_ni) tile_ends[0] |-> tile_there)
  else $error("compute: the end of a tile that was not begun");
`endif

endmodule
