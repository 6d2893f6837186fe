// SPDX-License-Identifier: Apache-2.0
//
// Takes instructions and turns them into steps, with what belongs to the steps of each.
//
//   rank 0  counters     1  step_o, level_o, instr_o     2  tile_valid_o with tile_o, of walkers'
//
// instr_o belongs to the step beside it where that is not the last; later ranks take what they need
// from there as an instruction's first step passes, and the next instruction may already come.
//
// Handshake: an instruction is taken when valid and ready are high; ready waits, for wait_drain,
// until its first read comes after the last write of the one before. Latency: 3 cycles to rank 1.
// retiring_i: the last word of an instruction is so near to memory that a read would see it.

module issue
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic     instr_valid_i,  // an instruction is offered
  output logic     instr_ready_o,  // it is taken
  input  compute_t instr_i,        // of opcode MAC or MAX

  input  logic retiring_i,  // one cycle: of an instruction, in order
  input  logic done_i,      // one cycle: of an instruction, in order
  output logic busy_o,      // an instruction is taken and not done

  output logic                  stepping_o,  // rank 0
  output step_t                 step_o,      // rank 1
  output logic     [Levels-1:0] level_o,     // rank 1: the level that moves behind the step
  output compute_t              instr_o,     // rank 1: of the step

  input  s17_t         column_i,      // rank 2: walkers
  input  act_address_t address_i,     // rank 2: act word of slot 0
  input  par_address_t par_i,         // rank 2: par word
  output logic         tile_valid_o,  // rank 2: a tile ends
  output tile_t        tile_o         // rank 2: what the drain needs of it
);

  // From take to done are less than 80 cycles beyond the steps, and takes are 3 apart at least.
  localparam int unsigned CountBits = 6;

  logic take, ready;
  compute_t instr_q;
  logic [CountBits-1:0] ahead_q;  // instructions taken and not retiring
  logic [CountBits-1:0] running_q;  // instructions taken and not done

  assign instr_ready_o = ready && !(instr_i.wait_drain && ahead_q != '0);
  assign take          = instr_valid_i && instr_ready_o;
  assign instr_o       = instr_q;
  assign busy_o        = running_q != '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ahead_q   <= '0;
      running_q <= '0;
    end else begin
      ahead_q   <= ahead_q + CountBits'(take) - CountBits'(retiring_i);
      running_q <= running_q + CountBits'(take) - CountBits'(done_i);
    end
  end

  // Without take it is of no use, and of no harm.
  always_ff @(posedge clk_i) begin
    if (ready) instr_q <= instr_i;
  end

  // What a step is besides `step_t`, rank 0 to 2.
  typedef struct packed {
    logic window_first;
    logic window_last;
    logic group_last;
    logic done;
  } place_t;

  step_t step0;
  logic tile_ends_q;
  place_t place0, place1_q, place_q;
  logic tile_first, first_row;
  logic [Levels-1:0] level0;

  loop_controller u_controller (
    .clk_i,
    .rst_ni,
    .start_i       (take),
    .start_bounds_i(instr_i.bounds),
    .bounds_i      (instr_q.bounds),
    .drain_i       (instr_q.drain),
    .words_i       (instr_q.words),
    .words_last_i  (instr_q.words_last),
    .ready_o       (ready),
    .step_o        (step0.valid),
    .first_o       (step0.first),
    .tile_first_o  (tile_first),
    .tile_last_o   (step0.last),
    .first_row_o   (first_row),
    .window_first_o(place0.window_first),
    .window_last_o (place0.window_last),
    .group_last_o  (place0.group_last),
    .last_o        (place0.done),
    .level_o       (level0)
  );

  wire is_max = instr_q.opcode == OpcodeMax;

  assign step0.max       = is_max;
  assign step0.load      = tile_first && (instr_q.clear || is_max);
  assign step0.is_signed = first_row ? instr_q.signed_first : instr_q.signed_rest;
  assign stepping_o      = step0.valid;

  always_ff @(posedge clk_i) begin
    step_o   <= step0;
    level_o  <= level0;
    place1_q <= place0;
    place_q  <= place1_q;
    tile_ends_q <= step_o.valid && step_o.last;
    if (!rst_ni) begin
      step_o.valid <= 1'b0;
      tile_ends_q  <= 1'b0;
    end
  end

  // What the drain needs of the instruction, from rank 2 on.
  compute_t late_instr_q;

  always_ff @(posedge clk_i) begin
    if (step_o.valid && step_o.first) late_instr_q <= instr_q;
  end

  out_column_t column;
  assign column = column_i;

  assign tile_valid_o = tile_ends_q;
  assign tile_o = '{
    drain:               late_instr_q.drain,
    done:                place_q.done,
    window_first:        place_q.window_first,
    window_last:         place_q.window_last,
    column:              column,
    address:             address_i,
    par:                 par_i,
    words:               place_q.group_last ? late_instr_q.words_last : late_instr_q.words,
    log2_lanes_per_slot: late_instr_q.lanes_per_slot,
    log2_l:              late_instr_q.interleave_out,
    lane_distance:       act_address_t'(late_instr_q.out_lane_distance),
    lane_columns:        late_instr_q.out_lane_columns,
    columns:             late_instr_q.out_w,
    plane:               late_instr_q.out_plane[ActBits-1:0],
    low:                 late_instr_q.low,
    high:                late_instr_q.high
  };

`ifndef SYNTHESIS
  counts_hold :
  assert property (@(posedge clk_i) disable iff (!rst_ni) take |-> running_q != '1)
  else $error("issue: more instructions under way than a counter holds");
`endif

endmodule
